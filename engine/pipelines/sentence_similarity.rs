//! `sentence-similarity`: how close sentences are to one.

use std::num::NonZeroUsize;

use formers_models::Head;
use ndarray::Array1;
use serde_json::{Value, json};

use super::{
    FeatureExtraction, Medium, Parameters, Pipeline, Task,
    arguments::{string_field, strings_field},
    boxed,
    feature_extraction::{Options, Pooling},
    text::keep_errors,
};
use crate::{Error, Result, model::Pretrained};

/// Compares sentences by the vectors that the checkpoint's own modules make of them.
#[derive(Debug)]
pub struct SentenceSimilarity {
    embeddings: FeatureExtraction,
}

/// A sentence, and those to compare with it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Input {
    pub source_sentence: String,
    pub sentences: Vec<String>,
}

impl SentenceSimilarity {
    /// The cosine of the angle between a sentence and each of the others.
    pub fn run(&self, source_sentence: &str, sentences: &[&str]) -> Result<Vec<f32>> {
        let sentences = sentences.iter().map(|sentence| sentence.to_string()).collect();
        self.run_many(&[Input { source_sentence: source_sentence.into(), sentences }]).swap_remove(0)
    }

    /// As [`SentenceSimilarity::run`] for many inputs, in their order; one that fails does not harm the others.
    pub fn run_many(&self, inputs: &[Input]) -> Vec<Result<Vec<f32>>> {
        self.compare(inputs, None)
    }

    fn compare(&self, inputs: &[Input], batch_size: Option<NonZeroUsize>) -> Vec<Result<Vec<f32>>> {
        let texts = inputs.iter().flat_map(|input| std::iter::once(&input.source_sentence).chain(&input.sentences));
        let texts: Vec<&str> = texts.map(String::as_str).collect();
        let mut vectors = self.embeddings.embed_many(&texts, &Options { batch_size, ..Options::new(Pooling::Model) }).into_iter();
        let mut of_one = |input: &Input| vectors.by_ref().take(1 + input.sentences.len()).collect::<Vec<_>>();
        inputs.iter().map(|input| similarities(of_one(input))).collect()
    }
}

/// The first vector with each of the others.
fn similarities(vectors: Vec<Result<Array1<f32>>>) -> Result<Vec<f32>> {
    let vectors: Vec<Array1<f32>> = vectors.into_iter().collect::<Result<_>>()?;
    match vectors.as_slice() {
        [] | [_] => Err(Error::request("inputs.sentences", "an empty list")),
        [source, others @ ..] => Ok(others.iter().map(|other| cosine(source, other)).collect()),
    }
}

fn cosine(a: &Array1<f32>, b: &Array1<f32>) -> f32 {
    let length = |vector: &Array1<f32>| vector.dot(vector).sqrt().max(1e-12);
    a.dot(b) / length(a) / length(b)
}

impl Pipeline for SentenceSimilarity {
    const TASK: Task = Task {
        id: "sentence-similarity",
        aliases: &[],
        summary: "How close sentences are to one",
        default_model: "sentence-transformers/all-MiniLM-L6-v2",
        heads: &[Head::Base],
        inputs: "an object {source_sentence, sentences}, or a list of them",
        fields: &["source_sentence", "sentences[]"],
        parameters: &["batch_size"],
        medium: Medium::Text,
        suits: super::labels::any,
        load: boxed::<Self>,
    };

    fn load(pretrained: &Pretrained) -> Result<Self> {
        Ok(Self { embeddings: FeatureExtraction::load(pretrained)? })
    }

    fn call_many(&self, inputs: &[Value], mut parameters: Parameters) -> Result<Vec<Result<Value>>> {
        let batch_size = parameters.take("batch_size")?;
        parameters.finish(Self::TASK.parameters)?;
        let parsed = inputs.iter().map(parse).collect();
        Ok(keep_errors(parsed, |inputs: Vec<&Input>| {
            let inputs: Vec<Input> = inputs.into_iter().cloned().collect();
            self.compare(&inputs, batch_size).into_iter().map(|answer| answer.map(|answer| json!(answer))).collect()
        }))
    }
}

fn parse(input: &Value) -> Result<Input> {
    Ok(Input { source_sentence: string_field(input, "source_sentence")?.into(), sentences: strings_field(input, "sentences")? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn similarity_is_the_cosine() {
        let vectors = || vec![Ok(array![3.0, 4.0]), Ok(array![4.0, -3.0]), Ok(array![-6.0, -8.0]), Ok(array![0.0, 0.0])];
        assert_eq!(similarities(vectors()).unwrap(), [0.0, -1.0, 0.0]);
        assert!(similarities(vectors().into_iter().take(1).collect()).is_err());
        assert!(similarities(Vec::new()).is_err());
    }
}
