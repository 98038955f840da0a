//! What the operators of a ready-made graph say about its cache and its padding.

use formers_converters::reader::{Operator, operators};

/// What a graph can be given, beyond what its inputs say.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Wiring {
    pub(crate) in_place: Vec<InPlace>,
    pub(crate) padding: Padding,
}

/// A cache that only attention reads, by an operator that writes new tokens behind the old ones: past may have more room than
/// tokens, and present may be the same tensor.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct InPlace {
    /// The past.
    pub(crate) input: String,
    /// The present.
    pub(crate) output: String,
    /// The room is for so many tokens and never grows, because the operator keeps only those that it still looks at.
    pub(crate) window: Option<usize>,
}

/// Where rows of different lengths may have something between their tokens and the width of the longest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Padding {
    /// Nowhere, as far as anybody knows.
    #[default]
    None,
    /// In front, as Transformers pads and Optimum exports it: all of attention is plain products with a mask, and positions are given.
    Left,
    /// Behind, where the cache of each row has room for its next tokens: attention counts the ones in each row of the mask.
    Right,
}

impl Wiring {
    /// Of the bytes of an ONNX file; nothing where they are none: whoever opens it will say so.
    pub(super) fn of(model: &[u8]) -> Self {
        let operators = operators(model).unwrap_or_default();
        let in_place = in_place(&operators);
        Self { padding: padding(&operators, &in_place), in_place }
    }
}

fn in_place(operators: &[Operator]) -> Vec<InPlace> {
    let one = |attention: &Operator, input: usize, output: usize| {
        let (input, output) = (attention.inputs.get(input)?, attention.outputs.get(output)?);
        let alone =
            !input.is_empty() && !output.is_empty() && users(operators, input).count() == 1 && users(operators, output).count() == 0;
        let positive = |name: &str| attention.integer(name).and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0);
        let window = positive("sliding_window_cache").and_then(|_| positive("local_window_size"));
        alone.then(|| InPlace { input: input.clone(), output: output.clone(), window })
    };
    let attentions = operators.iter().filter(|operator| is_grouped(operator));
    // Keys and values have as much room as each other.
    attentions.filter_map(|attention| Some([one(attention, 3, 1)?, one(attention, 4, 2)?])).flatten().collect()
}

fn padding(operators: &[Operator], in_place: &[InPlace]) -> Padding {
    let takes = |name: &str| users(operators, name).next().is_some();
    let attentions: Vec<&Operator> = operators.iter().filter(|operator| operator.op.contains("Attention")).collect();
    if attentions.is_empty() {
        return if takes("attention_mask") && takes("position_ids") { Padding::Left } else { Padding::None };
    }
    let in_room = |attention: &&Operator| {
        let is_there =
            |index: usize| attention.inputs.get(index).is_some_and(|past| in_place.iter().any(|p| p.input == *past && p.window.is_none()));
        is_grouped(attention) && is_there(3) && is_there(4)
    };
    let by_row = takes("position_ids") || attentions.iter().all(|attention| attention.integer("do_rotary") == Some(1));
    let counted = users(operators, "attention_mask").all(|operator| matches!(operator.op.as_str(), "ReduceSum" | "Shape"));
    if by_row && counted && attentions.iter().all(in_room) { Padding::Right } else { Padding::None }
}

fn is_grouped(operator: &Operator) -> bool {
    operator.op == "GroupQueryAttention" && operator.domain == "com.microsoft"
}

/// The operators that take something, once for each time.
fn users<'a>(operators: &'a [Operator], name: &'a str) -> impl Iterator<Item = &'a Operator> {
    operators.iter().flat_map(move |operator| operator.inputs.iter().filter(move |input| *input == name).map(move |_| operator))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn wiring(name: &str) -> Wiring {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/ready").join(name);
        Wiring::of(&std::fs::read(file).unwrap_or_default())
    }

    #[test]
    fn graphs_tell_where_they_may_be_padded() {
        for (name, padding) in [
            ("llama/genai", Padding::Right),
            ("llama/half", Padding::Right),
            // It keeps only a window, of places that padding would take.
            ("gemma2/genai", Padding::None),
            ("llama/plain", Padding::Left),
            ("gpt2/without_cache", Padding::Left),
            ("gpt_bigcode/fused", Padding::Left),
            // Positions are its own business.
            ("bloom/plain", Padding::None),
        ] {
            assert_eq!(wiring(&format!("{name}/model.onnx")).padding, padding, "{name}");
        }
    }

    #[test]
    fn caches_that_only_attention_reads_are_found() {
        let found = |name: &str| wiring(name).in_place;
        let windows = |name: &str| found(name).into_iter().map(|place| place.window).collect::<Vec<_>>();
        assert_eq!(windows("llama/genai/model.onnx"), [None; 4]);
        assert_eq!(windows("gemma2/genai/model.onnx"), [Some(6), Some(6), None, None]);
        assert_eq!(found("llama/half/model.onnx")[1].input, "past_key_values.0.value");
        assert_eq!(found("llama/half/model.onnx")[1].output, "present.0.value");
        for others in ["llama/plain/model.onnx", "gpt2/merged/decoder_model_merged.onnx", "no/file.onnx"] {
            assert_eq!(found(others), [], "{others}");
        }
    }
}
