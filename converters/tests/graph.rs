//! The graph builder: shapes, kept errors, weights by scope, passes.
#![allow(clippy::unwrap_used)]

use std::{collections::BTreeMap, fs, sync::Arc};

use formers_converters::{
    Dtype, ErrorKind, Weights,
    graph::{Conv, Data, Dim, Graph, Tensor},
    layers::{Mask, attention, linear},
    passes::{self, Storage, Target},
    weights::Tensors,
    writer,
};

fn dims(shape: &str) -> Vec<Dim> {
    shape
        .split_whitespace()
        .map(|dim| match (dim, dim.parse::<usize>()) {
            (_, Ok(n)) => Dim::Fixed(n),
            ("?", _) => Dim::Unknown,
            (name, _) => Dim::from(name),
        })
        .collect()
}

fn input(graph: &Graph, shape: &str) -> Tensor {
    graph.input("x", Dtype::F32, &dims(shape))
}

#[test]
fn operators_know_their_shapes() {
    type Case = (&'static str, fn(&Tensor) -> Tensor, &'static str);
    let cases: &[Case] = &[
        ("b s 12", |x| x.reshape(&[0i64.into(), 0i64.into(), 3usize.into(), 4usize.into()]), "b s 3 4"),
        ("b s 12", |x| x.reshape(&[0i64.into(), (-1i64).into()]), "b ?"),
        ("b s 12", |x| x.reshape(&[0i64.into(), (-1i64).into(), 6usize.into()]), "b ? 6"),
        ("b 4 3", |x| x.reshape(&[0i64.into(), (-1i64).into()]), "b 12"),
        ("b s 3 4", |x| x.reshape(&[0i64.into(), 0i64.into(), (-1i64).into()]), "b s 12"),
        ("b s 3 4", |x| x.transpose(&[0, 2, 1, 3]), "b 3 s 4"),
        ("b s 8", |x| x.mean(&[-1], true), "b s 1"),
        ("b s 8", |x| x.sum(&[1], false), "b 8"),
        ("b s 8", |x| x.unsqueeze(&[1, 2]), "b 1 1 s 8"),
        ("b 1 8", |x| x.squeeze(&[1]), "b 8"),
        ("b s 8", |x| x.slice(2, 2, -1), "b s 5"),
        ("b s 8", |x| x.slice(1, 0, 1), "b 1 8"),
        ("b s 8", |x| x.slice_steps(2, &0i64.into(), &8i64.into(), 3), "b s 3"),
        ("b s 8", |x| x.chunk(-1, 2).swap_remove(1), "b s 4"),
        ("b s 8", |x| x.select_index(1, 0), "b 8"),
        ("b s 8", |x| x.gather(&x.graph().ints(&[2, 3], &[0; 6]), 1), "b 2 3 8"),
        ("b s 8", |x| x.argmax(-1), "b s"),
        ("b s 8", |x| x + x.graph().floats(&[8], &[0.0; 8]), "b s 8"),
        ("b 1 8", |x| x * x.graph().floats(&[5, 1], &[0.0; 5]), "b 5 8"),
        ("b s 8", |x| x.matmul(&x.t()), "b s s"),
        ("b s 8", |x| x.matmul_transposed(x, 0.5), "b s s"),
        ("b s 8", |x| x.graph().concat(&[x, x], -1), "b s 16"),
        ("b s 8", |x| x.pad(&[(0, 0), (0, 0), (1, 2)], 0.0), "b s 11"),
        ("b 8 10", |x| x.conv(&x.graph().floats(&[4, 8, 3], &[0.0; 96]), None, &Conv::new(1).stride(2).padding(1)), "b 4 5"),
        ("b s 8", |x| x.expand(&[1i64.into(), 1i64.into(), 8i64.into()]), "b s 8"),
        ("b s 8", |x| attention(x, x, x, 2, 0.5, &Mask::none()), "b s 8"),
    ];
    for (number, (before, operator, after)) in cases.iter().enumerate() {
        let graph = Graph::new("model", Dtype::F32);
        let found = operator(&input(&graph, before)).shape();
        assert_eq!(found, dims(after), "case {number}: {before} → {after}");
        graph.finish().unwrap();
    }
}

#[test]
fn the_first_error_comes_out_at_the_end() {
    type Case = (&'static str, fn(&Tensor) -> Tensor, &'static str);
    let cases: &[Case] = &[
        ("b s 8", |x| x + x.graph().floats(&[7], &[0.0; 7]), "Add: shapes [b, s, 8] and [7] do not fit"),
        ("b s 8", |x| x.matmul(&x.graph().floats(&[7, 2], &[0.0; 14])), "MatMul: shapes [b, s, 8] and [7, 2] do not fit"),
        ("b s 8", |x| x.transpose(&[0, 0, 1]), "is no order of the axes"),
        ("b s 8", |x| x.mean(&[3], true), "has no axis 3"),
        ("2 3", |x| x.reshape(&[4usize.into()]), "Reshape: [2, 3] does not fill [4]"),
        ("b s 8", |x| x.chunk(-1, 3).swap_remove(0), "8 is not a multiple of 3"),
        ("b s 8", |x| x.chunk(-1, 0).pop().unwrap_or_else(|| x.clone()), "8 is not a multiple of 0"),
        ("b s 8", |x| attention(x, x, x, 3, 1.0, &Mask::none()), "cannot be divided among 3 attention heads"),
        ("b s 8", |x| attention(x, x, x, 0, 1.0, &Mask::none()), "cannot be divided among 0 attention heads"),
        ("b s 8", |x| x.equal(x) + x, "element types"),
        ("b s ?", |x| x.graph().floats(&[x.fixed(-1)], &[0.0]), "must be known when the graph is made"),
    ];
    for (before, operator, message) in cases {
        let graph = Graph::new("model", Dtype::F32);
        operator(&input(&graph, before));
        let error = graph.finish().unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
}

/// A safetensors file of zeros, one tensor for each name and shape.
fn checkpoint(folder: &std::path::Path, tensors: &[(&str, &[usize])]) -> Arc<Tensors> {
    let (mut header, mut offset) = (BTreeMap::new(), 0);
    for (name, shape) in tensors {
        let end = offset + 4 * shape.iter().product::<usize>();
        header.insert(name.to_string(), serde_json::json!({"dtype": "F32", "shape": shape, "data_offsets": [offset, end]}));
        offset = end;
    }
    let header = serde_json::to_vec(&header).unwrap();
    let path = folder.join("model.safetensors");
    fs::write(&path, [&(header.len() as u64).to_le_bytes()[..], &header, &vec![0; offset]].concat()).unwrap();
    Arc::new(Tensors::open(&[path]).unwrap())
}

#[test]
fn weights_are_found_by_their_keys_and_all_missing_ones_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let tensors =
        checkpoint(folder.path(), &[("bert.layer.0.dense.weight", &[4, 8]), ("bert.layer.0.LayerNorm.gamma", &[4]), ("bert.extra", &[1])]);
    let graph = Graph::new("model", Dtype::F32);
    let weights = Weights::new(&graph, tensors);
    let base = weights.base("bert");
    assert_eq!(base.key("x"), "bert.x");
    assert_eq!(weights.base("roberta").key("x"), "x");
    let layers: Vec<Weights> = base.layers("layer", 1_000_000_000).collect();
    assert_eq!(layers.len(), 1);
    assert!(layers[0].has("LayerNorm.weight") && !layers[0].has("LayerNorm.bias"));
    layers[0].get("LayerNorm.weight", &[4]);
    linear(&layers[0].pp("dense"), &input(&graph, "b s 8"));
    let error = weights.check().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tensor);
    for name in ["bert.layer.0.dense.bias", "bert.layer.1.*"] {
        assert!(error.to_string().contains(name), "{error}");
    }
    assert_eq!(base.unused(), ["bert.extra"]);
    layers[0].get("dense.weight", &[8, 4]);
    let error = graph.finish().unwrap_err().to_string();
    assert!(error.contains("bert.layer.0.dense.weight") && error.contains("[4, 8]") && error.contains("[8, 4]"), "{error}");
}

#[test]
fn attention_is_lowered_and_what_nothing_needs_goes_away() {
    let cases = [(Target::Cpu, true, "Softmax"), (Target::Cpu, false, "MultiHeadAttention"), (Target::Portable, false, "Softmax")];
    for (target, masked, operator) in cases {
        let graph = Graph::new("model", Dtype::F32);
        let x = input(&graph, "b s 8");
        let padding = graph.input("attention_mask", Dtype::I64, &dims("b s"));
        let mask = if masked { Mask::padding(&padding) } else { Mask::none() };
        x.tanh();
        let y = attention(&attention(&x, &x, &x, 2, 0.5, &mask), &x, &x, 2, 0.5, &mask);
        graph.output("y", &y);
        let body = passes::lower(graph.finish().unwrap(), target).unwrap();
        let count = |op: &str| body.nodes.iter().filter(|node| node.op == op).count();
        assert_eq!((count(operator), count("Tanh"), count("Attention")), (2, 0, 0));
        // The mask is made once for both.
        assert_eq!(count("Unsqueeze"), usize::from(masked));
    }
}

#[test]
fn weights_in_files_stay_there_and_converted_ones_take_fewer_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let tensors = checkpoint(folder.path(), &[("dense.weight", &[64, 128]), ("dense.bias", &[64])]);
    let build = || {
        let graph = Graph::new("model", Dtype::F32);
        let weights = Weights::new(&graph, tensors.clone());
        let y = linear(&weights.pp("dense"), &input(&graph, "b s 128"));
        graph.output("y", &y);
        graph.finish().unwrap()
    };
    let model = writer::in_memory(&build()).unwrap();
    assert!(model.bytes.len() < 2000, "{}", model.bytes.len());
    assert_eq!(model.folder, Some(folder.path().canonicalize().unwrap()));
    assert_eq!(model.bytes, writer::in_memory(&build()).unwrap().bytes);
    for (storage, most) in [(Storage::Float16, 2), (Storage::Int8, 1)] {
        let body = passes::store(build(), storage).unwrap();
        let bytes: usize = body.initializers.values().map(|data| if let Data::Inline(bytes) = data { bytes.len() } else { 0 }).sum();
        assert!(bytes >= 64 * 128 * most && bytes < 64 * 128 * most + 1000, "{storage:?}: {bytes}");
        writer::write_folder(&body, folder.path(), "model.onnx").unwrap();
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        assert!(left.iter().all(|name| !name.ends_with(".part")), "{left:?}");
    }
}

/// A bias is part of the product; inputs that a layer narrows have a scale for each row, which comes before the bias.
#[test]
fn eight_bit_layers_take_few_operators() {
    let folder = tempfile::tempdir().unwrap();
    for (shape, expected) in [
        ([64, 32], &["DynamicQuantizeLinear", "MatMulIntegerToFloat"][..]),
        (
            [32, 64],
            &[
                "ReduceMax",
                "ReduceMin",
                "Neg",
                "Max",
                "Max",
                "Mul",
                "Shape",
                "Expand",
                "QuantizeLinear",
                "MatMulIntegerToFloat",
                "Mul",
                "Add",
            ],
        ),
    ] {
        let tensors = checkpoint(folder.path(), &[("dense.weight", &shape), ("dense.bias", &shape[..1])]);
        let graph = Graph::new("model", Dtype::F32);
        let weights = Weights::new(&graph, tensors);
        let y = linear(&weights.pp("dense"), &input(&graph, &format!("b s {}", shape[1])));
        graph.output("y", &y);
        let body = passes::store(graph.finish().unwrap(), Storage::Int8).unwrap();
        let operators: Vec<&str> = body.nodes.iter().map(|node| node.op.as_str()).filter(|op| *op != "Identity").collect();
        assert_eq!(operators, expected);
    }
}
