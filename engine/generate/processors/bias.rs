//! `sequence_bias`: adds to the logits of tokens that would end a sequence; `bad_words_ids`: with minus infinity.

use std::collections::BTreeMap;

use super::{Processor, Row};
use crate::{Error, Result};

/// What the tokens that would end certain sequences get on top.
#[derive(Debug, Clone)]
pub struct SequenceBias {
    name: &'static str,
    /// The tokens before the last, the last, and what it gets.
    biases: Vec<(Vec<u32>, u32, f32)>,
    largest: u32,
}

impl SequenceBias {
    /// `sequence_bias`: a sequence given twice counts once, with its last bias, and one without tokens not at all.
    pub fn new(biases: &[(Vec<u32>, f64)]) -> Result<Self> {
        not_empty(biases, "sequence_bias")?;
        Ok(Self::named("sequence_bias", biases.iter().map(|(sequence, bias)| (sequence.as_slice(), *bias as f32))))
    }

    /// `bad_words_ids`: end tokens by themselves are no bad words.
    pub fn bad_words(words: &[Vec<u32>], eos: &[i64]) -> Result<Self> {
        let ends = |word: &[u32]| matches!(word, [token] if eos.contains(&i64::from(*token)));
        not_empty(words, "bad_words_ids")?;
        let words = words.iter().map(Vec::as_slice).filter(|word| !ends(word));
        Ok(Self::named("bad_words_ids", words.map(|word| (word, f32::NEG_INFINITY))))
    }

    fn named<'a>(name: &'static str, biases: impl Iterator<Item = (&'a [u32], f32)>) -> Self {
        let unique: BTreeMap<&[u32], f32> = biases.collect();
        let largest = unique.keys().flat_map(|sequence| sequence.iter()).copied().max().unwrap_or(0);
        let split = |(sequence, bias): (&[u32], f32)| sequence.split_last().map(|(last, before)| (before.to_vec(), *last, bias));
        Self { name, biases: unique.into_iter().filter_map(split).collect(), largest }
    }
}

impl Processor for SequenceBias {
    fn process(&mut self, row: &Row<'_>, logits: &mut [f32]) -> Result<()> {
        if self.largest as usize >= logits.len() {
            let message = format!("the vocabulary has {} tokens, and there is none with the id {}", logits.len(), self.largest);
            return Err(Error::request(self.name, message));
        }
        for (before, last, bias) in &self.biases {
            if row.history.ends_with(before) {
                logits[*last as usize] += bias;
            }
        }
        Ok(())
    }
}

fn not_empty<T>(list: &[T], name: &str) -> Result<()> {
    if list.is_empty() { Err(Error::request(name, "must not be empty")) } else { Ok(()) }
}
