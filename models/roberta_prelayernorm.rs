//! RoBERTa with norms before each part (<https://arxiv.org/abs/1904.01038>), and one after the last.

use formers_converters::{Result, graph::Body, layers::layer_norm};

use crate::{Architecture, Head, Request, bert, roberta};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("roberta-prelayernorm", Head::ENCODER, build);

fn build(request: &Request) -> Result<Vec<Body>> {
    roberta::model(request, "roberta_prelayernorm", |cfg, base, sum, mask| {
        let names = ["attention.LayerNorm", "intermediate.LayerNorm"];
        let x = bert::norm_first(cfg, &base.pp("encoder"), names, roberta::normed(cfg, base, sum), mask);
        layer_norm(&base.pp("LayerNorm"), cfg.layer_norm_eps, &x)
    })
}
