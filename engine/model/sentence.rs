//! `modules.json`: what sentence-transformers puts on top of a transformer.

use formers_converters::layers::Activation;
use formers_models::sentence::{Module, Pooling};
use serde::Deserialize;
use serde_json::Value;

use super::weights;
use crate::{
    Error, ErrorKind, Result,
    config::{integer, truth},
    hub::Checkpoint,
};

/// The names of the settings of the transformer, as versions of sentence-transformers have had them; the first that says anything counts.
const CONFIGS: [&str; 7] = [
    "sentence_bert_config.json",
    "sentence_roberta_config.json",
    "sentence_distilbert_config.json",
    "sentence_camembert_config.json",
    "sentence_albert_config.json",
    "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json",
];

/// What sentence-transformers does to a text before it is tokenized, and how long it may be.
#[derive(Debug, Clone, Default)]
pub struct SentenceConfig {
    /// Longer texts are cut to this many tokens (`max_seq_length`, else the shorter of the model's and the tokenizer's).
    pub max_seq_length: Option<usize>,
    /// Texts are lower-cased first.
    pub do_lower_case: bool,
    /// Stands before each text (`default_prompt_name` of `config_sentence_transformers.json`).
    pub prompt: Option<String>,
    /// So many components of a vector are kept (`truncate_dim` there), or where it is negative, so many are left out at the end.
    pub truncate_dim: Option<i64>,
}

impl SentenceConfig {
    /// Reads `sentence_bert_config.json`, or what older versions called it, and `config_sentence_transformers.json`, as far as they are
    /// there.
    pub fn read(checkpoint: &Checkpoint, config: &crate::config::ModelConfig, model_max_length: Option<usize>) -> Result<Self> {
        let mut transformer = Value::Null;
        for file in CONFIGS {
            transformer = checkpoint.json(file)?.unwrap_or_default();
            if transformer.as_object().is_some_and(|fields| !fields.is_empty()) {
                break;
            }
        }
        // What the tokenizer is told itself counts first.
        let told = ["processor_kwargs", "tokenizer_args"].iter().find_map(|name| transformer.get(name)?.get("model_max_length"));
        let own = told.or_else(|| transformer.get("max_seq_length"));
        let own = own.and_then(integer).and_then(|n| usize::try_from(n).ok());
        let positions = config.integer("max_position_embeddings").and_then(|n| usize::try_from(n).ok());
        let shortest = [model_max_length, positions].into_iter().flatten().min();
        let sentence = checkpoint.json("config_sentence_transformers.json")?.unwrap_or_default();
        let prompt =
            sentence.get("default_prompt_name").and_then(Value::as_str).and_then(|name| sentence.get("prompts")?.get(name)?.as_str());
        Ok(Self {
            max_seq_length: own.or(shortest),
            do_lower_case: transformer.get("do_lower_case").and_then(Value::as_bool).unwrap_or(false),
            prompt: prompt.filter(|p| !p.is_empty()).map(str::to_string),
            truncate_dim: truncate_dim(sentence.get("truncate_dim"))?,
        })
    }

    /// How many components of a vector are kept.
    pub fn kept(&self, components: usize) -> usize {
        match self.truncate_dim {
            Some(dim) if dim < 0 => components.saturating_sub(usize::try_from(dim.unsigned_abs()).unwrap_or(usize::MAX)),
            Some(dim) => components.min(usize::try_from(dim).unwrap_or(usize::MAX)),
            None => components,
        }
    }

    /// The text as the model is to see it.
    pub fn prepare(&self, text: &str) -> String {
        let text = format!("{}{text}", self.prompt.as_deref().unwrap_or_default());
        if self.do_lower_case { text.chars().flat_map(char::to_lowercase).collect() } else { text }
    }
}

fn truncate_dim(value: Option<&Value>) -> Result<Option<i64>> {
    let Some(value) = value.filter(|value| !value.is_null()) else { return Ok(None) };
    let dim = value.as_bool().map(i64::from).or_else(|| value.as_i64());
    dim.map(Some).ok_or_else(|| {
        Error::config(format!("config_sentence_transformers.json: truncate_dim: expected a whole number of components, not {value}"))
    })
}

#[derive(Deserialize)]
struct Entry {
    path: String,
    r#type: String,
}

/// The modules after the transformer; none where the checkpoint is not from sentence-transformers.
pub(super) fn modules(checkpoint: &Checkpoint) -> Result<Vec<Module>> {
    let Some(json) = checkpoint.json("modules.json")? else { return Ok(Vec::new()) };
    let entries: Vec<Entry> =
        serde_json::from_value(json).map_err(|e| Error::config(format!("{}: modules.json: {e}", checkpoint.name())))?;
    if entries.is_empty() {
        return Err(Error::config(format!("{}: modules.json: it names no module", checkpoint.name())));
    }
    let mut modules = Vec::new();
    for entry in entries {
        let module = module(checkpoint, &entry).map_err(|e| e.at(format!("modules.json: {}", entry.path)))?;
        modules.extend(module);
    }
    Ok(modules)
}

fn module(checkpoint: &Checkpoint, entry: &Entry) -> Result<Option<Module>> {
    // A class of the same name elsewhere is code of the repository's own.
    let class = match entry.r#type.strip_prefix("sentence_transformers.").and_then(|class| class.rsplit('.').next()) {
        Some(class) => class,
        None => return Err(Error::unsupported(format!("the type {:?} is no module of sentence-transformers", entry.r#type))),
    };
    let folder = folder(&entry.path)?;
    let config = || config(checkpoint, &folder);
    Ok(match class {
        "Transformer" if folder.is_empty() => None,
        "Transformer" => {
            let name = checkpoint.name();
            return Err(Error::unsupported(format!(
                "the transformer lies in a folder of its own, which only {name}/{folder} would be read from"
            )));
        }
        "Dropout" => None,
        "Pooling" => {
            let config = config()?;
            Some(Module::Pooling { modes: pooling(&config)?, include_prompt: flag(&config, "include_prompt", true)? })
        }
        "Dense" => {
            let config = config()?;
            on_sentences(&config)?;
            let use_residual = flag(&config, "use_residual", false)?;
            Some(Module::Dense { tensors: weights::open(checkpoint, &folder)?, activation: activation(&config)?, use_residual })
        }
        "LayerNorm" => Some(Module::LayerNorm { tensors: weights::open(checkpoint, &folder)? }),
        "Normalize" => {
            // It had no settings once, and so no file of them.
            on_sentences(&checkpoint.json(&format!("{folder}config.json"))?.filter(|_| !folder.is_empty()).unwrap_or_default())?;
            Some(Module::Normalize)
        }
        other => return Err(Error::unsupported(format!("no module of type {other:?}"))),
    })
}

/// The folder of a module as the beginning of the names of its files.
fn folder(path: &str) -> Result<String> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if path.starts_with('/') || path.contains(['\\', ':', '\0']) || parts.contains(&"..") {
        return Err(Error::new(ErrorKind::Checkpoint, "it is no folder of this checkpoint"));
    }
    Ok(parts.iter().map(|part| format!("{part}/")).collect())
}

/// A module's own `config.json`, without which nobody knows what it does.
fn config(checkpoint: &Checkpoint, folder: &str) -> Result<Value> {
    let file = format!("{folder}config.json");
    let config = checkpoint.json(&file)?.ok_or_else(|| {
        let message = format!("{}: there is no {file}, which says what the module does; download the checkpoint again", checkpoint.name());
        Error::new(ErrorKind::Checkpoint, message)
    })?;
    if config.is_object() { Ok(config) } else { Err(Error::config(format!("{file}: not an object"))) }
}

fn flag(config: &Value, name: &str, default: bool) -> Result<bool> {
    let Some(value) = config.get(name).filter(|value| !value.is_null()) else { return Ok(default) };
    truth(value).ok_or_else(|| Error::config(format!("{name}: expected true or false, not {value}")))
}

/// An error for a module that works on anything else than the vector of the text.
fn on_sentences(config: &Value) -> Result<()> {
    for name in ["module_input_name", "module_output_name"] {
        match config.get(name) {
            None | Some(Value::Null) => {}
            Some(value) if value == "sentence_embedding" => {}
            Some(value) => return Err(Error::unsupported(format!("{name}: {value}: only sentence_embedding is known"))),
        }
    }
    Ok(())
}

/// Both generations: `pooling_mode` names them, or one `pooling_mode_…` flag each, in the order of concatenation.
fn pooling(config: &Value) -> Result<Vec<Pooling>> {
    const NAMES: &[(&str, &str, Pooling)] = &[
        ("cls", "pooling_mode_cls_token", Pooling::Cls),
        ("max", "pooling_mode_max_tokens", Pooling::Max),
        ("mean", "pooling_mode_mean_tokens", Pooling::Mean),
        ("mean_sqrt_len_tokens", "pooling_mode_mean_sqrt_len_tokens", Pooling::MeanSqrtLen),
        ("weightedmean", "pooling_mode_weightedmean_tokens", Pooling::WeightedMean),
        ("lasttoken", "pooling_mode_lasttoken", Pooling::LastToken),
    ];
    if !["embedding_dimension", "word_embedding_dimension"].iter().any(|size| config.get(size).is_some()) {
        return Err(Error::config("config.json: word_embedding_dimension is missing, so this is no config of a pooling"));
    }
    let known = |field: &str| field == "pooling_mode" || NAMES.iter().any(|(_, flag, _)| *flag == field);
    let fields = config.as_object().into_iter().flat_map(|fields| fields.keys());
    if let Some(other) = fields.filter(|field| field.starts_with("pooling_mode")).find(|field| !known(field)) {
        return Err(Error::unsupported(format!("{other}: no such way of pooling")));
    }
    let find = |name: &Value| {
        let found = NAMES.iter().find(|(known, ..)| name == known).map(|(.., pooling)| *pooling);
        found.ok_or_else(|| Error::unsupported(format!("pooling_mode: no {name}")))
    };
    match config.get("pooling_mode") {
        Some(Value::Array(names)) if names.is_empty() => Err(Error::config("pooling_mode: an empty list")),
        Some(Value::Array(names)) => names.iter().map(find).collect(),
        Some(name) => Ok(vec![find(name)?]),
        None => {
            let mut chosen = Vec::new();
            for (_, name, pooling) in NAMES {
                chosen.extend(flag(config, name, false)?.then_some(*pooling));
            }
            Ok(if chosen.is_empty() { vec![Pooling::Mean] } else { chosen })
        }
    }
}

fn activation(config: &Value) -> Result<Activation> {
    let name = match config.get("activation_function") {
        None => "torch.nn.modules.activation.Tanh",
        Some(name) => name.as_str().unwrap_or_default(),
    };
    match name.rsplit('.').next().unwrap_or_default() {
        "Identity" => Ok(Activation::Linear),
        "Tanh" => Ok(Activation::Tanh),
        "ReLU" => Ok(Activation::Relu),
        "GELU" => Ok(Activation::Gelu),
        "Sigmoid" => Ok(Activation::Sigmoid),
        "SiLU" => Ok(Activation::Silu),
        other => Err(Error::unsupported(format!("activation_function: no {other:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::ModelConfig, hub::Options};

    #[test]
    fn settings_have_had_many_names() {
        let cases = [
            (vec![("sentence_bert_config.json", r#"{"max_seq_length": 128}"#)], Some(128), false),
            (vec![("sentence_xlm-roberta_config.json", r#"{"max_seq_length": 256, "do_lower_case": true}"#)], Some(256), true),
            (vec![("sentence_bert_config.json", "{}"), ("sentence_roberta_config.json", r#"{"max_seq_length": 64}"#)], Some(64), false),
            (
                vec![
                    ("sentence_bert_config.json", r#"{"max_seq_length": 128}"#),
                    ("sentence_roberta_config.json", r#"{"max_seq_length": 64}"#),
                ],
                Some(128),
                false,
            ),
            // As the tokenizer is told, before all.
            (
                vec![("sentence_bert_config.json", r#"{"max_seq_length": 128, "tokenizer_args": {"model_max_length": 99}}"#)],
                Some(99),
                false,
            ),
            (vec![("sentence_bert_config.json", r#"{"max_seq_length": null, "do_lower_case": false}"#)], Some(512), false),
            (Vec::new(), Some(512), false),
        ];
        for (files, length, lower) in cases {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("config.json"), "{}").unwrap();
            for (name, text) in &files {
                std::fs::write(folder.path().join(name), text).unwrap();
            }
            let checkpoint = Checkpoint::open(folder.path().to_str().unwrap(), &Options::default()).unwrap();
            let config = ModelConfig::new(serde_json::json!({"max_position_embeddings": 514})).unwrap();
            let read = SentenceConfig::read(&checkpoint, &config, Some(512)).unwrap();
            assert_eq!((read.max_seq_length, read.do_lower_case), (length, lower), "{files:?}");
        }
    }
}
