//! A call of the task: what it asks for, and the form of its answers.

use serde_json::{Map, Value, json};

use super::{Answer, Options, Prompt, TextGeneration, goes_on};
use crate::{
    Error, Result,
    config::GenerationConfig,
    generate::Generated,
    pipelines::{
        Parameters,
        arguments::kind,
        constraint::{self, constraint},
        parameters::joined,
        tokenize::{TOKENIZER_PARAMETERS, encode_options},
    },
    preprocess::text::chat::ChatOptions,
};

/// The parameters of the task that are not those of `generate`.
const OWN_PARAMETERS: &[&str] = &[
    "assistant_model",
    "return_full_text",
    "return_tensors",
    "return_text",
    "clean_up_tokenization_spaces",
    "skip_special_tokens",
    "prefix",
    "batch_size",
    "stop_sequence",
    "tokenizer_encode_kwargs",
    "handle_long_generation",
    "continue_final_message",
    "tools",
    "documents",
    constraint::PARAMETERS[0],
    constraint::PARAMETERS[1],
    constraint::PARAMETERS[2],
    constraint::PARAMETERS[3],
    "truncation",
    "padding",
    "add_special_tokens",
];

/// The parameters of the task.
pub(super) const PARAMETERS: [&str; OWN_PARAMETERS.len() + GenerationConfig::PARAMETERS.len()] =
    joined(OWN_PARAMETERS, GenerationConfig::PARAMETERS);

/// A call, read.
pub(super) struct Call {
    pub(super) options: Options,
    pub(super) form: Form,
}

impl Call {
    pub(super) fn new(prompts: &[Prompt<'_>], mut parameters: Parameters) -> Result<Self> {
        let form = form(&mut parameters)?;
        let options = options(&mut parameters, prompts.iter().all(|prompt| matches!(prompt, Prompt::Chat(_))))?;
        parameters.finish(&PARAMETERS)?;
        Ok(Self { options, form })
    }
}

/// What `apply_chat_template` has from the pipeline itself, or what makes no prompt of it.
const NO_VARIABLES: [&str; 11] = [
    "tools",
    "documents",
    "add_generation_prompt",
    "continue_final_message",
    "tokenize",
    "sanitize_control_tokens",
    "return_tensors",
    "return_dict",
    "return_assistant_tokens_mask",
    "tokenizer_kwargs",
    "messages",
];

/// What a call says, but for the form of the answer. As in Python, what the tokenizer does not know are variables of the template for chats.
fn options(parameters: &mut Parameters, only_chats: bool) -> Result<Options> {
    let hole = match parameters.take::<String>("handle_long_generation")?.as_deref() {
        None => false,
        Some("hole") => true,
        Some(other) => return Err(Error::request("parameters.handle_long_generation", format!("{other:?} is not \"hole\""))),
    };
    let max_length = parameters.take_nullable::<Value>("max_length")?;
    let mut tokenize = Parameters::default();
    for name in ["truncation", "padding", "add_special_tokens"] {
        if let Some(value) = parameters.take::<Value>(name)? {
            tokenize = tokenize.with(name, value);
        }
    }
    if let Some(Some(length)) = &max_length {
        tokenize = tokenize.with("max_length", length.clone());
    }
    let mut own = parameters.take::<Map<String, Value>>("tokenizer_encode_kwargs")?.unwrap_or_default();
    let sanitize = if only_chats { own.shift_remove("sanitize_control_tokens") } else { None };
    let sanitize_control_tokens = match sanitize {
        None | Some(Value::Null) => false,
        Some(Value::Bool(sanitize)) => sanitize,
        Some(_) => return Err(Error::request("parameters.tokenizer_encode_kwargs.sanitize_control_tokens", "not a boolean")),
    };
    let is_variable = |name: &str| only_chats && !TOKENIZER_PARAMETERS.contains(&name) && !NO_VARIABLES.contains(&name);
    let (mut kwargs, own): (Map<String, Value>, Map<String, Value>) = own.into_iter().partition(|(name, _)| is_variable(name));
    let chat_template = match kwargs.shift_remove("chat_template") {
        None | Some(Value::Null) => None,
        Some(Value::String(template)) => Some(template),
        Some(_) => return Err(Error::request("parameters.tokenizer_encode_kwargs.chat_template", "not a string")),
    };
    tokenize = own.into_iter().fold(tokenize, |tokenize, (name, value)| tokenize.with(&name, value));
    let encode = encode_options(&mut tokenize)?;
    tokenize.finish(TOKENIZER_PARAMETERS)?;
    let mut options = Options {
        batch_size: parameters.take("batch_size")?,
        prefix: parameters.take("prefix")?.unwrap_or_default(),
        encode,
        hole,
        skip_special_tokens: parameters.take("skip_special_tokens")?.unwrap_or(true),
        clean_up_tokenization_spaces: parameters.take("clean_up_tokenization_spaces")?,
        continue_final_message: parameters.take("continue_final_message")?,
        chat: ChatOptions {
            chat_template,
            kwargs,
            tools: parameters.take("tools")?,
            documents: parameters.take("documents")?,
            sanitize_control_tokens,
            ..ChatOptions::default()
        },
        constraint: constraint(parameters)?,
        assistant_model: parameters.take("assistant_model")?,
        generation: parameters.take_rest(GenerationConfig::knows),
        stop: None,
    };
    match parameters.take::<Value>("stop_sequence")? {
        Some(Value::String(one)) => options.generation.insert("stop_strings".into(), json!([one])),
        Some(several) => options.generation.insert("stop_strings".into(), several),
        None => None,
    };
    if let Some(length) = max_length {
        options.generation.insert("max_length".into(), length.unwrap_or_default());
    }
    Ok(options)
}

/// What an answer looks like.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Form {
    FullText,
    NewText,
    Tensors,
}

/// The form that a call asks for.
fn form(parameters: &mut Parameters) -> Result<Form> {
    let full_text = parameters.take::<bool>("return_full_text")?;
    let tensors = parameters.take::<bool>("return_tensors")?;
    let text = parameters.take::<bool>("return_text")?;
    let both = |a: &str, b: &str| Err(Error::request(&format!("parameters.{a}"), format!("not together with {b}")));
    match (full_text, tensors, text) {
        (Some(_), _, Some(_)) => both("return_text", "return_full_text"),
        (Some(_), Some(_), _) => both("return_full_text", "return_tensors"),
        (_, Some(_), Some(_)) => both("return_text", "return_tensors"),
        (Some(false), ..) => Ok(Form::NewText),
        // As in Python, whatever its value is.
        (_, Some(_), _) => Ok(Form::Tensors),
        _ => Ok(Form::FullText),
    }
}

impl Form {
    pub(super) fn of(self, pipeline: &TextGeneration, answer: Answer, prompt: Prompt<'_>, options: &Options) -> Result<Value> {
        let numbers = numbers(&answer.generated, options);
        let mut record = self.record(pipeline, answer, prompt, options)?;
        if let (Some(fields), Self::FullText | Self::NewText) = (record.as_object_mut(), self) {
            fields.extend(numbers);
        }
        Ok(record)
    }

    fn record(self, pipeline: &TextGeneration, answer: Answer, prompt: Prompt<'_>, options: &Options) -> Result<Value> {
        Ok(match (self, prompt) {
            (Self::Tensors, _) => json!({"generated_token_ids": answer.token_ids}),
            (Self::NewText, _) => json!({"generated_text": answer.text}),
            (Self::FullText, Prompt::Text(text)) => json!({"generated_text": format!("{text}{}", answer.text)}),
            (Self::FullText, Prompt::Chat(messages)) => {
                let mut messages = messages.to_vec();
                let continues = options.continue_final_message.unwrap_or_else(|| goes_on(&messages));
                match messages.pop() {
                    Some(last) if continues => {
                        let before = last.get("content").and_then(Value::as_str).unwrap_or_default();
                        messages.push(json!({"role": last.get("role"), "content": format!("{before}{}", answer.text)}));
                    }
                    last => {
                        messages.extend(last);
                        messages.push(Value::Object(pipeline.message(&answer, options)?));
                    }
                }
                json!({"generated_text": messages})
            }
        })
    }
}

/// What an answer tells of the numbers behind it, by the names and in the shapes of the reference, which does so with
/// `return_dict_in_generate`; and with `logprobs` the new tokens and the logarithms of their probabilities.
fn numbers(generated: &Generated, options: &Options) -> Map<String, Value> {
    let asked = |name: &str| options.generation.get(name) == Some(&Value::Bool(true));
    let mut fields = Map::new();
    if asked("return_dict_in_generate") {
        if let Some(score) = generated.score.filter(|_| asked("output_scores")) {
            fields.insert("sequences_scores".into(), json!(score));
        }
        for (name, numbers) in [("scores", &generated.scores), ("logits", &generated.logits)] {
            if !numbers.is_empty() {
                fields.insert(name.into(), json!(numbers));
            }
        }
        if generated.score.is_some() {
            let indices = generated.beam_indices.iter().map(|beam| json!(beam));
            let filled = indices.chain(std::iter::repeat(json!(-1))).take(generated.tokens.len());
            fields.insert("beam_indices".into(), filled.collect());
        }
    }
    if asked("logprobs") {
        fields.insert("token_ids".into(), json!(generated.tokens));
        fields.insert("logprobs".into(), json!(generated.log_probs));
    }
    fields
}

/// The prompt that an input is.
pub(super) fn prompt(input: &Value) -> Result<Prompt<'_>> {
    match input {
        Value::String(text) => Ok(Prompt::Text(text)),
        Value::Array(messages) if messages.is_empty() => Err(Error::request("inputs", "an empty list")),
        Value::Array(messages) if messages.iter().all(Value::is_object) => Ok(Prompt::Chat(messages)),
        Value::Object(fields) if fields.get("messages").is_some_and(Value::is_array) => {
            Err(Error::request("inputs", "a chat is the list of its messages: give the list itself, without {\"messages\": …}"))
        }
        Value::Object(fields) if fields.contains_key("role") => {
            Err(Error::request("inputs", "a chat is a list of messages: put the message in [ ]"))
        }
        other => Err(Error::request("inputs", format!("expected a string, a chat or a list of them, not {}", kind(other)))),
    }
}
