//! CodeGen (<https://arxiv.org/abs/2203.13474>): GPT-J with one projection for queries, keys and values.

use formers_converters::{
    Result,
    graph::Body,
    layers::{attention::ungroup, linear_no_bias},
};

use crate::{Architecture, Head, Request, gptj::decoder};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("codegen", &[Head::CausalLm], build);

/// The projection was made for training in so many parts, each with its own heads.
const PARTS: usize = 4;

fn build(request: &Request) -> Result<Vec<Body>> {
    decoder(request, |w, x| {
        let fused = linear_no_bias(&w.pp("qkv_proj"), x);
        let [query, value, key] = ungroup(&fused, PARTS, [fused.fixed(-1) / (3 * PARTS); 3]);
        [query, key, value]
    })
}
