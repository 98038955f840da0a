//! What the Hub refuses, what breaks off, and what is never kept.

use super::*;

#[test]
fn what_the_hub_refuses() {
    let gated = "X-Error-Code: GatedRepo; X-Error-Message: Access to model is restricted";
    let cases = [
        ("/revision/", Fault::Status(401, ""), ErrorKind::Unauthorized, "HF_TOKEN"),
        ("/revision/", Fault::Status(401, "X-Error-Code: RepoNotFound"), ErrorKind::NotFound, "neither a folder here nor a model"),
        ("/revision/", Fault::Status(404, ""), ErrorKind::NotFound, "neither a folder here nor a model"),
        ("/revision/", Fault::Status(404, "X-Error-Code: RevisionNotFound"), ErrorKind::NotFound, "no revision main"),
        ("/config.json", Fault::Status(403, gated), ErrorKind::Unauthorized, "access must be asked for"),
        ("/config.json", Fault::Status(401, gated), ErrorKind::Unauthorized, "access must be asked for"),
        ("/config.json", Fault::Status(403, ""), ErrorKind::Unauthorized, "the token at hand does not open it"),
        ("/config.json", Fault::Status(404, "X-Error-Code: EntryNotFound"), ErrorKind::NotFound, "no such file"),
    ];
    for (part, fault, kind, words) in cases {
        let scene = Scene::new();
        scene.hub.fault(part, 9, fault);
        let error = scene.open().and_then(|checkpoint| checkpoint.path("config.json")).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(words) && error.to_string().starts_with(REPO), "{error}");
        assert!(!scene.tree().keys().any(|path| path.starts_with("snapshots") || path.starts_with("refs")), "{:?}", scene.tree());
    }
    let scene = Scene::new();
    let error = Checkpoint::open("ada/no-such", &scene.options()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let error = scene.open().unwrap().path("pytorch_model.bin").unwrap_err();
    assert_eq!((error.kind(), error.to_string().contains("no file pytorch_model.bin")), (ErrorKind::NotFound, true));
}

#[test]
fn what_passes_is_tried_again() {
    let cases = [
        ("/revision/", Fault::Status(429, "Retry-After: 0")),
        ("/revision/", Fault::Status(500, "")),
        ("/tree/", Fault::Status(503, "")),
        ("HEAD ", Fault::Status(429, "RateLimit: \"resolvers\";r=0;t=0")),
        ("HEAD ", Fault::Status(502, "")),
        ("signed", Fault::Status(500, "")),
    ];
    at_once(cases, |(part, fault)| {
        let scene = Scene::new();
        scene.hub.fault(part, 2, fault);
        let path = scene.open().and_then(|checkpoint| checkpoint.path("model.safetensors")).unwrap();
        assert_eq!(fs::read(path).unwrap(), weights(), "{part}");
    });
}

#[test]
fn a_server_that_asks_to_wait_is_waited_for() {
    let scene = Scene::new();
    scene.hub.fault("HEAD ", 1, Fault::Status(429, "Retry-After: 1"));
    let before = std::time::Instant::now();
    scene.open().unwrap().path("config.json").unwrap();
    assert!(before.elapsed().as_millis() >= 1000);
    // Not for ever, though.
    scene.hub.fault("HEAD ", 1, Fault::Status(429, "Retry-After: 100000"));
    let error = scene.open().unwrap().path("model.safetensors").unwrap_err();
    assert!(error.to_string().contains("429"), "{error}");
}

#[test]
fn what_does_not_pass_is_an_error_and_leaves_nothing() {
    let cases = [("/revision/", "open"), ("HEAD ", "describe"), ("signed", "content")];
    at_once(cases, |(part, what)| {
        let scene = Scene::new();
        scene.hub.fault(part, 99, Fault::Status(500, ""));
        let error = scene.open().and_then(|checkpoint| checkpoint.path("model.safetensors")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Network, "{what}: {error}");
        assert!(error.to_string().contains(REPO) && error.to_string().contains("500"), "{error}");
        assert!(!scene.tree().keys().any(|path| !path.starts_with("trees/")), "{what}: {:?}", scene.tree());
    });
}

#[test]
fn a_broken_connection_is_resumed() {
    let scene = Scene::new();
    scene.hub.fault("signed", 1, Fault::Cut(100_000)).fault("signed", 1, Fault::Cut(50_000));
    let path = scene.open().unwrap().path("model.safetensors").unwrap();
    assert_eq!(fs::read(path).unwrap(), weights());
    let stored: Vec<_> = scene.hub.requests().into_iter().filter(|request| request.storage).map(|request| request.range).collect();
    assert_eq!(stored, [None, Some("bytes=100000-".to_owned()), Some("bytes=150000-".to_owned())]);
}

#[test]
fn a_download_that_broke_off_is_resumed_next_time() {
    let scene = Scene::new();
    scene.hub.fault("signed", 1, Fault::Cut(120_000)).fault("signed", 9, Fault::Status(500, ""));
    let error = scene.open().unwrap().path("model.safetensors").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(!scene.tree().keys().any(|path| path.starts_with("snapshots") || path.starts_with("refs")));
    scene.hub.heal();
    scene.hub.requests();
    let path = scene.open().unwrap().path("model.safetensors").unwrap();
    assert_eq!(fs::read(path).unwrap(), weights());
    assert!(scene.hub.requests().iter().any(|request| request.range.as_deref() == Some("bytes=120000-")));
    assert!(!scene.tree().keys().any(|path| path.ends_with(".incomplete")));
}

#[test]
fn a_server_that_cannot_resume_sends_everything_again() {
    let scene = Scene::new();
    scene.hub.fault("signed", 1, Fault::Cut(100_000)).fault("signed", 1, Fault::Whole);
    assert_eq!(fs::read(scene.open().unwrap().path("model.safetensors").unwrap()).unwrap(), weights());
}

#[test]
fn wrong_content_is_never_kept() {
    let cases = [
        (Fault::Short(7), "300000 bytes, but 299993 are sent"),
        (Fault::Corrupt, "does not have the hash"),
        (Fault::Header("Content-Length", "5"), "300000 bytes, but 5 are sent"),
    ];
    at_once(cases, |(fault, words)| {
        let scene = Scene::new();
        scene.hub.fault("signed", 9, fault);
        let error = scene.open().unwrap().path("model.safetensors").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Network, "{error}");
        assert!(error.to_string().contains(words), "{error}");
        assert!(!scene.tree().keys().any(|path| !path.starts_with("trees/")), "{:?}", scene.tree());
        scene.hub.heal();
        assert_eq!(fs::read(scene.open().unwrap().path("model.safetensors").unwrap()).unwrap(), weights());
    });
    // A small file is checked too, and one bad answer of two is forgiven.
    let scene = Scene::new();
    scene.hub.fault("GET /api/resolve-cache", 1, Fault::Corrupt);
    assert_eq!(fs::read(scene.open().unwrap().path("config.json").unwrap()).unwrap(), CONFIG);
}

#[test]
fn a_damaged_remainder_is_thrown_away() {
    let scene = Scene::new();
    let blobs = scene.folder.path().join("models--ada--tiny-bert/blobs");
    fs::create_dir_all(&blobs).unwrap();
    for remainder in [&b"something else"[..], &[0; 400_000], &[0; 300_000]] {
        fs::write(blobs.join(format!("{}.incomplete", scene.hub.etag("model.safetensors"))), remainder).unwrap();
        let path = scene.open().unwrap().path("model.safetensors").unwrap();
        assert_eq!(fs::read(&path).unwrap(), weights());
        fs::remove_file(fs::canonicalize(path).unwrap()).unwrap();
    }
}

#[test]
fn names_that_would_leave_the_folder_are_not_used() {
    let scene = Scene::new();
    scene.hub.list_also(&["../evil", "/etc/evil", "a/../../evil", "c:\\evil\\..", "fine"]);
    let checkpoint = scene.open().unwrap();
    assert!(!checkpoint.files().iter().any(|file| file.contains("evil")), "{:?}", checkpoint.files());
    assert!(checkpoint.has("fine") && !checkpoint.has("../evil"));
    assert_eq!(checkpoint.path("../evil").unwrap_err().kind(), ErrorKind::Request);

    let scene = Scene::new();
    scene.hub.fault("HEAD /api/resolve-cache", 9, Fault::Header("ETag", "\"../../../evil\""));
    assert!(scene.open().unwrap().path("config.json").unwrap_err().to_string().contains("ETag"));
    let scene = Scene::new();
    scene.hub.commit("../../../evil");
    assert_eq!(scene.open().unwrap_err().kind(), ErrorKind::Network);
}

#[test]
fn an_insecure_or_endless_redirect_is_refused() {
    for location in ["file:///etc/passwd", "/api/resolve-cache/config.json"] {
        let scene = Scene::new();
        let headers: &str = Box::leak(format!("Location: {location}").into_boxed_str());
        scene.hub.fault("config.json", 99, Fault::Status(307, headers));
        let error = scene.open().unwrap().path("config.json").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Network);
        assert!(error.to_string().contains("redirect"), "{error}");
    }
}

#[test]
fn what_never_ends_is_refused() {
    let scene = Scene::new();
    scene.hub.fault("/revision/", 9, Fault::Endless("[[[["));
    let error = scene.open().unwrap_err();
    assert!(error.kind() == ErrorKind::Network && error.to_string().contains("far too long"), "{error}");

    // Where the listing makes no sense, the names that came with the commit must do.
    for fault in [
        Fault::NextPage,
        Fault::Header("Link", "</api/models/ada/tiny-bert/tree/x?page=1>; rel=\"next\""),
        Fault::Endless(r#"[{"type": "file"}], "#),
        Fault::Header("Content-Encoding", "gzip"),
    ] {
        let scene = Scene::new();
        scene.hub.fault("/tree/", 1_000_000, fault.clone());
        assert_eq!(fs::read(scene.open().unwrap().path("config.json").unwrap()).unwrap(), CONFIG);
        let asked = scene.lines().iter().filter(|line| line.contains("/tree/")).count();
        assert!(asked <= 1_001, "{asked} pages");
        assert!(!scene.tree().keys().any(|path| path.starts_with("trees/")) || matches!(fault, Fault::Header("Content-Encoding", _)));
    }
}

/// A file of which neither the listing nor a header says how large it is.
#[test]
fn a_file_without_a_size_has_a_limit() {
    let scene = Scene::new();
    scene.hub.fault("/tree/", 99, Fault::Status(404, "X-Error-Code: EntryNotFound"));
    scene.hub.fault("resolve-cache/config.json", 99, Fault::Endless("x"));
    let error = scene.open().unwrap().path("config.json").unwrap_err();
    assert!(error.kind() == ErrorKind::Network && error.to_string().contains("256 MB"), "{error}");
    assert!(!scene.tree().keys().any(|path| path.starts_with("blobs")), "{:?}", scene.tree());
}

#[test]
fn descriptions_that_do_not_fit_are_refused() {
    let cases = [
        ("HEAD ", Fault::Header("X-Linked-Size", "5"), "listed with 300000 bytes, but described with 5"),
        ("HEAD ", Fault::Header("X-Linked-Etag", ""), "no ETag"),
        ("signed", Fault::Header("Content-Length", "300007"), "300000 bytes, but 300007 are sent"),
    ];
    for (part, fault, words) in cases {
        let scene = Scene::new();
        scene.hub.fault(part, 9, fault);
        let error = scene.open().unwrap().path("model.safetensors").unwrap_err();
        assert!(error.kind() == ErrorKind::Network && error.to_string().contains(words), "{error}");
        assert!(!scene.tree().keys().any(|path| path.starts_with("snapshots")), "{:?}", scene.tree());
    }
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n";
    let hub = StandIn::new(&[("model.safetensors", pointer, false)]);
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        cache_dir: Some(folder.path().to_owned()),
        endpoint: Some(hub.endpoint.clone()),
        offline: Some(false),
        ..Options::default()
    };
    let error = Checkpoint::open(REPO, &options).unwrap().path("model.safetensors").unwrap_err();
    assert!(error.kind() == ErrorKind::Network && error.to_string().contains("Git LFS pointer"), "{error}");
    assert!(!tree(folder.path()).keys().any(|path| path.contains("snapshots")), "{:?}", tree(folder.path()));
}
