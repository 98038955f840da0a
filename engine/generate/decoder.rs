//! A language model as generation sees it.

use ndarray::{Array0, Array2};

use super::cache::Cache;
use crate::session::{Session, Value};
use crate::{Error, ErrorKind, Result};

/// A language model with the state of some rows.
pub trait LanguageModel {
    /// Adds tokens to each row, at least one, and gives the logits that follow the last of each, `(rows, vocabulary)`. The first
    /// call makes the rows.
    fn forward(&mut self, tokens: &[&[u32]]) -> Result<Vec<f32>>;

    /// Row `i` goes on from what row `rows[i]` was.
    fn select(&mut self, rows: &[usize]) -> Result<()>;

    /// What the encoder read for each row of the first call, padding included; nothing for models without one.
    fn sources(&self) -> &[Vec<u32>] {
        &[]
    }
}

/// A decoder graph with its cache.
#[derive(Debug)]
pub struct Decoder<'a> {
    session: &'a Session,
    cache: Cache,
    /// How many tokens each row has.
    lengths: Vec<usize>,
    /// The length beyond which all tokens run once more,
    anew_beyond: Option<usize>,
    /// and then these tokens of the rows; empty where that never happens.
    seen: Vec<Vec<u32>>,
}

impl<'a> Decoder<'a> {
    /// The inputs of a decoder besides its cache.
    const INPUTS: &'static [&'static str] = &["input_ids", "attention_mask", "num_logits_to_keep"];

    /// Whether this is a graph that runs prompts and steps with one cache, which it writes in place.
    ///
    /// # Errors
    /// Inputs that nobody fills.
    pub fn check(session: &Session) -> Result<()> {
        let cache = session.inputs().iter().map(|port| port.name.as_str()).filter(|name| name.starts_with("past_key_values."));
        session.check_inputs(&Self::INPUTS.iter().copied().chain(cache).collect::<Vec<_>>())?;
        if Self::INPUTS.iter().any(|name| session.input(name).is_none()) {
            return Err(Error::unsupported(format!("a decoder takes {}, and this model does not", Self::INPUTS.join(", "))));
        }
        Ok(())
    }

    /// No rows yet.
    pub fn new(session: &'a Session) -> Result<Self> {
        Self::check(session)?;
        Ok(Self { session, cache: Cache::new(session)?, lengths: Vec::new(), anew_beyond: None, seen: Vec::new() })
    }

    /// Runs all tokens once more where a row grows beyond this length, because what the cache has of them holds no longer
    /// ([`formers_models::anew_beyond`]).
    #[must_use]
    pub fn anew_beyond(self, length: Option<usize>) -> Self {
        Self { anew_beyond: length, ..self }
    }

    /// Whether rows grow beyond the length up to which the cache holds.
    fn outgrows(&self, tokens: &[&[u32]]) -> bool {
        let most = |lengths: &mut dyn Iterator<Item = usize>| lengths.max().unwrap_or(0);
        let before = most(&mut self.lengths.iter().copied());
        let after = most(&mut self.lengths.iter().zip(tokens).map(|(length, row)| length + row.len()));
        self.anew_beyond.is_some_and(|length| (1..=length).contains(&before) && after > length)
    }
}

impl LanguageModel for Decoder<'_> {
    fn forward(&mut self, tokens: &[&[u32]]) -> Result<Vec<f32>> {
        if self.anew_beyond.is_none() {
            return self.run(tokens);
        }
        let again = self.outgrows(tokens);
        self.seen.resize(tokens.len(), Vec::new());
        self.seen.iter_mut().zip(tokens).for_each(|(seen, tokens)| seen.extend_from_slice(tokens));
        if !again {
            return self.run(tokens);
        }
        (self.cache, self.lengths) = (Cache::new(self.session)?, Vec::new());
        let seen = std::mem::take(&mut self.seen);
        let logits = self.run(&seen.iter().map(Vec::as_slice).collect::<Vec<_>>());
        self.seen = seen;
        logits
    }

    fn select(&mut self, rows: &[usize]) -> Result<()> {
        let missing = || Error::new(ErrorKind::Runtime, "a row that is not there");
        let lengths: Option<Vec<usize>> = rows.iter().map(|row| self.lengths.get(*row).copied()).collect();
        self.lengths = lengths.ok_or_else(missing)?;
        if self.anew_beyond.is_some() {
            let seen: Option<Vec<Vec<u32>>> = rows.iter().map(|row| self.seen.get(*row).cloned()).collect();
            self.seen = seen.ok_or_else(missing)?;
        }
        self.cache.select(rows)
    }
}

impl Decoder<'_> {
    fn run(&mut self, tokens: &[&[u32]]) -> Result<Vec<f32>> {
        let rows = tokens.len();
        let longest = tokens.iter().map(|row| row.len()).max().unwrap_or(0);
        let problem = |message: &str| Err(Error::new(ErrorKind::Runtime, message.to_owned()));
        if tokens.iter().any(|row| row.is_empty()) || rows == 0 {
            return problem("a row without tokens");
        }
        if self.lengths.is_empty() {
            self.lengths = vec![0; rows];
        } else if self.lengths.len() != rows {
            return problem("another number of rows than before");
        } else if longest > 1 && rows > 1 {
            return problem("several tokens at once for several rows that have some already");
        }
        let totals: Vec<usize> = self.lengths.iter().zip(tokens).map(|(length, row)| length + row.len()).collect();
        let width = self.lengths.iter().max().unwrap_or(&0) + longest;
        self.cache.reserve(rows, width)?;

        let mut ids = Array2::<i64>::zeros((rows, longest));
        let mut mask = Array2::<i64>::zeros((rows, width));
        for (row, (tokens, total)) in tokens.iter().zip(&totals).enumerate() {
            ids.row_mut(row).iter_mut().zip(*tokens).for_each(|(id, token)| *id = i64::from(*token));
            mask.row_mut(row).iter_mut().take(*total).for_each(|one| *one = 1);
        }
        let inputs = [
            ("input_ids", Value::from(ids)),
            ("attention_mask", Value::from(mask)),
            ("num_logits_to_keep", Value::from(Array0::from_elem((), 1_i64))),
        ];
        let outputs = self.session.run_in_place(inputs, &mut self.cache.bindings(), Some(&["logits"]), None)?;
        self.lengths = totals;
        let logits = outputs.f32("logits")?;
        match logits.shape() {
            [r, 1, _] if *r == rows => Ok(logits.iter().copied().collect()),
            shape => problem(&format!("output `logits` has shape {shape:?} for {rows} rows")),
        }
    }
}
