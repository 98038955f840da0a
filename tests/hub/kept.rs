//! Without the network, several at once, and the cache as a whole.

use super::*;

#[test]
fn without_the_network() {
    let scene = Scene::new();
    for options in [scene.offline(), Options { revision: Some(COMMIT.to_owned()), ..scene.offline() }] {
        let error = Checkpoint::open(REPO, &options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Offline);
        assert!(error.to_string().contains("as was asked for (offline)"), "{error}");
    }
    scene.open().unwrap().fetch(&["config.json", "model.safetensors"]).unwrap();
    scene.hub.stop();
    scene.lines();
    for options in [scene.offline(), scene.pinned(), scene.options()] {
        // With the Hub out of reach the cache still knows the branch.
        let checkpoint = Checkpoint::open(REPO, &options).unwrap();
        assert_eq!(checkpoint.revision(), Some(COMMIT));
        assert!(checkpoint.has("tokenizer.json") && !checkpoint.has("spiece.model"));
        assert_eq!(checkpoint.read("config.json").unwrap().unwrap(), CONFIG);
        checkpoint.fetch(&["model.safetensors"]).unwrap();
    }
    let checkpoint = Checkpoint::open(REPO, &scene.offline()).unwrap();
    let error = checkpoint.path("tokenizer.json").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Offline);
    assert!(error.to_string().contains("tokenizer.json is not in the cache"), "{error}");
    let error = Checkpoint::open("ada/other", &scene.options()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
}

/// As older versions of Python's client leave it: no notes of what is not there, and no listing.
#[test]
fn a_cache_without_notes_answers_without_the_network() {
    let scene = Scene::new();
    scene.open().unwrap().fetch(&["config.json", "model.safetensors"]).unwrap();
    for notes in ["trees", ".no_exist"] {
        let _ = fs::remove_dir_all(scene.folder.path().join("models--ada--tiny-bert").join(notes));
    }
    let check = |options: &Options| {
        let checkpoint = Checkpoint::open(REPO, options).unwrap();
        assert_eq!(checkpoint.revision(), Some(COMMIT));
        assert!(!checkpoint.has("spiece.model") && checkpoint.optional("tokenizer.json").unwrap().is_none());
        assert_eq!(checkpoint.files(), ["config.json", "model.safetensors"]);
        assert_eq!(checkpoint.read("config.json").unwrap().unwrap(), CONFIG);
        checkpoint.fetch(&["model.safetensors"]).unwrap();
        // What must be there is asked for, and told.
        let error = checkpoint.path("tokenizer.json").unwrap_err();
        assert!(error.kind() == ErrorKind::Network && error.to_string().contains("tokenizer.json: cannot be had"), "{error}");
    };
    scene.hub.fault("/", 1_000, Fault::Status(503, "Retry-After: 0"));
    check(&scene.options());
    check(&scene.pinned());
    scene.hub.stop();
    check(&scene.options());
    check(&scene.pinned());
}

#[test]
fn a_hub_in_trouble_leaves_the_cache() {
    for fault in [Fault::Status(500, ""), Fault::Status(401, ""), Fault::Status(403, "X-Error-Code: GatedRepo"), Fault::Status(429, "")] {
        let scene = Scene::new();
        scene.open().unwrap().path("config.json").unwrap();
        scene.hub.fault("/api/models/", 99, fault);
        assert_eq!(scene.open().unwrap().read("config.json").unwrap().unwrap(), CONFIG);
    }
    // A revision that is gone is gone.
    let scene = Scene::new();
    scene.open().unwrap().path("config.json").unwrap();
    scene.hub.fault("/api/models/", 99, Fault::Status(404, "X-Error-Code: RevisionNotFound"));
    assert_eq!(scene.open().unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn many_at_once_download_once() {
    let scene = Scene::new();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(fs::read(scene.open().unwrap().path("model.safetensors").unwrap()).unwrap(), weights()));
        }
    });
    assert_eq!(scene.hub.requests().iter().filter(|request| request.storage).count(), 1);
}

/// The other process of the test below: runs only when that says where.
#[test]
fn another_process() {
    let (Ok(endpoint), Ok(folder)) = (std::env::var("STAND_IN"), std::env::var("STAND_IN_CACHE")) else { return };
    let options = Options { endpoint: Some(endpoint), cache_dir: Some(folder.into()), offline: Some(false), ..Options::default() };
    let path = Checkpoint::open(REPO, &options).unwrap().path("model.safetensors").unwrap();
    assert_eq!(fs::read(path).unwrap(), weights());
}

#[test]
fn two_processes_at_once_download_once() {
    let scene = Scene::new();
    let start = || {
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "kept::another_process"]).env("STAND_IN", &scene.hub.endpoint).env("STAND_IN_CACHE", scene.folder.path());
        command.stdout(std::process::Stdio::null()).spawn().unwrap()
    };
    for mut process in [start(), start(), start()] {
        assert!(process.wait().unwrap().success());
    }
    assert_eq!(scene.hub.requests().iter().filter(|request| request.storage).count(), 1);
}

#[test]
fn inside_asynchronous_code() {
    let scene = Scene::new();
    for mut builder in [tokio::runtime::Builder::new_current_thread(), tokio::runtime::Builder::new_multi_thread()] {
        builder.enable_all().build().unwrap().block_on(async {
            let checkpoint = scene.open().unwrap();
            checkpoint.path("model.safetensors").unwrap();
            drop(checkpoint);
            let url = format!("{}/api/resolve-cache/config.json", scene.hub.endpoint);
            assert_eq!(formers::hub::download_bytes(&url, 100).unwrap(), CONFIG);
        });
    }
}

#[test]
fn media() {
    let scene = Scene::new();
    let at = |path: &str, limit| formers::hub::download_bytes(&format!("{}{path}", scene.hub.endpoint), limit);
    assert_eq!(at("/api/resolve-cache/config.json", CONFIG.len() as u64).unwrap(), CONFIG);
    assert_eq!(at(&format!("/{REPO}/resolve/main/model.safetensors"), 1 << 20).unwrap(), weights());
    assert_eq!(at("/api/resolve-cache/config.json", 5).unwrap_err().kind(), ErrorKind::Media);
    assert_eq!(at("/nothing", 5).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(formers::hub::download_bytes("no address", 5).unwrap_err().kind(), ErrorKind::Request);
    scene.hub.fault("config.json", 1, Fault::Cut(4));
    assert_eq!(at("/api/resolve-cache/config.json", 100).unwrap_err().kind(), ErrorKind::Network);
}

/// A server that takes connections and never answers.
#[test]
fn media_are_waited_for_as_long_as_the_caller_says() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/x.png", listener.local_addr().unwrap());
    let before = std::time::Instant::now();
    let timeout = Some(std::time::Duration::from_millis(300));
    let error = formers::preprocess::media::read_within(&url, timeout).unwrap_err();
    assert!(error.kind() == ErrorKind::Network && error.to_string().contains("no answer within 300ms"), "{error}");
    assert!(before.elapsed().as_millis() < 5_000);
}

#[test]
fn a_cache_that_cannot_be_written() {
    let scene = Scene::new();
    let file = scene.folder.path().join("file");
    fs::write(&file, "no folder").unwrap();
    let options = Options { cache_dir: Some(file.clone()), ..scene.options() };
    let error = Checkpoint::open(REPO, &options).unwrap().path("config.json").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().contains(file.to_str().unwrap()) && error.to_string().starts_with(REPO), "{error}");
    assert_eq!(cache::scan(&file).unwrap_err().kind(), ErrorKind::Io);
}

#[test]
fn an_endpoint_that_is_none() {
    let scene = Scene::new();
    for endpoint in ["nonsense", "file:///etc", "http://"] {
        let error = Checkpoint::open(REPO, &Options { endpoint: Some(endpoint.to_owned()), ..scene.options() }).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Request, "{error}");
        assert!(error.to_string().contains("HF_ENDPOINT"), "{error}");
    }
}

#[test]
fn the_cache_as_a_whole() {
    let scene = Scene::new();
    let folder = scene.folder.path();
    assert!(cache::scan(&folder.join("nothing here")).unwrap().is_empty());
    scene.open().unwrap().fetch(&["config.json", "model.safetensors"]).unwrap();
    let moved = "f".repeat(40);
    scene.hub.commit(&moved);
    scene.open().unwrap().fetch(&["config.json", "tokenizer.json"]).unwrap();

    let repos = cache::scan(folder).unwrap();
    assert_eq!(repos.iter().map(|repo| (repo.name.as_str(), repo.size)).collect::<Vec<_>>(), [(REPO, 300_000 + 22 + 2)]);
    let mut revisions: Vec<_> = repos[0].revisions.iter().map(|r| (r.commit.clone(), r.refs.clone(), r.files.len(), r.size)).collect();
    revisions.sort();
    assert_eq!(revisions, [(COMMIT.to_owned(), vec![], 2, 300_022), (moved.clone(), vec!["main".to_owned()], 2, 24)]);
    let verified = cache::verify(folder, REPO).unwrap();
    assert_eq!((verified.sound, verified.unchecked, verified.problems.len()), (3, 0, 0));

    fs::write(folder.join("models--ada--tiny-bert/blobs").join(scene.hub.etag("config.json")), "damaged").unwrap();
    let verified = cache::verify(folder, REPO).unwrap();
    assert_eq!((verified.sound, verified.problems.len()), (2, 1));

    // What another revision needs stays.
    assert_eq!(cache::remove(folder, REPO, Some("v9")).unwrap_err().kind(), ErrorKind::NotFound);
    assert!(cache::remove(folder, REPO, Some(COMMIT)).unwrap() >= 300_000);
    let left = scene.tree();
    assert!(left.contains_key(&format!("blobs/{}", scene.hub.etag("config.json"))) && left.contains_key("refs/main"), "{left:?}");
    assert!(!left.keys().any(|path| path.contains(COMMIT) || path.contains(&scene.hub.etag("model.safetensors"))), "{left:?}");
    cache::remove(folder, REPO, Some("main")).unwrap();
    assert!(!scene.tree().keys().any(|path| path.starts_with("refs") || path.starts_with("blobs")), "{:?}", scene.tree());

    cache::remove(folder, REPO, None).unwrap();
    assert!(cache::scan(folder).unwrap().is_empty());
    for repo in [REPO, "../..", ""] {
        assert_eq!(cache::remove(folder, repo, None).unwrap_err().kind(), ErrorKind::NotFound);
    }
}

/// The system refuses large files, as a full disk would.
#[cfg(unix)]
#[test]
fn no_room() {
    let child = std::process::Command::new("sh")
        // A signal that is ignored becomes an error of the write.
        .args(["-c", "trap '' XFSZ; ulimit -f 100; exec \"$0\" --exact kept::without_room --ignored --nocapture"])
        .arg(std::env::current_exe().unwrap())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout) + String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success() && said.contains("1 passed"), "{said}");
}

/// Run by `no_room` in a process of its own.
#[test]
#[ignore = "part of no_room"]
fn without_room() {
    let scene = Scene::new();
    let error = scene.open().unwrap().path("model.safetensors").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    assert!(error.to_string().contains("model.safetensors"), "{error}");
    let kept = Checkpoint::open(REPO, &scene.offline());
    assert!(!kept.is_ok_and(|checkpoint| checkpoint.has("model.safetensors")), "half of a file is taken for one");
}
