//! Megatron's BERT (<https://arxiv.org/abs/1909.08053>): BERT with norms before each part, and one after the last.

use formers_converters::{
    Result,
    graph::Body,
    layers::{Mask, layer_norm},
};

use crate::{Architecture, Head, Request, bert};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("megatron-bert", Head::ENCODER, build);

fn build(request: &Request) -> Result<Vec<Body>> {
    bert::model(request, "bert", |cfg, base, text| {
        let (x, mask) = (bert::sum(&base.pp("embeddings"), text), Mask::padding(&text.attention_mask));
        let x = bert::norm_first(cfg, &base.pp("encoder"), ["attention.ln", "ln"], x, &mask);
        layer_norm(&base.pp("encoder.ln"), cfg.layer_norm_eps, &x)
    })
}
