//! Falcon Mamba (<https://arxiv.org/abs/2410.05355>): Mamba with norms, which have no weights, on what steps, keys and queries are made of.

use formers_converters::{
    Result,
    graph::{Body, Tensor},
};
use serde::Deserialize;

use crate::{Architecture, Head, Request, mamba};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("falcon_mamba", &[Head::CausalLm], build);

#[derive(Deserialize)]
#[serde(default)]
struct Own {
    mixer_rms_eps: f32,
}

impl Default for Own {
    fn default() -> Self {
        Self { mixer_rms_eps: 1e-6 }
    }
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let own: Own = request.config()?;
    mamba::decoder(request, &|x: &Tensor| {
        let ones = x.graph().full(&[x.fixed(-1).into()], 1.0, x.dtype());
        x.rms_norm(&ones, own.mixer_rms_eps)
    })
}
