//! Products that do the work of their neighbours: of the norm before them, and of a gate. Where the processor has not got the instructions, nothing
//! is fused, and all answers are ONNX Runtime's.
#![allow(clippy::unwrap_used)]

use crate::checkpoint;

use std::{fs, path::Path, sync::Arc};

use checkpoint::{numbers, write_checkpoint};
use formers::session::{Session, SessionOptions, Value};
use formers_converters::{
    Dtype, Weights,
    graph::{Dim, Graph},
    layers::{Activation, linear_if, rms_norm},
    passes::{self, Storage, Target},
    quantize::{Bits, NBits},
    weights::Tensors,
    writer,
};
use ndarray::{Array3, ArrayD};

const WIDTH: usize = 192;

/// A layer: a norm of a sum, a gated feed-forward layer added to that sum, and a norm before a last product.
#[derive(Clone)]
struct Layer {
    act: Activation,
    inner: usize,
    bias: bool,
    storage: NBits,
    /// Values that are outputs as well, so that nothing may take them in.
    outputs: &'static [&'static str],
    /// What reads other values than it usually does.
    odd: &'static str,
}

impl Default for Layer {
    fn default() -> Self {
        Self { act: Activation::Silu, inner: 320, bias: false, storage: NBits::compact(), outputs: &[], odd: "" }
    }
}

impl Layer {
    fn write(&self, folder: &Path) {
        let inner = self.inner;
        let tensors: [(&str, &[usize]); 10] = [
            ("gate.weight", &[inner, WIDTH]),
            ("gate.bias", &[inner]),
            ("up.weight", &[inner, WIDTH]),
            ("up.bias", &[inner]),
            ("down.weight", &[WIDTH, inner]),
            ("down.bias", &[WIDTH]),
            ("first.weight", &[WIDTH]),
            ("second.weight", &[WIDTH]),
            ("last.weight", &[50, WIDTH]),
            ("last.bias", &[50]),
        ];
        let path = write_checkpoint(folder, &tensors, 0.2);
        let graph = Graph::new("model", Dtype::F32);
        let weights = Weights::new(&graph, Arc::new(Tensors::open(&[path]).unwrap()));
        let input = |name| graph.input(name, Dtype::F32, &[Dim::from("b"), Dim::from("s"), Dim::Fixed(WIDTH)]);
        let (a, b) = (input("a"), input("b"));

        let sum = a + &b;
        let norm = rms_norm(&weights.pp("first"), 1e-6, &sum);
        let gate = linear_if(&weights.pp("gate"), &norm, self.bias);
        let up = linear_if(&weights.pp("up"), if self.odd == "up" { &b } else { &norm }, self.bias);
        let activated = self.act.of(&gate);
        let product = &activated * if self.odd == "gate" { &gate } else { &up };
        let product = if self.odd == "gate" { product + up } else { product };
        let sum = if self.odd == "norm" { &sum + &norm } else { sum };
        let sum = sum + linear_if(&weights.pp("down"), &product, self.bias);
        let second = rms_norm(&weights.pp("second"), 1e-6, &sum);
        let y = linear_if(&weights.pp("last"), &second, true);
        let last = if self.odd == "last" { second.clone() } else { sum.clone() };
        graph.output("y", &y);
        graph.output("sum", &last);
        for name in self.outputs {
            let value = match *name {
                "norm" => &norm,
                "gate" => &gate,
                "activated" => &activated,
                _ => &second,
            };
            graph.output(name, value);
        }
        let body = passes::lower(graph.finish().unwrap(), Target::Cpu).unwrap();
        let body = passes::store(body, Storage::Blocks(self.storage)).unwrap();
        writer::write_folder(&body, folder, "model.onnx").unwrap();
    }
}

fn open(folder: &Path, own_kernels: bool) -> Session {
    let options = SessionOptions { own_kernels, threads: Some(2), ..SessionOptions::default() };
    Session::from_file(&folder.join("model.onnx"), &options).unwrap()
}

fn input(rows: usize, tokens: usize, seed: u64) -> Array3<f32> {
    Array3::from_shape_vec((rows, tokens, WIDTH), numbers(rows * tokens * WIDTH, seed)).unwrap()
}

fn run(session: &Session, a: &Array3<f32>, b: &Array3<f32>) -> [ArrayD<f32>; 2] {
    let (a, b) = (Value::from(a.clone()), Value::from(b.clone()));
    let mut outputs = session.run([("a", &a), ("b", &b)]).unwrap();
    ["y", "sum"].map(|name| outputs.take(name).unwrap().to_f32().unwrap().into_owned())
}

/// How far apart two answers are, for the largest number.
fn apart(ours: &[ArrayD<f32>; 2], theirs: &[ArrayD<f32>; 2]) -> f32 {
    let pairs = ours.iter().zip(theirs).map(|(ours, theirs)| {
        assert_eq!(ours.shape(), theirs.shape());
        let size = theirs.iter().fold(f32::MIN_POSITIVE, |most, x| most.max(x.abs()));
        ours.iter().zip(theirs).fold(0.0, |most: f32, (ours, theirs)| most.max((ours - theirs).abs() / size))
    });
    pairs.fold(0.0, f32::max)
}

/// The products of a session, as its profile names them.
fn products(folder: &Path) -> Vec<String> {
    let options = SessionOptions { profile: Some(folder.join("profile")), threads: Some(1), ..SessionOptions::default() };
    let session = Session::from_file(&folder.join("model.onnx"), &options).unwrap();
    run(&session, &input(1, 1, 5), &input(1, 1, 6));
    drop(session);
    let profile = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let profile = profile.into_iter().find(|path| path.file_name().unwrap().to_str().unwrap().starts_with("profile")).unwrap();
    let events: Vec<serde_json::Value> = serde_json::from_slice(&fs::read(&profile).unwrap()).unwrap();
    fs::remove_file(profile).unwrap();
    let nodes = events.iter().filter(|event| event["name"].as_str().is_some_and(|name| name.ends_with("_kernel_time")));
    let ops = nodes.filter_map(|event| event["args"]["op_name"].as_str());
    ops.filter(|op| op.contains("MatMulNBits")).map(str::to_owned).collect()
}

/// Whether this processor has the instructions.
fn usable() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512vnni");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

const ALL: [&str; 3] = ["NormGatedMatMulNBits", "MatMulNBits", "NormMatMulNBits"];
const NO_GATE: [&str; 4] = ["MatMulNBits", "MatMulNBits", "MatMulNBits", "NormMatMulNBits"];

#[test]
fn layers_answer_as_with_onnx_runtimes_kernels() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for act in [Activation::Silu, Activation::GeluTanh] {
        for (bits, symmetric, bias) in [(Bits::Four, true, false), (Bits::Four, false, true), (Bits::Eight, true, true)] {
            let storage = NBits { bits, symmetric, ..NBits::compact() };
            Layer { act, bias, storage, ..Layer::default() }.write(folder);
            assert!(!usable() || products(folder) == ALL, "{act:?}, {storage:?}: {:?}", products(folder));
            let [ours, theirs] = [true, false].map(|own| open(folder, own));
            for (rows, tokens) in [(1, 1), (2, 5), (3, 61), (1, 0), (0, 4)] {
                let (a, b) = (input(rows, tokens, 7), input(rows, tokens, 8));
                let apart = apart(&run(&ours, &a, &b), &run(&theirs, &a, &b));
                // Both round activations to 8 bits, in blocks that may differ.
                assert!(apart <= 0.02, "{act:?}, {storage:?}, {rows} x {tokens}: {apart}");
            }
        }
    }
}

#[test]
fn what_others_read_is_not_taken_in() {
    let [fused, apart_folder] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let (a, b) = (input(2, 40, 7), input(2, 40, 8));
    Layer::default().write(fused.path());
    let expected = run(&open(fused.path(), true), &a, &b);
    let folder = apart_folder.path();
    let gated = ["MatMulNBits", "MatMulNBits", "MatMulNBits"];
    let cases: [(&'static [&'static str], Vec<&str>); 5] = [
        (&["norm"], vec!["GatedMatMulNBits", "MatMulNBits", "NormMatMulNBits"]),
        (&["gate"], NO_GATE.to_vec()),
        (&["activated"], NO_GATE.to_vec()),
        (&["second"], vec!["NormGatedMatMulNBits", "MatMulNBits", "MatMulNBits"]),
        (&["gate", "second"], [&gated[..], &["MatMulNBits"]].concat()),
    ];
    for (outputs, ops) in cases {
        Layer { outputs, ..Layer::default() }.write(folder);
        assert!(!usable() || products(folder) == ops, "{outputs:?}: {:?}", products(folder));
        // The same numbers, but for the order of sums, which rarely rounds one differently.
        let apart = apart(&run(&open(folder, true), &a, &b), &expected);
        assert!(apart <= 2e-3, "{outputs:?}: {apart}");
    }
}

#[test]
fn other_shapes_of_layers_stay_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let odd = |odd| Layer { odd, ..Layer::default() };
    let all_apart = || Layer { inner: 328, storage: NBits { block_size: 32, ..NBits::compact() }, ..Layer::default() };
    for (layer, ops) in [
        // Two products of different activations, a gate that is used twice, a norm that others read.
        (odd("up"), vec!["NormMatMulNBits", "MatMulNBits", "MatMulNBits", "NormMatMulNBits"]),
        (odd("gate"), NO_GATE.to_vec()),
        (odd("norm"), vec!["GatedMatMulNBits", "MatMulNBits", "NormMatMulNBits"]),
        (odd("last"), vec!["NormGatedMatMulNBits", "MatMulNBits", "MatMulNBits"]),
        // An activation that is none of ours, and rows that do not fill groups.
        (Layer { act: Activation::Relu, ..Layer::default() }, NO_GATE.to_vec()),
        (all_apart(), NO_GATE.to_vec()),
    ] {
        layer.write(folder);
        let mut found = products(folder);
        let mut ops = ops;
        found.sort_unstable();
        ops.sort_unstable();
        assert!(!usable() || found == ops, "{:?} {:?}: {found:?}", layer.odd, layer.act);
        let (a, b) = (input(1, 9, 7), input(1, 9, 8));
        let [ours, theirs] = [true, false].map(|own| run(&open(folder, own), &a, &b));
        assert!(apart(&ours, &theirs) <= 0.02, "{:?}: {}", layer.odd, apart(&ours, &theirs));
    }
}

#[test]
fn a_row_is_the_same_in_any_batch() {
    let folder = tempfile::tempdir().unwrap();
    Layer::default().write(folder.path());
    let session = open(folder.path(), true);
    let (a, b) = (input(150, 1, 7), input(150, 1, 8));
    let together = run(&session, &a, &b);
    for row in [0, 7, 127, 128, 149] {
        let one = |of: &Array3<f32>| of.slice(ndarray::s![row..=row, .., ..]).to_owned();
        let alone = run(&session, &one(&a), &one(&b));
        for (alone, together) in alone.iter().zip(&together) {
            let wanted = together.slice(ndarray::s![row..=row, .., ..]);
            assert!(!usable() || alone.view().into_dimensionality::<ndarray::Ix3>().unwrap() == wanted, "row {row}");
        }
    }
}

#[test]
fn threads_share_a_session_from_its_first_run() {
    let folder = tempfile::tempdir().unwrap();
    Layer::default().write(folder.path());
    let session = open(folder.path(), true);
    let (a, b) = (input(2, 9, 7), input(2, 9, 8));
    let answers: Vec<_> = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..4).map(|_| scope.spawn(|| run(&session, &a, &b))).collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    assert!(answers.iter().all(|answer| *answer == run(&session, &a, &b)));
}

#[test]
fn sums_of_other_shapes_are_an_error() {
    let folder = tempfile::tempdir().unwrap();
    Layer::default().write(folder.path());
    for own in [true, false] {
        let (a, b) = (Value::from(input(2, 3, 7)), Value::from(input(2, 4, 8)));
        assert!(open(folder.path(), own).run([("a", &a), ("b", &b)]).is_err());
    }
}
