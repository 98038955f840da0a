//! Labels of tokens become entities.

use serde::{Deserialize, Serialize, Serializer, ser::SerializeStruct};

use crate::{
    Error, Result,
    config::{ClassName, Labels},
};

/// How the labels of tokens become those of words and entities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AggregationStrategy {
    /// Every token by itself.
    #[default]
    None,
    /// Neighbouring tokens of one label are an entity; a `B-` label begins a new one.
    Simple,
    /// As simple, once every word has the label of its first token.
    First,
    /// As simple, once every word has the best label of the mean of its tokens' scores.
    Average,
    /// As simple, once every word has the label of its surest token.
    Max,
}

impl AggregationStrategy {
    /// Whether all tokens of a word get one label.
    pub fn joins_words(self) -> bool {
        matches!(self, Self::First | Self::Average | Self::Max)
    }
}

/// A token of the text with the score of each label.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    /// The token.
    pub word: String,
    /// The score of each label.
    pub scores: Vec<f32>,
    /// Its place among the tokens of its window.
    pub index: usize,
    /// Where it lies in the text, in characters: start and end. `None` where the tokenizer does not know.
    pub span: Option<(usize, usize)>,
    /// Whether it continues the word before.
    pub is_subword: bool,
}

/// A token or a group of tokens with its label. In JSON the label is `entity` for tokens and `entity_group` for groups.
#[derive(Debug, Clone, PartialEq)]
pub struct Entity {
    /// The label of a token, or that of a group without its `B-` or `I-`.
    pub entity: ClassName,
    /// Its probability; the mean over a group.
    pub score: f32,
    /// The token's place; `None` for groups.
    pub index: Option<usize>,
    /// The token, or the text of the group's tokens.
    pub word: String,
    /// Where it starts in the text, in characters.
    pub start: Option<usize>,
    /// Where it ends.
    pub end: Option<usize>,
}

impl Serialize for Entity {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Entity", 5 + usize::from(self.index.is_some()))?;
        fields.serialize_field(if self.index.is_some() { "entity" } else { "entity_group" }, &self.entity)?;
        fields.serialize_field("score", &self.score)?;
        if let Some(index) = self.index {
            fields.serialize_field("index", &index)?;
        }
        fields.serialize_field("word", &self.word)?;
        fields.serialize_field("start", &self.start)?;
        fields.serialize_field("end", &self.end)?;
        fields.end()
    }
}

/// What aggregation needs to know of the model.
pub struct Aggregation<'a> {
    /// How to aggregate.
    pub strategy: AggregationStrategy,
    /// The name of each label.
    pub labels: &'a Labels,
    /// The text of some tokens.
    pub join: &'a dyn Fn(Vec<String>) -> Result<String>,
}

impl Aggregation<'_> {
    /// The entities of one window.
    pub fn entities(&self, tokens: &[Token]) -> Result<Vec<Entity>> {
        let labelled = if self.strategy.joins_words() {
            words(tokens).map(|word| self.word(word)).collect::<Result<Vec<_>>>()?
        } else {
            tokens.iter().map(|token| self.token(token)).collect::<Result<Vec<_>>>()?
        };
        if self.strategy == AggregationStrategy::None {
            return Ok(labelled);
        }
        let labels = labelled.iter().map(|entity| text(&entity.entity)).collect::<Result<Vec<_>>>()?;
        let mut groups = Vec::new();
        let mut start = 0;
        for end in 1..=labelled.len() {
            if end == labelled.len() || !continues(labels[end - 1], labels[end]) {
                groups.push(self.group(labels[start], &labelled[start..end])?);
                start = end;
            }
        }
        Ok(groups)
    }

    fn token(&self, token: &Token) -> Result<Entity> {
        let (entity, score) = self.best(&token.scores)?;
        let (start, end) = token.span.unzip();
        Ok(Entity { entity, score, index: Some(token.index), word: token.word.clone(), start, end })
    }

    fn word(&self, tokens: &[Token]) -> Result<Entity> {
        let [first, ..] = tokens else { return Err(Error::new(crate::ErrorKind::Runtime, "a word without tokens")) };
        let (entity, score) = match self.strategy {
            AggregationStrategy::Average => self.best(&mean(tokens))?,
            AggregationStrategy::Max => {
                let surest = tokens.iter().reduce(|a, b| if largest(b) > largest(a) { b } else { a });
                self.best(&surest.unwrap_or(first).scores)?
            }
            _ => self.best(&first.scores)?,
        };
        let word = (self.join)(tokens.iter().map(|token| token.word.clone()).collect())?;
        let start = first.span.map(|span| span.0);
        let end = tokens.last().and_then(|token| token.span).map(|span| span.1);
        Ok(Entity { entity, score, index: None, word, start, end })
    }

    fn group(&self, label: &str, parts: &[Entity]) -> Result<Entity> {
        let [first, ..] = parts else { return Err(Error::new(crate::ErrorKind::Runtime, "a group without tokens")) };
        Ok(Entity {
            entity: label.split_once('-').map_or(label, |(_, rest)| rest).into(),
            score: parts.iter().map(|part| part.score).sum::<f32>() / parts.len() as f32,
            index: None,
            word: (self.join)(parts.iter().map(|part| part.word.clone()).collect())?,
            start: first.start,
            end: parts.last().and_then(|part| part.end),
        })
    }

    fn best(&self, scores: &[f32]) -> Result<(ClassName, f32)> {
        let best = scores.iter().enumerate().reduce(|a, b| if b.1 > a.1 { b } else { a });
        let (id, score) = best.ok_or_else(|| Error::config("config.json: id2label: no labels"))?;
        Ok((self.labels.get(id)?.clone(), *score))
    }
}

/// Groups are made by what their labels begin with, which only strings do.
fn text(label: &ClassName) -> Result<&str> {
    label.as_str().ok_or_else(|| {
        Error::config(format!(
            "config.json: id2label: {label} is no string, so tokens cannot be grouped; use the aggregation_strategy none"
        ))
    })
}

/// The tokens of each word; the first token begins one in any case.
fn words(tokens: &[Token]) -> impl Iterator<Item = &[Token]> {
    tokens.chunk_by(|_, next| next.is_subword)
}

/// Whether a token of one label continues the entity of the last. Only `B-` begins a new one of the same kind.
fn continues(last: &str, next: &str) -> bool {
    let kind = |label: &str| label.strip_prefix("B-").or_else(|| label.strip_prefix("I-")).unwrap_or(label).to_string();
    kind(last) == kind(next) && !next.starts_with("B-")
}

fn largest(token: &Token) -> f32 {
    token.scores.iter().copied().fold(f32::NEG_INFINITY, f32::max)
}

fn mean(tokens: &[Token]) -> Vec<f32> {
    let labels = tokens.first().map_or(0, |token| token.scores.len());
    let sum = |label| tokens.iter().filter_map(|token| token.scores.get(label)).sum::<f32>();
    (0..labels).map(|label| sum(label) / tokens.len() as f32).collect()
}

/// Of entities of several windows that overlap, the longest; of equally long ones, the surest.
pub fn merge_overlapping(mut entities: Vec<Entity>) -> Vec<Entity> {
    entities.sort_by_key(|entity| entity.start);
    let Some(mut last) = entities.first().cloned() else { return entities };
    let length = |entity: &Entity| entity.end.unwrap_or(0).saturating_sub(entity.start.unwrap_or(0));
    let mut merged = Vec::new();
    // As in Python the first is compared with itself, so that an empty one comes twice.
    for entity in entities {
        if last.start <= entity.start && entity.start < last.end {
            let (new, old) = (length(&entity), length(&last));
            if new > old || new == old && entity.score > last.score {
                last = entity;
            }
        } else {
            merged.push(std::mem::replace(&mut last, entity));
        }
    }
    merged.push(last);
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ModelConfig;

    fn labels() -> Labels {
        named(&["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "X-Y"])
    }

    fn named(names: &[&str]) -> Labels {
        let names = names.iter().enumerate().map(|(id, name)| (id.to_string(), (*name).into())).collect();
        ModelConfig::new(serde_json::json!({"id2label": serde_json::Value::Object(names)})).unwrap().labels().clone()
    }

    /// Tokens with one sure label each; those that begin with `##` continue a word.
    fn tokens(text: &[(&str, usize)]) -> Vec<Token> {
        let scores = |label| (0..6).map(|i| if i == label { 0.75 } else { 0.05 }).collect();
        text.iter()
            .enumerate()
            .map(|(index, (word, label))| Token {
                word: (*word).into(),
                scores: scores(*label),
                index: index + 1,
                span: Some((index * 10, index * 10 + 5)),
                is_subword: word.starts_with("##"),
            })
            .collect()
    }

    fn aggregate(strategy: AggregationStrategy, tokens: &[Token]) -> Vec<(String, String)> {
        let join = |words: Vec<String>| Ok(words.join(" ").replace(" ##", ""));
        let entities = Aggregation { strategy, labels: &labels(), join: &join }.entities(tokens).unwrap();
        entities.into_iter().map(|entity| (entity.entity.to_string(), entity.word)).collect()
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect()
    }

    #[test]
    fn tokens_group_by_kind_and_b_begins_anew() {
        let text = tokens(&[("a", 1), ("b", 2), ("c", 2), ("d", 1), ("e", 4), ("f", 3), ("g", 0), ("h", 0), ("i", 5), ("j", 5)]);
        let expected = [("PER", "a b c"), ("PER", "d"), ("LOC", "e"), ("LOC", "f"), ("O", "g h"), ("Y", "i j")];
        assert_eq!(aggregate(AggregationStrategy::Simple, &text), pairs(&expected));
        assert_eq!(aggregate(AggregationStrategy::None, &text)[8], ("X-Y".into(), "i".into()));
    }

    #[test]
    fn words_get_one_label() {
        let mut text = tokens(&[("mi", 1), ("##cro", 0), ("##soft", 4), ("is", 0)]);
        text[2].scores[4] = 0.9;
        text[1].scores = vec![0.3, 0.3, 0.0, 0.0, 0.4, 0.0];
        assert_eq!(aggregate(AggregationStrategy::First, &text), pairs(&[("PER", "microsoft"), ("O", "is")]));
        assert_eq!(aggregate(AggregationStrategy::Max, &text), pairs(&[("LOC", "microsoft"), ("O", "is")]));
        assert_eq!(aggregate(AggregationStrategy::Average, &text), pairs(&[("LOC", "microsoft"), ("O", "is")]));
        assert_eq!(aggregate(AggregationStrategy::Simple, &text).len(), 4 - 1);
    }

    #[test]
    fn nothing_and_unknown_labels() {
        for strategy in [AggregationStrategy::None, AggregationStrategy::Simple, AggregationStrategy::Average] {
            assert!(aggregate(strategy, &[]).is_empty());
        }
        // A continuation without a beginning is a word of its own.
        assert_eq!(aggregate(AggregationStrategy::First, &tokens(&[("##x", 0)])), pairs(&[("O", "##x")]));
        let join = |words: Vec<String>| Ok(words.concat());
        let aggregation = Aggregation { strategy: AggregationStrategy::Simple, labels: &named(&["O", "B-PER"]), join: &join };
        assert!(aggregation.entities(&tokens(&[("a", 3)])).unwrap_err().to_string().contains("class 3"));
    }

    #[test]
    fn overlapping_entities_merge() {
        let entity =
            |start, end, score| Entity { entity: "".into(), score, index: None, word: String::new(), start: Some(start), end: Some(end) };
        let spans = |merged: Vec<Entity>| merged.iter().filter_map(|e| e.start.zip(e.end)).collect::<Vec<_>>();
        let merged = merge_overlapping(vec![entity(5, 9, 0.5), entity(0, 3, 0.1), entity(2, 6, 0.9), entity(5, 9, 0.8)]);
        assert_eq!(spans(merged.clone()), [(2, 6)]);
        assert_eq!(spans(merge_overlapping(vec![entity(0, 3, 0.1), entity(3, 5, 0.1)])), [(0, 3), (3, 5)]);
        assert_eq!(spans(merge_overlapping(vec![entity(1, 1, 0.1)])), [(1, 1), (1, 1)]);
        assert!(merge_overlapping(Vec::new()).is_empty());
    }

    #[test]
    fn json_names_tokens_and_groups_apart() {
        let join = |words: Vec<String>| Ok(words.concat());
        let json = |strategy| {
            let labels = labels();
            let aggregation = Aggregation { strategy, labels: &labels, join: &join };
            serde_json::to_string(&aggregation.entities(&tokens(&[("a", 1)])).unwrap()).unwrap()
        };
        assert_eq!(json(AggregationStrategy::None), r#"[{"entity":"B-PER","score":0.75,"index":1,"word":"a","start":0,"end":5}]"#);
        assert_eq!(json(AggregationStrategy::Simple), r#"[{"entity_group":"PER","score":0.75,"word":"a","start":0,"end":5}]"#);
    }
}
