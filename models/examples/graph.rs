//! Writes the graphs of a checkpoint into a folder: `cargo run -p formers-models --example graph -- CHECKPOINT HEAD OUT`,
//! where HEAD is the ending of a class name such as `ForMaskedLM`, or `Model`.

use std::{path::Path, sync::Arc};

use formers_converters::{Error, Result, passes, weights::Tensors, writer};
use formers_models::{Head, Request};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [checkpoint, head, out] = arguments.as_slice() else {
        return Err(Error::unsupported("usage: graph CHECKPOINT HEAD OUT"));
    };
    let folder = Path::new(checkpoint);
    let config = std::fs::read(folder.join("config.json")).map_err(|e| Error::io(folder, e))?;
    let config: serde_json::Value = serde_json::from_slice(&config).map_err(|e| Error::config(format!("config.json: {e}")))?;
    let model_type = config["model_type"].as_str().unwrap_or_default();
    let architecture = formers_models::find(model_type).ok_or_else(|| Error::unsupported(format!("no architecture {model_type:?}")))?;
    let head = Head::of_class(head).ok_or_else(|| Error::unsupported(format!("no head {head:?}")))?;
    let request = Request::new(&config, Arc::new(open(folder)?), head);
    for body in (architecture.build)(&request)? {
        let body = passes::unpack(passes::lower(body, passes::Target::default())?)?;
        writer::write_folder(&body, Path::new(out), &format!("{}.onnx", body.name))?;
    }
    Ok(())
}

fn open(folder: &Path) -> Result<Tensors> {
    for name in ["model.safetensors", "pytorch_model.bin"] {
        let index = folder.join(format!("{name}.index.json"));
        if index.exists() {
            return Tensors::open_indexed(&index, &|shard| Ok(folder.join(shard)));
        }
        if folder.join(name).exists() {
            return Tensors::open(&[folder.join(name)]);
        }
    }
    Err(Error::checkpoint(format!("{} holds no weights", folder.display())))
}
