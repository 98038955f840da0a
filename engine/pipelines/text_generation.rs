//! `text-generation`: how a text or a chat goes on.

mod call;
mod parts;
mod pieces;
mod response;

use std::{borrow::Cow, num::NonZeroUsize, sync::Arc};

use formers_models::Head;
use serde_json::{Map, Value, json};

use call::{Call, Form, PARAMETERS, prompt};
pub use parts::AnswerParts;
pub use pieces::{Piece, Pieces, TextPieces};
pub(super) use response::Response;

pub use crate::postprocess::answer::Part;

use super::{
    Medium, Parameters, Pipeline, Task, TextIter, arguments::all, assistant::Assistants, batches, boxed, constraint::Words, fits, usage,
};
use crate::{
    Error, ErrorKind, Result,
    config::{GenerationConfig, GenerationDefaults, ModelConfig, integer},
    generate::{self, Constraint, Generated, LanguageModel, Settings, Steps, TextStream, stopping::StopWhen},
    model::{Model, Pretrained},
    preprocess::text::{
        EncodeOptions, Tokenizer,
        chat::{ChatOptions, ChatTemplates, Continue},
    },
};

/// So many prompts run at once where the call does not say how many.
const BATCH_SIZE: usize = 32;

/// Goes on with texts and chats.
#[derive(Debug)]
pub struct TextGeneration {
    tokenizer: Arc<Tokenizer>,
    templates: ChatTemplates,
    response: Option<Response>,
    config: ModelConfig,
    defaults: GenerationDefaults,
    model: Model,
    words: Words,
    assistants: Assistants,
}

/// What to go on with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Prompt<'a> {
    /// A text.
    Text(&'a str),
    /// Messages, objects with `role` and `content`.
    Chat(&'a [Value]),
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The new text.
    pub text: String,
    /// All tokens, those of the prompt included.
    pub token_ids: Vec<u32>,
    /// The new tokens, why they end, and the numbers behind them as far as they were asked for.
    pub generated: Generated,
}

/// How to go on.
#[derive(Debug, Clone)]
pub struct Options {
    /// Parameters of Transformers' `generate`, by their names; 256 new tokens by sampling with temperature 0.7 where neither this
    /// nor the checkpoint says otherwise.
    pub generation: Map<String, Value>,
    /// A smaller model that guesses ([`crate::Options::assistant_model`]). A pipeline has only one: the first that it is given.
    pub assistant_model: Option<String>,
    /// Ends an answer where it says so.
    pub stop: Option<StopWhen>,
    /// So many prompts run at once, `None` for as many as are good. Where they would change each other's answers it is always one.
    pub batch_size: Option<NonZeroUsize>,
    /// Comes before every text.
    pub prefix: String,
    /// How texts are tokenized.
    pub encode: EncodeOptions,
    /// Cuts the prompt on the left where it would leave no room for the answer.
    pub hole: bool,
    /// Leaves special tokens out of the text.
    pub skip_special_tokens: bool,
    /// Removes spaces before punctuation; `None` as the tokenizer says.
    pub clean_up_tokenization_spaces: Option<bool>,
    /// Whether the answer goes on inside the last message of a chat; `None` where that is the assistant's.
    pub continue_final_message: Option<bool>,
    /// Tools and documents of a chat.
    pub chat: ChatOptions,
    /// What the text of an answer must match.
    pub constraint: Option<Constraint>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            generation: Map::new(),
            assistant_model: None,
            stop: None,
            batch_size: None,
            prefix: String::new(),
            encode: EncodeOptions::default(),
            hole: false,
            skip_special_tokens: true,
            clean_up_tokenization_spaces: None,
            continue_final_message: None,
            chat: ChatOptions::default(),
            constraint: None,
        }
    }
}

impl TextGeneration {
    /// The text that follows a prompt, chosen greedily, up to so many tokens.
    pub fn run(&self, prompt: &str, max_new_tokens: usize) -> Result<String> {
        let generation = json!({"do_sample": false, "max_new_tokens": max_new_tokens});
        let options = Options { generation: generation.as_object().cloned().unwrap_or_default(), ..Options::default() };
        let mut answers = self.run_many(&[Prompt::Text(prompt)], &options)?.swap_remove(0)?;
        Ok(answers.swap_remove(0).text)
    }

    /// The answers to many prompts, in their order, for each `num_return_sequences`; a prompt that is wrong does not harm the
    /// others.
    pub fn run_many(&self, prompts: &[Prompt<'_>], options: &Options) -> Result<Vec<Result<Vec<Answer>>>> {
        let config = GenerationConfig::resolve(&self.defaults, &defaults(), &self.arguments(options)?)?;
        let encoded: Vec<Result<Encoded>> = prompts.iter().map(|prompt| self.encode(*prompt, options, &config)).collect();
        let good: Vec<&Encoded> = encoded.iter().filter_map(|encoded| encoded.as_ref().ok()).collect();
        let settings = self.settings(&config, options)?;
        let assistant = self.assistants.named(options.assistant_model.as_deref(), &self.tokenizer)?;
        let begin = assistant.map(|assistant| move |_: usize| assistant.begin(&options.generation, None));
        let assistant = begin.as_ref().map(|begin| begin as generate::MakeAssistant<'_, _>);
        let helpers = generate::Helpers { assistant, guide: None };
        let alone = formers_models::couples_rows(self.config.value());
        // The answers of beam search that run at once are filled up to one length: alone, where the call does not say otherwise.
        let usual = if config.num_beams > 1 { 1 } else { BATCH_SIZE };
        let most = if alone { 1 } else { options.batch_size.map_or(usual, NonZeroUsize::get) };
        let lost = || Err(Error::new(ErrorKind::Runtime, "a prompt was not answered"));
        let lengths: Vec<usize> = good.iter().map(|encoded| encoded.ids.len()).collect();
        let batches = match config.num_beams {
            1 => batches::by_length(&lengths, most, options.batch_size.is_some()),
            _ => (0..good.len()).collect::<Vec<_>>().chunks(most).map(<[usize]>::to_vec).collect(),
        };
        let mut generated: Vec<Option<Result<Vec<Generated>>>> = good.iter().map(|_| None).collect();
        for batch in batches {
            let ids: Vec<&[u32]> = batch.iter().filter_map(|&place| good.get(place)).map(|encoded| encoded.ids.as_slice()).collect();
            let run = |ids: &[&[u32]]| generate::generate_helped(|_| self.decoder(), &helpers, ids, &settings);
            let mut found = match run(&ids) {
                // What the model cannot run, such as a prompt beyond its positions, fails alone.
                Err(error) if error.kind() == ErrorKind::Runtime => ids.iter().map(|ids| run(&[ids])?.pop().unwrap_or_else(lost)).collect(),
                found => found?,
            };
            if config.num_beams > 1 {
                generate::fill(&mut found, &config);
            }
            for (place, found) in batch.into_iter().zip(found) {
                if let Some(answers) = generated.get_mut(place) {
                    *answers = Some(found);
                }
            }
        }
        let written = generated.iter().flatten().flatten().flatten().map(|found| found.tokens.len()).sum();
        usage::tell(lengths.iter().sum(), written);
        let mut generated = generated.into_iter().flatten();
        let answer = |encoded: Result<Encoded>| {
            let encoded = encoded?;
            let found = generated.next().unwrap_or_else(lost).map_err(|error| fits::explained(error, &encoded.ids, &self.config))?;
            found.into_iter().map(|found| self.answer(&encoded, found, options)).collect()
        };
        Ok(encoded.into_iter().map(answer).collect())
    }

    /// The new text of one answer to a prompt, piece by piece as it comes; dropping it ends the work. The pieces joined are the text
    /// of the whole answer. Not with `num_beams`: beams are known only at the end.
    pub fn stream(&self, prompt: Prompt<'_>, options: &Options) -> Result<TextPieces<'_>> {
        Ok(TextPieces::new(self.pieces(prompt, options)?))
    }

    /// As [`TextGeneration::stream`], with the tokens: a piece for each step, also where there is no text to show yet.
    pub fn pieces(&self, prompt: Prompt<'_>, options: &Options) -> Result<Pieces<'_>> {
        let config = GenerationConfig::resolve(&self.defaults, &defaults(), &self.arguments(options)?)?;
        let config = GenerationConfig { num_return_sequences: 1, ..config };
        let encoded = self.encode(prompt, options, &config)?;
        let settings = self.settings(&config, options)?;
        let explained = |error| fits::explained(error, &encoded.ids, &self.config);
        let mut steps = Steps::new(self.decoder()?, &[&encoded.ids], &settings).map_err(explained)?;
        if config.is_guided() {
            steps = steps.guided(self.decoder()?, &settings)?;
        }
        if let Some(assistant) = self.assistants.named(options.assistant_model.as_deref(), &self.tokenizer)? {
            steps = steps.assisted(assistant.begin(&options.generation, None)?, &settings)?;
        }
        let mut text = TextStream::new(
            &self.tokenizer,
            self.skips_special_tokens(options),
            options.clean_up_tokenization_spaces,
            &config.stop_strings,
        );
        // The text of an empty prompt begins with the token that was made up for it.
        let before = encoded.ids.get(encoded.shown..).unwrap_or_default().iter().map(|&id| text.push(id)).collect::<Result<String>>()?;
        Ok(Pieces::new(steps, text, before, encoded.ids.len()))
    }

    fn settings<'c>(&self, config: &'c GenerationConfig, options: &Options) -> Result<Settings<'c>> {
        let tokenizer = self.tokenizer.clone();
        let vocab_size = self.size("vocab_size").unwrap_or(0);
        let hold = |constraint: &Constraint| self.words.hold(constraint, config, &self.tokenizer, vocab_size);
        Ok(Settings {
            config,
            vocab_size,
            max_position_embeddings: self.positions(),
            token_bytes: Some(Arc::new(move |token| tokenizer.token_bytes(token))),
            own_processors: options.constraint.as_ref().map(hold).transpose()?,
            stop: options.stop.clone(),
        })
    }

    /// The model without rows.
    fn decoder(&self) -> Result<Box<dyn LanguageModel + Send + '_>> {
        generate::open(&self.model, self.config.value())
    }

    /// The arguments of `generate`. As in Python, a length in all counts without the prefix.
    fn arguments(&self, options: &Options) -> Result<Map<String, Value>> {
        let mut arguments = options.generation.clone();
        if !options.prefix.is_empty() {
            let prefix = self.tokenizer.encode(&options.prefix, None, &EncodeOptions::default().without_special_tokens())?.ids.len();
            for (length, new_tokens) in [("max_length", "max_new_tokens"), ("min_length", "min_new_tokens")] {
                let given = |name: &str| options.generation.get(name).or_else(|| self.defaults.get(name));
                if let (Some(length_given), None) = (given(length).and_then(integer), given(new_tokens)) {
                    arguments.insert(length.into(), json!(length_given.saturating_add(prefix as i64)));
                }
            }
        }
        Ok(arguments)
    }

    fn answer(&self, encoded: &Encoded, generated: Generated, options: &Options) -> Result<Answer> {
        generated.whole()?;
        let token_ids = [&encoded.ids, &*generated.tokens].concat();
        let new = token_ids.get(encoded.shown..).unwrap_or_default();
        let text = self.tokenizer.decode(new, self.skips_special_tokens(options), options.clean_up_tokenization_spaces)?;
        Ok(Answer { text, token_ids, generated })
    }

    /// The positions that the model has.
    fn positions(&self) -> Option<usize> {
        // GPT-2's name of it.
        self.size("max_position_embeddings").or_else(|| self.size("n_positions"))
    }

    fn size(&self, field: &str) -> Option<usize> {
        self.config.integer(field).and_then(|n| usize::try_from(n).ok())
    }

    fn encode(&self, prompt: Prompt<'_>, options: &Options, config: &GenerationConfig) -> Result<Encoded> {
        let mut ids = match prompt {
            Prompt::Text(text) => self.tokenizer.encode(&format!("{}{text}", options.prefix), None, &options.encode)?.ids,
            Prompt::Chat(messages) => {
                let goes_on = options.continue_final_message.unwrap_or_else(|| goes_on(messages));
                let continue_final_message = goes_on.then_some(Continue::Content);
                let chat = ChatOptions { add_generation_prompt: !goes_on, continue_final_message, ..options.chat.clone() };
                self.templates.encode(&self.tokenizer, messages, &chat, &options.encode)?.ids
            }
        };
        if options.hole {
            self.cut(&mut ids, config)?;
        }
        if !ids.is_empty() {
            fits::check_prompt(ids.len(), self.positions(), &self.config)?;
            return Ok(Encoded { shown: ids.len(), ids });
        }
        // Nothing to go on with: a text begins.
        let bos = config.bos_token_id.and_then(|id| u32::try_from(id).ok());
        let bos = bos.ok_or_else(|| Error::request("inputs", "an empty prompt, and the model has no bos_token_id to begin a text with"))?;
        Ok(Encoded { shown: 0, ids: vec![bos] })
    }

    /// Cuts a prompt on the left so that the answer has room within the tokenizer's `model_max_length`.
    fn cut(&self, ids: &mut Vec<u32>, config: &GenerationConfig) -> Result<()> {
        let Some(most) = self.tokenizer.model_max_length() else { return Ok(()) };
        let new = config.lengths(ids.len(), None)?.max_length - ids.len();
        if ids.len() + new > most {
            let keep = most.checked_sub(new).filter(|keep| *keep > 0);
            let message = || format!("{new} new tokens are more than the model takes in all ({most})");
            let keep = keep.ok_or_else(|| Error::request("handle_long_generation", message()))?;
            tracing::info!(
                "{} of {} tokens are read, those before were cut off to leave room for the answer",
                keep.min(ids.len()),
                ids.len()
            );
            ids.drain(..ids.len() - keep.min(ids.len()));
        }
        Ok(())
    }
}

/// A prompt's tokens.
struct Encoded {
    ids: Vec<u32>,
    /// Where the answer begins: an empty prompt is itself made up.
    shown: usize,
}

/// A chat that ends with the assistant's words goes on with them.
fn goes_on(messages: &[Value]) -> bool {
    messages.last().and_then(|message| message.get("role")).and_then(Value::as_str) == Some("assistant")
}

/// The pipeline's own defaults.
fn defaults() -> Map<String, Value> {
    json!({"max_new_tokens": 256, "do_sample": true, "temperature": 0.7}).as_object().cloned().unwrap_or_default()
}

impl Pipeline for TextGeneration {
    const TASK: Task = Task {
        id: "text-generation",
        aliases: &[],
        summary: "How a text or a chat goes on",
        default_model: "HuggingFaceTB/SmolLM3-3B",
        heads: &[Head::CausalLm],
        inputs: "a string, a chat (a list of objects {role, content}), or a list of either",
        fields: &[],
        parameters: &PARAMETERS,
        medium: Medium::Text,
        suits: super::labels::any,
        load: boxed::<Self>,
    };

    fn load(pretrained: &Pretrained) -> Result<Self> {
        let named = |e: Error| e.at(pretrained.checkpoint.name());
        let model = pretrained.model(Head::CausalLm)?;
        generate::open(&model, pretrained.config.value()).map_err(named)?;
        let generation = pretrained.checkpoint.json("generation_config.json")?;
        let tokenizer_config = pretrained.checkpoint.json("tokenizer_config.json")?;
        let tokenizer = Arc::new(pretrained.tokenizer()?);
        Ok(Self {
            assistants: Assistants::new(pretrained, Head::CausalLm, &tokenizer)?,
            tokenizer,
            templates: ChatTemplates::from_files(&pretrained.checkpoint).map_err(named)?,
            response: Response::of(tokenizer_config.as_ref()),
            config: pretrained.config.clone(),
            defaults: GenerationDefaults::new(generation.as_ref(), pretrained.config.value()).map_err(named)?,
            model,
            words: Words::default(),
        })
    }

    fn call(&self, inputs: &Value, parameters: Parameters) -> Result<Value> {
        match Self::inputs_of(inputs, &parameters) {
            Some(list) => all(self.call_many(&list, parameters)?).map(Value::Array),
            None => {
                // A single input that is no prompt is blamed on no place in a list.
                prompt(inputs)?;
                Ok(all(self.call_many(std::slice::from_ref(inputs), parameters)?)?.pop().unwrap_or_default())
            }
        }
    }

    fn call_many(&self, inputs: &[Value], parameters: Parameters) -> Result<Vec<Result<Value>>> {
        let prompts: Vec<Result<Prompt<'_>>> = inputs.iter().map(prompt).collect();
        let good: Vec<Prompt<'_>> = prompts.iter().flatten().copied().collect();
        let Call { form, options } = Call::new(&good, parameters)?;
        let mut answers = self.run_many(&good, &options)?.into_iter();
        let lost = || Err(Error::new(ErrorKind::Runtime, "a prompt was not answered"));
        let shown = prompts.into_iter().map(|prompt| {
            let prompt = prompt?;
            let answers = answers.next().unwrap_or_else(lost)?;
            answers.into_iter().map(|answer| form.of(self, answer, prompt, &options)).collect()
        });
        Ok(shown.collect())
    }

    /// A list of messages is a chat, which is a single input.
    fn inputs_of<'a>(inputs: &'a Value, _: &Parameters) -> Option<Cow<'a, [Value]>> {
        let list = inputs.as_array().filter(|list| !list.iter().all(Value::is_object))?;
        Some(Cow::Borrowed(list))
    }

    fn stream_call<'a>(&'a self, inputs: &'a Value, parameters: Parameters) -> Result<Option<TextIter<'a>>> {
        if Self::inputs_of(inputs, &parameters).is_some() {
            return Ok(None);
        }
        let prompt = prompt(inputs)?;
        let Call { form, options } = Call::new(&[prompt], parameters)?;
        let config = GenerationConfig::resolve(&self.defaults, &defaults(), &self.arguments(&options)?)?;
        let is_plain = config.num_beams == 1 && config.num_return_sequences == 1 && !config.return_dict_in_generate && !config.logprobs;
        let shown = match (form, prompt) {
            (Form::FullText, Prompt::Text(text)) => text,
            (Form::NewText, _) => "",
            _ => return Ok(None),
        };
        if !is_plain {
            return Ok(None);
        }
        let pieces = self.stream(prompt, &options)?;
        Ok(Some(Box::new(Some(Ok(shown.to_owned())).into_iter().chain(pieces))))
    }
}
