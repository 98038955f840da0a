//! The keys and values of the tokens so far.

use crate::session::{Buffer, Dim, Session, memory};
use crate::{Error, ErrorKind, Result};

/// Room is made for so many tokens at a time: growing copies what is there.
const STEP: usize = 256;

/// The caches of all layers: one tensor `(rows, heads, capacity, size)` for keys and one for values. The tokens of a row lie at
/// the front, without gaps; what lies behind them is room for more.
#[derive(Debug)]
pub(super) struct Cache {
    parts: Vec<Part>,
    rows: usize,
    capacity: usize,
}

#[derive(Debug)]
struct Part {
    input: String,
    output: String,
    heads: usize,
    size: usize,
    buffer: Buffer,
}

impl Cache {
    /// An empty one for the parts that a graph has.
    pub(super) fn new(session: &Session) -> Result<Self> {
        // What a decoder sees of an encoder stays as it is.
        let ports = session.inputs().iter().filter(|port| !port.name.contains(".encoder."));
        let past = ports.filter_map(|port| Some((port, port.name.strip_prefix("past_key_values.")?)));
        let part = |(port, name): (&crate::session::Port, &str)| {
            let [_, Dim::Fixed(heads), _, Dim::Fixed(size)] = port.shape[..] else {
                return Err(Error::unsupported(format!("input `{port}`: a cache must be (batch, heads, tokens, size)")));
            };
            let output = format!("present.{name}");
            if session.output(&output).is_none() {
                return Err(Error::unsupported(format!("input `{}` has no output `{output}` that goes on from it", port.name)));
            }
            Ok(Part { input: port.name.clone(), output, heads, size, buffer: Buffer::zeros(&[0, heads, 0, size])? })
        };
        Ok(Self { parts: past.map(part).collect::<Result<_>>()?, rows: 0, capacity: 0 })
    }

    /// Makes room for so many tokens in each of so many rows.
    pub(super) fn reserve(&mut self, rows: usize, tokens: usize) -> Result<()> {
        if tokens > self.capacity || rows != self.rows {
            let kept: Vec<usize> = (0..rows).map(|row| row.min(self.rows)).collect();
            self.rebuild(&kept, tokens.next_multiple_of(STEP).max(self.capacity))?;
        }
        Ok(())
    }

    /// Row `i` becomes a copy of what row `rows[i]` was, which has at most so many tokens: what lies behind them is room, and stays.
    pub(super) fn select(&mut self, rows: &[usize], tokens: usize) -> Result<()> {
        if rows.len() != self.rows {
            return self.rebuild(rows, self.capacity);
        }
        let moved: Vec<(usize, usize)> = rows.iter().copied().enumerate().filter(|(to, from)| to != from).collect();
        let mut taken: Vec<f32> = Vec::new();
        for part in &mut self.parts {
            let (heads, head, used) = (part.heads, self.capacity * part.size, tokens.min(self.capacity) * part.size);
            let heads_of = |row: usize| (0..heads).map(move |place| (row * heads + place) * head);
            let elements = part.buffer.elements_mut();
            taken.clear();
            for from in moved.iter().flat_map(|(_, from)| heads_of(*from)) {
                taken.extend_from_slice(elements.get(from..from + used).unwrap_or_default());
            }
            for (to, taken) in moved.iter().flat_map(|(to, _)| heads_of(*to)).zip(taken.chunks_exact(used.max(1))) {
                if let Some(place) = elements.get_mut(to..to + taken.len()) {
                    place.copy_from_slice(taken);
                }
            }
        }
        Ok(())
    }

    /// New tensors, with rows of the old ones; a row that was not there is empty.
    fn rebuild(&mut self, rows: &[usize], capacity: usize) -> Result<()> {
        let bytes = self.parts.iter().fold(0_usize, |sum, part| {
            let part = [part.heads, part.size, capacity, 4].iter().fold(rows.len(), |product, &n| product.saturating_mul(n));
            sum.saturating_add(part)
        });
        let no_memory = || {
            Error::new(
                ErrorKind::Runtime,
                format!(
                    "no memory for a cache of {} rows with {capacity} tokens ({} MB); shorten the prompt, or ask for fewer tokens or beams",
                    rows.len(),
                    bytes >> 20
                ),
            )
        };
        // Asking for more than there is would not fail, but end the process when it is used.
        if bytes as u64 > memory::available() {
            return Err(no_memory());
        }
        for part in &mut self.parts {
            let mut buffer = Buffer::zeros(&[rows.len(), part.heads, capacity, part.size]).map_err(|_| no_memory())?;
            let (old, new) = (self.capacity * part.size, capacity * part.size);
            let kept = old.min(new);
            if kept > 0 {
                let heads = part.heads;
                let places = rows.iter().flat_map(|from| (0..heads).map(move |head| from * heads + head));
                for (from, to) in places.zip(buffer.elements_mut().chunks_exact_mut(new)) {
                    if let Some(from) = part.buffer.elements().get(from * old..from * old + kept) {
                        to[..kept].copy_from_slice(from);
                    }
                }
            }
            part.buffer = buffer;
        }
        (self.rows, self.capacity) = (rows.len(), capacity);
        Ok(())
    }

    /// The tensors with the names of the inputs and outputs that they are.
    pub(super) fn bindings(&mut self) -> Vec<(&str, &str, &mut Buffer)> {
        self.parts.iter_mut().map(|part| (part.input.as_str(), part.output.as_str(), &mut part.buffer)).collect()
    }
}
