//! Heads that architectures share.

use formers_converters::{
    Result, Weights,
    graph::{Body, Graph, Tensor},
    layers::{Activation, Decoding, layer_norm, linear, linear_if},
};
use serde_json::Value;

use super::inputs;
use crate::{Head, Request, request::Reads, sentence};

/// The heads that are the same nearly everywhere: `classifier` and `qa_outputs` on each token, and the hidden states themselves.
pub(crate) fn usual(request: &Request, graph: &Graph, w: &Weights, hidden: &Tensor, attention_mask: &Tensor) -> Result<()> {
    match request.head {
        Head::TokenClassification => logits(graph, &w.pp("classifier"), hidden),
        Head::QuestionAnswering => spans(graph, &w.pp("qa_outputs"), hidden),
        _ => {
            graph.output("last_hidden_state", hidden);
            sentence::embed(graph, &request.modules, hidden, attention_mask)?;
        }
    }
    Ok(())
}

/// The hidden state of the first token, `(batch, width)`.
pub(crate) fn first_token(hidden: &Tensor) -> Tensor {
    hidden.select_index(1, 0)
}

/// The mean hidden state of the tokens that are not padding, `(batch, width)`.
pub(crate) fn mean(hidden: &Tensor, attention_mask: &Tensor) -> Tensor {
    let mask = attention_mask.cast(hidden.dtype()).unsqueeze(&[2]);
    (hidden * &mask).sum(&[1], false) / mask.sum(&[1], false)
}

/// `tanh(W h + b)` of the first token: BERT's pooler.
pub(crate) fn tanh_pooler(dense: &Weights, hidden: &Tensor) -> Tensor {
    linear(dense, &first_token(hidden)).tanh()
}

/// `logits` from a linear layer: one row a sequence, or one a token.
pub(crate) fn logits(graph: &Graph, classifier: &Weights, x: &Tensor) {
    graph.output("logits", &linear(classifier, x));
}

/// `start_logits` and `end_logits`, each `(batch, sequence)`.
pub(crate) fn spans(graph: &Graph, qa_outputs: &Weights, hidden: &Tensor) {
    let both = linear(qa_outputs, hidden);
    graph.output("start_logits", &both.select_index(2, 0));
    graph.output("end_logits", &both.select_index(2, 1));
}

/// `logits` of sequences: `dense`, an activation and `out_proj` on the first token.
pub(crate) fn classification(graph: &Graph, w: &Weights, activation: Activation, hidden: &Tensor) {
    let pooled = activation.of(&linear(&w.pp("dense"), &first_token(hidden)));
    logits(graph, &w.pp("out_proj"), &pooled);
}

/// RoBERTa's head for masked tokens: `dense`, the exact GELU, `layer_norm`, `decoder`; `(batch, sequence, vocabulary)`.
pub(crate) fn lm_head(w: &Weights, epsilon: f32, tied: bool, words: &Weights, hidden: &Tensor) -> Tensor {
    let h = layer_norm(&w.pp("layer_norm"), epsilon, &linear(&w.pp("dense"), hidden).gelu());
    decoder(w, "decoder", tied, words, &h)
}

/// `dense`, an activation and `LayerNorm`, which come before the decoder of BERT and its relatives.
pub(crate) fn transform(w: &Weights, activation: Activation, epsilon: f32, hidden: &Tensor) -> Tensor {
    layer_norm(&w.pp("LayerNorm"), epsilon, &activation.of(&linear(&w.pp("dense"), hidden)))
}

/// The last layer of a masked language model, `name` in this scope, `(batch, sequence, vocabulary)`.
///
/// Tied, it is the table of embeddings and the `bias` beside it; but what the checkpoint has as the decoder's own goes first, as in
/// Transformers, which ties only what is missing. A bias that nothing gives is made of zeros.
pub(crate) fn decoder(w: &Weights, name: &str, tied: bool, words: &Weights, hidden: &Tensor) -> Tensor {
    let own = w.pp(name);
    let table = decoder_table(&own, tied, words);
    let product = hidden.matmul_transposed(&table, 1.0);
    let bias = if tied && !own.has("bias") { w } else { &own };
    if bias.has("bias") { product + bias.get("bias", &[table.fixed(0)]) } else { product }
}

/// The inputs of a decoder, for the head that is asked for: whole texts get labels, and others go on.
pub(crate) fn decoding(request: &Request, graph: &Graph) -> Decoding {
    match request.head {
        Head::SequenceClassification | Head::TokenClassification | Head::QuestionAnswering => {
            Decoding::whole(graph, request.config.get("pad_token_id").and_then(Value::as_i64))
        }
        _ => match request.reads {
            Reads::Tokens => Decoding::new(graph),
            Reads::Embeddings(width) => Decoding::of_embeddings(graph, width),
        },
    }
}

/// The graph that makes embeddings of tokens, where the decoder reads those; `words` is what it makes of them with the weights of `w`.
pub(crate) fn embed_tokens(request: &Request, words: impl FnOnce(&Weights, &Tensor) -> Tensor) -> Result<Option<Body>> {
    if request.reads == Reads::Tokens {
        return Ok(None);
    }
    let (graph, w) = request.graph_of("embed_tokens");
    let text = inputs::ids(&graph, "input_ids");
    graph.output("inputs_embeds", &words(&w, &text));
    let built = graph.finish()?;
    w.check()?;
    Ok(Some(built))
}

/// What a decoder answers from the hidden states before its last norm, `(batch, sequence, width)`: scores of the next word, labels of the
/// text (those of its last token) or of each token, or the ends of an answer.
pub(crate) fn answer(
    request: &Request,
    decoding: &Decoding,
    w: &Weights,
    x: &Tensor,
    norm: impl Fn(&Tensor) -> Tensor,
    words: impl FnOnce(&Tensor) -> Tensor,
) {
    let graph = x.graph();
    match request.head {
        Head::SequenceClassification => graph.output("logits", &labels(w, &norm(&decoding.at_the_end(x))).select_index(1, 0)),
        Head::TokenClassification => graph.output("logits", &labels(w, &norm(x))),
        Head::QuestionAnswering => spans(graph, &w.pp("qa_outputs"), &norm(x)),
        _ => graph.output("logits", &words(&norm(&decoding.at_the_end(x)))),
    }
}

/// Scores of labels: the linear layer is `score`, or `classifier` as older classes call it, with a bias where the checkpoint has one.
fn labels(w: &Weights, hidden: &Tensor) -> Tensor {
    let older = w.pp("classifier");
    let head = if older.exists() { older } else { w.pp("score") };
    linear_if(&head, hidden, head.has("bias"))
}

/// The matrix of [`decoder`], `(vocabulary, width)`.
pub(crate) fn decoder_table(own: &Weights, tied: bool, words: &Weights) -> Tensor {
    if tied && !own.has("weight") { words.any("weight", 2) } else { own.any("weight", 2) }
}
