//! Weights in blocks, as ONNX Runtime reads them: weights that fit 4 or 8 bits exactly answer as they do in 32.
#![allow(clippy::unwrap_used)]

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use formers::session::{Session, SessionOptions, Value};
use formers_converters::{
    Dtype, Weights,
    graph::{Body, Data, Dim, Graph},
    layers::{Activation, Expert, Gate, GatedExperts, Routed, Weigh, embedding, experts, gated_experts, linear, linear_no_bias},
    passes::{self, Storage},
    quantize::{Bits, NBits},
    weights::Tensors,
    writer,
};
use ndarray::Array2;

/// Every block of a row has the lowest and the highest number of that many bits, in steps of 1/64.
fn number(row: usize, column: usize, bits: Bits) -> f32 {
    let count = 1 << bits.count();
    let step = match column % 16 {
        0 => 0,
        1 => count - 1,
        _ => (row * 31 + column * 17 + row * column) % count,
    };
    (step as f32 - (count / 2) as f32) / 64.0
}

/// A tensor's name, shape and numbers.
type Entry = (String, Vec<usize>, Vec<f32>);

fn matrix(name: &str, rows: usize, columns: usize, bits: Bits) -> Entry {
    let values = (0..rows).flat_map(|row| (0..columns).map(move |column| number(row, column, bits))).collect();
    (name.to_string(), if rows == 1 { vec![columns] } else { vec![rows, columns] }, values)
}

fn checkpoint(folder: &Path, dtype: Dtype, entries: &[Entry]) -> Arc<Tensors> {
    let (mut header, mut data) = (BTreeMap::new(), Vec::new());
    for (name, shape, values) in entries {
        let start = data.len();
        for &value in values {
            match dtype {
                Dtype::F16 => data.extend(half::f16::from_f32(value).to_le_bytes()),
                Dtype::BF16 => data.extend(half::bf16::from_f32(value).to_le_bytes()),
                _ => data.extend(value.to_le_bytes()),
            }
        }
        header.insert(name, serde_json::json!({"dtype": format!("{dtype:?}"), "shape": shape, "data_offsets": [start, data.len()]}));
    }
    let header = serde_json::to_vec(&header).unwrap();
    let path = folder.join("model.safetensors");
    fs::write(&path, [&(header.len() as u64).to_le_bytes()[..], &header, &data].concat()).unwrap();
    Arc::new(Tensors::open(&[path]).unwrap())
}

fn layers(bits: Bits) -> Vec<Entry> {
    [("table.weight", 40, 64), ("ragged.weight", 40, 70), ("dense.weight", 64, 70), ("dense.bias", 1, 64)]
        .map(|(name, rows, columns)| matrix(name, rows, columns, bits))
        .to_vec()
}

/// Embeddings whose rows end within a block, a layer as wide, and a head that is tied to other embeddings.
fn build(tensors: &Arc<Tensors>, float: Dtype) -> Body {
    let graph = Graph::new("model", float);
    let weights = Weights::new(&graph, tensors.clone());
    let ids = graph.input("input_ids", Dtype::I64, &[Dim::from("batch"), Dim::from("sequence")]);
    let hidden = linear(&weights.pp("dense"), &embedding(&weights.pp("ragged"), &ids));
    let hidden = hidden + embedding(&weights.pp("table"), &ids);
    graph.output("logits", &linear_no_bias(&weights.pp("table"), &hidden));
    graph.finish().unwrap()
}

fn run(body: &Body, folder: &Path) -> Vec<f32> {
    writer::write_folder(body, folder, "model.onnx").unwrap();
    let session = Session::from_file(&folder.join("model.onnx"), &SessionOptions::default()).unwrap();
    let ids = Array2::from_shape_fn((2, 5), |(row, column)| (row * 5 + column) as i64 * 4 % 40);
    session.run(vec![("input_ids", Value::from(ids))]).unwrap().f32("logits").unwrap().iter().copied().collect()
}

#[test]
fn weights_in_blocks_answer_as_they_do_in_32_bits() {
    let folder = tempfile::tempdir().unwrap();
    for bits in [Bits::Four, Bits::Eight] {
        let exact = run(&build(&checkpoint(folder.path(), Dtype::F32, &layers(bits)), Dtype::F32), folder.path());
        let largest = exact.iter().fold(0.0_f32, |most, v| most.max(v.abs()));
        for dtype in [Dtype::F32, Dtype::F16, Dtype::BF16] {
            let tensors = checkpoint(folder.path(), dtype, &layers(bits));
            for (float, symmetric, block_size) in
                [(Dtype::F32, true, 32), (Dtype::F32, false, 32), (Dtype::F32, true, 16), (Dtype::F16, true, 32), (Dtype::F16, false, 32)]
            {
                let options = NBits { bits, symmetric, block_size, ..NBits::default() };
                let body = passes::store(build(&tensors, float), Storage::Blocks(options)).unwrap();
                assert!(body.nodes.iter().all(|node| node.op != "FusedMatMul"));
                let given = run(&body, folder.path());
                let error = exact.iter().zip(&given).map(|(a, b)| (a - b).abs()).fold(0.0_f32, f32::max) / largest;
                // The operators round the inputs of a product to 8 bits.
                assert!(error < 0.02, "{options:?}, weights in {dtype:?}, graph in {float:?}: {error}");
            }
        }
    }
}

/// So that converting takes no more memory than one weight needs.
#[test]
fn weights_are_computed_when_they_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let tensors = checkpoint(folder.path(), Dtype::BF16, &operators(Bits::Eight));
    for storage in [Storage::Float16, Storage::Int8, Storage::Blocks(NBits::compact())] {
        for build in [build_mixtures, |tensors: &Arc<Tensors>| build_operator(tensors, false)] {
            let body = passes::store(build(&tensors), storage).unwrap();
            let kept: u64 = body.initializers.values().filter(|data| matches!(data, Data::Inline(_))).map(Data::size).sum();
            let computed: u64 = body.initializers.values().filter(|data| matches!(data, Data::Computed { .. })).map(Data::size).sum();
            assert!(kept < 2000 && computed > 40 * kept, "{storage:?}: {kept} bytes kept, {computed} computed");
        }
    }
}

const EXPERTS: usize = 20;

/// Experts whose matrices lie each by itself, and such that lie by columns in one tensor; beside them a router.
fn mixtures(bits: Bits) -> Vec<Entry> {
    let mut entries = vec![matrix("table.weight", 40, 64, bits), matrix("router.weight", EXPERTS, 64, bits)];
    for expert in 0..EXPERTS {
        for (i, (name, rows)) in [("gate", 32), ("up", 32), ("down", 64)].into_iter().enumerate() {
            let first = 3 * expert + 7 * i;
            let values = (0..rows * (96 - rows)).map(|at| number(first + at / (96 - rows), at % (96 - rows), bits)).collect();
            entries.push((format!("experts.{expert}.{name}.weight"), vec![rows, 96 - rows], values));
        }
    }
    let column = |i: usize| number(i % 64, i / 64 % 64, bits) * (1.0 + (i / 4096) as f32);
    entries.push(("columns".into(), vec![EXPERTS, 64, 64], (0..EXPERTS * 4096).map(column).collect()));
    entries
}

fn build_mixtures(tensors: &Arc<Tensors>) -> Body {
    let graph = Graph::new("model", Dtype::F32);
    let weights = Weights::new(&graph, tensors.clone());
    let ids = graph.input("input_ids", Dtype::I64, &[Dim::from("batch"), Dim::from("sequence")]);
    let hidden = embedding(&weights.pp("table"), &ids);
    let rows = hidden.reshape(&[(-1i64).into(), 64usize.into()]);
    let scores = rows.matmul(&weights.any("router.weight", 2).t());
    let routed = Routed::best(&scores.softmax(-1), 3).normalized(0.0);
    let gated = GatedExperts { each: ["gate", "up", "down"], stacked: ["both", "down"] };
    let scope = weights.pp("experts");
    let apart = experts(&hidden, &routed, Weigh::Outputs, |i, x| gated.of(&scope, i, Activation::Silu, x));
    let together = experts(&hidden, &routed, Weigh::Inputs, |i, x| x.matmul(&weights.nth("columns", i)));
    graph.output("logits", &(apart + together));
    graph.finish().unwrap()
}

#[test]
fn experts_in_fewer_bits_answer_as_they_do_in_32() {
    let folder = tempfile::tempdir().unwrap();
    for bits in [Bits::Four, Bits::Eight] {
        let tensors = checkpoint(folder.path(), Dtype::F32, &mixtures(bits));
        let exact = run(&build_mixtures(&tensors), folder.path());
        let largest = exact.iter().fold(0.0_f32, |most, v| most.max(v.abs()));
        for storage in [Storage::Blocks(NBits { bits, ..NBits::default() }), Storage::Int8] {
            let body = passes::store(build_mixtures(&tensors), storage).unwrap();
            let count = |op: &str| body.nodes.iter().filter(|node| node.op == op).count();
            // The router and the sum of what experts give stay as they are.
            assert_eq!((count("FusedMatMul"), count("MatMul")), (0, 2), "{storage:?}");
            assert_eq!(count("MatMulNBits") + count("MatMulIntegerToFloat"), 4 * EXPERTS);
            let given = run(&body, folder.path());
            let error = exact.iter().zip(&given).map(|(a, b)| (a - b).abs()).fold(0.0_f32, f32::max) / largest;
            assert!(error < 0.02, "{storage:?}: {error}");
        }
    }
}

/// Experts as one operator has them: with gates and ups in turn, by columns and with biases, or with matrices apart.
fn build_operator(tensors: &Arc<Tensors>, paired: bool) -> Body {
    let graph = Graph::new("model", Dtype::F32);
    let weights = Weights::new(&graph, tensors.clone());
    let ids = graph.input("input_ids", Dtype::I64, &[Dim::from("batch"), Dim::from("sequence")]);
    let hidden = embedding(&weights.pp("table"), &ids);
    let scores = hidden.reshape(&[(-1i64).into(), 64usize.into()]).matmul(&weights.any("router.weight", 2).t());
    let routed = Routed::best(&scores.softmax(-1), 3).normalized(0.0);
    let mixed = if paired {
        let gate = Gate { alpha: 1.702, shift: 1.0, limit: Some(0.7) };
        gated_experts(&hidden, &routed, gate, |i| Expert::Paired {
            matrices: ["columns", "turned"].map(|name| weights.nth(name, i)),
            biases: ["columns_bias", "turned_bias"].map(|name| weights.nth(name, i)),
            by_columns: true,
        })
    } else {
        let names = GatedExperts { each: ["gate", "up", "down"], stacked: ["both", "down"] };
        names.mixture(&weights.pp("experts"), &routed, Activation::Silu, &hidden)
    };
    graph.output("logits", &mixed);
    graph.finish().unwrap()
}

fn operators(bits: Bits) -> Vec<Entry> {
    let mut entries = mixtures(bits);
    entries.push(("turned".into(), vec![EXPERTS, 32, 64], (0..EXPERTS * 2048).map(|i| number(i % 64, i / 64 % 32, bits)).collect()));
    for (name, width) in [("columns_bias", 64), ("turned_bias", 64)] {
        entries.push((name.into(), vec![EXPERTS, width], (0..EXPERTS * width).map(|i| (i % 7) as f32 / 8.0 - 0.4).collect()));
    }
    entries
}

#[test]
fn all_experts_of_a_layer_are_one_operator() {
    let folder = tempfile::tempdir().unwrap();
    // Zero points of rows of a single block lie in another way: such experts have an operator for each matrix.
    let forms =
        [(true, 32, None, true), (true, 16, Some(64), true), (false, 16, None, true), (false, 32, None, false), (true, 64, None, false)];
    for (bits, paired) in [(Bits::Four, false), (Bits::Four, true), (Bits::Eight, false), (Bits::Eight, true)] {
        let tensors = checkpoint(folder.path(), Dtype::F32, &operators(bits));
        let exact = run(&passes::unpack(build_operator(&tensors, paired)).unwrap(), folder.path());
        let largest = exact.iter().fold(0.0_f32, |most, v| most.max(v.abs()));
        for dtype in [Dtype::F32, Dtype::BF16] {
            let tensors = checkpoint(folder.path(), dtype, &operators(bits));
            for (symmetric, block_size, wide_block_size, one) in forms {
                let options = NBits { bits, symmetric, block_size, wide_block_size, ..NBits::default() };
                let body = passes::store(build_operator(&tensors, paired), Storage::Blocks(options)).unwrap();
                let count = |op: &str| body.nodes.iter().filter(|node| node.op == op).count();
                let apart = if paired { 2 } else { 3 } * EXPERTS;
                assert_eq!((count("QMoE"), count("MatMulNBits")), if one { (1, 0) } else { (0, apart) }, "{options:?}");
                let given = run(&body, folder.path());
                let error = exact.iter().zip(&given).map(|(a, b)| (a - b).abs()).fold(0.0_f32, f32::max) / largest;
                assert!(error < 0.02, "{options:?}, weights in {dtype:?}, paired {paired}: {error}");
            }
        }
    }
}
