//! Graphs from the checkpoint's own weights, and sessions from those.

use std::{collections::BTreeMap, time::Instant};

use formers_converters::{
    graph::{Body, Caller},
    passes::{self, Storage},
    quantize::{Bits, NBits},
    writer,
};
use formers_models::{Head, Request};

use super::{
    ModelDtype, Options, Pretrained,
    converted::Entry,
    part::{self, Part},
    sentence, unknown, weights,
};
use crate::{Error, ErrorKind, Result};

/// The graphs of a model with this head, lowered for the device that is asked for.
pub(super) fn graphs(pretrained: &Pretrained, head: Head, caller: Caller) -> Result<Vec<Body>> {
    let config = &pretrained.config;
    let architecture = formers_models::find(config.model_type()).ok_or_else(|| unknown(config.model_type()))?;
    if !architecture.heads.contains(&head) {
        let heads: Vec<&str> = architecture.heads.iter().map(|h| h.suffix()).collect();
        return Err(Error::unsupported(format!("{} has no {head}, only {}", architecture.model_type, heads.join(", "))));
    }
    let modules = if head == Head::Base { sentence::modules(&pretrained.checkpoint)? } else { Vec::new() };
    let tensors = weights::open(&pretrained.checkpoint, "")?;
    let request = Request::new(config.value(), tensors, head).with_modules(modules).called_by(caller);
    let bodies = (architecture.build)(&request)?;
    bodies.into_iter().map(|body| Ok(passes::lower(body, passes::Target::Cpu)?)).collect()
}

/// How weights are stored, by what the caller asked for; `None` where they stay as they are in the checkpoint.
pub(super) fn storage(options: &Options) -> Result<Option<Storage>> {
    if let Some(blocks) = &options.blocks {
        let bits = match options.dtype {
            ModelDtype::Q4 => Bits::Four,
            ModelDtype::Int8 | ModelDtype::Q8 => Bits::Eight,
            other => return Err(Error::request("blocks", format!("weights in {other} have no blocks, only those in q4 and int8 (or q8)"))),
        };
        let usual = NBits::compact();
        let (block_size, wide_block_size) = blocks.size.map_or((usual.block_size, usual.wide_block_size), |size| (size, None));
        return Ok(Some(Storage::Blocks(NBits { bits, block_size, wide_block_size, symmetric: !blocks.asymmetric, ..usual })));
    }
    match options.dtype {
        ModelDtype::Auto | ModelDtype::Fp32 => Ok(None),
        ModelDtype::Fp16 => Ok(Some(Storage::Float16)),
        ModelDtype::Int8 | ModelDtype::Q8 => Ok(Some(Storage::Int8)),
        ModelDtype::Q4 => Ok(Some(Storage::Blocks(NBits::compact()))),
        other => Err(Error::request("dtype", format!("weights are converted to fp32, fp16, int8, q8 or q4, not to {other}"))),
    }
}

pub(super) fn sessions(pretrained: &Pretrained, head: Head) -> Result<BTreeMap<String, Part>> {
    let at = |e: Error| e.at(pretrained.checkpoint.name());
    let bodies = graphs(pretrained, head, Caller::Own).map_err(at)?;
    bodies.into_iter().map(|body| Ok((body.name.clone(), session(pretrained, body).map_err(at)?))).collect()
}

/// Bytes of packed weights that are computed again each time.
const MOST_IN_MEMORY: u64 = 1 << 25;

fn session(pretrained: &Pretrained, body: Body) -> Result<Part> {
    match storage(&pretrained.options)? {
        Some(storage) => kept(pretrained, body, Some(storage), |body| Ok(passes::store(body, storage)?)),
        // Weights that are computed from quantized ones are kept, unless they are few.
        None if passes::packed_size(&body) > MOST_IN_MEMORY => kept(pretrained, body, None, |body| Ok(passes::unpack(body)?)),
        None => {
            let body = passes::unpack(body)?;
            Part::from_memory(writer::in_memory(&body)?, part::weights(&body), &pretrained.options.session)
        }
    }
}

/// A session of a graph that is converted once. What is there and cannot be opened is taken away and made again, since it may be damaged in a way
/// that its manifest does not tell, or be gone since.
fn kept(pretrained: &Pretrained, body: Body, storage: Option<Storage>, convert: impl FnOnce(Body) -> Result<Body>) -> Result<Part> {
    let options = &pretrained.options;
    let entry = Entry::of(options, pretrained.checkpoint.name(), &body, options.dtype.canonical(), storage)?;
    if let Some(file) = entry.sound() {
        match Part::from_file(&file, &options.session) {
            Err(error) if matches!(error.kind(), ErrorKind::Checkpoint | ErrorKind::NotFound | ErrorKind::Io) => {
                tracing::warn!("{error}: the model is converted again");
                entry.remove()?;
            }
            opened => return opened,
        }
    }
    let (start, name) = (Instant::now(), body.name.clone());
    let file = entry.make(|| convert(body))?;
    tracing::info!("weights of {name} converted in {:.2} s", start.elapsed().as_secs_f64());
    Part::from_file(&file, &options.session)
}
