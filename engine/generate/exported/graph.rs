//! The sessions of a decoder, and how tokens go through them.

use serde_json::Value as Json;

use super::group::Kept;
use super::ports::{self, Heads, Part};
use super::{inputs, inputs::Tokens, room::Room};
use crate::generate::embedded::{Embedded, Features};
use crate::model::{InPlace, Model, Padding};
use crate::session::{Dim, Port, Session, Value};
use crate::{Error, Result};

/// The roles of a decoder's files, as they are looked for: the first that are all there are taken.
const ROLES: &[&[&str]] = &[
    &["model"],
    &["decoder_model_merged"],
    &["decoder_model", "decoder_with_past_model"],
    &["decoder_with_past_model"],
    &["decoder_model"],
    &["prefill", "decode"],
];

/// A decoder's sessions with the parts of its cache.
#[derive(Debug)]
pub(super) struct Graph<'a> {
    /// Runs prompts
    pub(super) first: &'a Session,
    /// and single tokens: often the same one.
    pub(super) next: &'a Session,
    /// Looks up what they take in place of tokens.
    pub(super) embed: Option<&'a Session>,
    /// What is read in the places of one token.
    pub(super) features: Option<Features>,
    pub(super) parts: Vec<Part>,
    /// The parts that are written in place, by their inputs, with the tokens that there is room for where that never grows.
    written: Vec<(String, Option<usize>)>,
    /// Whether it takes only one row at a time.
    pub(super) alone: bool,
    /// How rows of different lengths run together.
    pub(super) padding: Padding,
}

impl<'a> Graph<'a> {
    /// The decoder among a model's parts; the caller fills the inputs `beside`.
    pub(super) fn new(model: &'a Model, config: &Json, beside: &[&str]) -> Result<Self> {
        let is_there = |role: &&str| model.roles().any(|there| there == *role);
        let roles = ROLES.iter().find(|roles| roles.iter().all(is_there));
        let (Some(role), Some(last)) = roles.map_or((None, None), |roles| (roles.first(), roles.last())) else {
            let there: Vec<&str> = model.roles().collect();
            return Err(Error::unsupported(format!("there is no decoder among {}", there.join(", "))));
        };
        let (first, next) = (model.session(role)?, model.session(last)?);
        let embed = model.session(Embedded::TABLE).ok();
        let found = embed.into_iter().flat_map(Session::outputs).map(|port| port.name.as_str());
        let beside: Vec<&str> = beside.iter().copied().chain(found).collect();
        for session in [first, next] {
            check(session, &beside)?;
        }
        if let Some(embed) = embed {
            embed.check_inputs(&["input_ids"])?;
        }
        let parts = ports::parts(first, next, Heads::of(config))?;
        let in_place = model.wiring(last).map_or(&[][..], |wiring| &wiring.in_place);
        let written = parts.iter().filter(|part| Room::fits(part)).filter_map(|part| {
            let same =
                |place: &&InPlace| part.input == place.input && part.first == place.output && part.next.as_ref() == Some(&place.output);
            in_place.iter().find(same).map(|place| (part.input.clone(), place.window))
        });
        let one_row = |port: &&Port| port.name.ends_with("input_ids") && port.shape.first() == Some(&Dim::Fixed(1));
        let alone = [first, next].into_iter().flat_map(Session::inputs).find(one_row).is_some();
        let written: Vec<_> = written.collect();
        // A state has no places that could be padding, and of two graphs both must agree.
        let wiring = [role, last].map(|role| model.wiring(role).map_or(Padding::None, |wiring| wiring.padding));
        let padding = if wiring[0] == wiring[1] && parts.iter().all(Part::grows) { wiring[0] } else { Padding::None };
        Ok(Self { first, next, embed, features: None, written, parts, alone, padding })
    }

    /// Whether what runs leave can be cut back: by forgetting tokens, or the lengths alone.
    pub(super) fn goes_back(&self) -> bool {
        self.parts.iter().all(|part| self.written.iter().any(|(input, window)| *input == part.input && window.is_none()))
    }

    /// What the decoder takes in place of tokens, where another graph looks that up. Prompts have the features of the first rows that
    /// they are from.
    pub(super) fn embedded(&self, tokens: &Tokens<'_>, sources: &[usize]) -> Result<Vec<(String, Value)>> {
        let Some(embed) = self.embed else { return Ok(Vec::new()) };
        let mut inputs = Vec::new();
        for port in embed.inputs() {
            inputs.extend(tokens.value(port)?.map(|value| (&port.name, value)));
        }
        let mut given: Vec<(String, Value)> = embed.run(inputs)?.into_iter().collect();
        if let Some(features) = self.features.as_ref().filter(|_| tokens.past == 0) {
            for (_, value) in given.iter_mut().filter(|(name, _)| name == Embedded::EMBEDDINGS) {
                let rows = tokens.rows.iter().zip(sources).enumerate().map(|(row, (new, source))| (*source, tokens.lead(row), *new));
                *value = features.put(value.clone(), rows)?;
            }
        }
        Ok(given)
    }

    /// A part of the cache of rows without tokens.
    pub(super) fn empty(&self, part: &Part, rows: usize) -> Result<Kept> {
        match self.written.iter().find(|(input, _)| *input == part.input) {
            Some((_, window)) => Room::new(part, rows, *window).map(Kept::Room),
            None => part.empty(rows).map(Kept::Given),
        }
    }
}

/// That every input is filled, and there are logits.
fn check(session: &Session, beside: &[&str]) -> Result<()> {
    let known = |name: &&str| inputs::is_known(name) || ports::is_past(name) || beside.contains(name);
    let names: Vec<&str> = session.inputs().iter().map(|port| port.name.as_str()).filter(known).collect();
    session.check_inputs(&names)?;
    if session.output("logits").is_none() {
        return Err(Error::unsupported("a decoder gives an output `logits`, and this model does not"));
    }
    Ok(())
}
