//! Decoders lowered for the processor against the same graphs in ONNX's own operators, with weights in 32 and in 4 bits.
#![allow(clippy::unwrap_used)]

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use formers::session::{Dim, Port, Session, SessionOptions, Value};
use formers_converters::{
    Dtype,
    graph::{Body, Data},
    passes::{self, Storage, Target},
    quantize::{Bits, NBits},
    weights::Tensors,
    writer,
};
use formers_models::{Head, Request};
use ndarray::{Array0, Array2, ArrayD};

/// The graph of a checkpoint that is a decoder; those that come quantized have a test of their own.
fn lowered(folder: &Path, target: Target, storage: Option<Storage>) -> Option<Body> {
    let config: serde_json::Value = serde_json::from_slice(&fs::read(folder.join("config.json")).unwrap()).unwrap();
    if config.get("quantization_config").is_some_and(|quantized| quantized["quant_method"] != "mxfp4") {
        return None;
    }
    let tensors = Arc::new(Tensors::open(&[folder.join("model.safetensors")]).ok()?);
    let request = Request::new(&config, tensors, Head::CausalLm);
    let architecture = formers_models::find(config["model_type"].as_str()?).filter(|a| a.heads.contains(&Head::CausalLm))?;
    let body = (architecture.build)(&request).ok()?.swap_remove(0);
    let body = passes::lower(body, target).unwrap();
    match storage {
        Some(storage) => passes::store(body, storage).ok(),
        None => passes::unpack(body).ok(),
    }
}

/// What the prompt and a step after it give.
fn logits(body: &Body) -> Vec<f32> {
    let folder = tempfile::tempdir().unwrap();
    writer::write_folder(body, folder.path(), "model.onnx").unwrap();
    let session = Session::from_file(&folder.path().join("model.onnx"), &SessionOptions::default()).unwrap();
    let empty = |port: &Port| {
        let size = |(axis, dim): (usize, &Dim)| match dim {
            Dim::Fixed(n) => *n,
            _ => usize::from(axis == 0),
        };
        let shape: Vec<usize> = port.shape.iter().enumerate().map(size).collect();
        Value::from(ArrayD::<f32>::zeros(shape))
    };
    let mut cache: BTreeMap<String, Value> =
        session.inputs().iter().filter(|port| port.dtype == Some(Dtype::F32)).map(|port| (port.name.clone(), empty(port))).collect();
    let mut found = Vec::new();
    for (tokens, total) in [(vec![3_i64, 7, 5, 11, 2], 5), (vec![9], 6)] {
        let ids = Array2::from_shape_vec((1, tokens.len()), tokens).unwrap();
        let mut inputs = vec![
            ("input_ids", Value::from(ids)),
            ("attention_mask", Value::from(Array2::<i64>::ones((1, total)))),
            ("num_logits_to_keep", Value::from(Array0::from_elem((), 1_i64))),
        ];
        inputs.retain(|(name, _)| session.input(name).is_some());
        let given = inputs.iter().map(|(name, value)| (*name, value)).chain(cache.iter().map(|(name, value)| (name.as_str(), value)));
        let mut outputs = session.run(given).unwrap();
        found.extend(outputs.f32("logits").unwrap().iter().copied());
        for (name, value) in &mut cache {
            let present = name.replacen("past_key_values.", "present.", 1).replacen("past_", "present_", 1);
            *value = outputs.take(&present).unwrap();
        }
    }
    found
}

/// The largest difference, as a share of the largest number.
fn difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let most = |numbers: &mut dyn Iterator<Item = f32>| numbers.fold(0.0_f32, f32::max);
    most(&mut a.iter().zip(b).map(|(a, b)| (a - b).abs())) / most(&mut a.iter().map(|a| a.abs()))
}

#[test]
fn fused_operators_answer_as_plain_ones() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/generate/models");
    let folders =
        |path: &Path| fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect::<Vec<_>>();
    let (mut joined, mut turned, mut operators, mut compared, mut wrong) = (0, 0, 0, 0, Vec::new());
    for folder in folders(&root).iter().flat_map(|family| folders(family)).map(|folder| formers_testing::checkpoint(&folder)) {
        for (storage, most) in [(None, 1e-5), (Some(Storage::Blocks(NBits::compact())), 0.02)] {
            // Experts of 4-bit floats stay exact for any provider, and become 4-bit integers here.
            let most = if folder.ends_with("causal_lm_mxfp4") && storage.is_some() { 0.2 } else { most };
            let (Some(plain), Some(fused)) = (lowered(&folder, Target::Portable, storage), lowered(&folder, Target::Cpu, storage)) else {
                continue;
            };
            let attention = || fused.nodes.iter().filter(|node| node.op == "GroupQueryAttention");
            joined += attention().filter(|node| node.inputs[1].is_none()).count();
            turned += attention().filter(|node| node.attributes.int("do_rotary") == Some(1)).count();
            compared += 1;
            operators += fused.nodes.iter().filter(|node| node.op == "QMoE").count();
            let difference = difference(&logits(&plain), &logits(&fused));
            if difference.is_nan() || difference > most {
                wrong.push(format!("{}, {storage:?}: {difference}", folder.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(operators > 0, "no experts were one operator");
    assert!(compared > 60 && joined > 10 && turned > 5, "{compared} graphs, {joined} products joined, {turned} attentions that turn");
}

/// Embeddings and heads are most of a small model.
#[test]
fn embeddings_and_heads_are_stored_in_few_bits_as_well() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/generate/models");
    let large = |data: &Data| matches!(data, Data::Stored { .. }) && data.size() >= 4096;
    let mut tied = Vec::new();
    for name in ["llama/causal_lm", "qwen2/causal_lm", "gemma/causal_lm", "gpt_neox/causal_lm", "phi/causal_lm"] {
        let folder = formers_testing::checkpoint(&root.join(name));
        let config: serde_json::Value = serde_json::from_slice(&fs::read(folder.join("config.json")).unwrap()).unwrap();
        tied.push(config["tie_word_embeddings"].as_bool().unwrap_or(true));
        for bits in [Bits::Four, Bits::Eight] {
            for symmetric in [true, false] {
                // With zero points, rows of an odd number of blocks would not be read rightly.
                let options = NBits { bits, symmetric, block_size: 16, ..NBits::default() };
                let body = lowered(&folder, Target::Cpu, Some(Storage::Blocks(options))).unwrap();
                assert_eq!(body.nodes.iter().filter(|node| node.op == "GatherBlockQuantized").count(), 1, "{name} {options:?}");
                let wide = body.initializers.iter().filter(|(_, data)| large(data)).map(|(id, _)| &body.value(*id).name);
                assert_eq!(wide.collect::<Vec<_>>(), [""; 0], "{name} {options:?}");
            }
        }
    }
    assert!(tied.contains(&true) && tied.contains(&false), "{tied:?}");
}
