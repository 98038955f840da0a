//! Phi-3.5-MoE (<https://arxiv.org/abs/2404.14219>): Mixtral with norms by mean and variance, whose experts are chosen one after another
//! (<https://arxiv.org/abs/2409.12136>).

use formers_converters::{
    Error, Result, Weights,
    graph::{Body, Tensor},
    layers::Routed,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    Architecture, Head, Request, mixtral,
    parts::{
        blocks::Norm,
        decoder::{Config, LayerKind, Variant, decoder},
        mixture::{gated, scores},
    },
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("phimoe", &[Head::CausalLm, Head::SequenceClassification], build);

#[derive(Deserialize)]
struct Own {
    router_jitter_noise: f32,
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let defaults = json!({
        "num_key_value_heads": 8, "max_position_embeddings": 131_072, "rms_norm_eps": 1e-5, "rope_theta": 1_000_000.0,
        "router_jitter_noise": 0.01,
    });
    let config = settled(&request.config)?;
    let request = &request.with(config);
    let (cfg, own): (_, Own) = (Config::of(request, &defaults)?, request.config_over(&defaults)?);
    let mixture = |w: &Weights, x: &Tensor, _: usize| {
        let w = mixtral::scope(w);
        let (router, newer) = (w.pp("gate"), w.pp("router"));
        let scores = scores(if router.exists() { &router } else { &newer }, x);
        let shares = shares(&scores, 2.0 * own.router_jitter_noise);
        let routed = Routed::best(&scores, 2).weighted(|_| shares);
        gated(&w.pp("experts"), &mixtral::EXPERTS, &routed, cfg.hidden_act, x)
    };
    let norm = Norm::Layer { epsilon: cfg.rms_norm_eps, bias: true };
    let layers = cfg.layers(|_| LayerKind { window: cfg.sliding_window, ..LayerKind::MIXTURE });
    decoder(request, &cfg, &Variant { layers, norm, mixture: &mixture, ..Variant::new(&cfg)? })
}

/// The weights of a token's two experts, `(tokens, 2)`: of each the probability among those whose scores, `(tokens, experts)`, are not
/// further below its own than `tolerance` times the larger of both; the second is chosen without the first.
fn shares(scores: &Tensor, tolerance: f32) -> Tensor {
    let graph = scores.graph();
    let (best, experts) = scores.top_k(2, -1);
    let count = scores.fixed(-1);
    let numbers = graph.ints(&[count], &(0..count as i64).collect::<Vec<_>>());
    let is_first = experts.slice(-1, 0, 1).equal(&numbers);
    let share = |best: &Tensor, taken: Option<&Tensor>| {
        let below = (best - scores) / scores.abs().max(best);
        let near = below.less_or_equal(&below.scalar(tolerance));
        let near = taken.map_or_else(|| near.clone(), |taken| near.and(&taken.not()));
        let all = near.select(&(scores - best).exp(), &scores.scalar(0.0)).sum(&[-1], true);
        1.0 / all
    };
    let (first, second) = (best.slice(-1, 0, 1), best.slice(-1, 1, 2));
    graph.concat(&[&share(&first, None), &share(&second, Some(&is_first))], -1)
}

/// The config with the angles that all lengths have: the factors for short texts, whatever the length is, and one factor on what they give.
fn settled(config: &Value) -> Result<Value> {
    let mut config = config.clone();
    for field in ["rope_scaling", "rope_parameters"] {
        let Some(parameters) = config.get_mut(field).and_then(Value::as_object_mut) else { continue };
        let kind = ["rope_type", "type"].iter().find_map(|key| parameters.get(*key)?.as_str()).unwrap_or("default");
        if kind == "default" {
            continue;
        }
        let (short, long) = (parameters.get("short_mscale").cloned(), parameters.get("long_mscale").cloned());
        let Some(scale) = short.clone().filter(|_| short == long) else {
            let problem = "short_mscale and long_mscale that are not one number are not known here";
            return Err(Error::unsupported(format!("config.json: {field}: {problem}")));
        };
        parameters.insert("attention_factor".into(), scale);
        if let Some(factors) = parameters.get("short_factor").cloned() {
            parameters.insert("long_factor".into(), factors);
        }
    }
    Ok(config)
}
