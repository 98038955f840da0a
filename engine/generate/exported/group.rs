//! Rows of one length, which run together.

use std::borrow::Cow;

use super::inputs::Tokens;
use super::ports;
use super::{Graph, room::Room};
use crate::session::Value;
use crate::{Error, ErrorKind, Result};

/// Rows of one length with what their next run needs.
#[derive(Debug)]
pub(super) struct Group {
    /// The place of each row among those of the caller.
    pub(super) rows: Vec<usize>,
    /// How many tokens each row has.
    length: usize,
    kept: Vec<Kept>,
    /// All tokens of each row, where the graph keeps nothing.
    seen: Vec<Vec<u32>>,
    /// What the rows have besides their tokens, by the names of inputs,
    context: Vec<(String, Value)>,
    /// and which of the first rows each has it from.
    sources: Vec<usize>,
}

/// A part of the cache.
#[derive(Debug)]
pub(super) enum Kept {
    /// What a run gave, which the next one takes as it is.
    Given(Value),
    /// Where runs write it.
    Room(Room),
}

impl Group {
    /// Rows without tokens.
    pub(super) fn new(graph: &Graph<'_>, rows: Vec<usize>, context: Vec<(String, Value)>) -> Result<Self> {
        let kept = graph.parts.iter().map(|part| graph.empty(part, rows.len())).collect::<Result<_>>()?;
        Ok(Self { seen: vec![Vec::new(); rows.len()], sources: (0..rows.len()).collect(), rows, length: 0, kept, context })
    }

    /// Adds the same number of tokens to each row, and gives the logits that follow the last `keep` of them,
    /// `(rows, keep, vocabulary)`.
    pub(super) fn run(&mut self, graph: &Graph<'_>, tokens: &[&[u32]], keep: usize) -> Result<Vec<f32>> {
        let (rows, new) = (tokens.len(), tokens.first().map_or(0, |row| row.len()));
        let session = if self.length == 0 { graph.first } else { graph.next };
        let tokens = if graph.parts.is_empty() {
            self.seen.iter_mut().zip(tokens).for_each(|(seen, tokens)| seen.extend_from_slice(tokens));
            Tokens::new(&self.seen.iter().map(Vec::as_slice).collect::<Vec<_>>(), 0, keep)
        } else {
            Tokens::new(tokens, self.length, keep)
        };
        let mut inputs: Vec<(&str, Cow<'_, Value>)> = Vec::new();
        for port in session.inputs() {
            let context = self.context.iter().find(|(name, _)| *name == port.name);
            let value = match context {
                Some((_, value)) => Some(Cow::Borrowed(value)),
                None => tokens.value(port)?.map(Cow::Owned),
            };
            inputs.extend(value.map(|value| (port.name.as_str(), value)));
        }
        let total = self.length + new;
        let (mut wanted, mut written) = (vec!["logits"], Vec::new());
        for (part, kept) in graph.parts.iter().zip(&mut self.kept) {
            match (kept, part.output(self.length)) {
                (Kept::Room(room), Some(output)) => written.push((part.input.as_str(), output, room.reserve(self.length, total)?)),
                (Kept::Room(_), None) => {}
                (Kept::Given(value), output) => {
                    if session.input(&part.input).is_some() {
                        inputs.push((&part.input, Cow::Borrowed(value)));
                    }
                    wanted.extend(output);
                }
            }
        }
        let mut outputs = session.run_in_place(inputs, &mut written, Some(&wanted), None)?;
        let logits = outputs.take("logits")?;
        for (part, kept) in graph.parts.iter().zip(&mut self.kept) {
            if let (Kept::Given(value), Some(output)) = (kept, part.output(self.length)) {
                *value = outputs.take(output)?;
            }
        }
        self.length = total;
        match *logits.shape() {
            // Of many rows only the last place is ever asked for.
            [r, places, _] if r == rows && places >= keep && (rows == 1 || keep == 1) => {
                let each = (places - keep..places).map(|place| Ok(logits.at(place)?.into_iter().collect::<Vec<f32>>()));
                Ok(each.collect::<Result<Vec<_>>>()?.concat())
            }
            ref shape => {
                Err(Error::new(ErrorKind::Runtime, format!("output `logits` has shape {shape:?} for {keep} tokens of {rows} rows")))
            }
        }
    }

    /// Takes tokens back, down to so many: what lies behind them in the cache is room again.
    pub(super) fn cut(&mut self, length: usize) -> Result<()> {
        if length > self.length {
            return Err(Error::new(ErrorKind::Runtime, format!("{} tokens cannot be cut to {length}", self.length)));
        }
        self.length = length;
        self.seen.iter_mut().for_each(|seen| seen.truncate(length));
        Ok(())
    }

    /// These of its rows, at new places: `(place, row)`.
    pub(super) fn select(mut self, graph: &Graph<'_>, chosen: &[(usize, usize)]) -> Result<Self> {
        let before = self.rows.len();
        let (places, rows): (Vec<usize>, Vec<usize>) = chosen.iter().copied().unzip();
        if rows.len() != before {
            return self.selected(chosen);
        }
        if rows.iter().copied().ne(0..before) {
            let sources: Vec<usize> = rows.iter().filter_map(|row| self.sources.get(*row).copied()).collect();
            // Beams change places among themselves, but keep what they look at.
            let same = sources == self.sources;
            for (part, kept) in graph.parts.iter().zip(&mut self.kept) {
                match kept {
                    Kept::Given(_) if same && part.next.is_none() => {}
                    Kept::Given(value) => *value = ports::select(value, before, &rows)?,
                    Kept::Room(room) => room.reorder(&rows),
                }
            }
            for (_, value) in self.context.iter_mut().filter(|_| !same) {
                *value = ports::select(value, before, &rows)?;
            }
            self.seen = rows.iter().map(|row| self.seen.get(*row).cloned().unwrap_or_default()).collect();
            self.sources = sources;
        }
        Ok(Self { rows: places, ..self })
    }

    /// The same as a copy.
    pub(super) fn selected(&self, chosen: &[(usize, usize)]) -> Result<Self> {
        let before = self.rows.len();
        let (places, rows): (Vec<usize>, Vec<usize>) = chosen.iter().copied().unzip();
        let kept = self.kept.iter().map(|kept| match kept {
            Kept::Given(value) => ports::select(value, before, &rows).map(Kept::Given),
            Kept::Room(room) => room.selected(&rows).map(Kept::Room),
        });
        let context = self.context.iter().map(|(name, value)| Ok((name.clone(), ports::select(value, before, &rows)?)));
        Ok(Self {
            kept: kept.collect::<Result<_>>()?,
            context: context.collect::<Result<_>>()?,
            seen: rows.iter().map(|row| self.seen.get(*row).cloned().unwrap_or_default()).collect(),
            sources: rows.iter().filter_map(|row| self.sources.get(*row).copied()).collect(),
            rows: places,
            length: self.length,
        })
    }
}
