//! Adapters (`adapter_config.json`), which change what a model says and cannot be put on here.

use serde_json::Value;

use crate::{Error, Result, hub::Checkpoint};

const FILE: &str = "adapter_config.json";

/// An error for a checkpoint that is an adapter, or has one beside its weights: Python puts it on, so that its answers are others.
pub(super) fn refuse(checkpoint: &Checkpoint) -> Result<()> {
    let Some(config) = checkpoint.json(FILE)? else { return Ok(()) };
    let field = |name: &str| config.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let kind = field("peft_type").map(|kind| format!(" ({kind})")).unwrap_or_default();
    let model = field("base_model_name_or_path").map(|model| format!(" of {model}")).unwrap_or_default();
    Err(Error::unsupported(format!(
        "{}: {FILE}: adapters{kind} are not supported: merge it into the weights{model} (peft's `merge_and_unload`, then `save_pretrained`) \
         and name that folder",
        checkpoint.name()
    )))
}
