//! `image-classification`: labels for a picture.

use std::num::NonZeroUsize;

use formers_models::Head;
use serde_json::{Value, json};

use super::{
    Medium, Parameters, Pipeline, Task, boxed,
    image::ImageModel,
    labels::{self, Label},
};
use crate::{Result, model::Pretrained, postprocess::scores::FunctionToApply, preprocess::image::RgbImage};

/// Labels for pictures.
#[derive(Debug)]
pub struct ImageClassification {
    model: ImageModel,
}

/// How to classify.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many labels, best first; negative to leave out as many of the worst.
    pub top_k: i64,
    /// What makes scores of logits; by default what `config.json` asks for, as in text classification.
    pub function_to_apply: Option<FunctionToApply>,
    /// So many pictures run at once at most, `None` for as many as are good.
    pub batch_size: Option<NonZeroUsize>,
}

impl Default for Options {
    fn default() -> Self {
        Self { top_k: 5, function_to_apply: None, batch_size: None }
    }
}

impl ImageClassification {
    /// The five best labels of a picture: a path, an http(s) address, a `data:` URL or base64.
    pub fn run(&self, image: &str) -> Result<Vec<Label>> {
        let image = super::image::load(&json!(image), None)?;
        self.run_many(vec![Ok(image)], &Options::default()).swap_remove(0)
    }

    /// The labels of many pictures, in their order; one that fails does not harm the others.
    pub fn run_many(&self, images: Vec<Result<RgbImage>>, options: &Options) -> Vec<Result<Vec<Label>>> {
        self.labels(images.into_iter().map(|image| || image), options)
    }

    fn labels(
        &self,
        images: impl IntoIterator<Item = impl FnOnce() -> Result<RgbImage> + Send>,
        options: &Options,
    ) -> Vec<Result<Vec<Label>>> {
        let function = options.function_to_apply.unwrap_or_else(|| labels::default_function(&self.model.config));
        self.model.run(options.batch_size, images, "logits", |logits| {
            let scores = function.of(&logits.iter().copied().collect::<Vec<_>>());
            let count = scores.len() as i64;
            let top_k = if options.top_k < 0 { (count + options.top_k).max(0) } else { options.top_k.min(count) };
            labels::best(&self.model.config, &scores, top_k as usize)
        })
    }
}

impl Pipeline for ImageClassification {
    const TASK: Task = Task {
        id: "image-classification",
        aliases: &[],
        summary: "Labels for a picture",
        default_model: "google/vit-base-patch16-224",
        heads: &[Head::ImageClassification],
        inputs: "a picture (path, http(s) address, data: URL or base64), or a list of them",
        fields: &[],
        parameters: &["top_k", "function_to_apply", "timeout", "batch_size"],
        medium: Medium::Image,
        suits: super::labels::any,
        load: boxed::<Self>,
    };

    fn load(pretrained: &Pretrained) -> Result<Self> {
        Ok(Self { model: ImageModel::load(pretrained, Head::ImageClassification)? })
    }

    fn call_many(&self, inputs: &[Value], mut parameters: Parameters) -> Result<Vec<Result<Value>>> {
        let options = Options {
            top_k: parameters.take("top_k")?.unwrap_or(5),
            function_to_apply: labels::function_to_apply(&mut parameters)?,
            batch_size: parameters.take("batch_size")?,
        };
        let timeout = parameters.take_seconds("timeout")?;
        parameters.finish(Self::TASK.parameters)?;
        let answers = self.labels(inputs.iter().map(|input| move || super::image::load(input, timeout)), &options);
        Ok(answers.into_iter().map(|labels| labels.map(|l| json!(l))).collect())
    }
}
