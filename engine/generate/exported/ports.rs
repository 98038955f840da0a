//! How a ready-made graph takes the tokens so far: told by the names and shapes of its inputs and outputs.

use serde_json::Value as Json;

use crate::session::{Dim, Dtype, Port, Session, Value};
use crate::{Error, Result};

/// A tensor that runs hand on to the next: keys, values, or a state.
#[derive(Debug, Clone)]
pub(super) struct Part {
    /// The input that takes what there was before.
    pub(super) input: String,
    /// The output of the first run that the next takes.
    pub(super) first: String,
    /// The output of each later run; `None` for what stays as the first run left it.
    pub(super) next: Option<String>,
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<Size>,
}

/// One size of a part before there are any tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    /// So many for each row: 1, or the heads where old exports put them together with the rows.
    Rows(usize),
    Fixed(usize),
    /// Grows with the tokens.
    Tokens,
}

/// Sizes of attention by `config.json`, for graphs that do not say them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Heads {
    queries: Option<usize>,
    keys: Option<usize>,
    width: Option<usize>,
}

impl Heads {
    pub(super) fn of(config: &Json) -> Self {
        let text = config.get("text_config").unwrap_or(config);
        let size = |names: &[&str]| names.iter().find_map(|name| text.get(name)?.as_u64()).and_then(|n| usize::try_from(n).ok());
        let queries = size(&["num_attention_heads", "decoder_attention_heads", "n_head", "n_heads", "num_heads"]);
        let keys = size(&["num_key_value_heads", "num_kv_heads"]).or(queries);
        let whole = size(&["hidden_size", "n_embd", "d_model"]);
        let width = size(&["head_dim", "d_kv"]).or_else(|| whole?.checked_div(queries?));
        Self { queries, keys, width }
    }
}

/// Stands before the cache that a graph takes, where the reference exports it; before that which it gives, `output.`, and in a graph that
/// only begins one, nothing.
const GIVEN: &str = "input.";

/// Whether an input takes what earlier runs left.
pub(super) fn is_past(name: &str) -> bool {
    name.strip_prefix(GIVEN).unwrap_or(name).starts_with("past") && !name.ends_with("_length")
}

/// The parts of a graph, which runs first as `first` and then as `next`: one session, or two.
pub(super) fn parts(first: &Session, next: &Session, heads: Heads) -> Result<Vec<Part>> {
    next.inputs().iter().filter(|port| is_past(&port.name)).map(|port| part(port, first, next, heads)).collect()
}

fn part(port: &Port, first: &Session, next: &Session, heads: Heads) -> Result<Part> {
    let rest = port.name.trim_start_matches("past_key_values").trim_start_matches("past");
    // `past_conv.0` goes on as `present_conv.0`, `past_key_values.0.key` as `present.0.key`.
    let names = match port.name.strip_prefix(GIVEN) {
        Some(name) => [format!("output.{name}"), name.to_owned()],
        None => [format!("present{rest}"), format!("present_key_values{rest}")],
    };
    let output = |session: &Session| names.iter().find(|name| session.output(name).is_some()).cloned();
    let missing = || Error::unsupported(format!("input `{}` has no output `{}` that goes on from it", port.name, names[0]));
    let dtype = port.dtype.ok_or_else(|| Error::unsupported(format!("input `{port}`: it is no tensor of numbers")))?;
    // Keys and values of the source never change, and exports give something empty in their place.
    let stays = port.name.contains(".encoder.");
    let later = if stays { None } else { Some(output(next).ok_or_else(missing)?) };
    Ok(Part { input: port.name.clone(), first: output(first).ok_or_else(missing)?, next: later, dtype, shape: sizes(port, heads)? })
}

/// What a part's sizes are before there are any tokens.
fn sizes(port: &Port, heads: Heads) -> Result<Vec<Size>> {
    let unknown = |what: &str| Error::unsupported(format!("input `{port}`: neither its shape nor config.json says its {what}"));
    let is_open = |dim: &Dim| !matches!(dim, Dim::Fixed(_));
    // Where more than the tokens is open, it is a shape (batch, heads, tokens, width).
    let unsaid = port.shape.iter().skip(1).filter(|dim| is_open(dim)).count() > 1 && port.shape.len() == 4;
    let size = |(axis, dim): (usize, &Dim)| match (axis, dim) {
        (0, Dim::Fixed(1)) => Ok(Size::Rows(1)),
        (0, Dim::Fixed(_)) => Err(Error::unsupported(format!("input `{port}`: it takes only so many rows"))),
        (0, Dim::Named(name)) if name.contains("head") => heads.queries.map(Size::Rows).ok_or_else(|| unknown("heads")),
        (0, Dim::Named(name)) if name.contains("sequence") => {
            Err(Error::unsupported(format!("input `{port}`: a cache must have the rows on its first axis")))
        }
        (0, _) => Ok(Size::Rows(1)),
        (_, Dim::Fixed(size)) => Ok(Size::Fixed(*size)),
        (1, _) if unsaid => heads.keys.map(Size::Fixed).ok_or_else(|| unknown("heads")),
        (3, _) if unsaid => heads.width.map(Size::Fixed).ok_or_else(|| unknown("width")),
        _ => Ok(Size::Tokens),
    };
    if port.shape.is_empty() {
        return Err(Error::unsupported(format!("input `{}`: the graph does not say its shape", port.name)));
    }
    port.shape.iter().enumerate().map(size).collect()
}

impl Part {
    /// The output that holds it after the first run, or a later one.
    pub(super) fn output(&self, is_first: bool) -> Option<&str> {
        if is_first { Some(&self.first) } else { self.next.as_deref() }
    }

    /// Whether it has something for each token.
    pub(super) fn grows(&self) -> bool {
        self.shape.contains(&Size::Tokens)
    }

    /// What it is before there are any tokens: nothing for each of them, and zeros for a state.
    pub(super) fn empty(&self, rows: usize) -> Result<Value> {
        let size = |size: &Size| match size {
            Size::Rows(each) => rows.saturating_mul(*each),
            Size::Fixed(size) => *size,
            Size::Tokens => 0,
        };
        Value::zeros(self.dtype, &self.shape.iter().map(size).collect::<Vec<_>>())
    }
}

/// The rows of a part that has those of `before` rows.
pub(super) fn select(value: &Value, before: usize, rows: &[usize]) -> Result<Value> {
    let each = value.shape().first().map_or(1, |all| all / before.max(1));
    let places: Vec<usize> = rows.iter().flat_map(|row| row * each..(row + 1) * each).collect();
    value.select(&places)
}
