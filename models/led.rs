//! LED (<https://arxiv.org/abs/2004.05150>): BART for long texts, whose encoder attends to what is near. No pipeline names tokens that see
//! the whole text, so that there are none.

use std::{cell::RefCell, collections::BTreeMap};

use formers_converters::{
    Error, Result, Weights,
    graph::{Body, Tensor},
    layers::{Neighbours, attention::scale, linear},
};
use serde::Deserialize;

use crate::{
    Architecture, Head, Request,
    bart::{self, Config, Variant},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("led", &[Head::QuestionAnswering, Head::Seq2SeqLm], build).generation(&[
    ("pad_token_id", 1),
    ("bos_token_id", 0),
    ("eos_token_id", 2),
    ("decoder_start_token_id", 2),
]);

#[derive(Deserialize)]
#[serde(default)]
struct Long {
    attention_window: Windows,
}

impl Default for Long {
    fn default() -> Self {
        Self { attention_window: Windows::All(512) }
    }
}

/// How many tokens a layer of the encoder sees, half of them before a token.
#[derive(Deserialize)]
#[serde(untagged)]
enum Windows {
    All(usize),
    Each(Vec<usize>),
}

/// No model has more; a config that says so would take all memory.
const MOST: usize = 1 << 14;

impl Windows {
    fn of(&self, layer: usize) -> Result<usize> {
        let window = match self {
            Self::All(window) => *window,
            Self::Each(windows) => windows.get(layer).copied().unwrap_or_default(),
        };
        if window == 0 || window > MOST || !window.is_multiple_of(2) {
            return Err(Error::config(format!("config.json: attention_window: {window} in layer {layer} makes no sense, it must be even")));
        }
        Ok(window)
    }
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg: Config = request.config_mapped(bart::USUAL_NAMES)?;
    let long: Long = request.config()?;
    // Layers with the same window share its mask.
    let masks: RefCell<BTreeMap<usize, (Neighbours, Tensor)>> = RefCell::default();
    let attention = |w: &Weights, x: &Tensor, tokens: &Tensor, layer: usize| {
        let reach = match long.attention_window.of(layer) {
            Ok(window) => window / 2,
            Err(error) => {
                w.graph().fail(error);
                return None;
            }
        };
        let mut masks = masks.borrow_mut();
        let (near, mask) = masks.entry(reach).or_insert_with(|| {
            let near = Neighbours::new(tokens, reach);
            let mask = near.mask(reach);
            (near, mask)
        });
        let own = w.pp("longformer_self_attn");
        let [query, key, value] = ["query", "key", "value"].map(|name| linear(&own.pp(name), x));
        // What tokens that see the whole text have.
        ["query_global", "key_global", "value_global"].iter().for_each(|name| own.skip(name));
        let heads = cfg.encoder_attention_heads;
        if heads == 0 || !cfg.d_model.is_multiple_of(heads) {
            w.graph().fail(Error::config(format!("config.json: encoder_attention_heads: {heads} do not divide d_model {}", cfg.d_model)));
            return None;
        }
        let attended = near.attention(heads, scale(cfg.d_model / heads), [&query, &key, &value], None, mask);
        Some(linear(&w.pp("output"), &attended))
    };
    let variant = Variant { base: "led", positions: bart::learned::<0>, encoder_attention: &attention, ..bart::VARIANT };
    bart::graphs(request, &cfg, &variant)
}
