//! What a run is given, and whether it fits: the kernels rely on every size that is looked at here.

use super::{Attention, Bias, Cache, Rotary, Rows, Scores, Shape, Sinks, Span};

/// A tensor: its sizes and its numbers.
pub(super) type Tensor<'a, T> = (&'a [i64], &'a [T]);

/// The node's attributes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attributes {
    pub(super) heads: usize,
    pub(super) kv_heads: usize,
    /// 0 for the usual one.
    pub(super) scale: f32,
    pub(super) softcap: f32,
    pub(super) window: Option<usize>,
    pub(super) rotary: bool,
    pub(super) interleaved: bool,
    pub(super) smooth: bool,
}

/// The inputs by their names.
pub(super) struct Inputs<'a> {
    pub(super) query: Tensor<'a, f32>,
    pub(super) key: Option<Tensor<'a, f32>>,
    pub(super) value: Option<Tensor<'a, f32>>,
    /// The sizes of keys and values of the past.
    pub(super) past: Option<[&'a [i64]; 2]>,
    pub(super) seqlens_k: &'a [i32],
    pub(super) total_sequence_length: &'a [i32],
    pub(super) cos_cache: Option<Tensor<'a, f32>>,
    pub(super) sin_cache: Option<Tensor<'a, f32>>,
    pub(super) position_ids: Option<Tensor<'a, i64>>,
    pub(super) attention_bias: Option<Tensor<'a, f32>>,
    pub(super) head_sink: Option<Tensor<'a, f32>>,
}

/// Sizes that fit each other.
pub(super) struct Sizes {
    pub(super) shape: Shape,
    /// Places of the present.
    pub(super) room: usize,
    past_room: Option<usize>,
    total: usize,
}

impl<'a> Inputs<'a> {
    pub(super) fn sizes(&self, attributes: &Attributes) -> Result<Sizes, String> {
        let Attributes { heads, kv_heads, .. } = *attributes;
        let [batch, sequence, width] = sizes(self.query.0).ok_or_else(|| format!("query of shape {:?}: it needs 3 sizes", self.query.0))?;
        let (columns, fresh) = match (self.key, self.value) {
            (Some((key, _)), Some((value, _))) => {
                let fits = |fresh: usize| {
                    let of = |width: Option<usize>| Some([batch, fresh, width?]);
                    let heads_width = width.checked_div(heads).and_then(|size| size.checked_mul(kv_heads));
                    key == value && sizes::<3>(key).is_some() && sizes(key) == of(heads_width)
                };
                let fresh = [sequence, 0].into_iter().find(|fresh| fits(*fresh));
                (
                    heads,
                    fresh.ok_or_else(|| {
                        format!("key of shape {key:?} and value of shape {value:?} do not fit to query of {:?}", self.query.0)
                    })?,
                )
            }
            (None, None) => (heads + 2 * kv_heads, sequence),
            _ => return Err("key and value: only one of them is given".to_owned()),
        };
        let size = width / columns;
        if size == 0 || size * columns != width {
            return Err(format!("query of width {width} does not hold {columns} heads"));
        }
        let shape = Shape { batch, sequence, fresh, heads, kv_heads, size };
        let past_room = self.past.map(|[key, value]| match sizes(key) {
            Some([b, h, room, s]) if key == value && [b, h, s] == [batch, kv_heads, size] => Ok(room),
            _ => Err(format!("past_key of shape {key:?} and past_value of shape {value:?} do not fit to {shape:?}")),
        });
        let past_room = past_room.transpose()?;
        if fresh < sequence && past_room.is_none() {
            return Err("key: there are no keys, and no past".to_owned());
        }
        let [total] = *self.total_sequence_length else {
            return Err(format!("total_sequence_length has {} numbers: it needs one", self.total_sequence_length.len()));
        };
        let total = usize::try_from(total).map_err(|_| format!("total_sequence_length is {total}"))?;
        Ok(Sizes { shape, room: total.max(past_room.unwrap_or(0)), past_room, total })
    }

    /// The run, with keys and values of as much room as its sizes say.
    pub(super) fn attention(&self, attributes: &Attributes, sizes: &Sizes, [keys, values]: [Cache; 2]) -> Result<Attention<'a>, String> {
        let shape = sizes.shape;
        let spans = self.spans(sizes)?;
        let rows = |(dims, values): Tensor<'a, f32>, first| Rows { values, width: dims.last().map_or(0, |last| *last as usize), first };
        let (heads, kv_heads) = (shape.heads * shape.size, shape.kv_heads * shape.size);
        let (key, value) = match (self.key, self.value) {
            (Some(key), Some(value)) => (rows(key, 0), rows(value, 0)),
            _ => (rows(self.query, heads), rows(self.query, heads + kv_heads)),
        };
        let usual = || 1.0 / (shape.size as f32).sqrt();
        let scores = Scores {
            scale: if attributes.scale == 0.0 { usual() } else { attributes.scale },
            softcap: attributes.softcap,
            window: attributes.window,
            bias: self.attention_bias.map(|bias| self.bias(bias, sizes, &spans)).transpose()?,
            sinks: match self.head_sink {
                Some((_, sinks)) if sinks.len() != shape.heads => {
                    return Err(format!("head_sink has {} numbers for {} heads", sinks.len(), shape.heads));
                }
                Some((_, sinks)) => Sinks::Each(sinks),
                None if attributes.smooth => Sinks::Zero,
                None => Sinks::None,
            },
        };
        let rotary = attributes.rotary.then(|| self.rotary(attributes, shape, &spans)).transpose()?;
        Ok(Attention { shape, query: rows(self.query, 0), key, value, keys, values, spans, rotary, scores })
    }

    /// Where each row is in its cache: prompts begin in front, whatever is there.
    fn spans(&self, sizes: &Sizes) -> Result<Vec<Span>, String> {
        let Sizes { shape, room, past_room, total } = *sizes;
        if self.seqlens_k.len() != shape.batch {
            return Err(format!("seqlens_k has {} numbers for {} rows", self.seqlens_k.len(), shape.batch));
        }
        if shape.batch > 1 && shape.sequence > 1 && shape.sequence != total {
            return Err(format!("total_sequence_length is {total}: a prompt that goes on has one row, not {}", shape.batch));
        }
        let of = |(row, last): (usize, &i32)| {
            let wrong = |what: &str| format!("seqlens_k[{row}] is {last}: {what} (of {shape:?}, room for {room} tokens)");
            let last = usize::try_from(*last).ok().filter(|last| *last < room);
            let end = last.ok_or_else(|| wrong("there is no such place in the cache"))? + 1;
            let is_prompt = shape.sequence == total;
            let behind = if is_prompt { Some(0) } else { end.checked_sub(shape.sequence) };
            let behind = behind.ok_or_else(|| wrong("it is less than this run's tokens"))?;
            let start = if past_room.is_some() { behind } else { 0 };
            let kept = if shape.fresh < shape.sequence { end } else { start };
            if kept + shape.fresh > room || kept > past_room.unwrap_or(0) {
                return Err(wrong("the past has no such place"));
            }
            Ok(Span { kept, start, end })
        };
        self.seqlens_k.iter().enumerate().map(of).collect()
    }

    fn bias(&self, (dims, values): Tensor<'a, f32>, sizes: &Sizes, spans: &[Span]) -> Result<Bias<'a>, String> {
        let shape = sizes.shape;
        let fits = |[batch, heads, sequence, total]: &[usize; 4]| {
            let either = (*batch == 1 || *batch == shape.batch) && (*heads == 1 || *heads == shape.heads);
            let seen = spans.iter().map(|span| span.end.min(span.start + shape.sequence)).max().unwrap_or(0);
            either && *sequence == shape.sequence && *total == sizes.total && seen <= *total
        };
        let found = self::sizes(dims).filter(fits);
        let [batch, heads, _, total] =
            found.ok_or_else(|| format!("attention_bias of shape {dims:?} does not fit to {shape:?} and {} keys", sizes.total))?;
        Ok(Bias { values, batch, heads, total })
    }

    fn rotary(&self, attributes: &Attributes, shape: Shape, spans: &[Span]) -> Result<Rotary<'a>, String> {
        let (Some((cos_dims, cos)), Some((sin_dims, sin))) = (self.cos_cache, self.sin_cache) else {
            return Err("cos_cache and sin_cache are needed for do_rotary".to_owned());
        };
        let pairs = sizes(cos_dims).filter(|_| cos_dims == sin_dims).map(|[_, pairs]| pairs);
        let pairs = pairs.ok_or_else(|| format!("cos_cache of shape {cos_dims:?} and sin_cache of shape {sin_dims:?}"))?;
        let positions = match self.position_ids {
            Some((dims, _)) if sizes(dims) != Some([shape.batch, shape.sequence]) => {
                return Err(format!("position_ids of shape {dims:?} for {shape:?}"));
            }
            Some((_, positions)) => positions.iter().map(|position| usize::try_from(*position).unwrap_or(usize::MAX)).collect(),
            None => spans.iter().flat_map(|span| span.start..span.start + shape.sequence).collect(),
        };
        let rotary = Rotary { cos, sin, pairs, interleaved: attributes.interleaved, positions };
        if !rotary.is_sound(shape.size) {
            return Err(format!("cos_cache of shape {cos_dims:?} has no place for a position, or is too wide for heads of {}", shape.size));
        }
        Ok(rotary)
    }
}

/// So many sizes, if there are just so many.
fn sizes<const N: usize>(dims: &[i64]) -> Option<[usize; N]> {
    let dims: &[i64; N] = dims.try_into().ok()?;
    let sizes = dims.map(|size| usize::try_from(size).unwrap_or(usize::MAX));
    (!sizes.contains(&usize::MAX)).then_some(sizes)
}
