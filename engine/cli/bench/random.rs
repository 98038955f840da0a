//! Inputs that a model takes, of random numbers.

use anyhow::{Context, Result};
use formers::session::{Dim, Dtype, Port, Value};
use serde_json::Value as Json;

/// The most numbers in an input.
const MOST_NUMBERS: usize = 1 << 30;

/// What a model takes, by the shapes of its inputs.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Tokens,
    Sounds,
    Pictures,
}

impl Kind {
    pub(super) fn of(inputs: &[Port]) -> Self {
        if inputs.iter().any(|port| port.name == "input_ids") {
            Self::Tokens
        } else if inputs.iter().any(|port| port.shape.len() >= 4) {
            Self::Pictures
        } else {
            Self::Sounds
        }
    }

    pub(super) fn default_length(self) -> Option<u32> {
        match self {
            Self::Tokens => Some(64),
            Self::Sounds => Some(16_000),
            Self::Pictures => None,
        }
    }
}

/// The same random numbers each time.
fn random() -> impl FnMut() -> u64 {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    move || {
        // xorshift64: no more randomness is needed than that tokens differ.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state >> 33
    }
}

/// Inputs of the right shapes, with the same random numbers each time.
pub(super) struct Random<'a> {
    pub(super) config: &'a Json,
    pub(super) batch: usize,
    pub(super) seq: usize,
}

impl Random<'_> {
    /// So many tokens of the vocabulary.
    pub(super) fn ids(&self, count: usize) -> Vec<u32> {
        // Of two models in one, the first reads; of one that sees pictures as well, that for text.
        let reader = || ["encoder", "text_config"].iter().find_map(|part| self.config.get(part)?.get("vocab_size")?.as_i64());
        let size = self.integer("vocab_size").or_else(reader).unwrap_or(1000);
        let vocabulary = u64::try_from(size).unwrap_or(1000).max(1);
        let mut random = random();
        (0..count).map(|_| (random() % vocabulary) as u32).collect()
    }

    pub(super) fn input(&self, port: &Port) -> Result<Value> {
        let shape = self.shape(port);
        let count = shape.iter().try_fold(1_usize, |count, &size| count.checked_mul(size)).filter(|count| *count <= MOST_NUMBERS);
        let count = count.with_context(|| format!("input `{port}`: shape {shape:?} is too large, give a smaller --batch or --seq"))?;
        let mut random = random();
        let floats = matches!(port.dtype, Some(Dtype::F32 | Dtype::F16 | Dtype::BF16 | Dtype::F64));
        if floats {
            let numbers = (0..count).map(|_| random() as f32 / (1_u64 << 30) as f32 - 1.0);
            return Ok(Value::new(&shape, numbers.collect::<Vec<f32>>())?);
        }
        let vocabulary = self.integer("vocab_size").unwrap_or(1000).max(1) as u64;
        let length = shape.last().copied().unwrap_or(1);
        let numbers = (0..count).map(|at| match port.name.as_str() {
            "input_ids" => (random() % vocabulary) as i64,
            "position_ids" => (at % length) as i64,
            name if name.contains("mask") => 1,
            _ => 0,
        });
        Ok(Value::new(&shape, numbers.collect::<Vec<i64>>())?)
    }

    /// What the graph leaves open is the batch, then the length, or the size of pictures.
    fn shape(&self, port: &Port) -> Vec<usize> {
        let picture = || self.integer("image_size").and_then(|size| usize::try_from(size).ok()).unwrap_or(224);
        let size = |(axis, dim): (usize, &Dim)| match dim {
            Dim::Fixed(size) => *size,
            _ if axis == 0 => self.batch,
            Dim::Named(name) if name.contains("channels") => 3,
            _ if port.shape.len() == 4 && axis == 1 => 3,
            _ if port.shape.len() == 4 => picture(),
            _ => self.seq,
        };
        port.shape.iter().enumerate().map(size).collect()
    }

    pub(super) fn integer(&self, field: &str) -> Option<i64> {
        self.config.get(field).and_then(Json::as_i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_have_the_shapes_that_the_graph_leaves_open() {
        let config = serde_json::json!({"vocab_size": 10, "image_size": 32});
        let random = Random { config: &config, batch: 2, seq: 5 };
        let port = |name: &str, dtype, shape: &[Dim]| Port { name: name.to_owned(), dtype: Some(dtype), shape: shape.to_vec() };
        let open = |name: &str| Dim::Named(name.to_owned());
        let ids = random.input(&port("input_ids", Dtype::I64, &[open("batch"), open("sequence")])).unwrap();
        assert_eq!(ids.shape(), [2, 5]);
        assert!(ids.view::<i64>().unwrap().iter().all(|id| (0..10).contains(id)));
        let pixels = random.input(&port("pixel_values", Dtype::F32, &[open("batch"), Dim::Fixed(3), Dim::Unknown, Dim::Unknown]));
        assert_eq!(pixels.unwrap().shape(), [2, 3, 32, 32]);
        assert!(random.input(&port("x", Dtype::F32, &[Dim::Fixed(usize::MAX), open("b")])).is_err());
    }
}
