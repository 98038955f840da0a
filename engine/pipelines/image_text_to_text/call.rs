//! What a call says.

use serde_json::{Map, Value, json};

use super::{Form, Options};
use crate::{
    Error, Result,
    config::GenerationConfig,
    pipelines::{
        Parameters,
        parameters::{joined, without},
        tokenize::{TOKENIZER_PARAMETERS, encode_options},
    },
    preprocess::text::chat::ChatOptions,
};

/// The parameters of the task that are not those of `generate`.
const OWN_PARAMETERS: &[&str] = &[
    "generate_kwargs",
    "return_full_text",
    "return_tensors",
    "clean_up_tokenization_spaces",
    "skip_special_tokens",
    "stop_sequence",
    "continue_final_message",
    "timeout",
    "batch_size",
    "tools",
    "documents",
    "chat_template",
    "processor_kwargs",
    TOKENIZER_PARAMETERS[0],
    TOKENIZER_PARAMETERS[1],
    TOKENIZER_PARAMETERS[2],
    TOKENIZER_PARAMETERS[3],
    TOKENIZER_PARAMETERS[4],
    TOKENIZER_PARAMETERS[5],
];

/// Parameters of `generate` that this task does not have: answers tell no numbers, and no other model guesses.
const NOT_HERE: &[&str] = &[
    "logprobs",
    "output_logits",
    "output_scores",
    "return_dict_in_generate",
    "assistant_confidence_threshold",
    "assistant_ensemble_weight",
    "assistant_lookbehind",
    "target_lookbehind",
];

/// Those, and what is the tokenizer's beside `generate_kwargs`: as in Python it is the text that has this length.
const NOT_BESIDE: [&str; NOT_HERE.len() + 1] = joined(NOT_HERE, &["max_length"]);

const OF_GENERATE: [&str; GenerationConfig::PARAMETERS.len() - NOT_BESIDE.len()] = without(GenerationConfig::PARAMETERS, &NOT_BESIDE);

/// The parameters of the task.
pub(super) const PARAMETERS: [&str; OWN_PARAMETERS.len() + OF_GENERATE.len()] = joined(OWN_PARAMETERS, &OF_GENERATE);

/// A call, read.
pub(super) struct Call {
    pub(super) options: Options,
    pub(super) form: Form,
}

impl Call {
    /// Of prompts that are chats with this template, or of others. As in Python, what the template names are variables of it.
    pub(super) fn new(template: &str, mut parameters: Parameters) -> Result<Self> {
        let form = form(&mut parameters)?;
        let mut tokenize = parameters.take_object("processor_kwargs")?;
        for name in TOKENIZER_PARAMETERS {
            if let Some(value) = parameters.take::<Value>(name)? {
                tokenize = tokenize.with(name, value);
            }
        }
        let encode = encode_options(&mut tokenize)?;
        tokenize.finish(TOKENIZER_PARAMETERS)?;
        let mut options = Options {
            encode,
            batch_size: parameters.take("batch_size")?,
            skip_special_tokens: parameters.take("skip_special_tokens")?.unwrap_or(true),
            clean_up_tokenization_spaces: parameters.take("clean_up_tokenization_spaces")?,
            continue_final_message: parameters.take("continue_final_message")?,
            timeout: parameters.take_seconds("timeout")?,
            chat: ChatOptions {
                chat_template: parameters.take("chat_template")?,
                tools: parameters.take("tools")?,
                documents: parameters.take("documents")?,
                ..ChatOptions::default()
            },
            stop: None,
            generation: generation(&mut parameters)?,
        };
        options.chat.kwargs = parameters.take_rest(|name| names(template, name));
        parameters.finish(&PARAMETERS)?;
        Ok(Self { options, form })
    }
}

/// The parameters of `generate`. Those of `generate_kwargs` go before those beside it, which Python takes where the pipeline is made.
fn generation(parameters: &mut Parameters) -> Result<Map<String, Value>> {
    let mut own = parameters.take::<Map<String, Value>>("generate_kwargs")?.unwrap_or_default();
    match parameters.take::<Value>("stop_sequence")? {
        Some(Value::String(one)) => own.insert("stop_strings".into(), json!([one])),
        Some(several) => own.insert("stop_strings".into(), several),
        None => None,
    };
    if let Some(name) = own.keys().find(|name| NOT_HERE.contains(&name.as_str())) {
        return Err(Error::request(&format!("parameters.generate_kwargs.{name}"), "this task has no such parameter"));
    }
    let mut generation = parameters.take_rest(|name| GenerationConfig::knows(name) && !NOT_BESIDE.contains(&name));
    if own.contains_key("max_new_tokens") && generation.get("max_new_tokens").is_some_and(|value| !value.is_null()) {
        return Err(Error::request("parameters.max_new_tokens", "is given twice: beside generate_kwargs and in it"));
    }
    generation.extend(own);
    Ok(generation)
}

/// The form that a call asks for.
fn form(parameters: &mut Parameters) -> Result<Form> {
    let full_text = parameters.take::<bool>("return_full_text")?;
    let tensors = parameters.take::<bool>("return_tensors")?;
    match (full_text, tensors) {
        (Some(_), Some(_)) => Err(Error::request("parameters.return_full_text", "not together with return_tensors")),
        (Some(false), None) => Ok(Form::NewText),
        // As in Python, whatever its value is.
        (None, Some(_)) => Ok(Form::Tensors),
        _ => Ok(Form::FullText),
    }
}

/// Whether a template has this name as a word.
fn names(template: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let is_word = |(at, _): (usize, &str)| {
        let before = template.get(..at).and_then(|before| before.chars().next_back());
        let behind = template.get(at + name.len()..).and_then(|behind| behind.chars().next());
        !before.is_some_and(|c| is_part(c) || c == '.') && !behind.is_some_and(is_part)
    };
    !name.is_empty() && template.match_indices(name).any(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_a_template_are_words_in_it() {
        let template = "{% if enable_thinking %}{{ message.content }}{{ enable }}{% endif %}";
        for (name, is_one) in [("enable_thinking", true), ("enable", true), ("thinking", false), ("content", false), ("", false)] {
            assert_eq!(names(template, name), is_one, "{name}");
        }
    }

    #[test]
    fn lengths_are_given_once() {
        let parameters = |value: Value| Parameters::new(&value).unwrap();
        let twice = json!({"max_new_tokens": 4, "generate_kwargs": {"max_new_tokens": 4}});
        assert!(Call::new("", parameters(twice)).is_err());
        let call = Call::new("", parameters(json!({"max_new_tokens": 4, "num_beams": 3, "generate_kwargs": {"num_beams": 2}}))).unwrap();
        assert_eq!(Value::Object(call.options.generation), json!({"max_new_tokens": 4, "num_beams": 2}));
        assert!(Call::new("", parameters(json!({"enable_thinking": true}))).is_err());
        assert!(Call::new("{{ enable_thinking }}", parameters(json!({"enable_thinking": true}))).is_ok());
    }
}
