//! What image tasks share: loading pictures, batches of one size, outputs by picture.

use std::num::NonZeroUsize;
use std::time::Duration;

use formers_converters::parallel;
use formers_models::Head;
use ndarray::{ArrayD, ArrayViewD, Axis};
use rayon::prelude::*;
use serde_json::Value as Json;

use super::{arguments::string, fixed::Fixed};
use crate::{
    Error, ErrorKind, Result,
    config::ModelConfig,
    model::{Model, Pretrained},
    preprocess::{
        image::{ImageFeatures, ImageProcessor, RgbImage, decode_rgb},
        media,
    },
    session::Value,
};

/// Pictures in one run of the model: more gain little, and cost memory.
const BATCH: usize = 8;

/// An image processor and a model with a head.
#[derive(Debug)]
pub(crate) struct ImageModel {
    pub(crate) config: ModelConfig,
    processor: ImageProcessor,
    model: Model,
    /// What its graph takes no other batches than.
    fixed: Fixed,
}

impl ImageModel {
    pub(crate) fn load(pretrained: &Pretrained, head: Head) -> Result<Self> {
        let model = pretrained.model(head)?;
        let checkpoint = &pretrained.checkpoint;
        let session = model.session("model")?;
        session.check_inputs(&["pixel_values"]).map_err(|e| e.at(checkpoint.name()))?;
        if session.is_own() && head == Head::ImageClassification {
            pretrained.config.labels().check(session.output("logits")).map_err(|e| e.at(checkpoint.name()))?;
        }
        let fixed = Fixed::of_pictures(session.input("pixel_values")).map_err(|e| e.at(checkpoint.name()))?;
        let (preprocessor, processor) = (checkpoint.json("preprocessor_config.json")?, checkpoint.json("processor_config.json")?);
        let processor = ImageProcessor::from_configs(preprocessor.as_ref(), processor.as_ref(), pretrained.config.model_type())
            .map_err(|e| e.at(checkpoint.name()))?;
        Ok(Self { config: pretrained.config.clone(), processor, model, fixed })
    }

    /// Runs every picture and reads its row of an output, no more than `batch_size` at once; results are in the order of the pictures, and
    /// one that fails does not harm the others. Pictures are taken when their turn comes.
    pub(crate) fn run<T>(
        &self,
        batch_size: Option<NonZeroUsize>,
        images: impl IntoIterator<Item = impl FnOnce() -> Result<RgbImage> + Send>,
        output: &str,
        read: impl Fn(ArrayViewD<f32>) -> Result<T>,
    ) -> Vec<Result<T>> {
        let most = batch_size.map_or(BATCH, NonZeroUsize::get);
        let most = self.fixed.rows.map_or(most, |rows| most.min(rows));
        let mut results = Vec::new();
        let mut images = images.into_iter().peekable();
        while images.peek().is_some() {
            // Pictures are processed one by one, as the reference does, and only then put together where their sizes agree.
            let chunk: Vec<_> = images.by_ref().take(most).collect();
            let prepared: Vec<Result<ImageFeatures>> =
                parallel(|| chunk.into_par_iter().map(|image| image().and_then(|image| self.processor.preprocess(&[image]))).collect());
            results.extend(self.run_chunk(prepared, output, &read));
        }
        results
    }

    fn run_chunk<T>(
        &self,
        prepared: Vec<Result<ImageFeatures>>,
        output: &str,
        read: &impl Fn(ArrayViewD<f32>) -> Result<T>,
    ) -> Vec<Result<T>> {
        let good: Vec<_> = prepared.iter().filter_map(|p| p.as_ref().ok().map(|f| f.pixel_values.view())).collect();
        if good.len() > 1
            && let Ok(batch) = ndarray::concatenate(Axis(0), &good)
            && let Ok(answers) = self.forward(batch.into_dyn(), good.len(), output, read)
        {
            let mut answers = answers.into_iter();
            let lost = || Err(Error::new(ErrorKind::Runtime, "a picture was left out of its batch"));
            return prepared.into_iter().map(|p| p.and_then(|_| answers.next().unwrap_or_else(lost))).collect();
        }
        // One by one: a lone picture, sizes that differ, or one that spoils the batch.
        let alone = |features: ImageFeatures| self.forward(features.pixel_values.into_dyn(), 1, output, read)?.swap_remove(0);
        prepared.into_iter().map(|p| p.and_then(alone)).collect()
    }

    fn forward<T>(
        &self,
        pixel_values: ArrayD<f32>,
        count: usize,
        output: &str,
        read: &impl Fn(ArrayViewD<f32>) -> Result<T>,
    ) -> Result<Vec<Result<T>>> {
        let pixel_values = self.fixed.filled(&pixel_values).unwrap_or(pixel_values);
        let rows = pixel_values.len_of(Axis(0));
        let outputs = self.model.run("model", vec![("pixel_values", Value::from(pixel_values))], &[output])?;
        let array = outputs.f32(output)?;
        if array.ndim() < 2 || array.len_of(Axis(0)) != rows {
            let message = format!("output {output:?} has shape {:?} for {count} pictures", array.shape());
            return Err(Error::new(ErrorKind::Runtime, message));
        }
        Ok(array.outer_iter().take(count).map(read).collect())
    }
}

/// The picture that a string stands for; a server may be silent for `timeout`.
pub(crate) fn load(input: &Json, timeout: Option<Duration>) -> Result<RgbImage> {
    let media = media::read_within(string(input)?, timeout)?;
    decode_rgb(&media.bytes, &media.name)
}
