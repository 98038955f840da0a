//! NLLB-MoE (<https://arxiv.org/abs/2207.04672>): M2M100 of which some layers are mixtures of experts, two for each token.

use formers_converters::{
    Error, Result, Weights,
    graph::{Body, Tensor},
    layers::{Routed, Weigh, experts},
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    bart::{self, Config, EmbeddingNorm, Names, Variant},
    m2m_100,
    parts::mixture::scores,
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("nllb-moe", &[Head::Seq2SeqLm], build).generation(&[
    ("pad_token_id", 1),
    ("bos_token_id", 0),
    ("eos_token_id", 2),
    ("decoder_start_token_id", 2),
]);

#[derive(Deserialize)]
#[serde(default)]
struct Sparse {
    encoder_sparse_step: usize,
    decoder_sparse_step: usize,
    moe_token_dropout: f32,
    second_expert_policy: String,
    moe_eval_capacity_token_fraction: f32,
    router_dtype: String,
}

impl Default for Sparse {
    fn default() -> Self {
        Self {
            encoder_sparse_step: 4,
            decoder_sparse_step: 4,
            moe_token_dropout: 0.2,
            second_expert_policy: "all".into(),
            moe_eval_capacity_token_fraction: 1.0,
            router_dtype: "float32".into(),
        }
    }
}

/// How many experts a token has.
const CHOSEN: usize = 2;

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg: Config = request.config_mapped_over(bart::USUAL_NAMES, &json!({"activation_function": "relu", "scale_embedding": true}))?;
    let sparse: Sparse = request.config()?;
    sparse.check()?;
    let mixture = |w: &Weights, x: &Tensor, decodes: bool, layer: usize| {
        let step = if decodes { sparse.decoder_sparse_step } else { sparse.encoder_sparse_step };
        ((layer + 1).checked_rem(step) == Some(0)).then(|| sparse.mixture(&cfg, w, x))
    };
    let variant = Variant {
        names: Names { cross: ["cross_attention", "cross_attention_layer_norm"], feed_forward: ["ffn", "ff_layer_norm"] },
        norm_first: true,
        embedding_norm: EmbeddingNorm::None,
        positions: m2m_100::positions,
        mixture: &mixture,
        ..bart::VARIANT
    };
    bart::graphs(request, &cfg, &variant)
}

impl Sparse {
    /// What makes the experts of a token depend on chance, or on the other tokens.
    fn check(&self) -> Result<()> {
        let Self { second_expert_policy: policy, moe_eval_capacity_token_fraction: fraction, router_dtype, .. } = self;
        if policy != "all" {
            return Err(Error::unsupported(format!("config.json: second_expert_policy: {policy:?} leaves the choice to chance")));
        }
        if *fraction < 1.0 {
            let problem = "with less than 1 the experts of a token depend on the other tokens";
            return Err(Error::unsupported(format!("config.json: moe_eval_capacity_token_fraction: {fraction}: {problem}")));
        }
        if router_dtype != "float32" {
            return Err(Error::unsupported(format!("config.json: router_dtype: {router_dtype:?} is not known, only \"float32\"")));
        }
        Ok(())
    }

    fn mixture(&self, cfg: &Config, w: &Weights, x: &Tensor) -> Tensor {
        let all = scores(&w.pp("router.classifier"), x).softmax(-1);
        let routed = Routed::best(&all, CHOSEN).normalized(f32::EPSILON).scaled(1.0 - self.moe_token_dropout);
        experts(x, &routed, Weigh::Outputs, |i, x| bart::two_layers(cfg.activation_function, &w.pp(format!("experts.expert_{i}")), x))
    }
}
