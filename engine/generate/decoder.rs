//! A language model as generation sees it.

use ndarray::{Array0, Array2};

use super::cache::Cache;
use super::embedded::Embedded;
use super::states::{States, is_state};
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

    /// Adds tokens to the only row, which has some already, and gives the logits that follow each of them, `(tokens, vocabulary)`. A
    /// model may take fewer than it is given, at least the first: it has logits for as many as it took.
    ///
    /// # Errors
    /// A model that has logits only for the last token.
    fn extend(&mut self, _tokens: &[u32]) -> Result<Vec<f32>> {
        Err(Error::unsupported(
            "drafts (prompt_lookup_num_tokens, assistant_model): this model gives logits only for the last token of a run",
        ))
    }

    /// Takes tokens back from the end of the only row, down to so many.
    ///
    /// # Errors
    /// A model whose state cannot go back.
    fn cut(&mut self, _length: usize) -> Result<()> {
        Err(Error::unsupported("drafts (prompt_lookup_num_tokens, assistant_model): this model cannot take tokens back"))
    }
}

/// A decoder graph with its cache.
#[derive(Debug)]
pub struct Decoder<'a> {
    session: &'a Session,
    cache: Cache,
    states: States,
    /// How many tokens each row has.
    lengths: Vec<usize>,
    /// Whether a run never has more than one token of a row that has some already.
    steps_only: bool,
    /// The length beyond which all tokens run once more,
    anew_beyond: Option<usize>,
    /// and then these tokens of the rows; empty where that never happens.
    seen: Vec<Vec<u32>>,
    /// Whether rows were cut back below that length.
    is_stale: bool,
    /// Further inputs of every run.
    beside: Vec<(String, Value)>,
    /// What makes embeddings of tokens, where the graph reads those.
    embedded: Option<Embedded<'a>>,
}

impl<'a> Decoder<'a> {
    /// The inputs of a decoder besides its cache.
    pub(super) const INPUTS: &'static [&'static str] = &["input_ids", "attention_mask", "num_logits_to_keep"];

    /// Whether this is a graph that runs prompts and steps with one cache, which it writes in place.
    ///
    /// # Errors
    /// Inputs that nobody fills.
    pub fn check(session: &Session) -> Result<()> {
        Self::check_inputs(session, Self::INPUTS)
    }

    fn check_inputs(session: &Session, inputs: &[&str]) -> Result<()> {
        let names = session.inputs().iter().map(|port| port.name.as_str());
        let cache = names.filter(|name| name.starts_with("past_key_values.") || is_state(name));
        session.check_inputs(&inputs.iter().copied().chain(cache).collect::<Vec<_>>())?;
        if inputs.iter().any(|name| session.input(name).is_none()) {
            return Err(Error::unsupported(format!("a decoder takes {}, and this model does not", inputs.join(", "))));
        }
        Ok(())
    }

    /// No rows yet.
    pub fn new(session: &'a Session) -> Result<Self> {
        Self::check(session)?;
        Self::beside(session, Vec::new())
    }

    /// No rows yet, of a graph that reads embeddings.
    pub(super) fn embedded(session: &'a Session, embedded: Embedded<'a>) -> Result<Self> {
        Self::check_inputs(session, &[Embedded::EMBEDDINGS, "attention_mask", "num_logits_to_keep"])?;
        Ok(Self { embedded: Some(embedded), ..Self::beside(session, Vec::new())? })
    }

    /// No rows yet; with further inputs of every run.
    pub(super) fn beside(session: &'a Session, beside: Vec<(String, Value)>) -> Result<Self> {
        Ok(Self {
            session,
            cache: Cache::new(session)?,
            states: States::new(session)?,
            lengths: Vec::new(),
            steps_only: false,
            anew_beyond: None,
            seen: Vec::new(),
            is_stale: false,
            beside,
            embedded: None,
        })
    }

    /// Runs all tokens once more where a row grows beyond this length, because what the cache has of them holds no longer
    /// ([`formers_models::Architecture::anew_beyond`]).
    #[must_use]
    pub fn anew_beyond(self, length: Option<usize>) -> Self {
        Self { anew_beyond: length, ..self }
    }

    /// Goes on token by token where several at once would change what each of them sees
    /// ([`formers_models::couples_rows`]).
    #[must_use]
    pub fn steps_only(self, steps_only: bool) -> Self {
        Self { steps_only, ..self }
    }

    /// How many of so many tokens the only row takes at once: states would keep those that are taken back.
    fn takes(&self, tokens: usize) -> usize {
        let has = self.lengths.first().copied().unwrap_or(0);
        let most = match self.anew_beyond {
            // What lies beyond that length would change what is before it.
            Some(length) if (1..=length).contains(&has) => (length - has).max(1),
            Some(_) => tokens,
            None if self.steps_only || !self.states.is_empty() => 1,
            None => tokens,
        };
        tokens.min(most)
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
        self.advance(tokens, 1)
    }

    fn extend(&mut self, tokens: &[u32]) -> Result<Vec<f32>> {
        let tokens = tokens.get(..self.takes(tokens.len())).unwrap_or_default();
        self.advance(&[tokens], tokens.len())
    }

    fn cut(&mut self, length: usize) -> Result<()> {
        let [has] = self.lengths.as_mut_slice() else {
            return Err(Error::new(ErrorKind::Runtime, "tokens can be taken back from a single row only"));
        };
        if length > *has {
            return Err(Error::new(ErrorKind::Runtime, format!("{has} tokens cannot be cut to {length}")));
        }
        if length < *has && !self.states.is_empty() {
            return Err(Error::unsupported("this model keeps states of its tokens, which cannot be taken back"));
        }
        self.is_stale |= self.anew_beyond.is_some_and(|limit| (length..*has).contains(&limit));
        *has = length;
        self.seen.iter_mut().for_each(|seen| seen.truncate(length));
        Ok(())
    }

    fn select(&mut self, rows: &[usize]) -> Result<()> {
        let missing = || Error::new(ErrorKind::Runtime, "a row that is not there");
        let lengths: Option<Vec<usize>> = rows.iter().map(|row| self.lengths.get(*row).copied()).collect();
        self.lengths = lengths.ok_or_else(missing)?;
        if self.anew_beyond.is_some() {
            let seen: Option<Vec<Vec<u32>>> = rows.iter().map(|row| self.seen.get(*row).cloned()).collect();
            self.seen = seen.ok_or_else(missing)?;
        }
        self.embedded.iter_mut().for_each(|embedded| embedded.select(rows));
        self.states.select(rows)?;
        self.cache.select(rows, self.lengths.iter().copied().max().unwrap_or(0))
    }
}

impl Decoder<'_> {
    /// The further inputs of every run, to be changed.
    pub(super) fn inputs_beside(&mut self) -> &mut [(String, Value)] {
        &mut self.beside
    }

    /// Adds tokens, for the logits of so many at the end of each row; all tokens run once more where the cache holds no longer.
    fn advance(&mut self, tokens: &[&[u32]], keep: usize) -> Result<Vec<f32>> {
        if self.anew_beyond.is_none() {
            return self.run(tokens, keep);
        }
        let again = self.is_stale || self.outgrows(tokens);
        self.seen.resize(tokens.len(), Vec::new());
        self.seen.iter_mut().zip(tokens).for_each(|(seen, tokens)| seen.extend_from_slice(tokens));
        if !again {
            return self.run(tokens, keep);
        }
        (self.cache, self.states) = (Cache::new(self.session)?, States::new(self.session)?);
        (self.lengths, self.is_stale) = (Vec::new(), false);
        let seen = std::mem::take(&mut self.seen);
        let logits = self.run(&seen.iter().map(Vec::as_slice).collect::<Vec<_>>(), keep);
        self.seen = seen;
        logits
    }

    fn run(&mut self, tokens: &[&[u32]], keep: usize) -> Result<Vec<f32>> {
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
        self.states.reserve(rows)?;

        let mut ids = Array2::<i64>::zeros((rows, longest));
        let mut mask = Array2::<i64>::zeros((rows, width));
        for (row, (tokens, total)) in tokens.iter().zip(&totals).enumerate() {
            ids.row_mut(row).iter_mut().zip(*tokens).for_each(|(id, token)| *id = i64::from(*token));
            mask.row_mut(row).iter_mut().take(*total).for_each(|one| *one = 1);
        }
        let (ids, mask, kept) = (Value::from(ids), Value::from(mask), Value::from(Array0::from_elem((), keep as i64)));
        let read = match &self.embedded {
            None => ("input_ids", ids),
            Some(embedded) => (Embedded::EMBEDDINGS, embedded.of(ids, tokens, &self.lengths)?),
        };
        let inputs = [(read.0, &read.1), ("attention_mask", &mask), ("num_logits_to_keep", &kept)];
        let states = self.states.outputs();
        let wanted: Vec<&str> = std::iter::once("logits").chain(states.iter().map(String::as_str)).collect();
        let beside = self.beside.iter().map(|(name, value)| (name.as_str(), value));
        let inputs = inputs.into_iter().chain(self.states.inputs()).chain(beside);
        let mut outputs = self.session.run_in_place(inputs, &mut self.cache.bindings(), Some(&wanted), None)?;
        self.states.replace(&mut outputs)?;
        self.lengths = totals;
        let logits = outputs.f32("logits")?;
        match logits.shape() {
            [r, k, _] if (*r, *k) == (rows, keep) => {
                Ok(logits.as_slice().map_or_else(|| logits.iter().copied().collect(), <[f32]>::to_vec))
            }
            shape => problem(&format!("output `logits` has shape {shape:?} for {keep} tokens of {rows} rows")),
        }
    }
}
