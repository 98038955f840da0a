//! Products of our own kernels against ONNX Runtime's, in whole sessions. Where the processor has not got the instructions, both are the same.
#![allow(clippy::unwrap_used)]

use crate::checkpoint;

use std::{fs, path::Path, sync::Arc};

use checkpoint::{numbers, write_checkpoint};
use formers::session::{Session, SessionOptions, Value};
use formers_converters::{
    Dtype, Weights,
    graph::{Dim, Graph},
    layers::linear,
    passes::{self, Storage},
    quantize::{Bits, NBits},
    weights::Tensors,
    writer,
};
use ndarray::{Array2, Array3, ArrayD};

/// Two layers, written as a folder: one widens, and its outputs do not fill whole groups of rows.
fn write(folder: &Path, options: NBits) {
    let tensors: [(&str, &[usize]); 4] =
        [("up.weight", &[328, 192]), ("up.bias", &[328]), ("down.weight", &[50, 328]), ("down.bias", &[50])];
    let path = write_checkpoint(folder, &tensors, 1.0);
    let graph = Graph::new("model", Dtype::F32);
    let weights = Weights::new(&graph, Arc::new(Tensors::open(&[path]).unwrap()));
    let x = graph.input("x", Dtype::F32, &[Dim::from("b"), Dim::from("s"), Dim::Fixed(192)]);
    let y = linear(&weights.pp("down"), &linear(&weights.pp("up"), &x));
    graph.output("y", &y);
    let body = passes::store(graph.finish().unwrap(), Storage::Blocks(options)).unwrap();
    writer::write_folder(&body, folder, "model.onnx").unwrap();
}

fn open(folder: &Path, own_kernels: bool) -> Session {
    let options = SessionOptions { own_kernels, threads: Some(2), ..SessionOptions::default() };
    Session::from_file(&folder.join("model.onnx"), &options).unwrap()
}

fn run(session: &Session, x: &Array3<f32>) -> ArrayD<f32> {
    let x = Value::from(x.clone());
    let mut outputs = session.run([("x", &x)]).unwrap();
    outputs.take("y").unwrap().to_f32().unwrap().into_owned()
}

fn input(rows: usize, tokens: usize) -> Array3<f32> {
    Array3::from_shape_vec((rows, tokens, 192), numbers(rows * tokens * 192, 99)).unwrap()
}

#[test]
fn sessions_answer_as_with_onnx_runtimes_kernels() {
    let folder = tempfile::tempdir().unwrap();
    for bits in [Bits::Four, Bits::Eight] {
        for (block_size, symmetric) in [(32, true), (64, false), (16, true)] {
            for options in
                [NBits { bits, block_size, symmetric, ..NBits::default() }, NBits { bits, block_size, symmetric, ..NBits::compact() }]
            {
                write(folder.path(), options);
                let [ours, theirs] = [true, false].map(|own| open(folder.path(), own));
                for (rows, tokens) in [(1, 1), (2, 5), (3, 61), (1, 0), (0, 4)] {
                    let x = input(rows, tokens);
                    let [ours, theirs] = [&ours, &theirs].map(|session| run(session, &x));
                    assert_eq!(ours.shape(), [rows, tokens, 50]);
                    let size = theirs.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
                    for (ours, theirs) in ours.iter().zip(&theirs) {
                        // Both round activations to 8 bits, in blocks that may differ.
                        assert!((ours - theirs).abs() <= 0.02 * size, "{options:?}, {rows} x {tokens}: {ours} for {theirs}");
                    }
                }
            }
        }
    }
}

#[test]
fn threads_share_a_session_from_its_first_run() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), NBits::compact());
    let session = open(folder.path(), true);
    let x = input(2, 9);
    let answers: Vec<ArrayD<f32>> = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..4).map(|_| scope.spawn(|| run(&session, &x))).collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    assert!(answers.iter().all(|answer| *answer == run(&session, &x)));
}

#[test]
fn sessions_open_side_by_side_as_the_first_of_a_process() {
    const CHILD: &str = "FORMERS_TEST_OPENS";
    if let Some(folder) = std::env::var_os(CHILD) {
        let (folder, together) = (Path::new(&folder), std::sync::Barrier::new(4));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    together.wait();
                    open(folder, true)
                });
            }
        });
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), NBits::compact());
    for _ in 0..8 {
        let mut process = std::process::Command::new(std::env::current_exe().unwrap());
        let arguments = ["--exact", "own_kernels::sessions_open_side_by_side_as_the_first_of_a_process"];
        let output = process.args(arguments).env(CHILD, folder.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn activations_of_another_width_are_an_error() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), NBits::compact());
    for own in [true, false] {
        let x = Value::from(Array3::<f32>::zeros((1, 2, 64)));
        assert!(open(folder.path(), own).run([("x", &x)]).is_err());
        let x = Value::from(Array2::<f32>::zeros((2, 192)));
        assert!(open(folder.path(), own).run([("x", &x)]).is_err());
    }
}

#[test]
#[cfg(unix)]
fn weights_are_found_through_links_as_in_the_hubs_cache() {
    let folder = tempfile::tempdir().unwrap();
    let (blobs, snapshot) = (folder.path().join("blobs"), folder.path().join("snapshots/main"));
    fs::create_dir_all(&blobs).unwrap();
    fs::create_dir_all(&snapshot).unwrap();
    write(&blobs, NBits::compact());
    for (file, blob) in [("model.onnx", "0a1b"), ("model.onnx_data", "2c3d")] {
        fs::rename(blobs.join(file), blobs.join(blob)).unwrap();
        std::os::unix::fs::symlink(Path::new("../../blobs").join(blob), snapshot.join(file)).unwrap();
    }
    let x = input(1, 3);
    let opened = [true, false].map(|own_kernels| {
        let options = SessionOptions { own_kernels, ..SessionOptions::default() };
        Session::from_file(&snapshot.join("model.onnx"), &options).map(|session| run(&session, &x))
    });
    let [ours, theirs] = opened.map(|answer| answer.map(|answer| answer.len()).map_err(|error| error.to_string()));
    assert_eq!(ours, theirs);
    assert!(ours.is_ok(), "{ours:?}");

    // Weights elsewhere are refused, with our kernels or without.
    fs::rename(blobs.join("2c3d"), folder.path().join("elsewhere")).unwrap();
    std::os::unix::fs::symlink(folder.path().join("elsewhere"), blobs.join("2c3d")).unwrap();
    for own_kernels in [true, false] {
        let options = SessionOptions { own_kernels, ..SessionOptions::default() };
        assert!(Session::from_file(&snapshot.join("model.onnx"), &options).is_err());
    }
}
