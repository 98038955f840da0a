//! Sessions from ready-made ONNX files: Optimum's layout at the root, transformers.js' in `onnx/`.

use std::{collections::BTreeMap, path::PathBuf};

use formers_converters::reader::external_files;
use formers_models::Head;
use serde_json::Value;

use super::{ModelDtype, Pretrained, genai, part::Part};
use crate::{Error, Result, hub::Checkpoint};

/// What the reference's own exporter says of its files.
const EXPORT: &str = "export.json";
/// Where exports lie.
const FOLDERS: &[&str] = &["onnx/", ""];
/// Which type `auto` takes first, of those that are there: the most exact.
const BEST: &[ModelDtype] = &[
    ModelDtype::Fp32,
    ModelDtype::Fp16,
    ModelDtype::Q8,
    ModelDtype::Int8,
    ModelDtype::Uint8,
    ModelDtype::Q4,
    ModelDtype::Q4f16,
    ModelDtype::Bnb4,
];

/// The roles of the files that make a model, the best first.
const ROLES: &[&[&str]] = &[
    &["model"],
    &["embed_tokens", "decoder_model_merged"],
    &["decoder_model_merged"],
    &["decoder_model", "decoder_with_past_model"],
    &["decoder_with_past_model"],
    &["decoder_model"],
    &["prefill", "decode"],
];
/// The same for one that sees pictures and writes.
const SEEING: &[&[&str]] = &[&["vision_encoder", "embed_tokens", "decoder_model_merged"]];
/// The same for one that reads with an encoder and writes with a decoder.
const TWO_SIDED: &[&[&str]] = &[
    &["encoder_model", "decoder_model_merged"],
    &["encoder_model", "decoder_model", "decoder_with_past_model"],
    &["encoder_model", "decoder_model"],
];

/// Whether the checkpoint ships ONNX files.
pub(super) fn exist(checkpoint: &Checkpoint) -> bool {
    ROLES.iter().chain(TWO_SIDED).any(|roles| are_there(checkpoint, roles))
}

fn are_there(checkpoint: &Checkpoint, roles: &[&str]) -> bool {
    roles.iter().all(|role| !available(checkpoint, role).is_empty())
}

/// The roles that make the model with this head.
fn roles(pretrained: &Pretrained, head: Head) -> &'static [&'static str] {
    let (first, second) = match head {
        Head::Seq2SeqLm => (TWO_SIDED, ROLES),
        Head::ImageTextToText => (SEEING, ROLES),
        _ => (ROLES, TWO_SIDED),
    };
    let there = |roles: &&&[&str]| are_there(&pretrained.checkpoint, roles);
    first.iter().chain(second).find(there).copied().unwrap_or(&["model"])
}

pub(super) fn sessions(pretrained: &Pretrained, head: Head) -> Result<BTreeMap<String, Part>> {
    let session = |role: &&str| {
        let (_, file) = chosen(pretrained, role)?;
        let path = fetch(pretrained, &file)?;
        let part = Part::from_file(&path, &pretrained.options.session);
        Ok(((*role).to_owned(), part.map_err(|e| e.at(format!("{}: {file}", pretrained.checkpoint.name())))?))
    };
    roles(pretrained, head).iter().map(session).collect()
}

/// The type of the weights; of several files, that of the last.
pub(super) fn dtype(pretrained: &Pretrained) -> Result<ModelDtype> {
    let roles = roles(pretrained, pretrained.head());
    chosen(pretrained, roles.last().copied().unwrap_or("model")).map(|(dtype, _)| dtype)
}

/// The types in which a role's file is there.
fn available(checkpoint: &Checkpoint, role: &str) -> Vec<(ModelDtype, String)> {
    let find = |dtype: &ModelDtype| {
        let paths = FOLDERS.iter().map(|folder| format!("{folder}{role}{}.onnx", dtype.suffix()));
        paths.into_iter().find(|path| checkpoint.has(path)).map(|path| (*dtype, path))
    };
    let found: Vec<_> = BEST.iter().filter_map(find).collect();
    // onnxruntime-genai lets files have any name; what type they are nobody says.
    let named = || {
        genai::decoder(checkpoint).filter(|_| role == "model").or_else(|| component(checkpoint, role)).filter(|file| checkpoint.has(file))
    };
    if found.is_empty() { named().map(|file| (ModelDtype::Fp32, file)).into_iter().collect() } else { found }
}

/// The file of a component of what the reference exports, which it names in `export.json`.
fn component(checkpoint: &Checkpoint, role: &str) -> Option<String> {
    // What cannot be read names nothing.
    let export = checkpoint.json(EXPORT).ok().flatten()?;
    export.get("components")?.get(role)?.get("file")?.as_str().map(str::to_owned)
}

/// What the reference exported, where nothing here can run that.
pub(super) fn unusable(checkpoint: &Checkpoint) -> Result<()> {
    let Some(export) = checkpoint.json(EXPORT)? else { return Ok(()) };
    let components = export.get("components").and_then(Value::as_object);
    let names: Vec<&str> = components.into_iter().flat_map(|all| all.keys()).map(String::as_str).collect();
    Err(Error::unsupported(format!(
        "{}: {EXPORT}: of what the reference exports only `model`, or `prefill` and `decode`, can be run, not {}; convert the checkpoint itself",
        checkpoint.name(),
        if names.is_empty() { "nothing at all".to_owned() } else { names.join(", ") }
    )))
}

/// The file of a role in the type that was asked for, or that the repository's own `transformers.js_config` names.
fn chosen(pretrained: &Pretrained, role: &str) -> Result<(ModelDtype, String)> {
    let available = available(&pretrained.checkpoint, role);
    let wanted = match pretrained.options.dtype {
        ModelDtype::Auto => {
            let there = |dtype: &ModelDtype| available.iter().any(|(d, _)| d.canonical() == dtype.canonical());
            configured(pretrained.config.value(), role).filter(there)
        }
        dtype => Some(dtype),
    };
    let chosen = match wanted {
        None => available.first(),
        // Two names of one type stand in for each other.
        Some(wanted) => {
            let exactly = available.iter().find(|(dtype, _)| *dtype == wanted);
            exactly.or_else(|| available.iter().find(|(dtype, _)| dtype.canonical() == wanted.canonical()))
        }
    };
    chosen.cloned().ok_or_else(|| {
        let there: Vec<String> = available.iter().map(|(dtype, path)| format!("{dtype} ({path})")).collect();
        let there = if there.is_empty() { "none at all".to_string() } else { there.join(", ") };
        Error::unsupported(format!(
            "{}: no ONNX file {role}{}.onnx; there is {there}",
            pretrained.checkpoint.name(),
            pretrained.options.dtype.suffix()
        ))
    })
}

/// `transformers.js_config.dtype`: one for all files, or one for each.
fn configured(config: &Value, role: &str) -> Option<ModelDtype> {
    let dtype = config.get("transformers.js_config")?.get("dtype")?;
    let name = dtype.as_str().or_else(|| dtype.get(role)?.as_str())?;
    name.parse().ok()
}

/// The files that the chosen ONNX file of every role consists of.
pub(super) fn files(pretrained: &Pretrained) -> Result<Vec<String>> {
    let mut files = Vec::new();
    for role in roles(pretrained, pretrained.head()) {
        let (_, file) = chosen(pretrained, role)?;
        files.extend(with_data(pretrained, &file));
    }
    Ok(files)
}

fn fetch(pretrained: &Pretrained, file: &str) -> Result<PathBuf> {
    let checkpoint = &pretrained.checkpoint;
    checkpoint.fetch(&[file])?;
    let files = with_data(pretrained, file);
    checkpoint.fetch(&files.iter().map(String::as_str).collect::<Vec<_>>())?;
    checkpoint.path(file)
}

/// The file and those of its weights: the ones that it names where it is on this machine, and the usual names
/// (`model.onnx_data`, `model.onnx_data_1`, …, or `model.onnx.data`).
fn with_data(pretrained: &Pretrained, file: &str) -> Vec<String> {
    let checkpoint = &pretrained.checkpoint;
    let (chunks, old) = (format!("{file}_data"), format!("{file}.data"));
    let folder = file.rfind('/').map_or("", |end| &file[..=end]);
    // A file that cannot be read is for whoever opens it to say.
    let named = |path: PathBuf| external_files(&pretrained.options.session.content(&path).ok()?).ok();
    let named = checkpoint.local(file).and_then(named).unwrap_or_default();
    let named: Vec<String> = named.into_iter().map(|name| format!("{folder}{name}")).collect();
    let data = checkpoint.files().iter().filter(|f| f.starts_with(&chunks) || **f == old || named.contains(f));
    std::iter::once(file.to_owned()).chain(data.cloned()).collect()
}
