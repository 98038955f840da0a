//! What is downloaded, what lies in the cache after, and what goes with a request.

use super::*;

#[test]
fn only_what_is_asked_for_is_downloaded_and_only_once() {
    let scene = Scene::new();
    let checkpoint = scene.open().unwrap();
    assert_eq!((checkpoint.name(), checkpoint.revision(), checkpoint.is_local()), (REPO, Some(COMMIT), false));
    assert_eq!(checkpoint.files(), ["config.json", "model.safetensors", "onnx/model.onnx", "sub dir/empty.txt", "tokenizer.json"]);
    assert!(checkpoint.has("onnx/model.onnx") && !checkpoint.has("pytorch_model.bin") && !checkpoint.has("onnx"));
    assert_eq!(checkpoint.json("config.json").unwrap().unwrap()["model_type"], "bert");
    assert_eq!(fs::read(checkpoint.path("model.safetensors").unwrap()).unwrap(), weights());
    assert_eq!(fs::read(checkpoint.path("sub dir/empty.txt").unwrap()).unwrap(), b"");
    assert_eq!(checkpoint.optional("spiece.model").unwrap(), None);
    assert!(!scene.lines().iter().any(|line| line.contains("onnx/") || line.contains("tokenizer.json")));

    // Again: the branch may have moved, so one question.
    let again = scene.open().unwrap();
    again.fetch(&["config.json", "model.safetensors"]).unwrap();
    assert!(!again.has("spiece.model"));
    assert_eq!(scene.lines(), [format!("GET /api/models/{REPO}/revision/main")]);

    // A commit cannot move: no question, also about files that it does not have.
    let pinned = Checkpoint::open(REPO, &scene.pinned()).unwrap();
    pinned.fetch(&["config.json", "model.safetensors"]).unwrap();
    assert!(!pinned.has("spiece.model") && pinned.files().len() == 5);
    assert_eq!(scene.lines(), [""; 0]);
}

/// What `huggingface_hub` 2.4.0 made of the same repository on the same stand-in: `snapshot_download` of three files, and
/// `hf_hub_download` of one that is not there.
#[cfg(unix)]
fn made_by_python() -> BTreeMap<String, String> {
    serde_json::from_str(include_str!("python_cache.json")).unwrap()
}

#[cfg(unix)]
#[test]
fn the_cache_is_laid_out_as_python_does() {
    let scene = Scene::new();
    scene.open().unwrap().fetch(&["config.json", "model.safetensors", "onnx/model.onnx"]).unwrap();
    let (mut ours, mut expected) = (scene.tree(), made_by_python());
    // Python notes what is not there; the listing says the same.
    expected.retain(|path, _| !path.starts_with(".no_exist"));
    let listing = |tree: &mut BTreeMap<String, String>| {
        let text = tree.remove(&format!("trees/{COMMIT}.json")).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap()
    };
    assert_eq!(listing(&mut ours), listing(&mut expected));
    assert_eq!(ours, expected);
}

#[cfg(unix)]
#[test]
fn a_cache_that_python_made_serves() {
    let scene = Scene::new();
    for (path, content) in made_by_python() {
        let path = scene.folder.path().join("models--ada--tiny-bert").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match content.strip_prefix("-> ") {
            Some(target) => std::os::unix::fs::symlink(target, path).unwrap(),
            None if content == "300000 bytes" => fs::write(path, weights()).unwrap(),
            None => fs::write(path, content).unwrap(),
        }
    }
    assert_eq!(cache::verify(scene.folder.path(), REPO).unwrap().sound, 3);
    for options in [scene.offline(), scene.pinned()] {
        let checkpoint = Checkpoint::open(REPO, &options).unwrap();
        assert_eq!(checkpoint.revision(), Some(COMMIT));
        assert_eq!(checkpoint.json("config.json").unwrap().unwrap()["model_type"], "bert");
        assert_eq!(fs::read(checkpoint.path("model.safetensors").unwrap()).unwrap(), weights());
        assert!(checkpoint.has("tokenizer.json") && !checkpoint.has("spiece.model"));
    }
    assert_eq!(scene.lines(), [""; 0]);
    // As older versions leave it, which keep no listing.
    fs::remove_dir_all(scene.folder.path().join("models--ada--tiny-bert/trees")).unwrap();
    let checkpoint = Checkpoint::open(REPO, &scene.offline()).unwrap();
    assert_eq!(checkpoint.files(), ["config.json", "model.safetensors", "onnx/model.onnx"]);
    assert!(!checkpoint.has("tokenizer.json"));
}

#[test]
fn a_branch_that_moved_is_downloaded_anew_and_shares_what_did_not_change() {
    let scene = Scene::new();
    scene.open().unwrap().fetch(&["config.json", "model.safetensors"]).unwrap();
    let moved = "f".repeat(40);
    scene.hub.commit(&moved);
    scene.lines();
    let checkpoint = scene.open().unwrap();
    assert_eq!(checkpoint.revision(), Some(moved.as_str()));
    checkpoint.path("model.safetensors").unwrap();
    let lines = scene.lines();
    assert!(!lines.iter().any(|line| line.starts_with("GET") && line.contains(".safetensors")), "{lines:?}");
    assert_eq!(scene.tree()["refs/main"], moved);
}

#[test]
fn other_revisions() {
    let scene = Scene::new();
    let at = |revision: &str| Checkpoint::open(REPO, &Options { revision: Some(revision.to_owned()), ..scene.options() });
    at("refs/pr/1").unwrap().path("config.json").unwrap();
    assert_eq!(scene.tree()["refs/refs/pr/1"], COMMIT);
    let error = at("v9").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("no revision v9"), "{error}");
    assert_eq!(at("../../x").unwrap_err().kind(), ErrorKind::Request);
}

#[test]
fn a_commit() {
    let at = |scene: &Scene, commit: &str| Checkpoint::open(REPO, &Options { revision: Some(commit.to_owned()), ..scene.options() });
    let scene = Scene::new();
    let error = at(&scene, &"e".repeat(40)).unwrap_err();
    assert!(error.to_string().contains("no revision eeee"), "{error}");
    let checkpoint = at(&scene, COMMIT).unwrap();
    checkpoint.path("config.json").unwrap();
    assert!(!scene.tree().keys().any(|path| path.starts_with("refs")));

    // From a server without listings.
    let scene = Scene::new();
    scene.hub.fault("/tree/", 9, Fault::Status(404, ""));
    let checkpoint = at(&scene, COMMIT).unwrap();
    assert_eq!(checkpoint.read("config.json").unwrap().unwrap(), CONFIG);
    assert!(checkpoint.has("tokenizer.json"));
    assert_eq!(checkpoint.optional("spiece.model").unwrap(), None);
    assert!(scene.tree().contains_key(&format!(".no_exist/{COMMIT}/spiece.model")));
    // From one that shows nobody what there is.
    let scene = Scene::new();
    scene.hub.fault("/tree/", 9, Fault::Status(404, "")).fault("HEAD ", 9, Fault::Status(403, "X-Error-Code: GatedRepo"));
    let error = at(&scene, COMMIT).unwrap().optional("config.json").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
}

#[test]
fn progress_is_told() {
    /// Bytes that are here, bytes in all, and whether it is finished.
    type State = (u64, Option<u64>, bool);
    #[derive(Default)]
    struct Log(Mutex<BTreeMap<String, State>>);
    impl Progress for Log {
        fn start(&self, file: &str, done: u64, total: Option<u64>) {
            self.0.lock().unwrap().insert(file.to_owned(), (done, total, false));
        }
        fn advance(&self, file: &str, bytes: u64) {
            self.0.lock().unwrap().get_mut(file).unwrap().0 += bytes;
        }
        fn finish(&self, file: &str) {
            self.0.lock().unwrap().get_mut(file).unwrap().2 = true;
        }
    }
    let scene = Scene::new();
    let log = Arc::new(Log::default());
    let options = Options { progress: Some(log.clone()), ..scene.options() };
    Checkpoint::open(REPO, &options).unwrap().fetch(&["config.json", "model.safetensors"]).unwrap();
    let size = CONFIG.len() as u64;
    let expected = [("config.json".to_owned(), (size, Some(size), true)), ("model.safetensors".to_owned(), (300_000, Some(300_000), true))];
    assert_eq!(*log.0.lock().unwrap(), BTreeMap::from(expected));
}

#[test]
fn the_token_is_for_the_hub_alone() {
    let scene = Scene::new();
    scene.open().unwrap().path("model.safetensors").unwrap();
    let requests = scene.hub.requests();
    assert!(requests.iter().any(|request| request.storage));
    for request in requests {
        let expected = (!request.storage).then_some("Bearer hf_secret");
        assert_eq!(request.token.as_deref(), expected, "{request:?}");
    }
}
