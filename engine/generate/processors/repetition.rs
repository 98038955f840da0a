//! `repetition_penalty`: makes what has been said less likely; `encoder_repetition_penalty`: makes what was read likelier.

use super::{Processor, Row, logit_of};
use crate::{Error, Result};

/// `repetition_penalty`: once for each token of the history, padding left out.
#[derive(Debug, Clone)]
pub struct RepetitionPenalty {
    penalty: f32,
    prompt_ignore_length: usize,
    seen: Seen,
}

impl RepetitionPenalty {
    /// `penalty` must be above 0; above 1 discourages, below 1 encourages.
    pub fn new(penalty: f64) -> Result<Self> {
        Ok(Self { penalty: above_zero(penalty, "repetition_penalty")? as f32, prompt_ignore_length: 0, seen: Seen::default() })
    }

    /// Leaves out so many tokens at the beginning of the history.
    #[must_use]
    pub fn with_prompt_ignore_length(mut self, tokens: usize) -> Self {
        self.prompt_ignore_length = tokens;
        self
    }
}

impl Processor for RepetitionPenalty {
    fn process(&mut self, row: &Row<'_>, logits: &mut [f32]) -> Result<()> {
        let history = row.history.get(row.padding.max(self.prompt_ignore_length)..).unwrap_or_default();
        self.seen.penalize(history, self.penalty, logits);
        Ok(())
    }
}

/// `encoder_repetition_penalty`: the inverse penalty for the tokens of the input.
#[derive(Debug, Clone)]
pub struct EncoderRepetitionPenalty {
    penalty: f32,
    encoder: Vec<Vec<u32>>,
    rows_per_input: usize,
    seen: Seen,
}

impl EncoderRepetitionPenalty {
    /// `penalty` must be above 0; above 1 favours the tokens of the input.
    pub fn new(penalty: f64, encoder_input_ids: &[Vec<u32>], rows_per_input: usize) -> Result<Self> {
        let penalty = (1.0 / above_zero(penalty, "encoder_repetition_penalty")?) as f32;
        Ok(Self { penalty, encoder: encoder_input_ids.to_vec(), rows_per_input: rows_per_input.max(1), seen: Seen::default() })
    }
}

impl Processor for EncoderRepetitionPenalty {
    fn process(&mut self, row: &Row<'_>, logits: &mut [f32]) -> Result<()> {
        let tokens = self.encoder.get(row.index / self.rows_per_input).map(Vec::as_slice).unwrap_or_default();
        self.seen.penalize(tokens, self.penalty, logits);
        Ok(())
    }
}

/// Which tokens had their penalty; kept between steps so that nothing is allocated.
#[derive(Debug, Clone, Default)]
struct Seen(Vec<bool>);

impl Seen {
    fn penalize(&mut self, tokens: &[u32], penalty: f32, logits: &mut [f32]) {
        self.0.resize(logits.len(), false);
        for token in tokens {
            let Some(seen) = self.0.get_mut(*token as usize) else { continue };
            if !std::mem::replace(seen, true)
                && let Some(x) = logit_of(logits, i64::from(*token))
            {
                *x = if *x < 0.0 { *x * penalty } else { *x / penalty };
            }
        }
        for token in tokens {
            if let Some(seen) = self.0.get_mut(*token as usize) {
                *seen = false;
            }
        }
    }
}

fn above_zero(penalty: f64, name: &str) -> Result<f64> {
    if penalty > 0.0 {
        return Ok(penalty);
    }
    Err(Error::request(name, format!("must be above 0, not {penalty}")))
}
