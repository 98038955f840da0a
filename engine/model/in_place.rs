//! Which parts of a cache a ready-made graph can write where they lie.

use std::path::Path;

use formers_converters::reader::{Operator, operators};

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

/// What a graph can write in place. Nothing where the file cannot be read: whoever opens it will say so.
pub(super) fn find(file: &Path) -> Vec<InPlace> {
    let operators = operators(file).unwrap_or_default();
    let uses = |name: &str| operators.iter().flat_map(|operator| &operator.inputs).filter(|input| *input == name).count();
    let one = |attention: &Operator, input: usize, output: usize| {
        let (input, output) = (attention.inputs.get(input)?, attention.outputs.get(output)?);
        let alone = !input.is_empty() && !output.is_empty() && uses(input) == 1 && uses(output) == 0;
        let positive = |name: &str| attention.integer(name).and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0);
        let window = positive("sliding_window_cache").and_then(|_| positive("local_window_size"));
        alone.then(|| InPlace { input: input.clone(), output: output.clone(), window })
    };
    let attentions = operators.iter().filter(|o| o.op == "GroupQueryAttention" && o.domain == "com.microsoft");
    attentions.flat_map(|attention| [one(attention, 3, 1), one(attention, 4, 2)]).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caches_that_only_attention_reads_are_found() {
        let found = |name: &str| find(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/ready").join(name));
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
