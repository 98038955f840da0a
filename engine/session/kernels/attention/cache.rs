//! Keys or values of the tokens so far, `(batch, kv_heads, room, size)`: those that come in, and those that go out, which may be the same memory.

#![allow(unsafe_code)]

use super::{Attention, Rows};
use crate::session::kernels::pool::{Failed, Pool};

/// Fewer numbers than this are copied by one thread.
const LEAST: usize = 1 << 14;

/// The past and the present of keys, or of values.
pub(super) struct Cache {
    past: *const f32,
    past_length: usize,
    present: *mut f32,
    present_length: usize,
}

// SAFETY: the past is only read, or is the present; of the present each thread writes heads of its own, and nobody reads before all are written.
unsafe impl Sync for Cache {}

impl Cache {
    /// `past` may be empty, or be `present` itself.
    ///
    /// # Safety
    /// Both are valid for so many numbers as long as this is, and nobody else writes to them.
    pub(super) unsafe fn new((past, past_length): (*const f32, usize), (present, present_length): (*mut f32, usize)) -> Self {
        Self { past, past_length, present, present_length }
    }

    pub(super) fn in_place(&self) -> bool {
        self.past_length > 0 && self.past == self.present.cast_const()
    }

    /// Whether the past is the present as a whole, or apart from it.
    pub(super) fn is_sound(&self) -> bool {
        !self.in_place() || self.past_length == self.present_length
    }

    /// The present of one head.
    pub(super) fn head(&self, head: usize, heads: usize) -> &[f32] {
        let length = self.present_length / heads.max(1);
        assert!(head < heads);
        // SAFETY: heads lie one after the other in the present, which nobody writes to any more when this is asked for.
        unsafe { std::slice::from_raw_parts(self.present.add(head * length), length) }
    }

    /// Keeps so many numbers of a head's past, has the next ones written, and leaves the rest empty.
    fn extend(&self, head: usize, heads: usize, kept: usize, fresh: usize, write: impl FnOnce(&mut [f32])) {
        let (past, present) = (self.past_length / heads, self.present_length / heads);
        assert!(head < heads && kept + fresh <= present && (self.in_place() || kept <= past));
        // SAFETY: this head of both, of which only this call knows; the past is not read where it is the present.
        unsafe {
            let to = self.present.add(head * present);
            if !self.in_place() {
                std::ptr::copy_nonoverlapping(self.past.add(head * past), to, kept);
                std::ptr::write_bytes(to.add(kept + fresh), 0, present - kept - fresh);
            }
            // The bytes may never have been written to.
            std::ptr::write_bytes(to.add(kept), 0, fresh);
            write(std::slice::from_raw_parts_mut(to.add(kept), fresh));
        }
    }
}

impl Attention<'_> {
    /// Writes this run's keys and values behind those that are kept.
    pub(super) fn store(&self, pool: &Pool) -> Result<(), Failed> {
        let shape = self.shape;
        let heads = shape.batch * shape.kv_heads;
        let work = |part: usize| {
            let (head, is_key) = (part / 2, part.is_multiple_of(2));
            let row = head / shape.kv_heads;
            let Some(span) = self.spans.get(row) else { return };
            let (cache, from) = if is_key { (&self.keys, self.key) } else { (&self.values, self.value) };
            cache.extend(head, heads, span.kept * shape.size, shape.fresh * shape.size, |to| {
                self.write(row, head % shape.kv_heads, from, is_key, to);
            });
        };
        let length = if self.keys.in_place() { heads * shape.fresh * shape.size } else { self.keys.present_length };
        if length < LEAST {
            (0..2 * heads).for_each(work);
            return Ok(());
        }
        pool.run(2 * heads, &work)
    }

    fn write(&self, row: usize, head: usize, from: Rows<'_>, is_key: bool, to: &mut [f32]) {
        let tokens = row * self.shape.sequence..;
        for (token, to) in tokens.zip(to.chunks_exact_mut(self.shape.size)) {
            let from = from.head(token, head, self.shape.size);
            match &self.rotary {
                Some(rotary) if is_key => rotary.turn(token, from, to),
                _ => to.copy_from_slice(from),
            }
        }
    }
}
