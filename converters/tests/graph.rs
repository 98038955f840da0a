//! The graph builder: shapes, kept errors, weights by scope, passes.
#![allow(clippy::unwrap_used)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    sync::Arc,
};

use formers_converters::{
    Dtype, ErrorKind, Weights,
    graph::{Body, Conv, Data, Dim, Graph, Tensor},
    layers::{Activation, GatedExperts, Mask, Routed, Weigh, attention, embedding, experts, linear, linear_no_bias},
    passes::{self, Storage, Target},
    quantize::{Bits, NBits},
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
        let made = |data: &&Data| !matches!(data, Data::Stored { .. });
        let bytes: u64 = body.initializers.values().filter(made).map(Data::size).sum();
        assert!(bytes >= 64 * 128 * most && bytes < 64 * 128 * most + 1000, "{storage:?}: {bytes}");
        writer::write_folder(&body, folder.path(), "model.onnx").unwrap();
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        assert!(left.iter().all(|name| !name.ends_with(".part")), "{left:?}");
    }
}

/// What a later pass asks for may have been pruned by an earlier one.
#[test]
fn constants_that_nothing_needed_are_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let tensors = checkpoint(folder.path(), &[("0.gate.weight", &[4, 8]), ("0.up.weight", &[4, 8]), ("0.down.weight", &[8, 4])]);
    let graph = Graph::new("model", Dtype::F32);
    let (weights, x) = (Weights::new(&graph, tensors), input(&graph, "b s 8"));
    let scores = graph.input("scores", Dtype::F32, &dims("tokens 1"));
    // What experts apart need, for nothing.
    let names = GatedExperts { each: ["gate", "up", "down"], stacked: ["both", "down"] };
    let routed = Routed::best(&scores, 1);
    let _ = experts(&x, &routed, Weigh::Outputs, |expert, x| names.of(&weights, expert, Activation::Silu, x));
    graph.output("y", &names.mixture(&weights, &routed, Activation::Silu, &x));
    let body = passes::unpack(passes::lower(graph.finish().unwrap(), Target::Cpu).unwrap()).unwrap();
    let mut known: BTreeSet<_> = body.inputs.iter().chain(body.initializers.keys()).copied().collect();
    for node in &body.nodes {
        assert!(node.inputs.iter().flatten().all(|id| known.contains(id)), "{node:?}");
        known.extend(&node.outputs);
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

/// The shapes of the initializers by name.
fn initializers(body: &Body) -> BTreeMap<String, (Dtype, Vec<Dim>)> {
    body.initializers.keys().map(|&id| body.value(id)).map(|v| (v.name.clone(), (v.dtype, v.shape.clone()))).collect()
}

/// A head that is tied to the embeddings, and a layer whose width no block divides.
fn blocks(folder: &std::path::Path, options: NBits) -> Body {
    let tensors = checkpoint(folder, &[("dense.weight", &[64, 70]), ("dense.bias", &[64]), ("table.weight", &[40, 64])]);
    let graph = Graph::new("model", Dtype::F32);
    let weights = Weights::new(&graph, tensors);
    let ids = graph.input("input_ids", Dtype::I64, &dims("b s"));
    let y = &embedding(&weights.pp("table"), &ids) + linear(&weights.pp("dense"), &input(&graph, "b s 70"));
    graph.output("logits", &linear_no_bias(&weights.pp("table"), &y));
    passes::store(graph.finish().unwrap(), Storage::Blocks(options)).unwrap()
}

#[test]
fn blocks_are_read_by_operators_that_widen_them() {
    let folder = tempfile::tempdir().unwrap();
    for (bits, packed) in [(Bits::Four, 1), (Bits::Eight, 2)] {
        for symmetric in [true, false] {
            let body = blocks(folder.path(), NBits { bits, symmetric, ..NBits::default() });
            let operators: Vec<&str> = body.nodes.iter().map(|node| node.op.as_str()).collect();
            assert_eq!(operators, ["GatherBlockQuantized", "MatMulNBits", "Add", "MatMulNBits", "Identity"]);
            let inputs: Vec<Vec<bool>> = body.nodes.iter().map(|node| node.inputs.iter().map(Option::is_some).collect()).collect();
            assert_eq!(inputs[1], [true, true, true, !symmetric, false, true]);
            assert_eq!(inputs[3].len(), if symmetric { 3 } else { 4 });
            let product = &body.nodes[1].attributes;
            let attributes = ["K", "N", "bits", "block_size", "accuracy_level"].map(|name| product.int(name));
            assert_eq!(attributes, [70, 64, bits.count() as i64, 32, 4].map(Some));

            let name = format!("Q{}", bits.count());
            let mut expected = BTreeMap::from([
                (format!("table.weight_{name}"), (Dtype::U8, dims(&format!("40 2 {}", 16 * packed)))),
                (format!("table.weight_{name}_rows"), (Dtype::U8, dims(&format!("40 {}", 32 * packed)))),
                ("table.weight_scales".into(), (Dtype::F32, dims("40 2"))),
                (format!("dense.weight_{name}"), (Dtype::U8, dims(&format!("64 3 {}", 16 * packed)))),
                ("dense.weight_scales".into(), (Dtype::F32, dims("64 3"))),
                ("dense.bias".into(), (Dtype::F32, dims("64"))),
            ]);
            if !symmetric {
                expected.insert("table.weight_zero_points".into(), (Dtype::U8, dims(&format!("40 {packed}"))));
                expected.insert("dense.weight_zero_points".into(), (Dtype::U8, dims(if packed == 1 { "64 2" } else { "64 3" })));
            }
            assert_eq!(initializers(&body), expected);
        }
    }
}

#[test]
fn a_tied_head_and_its_embeddings_are_written_once() {
    let folder = tempfile::tempdir().unwrap();
    let body = blocks(folder.path(), NBits::default());
    assert!(body.initializers.values().all(|data| !matches!(data, Data::Inline(_))));
    writer::write_folder(&body, folder.path(), "model_q4.onnx").unwrap();
    // A page for the numbers of each weight: the scales are small enough for the model itself.
    assert_eq!(fs::metadata(folder.path().join("model_q4.onnx_data")).unwrap().len(), 4096 + 64 * 3 * 16);
}

#[test]
fn rows_that_end_within_a_block_are_cut_to_their_width() {
    let folder = tempfile::tempdir().unwrap();
    let lookup = |options| {
        let graph = Graph::new("model", Dtype::F32);
        let weights = Weights::new(&graph, checkpoint(folder.path(), &[("table.weight", &[40, 70])]));
        graph.output("y", &embedding(&weights.pp("table"), &graph.input("input_ids", Dtype::I64, &dims("b s"))));
        passes::store(graph.finish().unwrap(), Storage::Blocks(options)).unwrap()
    };
    let operators = |body: &Body| body.nodes.iter().map(|node| node.op.clone()).collect::<Vec<_>>();
    let body = lookup(NBits::default());
    assert_eq!(operators(&body), ["GatherBlockQuantized", "Slice", "Identity"]);
    assert_eq!(body.value(body.outputs[0]).shape, dims("b s 70"));
    // Three blocks in 4 bits have zero points of one and a half bytes.
    assert_eq!(operators(&lookup(NBits { symmetric: false, ..NBits::default() })), ["Gather", "Identity"]);
    assert_eq!(operators(&lookup(NBits { symmetric: false, bits: Bits::Eight, ..NBits::default() }))[0], "GatherBlockQuantized");
}

#[test]
fn weights_that_cannot_be_put_in_blocks_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |options| {
        let graph = Graph::new("model", Dtype::F32);
        passes::store(graph.finish().unwrap(), Storage::Blocks(options)).unwrap_err().to_string()
    };
    assert!(refused(NBits { block_size: 0, ..NBits::default() }).contains("a power of two from 16 to 256"));
    // Computed while the model is written, long after it was opened.
    let body = blocks(folder.path(), NBits::default());
    let path = folder.path().join("model.safetensors");
    let mut bytes = fs::read(&path).unwrap();
    let last = bytes.len() - 4;
    bytes[last..].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::write(&path, &bytes).unwrap();
    let error = writer::write_folder(&body, folder.path(), "model_q4.onnx").unwrap_err();
    assert!(error.to_string().contains("tensor table.weight: row 39 contains NaN"), "{error}");
    fs::write(&path, &bytes[..last]).unwrap();
    let error = writer::write_folder(&body, folder.path(), "model_q4.onnx").unwrap_err();
    assert!(error.to_string().contains("has become shorter"), "{error}");
    assert!(fs::read_dir(folder.path()).unwrap().count() == 1);
}
