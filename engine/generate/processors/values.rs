//! Processors that treat every logit alike: temperature, normalization, and the removal of invalid values.

use super::{Processor, Row};
use crate::generate::log_softmax;
use crate::{Error, Result};

/// `temperature`: divides logits, so that below 1 the likely gets likelier.
#[derive(Debug, Clone)]
pub struct Temperature(f32);

impl Temperature {
    /// `temperature` must be above 0.
    pub fn new(temperature: f64) -> Result<Self> {
        if temperature > 0.0 {
            return Ok(Self(temperature as f32));
        }
        Err(Error::request("temperature", format!("must be above 0, not {temperature}; for the likeliest tokens set do_sample to false")))
    }
}

impl Processor for Temperature {
    fn process(&mut self, _: &Row<'_>, logits: &mut [f32]) -> Result<()> {
        logits.iter_mut().for_each(|x| *x /= self.0);
        Ok(())
    }
}

/// `renormalize_logits`: makes logits logarithms of probabilities again.
#[derive(Debug, Clone)]
pub struct LogitNormalization;

impl Processor for LogitNormalization {
    fn process(&mut self, _: &Row<'_>, logits: &mut [f32]) -> Result<()> {
        log_softmax(logits);
        Ok(())
    }
}

/// `remove_invalid_values`: what is not a number becomes 0, and infinities the largest numbers.
#[derive(Debug, Clone)]
pub struct RemoveInvalidValues;

impl Processor for RemoveInvalidValues {
    fn process(&mut self, _: &Row<'_>, logits: &mut [f32]) -> Result<()> {
        logits.iter_mut().for_each(|x| *x = if x.is_nan() { 0.0 } else { x.clamp(f32::MIN, f32::MAX) });
        Ok(())
    }
}
