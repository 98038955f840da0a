//! `modules.json`: what sentence-transformers puts on top of a transformer.

use formers_converters::layers::Activation;
use formers_models::sentence::{Module, Pooling};
use serde::Deserialize;
use serde_json::Value;

use super::weights;
use crate::{Error, Result, hub::Checkpoint};

/// What sentence-transformers does to a text before it is tokenized, and how long it may be.
#[derive(Debug, Clone, Default)]
pub struct SentenceConfig {
    /// Longer texts are cut to this many tokens (`max_seq_length`, else the shorter of the model's and the tokenizer's).
    pub max_seq_length: Option<usize>,
    /// Texts are lower-cased first.
    pub do_lower_case: bool,
    /// Stands before each text (`default_prompt_name` of `config_sentence_transformers.json`).
    pub prompt: Option<String>,
}

impl SentenceConfig {
    /// Reads `sentence_bert_config.json` and `config_sentence_transformers.json`, as far as they are there.
    pub fn read(checkpoint: &Checkpoint, config: &crate::config::ModelConfig, model_max_length: Option<usize>) -> Result<Self> {
        let transformer = checkpoint.json("sentence_bert_config.json")?.unwrap_or_default();
        let own = transformer.get("max_seq_length").and_then(Value::as_u64).map(|n| n as usize);
        let positions = config.integer("max_position_embeddings").and_then(|n| usize::try_from(n).ok());
        let shortest = [model_max_length, positions].into_iter().flatten().min();
        let sentence = checkpoint.json("config_sentence_transformers.json")?.unwrap_or_default();
        let prompt =
            sentence.get("default_prompt_name").and_then(Value::as_str).and_then(|name| sentence.get("prompts")?.get(name)?.as_str());
        Ok(Self {
            max_seq_length: own.or(shortest),
            do_lower_case: transformer.get("do_lower_case").and_then(Value::as_bool).unwrap_or(false),
            prompt: prompt.filter(|p| !p.is_empty()).map(str::to_string),
        })
    }

    /// The text as the model is to see it.
    pub fn prepare(&self, text: &str) -> String {
        let text = format!("{}{text}", self.prompt.as_deref().unwrap_or_default());
        if self.do_lower_case { text.chars().flat_map(char::to_lowercase).collect() } else { text }
    }
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
    let mut modules = Vec::new();
    for entry in entries {
        let module = module(checkpoint, &entry).map_err(|e| e.at(format!("modules.json: {}", entry.path)))?;
        modules.extend(module);
    }
    Ok(modules)
}

fn module(checkpoint: &Checkpoint, entry: &Entry) -> Result<Option<Module>> {
    let folder = format!("{}/", entry.path.trim_end_matches('/'));
    let class = entry.r#type.rsplit('.').next().unwrap_or_default();
    let config = || -> Result<Value> { Ok(checkpoint.json(&format!("{folder}config.json"))?.unwrap_or(Value::Null)) };
    Ok(match class {
        "Transformer" | "Dropout" => None,
        "Pooling" => {
            let config = config()?;
            let include_prompt = config.get("include_prompt").and_then(Value::as_bool).unwrap_or(true);
            Some(Module::Pooling { modes: pooling(&config)?, include_prompt })
        }
        "Dense" => Some(Module::Dense { tensors: weights::open(checkpoint, &folder)?, activation: activation(&config()?)? }),
        "LayerNorm" => Some(Module::LayerNorm { tensors: weights::open(checkpoint, &folder)? }),
        "Normalize" => Some(Module::Normalize),
        other => return Err(Error::unsupported(format!("no module of type {other:?}"))),
    })
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
    let named: Vec<&str> = match config.get("pooling_mode") {
        Some(Value::String(name)) => name.split('+').collect(),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !named.is_empty() {
        let find = |name: &str| NAMES.iter().find(|(n, ..)| *n == name).map(|(.., p)| *p);
        return named.iter().map(|n| find(n).ok_or_else(|| Error::unsupported(format!("pooling_mode: no {n:?}")))).collect();
    }
    let flag = |name: &str| config.get(name).and_then(Value::as_bool).unwrap_or(false);
    let chosen: Vec<Pooling> = NAMES.iter().filter(|(_, name, _)| flag(name)).map(|(.., p)| *p).collect();
    Ok(if chosen.is_empty() { vec![Pooling::Mean] } else { chosen })
}

fn activation(config: &Value) -> Result<Activation> {
    let name = config.get("activation_function").and_then(Value::as_str).unwrap_or("torch.nn.modules.activation.Tanh");
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
