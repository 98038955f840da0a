//! Valid and lying safetensors files.

use super::*;
use proptest::prelude::*;

/// A file with this header and as many data bytes.
fn file(header: &str, data: usize) -> Vec<u8> {
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.extend((0..data).map(|i| i as u8));
    file
}

#[test]
fn reads_every_dtype() {
    let dtypes = "F64 F32 F16 BF16 I64 I32 I16 I8 U8 U16 U32 U64 BOOL F8_E4M3 F8_E5M2";
    let (mut header, mut at) = (String::from(r#"{"__metadata__":{"format":"pt"}"#), 0);
    for name in dtypes.split(' ') {
        let end = at + dtype(name).unwrap().bytes(&[2, 3]).unwrap();
        header += &format!(r#","{name}":{{"dtype":"{name}","shape":[2,3],"data_offsets":[{at},{end}]}}"#);
        at = end;
    }
    let file = file(&(header + "}  "), at as usize);
    let tensors = read(&file).unwrap();
    assert_eq!(tensors.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(" "), dtypes);
    let (_, last) = tensors.last().unwrap();
    assert_eq!((last.offset + last.len) as usize, file.len());
}

#[test]
fn reads_scalars_and_tensors_without_elements() {
    let header =
        r#"{"empty":{"dtype":"F32","shape":[0,768],"data_offsets":[0,0]},"scalar":{"dtype":"I64","shape":[],"data_offsets":[0,8]}}"#;
    let tensors = read(&file(header, 8)).unwrap();
    assert_eq!(tensors.iter().map(|(name, info)| (name.as_str(), info.len)).collect::<Vec<_>>(), [("empty", 0), ("scalar", 8)]);
    assert!(read(&file("{}", 0)).unwrap().is_empty());
}

#[test]
fn names_what_is_wrong() {
    let one = |fields: &str| format!(r#"{{"w":{{{fields}}}}}"#);
    let cases = [
        (file("", 0), "header is damaged: EOF"),
        (vec![1, 2, 3], "3 bytes are too few"),
        (file("[1]", 0), "neither safetensors nor a PyTorch file"),
        (file("{\"a\"", 0), "header is damaged"),
        (file(&one(r#""dtype":"F32","shape":[2],"data_offsets":[0,8]"#), 7), "tensor `w`: data_offsets [0, 8] reach beyond the 7 bytes"),
        (file(&one(r#""dtype":"F32","shape":[2],"data_offsets":[0,8]"#), 9), "1 bytes after the last tensor"),
        (file(&one(r#""dtype":"F32","shape":[2],"data_offsets":[4,12]"#), 12), "tensor `w`: data_offsets [4, 12] leave a hole"),
        (file(&one(r#""dtype":"F32","shape":[2],"data_offsets":[8,0]"#), 8), "tensor `w`: data_offsets [8, 0] end before they begin"),
        (
            file(&one(r#""dtype":"F16","shape":[2],"data_offsets":[0,8]"#), 8),
            "tensor `w`: data_offsets [0, 8] hold 8 bytes, but F16 [2] takes 4",
        ),
        (file(&one(r#""dtype":"Q7","shape":[2],"data_offsets":[0,8]"#), 8), "tensor `w`: elements of type `Q7`"),
        (
            file(&one(r#""dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]"#), 8),
            "tensor `w`: shape [4294967296, 4294967296]",
        ),
        (file(&one(r#""dtype":"F32","shape":[-1],"data_offsets":[0,8]"#), 8), "tensor `w`: invalid value: integer `-1`"),
        (file(&one(r#""dtype":"F32","data_offsets":[0,8]"#), 8), "tensor `w`: missing field `shape`"),
        (file(&one(r#""dtype":"F32","shape":[1],"shape":[2],"data_offsets":[0,8]"#), 8), "tensor `w`: duplicate field `shape`"),
        (file(r#"{"__metadata__":{"a":1}}"#, 0), "`__metadata__`: invalid type"),
        (
            file(r#"{"w":{"dtype":"U8","shape":[],"data_offsets":[0,1]},"w":{"dtype":"U8","shape":[],"data_offsets":[1,2]}}"#, 2),
            "`w` comes twice",
        ),
        (
            file(r#"{"v":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"w":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}"#, 3),
            "tensor `w`: data_offsets [1, 3] overlap",
        ),
        ([100_000_001u64.to_le_bytes().as_slice(), b"{}"].concat(), "larger than 100000000"),
        ([99u64.to_le_bytes().as_slice(), b"{}"].concat(), "truncated: the safetensors header takes 99 bytes and the file has 2"),
        ([3u64.to_le_bytes().as_slice(), b"{\xff}"].concat(), "not UTF-8"),
    ];
    for (file, message) in cases {
        let error = read(&file).unwrap_err().to_string();
        assert!(error.contains(message), "{error}\n  should contain {message}");
    }
}

proptest! {
    #[test]
    fn damaged_files_never_panic(changes in prop::collection::vec((0usize..240, any::<u8>()), 1..6), cut in 0usize..300) {
        let header = r#"{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"b":{"dtype":"BF16","shape":[4],"data_offsets":[24,32]}}"#;
        let mut file = file(header, 32);
        for (at, byte) in changes {
            let at = at % file.len();
            file[at] = byte;
        }
        file.truncate(cut.max(1));
        let len = file.len() as u64;
        if let Ok(tensors) = read(&file) {
            for (_, info) in tensors {
                prop_assert!(info.offset + info.len <= len);
            }
        }
    }
}
