//! Files of every format of `torch.save`, and damaged ones.

use super::*;
use crate::weights::Tensors;
use proptest::prelude::*;
use serde::Deserialize;
use std::path::PathBuf;

/// Made by `scripts/goldens/weights.py`.
fn golden(file: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "tests", "goldens", "weights", file].iter().collect()
}

#[derive(Deserialize)]
struct Expected {
    dtype: String,
    shape: Vec<usize>,
    values: Vec<f32>,
}

fn values(tensors: &Tensors, name: &str) -> Vec<f32> {
    let dtype = tensors.get(name).unwrap().dtype;
    if dtype.is_float() {
        return tensors.to_f32(name).unwrap();
    }
    let bytes = tensors.bytes(name).unwrap();
    bytes.chunks_exact((dtype.bits() / 8) as usize).map(|e| e.iter().rev().fold(0u64, |n, b| n << 8 | u64::from(*b)) as f32).collect()
}

#[test]
fn reads_what_torch_saves() {
    let expected = std::fs::read(golden("expected.json")).unwrap();
    let expected: BTreeMap<String, BTreeMap<String, Expected>> = serde_json::from_slice(&expected).unwrap();
    for (file, expected) in expected {
        let tensors = Tensors::open(&[golden(&format!("{file}.bin"))]).unwrap();
        assert_eq!(tensors.names().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{file}");
        for (name, expected) in expected {
            let info = tensors.get(&name).unwrap();
            assert_eq!(state_dict::torch_dtype(&expected.dtype).unwrap(), info.dtype, "{file} {name}");
            assert_eq!(info.shape, expected.shape, "{file} {name}");
            assert_eq!(values(&tensors, &name), expected.values, "{file} {name}");
        }
    }
}

#[test]
fn dense_tensors_are_borrowed_and_tied_ones_share_their_bytes() {
    let tensors = Tensors::open(&[golden("module.bin")]).unwrap();
    let (tied, original) = (tensors.get("2.weight").unwrap(), tensors.get("0.weight").unwrap());
    assert_eq!((tied.offset, tied.len, &tied.strides), (original.offset, original.len, &None));

    let tensors = Tensors::open(&[golden("views.bin")]).unwrap();
    for (name, dense) in [("base", true), ("rows", true), ("one_row_transposed", true), ("empty_transposed", true), ("transposed", false)] {
        assert_eq!(tensors.get(name).unwrap().strides.is_none(), dense, "{name}");
        assert_eq!(matches!(tensors.bytes(name).unwrap(), std::borrow::Cow::Borrowed(_)), dense, "{name}");
    }
}

/// A stored zip archive; with `wide`, all its numbers stand in zip64 fields.
fn archive(entries: &[(&str, &[u8])], wide: bool) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in entries {
        let offset = file.len() as u64;
        let len = content.len() as u64;
        let short = |n: u64| if wide { u32::MAX } else { n as u32 }.to_le_bytes();
        let extra = [&[1, 0, 24, 0][..], &len.to_le_bytes(), &len.to_le_bytes(), &offset.to_le_bytes()].concat();
        let extra = if wide { &extra[..] } else { &[] };
        let lens = [short(len), short(len)].concat();
        let sizes = [(name.len() as u16).to_le_bytes(), (extra.len() as u16).to_le_bytes()].concat();
        file.extend([b"PK\x03\x04", &[0; 14][..], &lens, &sizes, name.as_bytes(), extra, content].concat());
        directory.extend([b"PK\x01\x02", &[0; 16][..], &lens, &sizes, &[0; 10], &short(offset), name.as_bytes(), extra].concat());
    }
    let (start, len, count) = (file.len() as u64, directory.len() as u64, entries.len() as u64);
    file.extend(directory);
    if wide {
        let end = file.len() as u64;
        let numbers = [count, count, len, start].map(u64::to_le_bytes).concat();
        file.extend([b"PK\x06\x06", &44u64.to_le_bytes()[..], &[0; 12], &numbers].concat());
        file.extend([b"PK\x06\x07", &[0; 4][..], &end.to_le_bytes(), &1u32.to_le_bytes()].concat());
    }
    let (count, len, start) = if wide { (u16::MAX, u32::MAX, u32::MAX) } else { (count as u16, len as u32, start as u32) };
    let count = count.to_le_bytes();
    file.extend([b"PK\x05\x06", &[0; 4][..], &count, &count, &len.to_le_bytes(), &start.to_le_bytes(), &[0; 2]].concat());
    file
}

/// The pickle of `{NAME: a float tensor of this size and stride, at this offset of storage 0}`.
fn pickle(name: &str, offset: u8, size: u8, stride: u8) -> Vec<u8> {
    let storage = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x09tQ";
    let name = [&[b'X'][..], &(name.len() as u32).to_le_bytes(), name.as_bytes()].concat();
    let view = [b'K', offset, b'K', size, 0x85, b'K', stride, 0x85];
    [b"\x80\x02}", &name[..], b"ctorch._utils\n_rebuild_tensor_v2\n(", storage, &view, b"\x89Ntr", &[0; 4], b"Rs."].concat()
}

#[test]
fn reads_archives_with_64_bit_numbers() {
    let content: Vec<u8> = [1f32, 2.0, 3.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    for wide in [false, true] {
        let file = archive(&[("m/data.pkl", &pickle("w", 1, 2, 1)), ("m/byteorder", b"little"), ("m/data/0", &content)], wide);
        let tensors = read(&file).unwrap();
        let [(name, info)] = &tensors[..] else { unreachable!() };
        assert_eq!((name.as_str(), &info.shape, info.len), ("w", &vec![2], 8));
        assert_eq!(&file[info.offset as usize..][..8], &content[4..]);
    }
}

#[test]
fn names_what_is_wrong() {
    let good = pickle("w", 0, 2, 1);
    let state = |pickle: &[u8], storage: &[u8]| archive(&[("m/data.pkl", pickle), ("m/data/0", storage)], false);
    let mut compressed = state(&good, &[0; 8]);
    let directory = compressed.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
    compressed[directory + 10] = 8;
    let legacy = std::fs::read(golden("legacy.bin")).unwrap();
    let big_endian = legacy.windows(15).position(|w| w == b"little_endian\x71\x02").unwrap();
    let big_endian = [&legacy[..big_endian + 15], &[0x89], &legacy[big_endian + 16..]].concat();
    let cases = [
        (state(&good, &[0; 7]), "tensor `w`: shape [2] at strides [1] from element 0 on reaches beyond its storage of 7 bytes"),
        (state(&pickle("w", 1, 2, 1), &[0; 8]), "tensor `w`: shape [2] at strides [1] from element 1 on"),
        (state(&pickle("w", 0, 2, 2), &[0; 8]), "tensor `w`: shape [2] at strides [2]"),
        (archive(&[("m/data.pkl", &good)], false), "tensor `w`: its storage `0` is not in the file"),
        (archive(&[("m/data.pkl", &good), ("m/byteorder", b"big")], false), "big-endian"),
        (archive(&[("m/data.pkl", &good), ("m/constants.pkl", b"")], false), "TorchScript"),
        (archive(&[("word/document.xml", b"")], false), "none that torch.save wrote"),
        (archive(&[("m/data.pkl", &good), ("m/data.pkl", &good)], false), "entry 1 of the zip archive has the name of another"),
        (state(b"\x80\x02}.", &[]), "no tensors by name"),
        (state(b"\x80\x02K\x01.", &[]), "holds no state dict"),
        (state(b"\x80\x02cposix\nsystem\nX\x02\x00\x00\x00ls\x85R.", &[]), "holds no state dict"),
        (state(&good[..good.len() - 1], &[0; 8]), "the pickle is truncated or damaged at its byte"),
        (state(b"\x80\x02(((\xff", &[]), "the pickle is truncated or damaged at its byte 5"),
        (compressed, "compressed"),
        (state(&good, &[0; 8])[..200].to_vec(), "truncated: the zip archive has no directory"),
        (legacy[..legacy.len() - 1].to_vec(), "the file is truncated or damaged"),
        (legacy[..40].to_vec(), "the pickle is truncated or damaged"),
        (big_endian, "big-endian"),
    ];
    for (file, message) in cases {
        let error = read(&file).unwrap_err().to_string();
        assert!(error.contains(message), "{error}\n  should contain {message}");
    }
}

#[test]
fn a_few_elements_are_not_repeated_into_a_huge_tensor() {
    // 255^4 elements of stride 0.
    let huge = [&[b'('][..], &[b'K', 255].repeat(4), b"t(", &[b'K', 0].repeat(4), b"t"].concat();
    let small = [b'K', 2, 0x85, b'K', 1, 0x85];
    let good = pickle("w", 0, 2, 1);
    let at = good.windows(6).position(|w| w == small).unwrap();
    let pickle = [&good[..at], &huge, &good[at + 6..]].concat();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pytorch_model.bin");
    std::fs::write(&path, archive(&[("m/data.pkl", &pickle), ("m/data/0", &[0; 4])], false)).unwrap();
    let error = Tensors::open(&[path]).unwrap().bytes("w").unwrap_err().to_string();
    assert!(error.contains("pytorch_model.bin: tensor `w`: shape [255, 255, 255, 255] repeats"), "{error}");
}

#[test]
fn dictionaries_that_contain_themselves_end() {
    // d = {"w": tensor}; d["d"] = d
    let good = pickle("w", 0, 2, 1);
    let cyclic = [b"\x80\x02}q\x01", &good[3..good.len() - 1], b"X\x01\x00\x00\x00dh\x01s."].concat();
    let tensors = read(&archive(&[("m/data.pkl", &cyclic), ("m/data/0", &[0; 8])], false)).unwrap();
    assert_eq!(tensors.len(), 1);
}

/// That a file is read or refused, that no tensor lies outside it, and that making it dense takes no more than it should.
fn check(file: &[u8]) -> std::result::Result<(), TestCaseError> {
    for (_, info) in crate::weights::read(file).unwrap_or_default() {
        prop_assert!(info.offset + info.len <= file.len() as u64);
        if info.dtype.bytes(&info.shape).unwrap() < 1 << 20 {
            let dense = crate::weights::dense::bytes(file, &info).unwrap();
            prop_assert_eq!(dense.len() as u64, info.dtype.bytes(&info.shape).unwrap());
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn damaged_files_never_panic(
        which in 0usize..5,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let file = ["views", "parameters", "legacy", "legacy_module", "nested"][which];
        let mut file = std::fs::read(golden(&format!("{file}.bin"))).unwrap();
        for (at, byte) in changes {
            let at = at.index(file.len());
            file[at] = byte;
        }
        if let Some(cut) = cut {
            file.truncate(cut.index(file.len()));
        }
        check(&file)?;
    }

    #[test]
    fn damaged_pickles_never_panic(
        protocol4: bool,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
    ) {
        let file = std::fs::read(golden(if protocol4 { "protocol4.bin" } else { "parameters.bin" })).unwrap();
        let entries = zip::entries(&file).unwrap();
        let pickle = entries.iter().find(|(name, _)| name.ends_with("data.pkl")).unwrap().1.clone();
        let mut file = file;
        for (at, byte) in changes {
            file[pickle.start + at.index(pickle.len())] = byte;
        }
        check(&file)?;
    }

    #[test]
    fn random_pickles_never_panic(bytes in prop::collection::vec(prop_oneof![prop::sample::select(&b"(.012NJKMIFGSVUTXCB)tl]ae}dsucRboiPQpqrghj\x80\x81\x85\x86\x87\x88\x8a\x8c\x8f\x90\x91\x92\x93\x94"[..]), any::<u8>()], 0..200)) {
        if let Ok(pickle) = Pickle::load(&bytes) {
            let _ = state_dict::views(&pickle);
        }
    }
}
