//! Ready-made decoders: exports of Optimum, transformers.js and onnxruntime-genai, and whatever names its inputs as they do.
//!
//! A graph does not say how it wants rows of different lengths padded, so none are: rows of one length run together, each length
//! by itself. What a run gives of the cache is what the next one takes, without a copy, or is written where it lies where the graph
//! can do that. A graph without a cache runs all tokens each time.

mod group;
mod inputs;
mod ports;
mod room;

use serde_json::Value as Json;

use super::decoder::LanguageModel;
use crate::model::{InPlace, Model};
use crate::session::{Session, Value};
use crate::{Error, ErrorKind, Result};

use group::{Group, Kept};
use ports::{Heads, Part};
use room::Room;

/// A ready-made decoder with the state of some rows.
#[derive(Debug)]
pub struct ExportedDecoder<'a> {
    graph: Graph<'a>,
    groups: Vec<Group>,
    rows: usize,
    /// What the rows have besides their tokens, before there are any groups.
    context: Vec<(String, Value)>,
}

/// A decoder's sessions, and how tokens go through them.
#[derive(Debug)]
struct Graph<'a> {
    /// Runs prompts
    first: &'a Session,
    /// and single tokens: often the same one.
    next: &'a Session,
    parts: Vec<Part>,
    /// The parts that are written in place, by their inputs, with the tokens that there is room for where that never grows.
    written: Vec<(String, Option<usize>)>,
    /// Whether it takes only one row at a time.
    alone: bool,
}

impl Graph<'_> {
    /// A part of the cache of rows without tokens.
    fn empty(&self, part: &Part, rows: usize) -> Result<Kept> {
        match self.written.iter().find(|(input, _)| *input == part.input) {
            Some((_, window)) => Room::new(part, rows, *window).map(Kept::Room),
            None => part.empty(rows).map(Kept::Given),
        }
    }
}

/// The roles of a model that goes on with texts, as they are looked for: the first that has all of its own is taken.
const ROLES: &[&[&str]] = &[
    &["model"],
    &["decoder_model_merged"],
    &["decoder_model", "decoder_with_past_model"],
    &["decoder_with_past_model"],
    &["decoder_model"],
];

impl<'a> ExportedDecoder<'a> {
    /// No rows yet.
    ///
    /// # Errors
    /// Inputs that nobody fills, and a cache that does not go on from run to run.
    pub fn new(model: &'a Model, config: &Json) -> Result<Self> {
        Self::with_context(model, config, Vec::new())
    }

    /// The same, where the rows have more than their tokens: `(input, value)`, with the first rows on the first axis.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_context(model: &'a Model, config: &Json, context: Vec<(String, Value)>) -> Result<Self> {
        let has = |role: &&&str| model.roles().any(|there| there == **role);
        let roles = ROLES.iter().find(|roles| roles.iter().all(|role| has(&role)));
        let missing = || Error::unsupported(format!("there is no decoder among {}", model.roles().collect::<Vec<_>>().join(", ")));
        let (Some(first), Some(next)) = roles.map_or((None, None), |roles| (roles.first(), roles.last())) else { return Err(missing()) };
        let (first, next, role) = (model.session(first)?, model.session(next)?, *next);
        let parts = ports::parts(first, next, Heads::of(config))?;
        for session in [first, next] {
            let known = |name: &str| inputs::is_known(name) || ports::is_past(name) || context.iter().any(|(given, _)| given == name);
            let names: Vec<&str> = session.inputs().iter().map(|port| port.name.as_str()).filter(|name| known(name)).collect();
            session.check_inputs(&names)?;
            if session.output("logits").is_none() {
                return Err(Error::unsupported("a decoder gives an output `logits`, and this model does not"));
            }
        }
        let in_place = model.in_place(role);
        let written = parts.iter().filter(|part| Room::fits(part)).filter_map(|part| {
            let same =
                |place: &&InPlace| part.input == place.input && part.first == place.output && part.next.as_ref() == Some(&place.output);
            in_place.iter().find(same).map(|place| (part.input.clone(), place.window))
        });
        let written = written.collect();
        let alone = [first, next]
            .iter()
            .flat_map(|s| s.inputs())
            .any(|port| matches!(port.shape.first(), Some(crate::session::Dim::Fixed(1))) && port.name.ends_with("input_ids"));
        Ok(Self { graph: Graph { first, next, parts, written, alone }, groups: Vec::new(), rows: 0, context })
    }

    /// Puts rows with as many tokens together, and sees that each row has some.
    fn regroup(&mut self, tokens: &[&[u32]]) -> Result<()> {
        let problem = |message: &str| Err(Error::new(ErrorKind::Runtime, message.to_owned()));
        if tokens.is_empty() || tokens.iter().any(|row| row.is_empty()) {
            return problem("a row without tokens");
        }
        if self.groups.is_empty() {
            let all: Vec<usize> = (0..tokens.len()).collect();
            self.groups = vec![Group::new(&self.graph, all, std::mem::take(&mut self.context))?];
            self.rows = tokens.len();
        }
        if self.rows != tokens.len() {
            return problem("another number of rows than before");
        }
        let mut groups = Vec::with_capacity(self.groups.len());
        for group in std::mem::take(&mut self.groups) {
            groups.extend(split(group, tokens, self.graph.alone)?);
        }
        self.groups = groups;
        Ok(())
    }
}

/// A group for each number of new tokens, or for each row.
fn split(group: Group, tokens: &[&[u32]], alone: bool) -> Result<Vec<Group>> {
    let mut kinds: Vec<(usize, Vec<(usize, usize)>)> = Vec::new();
    for (row, place) in group.rows.iter().enumerate() {
        let new = tokens.get(*place).map_or(0, |tokens| tokens.len());
        match kinds.iter_mut().find(|(kind, _)| *kind == new && !alone) {
            Some((_, chosen)) => chosen.push((*place, row)),
            None => kinds.push((new, vec![(*place, row)])),
        }
    }
    if kinds.len() < 2 {
        return Ok(vec![group]);
    }
    kinds.iter().map(|(_, chosen)| group.selected(chosen)).collect()
}

impl LanguageModel for ExportedDecoder<'_> {
    fn forward(&mut self, tokens: &[&[u32]]) -> Result<Vec<f32>> {
        self.regroup(tokens)?;
        let mut logits: Vec<f32> = Vec::new();
        for group in &mut self.groups {
            let new: Vec<&[u32]> = group.rows.iter().filter_map(|place| tokens.get(*place).copied()).collect();
            let found = group.run(&self.graph, &new)?;
            let vocabulary = found.len() / group.rows.len().max(1);
            logits.resize(vocabulary * self.rows, 0.0);
            for (place, found) in group.rows.iter().zip(found.chunks(vocabulary.max(1))) {
                if let Some(row) = logits.get_mut(place * vocabulary..(place + 1) * vocabulary) {
                    row.copy_from_slice(found);
                }
            }
        }
        Ok(logits)
    }

    fn select(&mut self, rows: &[usize]) -> Result<()> {
        if rows.iter().any(|row| *row >= self.rows) {
            return Err(Error::new(ErrorKind::Runtime, "a row that is not there"));
        }
        let mut groups = Vec::with_capacity(self.groups.len());
        for group in std::mem::take(&mut self.groups) {
            let of = |(place, row): (usize, &usize)| Some((place, group.rows.iter().position(|there| there == row)?));
            let chosen: Vec<(usize, usize)> = rows.iter().enumerate().filter_map(of).collect();
            if !chosen.is_empty() {
                groups.push(group.select(&chosen)?);
            }
        }
        (self.groups, self.rows) = (groups, rows.len());
        Ok(())
    }
}
