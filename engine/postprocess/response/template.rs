//! A template as the checkpoint declares it.

use serde_json::{Map, Value};

use super::content;
use super::pattern::Delimiter;
use crate::{Error, Result};

/// How the texts of a model are taken apart.
#[derive(Debug)]
pub struct ResponseTemplate {
    /// What every message has.
    pub(super) defaults: Map<String, Value>,
    pub(super) fields: Vec<Field>,
    /// Where the message begins in the prompt.
    start_anchor: Delimiter,
}

/// A field of the message, and the region of the text that it comes from.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: String,
    /// `None` for the field of the text outside of all regions.
    pub(super) open: Option<Delimiter>,
    pub(super) close: Option<Delimiter>,
    pub(super) content: String,
    pub(super) content_args: Value,
    pub(super) repeats: bool,
    pub(super) join: Option<String>,
    pub(super) optional: bool,
    pub(super) transform: Option<Value>,
    pub(super) transform_each: bool,
}

/// What a delimiter does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Open,
    Close,
}

const KEYS: [&str; 5] = ["version", "defaults", "fields", "start_anchor", "start_anchor_pattern"];
const FIELD_KEYS: [&str; 11] = [
    "open",
    "open_pattern",
    "close",
    "close_pattern",
    "content",
    "content_args",
    "repeats",
    "join",
    "optional",
    "transform",
    "transform_each",
];

impl ResponseTemplate {
    /// Reads the value of `response_template`.
    ///
    /// # Errors
    /// What the reference refuses: unknown keys, delimiters and ways to read that do not exist, several fields without a beginning.
    pub fn from_value(template: &Value) -> Result<Self> {
        let scope = "tokenizer_config.json: response_template";
        let wrong = |message: String| Error::config(format!("{scope}{message}"));
        let object = template.as_object().ok_or_else(|| wrong(": not an object".into()))?;
        if let Some(version) = object.get("version").filter(|version| version.as_f64() != Some(1.0)) {
            return Err(Error::unsupported(format!("{scope}.version: {version}; this reads version 1")));
        }
        no_others(scope, object, &KEYS)?;
        let defaults = match object.get("defaults") {
            None => Map::new(),
            Some(defaults) => defaults.as_object().cloned().ok_or_else(|| wrong(".defaults: not an object".into()))?,
        };
        let fields = object.get("fields").and_then(Value::as_object).filter(|fields| !fields.is_empty());
        let fields = fields.ok_or_else(|| wrong(".fields: not an object with fields".into()))?;
        let read = |(name, field): (&String, &Value)| Field::read(&format!("{scope}.fields.{name}"), name, field);
        let fields = fields.iter().map(read).collect::<Result<Vec<_>>>()?;
        let outside: Vec<&str> = fields.iter().filter(|field| field.open.is_none()).map(|field| field.name.as_str()).collect();
        if outside.len() > 1 {
            return Err(wrong(format!(".fields: only one may lack open, not {}", outside.join(", "))));
        }
        let start_anchor = Delimiter::read(scope, object, "start_anchor", "start_anchor_pattern")?;
        let start_anchor = start_anchor.ok_or_else(|| wrong(": lacks start_anchor".into()))?;
        Ok(Self { defaults, fields, start_anchor })
    }

    /// The field of the text outside of all regions.
    pub(super) fn outside(&self) -> Option<&Field> {
        self.fields.iter().find(|field| field.open.is_none())
    }

    /// The delimiters that count in the region of a field, or outside of all.
    pub(super) fn watched<'t>(&'t self, current: Option<&'t Field>) -> Vec<(Kind, &'t Field, &'t Delimiter)> {
        match current.filter(|field| field.open.is_some()) {
            Some(field) => field.close.iter().map(|close| (Kind::Close, field, close)).collect(),
            None => {
                let opens = self.fields.iter().filter_map(|field| Some((Kind::Open, field, field.open.as_ref()?)));
                let close = current.and_then(|field| Some((Kind::Close, field, field.close.as_ref()?)));
                opens.chain(close).collect()
            }
        }
    }

    /// What of the message stands in the prompt: all behind the last start of one.
    pub(super) fn message_so_far<'p>(&self, prompt: &'p str) -> Result<&'p str> {
        let (mut begin, mut from) = (0, 0);
        while let Some(place) = self.start_anchor.find(prompt, from)? {
            begin = place.end;
            // Past an empty one lies the next character.
            let next = prompt.get(place.end..).and_then(|rest| rest.chars().next());
            from = if place.end > place.start { place.end } else { place.end + next.map_or(1, char::len_utf8) };
            if from > prompt.len() {
                break;
            }
        }
        Ok(prompt.get(begin..).unwrap_or_default())
    }
}

impl Field {
    /// Whether white space around a text is left out.
    pub(super) fn strips(&self) -> bool {
        self.content_args.get("strip").is_none_or(content::is_true)
    }

    fn read(scope: &str, name: &str, field: &Value) -> Result<Self> {
        let wrong = |message: &str| Error::config(format!("{scope}{message}"));
        let object = field.as_object().ok_or_else(|| wrong(": not an object"))?;
        no_others(scope, object, &FIELD_KEYS)?;
        let content = object.get("content").map_or(Some("text"), Value::as_str).filter(|name| content::PARSERS.contains(name));
        let content = content.ok_or_else(|| wrong(&format!(".content: none of {}", content::PARSERS.join(", "))))?;
        let join = match object.get("join") {
            None | Some(Value::Null) => None,
            Some(join) => Some(join.as_str().ok_or_else(|| wrong(".join: not a string"))?.to_owned()),
        };
        let repeats = object.get("repeats").is_some_and(content::is_true);
        if join.is_some() && !repeats {
            return Err(wrong(".join: needs repeats"));
        }
        let transform = object.get("transform").filter(|transform| !transform.is_null()).cloned();
        let transform_each = match object.get("transform_each") {
            None => false,
            Some(each) => each.as_bool().ok_or_else(|| wrong(".transform_each: not a boolean"))?,
        };
        let open = Delimiter::read(scope, object, "open", "open_pattern")?;
        let close = Delimiter::read(scope, object, "close", "close_pattern")?;
        match &transform {
            Some(transform) => content::check_transform(scope, transform)?,
            None if transform_each => return Err(wrong(".transform_each: needs a transform")),
            None => {
                let names: Vec<&str> = open.iter().chain(&close).flat_map(Delimiter::names).collect();
                if !names.is_empty() {
                    return Err(wrong(&format!(": a transform must say where the groups {} go", names.join(", "))));
                }
            }
        }
        Ok(Self {
            name: name.to_owned(),
            open,
            close,
            content: content.to_owned(),
            content_args: object.get("content_args").cloned().unwrap_or_else(|| Value::Object(Map::new())),
            repeats,
            join,
            optional: object.get("optional").is_none_or(content::is_true),
            transform,
            transform_each,
        })
    }
}

fn no_others(scope: &str, object: &Map<String, Value>, known: &[&str]) -> Result<()> {
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(Error::config(format!("{scope}.{key}: no such key; there are {}", known.join(", ")))),
        None => Ok(()),
    }
}
