//! Downloading from the Hub, against a stand-in on this machine: what goes right, what goes wrong, and what lies in the cache after.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::{Arc, Mutex},
};

use formers::{
    ErrorKind,
    hub::{Checkpoint, Options, Progress, cache},
};
use support::{COMMIT, Fault, REPO, StandIn};

mod downloads;
mod folders;
mod kept;
mod support;
mod troubles;

const CONFIG: &[u8] = br#"{"model_type": "bert"}"#;

fn weights() -> Vec<u8> {
    (0..300_000_u32).map(|i| (i ^ (i >> 7) ^ (i >> 13)) as u8).collect()
}

fn hub() -> StandIn {
    StandIn::new(&[
        ("config.json", CONFIG, false),
        ("model.safetensors", &weights(), true),
        ("onnx/model.onnx", b"graph", true),
        ("sub dir/empty.txt", b"", false),
        ("tokenizer.json", b"{}", false),
    ])
}

/// A stand-in, a cache, and options that name both.
struct Scene {
    hub: StandIn,
    folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        Self { hub: hub(), folder: tempfile::tempdir().unwrap() }
    }

    fn options(&self) -> Options {
        Options {
            cache_dir: Some(self.folder.path().to_owned()),
            endpoint: Some(self.hub.endpoint.clone()),
            offline: Some(false),
            token: Some("hf_secret".to_owned()),
            ..Options::default()
        }
    }

    fn open(&self) -> formers::Result<Checkpoint> {
        Checkpoint::open(REPO, &self.options())
    }

    fn pinned(&self) -> Options {
        Options { revision: Some(COMMIT.to_owned()), ..self.options() }
    }

    fn offline(&self) -> Options {
        Options { offline: Some(true), ..self.options() }
    }

    /// Where each file of the model's cache folder is, with what it holds or points to.
    fn tree(&self) -> BTreeMap<String, String> {
        tree(&self.folder.path().join("models--ada--tiny-bert"))
    }

    fn lines(&self) -> Vec<String> {
        self.hub.requests().into_iter().map(|request| request.line).collect()
    }
}

fn tree(root: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
            if path.is_symlink() {
                found.insert(name, format!("-> {}", fs::read_link(path).unwrap().display()));
            } else if path.is_dir() {
                folders.push(path);
            } else {
                let bytes = fs::read(path).unwrap();
                found.insert(
                    name,
                    if bytes.len() < 2000 { String::from_utf8_lossy(&bytes).into_owned() } else { format!("{} bytes", bytes.len()) },
                );
            }
        }
    }
    found
}

/// Cases that wait a lot, side by side.
fn at_once<T: Send>(cases: impl IntoIterator<Item = T>, check: impl Fn(T) + Sync) {
    std::thread::scope(|scope| {
        for case in cases {
            scope.spawn(|| check(case));
        }
    });
}
