//! DeBERTa (<https://arxiv.org/abs/2006.03654>): attention between content and relative positions, each with vectors of its own.

use formers_converters::{
    Error, Result, Weights,
    graph::{Body, Tensor},
    layers::{
        Activation, Mask, attention,
        disentangled::{Disentangled, MAX_REACH},
        embedding, layer_norm, linear, linear_constant, linear_no_bias,
    },
};
use serde::Deserialize;

use crate::{
    Architecture, Head, Request,
    parts::{heads, inputs},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("deberta", Head::ENCODER, build);

#[derive(Deserialize)]
#[serde(default)]
struct Config {
    num_hidden_layers: usize,
    num_attention_heads: usize,
    talking_head: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { num_hidden_layers: 12, num_attention_heads: 12, talking_head: false }
    }
}

/// What DeBERTa's generations have in common.
#[derive(Deserialize)]
#[serde(default)]
pub(crate) struct Common {
    hidden_act: Activation,
    pub(crate) layer_norm_eps: f32,
    max_position_embeddings: i64,
    type_vocab_size: usize,
    relative_attention: bool,
    max_relative_positions: i64,
    position_biased_input: bool,
    pos_att_type: Option<Names>,
    pooler_hidden_act: Activation,
    legacy: bool,
    tie_word_embeddings: bool,
}

impl Default for Common {
    fn default() -> Self {
        Self {
            hidden_act: Activation::Gelu,
            layer_norm_eps: 1e-7,
            max_position_embeddings: 512,
            type_vocab_size: 0,
            relative_attention: false,
            max_relative_positions: -1,
            position_biased_input: true,
            pos_att_type: None,
            pooler_hidden_act: Activation::Gelu,
            legacy: true,
            tie_word_embeddings: true,
        }
    }
}

/// Names as a list, or in one string between bars.
#[derive(Deserialize)]
#[serde(untagged)]
enum Names {
    One(String),
    Many(Vec<String>),
}

impl Common {
    /// `c2p`, `p2c`: whether content looks at positions, and positions at content.
    pub(crate) fn pos_att_type(&self) -> Vec<String> {
        match &self.pos_att_type {
            None => Vec::new(),
            Some(Names::One(names)) => bars(names),
            Some(Names::Many(names)) => names.clone(),
        }
    }

    /// The distance up to which positions are told apart.
    pub(crate) fn max_relative_positions(&self) -> Result<i64> {
        let max = if self.max_relative_positions < 1 { self.max_position_embeddings } else { self.max_relative_positions };
        if (1..=MAX_REACH).contains(&max) {
            Ok(max)
        } else {
            Err(Error::config(format!("config.json: {max} relative positions make no sense")))
        }
    }

    /// Whether attention has a term for `kind`.
    pub(crate) fn relative(&self, kind: &str) -> bool {
        self.relative_attention && self.pos_att_type().iter().any(|k| k == kind)
    }

    /// Whether there is a table of relative positions that something uses.
    pub(crate) fn uses_positions(&self) -> bool {
        self.relative("c2p") || self.relative("p2c")
    }
}

/// Names between bars.
pub(crate) fn bars(names: &str) -> Vec<String> {
    names.to_lowercase().split('|').map(|name| name.trim().to_string()).collect()
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let (cfg, common): (Config, Common) = (request.config()?, request.config()?);
    model(request, &common, |w, x, text| {
        let max = common.max_relative_positions()?;
        let positions = Disentangled::new(&text.length(), max, |distance| (distance + max).clamp(0, 2 * max - 1));
        let table = common.uses_positions().then(|| w.any("rel_embeddings.weight", 2));
        let mask = Mask::pairs(&text.attention_mask);
        let attend = |w: &Weights, x: &Tensor| self_attention(&cfg, &common, w, x, table.as_ref().map(|t| (&positions, t)), &mask);
        Ok(w.layers("layer", cfg.num_hidden_layers).fold(x, |x, w| layer(&common, &w, x, attend)))
    })
}

fn self_attention(
    cfg: &Config,
    common: &Common,
    w: &Weights,
    x: &Tensor,
    positions: Option<(&Disentangled, &Tensor)>,
    mask: &Mask,
) -> Tensor {
    let heads = cfg.num_attention_heads;
    // Each head has its query, key and value side by side.
    let qkv = linear_no_bias(&w.pp("in_proj"), x);
    let width = qkv.fixed(-1) / 3;
    if heads == 0 || qkv.fixed(-1) != 3 * width || !width.is_multiple_of(heads) {
        x.graph().fail(Error::config(format!("in_proj of width {} cannot be divided among {heads} heads", qkv.fixed(-1))));
        return x.clone();
    }
    let split = qkv.reshape(&[0i64.into(), 0i64.into(), heads.into(), (3 * width / heads).into()]).chunk(-1, 3);
    let merged: Vec<Tensor> = split.iter().map(|x| x.reshape(&[0i64.into(), 0i64.into(), width.into()])).collect();
    let [query, key, value] = merged.as_slice() else { return x.clone() };
    let (query, value) = (query + w.get("q_bias", &[width]), value + w.get("v_bias", &[width]));

    let scale = attention::scale(width / heads * (1 + common.pos_att_type().len()));
    let bias = positions.and_then(|(positions, table)| {
        let pos_key = common.relative("c2p").then(|| linear_constant(&w.pp("pos_proj"), table, false));
        let pos_query = common.relative("p2c").then(|| linear_constant(&w.pp("pos_q_proj"), table, true));
        positions.bias(&query, key, pos_key, pos_query, heads, scale)
    });
    if cfg.talking_head {
        return talking_heads(w, [&query, key, &value], heads, scale, bias.as_ref(), mask);
    }
    attention(&query, key, &value, heads, scale, &bias.map_or_else(|| mask.clone(), |bias| mask.with_bias(&bias)))
}

/// Attention whose heads are mixed before and after the softmax (<https://arxiv.org/abs/2003.02436>).
fn talking_heads(w: &Weights, qkv: [&Tensor; 3], heads: usize, scale: f32, bias: Option<&Tensor>, mask: &Mask) -> Tensor {
    let [query, key, value] = qkv.map(|x| attention::split_heads(x, heads));
    let mix = |name: &str, x: &Tensor| {
        let flat = x.reshape(&[0i64.into(), 0i64.into(), (-1i64).into()]);
        w.get(name, &[heads, heads]).matmul(&flat).reshape(&[0i64.into(), 0i64.into(), key.dim(2).into(), (-1i64).into()])
    };
    let scores = query.matmul_transposed(&key, scale);
    let scores = bias.map_or(scores.clone(), |bias| scores + bias);
    let scores = mix("head_logits_proj.weight", &scores);
    let scores = mask.bias.as_ref().map_or(scores.clone(), |bias| scores + bias);
    attention::merge_heads(&mix("head_weights_proj.weight", &scores.softmax(-1)).matmul(&value))
}

/// Embeddings, `encoder`, and the heads.
pub(crate) fn model(
    request: &Request,
    cfg: &Common,
    encoder: impl FnOnce(&Weights, Tensor, &inputs::Text) -> Result<Tensor>,
) -> Result<Vec<Body>> {
    let (graph, w) = request.graph();
    let base = w.base("deberta");
    let text = if cfg.type_vocab_size > 0 { inputs::Text::with_token_types(&graph) } else { inputs::Text::new(&graph) };

    let x = embeddings(cfg, &base.pp("embeddings"), &text);
    let hidden = encoder(&base.pp("encoder"), x, &text)?;
    // Checkpoints carry these though their configs turn them off.
    base.skip("embeddings.position_embeddings");
    base.skip("encoder.rel_embeddings");
    base.skip("encoder.LayerNorm");
    match request.head {
        Head::MaskedLm => graph.output("logits", &masked_lm(cfg, &w, &base.pp("embeddings.word_embeddings"), &hidden)),
        Head::SequenceClassification => {
            let pooled = cfg.pooler_hidden_act.of(&linear(&w.pp("pooler.dense"), &heads::first_token(&hidden)));
            heads::logits(&graph, &w.pp("classifier"), &pooled);
        }
        _ => heads::usual(request, &graph, &w, &hidden, &text.attention_mask)?,
    }
    Ok(vec![request.finish(graph, &w, &base)?])
}

fn embeddings(cfg: &Common, w: &Weights, text: &inputs::Text) -> Tensor {
    let mut x = embedding(&w.pp("word_embeddings"), &text.input_ids);
    if cfg.position_biased_input {
        x = x + text.positions(&w.pp("position_embeddings"));
    }
    if cfg.type_vocab_size > 0 {
        x = x + embedding(&w.pp("token_type_embeddings"), &text.token_types());
    }
    if w.has("embed_proj.weight") {
        x = linear_no_bias(&w.pp("embed_proj"), &x);
    }
    layer_norm(&w.pp("LayerNorm"), cfg.layer_norm_eps, &x) * text.token_mask()
}

/// One layer, around the attention that `attend` computes.
pub(crate) fn layer(cfg: &Common, w: &Weights, x: Tensor, attend: impl Fn(&Weights, &Tensor) -> Tensor) -> Tensor {
    let norm = |w: &Weights, x: Tensor| layer_norm(&w.pp("LayerNorm"), cfg.layer_norm_eps, &x);
    let a = attend(&w.pp("attention.self"), &x);
    let x = norm(&w.pp("attention.output"), linear(&w.pp("attention.output.dense"), &a) + x);
    let h = cfg.hidden_act.of(&linear(&w.pp("intermediate.dense"), &x));
    norm(&w.pp("output"), linear(&w.pp("output.dense"), &h) + x)
}

fn masked_lm(cfg: &Common, w: &Weights, words: &Weights, hidden: &Tensor) -> Tensor {
    if cfg.legacy {
        let w = w.pp("cls.predictions");
        let h = heads::transform(&w.pp("transform"), cfg.hidden_act, cfg.layer_norm_eps, hidden);
        heads::decoder(&w, "decoder", cfg.tie_word_embeddings, words, &h)
    } else {
        let w = w.pp("lm_predictions.lm_head");
        let table = words.any("weight", 2);
        heads::transform(&w, cfg.hidden_act, cfg.layer_norm_eps, hidden).matmul_transposed(&table, 1.0) + w.get("bias", &[table.fixed(0)])
    }
}
