//! `guidance_scale`: classifier-free guidance, which leads away from what the model says without the prompt.

use super::{Processor, Row};
use crate::generate::log_softmax;
use crate::{Error, Result};

/// `guidance_scale` of language models, on normalized logits.
#[derive(Debug, Clone)]
pub struct Guidance {
    scale: f32,
    unconditional: Vec<f32>,
}

impl Guidance {
    /// 1 is no guidance, above 1 leads away from the unconditional logits.
    pub fn new(scale: f64) -> Self {
        Self { scale: scale as f32, unconditional: Vec::new() }
    }
}

impl Processor for Guidance {
    fn process(&mut self, row: &Row<'_>, logits: &mut [f32]) -> Result<()> {
        let unconditional = row.unconditional.filter(|u| u.len() == logits.len());
        let unconditional = unconditional.ok_or_else(|| Error::request("guidance_scale", "there are no unconditional logits"))?;
        self.unconditional.clear();
        self.unconditional.extend_from_slice(unconditional);
        log_softmax(logits);
        log_softmax(&mut self.unconditional);
        mix_log_probs(logits, &self.unconditional, self.scale);
        Ok(())
    }
}

/// `scale · (conditional - unconditional) + unconditional` on logarithms of probabilities, in place: language models.
pub fn mix_log_probs(conditional: &mut [f32], unconditional: &[f32], scale: f32) {
    conditional.iter_mut().zip(unconditional).for_each(|(c, u)| *c = scale * (*c - u) + u);
}

/// `unconditional + (conditional - unconditional) · scale` on logits as they are, in place: models that run both halves of a batch,
/// as those for music do.
pub fn mix(conditional: &mut [f32], unconditional: &[f32], scale: f32) {
    conditional.iter_mut().zip(unconditional).for_each(|(c, u)| *c = u + (*c - u) * scale);
}
