//! Attention of our own kernels against ONNX Runtime's, in whole sessions. Where the processor has not got the instructions, both are the same.
#![allow(clippy::unwrap_used)]

use crate::checkpoint;

use std::{path::Path, sync::Arc};

use checkpoint::{numbers, write_checkpoint};
use formers::session::{Session, SessionOptions, Value};
use formers_converters::{
    Dtype, Weights,
    graph::{Attributes, Dim, Graph},
    layers::linear,
    passes::{self, Storage},
    quantize::NBits,
    weights::Tensors,
    writer,
};
use ndarray::{ArrayD, IxDyn};

const HEADS: usize = 6;
const KV_HEADS: usize = 2;
const SIZE: usize = 32;
const POSITIONS: usize = 256;

/// What a graph has.
#[derive(Clone, Copy, Default)]
struct Kind {
    packed: bool,
    rotary: bool,
    position_ids: bool,
    interleaved: bool,
    window: Option<usize>,
    softcap: bool,
    bias: bool,
    sinks: bool,
}

/// One attention, beside a product: without any, all stays with ONNX Runtime.
fn write(folder: &Path, kind: Kind) {
    let path = write_checkpoint(folder, &[("down.weight", &[32, HEADS * SIZE]), ("down.bias", &[32])], 1.0);
    let graph = Graph::new("model", Dtype::F32);
    let weights = Weights::new(&graph, Arc::new(Tensors::open(&[path]).unwrap()));
    let input = |name: &str, dtype, dims: &[Dim]| Some(graph.input(name, dtype, dims));
    let tokens = |name: &str, width: usize| input(name, Dtype::F32, &["b".into(), "s".into(), Dim::Fixed(width)]);
    let past = |name: &str| input(name, Dtype::F32, &["b".into(), Dim::Fixed(KV_HEADS), "p".into(), Dim::Fixed(SIZE)]);
    let angles = |name: &str| if kind.rotary { input(name, Dtype::F32, &[Dim::Fixed(POSITIONS), Dim::Fixed(SIZE / 2)]) } else { None };
    let (query, key, value) = if kind.packed {
        (tokens("q", (HEADS + 2 * KV_HEADS) * SIZE), None, None)
    } else {
        (tokens("q", HEADS * SIZE), tokens("k", KV_HEADS * SIZE), tokens("v", KV_HEADS * SIZE))
    };
    let bias = || input("bias", Dtype::F32, &["b".into(), Dim::Fixed(HEADS), "s".into(), "t".into()]);
    let inputs = [
        query,
        key,
        value,
        past("past_key"),
        past("past_value"),
        input("last", Dtype::I32, &["b".into()]),
        input("total", Dtype::I32, &[]),
        angles("cos"),
        angles("sin"),
        if kind.position_ids { input("position_ids", Dtype::I64, &["b".into(), "s".into()]) } else { None },
        if kind.bias { bias() } else { None },
        if kind.sinks { input("sinks", Dtype::F32, &[Dim::Fixed(HEADS)]) } else { None },
    ];
    let mut attributes = Attributes::new().with("num_heads", HEADS).with("kv_num_heads", KV_HEADS).with("scale", 0.2_f32);
    if kind.rotary {
        attributes = attributes.with("do_rotary", 1_i64).with("rotary_interleaved", i64::from(kind.interleaved));
    }
    if let Some(window) = kind.window {
        attributes = attributes.with("local_window_size", window);
    }
    if kind.softcap {
        attributes = attributes.with("softcap", 0.7_f32);
    }
    let attended = vec!["b".into(), "s".into(), Dim::Fixed(HEADS * SIZE)];
    let present = vec!["b".into(), Dim::Fixed(KV_HEADS), "t".into(), Dim::Fixed(SIZE)];
    let outputs = [(Dtype::F32, attended), (Dtype::F32, present.clone()), (Dtype::F32, present)];
    let inputs: Vec<_> = inputs.iter().map(Option::as_ref).collect();
    let outputs = graph.op("GroupQueryAttention", "com.microsoft", &inputs, attributes, &outputs);
    for (name, output) in ["y", "present_key", "present_value"].iter().zip(&outputs) {
        graph.output(name, output);
    }
    graph.output("z", &linear(&weights.pp("down"), &outputs[0]));
    let body = passes::store(graph.finish().unwrap(), Storage::Blocks(NBits::compact())).unwrap();
    writer::write_folder(&body, folder, "model.onnx").unwrap();
}

/// One run: where rows are, how many places the past has, and how many tokens come.
#[derive(Clone, Copy, Debug)]
struct Run<'a> {
    last: &'a [i32],
    total: i32,
    room: usize,
    sequence: usize,
}

fn run(session: &Session, kind: Kind, run: Run<'_>) -> formers::Result<Vec<ArrayD<f32>>> {
    let Run { last, total, room, sequence } = run;
    let batch = last.len();
    let array = |dims: &[usize], seed| ArrayD::from_shape_vec(IxDyn(dims), numbers(dims.iter().product(), seed)).unwrap();
    let mut inputs: Vec<(&str, Value)> = Vec::new();
    if kind.packed {
        inputs.push(("q", array(&[batch, sequence, (HEADS + 2 * KV_HEADS) * SIZE], 1).into()));
    } else {
        inputs.push(("q", array(&[batch, sequence, HEADS * SIZE], 1).into()));
        inputs.push(("k", array(&[batch, sequence, KV_HEADS * SIZE], 2).into()));
        inputs.push(("v", array(&[batch, sequence, KV_HEADS * SIZE], 3).into()));
    }
    for (name, seed) in [("past_key", 4), ("past_value", 5)] {
        inputs.push((name, array(&[batch, KV_HEADS, room, SIZE], seed).into()));
    }
    inputs.push(("last", ArrayD::from_shape_vec(IxDyn(&[batch]), last.to_vec()).unwrap().into()));
    inputs.push(("total", ArrayD::from_elem(IxDyn(&[]), total).into()));
    if kind.rotary {
        inputs.push(("cos", array(&[POSITIONS, SIZE / 2], 6).into()));
        inputs.push(("sin", array(&[POSITIONS, SIZE / 2], 7).into()));
    }
    if kind.position_ids {
        // In a prompt of several rows, ONNX Runtime takes the positions of the first row for all.
        let first = |row: usize| last[if sequence > 1 { 0 } else { row }];
        let position = |row: usize, token: usize| (i64::from(first(row)) + token as i64) % POSITIONS as i64;
        inputs.push(("position_ids", ArrayD::from_shape_fn(IxDyn(&[batch, sequence]), |at| position(at[0], at[1])).into()));
    }
    if kind.bias {
        inputs.push(("bias", array(&[batch, HEADS, sequence, total.max(0) as usize], 8).into()));
    }
    if kind.sinks {
        inputs.push(("sinks", array(&[HEADS], 9).into()));
    }
    let mut outputs = session.run(inputs.iter().map(|(name, value)| (*name, value)))?;
    ["y", "present_key", "present_value"].iter().map(|name| Ok(outputs.take(name)?.to_f32()?.into_owned())).collect()
}

fn open(folder: &Path, own_kernels: bool, threads: usize) -> Session {
    let options = SessionOptions { own_kernels, threads: Some(threads), ..SessionOptions::default() };
    Session::from_file(&folder.join("model.onnx"), &options).unwrap()
}

const KINDS: [Kind; 7] = {
    const PLAIN: Kind = Kind {
        packed: false,
        rotary: false,
        position_ids: false,
        interleaved: false,
        window: None,
        softcap: false,
        bias: false,
        sinks: false,
    };
    [
        PLAIN,
        Kind { packed: true, rotary: true, ..PLAIN },
        Kind { rotary: true, interleaved: true, window: Some(9), ..PLAIN },
        Kind { packed: true, rotary: true, position_ids: true, sinks: true, ..PLAIN },
        Kind { softcap: true, window: Some(40), ..PLAIN },
        Kind { bias: true, softcap: true, sinks: true, ..PLAIN },
        Kind { bias: true, window: Some(3), ..PLAIN },
    ]
};

#[test]
fn sessions_attend_as_with_onnx_runtimes_kernels() {
    let folder = tempfile::tempdir().unwrap();
    for (number, kind) in KINDS.into_iter().enumerate() {
        write(folder.path(), kind);
        let theirs = open(folder.path(), false, 1);
        for threads in [1, 2] {
            let ours = open(folder.path(), true, threads);
            for asked in [
                Run { last: &[0], total: 1, room: 0, sequence: 1 },
                Run { last: &[70], total: 71, room: 70, sequence: 1 },
                Run { last: &[10, 47, 0], total: 48, room: 60, sequence: 1 },
                Run { last: &[39], total: 40, room: 0, sequence: 40 },
                Run { last: &[22, 39], total: 40, room: 64, sequence: 40 },
                Run { last: &[99], total: 100, room: 80, sequence: 20 },
            ] {
                let [ours, theirs] = [&ours, &theirs].map(|session| run(session, kind, asked).unwrap());
                for (part, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
                    assert_eq!(ours.shape(), theirs.shape(), "{number}, {asked:?}");
                    for ((at, ours), theirs) in ours.indexed_iter().zip(theirs) {
                        // What padding attends to, and which position it has in the cache, is nobody's business.
                        let place = if part == 0 { at[1] } else { at[2] };
                        let is_prompt = asked.sequence > 1 && asked.sequence as i32 == asked.total;
                        let is_padding = is_prompt && place < asked.sequence && place as i32 > asked.last[at[0]];
                        assert!(
                            is_padding || (ours - theirs).abs() < 5e-6,
                            "{number}, {asked:?}, output {part}, {at:?}: {ours} for {theirs}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn places_that_the_cache_does_not_have_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    for kind in [KINDS[0], KINDS[1], KINDS[5]] {
        write(folder.path(), kind);
        for own_kernels in [true, false] {
            let session = open(folder.path(), own_kernels, 2);
            for asked in [
                Run { last: &[-1], total: 4, room: 4, sequence: 1 },
                Run { last: &[i32::MAX], total: 4, room: 4, sequence: 1 },
                Run { last: &[4], total: 4, room: 4, sequence: 1 },
                Run { last: &[8], total: 9, room: 4, sequence: 1 },
                Run { last: &[1], total: 8, room: 8, sequence: 3 },
                Run { last: &[5, 5], total: 6, room: 8, sequence: 3 },
                Run { last: &[2], total: -3, room: 0, sequence: 3 },
            ] {
                assert!(run(&session, kind, asked).is_err(), "{own_kernels}: {asked:?}");
            }
        }
    }
}
