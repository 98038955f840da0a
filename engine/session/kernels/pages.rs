//! Memory for weights: on huge pages, where the system has them. A token reads all weights once, and finds each page of 4 KiB anew: that takes up
//! to half as long again as the reading does.

#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};

use bytemuck::Pod;
use memmap2::{MmapMut, MmapRaw};

/// Asked from the system at once: address space, of which only what is written to becomes memory.
const CHUNK: usize = 64 << 20;
/// Where a block begins: at a cache line.
const ALIGNMENT: usize = 64;

/// Gives blocks of memory one after the other, so that many small ones share a huge page. They live as long as the last of their chunk.
#[derive(Default)]
pub(super) struct Pages(Mutex<Option<Chunk>>);

struct Chunk {
    memory: Arc<MmapRaw>,
    used: usize,
}

/// Numbers, all zero in the beginning.
pub(super) struct Block<T> {
    memory: Arc<MmapRaw>,
    /// In bytes.
    start: usize,
    length: usize,
    of: PhantomData<T>,
}

impl Pages {
    /// So many numbers; `None` where there is no memory for them.
    pub(super) fn block<T: Pod>(&self, length: usize) -> Option<Block<T>> {
        let bytes = length.checked_mul(size_of::<T>())?.checked_next_multiple_of(ALIGNMENT)?;
        if bytes > CHUNK {
            return Some(Block { memory: Arc::new(mapped(bytes)?), start: 0, length, of: PhantomData });
        }
        let mut chunk = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if chunk.as_ref().is_none_or(|chunk| CHUNK - chunk.used < bytes) {
            *chunk = Some(Chunk { memory: Arc::new(mapped(CHUNK)?), used: 0 });
        }
        let chunk = chunk.as_mut()?;
        let start = chunk.used;
        chunk.used += bytes;
        Some(Block { memory: Arc::clone(&chunk.memory), start, length, of: PhantomData })
    }
}

fn mapped(bytes: usize) -> Option<MmapRaw> {
    let memory = MmapMut::map_anon(bytes).ok()?;
    #[cfg(target_os = "linux")]
    if let Err(error) = memory.advise(memmap2::Advice::HugePage) {
        tracing::debug!("no huge pages: {error}");
    }
    Some(memory.into())
}

impl<T: Pod> std::ops::Deref for Block<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: `Pages` has given these bytes to this block alone, within the mapping and aligned; zeros and any bits are numbers of such types.
        unsafe { std::slice::from_raw_parts(self.memory.as_ptr().add(self.start).cast(), self.length) }
    }
}

impl<T: Pod> std::ops::DerefMut for Block<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above, and this is the only reference.
        unsafe { std::slice::from_raw_parts_mut(self.memory.as_mut_ptr().add(self.start).cast(), self.length) }
    }
}
