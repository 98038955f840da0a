//! DeepSeek-V2 (<https://arxiv.org/abs/2405.04434>): latent attention, and mixtures of many small experts beside those that all tokens pass
//! through.

use formers_converters::{
    Error, Result, Weights,
    graph::{Body, Tensor},
    layers::{Groups, Routed, gated_mlp, rotary::Pairs},
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    parts::{
        decoder::{Config, LayerKind, Variant, decoder},
        mixture::{EXPERTS, gated, scores},
        mla::Latent,
    },
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("deepseek_v2", &[Head::CausalLm, Head::SequenceClassification], build);

#[derive(Deserialize)]
struct Own {
    num_experts_per_tok: usize,
    topk_method: String,
    n_group: Option<usize>,
    topk_group: Option<usize>,
    routed_scaling_factor: f32,
    first_k_dense_replace: usize,
}

impl Own {
    /// The groups that experts are chosen from, where not all are.
    fn groups(&self) -> Result<Option<Groups>> {
        match (self.topk_method.as_str(), self.n_group, self.topk_group) {
            ("greedy", ..) => Ok(None),
            ("group_limited_greedy", Some(count), Some(kept)) => Ok(Some(Groups { count, kept, best: 1 })),
            ("group_limited_greedy", ..) => {
                Err(Error::config("config.json: topk_method is group_limited_greedy without n_group and topk_group"))
            }
            (other, ..) => Err(Error::unsupported(format!("config.json: topk_method {other:?} is not known"))),
        }
    }
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let defaults = json!({
        "q_lora_rank": 1536, "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128,
        "topk_method": "greedy", "routed_scaling_factor": 1.0, "first_k_dense_replace": 0,
    });
    let mut cfg = Config::of(request, &defaults)?;
    let (own, latent): (Own, Latent) = (request.config_over(&defaults)?, request.config_over(&defaults)?);
    cfg.head_dim = Some(latent.qk_rope_head_dim);
    let groups = own.groups()?;
    let mixture = |w: &Weights, x: &Tensor, _: usize| {
        let w = w.pp("mlp");
        let probabilities = scores(&w.pp("gate"), x).softmax(-1);
        let limited = groups.as_ref().map_or_else(|| probabilities.clone(), |groups| groups.limit(&probabilities, 0.0));
        let routed = Routed::best(&limited, own.num_experts_per_tok).scaled(own.routed_scaling_factor);
        let shared = gated_mlp(&w.pp("shared_experts"), cfg.hidden_act, x, cfg.mlp_bias);
        gated(&w.pp("experts"), &EXPERTS, &routed, cfg.hidden_act, x) + shared
    };
    let mixer = latent.mixer(&cfg);
    let layers = cfg.layers(|layer| LayerKind { mixture: layer >= own.first_k_dense_replace, ..LayerKind::OWN });
    let variant = Variant { layers, mixer: &mixer, mixture: &mixture, pairs: Pairs::Neighbours, ..Variant::new(&cfg)? };
    decoder(request, &cfg, &variant)
}
