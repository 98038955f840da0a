//! Pictures become features.

use std::time::Duration;

use ndarray::{Array2, Array4, ArrayView2, Axis, Ix2, Ix3};
use rayon::prelude::*;
use serde_json::{Value as Json, json};

use super::Picture;
use crate::{
    Error, ErrorKind, Result,
    model::{Model, Pretrained},
    pipelines::image,
    preprocess::image::ImageProcessor,
    session::Value,
};

/// Pictures in one run of the model: more gain little, and cost memory.
const BATCH: usize = 4;
const ROLE: &str = "vision_encoder";
const FEATURES: &str = "image_features";

/// A picture's features, `(places, width)`, and the height and width that it was seen in.
pub(super) type Seen = (Array2<f32>, (usize, usize));

/// What sees pictures.
#[derive(Debug)]
pub(super) struct Vision {
    processor: ImageProcessor,
}

impl Vision {
    /// That of a model.
    ///
    /// # Errors
    /// A graph that wants more than pixels or gives no features, and an image processor that is not known.
    pub(super) fn new(pretrained: &Pretrained, model: &Model, processor: Option<&Json>) -> Result<Self> {
        let session = model.session(ROLE)?;
        session.check_inputs(&["pixel_values"])?;
        if session.output(FEATURES).is_none() {
            return Err(Error::unsupported(format!("{ROLE} gives no `{FEATURES}`")));
        }
        let preprocessor = pretrained.checkpoint.json("preprocessor_config.json")?;
        let processor = ImageProcessor::from_configs(preprocessor.as_ref(), processor, pretrained.config.model_type())?;
        Ok(Self { processor })
    }

    /// The features of pictures, in their order; `fits` refuses more places than a prompt may have.
    pub(super) fn features(
        &self,
        model: &Model,
        pictures: &[Picture<'_>],
        timeout: Option<Duration>,
        fits: impl Fn(usize) -> Result<()>,
    ) -> Result<Vec<Seen>> {
        let mut seen: Vec<Seen> = Vec::new();
        for pictures in pictures.chunks(BATCH) {
            fits(seen.iter().map(|(features, _)| features.nrows()).sum())?;
            // Pictures are processed one by one, as the reference does, and put together where their sizes agree.
            let pixels = pictures.par_iter().map(|picture| self.pixels(picture, timeout)).collect::<Result<Vec<_>>>()?;
            for alike in pixels.chunk_by(|a, b| a.shape() == b.shape()) {
                seen.extend(run(model, alike)?);
            }
        }
        Ok(seen)
    }

    fn pixels(&self, picture: &Picture<'_>, timeout: Option<Duration>) -> Result<Array4<f32>> {
        let features = match picture {
            Picture::Source(source) => self.processor.preprocess(&[image::load(&json!(source), timeout)?])?,
            Picture::Pixels(pixels) => self.processor.preprocess(std::slice::from_ref(*pixels))?,
        };
        Ok(features.pixel_values)
    }
}

/// The features of pictures of one size.
fn run(model: &Model, pixels: &[Array4<f32>]) -> Result<Vec<Seen>> {
    let views: Vec<_> = pixels.iter().map(|pixels| pixels.view()).collect();
    let failed = |message: String| Error::new(ErrorKind::Runtime, message);
    let batch = ndarray::concatenate(Axis(0), &views).map_err(|error| failed(error.to_string()))?;
    let (count, _, height, width) = batch.dim();
    let given = model.run(ROLE, vec![("pixel_values", Value::from(batch))], &[FEATURES])?;
    let features = given.f32(FEATURES)?;
    let wrong = || failed(format!("output `{FEATURES}` has shape {:?} for {count} pictures", features.shape()));
    let owned = |features: ArrayView2<'_, f32>| (features.to_owned(), (height, width));
    if let Ok(features) = features.view().into_dimensionality::<Ix3>() {
        return if features.len_of(Axis(0)) == count { Ok(features.outer_iter().map(owned).collect()) } else { Err(wrong()) };
    }
    // Some exports give the places of all pictures behind one another.
    let features = features.view().into_dimensionality::<Ix2>().map_err(|_| wrong())?;
    let places = features.nrows() / count.max(1);
    if places == 0 || places * count != features.nrows() {
        return Err(wrong());
    }
    Ok(features.axis_chunks_iter(Axis(0), places).map(owned).collect())
}
