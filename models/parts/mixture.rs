//! Mixtures of experts, as decoders have them in place of the feed-forward part of a layer.

use formers_converters::{
    Weights,
    graph::{Size, Tensor},
    layers::{Activation, GatedExperts, Routed},
};

/// Gated experts under their usual names, in a scope `experts`.
pub(crate) const EXPERTS: GatedExperts =
    GatedExperts { each: ["gate_proj", "up_proj", "down_proj"], stacked: ["gate_up_proj", "down_proj"] };

/// What the router says of each expert, `(tokens, experts)`: its weights are few, and the choice hangs on them, so that they are never
/// stored in fewer bits.
pub(crate) fn scores(router: &Weights, x: &Tensor) -> Tensor {
    let rows = x.reshape(&[Size::from(-1i64), x.fixed(-1).into()]);
    let scores = rows.matmul(&router.any("weight", 2).t());
    if router.has("bias") { &scores + router.get("bias", &[scores.fixed(-1)]) } else { scores }
}

/// The `chosen` most probable experts by a softmax over all; `normalized` says whether their weights add up to 1.
pub(crate) fn by_softmax(scores: &Tensor, chosen: usize, normalized: bool) -> Routed {
    let routed = Routed::best(&scores.softmax(-1), chosen);
    if normalized { routed.normalized(0.0) } else { routed }
}

/// The mixture of `experts` that `gate` chooses `chosen` of by a softmax, in scope `w`; `normalized` says whether their weights add up to 1.
pub(crate) fn usual(w: &Weights, act: Activation, chosen: usize, normalized: bool, x: &Tensor) -> Tensor {
    let routed = by_softmax(&scores(&w.pp("gate"), x), chosen, normalized);
    gated(&w.pp("experts"), &EXPERTS, &routed, act, x)
}

/// The mixture of gated experts whose matrices are in scope `w`, without biases.
pub(crate) fn gated(w: &Weights, names: &GatedExperts, routed: &Routed, act: Activation, x: &Tensor) -> Tensor {
    names.mixture(w, routed, act, x)
}
