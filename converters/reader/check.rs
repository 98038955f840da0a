//! Graphs that ONNX Runtime does not survive: they are refused before it sees them.
//!
//! It looks at most of what a graph says, and answers with an error. What it takes on trust was found by changing inputs, outputs and
//! attributes of some 460 operators one at a time (`scripts/onnx_crashes.py`); each rule here is for what crashed it.

use super::{functions, operators::INPUTS};
use crate::{Error, Result, protobuf::Fields};

/// Attributes that operators index or divide with: domain, operator, attribute, the least and the most that make sense.
const RANGES: &[(&str, &str, &str, i64, i64)] = &[
    ("", "Attention", "kv_num_heads", 1, MOST_HEADS),
    ("", "Attention", "q_num_heads", 1, MOST_HEADS),
    ("", "GatherND", "batch_dims", 0, 64),
    ("com.microsoft", "GroupQueryAttention", "kv_num_heads", 1, MOST_HEADS),
    ("com.microsoft", "GroupQueryAttention", "num_heads", 1, MOST_HEADS),
];

const MOST_HEADS: i64 = 1 << 20;

/// Operators whose last inputs may be left out, but not by an empty name.
const NO_EMPTY_END: &[&str] = &["DFT", "LayerNormalization"];

/// Graphs within graphs, deeper than which nothing is.
const DEEPEST: usize = 64;

/// An error for a model (the bytes of an ONNX file) that would crash ONNX Runtime.
///
/// # Errors
/// What is no ONNX model, and operators with inputs or attributes that make no sense.
pub fn check(model: &[u8]) -> Result<()> {
    // ONNX Runtime's own format, which has no such graphs.
    if model.get(4..8) == Some(b"ORTM") {
        return Ok(());
    }
    each(model, |number, bytes| match number {
        7 => graph(bytes, 0),
        // Functions of the model's own, whose operators are put in the place of their calls.
        25 => each(bytes, |number, bytes| if number == 7 { node(bytes, 0) } else { Ok(()) }),
        _ => Ok(()),
    })?;
    functions::check(model)
}

/// All fields that are messages or strings.
fn each<'a>(message: &'a [u8], mut look: impl FnMut(u32, &'a [u8]) -> Result<()>) -> Result<()> {
    for field in Fields(message) {
        let field = field.ok_or_else(damaged)?;
        if let Some(bytes) = field.bytes {
            look(field.number, bytes)?;
        }
    }
    Ok(())
}

fn damaged() -> Error {
    Error::checkpoint("no ONNX model, or a damaged one")
}

fn graph(bytes: &[u8], depth: usize) -> Result<()> {
    if depth > DEEPEST {
        return Err(Error::checkpoint(format!("graphs lie within each other more than {DEEPEST} deep")));
    }
    each(bytes, |number, bytes| if number == 1 { node(bytes, depth) } else { Ok(()) })
}

/// What is looked at of an operator.
#[derive(Default)]
struct Node<'a> {
    inputs: Vec<&'a [u8]>,
    outputs: usize,
    name: &'a [u8],
    op: &'a [u8],
    domain: &'a [u8],
    attributes: Vec<&'a [u8]>,
}

fn node(bytes: &[u8], depth: usize) -> Result<()> {
    let mut node = Node::default();
    each(bytes, |number, bytes| {
        match number {
            1 => node.inputs.push(bytes),
            2 => node.outputs += 1,
            3 => node.name = bytes,
            4 => node.op = bytes,
            5 => node.attributes.push(bytes),
            7 => node.domain = bytes,
            _ => {}
        }
        Ok(())
    })?;
    let attributes = node.attributes.iter().map(|bytes| Attribute::read(bytes, depth)).collect::<Result<Vec<_>>>()?;
    node.check(&attributes).map_err(|error| {
        let text = |bytes| String::from_utf8_lossy(bytes).chars().take(80).collect::<String>();
        error.at(format!("the operator {:?} ({})", text(node.name), text(node.op)))
    })
}

impl Node<'_> {
    fn check(&self, attributes: &[Attribute<'_>]) -> Result<()> {
        let Ok(op) = std::str::from_utf8(self.op) else { return Err(damaged()) };
        let domain = if self.domain == b"ai.onnx" { b"" } else { self.domain };
        for (_, _, name, least, most) in RANGES.iter().filter(|(within, of, ..)| within.as_bytes() == domain && *of == op) {
            for attribute in attributes.iter().filter(|attribute| attribute.name == name.as_bytes()) {
                if attribute.refers || attribute.values.iter().any(|value| !(*least..=*most).contains(value)) {
                    let value = attribute.values.last().map_or("something else's".to_owned(), i64::to_string);
                    return Err(Error::checkpoint(format!("the attribute {name} is {value}, which is not within {least} and {most}")));
                }
            }
        }
        if !domain.is_empty() {
            return Ok(());
        }
        self.inputs(op)?;
        let outputs = |attribute: &&Attribute| attribute.name == b"num_outputs";
        if let Some(count) = attributes.iter().filter(|_| op == "Split").find(outputs)
            && (count.refers || count.values.iter().any(|count| usize::try_from(*count) != Ok(self.outputs)))
        {
            return Err(Error::checkpoint(format!("the attribute num_outputs is not {}, as many as there are outputs", self.outputs)));
        }
        if op == "TfIdfVectorizer" { counted(attributes) } else { Ok(()) }
    }

    /// Names that are empty where an input is needed. Of an operator that is not known, everything may be left out.
    fn inputs(&self, op: &str) -> Result<()> {
        let empty = |place: usize| Err(Error::checkpoint(format!("input {place} has no name, and cannot be left out")));
        if NO_EMPTY_END.contains(&op) && self.inputs.last().is_some_and(|name| name.is_empty()) {
            return empty(self.inputs.len() - 1);
        }
        if self.inputs.iter().all(|name| !name.is_empty()) {
            return Ok(());
        }
        let Some((kinds, _)) = INPUTS.iter().find(|(_, ops)| ops.contains(&op)) else { return Ok(()) };
        let kind = |place: usize| match kinds.as_bytes().get(place) {
            Some(kind) => *kind,
            None if kinds.ends_with('v') => b'v',
            None => b'o',
        };
        match (0..self.inputs.len()).find(|&place| self.inputs[place].is_empty() && kind(place) != b'o') {
            Some(place) => empty(place),
            None => Ok(()),
        }
    }
}

/// The n-grams of `TfIdfVectorizer` must be as many as it has places for.
fn counted(attributes: &[Attribute<'_>]) -> Result<()> {
    let of = |name: &'static [u8]| attributes.iter().filter(move |attribute| attribute.name == name);
    let numbers = |name: &'static [u8]| of(name).flat_map(|attribute| &attribute.values).copied().collect::<Vec<i64>>();
    let (starts, places) = (numbers(b"ngram_counts"), numbers(b"ngram_indexes"));
    let pool = of(b"pool_int64s").chain(of(b"pool_strings")).map(|pool| pool.values.len().max(pool.strings)).max().unwrap_or(0) as i64;
    let ends = starts.iter().skip(1).copied().chain([pool]);
    let grams =
        starts.iter().zip(ends).zip(1..).map(|((start, end), length): ((&i64, i64), i64)| end.saturating_sub(*start).max(0) / length);
    if grams.fold(0, i64::saturating_add) != places.len() as i64 {
        return Err(Error::checkpoint("the attribute ngram_indexes has not one place for each n-gram of the pool"));
    }
    Ok(())
}

/// The name of an attribute, and its whole numbers.
#[derive(Default)]
struct Attribute<'a> {
    name: &'a [u8],
    values: Vec<i64>,
    strings: usize,
    /// Whether its value is that of an attribute of the function around it.
    refers: bool,
}

impl<'a> Attribute<'a> {
    fn read(bytes: &'a [u8], depth: usize) -> Result<Self> {
        let mut attribute = Self::default();
        for field in Fields(bytes) {
            let field = field.ok_or_else(damaged)?;
            match (field.number, field.bytes, field.integer) {
                (1, Some(name), _) => attribute.name = name,
                (3 | 8, _, Some(value)) => attribute.values.push(value.cast_signed()),
                // Whole numbers in a row.
                (8, Some(packed), _) => {
                    let mut packed = Fields(packed);
                    while !packed.0.is_empty() {
                        attribute.values.push(packed.varint().ok_or_else(damaged)?.cast_signed());
                    }
                }
                (9, Some(_), _) => attribute.strings += 1,
                (6 | 11, Some(inner), _) => graph(inner, depth + 1)?,
                (21, Some(name), _) => attribute.refers = !name.is_empty(),
                _ => {}
            }
        }
        Ok(attribute)
    }
}

#[cfg(test)]
mod tests;
