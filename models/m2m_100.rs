//! M2M100 (<https://arxiv.org/abs/2010.11125>) and NLLB (<https://arxiv.org/abs/2207.04672>): mBART with positions of sines that leave
//! padding out, and no norm of the embeddings.

use formers_converters::{
    Dtype, Result, Weights,
    graph::{Body, Tensor},
};
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    bart::{self, Config, EmbeddingNorm, Variant},
    parts::positions,
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("m2m_100", &[Head::Seq2SeqLm], build).generation(&[
    ("pad_token_id", 1),
    ("bos_token_id", 0),
    ("eos_token_id", 2),
    ("decoder_start_token_id", 2),
]);

const VARIANT: Variant<'static> = Variant { norm_first: true, embedding_norm: EmbeddingNorm::None, positions, ..bart::VARIANT };

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg = request.config_mapped_over(bart::USUAL_NAMES, &json!({"activation_function": "relu", "scale_embedding": true}))?;
    bart::graphs(request, &cfg, &VARIANT)
}

/// Sines and cosines of positions that count the tokens which are no padding, behind the position of padding, which has zeros.
pub(crate) fn positions(cfg: &Config, w: &Weights, ids: &Tensor, places: &Tensor) -> Tensor {
    // Old checkpoints have the table, which holds for texts of any length.
    w.skip("");
    let graph = ids.graph();
    let padding = graph.ints(&[], &[cfg.pad_token_id.unwrap_or(1)]);
    let tokens = ids.equal(&padding).not().cast(Dtype::I64);
    let positions = (tokens.cumsum(1) + places.slice(1, 0, 1)) * &tokens + padding;
    let half = cfg.d_model / 2;
    let step = 10000_f64.ln() as f32 / (half.max(2) - 1) as f32;
    let frequencies: Vec<f32> = (0..half.min(positions::MOST)).map(|i| (i as f32 * -step).exp()).collect();
    let angles = positions.cast(graph.float()).unsqueeze(&[2]) * graph.floats(&[1, 1, frequencies.len()], &frequencies);
    let table = graph.concat(&[&angles.sin(), &angles.cos()], 2) * tokens.cast(graph.float()).unsqueeze(&[2]);
    if cfg.d_model.is_multiple_of(2) { table } else { table.pad(&[(0, 0), (0, 0), (0, 1)], 0.0) }
}
