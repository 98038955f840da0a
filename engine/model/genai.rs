//! Folders of onnxruntime-genai, which have a `genai_config.json` in place of the checkpoint's own configs; and what stands in that for
//! the graphs that are written here.

use formers_converters::graph::{Body, Dim};
use serde_json::{Map, Value, json};

use crate::hub::Checkpoint;
use crate::{Error, Result};

/// The file that says what a folder holds.
pub(super) const FILE: &str = "genai_config.json";

/// Fields of `search` that say how to choose tokens; the others are lengths, or the loop's own business.
const SEARCH: &[&str] = &["do_sample", "num_beams", "length_penalty", "no_repeat_ngram_size", "repetition_penalty"];
/// And those that count where tokens are drawn.
const SAMPLING: &[&str] = &["temperature", "top_k", "top_p"];

/// What `config.json` would say, as far as `genai_config.json` tells; `None` where there is none.
pub(super) fn config(checkpoint: &Checkpoint) -> Result<Option<Value>> {
    read(checkpoint)?.map(|genai| translated(&genai)).transpose()
}

/// The file of the decoder.
pub(super) fn decoder(checkpoint: &Checkpoint) -> Option<String> {
    let genai = checkpoint.has(FILE).then(|| read(checkpoint).ok().flatten())??;
    Some(genai.get("model")?.get("decoder")?.get("filename")?.as_str()?.to_owned())
}

fn read(checkpoint: &Checkpoint) -> Result<Option<Value>> {
    if checkpoint.has(FILE) { checkpoint.json(FILE) } else { Ok(None) }
}

fn translated(genai: &Value) -> Result<Value> {
    let section = |of: &Value, name: &str| of.get(name).and_then(Value::as_object).cloned();
    let missing = |name: &str| Error::config(format!("{FILE}: no {name}, which describes the model"));
    let model = section(genai, "model").ok_or_else(|| missing("model"))?;
    let decoder = model.get("decoder").and_then(Value::as_object).ok_or_else(|| missing("model.decoder"))?;
    let mut config = Map::new();
    let mut take = |from: &Map<String, Value>, name: &str, called: &str| {
        if let Some(value) = from.get(name).filter(|value| !value.is_null()) {
            config.insert(called.to_owned(), value.clone());
        }
    };
    take(&model, "type", "model_type");
    take(&model, "context_length", "max_position_embeddings");
    for name in ["vocab_size", "bos_token_id", "eos_token_id", "pad_token_id"] {
        take(&model, name, name);
    }
    take(decoder, "head_size", "head_dim");
    for name in ["hidden_size", "num_attention_heads", "num_hidden_layers", "num_key_value_heads"] {
        take(decoder, name, name);
    }
    if let Some(search) = section(genai, "search") {
        SEARCH.iter().for_each(|name| take(&search, name, name));
        if search.get("do_sample") == Some(&Value::Bool(true)) {
            SAMPLING.iter().for_each(|name| take(&search, name, name));
        }
    }
    // Nothing else is made by its model builder.
    config.insert("architectures".to_owned(), json!(["ForCausalLM"]));
    Ok(Value::Object(config))
}

/// What onnxruntime-genai must be told of a decoder that is written as `filename`; `None` where it cannot run it: it wants a cache of keys
/// and values alone, all of one shape and good for all lengths, and to know how long a text may be.
pub(super) fn described(config: &Value, generation: Option<&Value>, body: &Body, filename: &str) -> Option<Value> {
    const LENGTHS: &[&str] = &["max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length"];
    let past: Vec<_> = body.inputs.iter().map(|&id| body.value(id)).filter(|input| input.name.starts_with("past")).collect();
    let (layers, first) = (past.len() / 2, past.first()?);
    let [_, Dim::Fixed(heads), _, Dim::Fixed(size)] = first.shape[..] else { return None };
    let is_there = |layer: usize, part: &str| past.iter().any(|input| input.name == format!("past_key_values.{layer}.{part}"));
    let complete = past.len() == 2 * layers && (0..layers).all(|layer| is_there(layer, "key") && is_there(layer, "value"));
    if !complete
        || formers_models::of(config).is_some_and(|known| known.anew_beyond(config).is_some())
        || past.iter().any(|input| input.shape != first.shape)
    {
        return None;
    }
    let vocabulary = body.outputs.iter().map(|&id| body.value(id)).find(|output| output.name == "logits")?.shape.last()?.fixed()?;
    let number = |names: &[&str]| names.iter().find_map(|name| config.get(name)?.as_u64());
    let length = number(LENGTHS)?;
    let said = |name: &str| generation.and_then(|fields| fields.get(name)).or_else(|| config.get(name)).filter(|value| !value.is_null());
    let mut model = json!({
        "type": "decoder",
        "context_length": length,
        "vocab_size": vocabulary,
        "decoder": {
            "filename": filename,
            "session_options": {"provider_options": []},
            "hidden_size": number(&["hidden_size", "n_embd", "d_model"]).unwrap_or((heads * size) as u64),
            "head_size": size,
            "num_attention_heads": number(&["num_attention_heads", "n_head", "n_heads"]).unwrap_or(heads as u64),
            "num_key_value_heads": heads,
            "num_hidden_layers": layers,
            "inputs": {
                "input_ids": "input_ids",
                "attention_mask": "attention_mask",
                "past_key_names": "past_key_values.%d.key",
                "past_value_names": "past_key_values.%d.value",
            },
            "outputs": {"logits": "logits", "present_key_names": "present.%d.key", "present_value_names": "present.%d.value"},
        },
    });
    for name in ["bos_token_id", "eos_token_id", "pad_token_id"] {
        // What fills up shorter texts does not matter, but one must be there.
        let first = |value: &Value| value.as_array().map_or_else(|| value.clone(), |ids| ids.first().cloned().unwrap_or_default());
        let value = said(name).cloned().or_else(|| said("eos_token_id").filter(|_| name == "pad_token_id").map(first));
        value.into_iter().for_each(|value| model[name] = value);
    }
    let mut search = json!({"max_length": length, "past_present_share_buffer": true});
    let kept = SEARCH.iter().chain(SAMPLING).filter_map(|name| Some((*name, said(name)?)));
    kept.for_each(|(name, value)| search[name] = value.clone());
    Some(json!({"model": model, "search": search}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_is_read_out_of_it() {
        let genai = json!({
            "model": {"type": "llama", "vocab_size": 9, "eos_token_id": [2, 3], "context_length": 64, "bos_token_id": null,
                      "decoder": {"filename": "model.onnx", "head_size": 8, "num_attention_heads": 4, "num_key_value_heads": 2}},
            "search": {"do_sample": false, "temperature": 0.5, "repetition_penalty": 1.5, "max_length": 64},
        });
        let expected = json!({
            "model_type": "llama", "max_position_embeddings": 64, "vocab_size": 9, "eos_token_id": [2, 3], "head_dim": 8,
            "num_attention_heads": 4, "num_key_value_heads": 2, "do_sample": false, "repetition_penalty": 1.5, "architectures": ["ForCausalLM"],
        });
        assert_eq!(translated(&genai).unwrap(), expected);
        assert!(translated(&json!({})).unwrap_err().to_string().contains("genai_config.json"));
    }
}
