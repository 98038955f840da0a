//! `forced_bos_token_id` and `forced_eos_token_id`: the first and the last token are given.

use super::{Processor, Row};
use crate::{Error, Result};

/// `forced_bos_token_id`: the token after a prompt of one token.
#[derive(Debug, Clone)]
pub struct ForcedBosToken(u32);

impl ForcedBosToken {
    /// The token to force.
    pub fn new(token: u32) -> Self {
        Self(token)
    }
}

impl Processor for ForcedBosToken {
    fn process(&mut self, row: &Row<'_>, logits: &mut [f32]) -> Result<()> {
        if row.history.len() == 1 { force(&[self.0], logits, "forced_bos_token_id") } else { Ok(()) }
    }
}

/// `forced_eos_token_id`: the token that makes an answer `max_length` long.
#[derive(Debug, Clone)]
pub struct ForcedEosToken {
    max_length: usize,
    tokens: Vec<u32>,
}

impl ForcedEosToken {
    /// The length, and the tokens of which one is forced.
    pub fn new(max_length: usize, tokens: &[u32]) -> Self {
        Self { max_length, tokens: tokens.to_vec() }
    }
}

impl Processor for ForcedEosToken {
    fn process(&mut self, row: &Row<'_>, logits: &mut [f32]) -> Result<()> {
        if row.history.len() + 1 == self.max_length { force(&self.tokens, logits, "forced_eos_token_id") } else { Ok(()) }
    }
}

fn force(tokens: &[u32], logits: &mut [f32], name: &str) -> Result<()> {
    if let Some(token) = tokens.iter().find(|token| **token as usize >= logits.len()) {
        return Err(Error::request(name, format!("the vocabulary has {} tokens, and there is none with the id {token}", logits.len())));
    }
    logits.fill(f32::NEG_INFINITY);
    tokens.iter().for_each(|token| logits[*token as usize] = 0.0);
    Ok(())
}
