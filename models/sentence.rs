//! What sentence-transformers puts on top of hidden states: pooling, dense layers, normalization (`modules.json`).

use std::sync::Arc;

use formers_converters::{
    Dtype, Result, Weights,
    graph::{Body, Graph, Tensor},
    layers::{Activation, linear_if, linear_no_bias},
    weights::Tensors,
};

/// One module of `modules.json` after the transformer.
#[derive(Clone)]
pub enum Module {
    /// Token vectors become one vector.
    Pooling {
        /// The concatenation of these.
        modes: Vec<Pooling>,
        /// Whether the tokens of a prompt before the text count. Where they do not, the graph has an input
        /// `prompt_length`, how many tokens to leave out at the start.
        include_prompt: bool,
    },
    /// A linear layer, `linear.weight` and perhaps `linear.bias`.
    Dense {
        /// The module's own tensors.
        tensors: Arc<Tensors>,
        /// Applied to the result.
        activation: Activation,
        /// Whether what goes in is added, by `residual.weight` where sizes differ.
        use_residual: bool,
    },
    /// Layer normalization, `norm.weight` and `norm.bias`.
    LayerNorm {
        /// The module's own tensors.
        tensors: Arc<Tensors>,
    },
    /// To length one.
    Normalize,
}

/// How token vectors become one vector; the names are those of sentence-transformers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// The first token.
    Cls,
    /// The largest of each component.
    Max,
    /// The mean.
    Mean,
    /// The sum over the square root of the length.
    MeanSqrtLen,
    /// The mean with weights 1, 2, 3, …
    WeightedMean,
    /// The last token that is not padding.
    LastToken,
}

/// A graph of these modules alone, for hidden states of this width that another graph gives: `token_embeddings` and `attention_mask` become
/// `sentence_embedding`.
///
/// # Errors
/// Weights that do not fit.
pub fn graph(modules: &[Module], width: usize) -> Result<Body> {
    let graph = Graph::new("modules", Dtype::F32);
    let hidden = graph.input("token_embeddings", Dtype::F32, &["batch_size".into(), "sequence_length".into(), width.into()]);
    let attention_mask = graph.input("attention_mask", Dtype::I64, &["batch_size".into(), "sequence_length".into()]);
    embed(&graph, modules, &hidden, &attention_mask)?;
    graph.finish()
}

/// Gives `sentence_embedding` where the checkpoint has such modules.
pub(crate) fn embed(graph: &Graph, modules: &[Module], hidden: &Tensor, attention_mask: &Tensor) -> Result<()> {
    if modules.is_empty() {
        return Ok(());
    }
    let mut x = hidden.clone();
    for module in modules {
        x = match module {
            Module::Pooling { modes, include_prompt: true } => pool(graph, modes, &x, attention_mask),
            Module::Pooling { modes, include_prompt: false } => {
                let prompt_length = graph.input("prompt_length", Dtype::I64, &[1usize.into()]);
                let text = graph.range(&x.dim(1)).greater_or_equal(&prompt_length).cast(Dtype::I64);
                pool(graph, modes, &x, &(attention_mask * text.unsqueeze(&[0])))
            }
            Module::Dense { tensors, activation, use_residual } => {
                let weights = Weights::new(graph, tensors.clone());
                let linear = weights.pp("linear");
                let y = activation.of(&linear_if(&linear, &x, linear.has("bias")));
                let residual = weights.pp("residual");
                let y = match (use_residual, residual.exists()) {
                    (false, _) => y,
                    (true, true) => y + linear_no_bias(&residual, &x),
                    (true, false) => y + &x,
                };
                weights.check()?;
                y
            }
            Module::LayerNorm { tensors } => {
                let weights = Weights::new(graph, tensors.clone()).pp("norm");
                let y = formers_converters::layers::layer_norm(&weights, 1e-5, &x);
                weights.check()?;
                y
            }
            Module::Normalize => &x / x.norm_l2(&[-1], true).max(&x.scalar(1e-12)),
        };
    }
    graph.output("sentence_embedding", &x);
    Ok(())
}

fn pool(graph: &Graph, kinds: &[Pooling], hidden: &Tensor, attention_mask: &Tensor) -> Tensor {
    let mask = attention_mask.cast(graph.float()).unsqueeze(&[2]);
    let sum = |weights: &Tensor| (hidden * weights).sum(&[1], false);
    let length = |weights: &Tensor| weights.sum(&[1], false).max(&weights.scalar(1e-9));
    let pooled: Vec<Tensor> = kinds
        .iter()
        .map(|kind| match kind {
            // The first that counts, whether padding or a prompt stands before it.
            Pooling::Cls => hidden.gather_nd(&attention_mask.argmax(1).unsqueeze(&[1]), 1),
            Pooling::Max => mask.greater(&mask.scalar(0.0)).select(hidden, &mask.scalar(f32::NEG_INFINITY)).reduce_max(&[1], false),
            Pooling::Mean => sum(&mask) / length(&mask),
            Pooling::MeanSqrtLen => sum(&mask) / length(&mask).sqrt(),
            Pooling::WeightedMean => {
                let places = (graph.range(&hidden.dim(1)).cast(graph.float()) + 1.0).unsqueeze(&[0, 2]);
                let weights = &mask * places;
                sum(&weights) / length(&weights)
            }
            Pooling::LastToken => {
                // The last place of a one, wherever the padding is.
                let places = graph.range(&hidden.dim(1)).unsqueeze(&[0]) * attention_mask;
                let last = places.argmax(1).unsqueeze(&[1]);
                hidden.gather_nd(&last, 1)
            }
        })
        .collect();
    graph.concat(&pooled.iter().collect::<Vec<_>>(), -1)
}
