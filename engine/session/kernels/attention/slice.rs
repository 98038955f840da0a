//! One block of queries: all its keys, or one slice of them, and what slices come to together.

use std::cell::RefCell;
use std::ops::Range;

use super::{Attention, Output, Parts, SLICE};
use crate::session::kernels::LANES;
use crate::session::kernels::attention::Sinks;
use crate::session::kernels::attention::avx512::{self, KEYS, LOWEST, Product, ROWS, VECTORS, Weights};

/// So few rows take no longer than keys and values need to come from memory.
const FEW: usize = 32;

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; LANES]);

thread_local! {
    /// What a block needs while it is computed.
    static SPACE: RefCell<Vec<Line>> = const { RefCell::new(Vec::new()) };
}

/// Values that are weighted, the largest score, and the sum of weights, for each row of a block.
#[derive(Clone, Copy)]
struct State {
    values: *mut f32,
    most: *mut f32,
    sum: *mut f32,
}

/// How many numbers a state has.
pub(super) fn state(rows: usize, size: usize) -> usize {
    (rows * (size.next_multiple_of(LANES) + 2)).next_multiple_of(LANES)
}

impl State {
    /// # Safety
    /// There is room for a state of so many rows, and it is set before it is read.
    unsafe fn at(start: *mut f32, rows: usize, size: usize) -> Self {
        let values = rows * size.next_multiple_of(LANES);
        // SAFETY: as the caller promises.
        unsafe { Self { values: start, most: start.add(values), sum: start.add(values + rows) } }
    }
}

/// Some tokens' queries for one head of keys: the heads that share it, token after token.
struct Block<'a> {
    attention: &'a Attention<'a>,
    row: usize,
    kv_head: usize,
    tokens: Range<usize>,
}

/// One block with all its keys.
pub(super) fn whole(attention: &Attention<'_>, parts: Parts, part: usize, output: Output) {
    let block = Block::of(attention, parts, part);
    let (rows, size) = (block.rows(), attention.shape.size);
    let sees = block.sees();
    block.with_space(2 * state(rows, size), |states, space| {
        // SAFETY: there is room for two states and for what the block needs, and `inputs` has looked at all sizes and at the processor.
        unsafe {
            let (total, one) = (State::at(states, rows, size), State::at(states.add(state(rows, size)), rows, size));
            block.prepare(space);
            let first = sees.start / SLICE;
            block.slice(first, total, space);
            for slice in first + 1..sees.end.div_ceil(SLICE) {
                block.slice(slice, one, space);
                block.add(total, one);
            }
            block.finish(total, output);
        }
    });
}

/// One slice of one block.
pub(super) fn one(attention: &Attention<'_>, parts: Parts, part: usize, between: Output) {
    let block = Block::of(attention, parts, part / parts.slices);
    let room = state(parts.tokens * attention.shape.group(), attention.shape.size);
    block.with_space(0, |_, space| {
        // SAFETY: as above; each slice of each block has its own room.
        unsafe {
            block.prepare(space);
            block.slice(part % parts.slices, State::at(between.0.add(part * room), block.rows(), attention.shape.size), space);
        }
    });
}

/// All slices of one block.
pub(super) fn together(attention: &Attention<'_>, parts: Parts, part: usize, between: Output, output: Output) {
    let block = Block::of(attention, parts, part);
    let room = state(parts.tokens * attention.shape.group(), attention.shape.size);
    // SAFETY: as above, and all slices have been written.
    unsafe {
        let of = |slice| State::at(between.0.add((part * parts.slices + slice) * room), block.rows(), attention.shape.size);
        for slice in 1..parts.slices {
            block.add(of(0), of(slice));
        }
        block.finish(of(0), output);
    }
}

impl<'a> Block<'a> {
    fn of(attention: &'a Attention<'a>, parts: Parts, part: usize) -> Self {
        let (head, block) = (part / parts.blocks, part % parts.blocks);
        let first = block * parts.tokens;
        let tokens = first..attention.shape.sequence.min(first + parts.tokens);
        Self { attention, row: head / attention.shape.kv_heads, kv_head: head % attention.shape.kv_heads, tokens }
    }

    fn rows(&self) -> usize {
        self.tokens.len() * self.attention.shape.group()
    }

    /// The token of a row, and its head.
    fn place(&self, row: usize) -> (usize, usize) {
        let group = self.attention.shape.group();
        (self.tokens.start + row / group, self.kv_head * group + row % group)
    }

    /// What any of its queries sees.
    fn sees(&self) -> Range<usize> {
        let of = |token| self.attention.sees(self.row, token);
        of(self.tokens.start).start..of(self.tokens.end - 1).end
    }

    /// Gives some numbers, and what [`Block::slice`] needs: queries, turned keys, and scores of some rows.
    fn with_space(&self, numbers: usize, work: impl FnOnce(*mut f32, *mut f32)) {
        let size = self.attention.shape.size;
        let needed = numbers + (self.rows() * size).next_multiple_of(LANES) + size * KEYS + ROWS * KEYS;
        SPACE.with_borrow_mut(|space| {
            if space.len() < needed.div_ceil(LANES) {
                space.resize(needed.div_ceil(LANES), Line([0.0; LANES]));
            }
            let start = space.as_mut_ptr().cast::<f32>();
            work(start, start.wrapping_add(numbers));
        });
    }

    /// Turns and scales the queries.
    ///
    /// # Safety
    /// `space` is what [`Block::with_space`] gives.
    unsafe fn prepare(&self, space: *mut f32) {
        let (shape, scale) = (self.attention.shape, self.attention.scores.scale);
        // SAFETY: the room of the queries, which numbers of an earlier block fill.
        let queries = unsafe { std::slice::from_raw_parts_mut(space, self.rows() * shape.size) };
        for (row, to) in queries.chunks_exact_mut(shape.size).enumerate() {
            let (token, head) = self.place(row);
            let token = self.row * shape.sequence + token;
            let from = self.attention.query.head(token, head, shape.size);
            match &self.attention.rotary {
                Some(rotary) => rotary.turn(token, from, to),
                None => to.copy_from_slice(from),
            }
            to.iter_mut().for_each(|x| *x *= scale);
        }
    }

    /// What the queries see of one slice of the keys.
    ///
    /// # Safety
    /// The queries are prepared, and `inputs` has looked at all sizes and at the processor.
    #[target_feature(enable = "avx512f")]
    unsafe fn slice(&self, slice: usize, state: State, space: *mut f32) {
        let (attention, shape) = (self.attention, self.attention.shape);
        let (size, width, rows) = (shape.size, shape.size.next_multiple_of(LANES), self.rows());
        let head = self.row * shape.kv_heads + self.kv_head;
        let [keys, values] = [&attention.keys, &attention.values].map(|cache| cache.head(head, shape.batch * shape.kv_heads));
        let sees = self.sees();
        let end = sees.end.min((slice + 1) * SLICE);
        assert!(end * size <= keys.len().min(values.len()));
        // SAFETY: as the caller promises: tiles are within the queries, the turned keys, the scores and the state; keys and values below `end`.
        unsafe {
            let queries = space;
            let turned = queries.add((rows * size).next_multiple_of(LANES));
            let scores = turned.add(size * KEYS);
            std::slice::from_raw_parts_mut(state.values, rows * width).fill(0.0);
            std::slice::from_raw_parts_mut(state.sum, rows).fill(0.0);
            std::slice::from_raw_parts_mut(state.most, rows).fill(LOWEST);
            let tiles = rows.div_ceil(ROWS);
            for first in (slice * SLICE..end).step_by(KEYS) {
                let end = end.min(first + KEYS);
                if end <= sees.start {
                    continue;
                }
                let from = keys.as_ptr().add(first * size);
                let ahead = [keys.as_ptr().wrapping_add((first + KEYS) * size), values.as_ptr().add(first * size)];
                if rows <= FEW {
                    avx512::transpose::<true>(from, end - first, size, turned, ahead);
                } else {
                    avx512::transpose::<false>(from, end - first, size, turned, ahead);
                }
                for tile in 0..tiles {
                    let (start, behind) = (rows * tile / tiles, rows * (tile + 1) / tiles);
                    let in_tile =
                        attention.sees(self.row, self.place(start).0).start..attention.sees(self.row, self.place(behind - 1).0).end;
                    let count = in_tile.end.min(end).saturating_sub(first);
                    if count == 0 || end <= in_tile.start {
                        continue;
                    }
                    let vectors = count.div_ceil(LANES);
                    let (left, right) = ((queries.add(start * size).cast_const(), size), (turned.cast_const(), KEYS));
                    let product = Product { left, right, depth: size, last: u16::MAX, to: (scores, KEYS) };
                    product.run(behind - start, vectors, None);
                    let mut factors = [1.0; ROWS];
                    for (row, factor) in (start..behind).zip(&mut factors) {
                        let (token, head) = self.place(row);
                        let seen = attention.sees(self.row, token);
                        let weights = Weights {
                            scores: scores.add((row - start) * KEYS),
                            vectors,
                            sees: seen.start.saturating_sub(first)..seen.end.saturating_sub(first),
                            softcap: attention.scores.softcap,
                            bias: self.bias(token, head, first),
                            most: &mut *state.most.add(row),
                            sum: &mut *state.sum.add(row),
                        };
                        *factor = weights.run();
                    }
                    for column in (0..width).step_by(VECTORS * LANES) {
                        let vectors = VECTORS.min((width - column) / LANES);
                        // Numbers behind the head are the next key's.
                        let last = u16::MAX >> (column + vectors * LANES).saturating_sub(size);
                        let product = Product {
                            left: (scores.cast_const(), KEYS),
                            right: (values.as_ptr().add(first * size + column), size),
                            depth: count,
                            last,
                            to: (state.values.add(start * width + column), width),
                        };
                        product.run(behind - start, vectors, Some(&factors));
                    }
                }
            }
        }
    }

    /// The bias of a query from a key on.
    fn bias(&self, token: usize, head: usize, first: usize) -> Option<*const f32> {
        let bias = self.attention.scores.bias?;
        let row = (self.row % bias.batch * bias.heads + head % bias.heads) * self.attention.shape.sequence + token;
        Some(bias.values.as_ptr().wrapping_add(row * bias.total + first))
    }

    /// Adds what the queries see of another slice.
    ///
    /// # Safety
    /// Both are states of this block.
    #[target_feature(enable = "avx512f")]
    unsafe fn add(&self, total: State, one: State) {
        let width = self.attention.shape.size.next_multiple_of(LANES);
        for row in 0..self.rows() {
            // SAFETY: rows of the block.
            unsafe {
                let (most, other) = (&mut *total.most.add(row), *one.most.add(row));
                let both = most.max(other);
                let (factor, other) = (avx512::exp_of(*most - both), avx512::exp_of(other - both));
                *most = both;
                *total.sum.add(row) = *total.sum.add(row) * factor + *one.sum.add(row) * other;
                let values = std::slice::from_raw_parts_mut(total.values.add(row * width), width);
                let others = std::slice::from_raw_parts(one.values.add(row * width), width);
                for (value, more) in values.iter_mut().zip(others) {
                    *value = *value * factor + more * other;
                }
            }
        }
    }

    /// Adds the sinks, and writes the results.
    ///
    /// # Safety
    /// It is a state of this block, and there is room for the results of all.
    #[target_feature(enable = "avx512f")]
    unsafe fn finish(&self, total: State, output: Output) {
        let shape = self.attention.shape;
        let width = shape.size.next_multiple_of(LANES);
        for row in 0..self.rows() {
            let (token, head) = self.place(row);
            let sink = match self.attention.scores.sinks {
                Sinks::None => None,
                Sinks::Zero => Some(0.0),
                Sinks::Each(sinks) => sinks.get(head).copied(),
            };
            // SAFETY: rows of the block, and a head of one token of the results.
            unsafe {
                let (most, sum) = (*total.most.add(row), *total.sum.add(row));
                let (mut factor, mut all) = (1.0, sum);
                if let Some(sink) = sink {
                    let both = most.max(sink);
                    factor = avx512::exp_of(most - both);
                    all = sum * factor + avx512::exp_of(sink - both);
                }
                // Where everything is hidden there is nothing to weigh.
                let factor = if all == 0.0 { 0.0 } else { factor / all };
                let values = std::slice::from_raw_parts(total.values.add(row * width), shape.size);
                let place = ((self.row * shape.sequence + token) * shape.heads + head) * shape.size;
                let to = output.0.add(place);
                for (column, value) in values.iter().enumerate() {
                    to.add(column).write(value * factor);
                }
            }
        }
    }
}
