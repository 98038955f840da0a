//! Blocks of queries, and how threads share them.

#![allow(unsafe_code)]

use super::Attention;
use crate::session::kernels::pool::{Failed, Pool};

/// Less work than so many products is not worth another thread.
const LEAST: usize = 1 << 16;
/// A block has about so many rows: as many as make it worth while to turn keys, and as stay in the second cache.
const ROWS: usize = 96;
/// So many keys are relative to the same largest score.
const SLICE: usize = 128;
/// Where there are fewer blocks, threads share the slices of each.
const FEW: usize = 16;
/// The most numbers that slices may have apart from each other.
const MOST_APART: usize = 1 << 22;

/// How the work is parted.
#[derive(Clone, Copy)]
struct Parts {
    /// Tokens in a block, with all heads that share their keys.
    tokens: usize,
    blocks: usize,
    /// Of each block; 1 where a block does all its slices.
    slices: usize,
}

/// Where results go, each number by one thread.
#[derive(Clone, Copy)]
struct Output(*mut f32);

// SAFETY: threads write to places of their own.
unsafe impl Send for Output {}
// SAFETY: as above.
unsafe impl Sync for Output {}

/// Writes what all queries attend to.
pub(super) fn attend(attention: &Attention<'_>, output: &mut [f32], pool: &Pool) -> Result<(), Failed> {
    let shape = attention.shape;
    if output.is_empty() {
        return Ok(());
    }
    assert!(output.len() == shape.batch * shape.sequence * shape.heads * shape.size);
    let tokens = (ROWS / shape.group()).clamp(1, shape.sequence);
    let blocks = shape.sequence.div_ceil(tokens);
    let heads = shape.batch * shape.kv_heads;
    let longest = attention.spans.iter().map(|span| span.end).max().unwrap_or(0);
    let slices = longest.div_ceil(SLICE);
    let state = slice::state(tokens * shape.group(), shape.size);
    let apart = slices > 1 && heads * blocks < FEW && heads * blocks * slices * state <= MOST_APART;
    let parts = Parts { tokens, blocks, slices: if apart { slices } else { 1 } };
    let output = Output(output.as_mut_ptr());
    let work = shape.batch * shape.sequence * shape.heads * shape.size * attention.scores.window.map_or(longest, |most| most.min(longest));
    let all = |count: usize, work_of: &(dyn Fn(usize) + Sync)| {
        if work < LEAST {
            (0..count).for_each(work_of);
            return Ok(());
        }
        pool.run(count, work_of)
    };
    if !apart {
        return all(heads * blocks, &|part| slice::whole(attention, parts, part, output));
    }
    let mut states = vec![0.0_f32; heads * blocks * slices * state];
    let between = Output(states.as_mut_ptr());
    all(heads * blocks * slices, &|part| slice::one(attention, parts, part, between))?;
    (0..heads * blocks).for_each(|part| slice::together(attention, parts, part, between, output));
    Ok(())
}

#[cfg(not(target_arch = "x86_64"))]
mod slice {
    use super::{Attention, Output, Parts};

    pub(super) fn state(_: usize, _: usize) -> usize {
        0
    }

    pub(super) fn whole(_: &Attention<'_>, _: Parts, _: usize, _: Output) {}

    pub(super) fn one(_: &Attention<'_>, _: Parts, _: usize, _: Output) {}

    pub(super) fn together(_: &Attention<'_>, _: Parts, _: usize, _: Output, _: Output) {}
}

#[cfg(target_arch = "x86_64")]
#[path = "slice.rs"]
mod slice;
