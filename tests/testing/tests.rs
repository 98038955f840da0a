#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    thread,
};

use crate::{Weights, checkpoint, golden, goldens, make, name};

/// A checkpoint of one tensor, and a file that lies elsewhere.
fn folder(crc32: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let weights = format!(
        r#"{{"seed": 3, "crc32": "{crc32}", "files": {{"vocab.txt": "../words.txt"}}, "tensors": {{"w": {{"dtype": "F32", "shape": [4], "mean": 0, "scale": 1}}}}}}"#
    );
    fs::create_dir_all(folder.path().join("model/inner")).unwrap();
    fs::write(folder.path().join("words.txt"), "one\ntwo\n").unwrap();
    fs::write(folder.path().join("model/config.json"), "{}").unwrap();
    fs::write(folder.path().join("model/inner/config.json"), "{}").unwrap();
    fs::write(folder.path().join("model/weights.json"), weights).unwrap();
    folder
}

fn crc32() -> String {
    let scene = folder("");
    Weights::read(&scene.path().join("model/weights.json")).unwrap().write_unchecked(&scene.path().join("w")).unwrap()
}

/// Of every type, and of names that JSON writes otherwise: the file has the CRC-32 that Python computed.
#[test]
fn python_draws_the_same() {
    let scene = tempfile::tempdir().unwrap();
    let out = scene.path().join("model.safetensors");
    Weights::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("types.json")).unwrap().write(&out).unwrap();
    assert!(fs::metadata(out).unwrap().len() > 500_000);
}

#[test]
fn a_checkpoint_has_all_files_and_its_weights() {
    let scene = folder(&crc32());
    let out = scene.path().join("new/out");
    make(&scene.path().join("model"), &out).unwrap();
    let read = |name: &str| fs::read_to_string(out.join(name)).unwrap();
    assert_eq!((read("vocab.txt"), read("inner/config.json")), ("one\ntwo\n".into(), "{}".into()));
    assert!(!out.join("weights.json").exists());
    let bytes = fs::read(out.join("model.safetensors")).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    assert_eq!(header["w"], serde_json::json!({"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}));
    assert_eq!((length % 8, bytes.len()), (0, 8 + length + 16));
    // Sums of whole numbers times 1.
    assert!(bytes[8 + length..].chunks(4).all(|number| f32::from_le_bytes(number.try_into().unwrap()).fract() == 0.0));
    let again = make(&scene.path().join("model"), &out).unwrap_err().to_string();
    assert!(again.contains("is there already"), "{again}");
}

#[test]
fn other_weights_than_those_that_were_recorded_are_an_error() {
    let scene = folder("01234567");
    let error = make(&scene.path().join("model"), &scene.path().join("out")).unwrap_err().to_string();
    assert!(error.contains(&crc32()) && error.contains("01234567"), "{error}");
    let left: Vec<_> = fs::read_dir(scene.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
    for (old, new, problem) in [
        ("\"F32\"", "\"F33\"", "F33"),
        ("[4]", "[18446744073709551615, 9]", "larger than any file"),
        ("\"scale\": 1", "\"scale\": 1e38", "do not fit"),
        ("\"seed\"", "\"sede\"", "sede"),
        ("../words", "../swords", "swords.txt"),
    ] {
        let scene = folder(&crc32());
        let file = scene.path().join("model/weights.json");
        fs::write(&file, fs::read_to_string(&file).unwrap().replace(old, new)).unwrap();
        let error = make(&scene.path().join("model"), &scene.path().join("out")).unwrap_err().to_string();
        assert!(error.contains("weights.json") && error.contains(problem), "{error}");
    }
}

#[test]
fn it_is_made_once_and_again_when_a_file_changes() {
    let scene = folder(&crc32());
    let model = scene.path().join("model");
    let made: Vec<PathBuf> = thread::scope(|scope| {
        (0..8).map(|_| scope.spawn(|| checkpoint(&model))).collect::<Vec<_>>().into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert!(made.iter().all(|folder| *folder == made[0] && folder.ends_with("model")), "{made:?}");
    let weights = made[0].join("model.safetensors");
    let time = fs::metadata(&weights).unwrap().modified().unwrap();
    assert_eq!((checkpoint(&model), fs::metadata(&weights).unwrap().modified().unwrap()), (made[0].clone(), time));
    fs::write(scene.path().join("words.txt"), "three\n").unwrap();
    let other = checkpoint(&model);
    assert_ne!(other, made[0]);
    assert_eq!(fs::read_to_string(other.join("vocab.txt")).unwrap(), "three\n");
    for folder in [&other, &made[0]] {
        fs::remove_dir_all(folder.parent().unwrap()).unwrap();
    }
    assert_eq!(checkpoint(scene.path()), scene.path());
}

#[test]
fn goldens_are_made_and_what_they_share_is_used() {
    let (mut drawn, mut used) = (0, BTreeSet::new());
    let mut open = vec![goldens()];
    while let Some(folder) = open.pop() {
        open.extend(fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()));
        if folder.join("weights.json").exists() {
            drawn += 1;
            let made = checkpoint(&folder);
            assert!(made.join("model.safetensors").exists() && made != folder && name(&made) == name(&folder), "{}", made.display());
            assert_eq!(golden(&name(&folder)), made);
            let files = Weights::read(&folder.join("weights.json")).unwrap().files;
            used.extend(files.into_values().filter_map(|place| place.rsplit_once("shared/").map(|(_, file)| file.to_owned())));
        }
    }
    assert!(drawn > 0);
    let shared: BTreeSet<String> =
        fs::read_dir(goldens().join("shared")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let unused: Vec<&String> = shared.difference(&used).collect();
    assert!(unused.is_empty(), "no golden has these files of tests/goldens/shared: {unused:?}");
}
