//! Folders that cannot be read or written, and disks without room: nothing half-written is left.

use std::{
    fs,
    path::{Path, PathBuf},
};

use formers::{
    ErrorKind, Options, hub,
    model::{self, ModelDtype, Pretrained},
};

use sha2::{Digest, Sha256};

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
        // A file is a mistake of the call.
        let kind = if cache.is_file() { ErrorKind::Request } else { ErrorKind::Io };
        let outcome = watched(move || {
            let pretrained = Pretrained::open(options)?;
            pretrained.export(pretrained.head(), &cache)
        });
        failures.extend(judge(outcome, kind, &[&named]).err());
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
        assert!(!out.exists());
        assert_eq!(files(&place), std::slice::from_ref(&cache));
    }
}

/// What is damaged is converted again, and what a conversion that was killed has left is removed.
#[test]
fn an_entry_that_is_not_whole() {
    let cache = tempfile::tempdir().unwrap();
    let answer = |cache: &Path| -> Result<String, String> {
        let path = cache.to_path_buf();
        let classify =
            watched(move || formers::pipeline("text-classification", converted(&path))?.call(&"a".into(), &serde_json::json!({})));
        classify?.map(|answer| answer.to_string()).map_err(|error| error.to_string())
    };
    let first = answer(cache.path()).unwrap();
    let whole = |cache: &Path| {
        let mut files: Vec<(PathBuf, Vec<u8>)> =
            files(cache).into_iter().filter(|path| path.is_file()).map(|path| (path.clone(), fs::read(path).unwrap())).collect();
        files.sort();
        files
    };
    let made = whole(cache.path());
    assert_eq!(made.len(), 3, "{made:?}");
    let entry = made[0].0.parent().unwrap().to_owned();
    let mut failures = Vec::new();
    for (file, bytes) in &made {
        let half = [&bytes[..bytes.len() / 2], &vec![0; bytes.len() - bytes.len() / 2]].concat();
        for damaged in [Some(&bytes[..bytes.len() / 2]), Some(&[]), Some(&half), None] {
            match damaged {
                Some(damaged) => fs::write(file, damaged).unwrap(),
                None => fs::remove_file(file).unwrap(),
            }
            // As a process that was killed leaves it.
            let left = cache.path().join(".part-0123-dead");
            fs::create_dir_all(&left).unwrap();
            fs::write(left.join(".lock"), "").unwrap();
            let name = format!("{} as {:?} bytes", file.display(), damaged.map(<[u8]>::len));
            match answer(cache.path()) {
                Ok(answer) if answer == first => {}
                other => failures.push(format!("{name}: {other:?}")),
            }
            if whole(cache.path()) != made || left.exists() {
                failures.push(format!("{name}: {:?}", files(cache.path())));
            }
        }
    }
    // What is no file, in the place of one or of a lock.
    for file in made.iter().map(|(file, _)| file.clone()).chain([cache.path().join(".part-0123-dead/.lock")]) {
        let folder = |place: &Path| fs::create_dir_all(place).unwrap();
        #[cfg(target_os = "linux")]
        let pipe = |place: &Path| assert!(std::process::Command::new("mkfifo").arg(place).status().unwrap().success());
        #[cfg(not(target_os = "linux"))]
        let pipe = folder;
        for odd in [&folder as &dyn Fn(&Path), &pipe] {
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            let _ = fs::remove_file(&file);
            let _ = fs::remove_dir(&file);
            odd(&file);
            match answer(cache.path()) {
                Ok(answer) if answer == first => {}
                other => failures.push(format!("{} is none: {other:?}", file.display())),
            }
        }
    }
    fs::remove_dir_all(cache.path().join(".part-0123-dead")).unwrap();
    // A graph that its manifest calls whole, and that cannot be opened.
    fs::write(entry.join("model_int8.onnx"), "no graph").unwrap();
    let manifest = entry.join("formers.json");
    let mut about: serde_json::Value = serde_json::from_slice(&fs::read(&manifest).unwrap()).unwrap();
    about["files"][0]["bytes"] = 8.into();
    about["files"][0]["digest"] = Sha256::digest("no graph").iter().map(|byte| format!("{byte:02x}")).collect::<String>().into();
    fs::write(&manifest, about.to_string()).unwrap();
    failures.extend(answer(cache.path()).err());
    fs::remove_dir_all(&entry).unwrap();
    fs::write(&entry, "a file").unwrap();
    failures.extend(
        judge(
            watched({
                let path = cache.path().to_path_buf();
                move || formers::pipeline("text-classification", converted(&path))
            }),
            ErrorKind::Io,
            &["FORMERS_CACHE"],
        )
        .err(),
    );
    report(failures);
}

/// Those that convert at once wait for each other, and all answer.
#[test]
fn conversions_at_once() {
    let cache = tempfile::tempdir().unwrap();
    let answers: Vec<String> = std::thread::scope(|scope| {
        let answer =
            || formers::pipeline("text-classification", converted(cache.path())).unwrap().call(&"a".into(), &serde_json::json!({}));
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(answer)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap().unwrap().to_string()).collect()
    });
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(fs::read_dir(cache.path()).unwrap().count(), 1);
}

/// An application with a cache of its own has all in one folder, and can list and remove what was converted.
#[test]
fn converted_models_in_the_applications_cache() {
    let place = tempfile::tempdir().unwrap();
    let options = |dtype| {
        let mut options = Options { dtype, ..Options::new(golden(MODEL).to_str().unwrap()) };
        options.hub.cache_dir = Some(place.path().into());
        options
    };
    for dtype in [ModelDtype::Int8, ModelDtype::Q4] {
        formers::pipeline("text-classification", options(dtype)).unwrap();
    }
    let folder = model::converted::dir_in(Some(place.path()));
    assert_eq!(folder.parent(), Some(place.path()));
    fs::create_dir(folder.join("somebody else's")).unwrap();
    let found = model::converted::scan(&folder).unwrap();
    let about: Vec<_> =
        found.iter().map(|c| (c.model.as_deref().unwrap(), c.dtype.as_deref().unwrap(), c.part.as_deref().unwrap(), c.current)).collect();
    let name = golden(MODEL);
    let name = name.to_str().unwrap();
    assert_eq!(about, [(name, "int8", "model", true), (name, "q4", "model", true)]);
    assert_eq!(model::converted::remove(&found[0]).unwrap(), found[0].size);
    assert_eq!(model::converted::remove(&found[0]).unwrap_err().kind(), ErrorKind::NotFound);
    let left = model::converted::scan(&folder).unwrap();
    assert_eq!((left.len(), left[0].dtype.as_deref()), (1, Some("q4")));
    formers::pipeline("text-classification", options(ModelDtype::Q4)).unwrap();
    assert!(hub::cache::scan(place.path()).unwrap().is_empty());
}

/// A folder that is converted to is whole, or not there; one that is there keeps what it has.
#[test]
fn an_export_is_whole_or_not_there() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("new/out");
    let export = |model: &Path, dtype| {
        let pretrained = Pretrained::open(Options { dtype, ..Options::new(model.to_str().unwrap()) }).unwrap();
        pretrained.export(pretrained.head(), &out)
    };
    let dead = place.path().join("new/.part-out-dead");
    fs::create_dir_all(&dead).unwrap();
    fs::write(dead.join(".lock"), "").unwrap();
    let exported = export(&golden(MODEL), ModelDtype::Int8).unwrap();
    assert!(exported.files.iter().all(|file| file.is_file() && file.starts_with(&out)), "{:?}", exported.files);
    assert!(exported.files.last().unwrap().ends_with("config.json") && !dead.exists());
    let before = files(&out);
    let exported = export(&golden(MODEL), ModelDtype::Q4).unwrap();
    assert_eq!(files(&out).len(), before.len() + exported.files.iter().filter(|file| file.to_str().unwrap().contains("_q4")).count());
    assert_eq!(fs::read_dir(place.path().join("new")).unwrap().count(), 1);
}
