//! `zero-shot-classification`: labels that are chosen with the call, by whether the text entails that it is about them.

use std::num::NonZeroUsize;

use formers_models::Head;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Medium, Parameters, Pipeline, Task,
    arguments::string,
    boxed,
    text::{Output, TextModel, keep_errors},
};
use crate::{
    Error, Result,
    model::Pretrained,
    postprocess::entailment,
    preprocess::text::{EncodeOptions, Encoding, Text, Truncation},
};

/// Labels chosen with the call.
#[derive(Debug)]
pub struct ZeroShotClassification {
    model: TextModel,
    /// The class of entailment, -1 for the last.
    entailment: i64,
}

/// A text with its labels, best first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Classification {
    /// The text.
    pub sequence: String,
    /// The labels.
    pub labels: Vec<String>,
    /// The score of each label.
    pub scores: Vec<f32>,
}

/// How to classify.
#[derive(Debug, Clone)]
pub struct Options {
    /// What a label is put into; `{}` stands for it.
    pub hypothesis_template: String,
    /// Whether each label may be true by itself; otherwise the scores sum to one.
    pub multi_label: bool,
    /// So many pairs of text and label run at once at most, `None` for as many as are good.
    pub batch_size: Option<NonZeroUsize>,
}

impl Default for Options {
    fn default() -> Self {
        Self { hypothesis_template: "This example is {}.".into(), multi_label: false, batch_size: None }
    }
}

impl ZeroShotClassification {
    /// The labels of a text, best first.
    pub fn run(&self, text: &str, labels: &[&str]) -> Result<Classification> {
        self.run_many(&[text], labels, &Options::default())?.swap_remove(0)
    }

    /// The labels of many texts, in their order; a text that fails does not harm the others.
    ///
    /// Fails as a whole without labels, and where the template has no place for them.
    pub fn run_many(&self, texts: &[&str], labels: &[&str], options: &Options) -> Result<Vec<Result<Classification>>> {
        self.answer(texts.iter().map(|&text| Ok(text)).collect(), labels, options)
    }

    fn answer(&self, texts: Vec<Result<&str>>, labels: &[&str], options: &Options) -> Result<Vec<Result<Classification>>> {
        let hypotheses = hypotheses(labels, &options.hypothesis_template)?;
        let encode = |text: &str| -> Result<(String, Vec<Encoding>)> {
            if text.is_empty() {
                return Err(Error::request("inputs", "an empty text has no labels"));
            }
            let pairs = hypotheses.iter().map(|hypothesis| self.encode(text, hypothesis)).collect::<Result<_>>()?;
            Ok((text.to_string(), pairs))
        };
        let encoded = texts.into_iter().map(|text| encode(text?)).collect();
        Ok(keep_errors(encoded, |encoded: Vec<&(String, Vec<Encoding>)>| {
            let pairs: Vec<&[Encoding]> = encoded.iter().map(|(_, pairs)| pairs.as_slice()).collect();
            let logits = self
                .model
                .run_windows(options.batch_size, &pairs, &[Output::Row("logits")], |_, _, views| Ok(views[0].iter().copied().collect()));
            let answers = logits.into_iter().zip(&encoded);
            answers.map(|(logits, (text, _))| self.classification(text, labels, &logits?, options.multi_label)).collect()
        }))
    }

    fn classification(&self, text: &str, labels: &[&str], logits: &[Vec<f32>], multi_label: bool) -> Result<Classification> {
        let scores = entailment::scores(logits, self.entailment, multi_label)?;
        let order = entailment::order(&scores);
        Ok(Classification {
            sequence: text.to_string(),
            labels: order.iter().map(|&i| labels[i].to_string()).collect(),
            scores: order.iter().map(|&i| scores[i]).collect(),
        })
    }

    /// The text gives way where both are too long. As in Python, nothing does where even that does not help.
    fn encode(&self, text: &str, hypothesis: &str) -> Result<Encoding> {
        let tokenizer = &self.model.tokenizer;
        let cut = EncodeOptions { truncation: Truncation::OnlyFirst, ..EncodeOptions::default() };
        let pair = Some(Text::Str(hypothesis));
        tokenizer.encode(text, pair, &cut).or_else(|_| tokenizer.encode(text, pair, &EncodeOptions::default()))
    }
}

impl Pipeline for ZeroShotClassification {
    const TASK: Task = Task {
        id: "zero-shot-classification",
        aliases: &[],
        summary: "Labels that are chosen with the call",
        default_model: "facebook/bart-large-mnli",
        heads: &[Head::SequenceClassification],
        inputs: "a string, or a list of strings",
        fields: &[],
        parameters: &["candidate_labels", "hypothesis_template", "multi_label", "batch_size"],
        medium: Medium::Text,
        suits: |config| config.label_ids().is_ok_and(|labels| labels.iter().any(|(label, _)| entails(label))),
        load: boxed::<Self>,
    };

    fn load(pretrained: &Pretrained) -> Result<Self> {
        let labels = pretrained.config.label_ids().map_err(|e| e.at(pretrained.checkpoint.name()))?;
        let found = labels.into_iter().find(|(label, _)| entails(label));
        if found.is_none() {
            tracing::warn!("config.json: label2id: no label begins with entail, so the last class is taken for entailment");
        }
        Ok(Self { model: TextModel::load(pretrained, Head::SequenceClassification)?, entailment: found.map_or(-1, |(_, id)| id) })
    }

    fn call_many(&self, inputs: &[Value], mut parameters: Parameters) -> Result<Vec<Result<Value>>> {
        let defaults = Options::default();
        let labels = parameters.take::<Labels>("candidate_labels")?.map(Labels::list).unwrap_or_default();
        let options = Options {
            hypothesis_template: parameters.take("hypothesis_template")?.unwrap_or(defaults.hypothesis_template),
            multi_label: parameters.take("multi_label")?.unwrap_or(false),
            batch_size: parameters.take("batch_size")?,
        };
        parameters.finish(Self::TASK.parameters)?;
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        let answers = self.answer(inputs.iter().map(string).collect(), &labels, &options)?;
        Ok(answers.into_iter().map(|answer| answer.map(|answer| json!(answer))).collect())
    }
}

/// Whether a class means that a hypothesis holds, by its name.
fn entails(label: &str) -> bool {
    label.to_lowercase().starts_with("entail")
}

/// A list, or a string with commas.
#[derive(Deserialize)]
#[serde(untagged)]
enum Labels {
    Text(String),
    List(Vec<String>),
}

impl Labels {
    fn list(self) -> Vec<String> {
        match self {
            Self::Text(text) => text.split(',').map(str::trim).filter(|label| !label.is_empty()).map(String::from).collect(),
            Self::List(list) => list,
        }
    }
}

fn hypotheses(labels: &[&str], template: &str) -> Result<Vec<String>> {
    let [first, ..] = labels else { return Err(Error::request("parameters.candidate_labels", "at least one label is needed")) };
    if format(template, first)? == template {
        return Err(Error::request("parameters.hypothesis_template", format!("{template:?} has no {{}} where a label would go")));
    }
    labels.iter().map(|label| format(template, label)).collect()
}

/// Python's `template.format(label)`: `{}` or `{0}` is the label, `{{` and `}}` are braces.
pub(crate) fn format(template: &str, label: &str) -> Result<String> {
    let bad = |problem: &str| Error::request("parameters.hypothesis_template", format!("{template:?}: {problem}"));
    let mut text = String::new();
    let mut rest = template;
    let mut automatic = 0;
    while let Some(brace) = rest.find(['{', '}']) {
        text.push_str(&rest[..brace]);
        rest = &rest[brace..];
        if rest.starts_with("{{") || rest.starts_with("}}") {
            text.push_str(&rest[..1]);
            rest = &rest[2..];
            continue;
        }
        let field = rest.strip_prefix('{').ok_or_else(|| bad("a lone }; write }} for a brace"))?;
        let (name, after) = field.split_once('}').ok_or_else(|| bad("a lone {; write {{ for a brace"))?;
        match name {
            "" => automatic += 1,
            "0" => {}
            _ => return Err(bad("only {} and {0} stand for the label")),
        }
        if automatic > 1 {
            return Err(bad("only one {} stands for the label; repeat it as {0}"));
        }
        text.push_str(label);
        rest = after;
    }
    text.push_str(rest);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_filled_as_by_python() {
        for (template, expected) in
            [("This is {}.", "This is x."), ("{0} and {0}", "x and x"), ("{{{}}}", "{x}"), ("{{}}", "{}"), ("", ""), ("é{}é", "éxé")]
        {
            assert_eq!(format(template, "x").unwrap(), expected);
        }
        for template in ["{", "}", "{} {}", "{name}", "{1}", "a {:>3}", "{{}"] {
            assert!(format(template, "x").is_err(), "{template}");
        }
        // A label is never a template.
        assert_eq!(format("{}", "{}").unwrap(), "{}");
    }

    #[test]
    fn labels_may_be_a_list_or_a_string() {
        let labels = |value: Value| serde_json::from_value::<Labels>(value).unwrap().list();
        assert_eq!(labels(json!(" a, b c ,,")), ["a", "b c"]);
        assert_eq!(labels(json!([" a", "b,c"])), [" a", "b,c"]);
        assert!(hypotheses(&[], "{}").is_err());
        assert!(hypotheses(&["a"], "no place").is_err());
    }
}
