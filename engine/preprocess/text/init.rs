//! What the configuration files say about a tokenizer, merged as the reference merges it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::Files;
use super::vocabulary::{TokenizerJson, damaged};
use crate::{Error, Result};

/// The special tokens that have a name in every tokenizer, in the order of the reference.
pub(crate) const NAMED: [&str; 7] = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/// A token that is found in a text before anything else is done to it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Token {
    pub(crate) content: String,
    #[serde(default)]
    pub(crate) single_word: bool,
    #[serde(default)]
    pub(crate) lstrip: bool,
    #[serde(default)]
    pub(crate) rstrip: bool,
    /// Whether it is looked for in the normalized text; tokens that are not special are, unless this says otherwise.
    #[serde(default)]
    pub(crate) normalized: Option<bool>,
    #[serde(default)]
    pub(crate) special: bool,
}

impl Token {
    pub(crate) fn new(content: impl Into<String>) -> Self {
        Self { content: content.into(), single_word: false, lstrip: false, rstrip: false, normalized: None, special: false }
    }

    pub(crate) fn special(content: impl Into<String>) -> Self {
        Self { special: true, ..Self::new(content) }
    }

    /// A mask token takes the space before it along.
    pub(crate) fn lstrip(content: impl Into<String>) -> Self {
        Self { lstrip: true, ..Self::new(content) }
    }

    pub(crate) fn to_added(&self) -> tokenizers::AddedToken {
        tokenizers::AddedToken::from(self.content.as_str(), self.special)
            .single_word(self.single_word)
            .lstrip(self.lstrip)
            .rstrip(self.rstrip)
            .normalized(self.normalized.unwrap_or(!self.special))
    }
}

/// A special token as a file gives it: its text alone, or with how it is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Special {
    Text(String),
    Token(Token),
}

impl Special {
    pub(crate) fn content(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Token(token) => &token.content,
        }
    }

    /// A text alone is a special token.
    pub(crate) fn token(&self) -> Token {
        match self {
            Self::Text(text) => Token::special(text),
            Self::Token(token) => token.clone(),
        }
    }

    /// As `special_tokens_map.json` has it: all of its tokens are special.
    fn marked(self) -> Self {
        match self {
            Self::Token(token) => Self::Token(Token { special: true, ..token }),
            text => text,
        }
    }

    fn parse(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(Self::Text(text.clone())),
            Value::Object(_) => Token::deserialize(value).ok().map(Self::Token),
            _ => None,
        }
    }
}

/// The arguments with which the reference would make the tokenizer.
#[derive(Debug, Default)]
pub(crate) struct Init {
    /// Everything in `tokenizer_config.json` that is not a token.
    pub(crate) settings: Map<String, Value>,
    /// By name; `None` where a file says `null`, which is not the same as saying nothing.
    pub(crate) special: Vec<(String, Option<Special>)>,
    /// `extra_special_tokens`.
    pub(crate) extra: Option<Vec<Special>>,
    /// `additional_special_tokens`, where they were not renamed to the former; they count only without those.
    pub(crate) additional: Option<Vec<Special>>,
    /// Named tokens of this model alone, such as an image token.
    pub(crate) model_specific: Vec<(String, Special)>,
    named: Named,
    /// By id.
    pub(crate) added_tokens: BTreeMap<u32, Token>,
}

/// Named tokens of a model alone, in the order in which the reference sets them; of one name the last counts, in the place of the first.
#[derive(Debug, Default)]
struct Named {
    first: Vec<(String, Special)>,
    others: Vec<(String, Special)>,
    /// Of `extra_special_tokens`, and those that are plain texts.
    own: Vec<(String, Special)>,
}

impl Named {
    fn in_order(self) -> Vec<(String, Special)> {
        let mut all: Vec<(String, Special)> = Vec::new();
        for (name, special) in self.first.into_iter().chain(self.others).chain(self.own) {
            match all.iter_mut().find(|(named, _)| *named == name) {
                Some((_, existing)) => *existing = special,
                None => all.push((name, special)),
            }
        }
        all
    }
}

impl Init {
    /// Reads `tokenizer_config.json`, `special_tokens_map.json` and `added_tokens.json`; older checkpoints have any of
    /// them or none.
    pub(crate) fn read(files: &dyn Files, config: Map<String, Value>, json: Option<&TokenizerJson>) -> Result<Self> {
        let mut init = Self::default();
        let decoder = config.get("added_tokens_decoder").cloned();
        init.take_config(config, json.is_some())?;
        match decoder {
            Some(decoder) => {
                let decoder = BTreeMap::<u32, Token>::deserialize(decoder)
                    .map_err(|error| damaged("tokenizer_config.json", format!("added_tokens_decoder: {error}")))?;
                init.added_tokens = decoder;
            }
            None => init.take_older_files(files, json)?,
        }
        // Where the newer list was given, the older one is dropped.
        if init.extra.is_some() {
            (init.additional, init.named.first) = (None, Vec::new());
        }
        init.model_specific = std::mem::take(&mut init.named).in_order();
        for (_, special) in &mut init.special {
            if let Some(found) =
                special.as_ref().and_then(|special| init.added_tokens.values().find(|token| token.content == special.content()))
            {
                *special = Some(Special::Token(found.clone()));
            }
        }
        Ok(init)
    }

    fn take_config(&mut self, config: Map<String, Value>, has_json: bool) -> Result<()> {
        let mut extra = None;
        let mut additional = None;
        for (key, value) in config {
            match key.as_str() {
                "added_tokens_decoder" | "tokenizer_class" | "auto_map" | "chat_template" => {}
                // tokenizer.json knows better.
                "add_bos_token" | "add_eos_token" if has_json => {}
                "extra_special_tokens" => extra = Some(value),
                "additional_special_tokens" => additional = Some(value),
                _ if NAMED.contains(&key.as_str()) => self.special.push((key, Special::parse(&value))),
                _ if key.ends_with("_token") && value.is_string() => {
                    self.named.own.extend(Special::parse(&value).map(|special| (key, special)))
                }
                _ if key.ends_with("_token") && value.get("__type").is_some_and(|kind| kind == "AddedToken") => {
                    self.named.others.extend(Special::parse(&value).map(|special| (key, special)));
                }
                _ => {
                    self.settings.insert(key, value);
                }
            }
        }
        // As the reference renames it: where the newer list holds nothing, the older one is it.
        if !extra.as_ref().is_some_and(holds_something) && additional.is_some() {
            extra = additional.take();
        }
        match &extra {
            Some(Value::Object(map)) => self.named.own.extend(named(map)?),
            Some(Value::Array(list)) => self.extra = Some(specials(list, "extra_special_tokens")?),
            Some(Value::Null) => self.extra = Some(Vec::new()),
            Some(other) => return Err(no_tokens("extra_special_tokens", other)),
            None => {}
        }
        if self.extra.is_none() {
            self.take_additional(additional.as_ref())?;
        }
        Ok(())
    }

    /// `additional_special_tokens`, where they were not renamed; a later file's take the place of an earlier one's.
    fn take_additional(&mut self, additional: Option<&Value>) -> Result<()> {
        const NAME: &str = "additional_special_tokens";
        match additional {
            Some(Value::Object(map)) => (self.additional, self.named.first) = (None, named(map)?),
            Some(Value::Array(list)) => (self.additional, self.named.first) = (Some(specials(list, NAME)?), Vec::new()),
            Some(Value::Null) => (self.additional, self.named.first) = (None, Vec::new()),
            Some(other) => return Err(no_tokens(NAME, other)),
            None => {}
        }
        Ok(())
    }

    /// Before `added_tokens_decoder`, tokens were spread over more files.
    fn take_older_files(&mut self, files: &dyn Files, json: Option<&TokenizerJson>) -> Result<()> {
        if let Some(map) = read_json(files, "special_tokens_map.json")? {
            self.take_special_tokens_map(map)?;
        }
        if let Some(added) = read_json(files, "added_tokens.json")? {
            self.take_added_tokens(&added);
        }
        for added in json.iter().flat_map(|json| &json.added_tokens) {
            self.added_tokens.insert(added.id, added.token.clone());
        }
        Ok(())
    }

    fn take_special_tokens_map(&mut self, map: Map<String, Value>) -> Result<()> {
        for (key, value) in map {
            let special = Special::parse(&value).map(Special::marked);
            match key.as_str() {
                "additional_special_tokens" => self.take_additional(Some(&value))?,
                "extra_special_tokens" => match &value {
                    Value::Array(list) => {
                        let extra = self.extra.get_or_insert_default();
                        for special in specials(list, &key)?.into_iter().map(Special::marked) {
                            if !extra.contains(&special) {
                                extra.push(special);
                            }
                        }
                    }
                    Value::Object(map) => {
                        self.extra = None;
                        self.named.own.extend(named(map)?);
                    }
                    other => return Err(no_tokens(&key, other)),
                },
                _ if NAMED.contains(&key.as_str()) => self.set(&key, special),
                _ => self.named.others.extend(special.map(|special| (key, special))),
            }
        }
        Ok(())
    }

    fn take_added_tokens(&mut self, added: &Map<String, Value>) {
        for (content, id) in added {
            let Some(id) = id.as_u64().and_then(|id| u32::try_from(id).ok()) else { continue };
            let special = self.special.iter().filter_map(|(_, special)| special.as_ref()).chain(self.extra.iter().flatten());
            let is_special = special.into_iter().any(|special| special.content() == content);
            let token = Token { normalized: Some(!is_special), special: is_special, ..Token::new(content) };
            self.added_tokens.insert(id, token);
        }
    }

    /// Sets a special token.
    pub(crate) fn set(&mut self, name: &str, special: Option<Special>) {
        match self.special.iter_mut().find(|(named, _)| named == name) {
            Some((_, existing)) => *existing = special,
            None => self.special.push((name.to_owned(), special)),
        }
    }

    /// The special tokens without a name.
    pub(crate) fn extra(&self) -> &[Special] {
        self.extra.as_ref().or(self.additional.as_ref()).map_or(&[], Vec::as_slice)
    }

    /// Gives a special token where the files say nothing.
    pub(crate) fn set_default(&mut self, name: &str, special: Special) {
        if !self.special.iter().any(|(named, _)| named == name) {
            self.special.push((name.to_owned(), Some(special)));
        }
    }

    /// A special token by name.
    pub(crate) fn get(&self, name: &str) -> Option<&Special> {
        self.special.iter().find(|(named, _)| named == name).and_then(|(_, special)| special.as_ref())
    }

    /// The text of a special token; empty where there is none.
    pub(crate) fn content(&self, name: &str) -> &str {
        self.get(name).map_or("", Special::content)
    }

    /// The text of a special token that the files may not name; where they say `null`, what Python writes for it.
    pub(crate) fn content_or<'a>(&'a self, name: &str, default: &'a str) -> &'a str {
        let named = self.special.iter().find(|(named, _)| named == name);
        named.map_or(default, |(_, special)| special.as_ref().map_or("None", Special::content))
    }

    /// A yes-or-no setting.
    pub(crate) fn flag(&self, name: &str, default: bool) -> bool {
        self.optional_flag(name).unwrap_or(default)
    }

    /// A yes-or-no setting that may be open.
    pub(crate) fn optional_flag(&self, name: &str) -> Option<bool> {
        self.settings.get(name).and_then(Value::as_bool)
    }

    /// A setting that is a word.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.settings.get(name).and_then(Value::as_str)
    }
}

/// The tokens of a list.
fn specials(list: &[Value], name: &str) -> Result<Vec<Special>> {
    list.iter().map(|token| Special::parse(token).ok_or_else(|| no_tokens(name, token))).collect()
}

/// Tokens with names.
fn named(map: &Map<String, Value>) -> Result<Vec<(String, Special)>> {
    let special = |name: &String, value| Special::parse(value).map(|special| (name.clone(), special)).ok_or_else(|| no_tokens(name, value));
    map.iter().map(|(name, value)| special(name, value)).collect()
}

fn no_tokens(name: &str, value: &Value) -> Error {
    let shown: String = value.to_string().chars().take(80).collect();
    damaged("tokenizer_config.json", format!("{name}: {shown} is no token, and no list or object of tokens"))
}

/// Python's `bool` of a list or an object.
fn holds_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
        Value::String(text) => !text.is_empty(),
        other => crate::config::truth(other).unwrap_or(false),
    }
}

/// A file that holds one JSON object; `None` when it is not there.
pub(crate) fn read_json(files: &dyn Files, name: &str) -> Result<Option<Map<String, Value>>> {
    files.read(name)?.map(|bytes| serde_json::from_slice(&bytes).map_err(|error| damaged(name, error))).transpose()
}
