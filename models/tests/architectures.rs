//! What holds for every architecture of the table: its place, its file, and that no config makes it panic or hang.

#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeMap,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use formers_converters::{Result, passes, weights::Tensors};
use formers_models::{ARCHITECTURES, Architecture, Head, Request};
use serde_json::{Value, json};

#[test]
fn the_table_is_in_alphabetical_order() {
    let names: Vec<_> = ARCHITECTURES.iter().map(|a| a.model_type).collect();
    assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
}

#[test]
fn each_entry_is_the_file_of_its_model_type() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<String> = fs::read_dir(sources)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "rs"))
        .filter(|path| fs::read_to_string(path).unwrap().contains("const ARCHITECTURE: Architecture"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_string())
        .collect();
    files.sort();
    let mut entries: Vec<String> = ARCHITECTURES.iter().map(|a| a.model_type.replace('-', "_")).collect();
    entries.sort();
    assert_eq!(files, entries);
    for architecture in ARCHITECTURES {
        let file = sources.join(format!("{}.rs", architecture.model_type.replace('-', "_")));
        let says = format!("(\"{}\"", architecture.model_type);
        assert!(fs::read_to_string(&file).unwrap().contains(&says), "{} lacks {says}", file.display());
    }
}

/// Each value of a golden's config in turn becomes one that makes no sense: the answer is a graph or an error, and comes at once.
#[test]
fn no_config_makes_an_architecture_panic_or_hang() {
    let mut checkpoints = checkpoints();
    let mut all = Vec::new();
    for architecture in ARCHITECTURES.iter().filter(|architecture| !architecture.heads.is_empty()) {
        let folders = checkpoints.remove(architecture.model_type).unwrap_or_default();
        assert!(!folders.is_empty(), "{}: no checkpoint under tests/goldens", architecture.model_type);
        all.extend(folders.into_iter().map(|folder| (architecture, folder)));
    }
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut failures = Vec::new();
        while let Some((architecture, folder)) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
            failures.extend(broken(architecture, folder));
        }
        failures
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let failures: Vec<String> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert!(failures.is_empty(), "{failures:#?}");
}

/// The changes of a checkpoint's config that end badly.
fn broken(architecture: &'static Architecture, folder: &Path) -> Vec<String> {
    let checkpoint = Checkpoint::open(architecture, folder);
    if let Err(error) = checkpoint.build(&checkpoint.config) {
        return vec![format!("{} as it is: {error}", folder.display())];
    }
    let is_broken = |config: &Value| {
        let start = Instant::now();
        let panicked = catch_unwind(AssertUnwindSafe(|| checkpoint.build(config))).is_err();
        panicked || start.elapsed() > Duration::from_secs(60)
    };
    let broken = mutations(&checkpoint.config).into_iter().filter(|(_, config)| is_broken(config));
    broken.map(|(what, _)| format!("{} with {what}", folder.display())).collect()
}

/// Two checkpoints of each model type, of different shapes where there are such.
fn checkpoints() -> BTreeMap<String, Vec<PathBuf>> {
    let mut found: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    let mut folders = vec![formers_testing::goldens()];
    while let Some(folder) = folders.pop() {
        let mut within: Vec<PathBuf> =
            fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
        within.sort();
        folders.extend(within.into_iter().rev());
        let folder = formers_testing::checkpoint(&folder);
        let config = fs::read(folder.join("config.json")).ok().and_then(|config| serde_json::from_slice::<Value>(&config).ok());
        let Some(config) = config.filter(|config| weights(&folder).is_some() && config["architectures"][0].is_string()) else { continue };
        let Some(architecture) = config["model_type"].as_str().and_then(formers_models::find) else { continue };
        let head = architecture.head_of(config["architectures"][0].as_str().unwrap());
        let of_type = found.entry(architecture.model_type.to_owned()).or_default();
        if of_type.len() < 2 && head.is_some_and(|head| architecture.heads.contains(&head)) {
            of_type.push(folder);
        }
    }
    found
}

fn weights(folder: &Path) -> Option<PathBuf> {
    ["model.safetensors", "pytorch_model.bin"].iter().map(|name| folder.join(name)).find(|path| path.exists())
}

struct Checkpoint {
    architecture: &'static Architecture,
    config: Value,
    tensors: Arc<Tensors>,
    head: Head,
}

impl Checkpoint {
    fn open(architecture: &'static Architecture, folder: &Path) -> Self {
        let config: Value = serde_json::from_slice(&fs::read(folder.join("config.json")).unwrap()).unwrap();
        let head = architecture.head_of(config["architectures"][0].as_str().unwrap()).unwrap();
        let tensors = Arc::new(Tensors::open(&[weights(folder).unwrap()]).unwrap());
        Self { architecture, config, tensors, head }
    }

    fn build(&self, config: &Value) -> Result<()> {
        let request = Request::new(config, self.tensors.clone(), self.head);
        for body in (self.architecture.build)(&request)? {
            passes::lower(body, passes::Target::default())?;
        }
        Ok(())
    }
}

/// The config with one value replaced or left out, and what that value is.
fn mutations(config: &Value) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for (key, old) in config.as_object().unwrap() {
        let mut left_out = config.clone();
        left_out.as_object_mut().unwrap().remove(key);
        all.push((format!("no {key}"), left_out));
        for new in senseless(old) {
            let mut changed = config.clone();
            let what = format!("{key}: {new}");
            changed[key] = new;
            all.push((what, changed));
        }
    }
    all
}

fn senseless(old: &Value) -> Vec<Value> {
    match old {
        Value::Number(_) => {
            vec![
                json!(0),
                json!(1),
                json!(3),
                json!(-1),
                json!(0.5),
                json!(1u64 << 20),
                json!(i64::MAX),
                json!(u64::MAX),
                json!(1e300),
                Value::Null,
            ]
        }
        Value::Bool(value) => vec![json!(!value), Value::Null],
        Value::Array(items) => {
            let inner = items.first().map(senseless).unwrap_or_default();
            inner.into_iter().map(|value| json!([value])).chain([json!([]), Value::Null]).collect()
        }
        Value::Object(fields) => {
            let whole = Value::Object(fields.clone());
            mutations(&whole).into_iter().map(|(_, changed)| changed).chain([json!({}), Value::Null]).collect()
        }
        Value::String(_) | Value::Null => vec![json!("x"), json!(""), json!(0), json!(7), json!(true), json!([]), Value::Null],
    }
}
