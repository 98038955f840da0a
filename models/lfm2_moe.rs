//! LFM2-MoE (<https://arxiv.org/abs/2511.23404>): LFM2 of which all but the first layers are mixtures of experts.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
    layers::{Activation, GatedExperts, Routed},
};
use serde::Deserialize;

use crate::{
    Architecture, Head, Request, lfm2,
    parts::mixture::{gated, scores},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("lfm2_moe", &[Head::CausalLm], build);

#[derive(Deserialize)]
#[serde(default)]
struct Sparse {
    num_dense_layers: usize,
    num_experts_per_tok: usize,
    use_expert_bias: bool,
    routed_scaling_factor: f32,
    norm_topk_prob: bool,
}

impl Default for Sparse {
    fn default() -> Self {
        Self { num_dense_layers: 2, num_experts_per_tok: 4, use_expert_bias: true, routed_scaling_factor: 1.0, norm_topk_prob: true }
    }
}

const EXPERTS: GatedExperts = GatedExperts { each: ["w1", "w3", "w2"], stacked: ["gate_up_proj", "down_proj"] };

fn build(request: &Request) -> Result<Vec<Body>> {
    let sparse: Sparse = request.config()?;
    let mixture = |w: &Weights, x: &Tensor, _: usize| {
        let w = w.pp("feed_forward");
        gated(&w.pp("experts"), &EXPERTS, &sparse.routed(&w, x), Activation::Silu, x)
    };
    lfm2::hybrid(request, |layer| layer >= sparse.num_dense_layers, &mixture)
}

impl Sparse {
    /// A bias has a say in which experts are chosen, but not in how much they count.
    fn routed(&self, w: &Weights, x: &Tensor) -> Routed {
        let (scores, chosen) = (scores(&w.pp("gate"), x).sigmoid(), self.num_experts_per_tok);
        let routed = if self.use_expert_bias {
            Routed::chosen_by(&(&scores + w.get("expert_bias", &[scores.fixed(-1)])), &scores, chosen)
        } else {
            Routed::best(&scores, chosen)
        };
        let routed = if self.norm_topk_prob { routed.normalized_with(1e-6) } else { routed };
        routed.scaled(self.routed_scaling_factor)
    }
}
