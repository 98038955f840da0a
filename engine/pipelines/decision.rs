//! `decision`: typed questions about a state, with a probability for each option of their answers, read from what a chat model would say
//! next. Nothing is generated.

mod config;
mod prompt;
mod question;
mod run;

use std::{num::NonZeroUsize, sync::atomic::AtomicBool};

use formers_models::Head;
use serde_json::{Map, Value, json};

pub use config::DecisionConfig;
use prompt::{MARK, Prompt, Prompts, SPLIT};
pub use question::Answer;

use super::{Medium, Parameters, Pipeline, Task, arguments::kind, boxed};
use crate::{
    Error, ErrorKind, Result,
    config::ModelConfig,
    generate,
    model::{Model, Pretrained},
    postprocess::scores::softmax,
    preprocess::text::{Tokenizer, chat::ChatTemplates},
};

/// Answers questions about a state.
#[derive(Debug)]
pub struct Decision {
    tokenizer: Tokenizer,
    templates: ChatTemplates,
    config: DecisionConfig,
    model_config: ModelConfig,
    model: Model,
    /// Whether the model takes tokens back to the beginning that prompts have in common, as far as is known.
    keeps_beginnings: AtomicBool,
}

/// A state, and questions about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// Text, or anything else, which the model reads as JSON.
    pub state: Value,
    /// An object of names and questions, `{"type", "instructions", "criteria"}`. `noul` asks for yes or no, with `criteria` that describe
    /// `true` and `false` if need be; `choice` for one of the options that `criteria` names and describes; `score` for a level of the list
    /// that `criteria` is, the lowest first.
    pub questions: Value,
}

/// How to answer.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// In place of the checkpoint's own (`decision.json`, `decision_template.jinja`).
    pub config: Option<DecisionConfig>,
    /// So many prompts run at once, `None` for as many as are good.
    pub batch_size: Option<NonZeroUsize>,
}

/// The answers to questions by their names, in their order.
pub type Answers = Vec<(String, Answer)>;

impl Decision {
    /// The answers to questions about a state ([`Input`]).
    pub fn run(&self, state: &Value, questions: &Value) -> Result<Answers> {
        let input = Input { state: state.clone(), questions: questions.clone() };
        self.run_many(&[input], &Options::default()).swap_remove(0)
    }

    /// The answers to many inputs, in their order; an input that fails does not harm the others.
    pub fn run_many(&self, inputs: &[Input], options: &Options) -> Vec<Result<Answers>> {
        let config = options.config.as_ref().unwrap_or(&self.config);
        let prompts = Prompts { tokenizer: &self.tokenizer, templates: &self.templates, config };
        let prepared: Vec<Result<Vec<Prompt>>> = inputs.iter().map(|input| prompts.of(&input.state, &input.questions)).collect();
        let all: Vec<&Prompt> = prepared.iter().flatten().flatten().collect();
        let mut logits = self.logits(&all, options.batch_size).into_iter();
        let mut answer = |prompt: Prompt| -> Result<Answers> {
            let logits = logits.next().unwrap_or_else(|| Err(Error::new(ErrorKind::Runtime, "a prompt was not answered")))?;
            let answered = prompt.questions.into_iter().zip(logits).map(|(question, logits)| {
                let temperature = config.temperature(question.kind);
                let scores: Vec<f32> = logits.into_iter().map(|logit| logit / temperature).collect();
                (question.name.clone(), question.answer(&softmax(&scores)))
            });
            Ok(answered.collect())
        };
        let mut answers = |prompts: Vec<Prompt>| {
            // Every prompt takes its logits, also behind one that failed.
            let answers: Vec<Result<Answers>> = prompts.into_iter().map(&mut answer).collect();
            Ok(answers.into_iter().collect::<Result<Vec<_>>>()?.concat())
        };
        prepared.into_iter().map(|prompts| prompts.and_then(&mut answers)).collect()
    }
}

impl Pipeline for Decision {
    const TASK: Task = Task {
        id: "decision",
        aliases: &[],
        summary: "Answers to typed questions, with a probability for each option",
        default_model: "Qwen/Qwen2.5-0.5B-Instruct",
        heads: &[Head::CausalLm],
        inputs: "an object {state, questions}, its JSON as a string, or a list of them; with the parameter questions a state, or a list of states",
        fields: &[],
        parameters: &["questions", "assets", "decision_config", "batch_size"],
        medium: Medium::Text,
        suits: super::labels::any,
        load: boxed::<Self>,
    };

    fn load(pretrained: &Pretrained) -> Result<Self> {
        let (checkpoint, name) = (&pretrained.checkpoint, pretrained.checkpoint.name());
        // Heads of their own, which the reference reads from these files.
        for (file, field) in [("judge_config.json", "slots"), ("decision_config.json", "codes")] {
            if checkpoint.json(file)?.is_some_and(|head| head.get(field).is_some()) {
                let message =
                    format!("{name}: {file}: this checkpoint answers with a head of its own; only the logits of language models are read");
                return Err(Error::unsupported(message));
            }
        }
        let config = DecisionConfig::from_files(checkpoint).map_err(|error| error.at(name))?;
        let model = pretrained.model(Head::CausalLm)?;
        generate::open(&model, pretrained.config.value()).map_err(|error| error.at(name))?;
        let mut tokenizer = pretrained.tokenizer()?;
        tokenizer.add_special_tokens(&[MARK, SPLIT])?;
        let templates = ChatTemplates::from_files(checkpoint).map_err(|error| error.at(name))?;
        Ok(Self { tokenizer, templates, config, model_config: pretrained.config.clone(), model, keeps_beginnings: AtomicBool::new(true) })
    }

    fn call_many(&self, inputs: &[Value], mut parameters: Parameters) -> Result<Vec<Result<Value>>> {
        let questions = parameters.take::<Value>("questions")?;
        without_images(parameters.take::<Value>("assets")?.as_ref(), "parameters.assets")?;
        let config = parameters.take::<Value>("decision_config")?;
        let config = config.map(|config| DecisionConfig::from_value(&config, "parameters.decision_config"));
        let config = config.transpose().map_err(|error| Error::new(ErrorKind::Request, &error).caused_by(error))?;
        let options = Options { config, batch_size: parameters.take("batch_size")? };
        parameters.finish(Self::TASK.parameters)?;
        let read: Vec<Result<Input>> = inputs.iter().map(|input| read(input, questions.as_ref())).collect();
        let good: Vec<Input> = read.iter().flatten().cloned().collect();
        let mut answers = self.run_many(&good, &options).into_iter();
        let lost = || Err(Error::new(ErrorKind::Runtime, "an input was not answered"));
        let answer = |input: Result<Input>| {
            let answers = input.and_then(|_| answers.next().unwrap_or_else(lost))?;
            Ok(Value::Object(answers.into_iter().map(|(name, answer)| (name, json!(answer))).collect()))
        };
        Ok(read.into_iter().map(answer).collect())
    }
}

/// An input, from an object or its JSON, or from a state where the questions are known.
fn read(input: &Value, questions: Option<&Value>) -> Result<Input> {
    if let Some(questions) = questions {
        return Ok(Input { state: input.clone(), questions: questions.clone() });
    }
    let parsed;
    let fields: &Map<String, Value> = match input {
        Value::Object(fields) => fields,
        Value::String(text) => {
            parsed = serde_json::from_str(text).map_err(|error| Error::request("inputs", format!("not JSON: {error}")).caused_by(error))?;
            match &parsed {
                Value::Object(fields) => fields,
                other => return Err(wrong_input(other)),
            }
        }
        other => return Err(wrong_input(other)),
    };
    without_images(fields.get("assets"), "inputs.assets")?;
    let field = |name: &str| fields.get(name).cloned().ok_or_else(|| Error::request(&format!("inputs.{name}"), "missing"));
    Ok(Input { state: field("state")?, questions: field("questions")? })
}

fn wrong_input(input: &Value) -> Error {
    Error::request("inputs", format!("expected an object {{state, questions}} or its JSON, not {}", kind(input)))
}

/// Images stand in `assets`.
fn without_images(assets: Option<&Value>, place: &str) -> Result<()> {
    match assets {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Object(assets)) if assets.is_empty() => Ok(()),
        Some(Value::Object(_)) => {
            Err(Error::request(place, "images need a model that sees them, and language models do not; leave them out"))
        }
        Some(other) => Err(Error::request(place, format!("expected an object of names and images, not {}", kind(other)))),
    }
}
