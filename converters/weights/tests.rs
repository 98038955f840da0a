//! Checkpoints of one and several files.

use super::*;
use std::fs;

/// A safetensors file of `f32` vectors.
fn safetensors(tensors: &[(&str, &[f32])]) -> Vec<u8> {
    let (mut header, mut data) = (Vec::new(), Vec::new());
    for (name, values) in tensors {
        let start = data.len();
        data.extend(values.iter().flat_map(|v| v.to_le_bytes()));
        header.push(format!(r#""{name}":{{"dtype":"F32","shape":[{}],"data_offsets":[{start},{}]}}"#, values.len(), data.len()));
    }
    let header = format!("{{{}}}", header.join(","));
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &data].concat()
}

/// A folder with these files.
fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in files {
        fs::write(dir.path().join(name), content).unwrap();
    }
    dir
}

fn open_indexed(dir: &Path) -> Result<Tensors> {
    Tensors::open_indexed(&dir.join("model.safetensors.index.json"), &|file| Ok(dir.join(file)))
}

#[test]
fn opens_shards_with_and_without_an_index() {
    let (one, two) = (safetensors(&[("b", &[1.0, 2.0])]), safetensors(&[("a", &[3.0]), ("extra", &[4.0])]));
    let index = br#"{"metadata":{"total_size":16},"weight_map":{"a":"2.safetensors","b":"1.safetensors"}}"#;
    let dir = folder(&[("1.safetensors", &one), ("2.safetensors", &two), ("model.safetensors.index.json", index)]);
    let files = ["1.safetensors", "2.safetensors"].map(|f| dir.path().join(f));

    for tensors in [Tensors::open(&files).unwrap(), open_indexed(dir.path()).unwrap()] {
        assert_eq!(tensors.names().collect::<Vec<_>>(), ["a", "b", "extra"]);
        assert_eq!(tensors.files(), files);
        assert_eq!(tensors.to_f32("b").unwrap(), [1.0, 2.0]);
        assert!(matches!(tensors.bytes("a").unwrap(), Cow::Borrowed(_)));
        let info = tensors.get("extra").unwrap();
        assert_eq!(fs::read(&files[info.file]).unwrap()[info.offset as usize..][..info.len as usize], 4f32.to_le_bytes());
    }
}

#[test]
fn the_last_of_two_files_counts() {
    let (one, two) = (safetensors(&[("a", &[1.0])]), safetensors(&[("a", &[2.0]), ("b", &[3.0])]));
    let index = br#"{"weight_map":{"a":"1.safetensors","b":"2.safetensors"}}"#;
    let dir = folder(&[("1.safetensors", &one), ("2.safetensors", &two), ("model.safetensors.index.json", index)]);
    assert_eq!(open_indexed(dir.path()).unwrap().to_f32("a").unwrap(), [2.0]);
}

#[test]
fn an_index_says_only_which_files_there_are() {
    let (one, two) = (safetensors(&[("a", &[1.0])]), safetensors(&[("b", &[2.0])]));
    for index in [
        r#"{"weight_map":{"a":"1.safetensors","nowhere":"deep/2.safetensors"}}"#,
        r#"{"weight_map":{"b":"1.safetensors","a":"deep/2.safetensors"}}"#,
    ] {
        let dir = folder(&[("1.safetensors", &one), ("model.safetensors.index.json", index.as_bytes())]);
        fs::create_dir(dir.path().join("deep")).unwrap();
        fs::write(dir.path().join("deep/2.safetensors"), &two).unwrap();
        let tensors = open_indexed(dir.path()).unwrap();
        assert_eq!(tensors.names().collect::<Vec<_>>(), ["a", "b"], "{index}");
    }
}

#[test]
fn names_the_file_that_is_wrong() {
    let a = safetensors(&[("a", &[1.0])]);
    type Case<'a> = (&'a [(&'a str, &'a [u8])], &'a str);
    let cases: [Case; 5] = [
        (&[("x.safetensors", &a), ("y.safetensors", &a)], "y.safetensors: tensor `a` is also in"),
        (&[("x.safetensors", b"")], "x.safetensors: the file is empty"),
        (&[("x.safetensors", b"version https://git-lfs.github.com/spec/v1\n")], "x.safetensors: this is a Git LFS pointer"),
        (&[("x.safetensors", &a[..a.len() - 1])], "x.safetensors: tensor `a`: data_offsets [0, 4] reach beyond the 3 bytes"),
        (&[("x.safetensors", &a[..20])], "x.safetensors: truncated"),
    ];
    for (files, message) in cases {
        let dir = folder(files);
        let paths: Vec<_> = files.iter().map(|(name, _)| dir.path().join(name)).collect();
        let error = Tensors::open(&paths).unwrap_err().to_string();
        assert!(error.contains(message), "{error}\n  should contain {message}");
    }
    let dir = folder(&[]);
    assert_eq!(Tensors::open(&[dir.path().join("missing")]).unwrap_err().kind(), crate::ErrorKind::Io);
    assert!(Tensors::open(&[dir.path().to_owned()]).is_err());
}

#[test]
fn names_what_is_wrong_with_an_index() {
    let a = safetensors(&[("a", &[1.0])]);
    let cases = [
        (r#"{"weight_map":{"a":"x/../../1.safetensors"}}"#, "tensor `a` has `x/../../1.safetensors`, which is no file name"),
        (r#"{"weight_map":{"a":"/1.safetensors"}}"#, "tensor `a` has `/1.safetensors`, which is no file name"),
        (r#"{"weight_map":{"a":"../1.safetensors"}}"#, "tensor `a` has `../1.safetensors`, which is no file name"),
        (r#"{"weight_map":{"a":"2.safetensors"}}"#, "2.safetensors: "),
        (r#"{"weights":{}}"#, "model.safetensors.index.json: missing field `weight_map`"),
    ];
    for (index, message) in cases {
        let dir = folder(&[("1.safetensors", &a), ("model.safetensors.index.json", index.as_bytes())]);
        let error = open_indexed(dir.path()).unwrap_err().to_string();
        assert!(error.contains(message), "{error}\n  should contain {message}");
    }
}

#[test]
fn names_the_tensor_that_is_wrong() {
    let header = r#"{"ids":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}"#;
    let file = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &[0; 8]].concat();
    let dir = folder(&[("model.safetensors", &file)]);
    let tensors = Tensors::open(&[dir.path().join("model.safetensors")]).unwrap();
    assert!(tensors.bytes("absent").unwrap_err().to_string().contains("no tensor `absent`"));
    assert!(tensors.to_f32("ids").unwrap_err().to_string().contains("tensor `ids` holds I64"));
}
