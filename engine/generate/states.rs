//! What recurrent layers keep of the tokens so far: states of a fixed size, which each run replaces.

use ndarray::Axis;

use crate::session::{Dim, Outputs, Port, Session, Value, memory};
use crate::{Error, ErrorKind, Result};

/// The states of all layers, each one tensor `(rows, …)`: inputs such as `past_conv.0` and outputs such as `present_conv.0`.
///
/// What a state has seen cannot be taken out of it again.
#[derive(Debug)]
pub(super) struct States {
    parts: Vec<State>,
    rows: usize,
}

#[derive(Debug)]
struct State {
    input: String,
    output: String,
    /// The sizes behind the rows.
    shape: Vec<usize>,
    value: Value,
}

impl States {
    /// Empty ones for those that a graph has.
    pub(super) fn new(session: &Session) -> Result<Self> {
        let parts = session.inputs().iter().filter(|port| is_state(&port.name)).map(|port| State::new(session, port));
        Ok(Self { parts: parts.collect::<Result<_>>()?, rows: 0 })
    }

    /// Whether the graph has none.
    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Makes so many rows that have seen nothing, where there are no rows yet.
    pub(super) fn reserve(&mut self, rows: usize) -> Result<()> {
        if self.rows == 0 {
            self.check_memory(rows)?;
            for part in &mut self.parts {
                part.value = part.zeros(rows)?;
            }
            self.rows = rows;
        }
        Ok(())
    }

    /// Row `i` becomes a copy of what row `rows[i]` was.
    pub(super) fn select(&mut self, rows: &[usize]) -> Result<()> {
        if rows.iter().any(|row| *row >= self.rows) {
            return Err(Error::new(ErrorKind::Runtime, "a row that is not there"));
        }
        self.check_memory(rows.len())?;
        for part in &mut self.parts {
            let selected = part.value.view::<f32>()?.select(Axis(0), rows);
            part.value = Value::from(selected);
        }
        self.rows = rows.len();
        Ok(())
    }

    /// The states with the names of their inputs.
    pub(super) fn inputs(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.parts.iter().map(|part| (part.input.as_str(), &part.value))
    }

    /// The names of the outputs that go on from them.
    pub(super) fn outputs(&self) -> Vec<String> {
        self.parts.iter().map(|part| part.output.clone()).collect()
    }

    /// What a run gave becomes what the next one starts from.
    pub(super) fn replace(&mut self, outputs: &mut Outputs) -> Result<()> {
        for part in &mut self.parts {
            let value = outputs.take(&part.output)?;
            if value.shape() != part.value.shape() {
                let (found, wanted) = (value.shape(), part.value.shape());
                return Err(Error::new(ErrorKind::Runtime, format!("output `{}` has shape {found:?}, not {wanted:?}", part.output)));
            }
            part.value = value;
        }
        Ok(())
    }

    /// Asking for more than there is would not fail, but end the process when it is used.
    fn check_memory(&self, rows: usize) -> Result<()> {
        let size = |part: &State| part.shape.iter().fold(4_usize, |product, &n| product.saturating_mul(n));
        let row = self.parts.iter().map(size).fold(0, usize::saturating_add);
        let bytes = row.saturating_mul(rows);
        if bytes as u64 > memory::available() {
            let message = format!("no memory for the states of {rows} rows ({} MB); ask for fewer rows or beams", bytes >> 20);
            return Err(Error::new(ErrorKind::Runtime, message));
        }
        Ok(())
    }
}

impl State {
    fn new(session: &Session, port: &Port) -> Result<Self> {
        let sizes = port.shape.iter().skip(1).map(|dim| match dim {
            Dim::Fixed(size) => Some(*size),
            _ => None,
        });
        let shape: Option<Vec<usize>> = sizes.collect();
        let Some(shape) = shape.filter(|shape| !shape.is_empty()) else {
            return Err(Error::unsupported(format!("input `{port}`: a state must be (batch, …) with fixed sizes behind the batch")));
        };
        let output = port.name.replacen(PAST, PRESENT, 1);
        if session.output(&output).is_none() {
            return Err(Error::unsupported(format!("input `{}` has no output `{output}` that goes on from it", port.name)));
        }
        let value = Value::new::<f32>(&[&[0], shape.as_slice()].concat(), Vec::new())?;
        Ok(Self { input: port.name.clone(), output, shape, value })
    }

    fn zeros(&self, rows: usize) -> Result<Value> {
        let shape = [&[rows], self.shape.as_slice()].concat();
        let no_memory = || Error::new(ErrorKind::Runtime, format!("no memory for a state of shape {shape:?}"));
        let count = shape.iter().try_fold(1_usize, |count, &size| count.checked_mul(size)).ok_or_else(no_memory)?;
        let mut elements = Vec::new();
        elements.try_reserve_exact(count).map_err(|_| no_memory())?;
        elements.resize(count, 0_f32);
        Value::new(&shape, elements)
    }
}

const PAST: &str = "past_";
const PRESENT: &str = "present_";

/// Whether an input of this name is a state, and not the keys or values of attention.
pub(super) fn is_state(name: &str) -> bool {
    name.starts_with(PAST) && !name.starts_with("past_key_values.")
}
