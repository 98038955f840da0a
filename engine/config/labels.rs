//! `id2label` and `label2id`: the names of classes.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Error, Result,
    session::{Dim, Port},
};

/// The name of a class as `config.json` gives it: nearly always a string, else a number, `null`, or whatever stands there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ClassName {
    /// A string.
    Text(String),
    /// Anything else, with its type.
    Other(Value),
}

impl ClassName {
    /// The name, where it is a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Other(_) => None,
        }
    }

    /// Whether Python takes both for the same: 1, 1.0 and true are.
    pub fn is(&self, other: &Self) -> bool {
        let number = |name: &Self| match name {
            Self::Other(Value::Bool(flag)) => Some(f64::from(u8::from(*flag))),
            Self::Other(value) => value.as_f64(),
            Self::Text(_) => None,
        };
        match (number(self), number(other)) {
            (Some(a), Some(b)) => a == b,
            _ => self == other,
        }
    }
}

impl fmt::Display for ClassName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.pad(text),
            Self::Other(value) => f.pad(&value.to_string()),
        }
    }
}

impl From<&str> for ClassName {
    fn from(name: &str) -> Self {
        Self::Text(name.into())
    }
}

impl From<String> for ClassName {
    fn from(name: String) -> Self {
        Self::Text(name)
    }
}

impl PartialEq<str> for ClassName {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == Some(other)
    }
}

impl PartialEq<&str> for ClassName {
    fn eq(&self, other: &&str) -> bool {
        self == *other
    }
}

/// The names of all classes by their number; there may be gaps.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Labels {
    by_id: BTreeMap<i128, ClassName>,
    /// Whether the file names them.
    named: bool,
}

impl Labels {
    /// `id2label`, or else `LABEL_0`, `LABEL_1`, … for `num_labels`, which is 2 where it is missing.
    pub(super) fn read(config: &Value) -> Result<Self> {
        const MOST: usize = 1_000_000;
        let field = |message: String| Error::config(format!("config.json: {message}"));
        let count = match config.get("num_labels").filter(|count| !count.is_null()) {
            None => None,
            Some(count) => Some(
                super::integer(count)
                    .and_then(|count| usize::try_from(count).ok())
                    .ok_or_else(|| field(format!("num_labels: {count} is no number of classes")))?,
            ),
        };
        match config.get("id2label") {
            // As in the reference, names of which there are not so many do not count.
            Some(Value::Object(map)) if count.is_none_or(|count| count == map.len()) => {
                let class = |(id, label): (&String, &Value)| {
                    let id = whole(id).ok_or_else(|| field(format!("id2label: {id:?} is no class number")))?;
                    Ok((id, ClassName::deserialize(label).map_err(|error| field(format!("id2label: {error}")))?))
                };
                Ok(Self { by_id: map.iter().map(class).collect::<Result<_>>()?, named: true })
            }
            Some(Value::Null | Value::Object(_)) | None => {
                let count = count.unwrap_or(2);
                if count > MOST {
                    return Err(field(format!("num_labels: {count} classes are too many")));
                }
                Ok(Self { by_id: (0..count).map(|id| (id as i128, format!("LABEL_{id}").into())).collect(), named: false })
            }
            Some(_) => Err(field("id2label: not an object".into())),
        }
    }

    /// An error where the model gives another number of scores, whose weights the reference would not load.
    pub(crate) fn check(&self, logits: Option<&Port>) -> Result<()> {
        match logits.and_then(|port| port.shape.last()) {
            Some(Dim::Fixed(scores)) if *scores != self.count() => Err(Error::config(format!(
                "config.json: id2label (or num_labels) has {} classes, but the model gives {scores} scores",
                self.count()
            ))),
            _ => Ok(()),
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.by_id.len()
    }

    /// The name of a class.
    ///
    /// # Errors
    /// A class that has none.
    pub fn get(&self, id: usize) -> Result<&ClassName> {
        self.by_id.get(&(id as i128)).ok_or_else(|| {
            Error::config(format!(
                "config.json: id2label: class {id}, for which the model gives a score, is not among the {} there",
                self.count()
            ))
        })
    }

    /// The numbers of the classes by their names: `label2id` in the order of the file, which counts only beside `id2label`, as in the
    /// reference; else the reverse of the names.
    ///
    /// # Errors
    /// A number that is none.
    pub(super) fn ids(&self, config: &Value) -> Result<Vec<(String, i64)>> {
        match config.get("label2id").and_then(Value::as_object).filter(|_| self.named) {
            Some(map) => {
                let id = |label: &str, id: &Value| {
                    super::integer(id).ok_or_else(|| Error::config(format!("config.json: label2id: {label:?}: {id} is no class number")))
                };
                map.iter().map(|(label, value)| Ok((label.clone(), id(label, value)?))).collect()
            }
            None => {
                let named = self.by_id.iter().filter_map(|(id, label)| Some((label.as_str()?.to_owned(), i64::try_from(*id).ok()?)));
                Ok(named.collect())
            }
        }
    }
}

/// What Python's `int()` reads: blanks around, a sign, and underscores between digits. Numbers beyond all classes are all the same.
fn whole(text: &str) -> Option<i128> {
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix(['+', '-']) {
        Some(digits) => (text.starts_with('-'), digits),
        None => (false, text),
    };
    let parts = digits.split('_');
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !parts.clone().all(is_number) {
        return None;
    }
    let number = parts.collect::<String>().parse().unwrap_or(i128::MAX);
    Some(if negative { -number } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn class_numbers_are_read_as_python_reads_them() {
        for (text, number) in [("0", Some(0)), (" 7 ", Some(7)), ("+1", Some(1)), ("-1", Some(-1)), ("0_2", Some(2)), ("00", Some(0))] {
            assert_eq!(whole(text), number, "{text}");
        }
        for text in ["", "0.0", "_1", "1_", "1__0", "--1", "a", "1 2"] {
            assert_eq!(whole(text), None, "{text}");
        }
        assert!(whole(&"9".repeat(99)).is_some());
    }

    #[test]
    fn names_keep_their_types() {
        let labels = Labels::read(&json!({"id2label": {"0": 0, "1": null, "2": 1.5, "4": "e"}})).unwrap();
        let shown: Vec<String> = [0, 1, 2, 4].iter().map(|id| serde_json::to_string(labels.get(*id).unwrap()).unwrap()).collect();
        assert_eq!(shown, ["0", "null", "1.5", "\"e\""]);
        assert_eq!(labels.count(), 4);
        assert!(labels.get(3).unwrap_err().to_string().contains("class 3"));
        assert_eq!(*labels.get(4).unwrap(), "e");
    }

    #[test]
    fn names_are_equal_as_in_python() {
        let name = |value: Value| ClassName::deserialize(value).unwrap();
        for (a, b, same) in [
            (json!(1), json!(1.0), true),
            (json!(true), json!(1), true),
            (json!("1"), json!(1), false),
            (json!(null), json!(null), true),
            (json!(null), json!(0), false),
            (json!("O"), json!("O"), true),
        ] {
            assert_eq!(name(a.clone()).is(&name(b.clone())), same, "{a} {b}");
        }
    }

    #[test]
    fn names_of_numbers_count_only_beside_numbers_of_names() {
        let ids = |config: Value| Labels::read(&config).unwrap().ids(&config);
        let both = json!({"id2label": {"0": "x", "1": "y"}, "label2id": {"entailment": 1, "other": 0.0}});
        assert_eq!(ids(both).unwrap(), [("entailment".into(), 1), ("other".into(), 0)]);
        assert_eq!(ids(json!({"label2id": {"entailment": 1}})).unwrap(), [("LABEL_0".into(), 0), ("LABEL_1".into(), 1)]);
        assert_eq!(ids(json!({"id2label": {"0": "entailment", "1": 7}})).unwrap(), [("entailment".into(), 0)]);
        assert!(ids(json!({"id2label": {}, "label2id": {"entailment": "2"}})).is_err());
    }
}
