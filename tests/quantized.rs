//! Quantized checkpoints: what their graphs are made of, and that senseless ones are errors. Their answers are in the goldens.

#![allow(clippy::unwrap_used, clippy::panic)]

use crate::goldens;

use std::{path::PathBuf, sync::Arc};

use formers::{Options, model::Pretrained};
use formers_converters::{
    Result,
    graph::Body,
    passes::{self, Storage, Target},
    quantize::NBits,
    weights::Tensors,
    writer,
};
use formers_models::{Head, Request};
use goldens::{json, same};
use serde_json::{Value, json as value};

/// The goldens with a quantized checkpoint.
fn quantized() -> Vec<PathBuf> {
    let is_quantized = |folder: &PathBuf| json(&folder.join("config.json")).get("quantization_config").is_some();
    let found: Vec<PathBuf> = goldens::checkpoints().into_iter().filter(is_quantized).collect();
    assert!(found.len() > 10);
    found
}

fn build(folder: &std::path::Path, config: &Value) -> Result<Body> {
    build_for(Target::Cpu, folder, config)
}

fn build_for(target: Target, folder: &std::path::Path, config: &Value) -> Result<Body> {
    let tensors = Arc::new(Tensors::open(&[folder.join("model.safetensors")])?);
    let request = Request::new(config, tensors, Head::CausalLm);
    let architecture = formers_models::find(config["model_type"].as_str().unwrap()).unwrap();
    passes::lower((architecture.build)(&request)?.remove(0), target)
}

fn count(body: &Body, op: &str) -> usize {
    body.nodes.iter().filter(|node| node.op == op).count()
}

#[test]
fn integers_stay_integers() {
    for folder in quantized() {
        let name = folder.display();
        // For any provider experts are apart from the start.
        let body = build_for(Target::Portable, &folder, &json(&folder.join("config.json"))).unwrap();
        if count(&body, "MatMulBnb4") > 0 {
            assert!(name.to_string().contains("bnb") && count(&body, "PackedWeight") == 0, "{name}");
            continue;
        }
        let (layers, products) = (count(&body, "PackedWeight"), count(&body, "FusedMatMul"));
        assert!(layers > 0 && passes::packed_size(&body) > 0, "{name}");
        // In 32-bit floats, ONNX Runtime is fast with 4 bits only: 8 are the sum of two such.
        let bits = body.nodes.iter().filter(|node| node.op == "PackedWeight").filter_map(|node| node.attributes.int("bits"));
        let fours: usize = bits.map(|bits| if bits > 4 { 2 } else { 1 }).sum();
        let body = passes::unpack(body).unwrap();
        assert_eq!(count(&body, "PackedWeight"), 0, "{name}");
        // Floats of 8 bits are widened; groups of 24 columns are in blocks of 8, which the operator has not.
        let dense = name.to_string().contains("fp8") || name.to_string().contains("gpt2/gptq");
        assert_eq!(count(&body, "MatMulNBits"), if dense { 0 } else { fours }, "{name}");
        assert!(body.nodes.iter().filter(|node| node.op == "MatMulNBits").all(|node| node.attributes.int("bits") == Some(4)), "{name}");
        assert_eq!(count(&body, "FusedMatMul"), if dense { products } else { products - layers }, "{name}");
    }
}

#[test]
fn what_was_asked_for_holds_for_the_rest() {
    for folder in quantized() {
        for storage in [Storage::Float16, Storage::Int8, Storage::Blocks(NBits::default())] {
            let body = build(&folder, &json(&folder.join("config.json"))).unwrap();
            let layers = count(&body, "GatedExperts");
            let body = passes::store(body, storage).unwrap();
            assert_eq!((count(&body, "PackedWeight"), count(&body, "GatedExperts")), (0, 0));
            // Experts in 4-bit or 8-bit floats become such of 4-bit integers, all of a layer in one operator; integers stay what they are.
            let floats = ["gpt_oss/causal_lm_mxfp4", "qwen3_moe/compressed_nvfp4", "qwen3_moe/fp8", "qwen3_moe/fp8_stacked"]
                .iter()
                .any(|end| folder.ends_with(end));
            assert!(layers > 0 || !floats, "{}", folder.display());
            let expected = if floats && matches!(storage, Storage::Blocks(_)) { layers } else { 0 };
            assert_eq!(count(&body, "QMoE"), expected, "{} {storage:?}", folder.display());
            writer::in_memory(&body).unwrap();
        }
    }
}

#[test]
fn exported_models_answer_the_same() {
    let folder = quantized().into_iter().find(|folder| folder.ends_with("llama/gptq_order")).unwrap();
    let out = tempfile::tempdir().unwrap();
    Pretrained::open(Options::new(folder.to_string_lossy())).unwrap().export(Head::CausalLm, out.path()).unwrap();
    let mut options = Options::new(out.path().to_string_lossy());
    options.source = formers::model::Source::Onnx;
    let generate = formers::pipeline("text-generation", options).unwrap();
    for case in json(&folder.join("golden.json"))["cases"].as_array().unwrap().iter().take(3) {
        let answer = generate.call(&case["inputs"], &case["parameters"]).unwrap();
        same(&case["answer"], &answer, "answer").unwrap();
    }
}

#[test]
fn senseless_configs_are_no_panics() {
    const VALUES: [&str; 8] = ["0", "1", "3", "7", "-1", "16777216", "9223372036854775807", "\"x\""];
    for folder in quantized() {
        let config = json(&folder.join("config.json"));
        let section = config["quantization_config"].as_object().unwrap();
        let weights = "/quantization_config/config_groups/group_0/weights";
        let inner = config.pointer(weights).and_then(Value::as_object).into_iter().flatten().map(|(key, _)| format!("{weights}/{key}"));
        for place in section.keys().map(|key| format!("/quantization_config/{key}")).chain(inner) {
            for wrong in VALUES {
                let mut changed = config.clone();
                *changed.pointer_mut(&place).unwrap() = serde_json::from_str(wrong).unwrap();
                // An error, or a model with other numbers; no more.
                if let Ok(body) = build(&folder, &changed).and_then(passes::unpack) {
                    let _ = writer::in_memory(&body);
                }
            }
        }
    }
}

#[test]
fn senseless_tensors_are_no_panics() {
    let out = tempfile::tempdir().unwrap();
    for folder in quantized() {
        let config = json(&folder.join("config.json"));
        let bytes = std::fs::read(folder.join("model.safetensors")).unwrap();
        let (len, rest) = bytes.split_first_chunk::<8>().unwrap();
        let (header, data) = rest.split_at(u64::from_le_bytes(*len) as usize);
        let header: Value = serde_json::from_slice(header).unwrap();
        // The tensors of one layer, in the other direction or as one row.
        let keys =
            header.as_object().unwrap().keys().filter(|key| key.contains(".0.") && (key.contains("k_proj") || key.contains("c_attn")));
        for key in keys {
            let shape: Vec<u64> = header[key]["shape"].as_array().unwrap().iter().filter_map(Value::as_u64).collect();
            let turned: Vec<u64> = shape.iter().rev().copied().collect();
            for wrong in [turned, vec![1, shape.iter().product()]].into_iter().filter(|wrong| *wrong != shape) {
                let mut changed = header.clone();
                changed[key]["shape"] = value!(wrong);
                let changed = serde_json::to_vec(&changed).unwrap();
                let file = [&(changed.len() as u64).to_le_bytes()[..], &changed[..], data].concat();
                std::fs::write(out.path().join("model.safetensors"), file).unwrap();
                if let Ok(body) = build(out.path(), &config).and_then(passes::unpack) {
                    let _ = writer::in_memory(&body);
                }
            }
        }
    }
}

#[test]
fn unknown_quantizations_are_named() {
    let folder = quantized().into_iter().find(|folder| folder.ends_with("llama/gptq")).unwrap();
    let mut config = json(&folder.join("config.json"));
    config["quantization_config"]["quant_method"] = value!("made-up");
    let error = build(&folder, &config).unwrap_err().to_string();
    assert!(error.contains("made-up"), "{error}");
    config["quantization_config"] = value!({"quant_method": "gptq", "checkpoint_format": "marlin"});
    let error = build(&folder, &config).unwrap_err().to_string();
    assert!(error.contains("marlin") && error.contains("gptq_v2"), "{error}");
}
