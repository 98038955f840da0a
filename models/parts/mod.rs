//! What architectures share and is none itself: blocks of layers, decoders, heads, inputs, positions, towers of pictures.

pub(crate) mod blocks;
pub(crate) mod decoder;
pub(crate) mod encoded;
pub(crate) mod heads;
pub(crate) mod inputs;
pub(crate) mod mixture;
pub(crate) mod mla;
pub(crate) mod positions;
pub(crate) mod vision;
