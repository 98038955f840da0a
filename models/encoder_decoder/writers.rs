//! The language models that look at an encoder's text: each layer has a part more, `crossattention`.

use formers_converters::{
    Result, Weights,
    graph::Tensor,
    layers::{
        CachedAttention, CrossAttention, Decoding, Source, attention::ungroup, cached_attention, cross_attention, embedding, layer_norm,
        linear,
    },
};

use super::Bert;
use crate::{
    bert,
    gpt2::{self, conv1d},
    parts::heads,
    request::Request,
};

/// A language model.
pub(super) enum Writer {
    /// BERT and its kind, with the head that fills masks.
    Bert(Bert),
    Gpt2(gpt2::Config),
}

impl Writer {
    pub(super) fn new(request: &Request) -> Result<Self> {
        Ok(match request.model_type() {
            "gpt2" => Self::Gpt2(request.config_mapped(gpt2::USUAL_NAMES)?),
            _ => Self::Bert(Bert::new(request, "decoder")?),
        })
    }

    /// The width of hidden states.
    pub(super) fn width(&self) -> usize {
        match self {
            Self::Bert(bert) => bert.cfg.hidden_size,
            Self::Gpt2(cfg) => cfg.n_embd,
        }
    }

    /// Where the base model is, beside its head.
    fn base(&self, w: &Weights) -> Weights {
        match self {
            Self::Bert(Bert { padding: None, .. }) => w.pp("bert"),
            Self::Bert(_) => w.pp("roberta"),
            Self::Gpt2(_) => w.pp("transformer"),
        }
    }

    pub(super) fn layers(&self, w: &Weights) -> impl Iterator<Item = Weights> + use<> {
        let base = self.base(w);
        let (scope, name, count) = match self {
            Self::Bert(bert) => (base.pp("encoder"), "layer", bert.cfg.num_hidden_layers),
            Self::Gpt2(cfg) => (base, "h", cfg.n_layer),
        };
        scope.layers(name, count).collect::<Vec<_>>().into_iter()
    }

    /// How layer `i` attends to the tokens so far, and to the encoder's text.
    fn attention(&self, i: usize) -> CachedAttention {
        match self {
            Self::Bert(Bert { cfg, .. }) => {
                let heads = cfg.num_attention_heads;
                CachedAttention::new(heads, heads, cfg.hidden_size / heads.max(1))
            }
            Self::Gpt2(cfg) => gpt2::attention(cfg, i),
        }
    }

    pub(super) fn cross(&self, i: usize) -> CrossAttention {
        let how = self.attention(i);
        CrossAttention { heads: how.heads, size: how.size, scale: how.scale }
    }

    /// Keys and values of a layer, of the encoder's hidden states.
    pub(super) fn keys_and_values(&self, layer: &Weights, hidden: &Tensor) -> [Tensor; 2] {
        let w = layer.pp("crossattention");
        match self {
            Self::Bert(_) => [linear(&w.pp("self.key"), hidden), linear(&w.pp("self.value"), hidden)],
            Self::Gpt2(cfg) => ungroup(&conv1d(&w.pp("c_attn"), hidden), 1, [cfg.n_embd; 2]),
        }
    }

    pub(super) fn logits(&self, w: &Weights, decoding: &Decoding, source: &Source) -> Tensor {
        let base = self.base(w);
        let embedded = match self {
            Self::Bert(bert) => bert.embeddings(&base.pp("embeddings"), &decoding.input_ids(), &bert.positions(decoding)),
            Self::Gpt2(_) => decoding.embedded(&base.pp("wte")) + embedding(&base.pp("wpe"), &decoding.positions),
        };
        let x = self.layers(w).enumerate().fold(embedded, |x, (i, w)| self.layer(&w, &x, decoding, source, i));
        let x = decoding.at_the_end(&x);
        match self {
            Self::Bert(Bert { cfg, padding: None }) => bert::masked_lm(cfg, &w.pp("cls.predictions"), &base, &x),
            Self::Bert(Bert { cfg, .. }) => {
                let words = base.pp("embeddings.word_embeddings");
                heads::lm_head(&w.pp("lm_head"), cfg.layer_norm_eps, cfg.tie_word_embeddings, &words, &x)
            }
            Self::Gpt2(cfg) => {
                let x = layer_norm(&base.pp("ln_f"), cfg.layer_norm_epsilon, &x);
                heads::decoder(w, "lm_head", cfg.tie_word_embeddings, &base.pp("wte"), &x)
            }
        }
    }

    fn layer(&self, w: &Weights, x: &Tensor, decoding: &Decoding, source: &Source, i: usize) -> Tensor {
        let how = self.attention(i);
        let look = |query: &Tensor| cross_attention(source, i, &self.cross(i), query, |hidden| self.keys_and_values(w, hidden));
        // The encoder's graph needs those.
        ["c_attn", "self.key", "self.value"].iter().for_each(|name| w.skip(&format!("crossattention.{name}")));
        match self {
            Self::Bert(Bert { cfg, .. }) => {
                let added = |name: &str, attended: &Tensor, x: &Tensor| {
                    let w = w.pp(name).pp("output");
                    layer_norm(&w.pp("LayerNorm"), cfg.layer_norm_eps, &(linear(&w.pp("dense"), attended) + x))
                };
                let [query, key, value] = ["query", "key", "value"].map(|name| linear(&w.pp("attention.self").pp(name), x));
                let x = added("attention", &cached_attention(decoding, i, &how, &query, &key, &value), x);
                let x = added("crossattention", &look(&linear(&w.pp("crossattention.self.query"), &x)), &x);
                bert::feed_forward(cfg, w, &x)
            }
            Self::Gpt2(cfg) => {
                let norm = |name: &str, x: &Tensor| layer_norm(&w.pp(name), cfg.layer_norm_epsilon, x);
                let [query, key, value] = ungroup(&conv1d(&w.pp("attn.c_attn"), &norm("ln_1", x)), 1, [cfg.n_embd; 3]);
                let x = x + conv1d(&w.pp("attn.c_proj"), &cached_attention(decoding, i, &how, &query, &key, &value));
                let attended = look(&conv1d(&w.pp("crossattention.q_attn"), &norm("ln_cross_attn", &x)));
                let x = x + conv1d(&w.pp("crossattention.c_proj"), &attended);
                let h = cfg.activation_function.of(&conv1d(&w.pp("mlp.c_fc"), &norm("ln_2", &x)));
                x + conv1d(&w.pp("mlp.c_proj"), &h)
            }
        }
    }
}

impl Bert {
    /// The rows of the table of positions for a decoder's tokens.
    fn positions(&self, decoding: &Decoding) -> Tensor {
        let Some(padding) = self.padding else { return decoding.positions.clone() };
        let padding = decoding.graph().ints(&[], &[padding]);
        let after = (&decoding.positions + 1.0) + &padding;
        decoding.input_ids().equal(&padding).select(&padding, &after)
    }
}
