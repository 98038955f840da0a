//! A text encoder, and a language model that looks at it (`EncoderDecoderModel`, <https://arxiv.org/abs/1907.12461>): each has a
//! config of its own.

mod writers;

use formers_converters::{
    Error, Result, Weights,
    graph::{Body, Tensor},
    layers::{Decoding, Mask, Source, cross, embedding, layer_norm, linear},
};
use serde_json::Value;
use writers::Writer;

use crate::{Architecture, Head, Request, bert, parts::inputs, roberta};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("encoder-decoder", &[Head::Seq2SeqLm], build);

fn build(request: &Request) -> Result<Vec<Body>> {
    let (reads, writes) = (side(request, "encoder")?, side(request, "decoder")?);
    let bert = Bert::new(&reads, "encoder")?;
    let writer = Writer::new(&writes)?;
    Ok(vec![encoder_graph(request, &bert, &writer)?, decoder_graph(request, &bert, &writer)?])
}

/// The same request for the model of one side.
fn side<'a>(request: &'a Request, name: &str) -> Result<Request<'a>> {
    let config = request.config.get(name).filter(|config| config.is_object());
    let config = config.ok_or_else(|| Error::config(format!("config.json: {name}: a model of its own stands there, and this has none")))?;
    Ok(request.with(config.clone()))
}

fn encoder_graph(request: &Request, bert: &Bert, writer: &Writer) -> Result<Body> {
    let (graph, w) = request.graph_of("encoder_model");
    let text = inputs::Text::new(&graph);
    let places = || graph.range(&text.length()).unsqueeze(&[0]);
    let positions = bert.padding.map_or_else(places, |padding| text.positions_after(padding));
    let base = w.pp("encoder");
    let x = bert.embeddings(&base.pp("embeddings"), &text.input_ids, &positions);
    let hidden = bert::encoder(&bert.cfg, &base.pp("encoder"), x, &Mask::padding(&text.attention_mask));
    graph.output("last_hidden_state", &hidden);
    let hidden = seen(&w, writer, &hidden);
    for (i, w) in writer.layers(&w.pp("decoder")).enumerate() {
        cross::keep(&graph, i, &writer.cross(i), writer.keys_and_values(&w, &hidden));
    }
    request.finish(graph, &w, &base)
}

/// What the decoder looks at.
fn seen(w: &Weights, writer: &Writer, hidden: &Tensor) -> Tensor {
    if hidden.fixed(-1) == writer.width() { hidden.clone() } else { linear(&w.pp("enc_to_dec_proj"), hidden) }
}

fn decoder_graph(request: &Request, bert: &Bert, writer: &Writer) -> Result<Body> {
    let (graph, w) = request.graph_of("decoder_model_merged");
    let base = w.pp("decoder");
    let decoding = Decoding::new(&graph).beside_encoder();
    let source = Source::kept_from(&decoding, writer.width(), bert.cfg.hidden_size).through(|hidden| seen(&w, writer, hidden));
    graph.output("logits", &writer.logits(&base, &decoding, &source));
    request.finish(graph, &w, &base)
}

/// BERT, or one of its kind that counts positions as RoBERTa does.
struct Bert {
    cfg: bert::Config,
    /// The padding's id, from which positions are counted.
    padding: Option<i64>,
}

impl Bert {
    fn new(request: &Request, side: &str) -> Result<Self> {
        let padding = match request.model_type() {
            "bert" => None,
            "camembert" | "roberta" | "xlm-roberta" => Some(request.config::<roberta::Config>()?.pad_token_id),
            other => {
                let known = "bert, camembert, roberta and xlm-roberta";
                return Err(Error::unsupported(format!("config.json: {side}.model_type: {other} is not known here, only {known}")));
            }
        };
        if let Some(kind) = request.config.get("position_embedding_type").and_then(Value::as_str).filter(|kind| *kind != "absolute") {
            return Err(Error::unsupported(format!("config.json: {side}.position_embedding_type: {kind} is not known here")));
        }
        Ok(Self { cfg: request.config()?, padding })
    }

    /// All tokens are of the first type.
    fn embeddings(&self, w: &Weights, ids: &Tensor, positions: &Tensor) -> Tensor {
        let words = embedding(&w.pp("word_embeddings"), ids);
        let kind = w.pp("token_type_embeddings").any("weight", 2).select_index(0, 0);
        layer_norm(&w.pp("LayerNorm"), self.cfg.layer_norm_eps, &(words + kind + embedding(&w.pp("position_embeddings"), positions)))
    }
}
