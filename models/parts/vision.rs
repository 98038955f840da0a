//! What transformers over patches of a picture are built of.

use formers_converters::{
    Weights,
    graph::{Conv, Tensor},
    layers::{Mask, attention, layer_norm, linear_if},
};

/// The patches of pictures, `(batch, patches, width)`: a convolution whose kernel `weight` is as large as its stride, with a bias where `w`
/// has one.
pub(crate) fn patches(w: &Weights, pixels: &Tensor, width: usize, channels: usize, (height, breadth): (usize, usize)) -> Tensor {
    let weight = w.get("weight", &[width, channels, height, breadth]);
    let bias = w.has("bias").then(|| w.get("bias", &[width]));
    let patches = pixels.conv(&weight, bias.as_ref(), &Conv { stride: vec![height, breadth], ..Conv::new(2) });
    patches.reshape(&[0i64.into(), 0i64.into(), (-1i64).into()]).t()
}

/// A token of its own before the others, `(batch, tokens, width)`: the same for all rows, of `width` numbers.
pub(crate) fn after_token(token: &Tensor, others: &Tensor) -> Tensor {
    let width = i64::try_from(others.fixed(-1)).unwrap_or(i64::MAX);
    let token = token.expand(&[others.dim(0).into(), 1i64.into(), width.into()]);
    others.graph().concat(&[&token, others], 1)
}

/// A layer with a norm before each part: `x + attention(norm x)`, and on that `x + mlp(norm x)`. `norms` are the scopes of both.
pub(crate) fn pre_norm(
    x: &Tensor,
    norms: [Weights; 2],
    epsilon: f32,
    attention: impl FnOnce(&Tensor) -> Tensor,
    mlp: impl FnOnce(&Tensor) -> Tensor,
) -> Tensor {
    let [before_attention, before_mlp] = norms;
    let x = attention(&layer_norm(&before_attention, epsilon, x)) + x;
    mlp(&layer_norm(&before_mlp, epsilon, &x)) + x
}

/// Attention of all tokens to all, without its last matrix: `names` are those of queries, keys and values in `w`, with a bias where `bias`
/// says so.
pub(crate) fn self_attention(w: &Weights, names: [&str; 3], bias: bool, heads: usize, x: &Tensor) -> Tensor {
    let [query, key, value] = names.map(|name| linear_if(&w.pp(name), x, bias));
    let scale = attention::scale(query.fixed(-1) / heads.max(1));
    attention(&query, &key, &value, heads, scale, &Mask::none())
}
