//! ESM-1b and ESM-2 (<https://doi.org/10.1126/science.ade2574>): encoders of proteins, with norms before each block.

use formers_converters::{
    Dtype, Error, Result, Weights,
    graph::{Body, Tensor},
    layers::{Activation, Frequencies, Mask, RopeConfig, Rotary, attention, embedding, layer_norm, linear, rotary::Pairs},
};
use serde::Deserialize;

use crate::{
    Architecture, Head, Request,
    parts::{heads, inputs},
};

pub(crate) const ARCHITECTURE: Architecture =
    Architecture::new("esm", &[Head::Base, Head::MaskedLm, Head::SequenceClassification, Head::TokenClassification], build);

#[derive(Deserialize)]
#[serde(default)]
struct Config {
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    max_position_embeddings: usize,
    layer_norm_eps: f32,
    position_embedding_type: Positions,
    emb_layer_norm_before: Option<bool>,
    token_dropout: Option<bool>,
    mask_token_id: Option<i64>,
    pad_token_id: Option<i64>,
    tie_word_embeddings: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            hidden_size: 768,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            max_position_embeddings: 1026,
            layer_norm_eps: 1e-12,
            position_embedding_type: Positions::Absolute,
            emb_layer_norm_before: None,
            token_dropout: None,
            mask_token_id: None,
            pad_token_id: None,
            tie_word_embeddings: true,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Positions {
    Absolute,
    Rotary,
}

/// The share of tokens that the models saw masked and zeroed in training.
const MASKED_IN_TRAINING: f32 = 0.15 * 0.8;

fn build(request: &Request) -> Result<Vec<Body>> {
    request.encoder_only()?;
    let cfg: Config = request.config()?;
    let (graph, w) = request.graph();
    let base = w.base("esm");
    base.skip("contact_head.");
    let text = inputs::Text::new(&graph);
    let mask = Mask::padding(&text.attention_mask);

    let x = cfg.embeddings(&base.pp("embeddings"), &text)?;
    let rotary = match cfg.position_embedding_type {
        Positions::Absolute => None,
        Positions::Rotary => Some(Rotary::for_length(&cfg.frequencies(request, &base)?, &text.length(), Pairs::Halves)),
    };
    let x = base.layers("encoder.layer", cfg.num_hidden_layers).fold(x, |x, w| cfg.layer(&w, x, rotary.as_ref(), &mask));
    let hidden = layer_norm(&base.pp("encoder.emb_layer_norm_after"), cfg.layer_norm_eps, &x);
    match request.head {
        Head::MaskedLm => graph.output("logits", &cfg.masked_lm(&w.pp("lm_head"), &base, &hidden)),
        Head::SequenceClassification => heads::classification(&graph, &w.pp("classifier"), Activation::Tanh, &hidden),
        _ => heads::usual(request, &graph, &w, &hidden, &text.attention_mask)?,
    }
    Ok(vec![request.finish(graph, &w, &base)?])
}

impl Config {
    fn embeddings(&self, w: &Weights, text: &inputs::Text) -> Result<Tensor> {
        let needed = |name: &str, id: Option<i64>| id.ok_or_else(|| Error::config(format!("config.json lacks {name}, which ESM needs")));
        let mut x = embedding(&w.pp("word_embeddings"), &text.input_ids);
        if self.token_dropout == Some(true) {
            x = x * token_dropout(needed("mask_token_id", self.mask_token_id)?, text);
        }
        if self.position_embedding_type == Positions::Absolute {
            let positions = text.positions_after(needed("pad_token_id", self.pad_token_id)?);
            x = x + embedding(&w.pp("position_embeddings"), &positions);
        } else {
            w.skip("position_embeddings.");
        }
        if self.emb_layer_norm_before == Some(true) {
            x = layer_norm(&w.pp("layer_norm"), self.layer_norm_eps, &x);
        }
        Ok(&x * text.attention_mask.cast(x.dtype()).unsqueeze(&[2]))
    }

    /// Those of the checkpoint, which may have gone through 16 bits, or else the usual ones.
    fn frequencies(&self, request: &Request, base: &Weights) -> Result<Frequencies> {
        let size = self.hidden_size / self.num_attention_heads.max(1);
        let mut frequencies = request.config::<RopeConfig>()?.frequencies(size, 10_000.0, self.max_position_embeddings)?;
        // Version 5 of Transformers writes the star, earlier ones a copy for each layer.
        for scope in ["", "encoder.layer.*.attention.self.", "encoder.layer.0.attention.self."] {
            let scope = base.pp(format!("{scope}rotary_embeddings"));
            if !scope.has("inv_freq") {
                continue;
            }
            let stored = scope.values("inv_freq").unwrap_or_default();
            if stored.len() != frequencies.inverse.len() {
                let (key, found, wanted) = (scope.key("inv_freq"), stored.len(), frequencies.inverse.len());
                return Err(Error::tensor(format!("tensor {key} has {found} numbers, but heads of {size} need {wanted}")));
            }
            frequencies.inverse = stored;
            break;
        }
        Ok(frequencies)
    }

    fn layer(&self, w: &Weights, x: Tensor, rotary: Option<&Rotary>, mask: &Mask) -> Tensor {
        let normed = layer_norm(&w.pp("attention.LayerNorm"), self.layer_norm_eps, &x);
        let a = self.self_attention(&w.pp("attention.self"), &normed, rotary, mask);
        let x = linear(&w.pp("attention.output.dense"), &a) + x;
        let normed = layer_norm(&w.pp("LayerNorm"), self.layer_norm_eps, &x);
        linear(&w.pp("output.dense"), &linear(&w.pp("intermediate.dense"), &normed).gelu()) + x
    }

    fn self_attention(&self, w: &Weights, x: &Tensor, rotary: Option<&Rotary>, mask: &Mask) -> Tensor {
        let heads = self.num_attention_heads;
        let turned = |x: Tensor| rotary.map_or_else(|| x.clone(), |rotary| rotary.of(&x, heads));
        let (query, key, value) = (linear(&w.pp("query"), x), linear(&w.pp("key"), x), linear(&w.pp("value"), x));
        attention(&turned(query), &turned(key), &value, heads, attention::scale(self.hidden_size / heads.max(1)), mask)
    }

    fn masked_lm(&self, w: &Weights, base: &Weights, hidden: &Tensor) -> Tensor {
        let h = layer_norm(&w.pp("layer_norm"), self.layer_norm_eps, &linear(&w.pp("dense"), hidden).gelu());
        let table = heads::decoder_table(&w.pp("decoder"), self.tie_word_embeddings, &base.pp("embeddings.word_embeddings"));
        h.matmul_transposed(&table, 1.0) + w.get("bias", &[table.fixed(0)])
    }
}

/// What token dropout multiplies embeddings with, `(batch, sequence, 1)`: masked tokens are zeroed, and the others scaled for as many
/// as were masked in training.
fn token_dropout(mask_token_id: i64, text: &inputs::Text) -> Tensor {
    let graph = text.input_ids.graph();
    let kept = text.input_ids.equal(&graph.ints(&[], &[mask_token_id])).not().cast(Dtype::F32);
    let count = |x: &Tensor| x.sum(&[1], true);
    let masked = count(&(1.0 - &kept)) / count(&text.attention_mask).cast(Dtype::F32);
    (kept * (1.0 - MASKED_IN_TRAINING) / (1.0 - masked)).cast(graph.float()).unsqueeze(&[2])
}
