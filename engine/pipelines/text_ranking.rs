//! `text-ranking`: texts in the order in which they answer a query, by a cross-encoder.

use std::num::NonZeroUsize;

use formers_models::Head;
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Medium, Parameters, Pipeline, Task,
    arguments::{string_field, strings_field},
    boxed,
    text::{Output, TextModel, keep_errors},
};
use crate::{
    Error, ErrorKind, Result,
    model::{Pretrained, SentenceConfig},
    postprocess::scores::{FunctionToApply, descending},
    preprocess::text::{EncodeOptions, Encoding, Text},
};

/// Ranks texts by how well they answer a query.
#[derive(Debug)]
pub struct TextRanking {
    model: TextModel,
    sentence: SentenceConfig,
    activation: FunctionToApply,
}

/// A text's place and score.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ranked {
    /// Its place among the texts given.
    pub index: usize,
    /// How well it answers the query.
    pub score: f32,
    /// The text, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// A query, and the texts to rank.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Input {
    pub query: String,
    pub texts: Vec<String>,
}

/// How to rank.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// How many texts, best first; all of them where it is `None`.
    pub top_k: Option<usize>,
    /// Whether the answer holds the texts as well.
    pub return_documents: bool,
    /// Whether scores are the logits themselves. By default `config.json` says what makes scores of them, else a sigmoid.
    pub raw_scores: bool,
    /// So many pairs of query and text run at once at most, `None` for as many as are good.
    pub batch_size: Option<NonZeroUsize>,
}

impl TextRanking {
    /// All texts, best first.
    pub fn run(&self, query: &str, texts: &[&str]) -> Result<Vec<Ranked>> {
        let texts = texts.iter().map(|text| text.to_string()).collect();
        self.run_many(&[Input { query: query.into(), texts }], &Options::default()).swap_remove(0)
    }

    /// As [`TextRanking::run`] for many queries, in their order; an input that fails does not harm the others.
    pub fn run_many(&self, inputs: &[Input], options: &Options) -> Vec<Result<Vec<Ranked>>> {
        let encoded = inputs.iter().map(|input| self.encode(input)).collect();
        let scores = keep_errors(encoded, |pairs: Vec<&Vec<Encoding>>| {
            let pairs: Vec<&[Encoding]> = pairs.into_iter().map(Vec::as_slice).collect();
            self.model.run_windows(options.batch_size, &pairs, &[Output::Row("logits")], |_, _, views| match views[0].as_slice() {
                Some([logit]) => Ok(*logit),
                _ => Err(Error::new(ErrorKind::Config, format!("a model for ranking gives one number, not {}", views[0].len()))),
            })
        });
        inputs.iter().zip(scores).map(|(input, logits)| Ok(self.ranked(input, &logits?, options))).collect()
    }

    fn encode(&self, input: &Input) -> Result<Vec<Encoding>> {
        let encode = EncodeOptions { max_length: self.sentence.max_seq_length, ..EncodeOptions::truncated() };
        let query = self.sentence.prepare(&input.query);
        let lower = SentenceConfig { prompt: None, ..self.sentence.clone() };
        let pair = |text: &String| self.model.tokenizer.encode(&query, Some(Text::Str(&lower.prepare(text))), &encode);
        input.texts.iter().map(pair).collect()
    }

    fn ranked(&self, input: &Input, logits: &[f32], options: &Options) -> Vec<Ranked> {
        let function = if options.raw_scores { FunctionToApply::None } else { self.activation };
        let scores: Vec<f32> = logits.iter().flat_map(|logit| function.of(&[*logit])).collect();
        let best = descending(&scores).into_iter().take(options.top_k.unwrap_or(usize::MAX));
        let text = |index: usize| options.return_documents.then(|| input.texts.get(index).cloned()).flatten();
        best.map(|index| Ranked { index, score: scores[index], text: text(index) }).collect()
    }
}

impl Pipeline for TextRanking {
    const TASK: Task = Task {
        id: "text-ranking",
        aliases: &[],
        summary: "Texts in the order in which they answer a query",
        default_model: "cross-encoder/ms-marco-MiniLM-L6-v2",
        heads: &[Head::SequenceClassification],
        inputs: "an object {query, texts}, or a list of them",
        fields: &["query", "texts[]"],
        parameters: &["top_k", "return_documents", "raw_scores", "batch_size"],
        medium: Medium::Text,
        suits: |config| config.labels().count() == 1,
        load: boxed::<Self>,
    };

    fn load(pretrained: &Pretrained) -> Result<Self> {
        let labels = pretrained.config.labels().count();
        if labels != 1 {
            let name = pretrained.checkpoint.name();
            return Err(Error::unsupported(format!("{name}: a model for ranking has one class, not {labels} (config.json: id2label)")));
        }
        let model = TextModel::load(pretrained, Head::SequenceClassification)?;
        let sentence = SentenceConfig::read(&pretrained.checkpoint, &pretrained.config, model.tokenizer.model_max_length())?;
        let own = pretrained.checkpoint.json("config_sentence_transformers.json")?.unwrap_or_default();
        Ok(Self { activation: activation(&own, pretrained.config.value())?, sentence, model })
    }

    fn call_many(&self, inputs: &[Value], mut parameters: Parameters) -> Result<Vec<Result<Value>>> {
        let options = Options {
            top_k: parameters.take("top_k")?,
            return_documents: parameters.take("return_documents")?.unwrap_or(false),
            raw_scores: parameters.take("raw_scores")?.unwrap_or(false),
            batch_size: parameters.take("batch_size")?,
        };
        parameters.finish(Self::TASK.parameters)?;
        let parsed = inputs.iter().map(parse).collect();
        Ok(keep_errors(parsed, |inputs: Vec<&Input>| {
            let inputs: Vec<Input> = inputs.into_iter().cloned().collect();
            self.run_many(&inputs, &options).into_iter().map(|answer| answer.map(|answer| json!(answer))).collect()
        }))
    }
}

fn parse(input: &Value) -> Result<Input> {
    Ok(Input { query: string_field(input, "query")?.into(), texts: strings_field(input, "texts")? })
}

/// What makes scores of logits, by the name of its class in torch: as the checkpoint says, today or as it did before
/// version 4 of sentence-transformers.
fn activation(own: &Value, config: &Value) -> Result<FunctionToApply> {
    let places = [
        own.get("activation_fn"),
        config.pointer("/sentence_transformers/activation_fn"),
        config.get("sbert_ce_default_activation_function"),
    ];
    // As in the reference, what is not torch's own is not trusted.
    let named = places.into_iter().flatten().find_map(Value::as_str).filter(|name| name.starts_with("torch."));
    match named.and_then(|name| name.rsplit('.').next()) {
        None | Some("Sigmoid") => Ok(FunctionToApply::Sigmoid),
        Some("Identity") => Ok(FunctionToApply::None),
        Some(other) => Err(Error::unsupported(format!("activation_fn: no {other:?}, only Sigmoid and Identity"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_activation_stands_in_three_places() {
        let (identity, sigmoid) = ("torch.nn.modules.linear.Identity", "torch.nn.modules.activation.Sigmoid");
        for (own, config, expected) in [
            (json!({}), json!({}), FunctionToApply::Sigmoid),
            (json!({}), json!({"sbert_ce_default_activation_function": identity}), FunctionToApply::None),
            (json!({}), json!({"sentence_transformers": {"activation_fn": identity}}), FunctionToApply::None),
            (json!({"activation_fn": sigmoid}), json!({"sentence_transformers": {"activation_fn": identity}}), FunctionToApply::Sigmoid),
            (json!({}), json!({"sbert_ce_default_activation_function": "other.Identity"}), FunctionToApply::Sigmoid),
            (json!(null), json!({"sentence_transformers": null}), FunctionToApply::Sigmoid),
        ] {
            assert_eq!(activation(&own, &config).unwrap(), expected, "{own} {config}");
        }
        assert!(activation(&json!({"activation_fn": "torch.nn.modules.activation.Softplus"}), &json!({})).is_err());
    }
}
