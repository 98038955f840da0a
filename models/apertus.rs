//! Apertus (<https://arxiv.org/abs/2509.14233>): Llama with norms on the heads of queries and keys, and an activation that learns
//! (<https://arxiv.org/abs/2411.13010>).

use formers_converters::{
    Error, Result, Weights,
    graph::{Body, Tensor},
    layers::linear_no_bias,
};
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    parts::{
        blocks::{Norm, Order},
        decoder::{Config, LayerKind, QkNorm, Variant, decoder},
    },
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("apertus", &[Head::CausalLm, Head::TokenClassification], build);

fn build(request: &Request) -> Result<Vec<Body>> {
    let mut config = request.config.clone().into_owned();
    // The activation is no function of its input alone, so that it stands in no table.
    let named = config.as_object_mut().and_then(|fields| fields.remove("hidden_act"));
    if let Some(other) = named.filter(|name| name != "xielu") {
        return Err(Error::unsupported(format!("config.json: hidden_act: {other} is not known for apertus, only \"xielu\"")));
    }
    let request = &request.with(config);
    let mut defaults = json!({"max_position_embeddings": 65_536, "rms_norm_eps": 1e-5, "rope_theta": 12_000_000.0});
    let rope = json!({
        "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192,
    });
    Config::rope_or(request, &mut defaults, rope);
    let cfg = Config::of(request, &defaults)?;
    let mixture = |w: &Weights, x: &Tensor, _: usize| {
        let w = w.pp("mlp");
        let h = xielu(&w.pp("act_fn"), &linear_no_bias(&w.pp("up_proj"), x));
        linear_no_bias(&w.pp("down_proj"), &h)
    };
    let variant = Variant {
        layers: cfg.layers(|_| LayerKind::MIXTURE),
        order: Order::InTurn { attention: (Some("attention_layernorm"), None), mlp: (Some("feedforward_layernorm"), None) },
        mixture: &mixture,
        qk_norm: Some(QkNorm::of_heads(Norm::Rms(cfg.rms_norm_eps))),
        ..Variant::new(&cfg)?
    };
    decoder(request, &cfg, &variant)
}

/// `αₚ x² + β x` above zero, and `αₙ (exp(min(x, ε)) - 1 - x) + β x` below.
fn xielu(w: &Weights, x: &Tensor) -> Tensor {
    let learned = |name: &str| w.get(name, &[1]).softplus();
    let fixed = |name: &str, value: f32| match w.shape(name).as_deref() {
        Some(shape) => w.get(name, shape),
        None => x.scalar(value),
    };
    let (beta, epsilon) = (fixed("beta", 0.5), fixed("eps", -1e-6));
    let linear = &beta * x;
    let above = learned("alpha_p") * x * x + &linear;
    let below = (x.min(&epsilon).exp() - 1.0 - x) * (beta + learned("alpha_n")) + linear;
    x.greater(&x.scalar(0.0)).select(&above, &below)
}
