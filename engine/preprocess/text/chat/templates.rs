//! Which template a checkpoint brings: `chat_template.jinja`, `additional_chat_templates/`, `tokenizer_config.json`, or what older
//! processors have, `chat_template.json`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::control::{self, ControlTokens};
use super::render::{ChatOptions, render};
use crate::preprocess::text::{EncodeOptions, Encoding, Files, SpecialTokens, Tokenizer};
use crate::{Error, ErrorKind, Result};

const FILE: &str = "chat_template.jinja";
const FOLDER: &str = "additional_chat_templates";
const CONFIG: &str = "tokenizer_config.json";
const PROCESSOR: &str = "processor_config.json";
/// Python's processors read it; the tokenizers of such checkpoints have no template of their own.
const LEGACY: &str = "chat_template.json";

/// The chat templates of a checkpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChatTemplates {
    templates: Templates,
    /// The JSON file that they stand in; `None` where each has a file of its own.
    file: Option<&'static str>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Templates {
    #[default]
    None,
    One(String),
    Named(BTreeMap<String, String>),
}

impl ChatTemplates {
    /// Reads the templates of a checkpoint; files of their own come before `tokenizer_config.json`.
    pub fn from_files(files: &dyn Files) -> Result<Self> {
        let mut named = BTreeMap::new();
        if let Some(template) = read(files, FILE)? {
            named.insert("default".to_owned(), template);
        }
        for path in files.list(FOLDER)? {
            let name = path.rsplit('/').next().and_then(|file| file.strip_suffix(".jinja"));
            if let Some(name) = name
                && let Some(template) = read(files, &path)?
            {
                named.insert(name.to_owned(), template);
            }
        }
        if named.is_empty() {
            return Self::from_config(files);
        }
        let templates = match named.remove("default") {
            Some(template) if named.is_empty() => Templates::One(template),
            Some(template) => Templates::Named(named.into_iter().chain([("default".to_owned(), template)]).collect()),
            None => Templates::Named(named),
        };
        Ok(Self { templates, file: None })
    }

    /// Reads the templates of a processor: that of `processor_config.json` goes before `chat_template.json`, and that before files of their
    /// own. Where it has none, those of the tokenizer serve.
    pub fn of_processor(files: &dyn Files) -> Result<Self> {
        for file in [PROCESSOR, LEGACY] {
            let templates = Self::in_json(files, file)?;
            if !templates.is_empty() {
                return Ok(templates);
            }
        }
        Self::from_files(files)
    }

    fn from_config(files: &dyn Files) -> Result<Self> {
        for file in [CONFIG, LEGACY] {
            let templates = Self::in_json(files, file)?;
            if !templates.is_empty() {
                return Ok(templates);
            }
        }
        Ok(Self::default())
    }

    /// `chat_template` in a JSON file.
    fn in_json(files: &dyn Files, file: &'static str) -> Result<Self> {
        let Some(bytes) = files.read(file)? else { return Ok(Self::default()) };
        let mut config: Map<String, Value> =
            serde_json::from_slice(&bytes).map_err(|error| Error::config(format!("{file}: {error}")).caused_by(error))?;
        let templates = Self::from_value(config.remove("chat_template").unwrap_or_default()).map_err(|error| error.at(file))?;
        Ok(if templates.is_empty() { Self::default() } else { Self { file: Some(file), ..templates } })
    }

    /// The value of `chat_template` in `tokenizer_config.json`: one template, or a list of `{"name", "template"}`.
    pub fn from_value(value: Value) -> Result<Self> {
        let wrong = || Error::config("chat_template must be a string or a list of {\"name\", \"template\"}");
        let templates = match value {
            Value::Null => Templates::None,
            Value::String(template) => Templates::One(template),
            Value::Array(list) => {
                let pair = |entry: &Value| Some((entry.get("name")?.as_str()?.to_owned(), entry.get("template")?.as_str()?.to_owned()));
                Templates::Named(list.iter().map(|entry| pair(entry).ok_or_else(wrong)).collect::<Result<_>>()?)
            }
            _ => return Err(wrong()),
        };
        Ok(Self { templates, file: Some(CONFIG) })
    }

    /// Whether the checkpoint brings any.
    pub fn is_empty(&self) -> bool {
        self.templates == Templates::None
    }

    /// The names of the templates, where there are several.
    pub fn names(&self) -> Vec<&str> {
        match &self.templates {
            Templates::Named(named) => named.keys().map(String::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// The template for a request: `argument` is a template's name or a template itself; without it, `tool_use` serves
    /// requests with tools and `default` the others.
    pub fn choose<'a>(&'a self, argument: Option<&'a str>, with_tools: bool) -> Result<&'a str> {
        match (&self.templates, argument) {
            (Templates::Named(named), Some(argument)) => Ok(named.get(argument).map_or(argument, String::as_str)),
            (_, Some(argument)) => Ok(argument),
            (Templates::One(template), None) => Ok(template),
            (Templates::Named(named), None) => {
                let for_tools = if with_tools { named.get("tool_use") } else { None };
                for_tools.or_else(|| named.get("default")).map(String::as_str).ok_or_else(|| {
                    let names = self.names().join(", ");
                    Error::request("chat_template", format!("the model has several templates and no default: name one of {names}"))
                })
            }
            (Templates::None, None) => Err(Error::new(
                ErrorKind::Request,
                "chat_template: this tokenizer has no chat template; give one, or give the prompt as a plain string",
            )),
        }
    }

    /// Renders a chat with the template that the request chooses; the tokenizer's named special tokens are variables of
    /// the template.
    ///
    /// # Errors
    /// As [`render`], and with `sanitize_control_tokens`, which is about tokens: [`ChatTemplates::encode`] gives those.
    pub fn apply(&self, special: &SpecialTokens, messages: &[Value], options: &ChatOptions) -> Result<String> {
        let template = self.choose(options.chat_template.as_deref(), options.tools.is_some())?;
        if options.sanitize_control_tokens {
            return Err(Error::request("sanitize_control_tokens", "only where the chat becomes tokens, not text"));
        }
        render(template, special, messages, options).map_err(|error| self.named(error, template))
    }

    /// The tokens of a chat, rendered as by [`ChatTemplates::apply`]. The template writes special tokens itself, so that none are added.
    ///
    /// # Errors
    /// As [`render`], and where a control token in the chat cannot be text.
    pub fn encode(&self, tokenizer: &Tokenizer, messages: &[Value], options: &ChatOptions, encode: &EncodeOptions) -> Result<Encoding> {
        let encode = encode.without_special_tokens();
        if !options.sanitize_control_tokens {
            return tokenizer.encode(&self.apply(tokenizer.special_tokens(), messages, options)?, None, &encode);
        }
        let template = self.choose(options.chat_template.as_deref(), options.tools.is_some())?;
        let control = ControlTokens::of(tokenizer, template).map_err(|error| self.named(error, template))?;
        let (messages, options) = control.mark_chat(messages, options);
        control::encode(tokenizer, &self.apply(tokenizer.special_tokens(), &messages, &options)?, &encode)
    }

    /// An error in a template of the checkpoint, with its place.
    fn named(&self, error: Error, template: &str) -> Error {
        match (error.kind(), self.name_of(template)) {
            (ErrorKind::Config, Some(name)) => error.at(name),
            _ => error,
        }
    }

    /// Where a template of the checkpoint stands.
    fn name_of(&self, template: &str) -> Option<String> {
        let name = match &self.templates {
            Templates::One(own) if own == template => "default",
            Templates::Named(named) => named.iter().find(|(_, own)| *own == template)?.0,
            _ => return None,
        };
        Some(match (self.file, name) {
            (Some(file), "default") => file.to_owned(),
            (Some(file), name) => format!("{file}: {name}"),
            (None, "default") => FILE.to_owned(),
            (None, name) => format!("{FOLDER}/{name}.jinja"),
        })
    }
}

fn read(files: &dyn Files, name: &str) -> Result<Option<String>> {
    let Some(bytes) = files.read(name)? else { return Ok(None) };
    String::from_utf8(bytes).map(Some).map_err(|error| Error::config(format!("{name}: not UTF-8")).caused_by(error))
}
