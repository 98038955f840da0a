//! What classification tasks share: labels with scores, and the function that makes scores of logits.

use serde::Serialize;

use super::Parameters;
use crate::{
    Error, Result,
    config::{ClassName, ModelConfig},
    postprocess::scores::{FunctionToApply, descending},
};

/// A label and its score.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Label {
    /// The label's name in `id2label`.
    pub label: ClassName,
    /// Its score: a probability, unless [`FunctionToApply::None`] leaves the logits as they are.
    pub score: f32,
}

/// The best labels of a row of scores.
pub(crate) fn best(config: &ModelConfig, scores: &[f32], top_k: usize) -> Result<Vec<Label>> {
    let best = descending(scores).into_iter().take(top_k);
    best.map(|id| Ok(Label { label: config.labels().get(id)?.clone(), score: scores[id] })).collect()
}

/// What `config.json` asks for: nothing for a regression, a sigmoid for one label or several independent ones, else a softmax.
pub(crate) fn default_function(config: &ModelConfig) -> FunctionToApply {
    match config.problem_type() {
        Some("regression") => FunctionToApply::None,
        Some("multi_label_classification") => FunctionToApply::Sigmoid,
        _ if config.labels().count() == 1 => FunctionToApply::Sigmoid,
        _ => FunctionToApply::Softmax,
    }
}

/// What suits every checkpoint that has the head of a task.
pub(crate) fn any(_: &ModelConfig) -> bool {
    true
}

/// The parameter `function_to_apply`, in capitals or not.
pub(crate) fn function_to_apply(parameters: &mut Parameters) -> Result<Option<FunctionToApply>> {
    let Some(name) = parameters.take::<String>("function_to_apply")? else { return Ok(None) };
    let function = serde_json::from_value(name.to_lowercase().into());
    function.map(Some).map_err(|_| Error::request("parameters.function_to_apply", format!("{name:?} is none of sigmoid, softmax, none")))
}
