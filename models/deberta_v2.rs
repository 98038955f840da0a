//! DeBERTa versions 2 and 3 (<https://arxiv.org/abs/2111.09543>): distances in buckets that grow, positions that share the projections of content, and in
//! the large ones a convolution beside the first layer.

use formers_converters::{
    Error, Result, Weights,
    graph::{Body, Conv, Tensor},
    layers::{
        Activation, Mask, attention,
        disentangled::{Disentangled, MAX_REACH},
        layer_norm, linear, linear_constant,
    },
};
use serde::Deserialize;

use crate::{
    Architecture, Head, Request,
    deberta::{self, Common},
    parts::inputs,
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("deberta-v2", Head::ENCODER, build);

#[derive(Deserialize)]
#[serde(default)]
struct Config {
    num_hidden_layers: usize,
    num_attention_heads: usize,
    share_att_key: bool,
    position_buckets: i64,
    norm_rel_ebd: String,
    conv_kernel_size: usize,
    conv_groups: usize,
    conv_act: Activation,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            num_hidden_layers: 24,
            num_attention_heads: 24,
            share_att_key: false,
            position_buckets: -1,
            norm_rel_ebd: "none".into(),
            conv_kernel_size: 0,
            conv_groups: 1,
            conv_act: Activation::Tanh,
        }
    }
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let (cfg, common): (Config, Common) = (request.config()?, request.config()?);
    deberta::model(request, &common, |w, x, text| encoder(&cfg, &common, w, x, text))
}

fn encoder(cfg: &Config, common: &Common, w: &Weights, x: Tensor, text: &inputs::Text) -> Result<Tensor> {
    let positions = positions(cfg, common, text)?;
    let table = common.uses_positions().then(|| {
        let table = w.any("rel_embeddings.weight", 2);
        let normed = deberta::bars(&cfg.norm_rel_ebd).iter().any(|name| name == "layer_norm");
        if normed { layer_norm(&w.pp("LayerNorm"), common.layer_norm_eps, &table) } else { table }
    });
    let mask = Mask::pairs(&text.attention_mask);
    let attend = |w: &Weights, x: &Tensor| self_attention(cfg, common, w, x, table.as_ref().map(|t| (&positions, t)), &mask);

    let embedded = x.clone();
    let mut x = x;
    for (i, layer) in w.layers("layer", cfg.num_hidden_layers).enumerate() {
        x = deberta::layer(common, &layer, x, attend);
        if i == 0 && cfg.conv_kernel_size > 0 {
            let near = convolution(cfg, &w.pp("conv.conv"), &embedded)?;
            x = layer_norm(&w.pp("conv.LayerNorm"), common.layer_norm_eps, &(x + near)) * text.token_mask();
        }
    }
    Ok(x)
}

/// Distances by themselves, or in buckets.
fn positions(cfg: &Config, common: &Common, text: &inputs::Text) -> Result<Disentangled> {
    let (max, buckets) = (common.max_relative_positions()?, cfg.position_buckets);
    if buckets == 1 || buckets > MAX_REACH {
        return Err(Error::config(format!("config.json: {buckets} position_buckets make no sense")));
    }
    let span = if buckets > 0 { buckets } else { max };
    let row = |distance| {
        let place = if buckets > 0 { bucket(distance, buckets, max) } else { distance };
        place.saturating_add(span).clamp(0, 2 * span - 1)
    };
    Ok(Disentangled::new(&text.length(), max.max(span), row))
}

/// Half of the buckets for single distances, the other half in steps that grow up to `max`; in 32 bits, as the reference rounds.
fn bucket(distance: i64, buckets: i64, max: i64) -> i64 {
    let mid = buckets / 2;
    if distance.abs() <= mid {
        return distance;
    }
    let growth = (distance.abs() as f32 / mid as f32).ln() / (((max - 1) as f64 / mid as f64) as f32).ln();
    let step = (growth * (mid - 1) as f32).ceil() + mid as f32;
    step as i64 * distance.signum()
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
    let project = |name: &str| linear(&w.pp(name), x);
    let (query, key, value) = (project("query_proj"), project("key_proj"), project("value_proj"));
    let types = common.pos_att_type();
    let terms = ["c2p", "p2c"].iter().filter(|kind| types.iter().any(|t| t == *kind)).count();
    let scale = attention::scale(query.fixed(-1) / heads.max(1) * (1 + terms));
    let bias = positions.and_then(|(positions, table)| {
        let (for_key, for_query) = if cfg.share_att_key { ("key_proj", "query_proj") } else { ("pos_key_proj", "pos_query_proj") };
        let pos_key = common.relative("c2p").then(|| linear_constant(&w.pp(for_key), table, true));
        let pos_query = common.relative("p2c").then(|| linear_constant(&w.pp(for_query), table, true));
        positions.bias(&query, &key, pos_key, pos_query, heads, scale)
    });
    attention(&query, &key, &value, heads, scale, &bias.map_or_else(|| mask.clone(), |bias| mask.with_bias(&bias)))
}

/// The neighbours of each embedding.
fn convolution(cfg: &Config, w: &Weights, x: &Tensor) -> Result<Tensor> {
    if cfg.conv_kernel_size.is_multiple_of(2) {
        return Err(Error::config(format!("config.json: conv_kernel_size {} must be odd", cfg.conv_kernel_size)));
    }
    let weight = w.any("weight", 3);
    let conv = Conv::new(1).padding(cfg.conv_kernel_size / 2).groups(cfg.conv_groups);
    let near = x.transpose(&[0, 2, 1]).conv(&weight, Some(&w.get("bias", &[weight.fixed(0)])), &conv).transpose(&[0, 2, 1]);
    Ok(cfg.conv_act.of(&near))
}

#[cfg(test)]
mod tests {
    use super::bucket;

    /// `make_log_bucket_position` of Transformers 5.23: the sum over `distance · place`, and the place of `max + 5`.
    #[test]
    fn buckets_are_those_of_the_reference() {
        let cases = [
            (256, 512, 56_496_004, 257),
            (8, 48, 20_090, 8),
            (6, 13, 1_834, 6),
            (32, 128, 502_766, 32),
            (320, 1024, 293_503_712, 320),
            (50, 77, 276_560, 51),
        ];
        for (buckets, max, sum, last) in cases {
            let places = (-max - 5..=max + 5).map(|distance| bucket(distance, buckets, max));
            let found: i64 = places.zip(1..).map(|(place, i)| place * i).sum();
            assert_eq!((found, bucket(max + 5, buckets, max)), (sum, last), "{buckets} buckets up to {max}");
        }
    }
}
