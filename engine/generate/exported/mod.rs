//! Ready-made decoders: exports of Optimum, transformers.js and onnxruntime-genai, and whatever names its inputs as they do.
//!
//! Rows of different lengths run together where the graph's operators tell how it wants them padded; elsewhere each length runs by
//! itself. What a run gives of the cache is what the next one takes, without a copy, or is written where it lies where the graph
//! can do that. A graph without a cache runs all tokens each time.

mod graph;
mod group;
mod inputs;
mod ports;
mod room;
mod two_sided;

use serde_json::Value as Json;

use super::decoder::LanguageModel;
use super::embedded::{Embedded, Features};
use crate::model::{Model, Padding};
use crate::session::Value;
use crate::{Error, ErrorKind, Result};

use graph::Graph;
use group::Group;
pub use two_sided::ExportedSeq2Seq;

/// A ready-made decoder with the state of some rows.
#[derive(Debug)]
pub struct ExportedDecoder<'a> {
    graph: Graph<'a>,
    groups: Vec<Group>,
    rows: usize,
    /// What the rows have besides their tokens, before there are any groups.
    context: Vec<(String, Value)>,
}

impl<'a> ExportedDecoder<'a> {
    /// No rows yet.
    ///
    /// # Errors
    /// Inputs that nobody fills, and a cache that does not go on from run to run.
    pub fn new(model: &'a Model, config: &Json) -> Result<Self> {
        Self::beside(model, config, Vec::new())
    }

    /// The same, where another graph looks tokens up, and in the places of one of them there are features.
    ///
    /// # Errors
    /// As [`ExportedDecoder::new`], and a model that has no such graph.
    pub fn embedded(model: &'a Model, config: &Json, features: Option<Features>) -> Result<Self> {
        Embedded::new(model, None)?;
        let mut decoder = Self::new(model, config)?;
        decoder.graph.features = features;
        Ok(decoder)
    }

    /// The same, where the first rows have more than their tokens: `(input, value)`, with the rows on the first axis.
    fn beside(model: &'a Model, config: &Json, context: Vec<(String, Value)>) -> Result<Self> {
        let names: Vec<&str> = context.iter().map(|(name, _)| name.as_str()).collect();
        Ok(Self { graph: Graph::new(model, config, &names)?, groups: Vec::new(), rows: 0, context })
    }

    /// The only row, of a graph that can go back.
    fn only(&mut self) -> Result<&mut Group> {
        if !self.graph.goes_back() {
            return Err(Error::unsupported(
                "drafts (prompt_lookup_num_tokens, assistant_model): the cache of this ready-made model grows with each run and cannot be cut back",
            ));
        }
        match self.groups.as_mut_slice() {
            [group] if group.rows.len() == 1 => Ok(group),
            _ => Err(Error::new(ErrorKind::Runtime, "tokens can be added several at once, or taken back, for a single row only")),
        }
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
            groups.extend(split(group, tokens, &self.graph)?);
        }
        self.groups = groups;
        Ok(())
    }

    /// The logits that follow each row's last token.
    fn run(&mut self, tokens: &[&[u32]]) -> Result<Vec<f32>> {
        let mut logits: Vec<f32> = Vec::new();
        for group in &mut self.groups {
            let new: Vec<&[u32]> = group.rows.iter().filter_map(|place| tokens.get(*place).copied()).collect();
            let found = group.run(&self.graph, &new, 1)?;
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
}

/// A group for each number of new tokens where nothing may be padded, or for each row.
fn split(group: Group, tokens: &[&[u32]], graph: &Graph<'_>) -> Result<Vec<Group>> {
    let mut kinds: Vec<(usize, Vec<(usize, usize)>)> = Vec::new();
    for (row, place) in group.rows.iter().enumerate() {
        let new = tokens.get(*place).map_or(0, |tokens| tokens.len());
        // Prompts may differ; later every row has one more.
        let together = |kind: usize| !graph.alone && (kind == new || (graph.padding != Padding::None && group.is_new()));
        match kinds.iter_mut().find(|(kind, _)| together(*kind)) {
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
        let context = self.groups.is_empty().then(|| self.context.clone());
        self.regroup(tokens)?;
        let logits = self.run(tokens)?;
        match context {
            // A graph that makes no numbers of padding shows it at once: its rows run apart then.
            Some(context) if self.graph.padding != Padding::None && logits.iter().any(|logit| logit.is_nan()) => {
                (self.graph.padding, self.groups, self.context) = (Padding::None, Vec::new(), context);
                self.regroup(tokens)?;
                self.run(tokens)
            }
            _ => Ok(logits),
        }
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
                groups.push(group.select(&self.graph, &chosen)?);
            }
        }
        (self.groups, self.rows) = (groups, rows.len());
        Ok(())
    }

    fn extend(&mut self, tokens: &[u32]) -> Result<Vec<f32>> {
        self.only()?;
        self.regroup(&[tokens])?;
        let Self { graph, groups, .. } = self;
        groups.iter_mut().map(|group| group.run(graph, &[tokens], tokens.len())).next().unwrap_or_else(|| Ok(Vec::new()))
    }

    fn cut(&mut self, length: usize) -> Result<()> {
        self.only()?.cut(length)
    }
}
