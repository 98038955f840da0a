//! `decision.json` and `decision_template.jinja`: how a checkpoint wants to be asked.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::question::{Kind, NOUL_OPTIONS};
use crate::{
    Error, ErrorKind, Result,
    error::in_words,
    preprocess::text::{Files, chat::reads},
};

const FILE: &str = "decision.json";
const TEMPLATE: &str = "decision_template.jinja";

/// How questions are put to a model, and how its answers are read.
#[derive(Debug, Clone, PartialEq)]
pub struct DecisionConfig {
    /// For a type of question the labels of its options, each a single token; `Yes` and `No` for `noul` where there are none, else `A`
    /// to `Z`.
    pub labels: BTreeMap<String, Vec<String>>,
    /// For a type of question what its logits are divided by; 1 where there is none.
    pub temperature: BTreeMap<String, f32>,
    /// A template that reads `state` and `question`, for a prompt for each question, or `questions`, for a prompt for all; the
    /// tokenizer's own chat template where there is none, with a question in words.
    pub chat_template: Option<String>,
    /// The order of the options of a `noul` question: `true` and `false`.
    pub noul_options: Vec<String>,
    /// Whether control tokens in a request are text. Without it only the marks of the template itself are taken out.
    pub sanitize_control_tokens: bool,
}

impl Default for DecisionConfig {
    fn default() -> Self {
        Self {
            labels: BTreeMap::new(),
            temperature: BTreeMap::new(),
            chat_template: None,
            noul_options: NOUL_OPTIONS.map(String::from).to_vec(),
            sanitize_control_tokens: true,
        }
    }
}

impl DecisionConfig {
    /// That of a checkpoint.
    pub(super) fn from_files(files: &dyn Files) -> Result<Self> {
        let mut config = match files.read(FILE)? {
            None => Self::default(),
            Some(bytes) => {
                let value = serde_json::from_slice(&bytes).map_err(|error| Error::config(format!("{FILE}: {error}")).caused_by(error))?;
                Self::from_value(&value, FILE)?
            }
        };
        if let Some(bytes) = files.read(TEMPLATE)? {
            let template = String::from_utf8(bytes).map_err(|error| Error::config(format!("{TEMPLATE}: not UTF-8")).caused_by(error))?;
            // A template that is no Jinja is found now, not at the first question.
            reads(&template, "questions").map_err(|error| error.at(TEMPLATE))?;
            config.chat_template = Some(template);
        }
        Ok(config)
    }

    /// From the fields of `decision.json`; `place` is what errors call it. As in the reference, fields that nobody knows are left alone.
    pub fn from_value(value: &Value, place: &str) -> Result<Self> {
        if !value.is_object() {
            return Err(Error::config(format!("{place}: expected an object")));
        }
        let default = Self::default();
        let config = Self {
            labels: field(value, place, "labels")?.unwrap_or_default(),
            temperature: field(value, place, "temperature")?.unwrap_or_default(),
            chat_template: field::<Option<String>>(value, place, "chat_template")?.flatten(),
            noul_options: field(value, place, "noul_options")?.unwrap_or(default.noul_options),
            sanitize_control_tokens: field(value, place, "sanitize_control_tokens")?.unwrap_or(default.sanitize_control_tokens),
        };
        if field::<Option<String>>(value, place, "adapter")?.flatten().is_some_and(|adapter| !adapter.is_empty()) {
            return Err(Error::unsupported(format!("{place}: adapter: merge the adapter into the model's weights")));
        }
        config.check(place)?;
        Ok(config)
    }

    fn check(&self, place: &str) -> Result<()> {
        let mut options: Vec<&str> = self.noul_options.iter().map(String::as_str).collect();
        options.sort_unstable_by(|a, b| b.cmp(a));
        if options != NOUL_OPTIONS {
            let options = &self.noul_options;
            return Err(Error::config(format!("{place}: noul_options: expected \"true\" and \"false\" in some order, not {options:?}")));
        }
        match self.temperature.iter().find(|(_, temperature)| !temperature.is_finite() || **temperature <= 0.0) {
            Some((kind, temperature)) => {
                Err(Error::config(format!("{place}: temperature.{kind}: {temperature} is not a number above zero")))
            }
            None => Ok(()),
        }
    }

    /// The labels that a type of question has, in their order.
    pub(super) fn labels(&self, kind: Kind) -> Vec<String> {
        match self.labels.get(kind.name()) {
            Some(labels) if !labels.is_empty() => labels.clone(),
            _ if kind == Kind::Noul => ["Yes", "No"].map(String::from).to_vec(),
            _ => ('A'..='Z').map(String::from).collect(),
        }
    }

    /// What the logits of a type of question are divided by.
    pub(super) fn temperature(&self, kind: Kind) -> f32 {
        self.temperature.get(kind.name()).copied().unwrap_or(1.0)
    }

    /// Whether one prompt asks all questions of a request.
    pub(super) fn asks_all_at_once(&self) -> Result<bool> {
        self.chat_template.as_deref().map_or(Ok(false), |template| reads(template, "questions"))
    }
}

/// A field, if it is there.
fn field<T: DeserializeOwned>(value: &Value, place: &str, name: &str) -> Result<Option<T>> {
    let Some(field) = value.get(name) else { return Ok(None) };
    let read = serde_json::from_value(field.clone());
    read.map(Some).map_err(|error| Error::new(ErrorKind::Config, format!("{place}: {name}: {}", in_words(&error))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_wrong_is_named() {
        for (value, part) in [
            (json!([]), "decision.json: expected an object"),
            (json!({"labels": {"noul": "Yes"}}), "decision.json: labels"),
            (json!({"labels": null}), "decision.json: labels"),
            (json!({"temperature": {"score": 0}}), "temperature.score"),
            (json!({"noul_options": ["yes", "no"]}), "noul_options"),
            (json!({"noul_options": ["true", "true"]}), "noul_options"),
            (json!({"sanitize_control_tokens": "yes"}), "sanitize_control_tokens"),
            (json!({"adapter": "adapter"}), "adapter"),
        ] {
            let error = DecisionConfig::from_value(&value, FILE).unwrap_err();
            assert!(error.to_string().contains(part), "{value}: {error}");
        }
        let unknown = json!({"sort_choices": true, "chat_template": null, "adapter": null});
        assert_eq!(DecisionConfig::from_value(&unknown, FILE).unwrap(), DecisionConfig::default());
    }
}
