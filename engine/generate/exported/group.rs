//! Rows that run together.

use std::borrow::Cow;

use super::inputs::Tokens;
use super::ports;
use super::{Graph, room::Room};
use crate::model::Padding;
use crate::session::Value;
use crate::{Error, ErrorKind, Result};

/// Rows with what their next run needs.
#[derive(Debug)]
pub(super) struct Group {
    /// The place of each row among those of the caller.
    pub(super) rows: Vec<usize>,
    /// How many tokens each row has,
    lengths: Vec<usize>,
    /// and how many places the cache has for them.
    width: usize,
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
        Ok(Self {
            lengths: vec![0; rows.len()],
            width: 0,
            seen: vec![Vec::new(); rows.len()],
            sources: (0..rows.len()).collect(),
            rows,
            kept,
            context,
        })
    }

    /// Whether its rows have no tokens yet.
    pub(super) fn is_new(&self) -> bool {
        self.width == 0
    }

    /// Adds tokens to each row, the same number where nothing may be padded, and gives the logits that follow the last `keep` of
    /// them, `(rows, keep, vocabulary)`.
    pub(super) fn run(&mut self, graph: &Graph<'_>, tokens: &[&[u32]], keep: usize) -> Result<Vec<f32>> {
        let rows = tokens.len();
        let (first, lengths, past) = (self.width == 0, self.lengths.clone(), self.width);
        let session = if first { graph.first } else { graph.next };
        self.lengths.iter_mut().zip(tokens).for_each(|(length, tokens)| *length += tokens.len());
        self.seen.iter_mut().zip(tokens).for_each(|(seen, tokens)| seen.extend_from_slice(tokens));
        let (whole, none) = (self.seen.iter().map(Vec::as_slice).collect::<Vec<_>>(), vec![0; rows]);
        // Without a cache all tokens run each time.
        let (tokens, lengths, past) = if graph.parts.is_empty() { (&*whole, &none, 0) } else { (tokens, &lengths, past) };
        // Where shorter rows end before the last place, their last token's logits are further in front.
        let shortest = tokens.iter().map(|row| row.len()).min().unwrap_or(0);
        let mut tokens = Tokens { rows: tokens, lengths, past, padding: graph.padding, keep };
        let longest = tokens.width();
        let early = |row: &[u32]| if graph.padding == Padding::Right { longest - row.len() } else { 0 };
        tokens.keep += if graph.padding == Padding::Right { longest - shortest } else { 0 };
        let total = past + longest;

        let embedded = graph.embedded(&tokens, &self.sources)?;
        let mut inputs: Vec<(&str, Cow<'_, Value>)> = Vec::new();
        for port in session.inputs() {
            let given = self.context.iter().chain(&embedded).find(|(name, _)| *name == port.name);
            let value = match given {
                Some((_, value)) => Some(Cow::Borrowed(value)),
                None => tokens.value(port)?.map(Cow::Owned),
            };
            inputs.extend(value.map(|value| (port.name.as_str(), value)));
        }
        let (mut wanted, mut written) = (vec!["logits"], Vec::new());
        for (part, kept) in graph.parts.iter().zip(&mut self.kept) {
            match (kept, part.output(first)) {
                (Kept::Room(room), Some(output)) => written.push((part.input.as_str(), output, room.reserve(past, total)?)),
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
            if let (Kept::Given(value), Some(output)) = (kept, part.output(first)) {
                *value = outputs.take(output)?;
            }
        }
        self.width = total;
        let ends: Vec<usize> = tokens.rows.iter().map(|row| early(row)).collect();
        last(&logits, &ends, keep)
    }

    /// Takes tokens back from its only row, down to so many: what lies behind them in the cache is room again.
    pub(super) fn cut(&mut self, length: usize) -> Result<()> {
        if let Some(has) = self.lengths.iter().find(|has| length > **has) {
            return Err(Error::new(ErrorKind::Runtime, format!("{has} tokens cannot be cut to {length}")));
        }
        self.lengths.fill(length);
        self.width = length;
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
            self.lengths = self.lengths_of(&rows);
        }
        Ok(Self { rows: places, ..self })
    }

    fn lengths_of(&self, rows: &[usize]) -> Vec<usize> {
        rows.iter().filter_map(|row| self.lengths.get(*row).copied()).collect()
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
            lengths: self.lengths_of(&rows),
            width: self.width,
        })
    }
}

/// The logits of so many places at the end of each row, which comes so many places before the last.
fn last(logits: &Value, ends: &[usize], keep: usize) -> Result<Vec<f32>> {
    let mut found = Vec::new();
    for (row, early) in ends.iter().enumerate() {
        let last = logits.shape().get(1).and_then(|places| places.checked_sub(*early)).filter(|last| *last >= keep);
        let (Some(last), true) = (last, logits.shape().first() == Some(&ends.len())) else {
            let problem = format!("output `logits` has shape {:?} for {keep} tokens of {} rows", logits.shape(), ends.len());
            return Err(Error::new(ErrorKind::Runtime, problem));
        };
        for place in last - keep..last {
            found.extend(logits.at(row, place)?);
        }
    }
    Ok(found)
}
