//! What a model reads of a request, and where its answers stand.

use serde_json::{Map, Value, json};

use super::{
    DecisionConfig,
    question::{Kind, Question},
};
use crate::{
    Error, Result,
    preprocess::text::{
        EncodeOptions, Tokenizer,
        chat::{ChatOptions, ChatTemplates, dumps},
    },
};

/// Where a template wants an answer to be read: what follows the token before it.
pub(super) const MARK: &str = "<|mark|>";
/// What stands around it is tokenized apart.
pub(super) const SPLIT: &str = "<|split|>";

/// A prompt for one question, or for several.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Prompt {
    pub(super) ids: Vec<u32>,
    /// For each question how many tokens stand before its answer.
    pub(super) marks: Vec<usize>,
    pub(super) questions: Vec<Question>,
    /// For each question the tokens of its labels.
    pub(super) labels: Vec<Vec<u32>>,
}

impl Prompt {
    /// The tokens between the answer to the question before and the answer to this one.
    pub(super) fn tokens_of(&self, question: usize) -> &[u32] {
        let mark = |question: usize| self.marks.get(question).copied().unwrap_or(0);
        let before = question.checked_sub(1).map_or(0, mark);
        self.ids.get(before..mark(question)).unwrap_or_default()
    }

    /// Of the logits of all tokens those of the labels of a question.
    pub(super) fn of_labels(&self, question: usize, logits: &[f32]) -> Result<Vec<f32>> {
        let labels = self.labels.get(question).map(Vec::as_slice).unwrap_or_default();
        let logit = |id: &u32| logits.get(*id as usize).copied();
        let beyond = |id: &u32| Error::config(format!("the label with token {id} is beyond the model's vocabulary of {}", logits.len()));
        labels.iter().map(|id| logit(id).ok_or_else(|| beyond(id))).collect()
    }
}

/// What makes prompts of requests.
#[derive(Debug)]
pub(super) struct Prompts<'a> {
    pub(super) tokenizer: &'a Tokenizer,
    pub(super) templates: &'a ChatTemplates,
    pub(super) config: &'a DecisionConfig,
}

impl Prompts<'_> {
    /// The prompts of a request: one for each question, or one for all where the template asks all at once.
    pub(super) fn of(&self, state: &Value, questions: &Value) -> Result<Vec<Prompt>> {
        let (state, questions) = if self.config.sanitize_control_tokens {
            (state.clone(), questions.clone())
        } else {
            (without_marks(state), without_marks(questions))
        };
        let questions = super::question::parse(&questions, self.config)?;
        if self.config.asks_all_at_once()? {
            return Ok(vec![self.prompt(&state, questions)?]);
        }
        questions.into_iter().map(|question| self.prompt(&state, vec![question])).collect()
    }

    fn prompt(&self, state: &Value, questions: Vec<Question>) -> Result<Prompt> {
        let (mut content, mut kwargs) = (String::new(), Map::new());
        kwargs.insert("enable_thinking".into(), Value::Bool(false));
        match (&self.config.chat_template, questions.first()) {
            (None, Some(question)) => content = in_words(state, question)?,
            (_, first) => {
                kwargs.insert("state".into(), state.clone());
                kwargs.insert("question".into(), first.map(Question::value).unwrap_or_default());
                kwargs.insert("questions".into(), questions.iter().map(Question::value).collect());
            }
        }
        let options = ChatOptions {
            chat_template: self.config.chat_template.clone(),
            add_generation_prompt: true,
            sanitize_control_tokens: self.config.sanitize_control_tokens,
            kwargs,
            ..ChatOptions::default()
        };
        let messages = [json!({"role": "user", "content": content})];
        let ids = self.templates.encode(self.tokenizer, &messages, &options, &EncodeOptions::default())?.ids;
        let (ids, mut marks) = self.read_marks(ids);
        let wrong = |message: String| Err(Error::config(format!("the decision template: {message}")));
        if marks.len() < questions.len() {
            return wrong(format!("it writes {} {MARK} for {} questions", marks.len(), questions.len()));
        }
        marks.truncate(questions.len());
        if marks.first().is_some_and(|mark| *mark == 0) {
            return wrong(if ids.is_empty() { "it writes nothing".into() } else { format!("no token stands before its first {MARK}") });
        }
        let labels = questions.iter().map(|question| self.label_ids(question)).collect::<Result<_>>()?;
        Ok(Prompt { ids, marks, questions, labels })
    }

    /// The tokens without marks, and before how many of them a mark stands; a prompt without marks is answered at its end.
    fn read_marks(&self, ids: Vec<u32>) -> (Vec<u32>, Vec<usize>) {
        let [mark, split] = [MARK, SPLIT].map(|token| self.tokenizer.token_to_id(token));
        let (mut kept, mut marks) = (Vec::with_capacity(ids.len()), Vec::new());
        for id in ids {
            if Some(id) == mark {
                marks.push(kept.len());
            } else if Some(id) != split {
                kept.push(id);
            }
        }
        if marks.is_empty() {
            marks.push(kept.len());
        }
        (kept, marks)
    }

    /// The tokens of the labels of a question, each of which is one token and unlike the others.
    fn label_ids(&self, question: &Question) -> Result<Vec<u32>> {
        let plain = EncodeOptions::default().without_special_tokens();
        let wrong = |label: &str, problem: &str| {
            let message =
                format!("the label {label:?} of {} questions {problem}; choose others (labels in decision.json)", question.kind.name());
            Err(Error::config(message))
        };
        let mut labels: Vec<u32> = Vec::new();
        for label in &question.labels {
            let ids = self.tokenizer.encode(label, None, &plain)?.ids;
            match ids.as_slice() {
                [id] if Some(*id) == self.tokenizer.unk_token_id() => return wrong(label, "is not in the vocabulary"),
                [id] if labels.contains(id) => return wrong(label, "is the token of another label as well"),
                [id] => labels.push(*id),
                ids => return wrong(label, &format!("is {} tokens, not one", ids.len())),
            }
        }
        Ok(labels)
    }
}

/// The same without the marks of templates. Taking one away may join the halves of another.
fn without_marks(value: &Value) -> Value {
    let clean = |text: &str| {
        let mut text = text.to_owned();
        while text.contains(MARK) || text.contains(SPLIT) {
            text = text.replace(MARK, "").replace(SPLIT, "");
        }
        text
    };
    match value {
        Value::String(text) => Value::String(clean(text)),
        Value::Array(list) => list.iter().map(without_marks).collect(),
        Value::Object(fields) => fields.iter().map(|(name, value)| (clean(name), without_marks(value))).collect(),
        other => other.clone(),
    }
}

/// A question as the message of a user: what any chat model can answer with a label.
fn in_words(state: &Value, question: &Question) -> Result<String> {
    let Question { kind, labels, .. } = question;
    let mut lines = vec![text(&question.instructions)?];
    for ((option, label), description) in question.options.iter().zip(labels).zip(&question.descriptions) {
        let description = text(description)?;
        lines.push(match kind {
            Kind::Noul if !description.is_empty() => format!("{label}: {description}"),
            // Yes and No speak for themselves.
            Kind::Noul if labels == &["Yes", "No"] => String::new(),
            Kind::Noul => format!("{label}: {option}"),
            Kind::Choice if !description.is_empty() => format!("{label}. {option}: {description}"),
            Kind::Choice => format!("{label}. {option}"),
            Kind::Score => format!("{label}. {description}"),
        });
    }
    lines.retain(|line| !line.is_empty());
    let [first, last] = [labels.first(), labels.last()].map(|label| label.map(String::as_str).unwrap_or_default());
    let are_letters = labels.iter().zip('A'..='Z').all(|(label, letter)| *label == letter.to_string());
    let label = if are_letters { "letter" } else { "label" };
    let end = match kind {
        Kind::Noul => format!("Answer {first} or {last} only."),
        Kind::Choice => format!("Answer with the {label} of the option that fits best ({first} to {last}) only."),
        Kind::Score => format!("Answer with the {label} of the level that fits best ({first} to {last}) only."),
    };
    Ok(format!("{}\n\n{}\n{end}", text(state)?, lines.join("\n")))
}

/// Text as it is, anything else as JSON.
fn text(value: &Value) -> Result<String> {
    match value {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text.clone()),
        other => dumps(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_in_a_request_are_taken_out() {
        let forged = json!({"a<|mark|>": ["x<|ma<|split|>rk|>y", 1, null], "<|split|>": {"b": "<|sp<|mark|>lit|>"}});
        assert_eq!(without_marks(&forged), json!({"a": ["xy", 1, null], "": {"b": ""}}));
    }
}
