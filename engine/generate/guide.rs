//! The other half of guidance: what the model says without the prompt, or with a negative one in its place.

use super::decoder::LanguageModel;
use crate::{Error, Result};

/// A model that runs the same new tokens after another prompt. In beam search its rows do not follow their beams, as in the reference.
pub(super) struct Guide<M> {
    model: M,
    /// The logits of each row, or of each token where several of one row ran.
    pub(super) logits: Vec<f32>,
    /// How much longer its first row is than that of the model.
    longer: isize,
}

impl<M: LanguageModel> Guide<M> {
    /// Starts from the last token of each prompt, or from the negative prompt; each has `count` rows.
    pub(super) fn new(mut model: M, prompts: &[&[u32]], negative: Option<&[u32]>, count: usize) -> Result<Self> {
        if !model.sources().is_empty() {
            return Err(Error::request("guidance_scale", "a model that has read a text already cannot be led away from it"));
        }
        let start = |prompt: &&[u32]| {
            let last = prompt.get(prompt.len().saturating_sub(1)..).unwrap_or_default();
            negative.unwrap_or(last).to_vec()
        };
        let starts: Vec<Vec<u32>> = prompts.iter().map(start).collect();
        if starts.iter().any(Vec::is_empty) {
            return Err(Error::request("negative_prompt_ids", "must not be empty"));
        }
        let mut logits = model.forward(&starts.iter().map(Vec::as_slice).collect::<Vec<_>>())?;
        if count > 1 {
            model.select(&(0..prompts.len() * count).map(|row| row / count).collect::<Vec<_>>())?;
            let vocabulary = logits.len() / prompts.len().max(1);
            logits = logits.chunks(vocabulary.max(1)).flat_map(|row| row.repeat(count)).collect();
        }
        let longer = starts.iter().zip(prompts).next().map_or(0, |(start, prompt)| start.len() as isize - prompt.len() as isize);
        Ok(Self { model, logits, longer })
    }

    /// Goes on with some of the rows.
    pub(super) fn select(&mut self, rows: &[usize]) -> Result<()> {
        self.model.select(rows)
    }

    /// The next token of each row.
    pub(super) fn forward(&mut self, tokens: &[&[u32]]) -> Result<()> {
        self.logits = self.model.forward(tokens)?;
        Ok(())
    }

    /// Several tokens of the only row, of which it may take fewer.
    pub(super) fn extend(&mut self, tokens: &[u32]) -> Result<()> {
        self.logits = self.model.extend(tokens)?;
        Ok(())
    }

    /// Takes back what the model takes back to such a length.
    pub(super) fn cut(&mut self, length: usize) -> Result<()> {
        self.model.cut(length.saturating_add_signed(self.longer))
    }
}
