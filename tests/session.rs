//! Sessions on small graphs: in and out, weights outside, many threads, and what goes wrong.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use formers::session::{self, Cancel, Device, Dim, Dtype, Session, SessionOptions, Spinning, Value};
use formers::{Error, ErrorKind};
use formers_converters::protobuf::{write, write_integer};
use ndarray::{Array, Array2, arr0, arr2, array};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/session").join(name)
}

fn open(name: &str) -> Session {
    Session::from_file(&golden(name), &SessionOptions::default()).unwrap()
}

/// `plain.onnx`: sum = a + b, count = how many ids, flipped = not flag.
fn plain_inputs(rows: usize) -> Vec<(&'static str, Value)> {
    let a = Array::from_shape_fn((rows, 3), |(row, column)| (10 * row + column) as f32);
    vec![
        ("a", a.clone().into()),
        ("b", a.mapv(|x| -x).into()),
        ("ids", Array2::<i64>::zeros((rows, 2)).into()),
        ("flag", arr0(true).into()),
    ]
}

fn check_error(error: &Error, kind: ErrorKind, says: &[&str]) {
    let text = error.to_string();
    assert_eq!(error.kind(), kind, "{text}");
    for part in says {
        assert!(text.contains(part), "expected {part:?} in {text:?}");
    }
}

#[test]
fn a_model_in_memory_says_what_it_takes_and_answers() {
    let model = std::fs::read(golden("plain.onnx")).unwrap();
    let session = Session::from_memory(&model, None, &SessionOptions::default()).unwrap();
    assert_eq!(*session.device(), Device::Cpu);
    let names = |ports: &[session::Port]| ports.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(names(session.inputs()), ["a: F32 [batch, 3]", "b: F32 [batch, 3]", "ids: I64 [batch, ?]", "flag: Bool []"]);
    assert_eq!(names(session.outputs()), ["sum: F32 [batch, 3]", "count: I64 []", "flipped: Bool []"]);
    assert_eq!(session.input("a").unwrap().shape, [Dim::Named("batch".into()), Dim::Fixed(3)]);

    let mut outputs = session.run(plain_inputs(2)).unwrap();
    assert_eq!(outputs.names().collect::<Vec<_>>(), ["sum", "count", "flipped"]);
    assert_eq!(outputs.f32("sum").unwrap(), arr2(&[[0.0; 3]; 2]).into_dyn());
    assert!(outputs.f32("sum").unwrap().is_view());
    assert_eq!(outputs.i64("count").unwrap(), arr0(4).into_dyn());
    assert_eq!(outputs.i64("flipped").unwrap(), arr0(0).into_dyn());

    // An output is the input of another run where it lies.
    let sum = outputs.take("sum").unwrap();
    assert!(!outputs.contains("sum"));
    let mut inputs = plain_inputs(2);
    inputs[1] = ("b", sum);
    assert_eq!(session.run(inputs).unwrap().f32("sum").unwrap()[[1, 2]], 12.0);
}

#[test]
fn arrays_out_of_order_and_empty_ones_are_taken() {
    let session = open("plain.onnx");
    let mut inputs = plain_inputs(2);
    inputs[0].1 = Value::from(arr2(&[[1.0_f32, 2.0], [3.0, 4.0], [5.0, 6.0]]).reversed_axes());
    inputs[1].1 = Value::from(Array2::<f32>::zeros((2, 3)));
    assert_eq!(session.run(inputs).unwrap().f32("sum").unwrap(), arr2(&[[1.0, 3.0, 5.0], [2.0, 4.0, 6.0]]).into_dyn());
    let outputs = session.run(plain_inputs(0)).unwrap();
    assert_eq!(outputs.f32("sum").unwrap().shape(), [0, 3]);
    assert_eq!(outputs.i64("count").unwrap(), arr0(0).into_dyn());
}

#[test]
fn only_the_wanted_outputs_are_computed_in_the_wanted_order() {
    let session = open("plain.onnx");
    let outputs = session.run_with(plain_inputs(1), Some(&["count", "sum"]), None).unwrap();
    assert_eq!(outputs.names().collect::<Vec<_>>(), ["count", "sum"]);
    check_error(&outputs.f32("flipped").unwrap_err(), ErrorKind::Runtime, &["`flipped`", "count, sum"]);
    let error = session.run_with(plain_inputs(1), Some(&["summe"]), None).unwrap_err();
    check_error(&error, ErrorKind::Runtime, &["`summe`", "sum, count, flipped"]);
}

#[test]
fn weights_outside_lie_at_any_offset_of_a_file_in_the_folder() {
    let expected = arr2(&[[9.0_f32, 12.0, 15.0]]).into_dyn();
    let x = Value::from(arr2(&[[1.0_f32, 2.0]]));
    assert_eq!(open("external.onnx").run([("x", &x)]).unwrap().f32("y").unwrap(), expected);

    let model = std::fs::read(golden("external.onnx")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(golden("weights.bin"), folder.path().join("weights.bin")).unwrap();
    let session = Session::from_memory(&model, Some(folder.path()), &SessionOptions::default()).unwrap();
    assert_eq!(session.run([("x", &x)]).unwrap().f32("y").unwrap(), expected);

    std::fs::write(folder.path().join("weights.bin"), "short").unwrap();
    let error = Session::from_memory(&model, Some(folder.path()), &SessionOptions::default()).unwrap_err();
    check_error(&error, ErrorKind::Checkpoint, &["External initializer: w", "out of bounds"]);
    std::fs::remove_file(folder.path().join("weights.bin")).unwrap();
    let error = Session::from_memory(&model, Some(folder.path()), &SessionOptions::default()).unwrap_err();
    check_error(&error, ErrorKind::Checkpoint, &["weights.bin"]);
}

#[test]
fn float16_goes_in_and_comes_out_as_float32() {
    let session = open("half.onnx");
    assert_eq!(session.inputs()[0].dtype, Some(Dtype::F16));
    let outputs = session.run([("half", Value::from(array![0.25_f32, -3.0]))]).unwrap();
    assert_eq!(outputs.get("twice").unwrap().dtype(), Dtype::F16);
    assert_eq!(outputs.f32("twice").unwrap(), array![0.5, -6.0].into_dyn());
}

#[test]
fn many_threads_run_one_session_at_once() {
    let session = open("plain.onnx");
    std::thread::scope(|scope| {
        for rows in 1..=8 {
            let session = &session;
            scope.spawn(move || {
                for round in 0..50 {
                    let mut inputs = plain_inputs(rows);
                    inputs[1].1 = Value::from(Array2::from_elem((rows, 3), round as f32));
                    let outputs = session.run(inputs).unwrap();
                    let sum = outputs.f32("sum").unwrap();
                    assert_eq!(sum.shape(), [rows, 3]);
                    assert_eq!(sum[[rows - 1, 2]], (10 * (rows - 1) + 2 + round) as f32);
                    assert_eq!(outputs.i64("count").unwrap(), arr0(2 * rows as i64).into_dyn());
                }
            });
        }
    });
}

#[test]
fn wrong_inputs_are_named_with_what_the_model_takes() {
    let session = open("plain.onnx");
    type Change = fn(&mut Vec<(&'static str, Value)>);
    let cases: &[(Change, &[&str])] = &[
        (|inputs| inputs[0].0 = "c", &["`c`", "a, b, ids, flag"]),
        (|inputs| drop(inputs.remove(2)), &["`ids` is missing"]),
        (|inputs| inputs[1].0 = "a", &["`a` is given twice"]),
        (|inputs| inputs[0].1 = Array2::<f32>::zeros((2, 4)).into(), &["`a`", "[2, 4]", "[batch, 3]"]),
        (|inputs| inputs[0].1 = array![1.0_f32, 2.0, 3.0].into(), &["`a`", "[3]", "[batch, 3]"]),
        (|inputs| inputs[2].1 = Array2::<f32>::zeros((2, 2)).into(), &["`ids`", "F32", "I64"]),
        // The graph does not say that rows must agree; the operator does.
        (|inputs| inputs[1].1 = Array2::<f32>::zeros((5, 3)).into(), &["a [2, 3], b [5, 3]", "cpu"]),
    ];
    for (change, says) in cases {
        let mut inputs = plain_inputs(2);
        change(&mut inputs);
        check_error(&session.run(inputs).unwrap_err(), ErrorKind::Runtime, says);
    }
}

#[test]
fn an_input_that_nobody_fills_is_an_error_when_loading() {
    let session = open("plain.onnx");
    session.check_inputs(&["a", "b", "flag", "ids", "more"]).unwrap();
    let error = session.check_inputs(&["a", "b"]).unwrap_err();
    check_error(&error, ErrorKind::Unsupported, &["`ids: I64 [batch, ?]` and `flag: Bool []`", "(it fills a, b)"]);
}

#[test]
fn a_run_is_cancelled_from_another_thread() {
    let session = open("slow.onnx");
    let cancel = Cancel::new().unwrap();
    // A second of work, were it not cancelled.
    let x = Value::from(Array2::<f32>::eye(320));
    let started = std::time::Instant::now();
    let error = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(std::time::Duration::from_millis(5));
            cancel.cancel();
        });
        session.run_with([("x", &x)], None, Some(&cancel)).unwrap_err()
    });
    check_error(&error, ErrorKind::Runtime, &["terminate"]);
    let short = started.elapsed();
    let started = std::time::Instant::now();
    session.run([("x", &x)]).unwrap();
    assert!(short < started.elapsed(), "the cancelled run took {short:?}, a whole one {:?}", started.elapsed());
}

#[test]
fn all_options_open_a_session() {
    let folder = tempfile::tempdir().unwrap();
    let options = SessionOptions {
        threads: Some(2),
        spinning: Spinning::Never,
        memory_limit: Some(64 << 20),
        arena: false,
        optimization: session::Optimization::Disable,
        prepacking: false,
        profile: Some(folder.path().join("profile")),
        config: vec![("session.set_denormal_as_zero".into(), "1".into())],
        ..SessionOptions::default()
    };
    let session = Session::from_file(&golden("plain.onnx"), &options).unwrap();
    session.run(plain_inputs(1)).unwrap();
    drop(session);
    let profile = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    assert!(std::fs::read_to_string(profile).unwrap().contains("\"op_name\" : \"Add\""));

    let other = SessionOptions { memory_limit: Some(1 << 30), ..SessionOptions::default() };
    let error = Session::from_file(&golden("plain.onnx"), &other).unwrap_err();
    check_error(&error, ErrorKind::Runtime, &["memory limit", "67108864"]);
}

#[test]
fn what_is_no_model_is_refused() {
    let options = SessionOptions::default();
    let error = Session::from_file(Path::new("no/such/model.onnx"), &options).unwrap_err();
    check_error(&error, ErrorKind::NotFound, &["no/such/model.onnx"]);
    let error = Session::from_file(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml").as_path(), &options).unwrap_err();
    check_error(&error, ErrorKind::Checkpoint, &["Cargo.toml"]);
    for bytes in [&b""[..], b"onnx", &[0xff; 64]] {
        check_error(&Session::from_memory(bytes, None, &options).unwrap_err(), ErrorKind::Checkpoint, &["the converted graph"]);
    }
    let model = std::fs::read(golden("plain.onnx")).unwrap();
    for length in 0..model.len() {
        // Some beginnings are models of their own; none may do harm.
        let _ = Session::from_memory(&model[..length], None, &options);
    }
}

#[test]
fn a_device_named_outright_is_used_or_it_is_an_error() {
    let model = golden("plain.onnx");
    for (device, compiled_in) in [
        (Device::Cuda(0), cfg!(feature = "cuda")),
        (Device::Cuda(999), cfg!(feature = "cuda")),
        (Device::TensorRt(0), cfg!(feature = "tensorrt")),
        (Device::OpenVino, cfg!(feature = "openvino")),
        (Device::Xnnpack, cfg!(feature = "xnnpack")),
        (Device::Qnn, cfg!(feature = "qnn")),
    ] {
        match Session::from_file(&model, &SessionOptions::on(device)) {
            Ok(session) => assert_eq!((*session.device(), compiled_in), (device, true)),
            Err(error) if compiled_in => check_error(&error, ErrorKind::Device, &[&device.to_string()]),
            Err(error) => {
                check_error(&error, ErrorKind::Device, &[&format!("device {device}"), &format!("Cargo feature `{}`", device.name())])
            }
        }
    }
    let session = Session::from_file(&model, &SessionOptions::on(Device::Auto)).unwrap();
    assert_ne!(*session.device(), Device::Auto);
    session.run(plain_inputs(1)).unwrap();
}

#[test]
fn the_doctor_knows_the_library_and_every_provider() {
    let doctor = session::doctor();
    assert!(doctor.ready, "{:?}", doctor.problems);
    assert!(doctor.library.as_ref().is_none_or(|library| library.version.starts_with("1.")));
    assert!(doctor.build.is_some() && doctor.threads.default >= 1);
    let cpu = doctor.providers.iter().find(|provider| provider.device == "cpu").unwrap();
    assert!(cpu.compiled_in && cpu.in_library && cpu.advice.is_none());
    for provider in &doctor.providers {
        assert_eq!(provider.advice.is_none(), provider.compiled_in && provider.in_library, "{}", provider.device);
    }
}

#[cfg(feature = "load-dynamic")]
mod library {
    use super::*;

    /// What the tests below start as a process of its own, since a process loads ONNX Runtime once.
    #[test]
    #[ignore = "started by other tests"]
    fn child() {
        let opened = Session::from_file(&golden("plain.onnx"), &SessionOptions::default());
        println!("opened: {:?}", opened.map(|session| *session.device()).map_err(|error| (error.kind(), error.to_string())));
        println!("ready: {}", session::doctor().ready);
    }

    /// As `child`, in an application that has an environment of its own.
    #[test]
    #[ignore = "started by other tests"]
    fn child_with_an_environment() {
        let library = std::env::var_os("ORT_DYLIB_PATH").unwrap();
        let environment = ort::init_from(Path::new(&library)).unwrap().build().unwrap();
        let refused = Session::from_file(&golden("plain.onnx"), &SessionOptions::default()).map(|_| ()).map_err(|error| error.to_string());
        println!("without it: {refused:?}");
        session::use_environment(environment.clone()).unwrap();
        let session = Session::from_file(&golden("plain.onnx"), &SessionOptions::default()).unwrap();
        println!("with it: {:?}", session.run(plain_inputs(1)).map(|outputs| outputs.names().count()));
        println!("too late: {}", session::use_environment(environment).unwrap_err());
    }

    fn child_says(test: &str, library: &Path) -> String {
        let program = std::env::current_exe().unwrap();
        let arguments = ["--exact", &format!("session::{test}"), "--ignored", "--nocapture"];
        let output = Command::new(program).args(arguments).env("ORT_DYLIB_PATH", library).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn a_library_that_cannot_be_used_is_one_clear_error() {
        let folder = tempfile::tempdir().unwrap();
        let text = folder.path().join("text.so");
        std::fs::write(&text, "version https://git-lfs.github.com/spec/v1").unwrap();
        let empty = folder.path().join("empty.so");
        std::fs::write(&empty, "").unwrap();
        let cut = folder.path().join("cut.so");
        let whole = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        std::fs::write(&cut, &whole[..4096.min(whole.len())]).unwrap();
        let missing = folder.path().join("missing.so");
        for (path, problem) in [
            (text.as_path(), "it is not a shared library"),
            (&empty, "it is empty"),
            (&cut, if cfg!(target_os = "linux") { "it is cut off" } else { "it does not load" }),
            (&missing, "there is no such file"),
            (folder.path(), "it is a folder"),
        ] {
            let says = ["ONNX Runtime cannot be loaded from", path.to_str().unwrap(), problem, "scripts/setup", "ORT_DYLIB_PATH"];
            check_error(&session::probe(path).unwrap_err(), ErrorKind::Runtime, &says);
            check_error(&session::use_library(path).unwrap_err(), ErrorKind::Runtime, &[]);
            let child = child_says("library::child", path);
            for part in says.iter().chain(&["(from ORT_DYLIB_PATH)", "ready: false"]) {
                assert!(child.contains(part), "expected {part:?} in {child}");
            }
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn another_shared_library_is_not_onnx_runtime() {
        let error = session::probe(Path::new("libc.so.6")).unwrap_err();
        check_error(&error, ErrorKind::Runtime, &["libc.so.6", "not ONNX Runtime"]);
    }

    #[test]
    fn the_library_of_the_tests_is_used_by_its_name() {
        let library = session::doctor().library.unwrap();
        assert_eq!(session::probe(&library.path).unwrap().version, library.version);
        let child = child_says("library::child", &library.path);
        assert!(child.contains("opened: Ok(Cpu)") && child.contains("ready: true"), "{child}");
        session::use_library(&library.path).unwrap();
    }

    #[test]
    fn an_application_hands_in_its_own_environment() {
        let child = child_says("library::child_with_an_environment", &session::doctor().library.unwrap().path);
        for part in ["without it: Err", "use_environment", "with it: Ok(3)", "too late: the environment comes too late"] {
            assert!(child.contains(part), "expected {part:?} in {child}");
        }
    }

    #[test]
    fn an_environment_of_another_kind_is_refused() {
        check_error(&session::use_environment(7_u8).unwrap_err(), ErrorKind::Runtime, &["ort::environment::Environment"]);
    }
}

/// An ONNX model of nodes, with inputs and outputs of numbers, and constants as `(name, type, shape, bytes)`.
fn model(nodes: &[Vec<u8>], constants: &[(&str, u64, &[u64], &[u8])]) -> Vec<u8> {
    let mut graph = Vec::new();
    nodes.iter().for_each(|node| write(&mut graph, 1, node));
    for (name, dtype, shape, bytes) in constants {
        let mut tensor = Vec::new();
        shape.iter().for_each(|size| write_integer(&mut tensor, 1, *size));
        write_integer(&mut tensor, 2, *dtype);
        write(&mut tensor, 8, name.as_bytes());
        write(&mut tensor, 9, bytes);
        write(&mut graph, 5, &tensor);
    }
    write(&mut graph, 2, b"graph");
    write(&mut graph, 11, &port("x", Some(&[1])));
    write(&mut graph, 12, &port("y", None));
    let (mut model, mut opset) = (Vec::new(), Vec::new());
    write_integer(&mut opset, 2, 17);
    write_integer(&mut model, 1, 8);
    write(&mut model, 7, &graph);
    write(&mut model, 8, &opset);
    model
}

/// A name with the type float, or with none.
fn port(name: &str, shape: Option<&[u64]>) -> Vec<u8> {
    let mut port = Vec::new();
    write(&mut port, 1, name.as_bytes());
    if let Some(shape) = shape {
        let [mut sizes, mut tensor, mut dtype] = [const { Vec::new() }; 3];
        for size in shape {
            let mut dim = Vec::new();
            write_integer(&mut dim, 1, *size);
            write(&mut sizes, 1, &dim);
        }
        write_integer(&mut tensor, 1, 1);
        write(&mut tensor, 2, &sizes);
        write(&mut dtype, 1, &tensor);
        write(&mut port, 2, &dtype);
    }
    port
}

fn node(op: &str, inputs: &[&str], outputs: &[&str], attributes: &[Vec<u8>]) -> Vec<u8> {
    let mut node = Vec::new();
    inputs.iter().for_each(|name| write(&mut node, 1, name.as_bytes()));
    outputs.iter().for_each(|name| write(&mut node, 2, name.as_bytes()));
    write(&mut node, 4, op.as_bytes());
    attributes.iter().for_each(|attribute| write(&mut node, 5, attribute));
    node
}

/// A loop that never ends, over a value.
fn endless(value: &str) -> Vec<u8> {
    let mut body = Vec::new();
    write(&mut body, 1, &node("Identity", &["goes_on"], &["still"], &[]));
    write(&mut body, 1, &node("Neg", &["value"], &["negative"], &[]));
    write(&mut body, 2, b"body");
    let typed = |name: &str, dtype: u64| {
        let [mut port, mut tensor, mut kind] = [const { Vec::new() }; 3];
        write_integer(&mut tensor, 1, dtype);
        if dtype != 1 {
            // A single one.
            write(&mut tensor, 2, &[]);
        }
        write(&mut kind, 1, &tensor);
        write(&mut port, 1, name.as_bytes());
        write(&mut port, 2, &kind);
        port
    };
    [("turn", 7), ("goes_on", 9), ("value", 1)].iter().for_each(|(name, dtype)| write(&mut body, 11, &typed(name, *dtype)));
    [("still", 9), ("negative", 1)].iter().for_each(|(name, dtype)| write(&mut body, 12, &typed(name, *dtype)));
    let mut attribute = Vec::new();
    write(&mut attribute, 1, b"body");
    write(&mut attribute, 6, &body);
    write_integer(&mut attribute, 20, 5);
    node("Loop", &["", "true", value], &["looped"], &[attribute])
}

#[test]
fn what_never_ends_is_stopped() {
    let limited = SessionOptions { time_limit: Some(Duration::from_millis(300)), ..SessionOptions::default() };
    let constants: &[(&str, u64, &[u64], &[u8])] = &[("true", 9, &[], &[1]), ("one", 1, &[1], &1_f32.to_le_bytes())];
    let sum = |value: &str| model(&[endless(value), node("Add", &["looped", "x"], &["y"], &[])], constants);
    let x = || [("x", Value::from(array![1_f32].into_dyn()))];
    // Over an input, and over a constant, which is computed when the model is opened, if that is done at all.
    for value in ["x", "one"] {
        let start = Instant::now();
        let error = match Session::from_memory(&sum(value), None, &limited) {
            Ok(session) => {
                let first = session.run(x()).unwrap_err();
                // The next one has a time of its own.
                check_error(&session.run(x()).unwrap_err(), ErrorKind::Runtime, &["the run was stopped after 300ms"]);
                first
            }
            Err(error) => error,
        };
        check_error(&error, ErrorKind::Runtime, &["was stopped after 300ms, its time limit"]);
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    }
    let ends = Session::from_memory(&model(&[node("Neg", &["x"], &["y"], &[])], &[]), None, &limited).unwrap();
    assert_eq!(ends.run(x()).unwrap().f32("y").unwrap(), array![-1_f32].into_dyn());

    // Another thread can stop it as well.
    let session = Session::from_memory(&sum("x"), None, &SessionOptions::default()).unwrap();
    let cancel = Cancel::new().unwrap();
    std::thread::scope(|scope| {
        let run = scope.spawn(|| session.run_with(x(), None, Some(&cancel)).unwrap_err());
        std::thread::sleep(Duration::from_millis(100));
        cancel.cancel();
        assert_eq!(run.join().unwrap().kind(), ErrorKind::Runtime);
    });
}

/// ONNX Runtime infers a size of -1, which is none, or less.
#[test]
fn outputs_that_cannot_be_described() {
    let sizes: Vec<u8> = [-5_i64, 6].iter().flat_map(|size| size.to_le_bytes()).collect();
    let split = node("Split", &["x", "sizes"], &["y", "rest"], &[]);
    let error = Session::from_memory(&model(&[split], &[("sizes", 7, &[2], &sizes)]), None, &SessionOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Checkpoint, "{error}");
}
