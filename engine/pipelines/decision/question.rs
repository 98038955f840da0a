//! Questions, and what the probabilities of their options answer.

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::DecisionConfig;
use crate::{Error, Result, error::in_words, generate, pipelines::arguments::kind as kind_of};

/// The options of a `noul` question, in their usual order.
pub(super) const NOUL_OPTIONS: [&str; 2] = ["true", "false"];

/// The type of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Noul,
    Choice,
    Score,
}

/// A question with its options in the order of the prompt, as templates see it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Question {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: Kind,
    pub(super) instructions: Value,
    pub(super) options: Vec<String>,
    pub(super) labels: Vec<String>,
    pub(super) descriptions: Vec<Value>,
}

/// The answer to a question.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
#[non_exhaustive]
pub enum Answer {
    /// Yes or no.
    Noul {
        /// How probable it is that the answer is yes.
        noul: f64,
    },
    /// One of several.
    Choice {
        /// The most probable option.
        choice: String,
        /// 0 where all options are as probable, 1 where one is certain.
        confidence: f64,
        /// Of each option.
        #[serde(serialize_with = "as_object")]
        probabilities: Vec<(String, f64)>,
    },
    /// A level, of levels in an order.
    Score {
        /// The levels, counted from 0, weighted by how probable they are.
        score: f64,
        /// What each level means.
        legend: Map<String, Value>,
        /// 1 where one level is certain, less the farther the others are from the most probable one, 0 where all are as probable.
        confidence: f64,
        /// Of each level.
        #[serde(serialize_with = "as_object")]
        probabilities: Vec<(String, f64)>,
    },
}

fn as_object<S: Serializer>(pairs: &[(String, f64)], serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().map(|(option, probability)| (option, probability)))
}

impl Kind {
    const ALL: [Self; 3] = [Self::Noul, Self::Choice, Self::Score];

    /// Its name in a request.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Noul => "noul",
            Self::Choice => "choice",
            Self::Score => "score",
        }
    }

    fn example(self) -> &'static str {
        match self {
            Self::Noul => {
                r#"{"type": "noul", "instructions": "Is this message spam?", "criteria": {"true": "Advertising", "false": "A real message"}}"#
            }
            Self::Choice => {
                r#"{"type": "choice", "instructions": "What is the tone?", "criteria": {"calm": "A polite message", "angry": null}}"#
            }
            Self::Score => r#"{"type": "score", "instructions": "How urgent is it?", "criteria": ["Can wait", "This week", "Today"]}"#,
        }
    }
}

/// Text, or JSON that is shown as text.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "expected a string, an object, a list or null")]
enum Content {
    Text(String),
    Fields(Map<String, Value>),
    List(Vec<Value>),
}

impl Content {
    fn value(content: Option<Self>) -> Value {
        match content {
            None => Value::Null,
            Some(Self::Text(text)) => Value::String(text),
            Some(Self::Fields(fields)) => Value::Object(fields),
            Some(Self::List(list)) => Value::Array(list),
        }
    }
}

/// The questions of a request. All that are wrong are named.
pub(super) fn parse(questions: &Value, config: &DecisionConfig) -> Result<Vec<Question>> {
    let wrong = |message: String| Err(Error::request("inputs.questions", message));
    let questions = match questions {
        Value::Object(questions) if !questions.is_empty() => questions,
        Value::Object(_) => return wrong("at least one question is needed".into()),
        other => return wrong(format!("expected an object of names and questions, not {}", kind_of(other))),
    };
    let parsed =
        questions.iter().map(|(name, question)| parse_one(name, question, config).map_err(|problem| format!("{name:?}: {problem}")));
    let (good, bad): (Vec<_>, Vec<_>) = parsed.partition(std::result::Result::is_ok);
    if bad.is_empty() {
        return Ok(good.into_iter().flatten().collect());
    }
    wrong(bad.into_iter().filter_map(std::result::Result::err).collect::<Vec<_>>().join("; "))
}

fn parse_one(name: &str, question: &Value, config: &DecisionConfig) -> std::result::Result<Question, String> {
    let Value::Object(fields) = question else { return Err(format!("expected an object, not {}", kind_of(question))) };
    let given = fields.get("type").cloned().unwrap_or_default();
    let Some(kind) = Kind::ALL.into_iter().find(|kind| given == kind.name()) else {
        return Err(format!("type must be noul, choice or score, not {given}"));
    };
    let wrong = |problem: String| format!("{problem} (a {} question looks like {})", kind.name(), kind.example());
    if let Some(unknown) = fields.keys().find(|key| !["type", "instructions", "criteria"].contains(&key.as_str())) {
        return Err(wrong(format!("a question has no field {unknown:?}")));
    }
    let content = |value: &Value| serde_json::from_value::<Option<Content>>(value.clone()).map(Content::value);
    let instructions = content(fields.get("instructions").unwrap_or(&Value::Null));
    let instructions = instructions.map_err(|error| wrong(format!("instructions: {}", in_words(&error))))?;
    let named = |value: &Value, place: String| content(value).map_err(|error| wrong(format!("criteria{place}: {}", in_words(&error))));
    let criteria: Vec<(String, Value)> = match (kind, fields.get("criteria").unwrap_or(&Value::Null)) {
        (Kind::Noul, Value::Null) => config.noul_options.iter().map(|option| (option.clone(), Value::Null)).collect(),
        (Kind::Noul, Value::Object(given)) => {
            if let Some(unknown) = given.keys().find(|key| !NOUL_OPTIONS.contains(&key.as_str())) {
                return Err(wrong(format!("criteria: {unknown:?} is neither \"true\" nor \"false\"")));
            }
            let described = |option: &String| Ok((option.clone(), named(given.get(option).unwrap_or(&Value::Null), format!(".{option}"))?));
            config.noul_options.iter().map(described).collect::<std::result::Result<_, String>>()?
        }
        (Kind::Choice, Value::Object(given)) => {
            let described = |(option, value): (&String, &Value)| Ok((option.clone(), named(value, format!(".{option}"))?));
            given.iter().map(described).collect::<std::result::Result<_, String>>()?
        }
        (Kind::Score, Value::Array(given)) => {
            let described = |(level, value): (usize, &Value)| match named(value, format!("[{level}]"))? {
                Value::Null => Err(wrong(format!("criteria[{level}]: expected a string, an object or a list, not null"))),
                value => Ok((level.to_string(), value)),
            };
            given.iter().enumerate().map(described).collect::<std::result::Result<_, String>>()?
        }
        (_, given) => {
            let expected = if kind == Kind::Score { "a list of levels" } else { "an object of options" };
            return Err(wrong(format!("criteria: expected {expected}, not {}", kind_of(given))));
        }
    };
    if criteria.is_empty() {
        return Err(wrong("criteria: empty".into()));
    }
    let mut labels = config.labels(kind);
    if labels.len() < criteria.len() {
        let (most, count) = (labels.len(), criteria.len());
        return Err(format!(
            "{count} options, and this model tells at most {most} apart in a {0} question (labels.{0} of decision.json)",
            kind.name()
        ));
    }
    labels.truncate(criteria.len());
    let (options, descriptions) = criteria.into_iter().unzip();
    Ok(Question { name: name.to_owned(), kind, instructions, options, labels, descriptions })
}

impl Question {
    /// What the probabilities of the options answer.
    pub(super) fn answer(&self, probabilities: &[f32]) -> Answer {
        let count = probabilities.len() as f64;
        let best = generate::argmax(probabilities).unwrap_or(0);
        let probabilities: Vec<f64> = probabilities.iter().map(|probability| f64::from(*probability)).collect();
        let by_option = || self.options.iter().cloned().zip(probabilities.iter().copied()).collect::<Vec<_>>();
        match self.kind {
            Kind::Noul => {
                Answer::Noul { noul: by_option().into_iter().find(|(option, _)| option == NOUL_OPTIONS[0]).map_or(0.0, |(_, yes)| yes) }
            }
            Kind::Choice => {
                let chance = 1.0 / count;
                let top = probabilities.get(best).copied().unwrap_or_default();
                Answer::Choice {
                    choice: self.options.get(best).cloned().unwrap_or_default(),
                    confidence: if count == 1.0 { 1.0 } else { ((top - chance) / (1.0 - chance)).max(0.0) },
                    probabilities: by_option(),
                }
            }
            Kind::Score => {
                let levels = || probabilities.iter().enumerate().map(|(level, probability)| (level as f64, probability));
                let distance: f64 = levels().map(|(level, probability)| probability * (level - best as f64).abs()).sum();
                let by_chance = levels().map(|(level, _)| (level - (count - 1.0) / 2.0).abs()).sum::<f64>() / count;
                Answer::Score {
                    score: levels().map(|(level, probability)| level * probability).sum(),
                    legend: self.options.iter().cloned().zip(self.descriptions.iter().cloned()).collect(),
                    confidence: if count == 1.0 { 1.0 } else { (1.0 - distance / by_chance).max(0.0) },
                    probabilities: by_option(),
                }
            }
        }
    }

    /// As templates see it.
    pub(super) fn value(&self) -> Value {
        json!(self)
    }
}
