//! Weights that are computed while they are written.

use std::sync::Arc;

use crate::{Error, Result, graph::Computed};

/// What was computed last: the parts of one weight are written one after the other, and then no longer needed.
#[derive(Default)]
pub(super) struct Last(Option<(Arc<Computed>, Vec<Vec<u8>>)>);

impl Last {
    /// A part, which must have this many bytes.
    pub(super) fn part(&mut self, parts: &Arc<Computed>, part: usize, len: u64) -> Result<&[u8]> {
        if !self.0.as_ref().is_some_and(|(last, _)| Arc::ptr_eq(last, parts)) {
            // One goes away before the next takes memory.
            self.0 = None;
            self.0 = Some((parts.clone(), parts.compute()?));
        }
        let found = self.0.as_ref().and_then(|(_, made)| made.get(part)).map(Vec::as_slice);
        found
            .filter(|bytes| bytes.len() as u64 == len)
            .ok_or_else(|| Error::tensor(format!("part {part} of a computed weight has {:?} bytes, not {len}", found.map(<[u8]>::len))))
    }
}
