//! ConvBERT (<https://arxiv.org/abs/2008.02496>): half of the attention heads give way to convolutions whose kernels the input makes.

use formers_converters::{
    Error, Result, Weights,
    graph::{Body, Conv, Tensor},
    layers::{Activation, Mask, attention, layer_norm, linear},
};
use serde::Deserialize;

use crate::{
    Architecture, Head, Request, bert,
    parts::{heads, inputs},
};

pub(crate) const ARCHITECTURE: Architecture =
    Architecture::new("convbert", Head::ENCODER, build).own_heads(&["generator_predictions", "discriminator_predictions"]).sees_padding();

#[derive(Deserialize)]
#[serde(default)]
struct Config {
    embedding_size: usize,
    head_ratio: usize,
    conv_kernel_size: usize,
    num_groups: usize,
    #[serde(skip)]
    bert: bert::Config,
}

impl Default for Config {
    fn default() -> Self {
        Self { embedding_size: 768, head_ratio: 2, conv_kernel_size: 9, num_groups: 1, bert: bert::Config::default() }
    }
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg = Config { bert: request.config()?, ..request.config()? };
    cfg.check()?;
    let (graph, w) = request.graph();
    let base = w.base("convbert");
    let text = inputs::Text::with_token_types(&graph);
    let (mask, windows) = (Mask::padding(&text.attention_mask), cfg.windows(&text));

    let x = bert::embeddings(cfg.bert.layer_norm_eps, &base.pp("embeddings"), &text);
    let x = if cfg.embedding_size == cfg.bert.hidden_size { x } else { linear(&base.pp("embeddings_project"), &x) };
    let layers = base.layers("encoder.layer", cfg.bert.num_hidden_layers);
    let hidden = layers.fold(x, |x, w| cfg.layer(&w, x, &mask, &windows));
    match request.head {
        Head::MaskedLm => {
            let h = heads::transform(&w.pp("generator_predictions"), Activation::Gelu, cfg.bert.layer_norm_eps, &hidden);
            let words = base.pp("embeddings.word_embeddings");
            graph.output("logits", &heads::decoder(&w, "generator_lm_head", cfg.bert.tie_word_embeddings, &words, &h));
        }
        Head::SequenceClassification => heads::classification(&graph, &w.pp("classifier"), cfg.bert.hidden_act, &hidden),
        _ => heads::usual(request, &graph, &w, &hidden, &text.attention_mask)?,
    }
    Ok(vec![request.finish(graph, &w, &base)?])
}

impl Config {
    fn check(&self) -> Result<()> {
        // An even kernel makes the sequence longer; the reference fails on it as well.
        if self.head_ratio == 0 || self.num_groups == 0 || self.conv_kernel_size.is_multiple_of(2) || self.conv_kernel_size > 1 << 16 {
            return Err(Error::config(format!(
                "config.json: head_ratio {}, num_groups {} and conv_kernel_size {} cannot be (the kernel must be odd)",
                self.head_ratio, self.num_groups, self.conv_kernel_size
            )));
        }
        Ok(())
    }

    fn heads(&self) -> usize {
        (self.bert.num_attention_heads / self.head_ratio).max(1)
    }

    /// The places of each token's window in a sequence that half a kernel of padding surrounds, `(sequence, kernel)`.
    fn windows(&self, text: &inputs::Text) -> Tensor {
        let graph = text.input_ids.graph();
        let steps: Vec<i64> = (0..self.conv_kernel_size as i64).collect();
        graph.range(&text.length()).unsqueeze(&[1]) + graph.ints(&[steps.len()], &steps)
    }

    fn layer(&self, w: &Weights, x: Tensor, mask: &Mask, windows: &Tensor) -> Tensor {
        let (act, epsilon) = (self.bert.hidden_act, self.bert.layer_norm_eps);
        let a = self.mixed_attention(&w.pp("attention.self"), &x, mask, windows);
        let x = layer_norm(&w.pp("attention.output.LayerNorm"), epsilon, &(linear(&w.pp("attention.output.dense"), &a) + x));
        let h = act.of(&self.grouped(&w.pp("intermediate.dense"), &x));
        layer_norm(&w.pp("output.LayerNorm"), epsilon, &(self.grouped(&w.pp("output.dense"), &h) + x))
    }

    fn mixed_attention(&self, w: &Weights, x: &Tensor, mask: &Mask, windows: &Tensor) -> Tensor {
        let (query, key, value) = (linear(&w.pp("query"), x), linear(&w.pp("key"), x), linear(&w.pp("value"), x));
        let scale = attention::scale(self.bert.hidden_size / self.heads() / 2);
        let attended = attention(&query, &key, &value, self.heads(), scale, mask);
        w.graph().concat(&[&attended, &self.convolution(w, x, &query, windows)], -1)
    }

    /// Each head's window of values, weighed by a kernel that the token's surroundings give.
    fn convolution(&self, w: &Weights, x: &Tensor, query: &Tensor, windows: &Tensor) -> Tensor {
        let (heads, size, width) = (self.heads(), self.conv_kernel_size, query.fixed(-1));
        let (half, keep) = (size / 2, 0i64);

        let kernels = linear(&w.pp("conv_kernel_layer"), &(separable(&w.pp("key_conv_attn_layer"), half, x) * query));
        let kernels = kernels.reshape(&[keep.into(), keep.into(), heads.into(), size.into()]).softmax(-1);
        // (batch, sequence, kernel, heads, 1)
        let kernels = kernels.transpose(&[0, 1, 3, 2]).unsqueeze(&[4]);

        let values = linear(&w.pp("conv_out_layer"), x).pad(&[(0, 0), (half as i64, half as i64), (0, 0)], 0.0).gather(windows, 1);
        // (batch, sequence, kernel, heads, size of a head)
        let values = values.reshape(&[keep.into(), keep.into(), keep.into(), heads.into(), (-1i64).into()]);
        (values * kernels).sum(&[2], false).reshape(&[keep.into(), keep.into(), width.into()])
    }

    /// A linear layer, or several side by side: `weight` is then `[groups, in, out]`.
    fn grouped(&self, w: &Weights, x: &Tensor) -> Tensor {
        if self.num_groups == 1 {
            return linear(w, x);
        }
        let weight = w.any("weight", 3);
        let width = weight.fixed(0) * weight.fixed(2);
        let parts = x.reshape(&[0i64.into(), 0i64.into(), self.num_groups.into(), weight.fixed(1).into()]).transpose(&[0, 2, 1, 3]);
        parts.matmul(&weight).transpose(&[0, 2, 1, 3]).reshape(&[0i64.into(), 0i64.into(), width.into()]) + w.get("bias", &[width])
    }
}

/// A convolution of each channel by itself, then a linear layer over the channels.
fn separable(w: &Weights, padding: usize, x: &Tensor) -> Tensor {
    let conv = Conv::new(1).padding(padding).groups(x.fixed(-1));
    let depthwise = x.transpose(&[0, 2, 1]).conv(&w.any("depthwise.weight", 3), None, &conv).transpose(&[0, 2, 1]);
    let pointwise = w.any("pointwise.weight", 3).squeeze(&[2]);
    let bias = w.any("bias", 2).squeeze(&[1]);
    depthwise.matmul_transposed(&pointwise, 1.0) + bias
}
