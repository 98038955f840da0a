//! Folders that cannot be read or written, and disks without room: nothing half-written is left.

use std::{
    fs,
    path::{Path, PathBuf},
};

use formers::{
    ErrorKind, Options,
    model::{ModelDtype, Pretrained},
};

use super::{golden, judge, report, watched};

const MODEL: &str = "bert/sequence_classification";

fn converted(cache: &Path) -> Options {
    Options { dtype: ModelDtype::Int8, converted: Some(cache.into()), ..Options::new(golden(MODEL).to_str().unwrap()) }
}

/// Everything in a folder, however deep.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.flat_map(|e| files(&e.as_ref().unwrap().path()).into_iter().chain([e.unwrap().path()])).collect()
}

#[test]
fn a_file_where_a_folder_should_be() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    fs::write(&file, "kept").unwrap();
    let below = file.join("cache");
    let mut failures = Vec::new();
    for cache in [file.clone(), below] {
        let named = cache.to_string_lossy().into_owned();
        let options = converted(&cache);
        let outcome = watched(move || formers::pipeline("text-classification", options));
        failures.extend(judge(outcome, ErrorKind::Io, &["FORMERS_CACHE", &named]).err());
        let options = Options::new(golden(MODEL).to_str().unwrap());
        let outcome = watched(move || {
            let pretrained = Pretrained::open(options)?;
            pretrained.export(pretrained.head(), &cache)
        });
        failures.extend(judge(outcome, ErrorKind::Io, &[&named]).err());
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "kept");
    report(failures);
}

/// The system refuses files of more than a few hundred bytes, as a full disk would.
#[cfg(unix)]
#[test]
fn no_room() {
    let place = tempfile::tempdir().unwrap();
    let child = std::process::Command::new("sh")
        // A signal that is ignored becomes an error of the write.
        .args(["-c", "trap '' XFSZ; ulimit -f 1; exec \"$0\" --exact disk::without_room --ignored --nocapture"])
        .arg(std::env::current_exe().unwrap())
        .env("FAULTS_PLACE", place.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout) + String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success() && said.contains("1 passed"), "{said}");
}

/// Run by `no_room` in a process of its own.
#[test]
#[ignore = "part of no_room"]
fn without_room() {
    let place = PathBuf::from(std::env::var_os("FAULTS_PLACE").unwrap());
    let cache = place.join("cache");
    let error = formers::pipeline("text-classification", converted(&cache)).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    assert!(error.to_string().contains("model_int8.onnx"), "{error}");
    assert_eq!(files(&cache), Vec::<PathBuf>::new());
    for dtype in [ModelDtype::Fp32, ModelDtype::Fp16, ModelDtype::Int8] {
        let out = place.join("out");
        let pretrained = Pretrained::open(Options { dtype, ..Options::new(golden(MODEL).to_str().unwrap()) }).unwrap();
        let error = pretrained.export(pretrained.head(), &out).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io, "{error}");
        assert!(error.to_string().contains(&*out.to_string_lossy()), "{error}");
        assert_eq!(files(&out), [out.join("onnx")]);
    }
}

/// What is left of a conversion that was killed, or damaged later, is not used.
#[test]
fn an_entry_that_is_not_whole() {
    let cache = tempfile::tempdir().unwrap();
    formers::pipeline("text-classification", converted(cache.path())).unwrap();
    let [model, data] = ["model_int8.onnx", "model_int8.onnx_data"].map(|name| {
        let found = files(cache.path()).into_iter().find(|path| path.ends_with(name));
        found.unwrap()
    });
    fs::write(&data, "").unwrap();
    let path = cache.path().to_path_buf();
    let outcome = watched(move || formers::pipeline("text-classification", converted(&path)));
    let mut failures = Vec::new();
    failures.extend(judge(outcome, ErrorKind::Checkpoint, &["model_int8.onnx"]).err());
    fs::remove_file(&model).unwrap();
    let path = cache.path().to_path_buf();
    match watched(move || formers::pipeline("text-classification", converted(&path))) {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => failures.push(error.to_string()),
        Err(problem) => failures.push(problem),
    }
    report(failures);
}
