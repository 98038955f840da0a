//! One operator each, as a model of nothing else.

use super::check;

/// A field of a message.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2][..], &varint(bytes.len() as u64), bytes].concat()
}

fn whole(number: u32, value: i64) -> Vec<u8> {
    [varint(u64::from(number << 3)), varint(value.cast_unsigned())].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn node(op: &str, inputs: &[&str], outputs: usize, attributes: &[Vec<u8>]) -> Vec<u8> {
    let mut node: Vec<u8> = inputs.iter().flat_map(|name| field(1, name.as_bytes())).collect();
    (0..outputs).for_each(|_| node.extend(field(2, b"y")));
    node.extend(field(4, op.as_bytes()));
    attributes.iter().for_each(|attribute| node.extend(field(5, attribute)));
    node
}

fn model(node: &[u8]) -> Vec<u8> {
    field(7, &field(1, node))
}

fn int(name: &str, value: i64) -> Vec<u8> {
    [field(1, name.as_bytes()), whole(3, value)].concat()
}

fn ints(name: &str, values: &[i64]) -> Vec<u8> {
    [field(1, name.as_bytes()), values.iter().flat_map(|value| whole(8, *value)).collect()].concat()
}

#[test]
fn inputs_without_a_name() {
    for (op, inputs, place) in [
        ("Max", vec!["a", ""], Some(1)),
        ("Max", vec!["a", "b", "", "c"], Some(2)),
        ("Sum", vec!["a", "b", "c"], None),
        ("Min", vec![""], Some(0)),
        ("Concat", vec!["a", ""], Some(1)),
        ("MatMul", vec!["a", ""], Some(1)),
        ("Clip", vec!["a", "", "b"], None),
        ("Clip", vec!["", "a", "b"], Some(0)),
        ("Resize", vec!["a", "", "b"], None),
        ("LayerNormalization", vec!["a", "b", ""], Some(2)),
        ("LayerNormalization", vec!["a", "b"], None),
        ("DFT", vec!["a", "", "b"], None),
        ("DFT", vec!["a", "", ""], Some(2)),
        ("Loop", vec!["", "", "a"], None),
        ("Loop", vec!["", "", ""], Some(2)),
        ("NobodyKnows", vec!["", ""], None),
    ] {
        let checked = check(&model(&node(op, &inputs, 1, &[])));
        match place {
            None => assert!(checked.is_ok(), "{op} {inputs:?}: {checked:?}"),
            Some(place) => {
                let error = checked.unwrap_err().to_string();
                assert!(error.contains(op) && error.contains(&format!("input {place} ")), "{op} {inputs:?}: {error}");
            }
        }
    }
    // Somebody else's operator of the same name.
    let other = [node("Max", &["a", ""], 1, &[]), field(7, b"com.microsoft")].concat();
    assert!(check(&model(&other)).is_ok());
    let same = [node("Max", &["a", ""], 1, &[]), field(7, b"ai.onnx")].concat();
    assert!(check(&model(&same)).is_err());
}

#[test]
fn attributes_out_of_range() {
    let refers = [field(1, b"batch_dims"), [&[0xaa, 1][..], &[4], b"dims"].concat()].concat();
    for (op, outputs, attributes, good) in [
        ("GatherND", 1, vec![int("batch_dims", 0)], true),
        ("GatherND", 1, vec![int("batch_dims", 1)], true),
        ("GatherND", 1, vec![int("batch_dims", -1)], false),
        ("GatherND", 1, vec![int("batch_dims", i64::from(i32::MIN))], false),
        ("GatherND", 1, vec![int("batch_dims", i64::MIN)], false),
        ("GatherND", 1, vec![int("batch_dims", i64::MAX)], false),
        ("GatherND", 1, vec![refers], false),
        ("GatherND", 1, vec![int("other", -1)], true),
        ("Attention", 1, vec![int("q_num_heads", 4), int("kv_num_heads", 2)], true),
        ("Attention", 1, vec![int("kv_num_heads", 0)], false),
        ("Attention", 1, vec![int("kv_num_heads", 1 << 62)], false),
        ("Split", 2, vec![int("num_outputs", 2)], true),
        ("Split", 2, vec![int("num_outputs", 3)], false),
        ("Split", 2, vec![int("num_outputs", -2)], false),
        ("Split", 2, vec![int("axis", 1)], true),
        (
            "TfIdfVectorizer",
            1,
            vec![ints("ngram_counts", &[0, 4]), ints("ngram_indexes", &[0, 1, 2, 3, 4, 5]), ints("pool_int64s", &[2, 3, 5, 4, 5, 6, 7, 8])],
            true,
        ),
        (
            "TfIdfVectorizer",
            1,
            vec![ints("ngram_counts", &[0, 4]), ints("ngram_indexes", &[0]), ints("pool_int64s", &[2, 3, 5, 4, 5, 6])],
            false,
        ),
    ] {
        let checked = check(&model(&node(op, &["a"], outputs, &attributes)));
        assert_eq!(checked.is_ok(), good, "{op}: {checked:?}");
    }
}

#[test]
fn graphs_within_graphs_and_functions() {
    let bad = node("Max", &["a", ""], 1, &[]);
    let branch = |inner: &[u8]| node("If", &["a"], 1, &[[field(1, b"then_branch"), field(6, &field(1, inner))].concat()]);
    assert!(check(&model(&branch(&branch(&bad)))).is_err());
    assert!(check(&model(&branch(&node("Max", &["a"], 1, &[])))).is_ok());
    let function = [&[0xca, 1][..], &varint(field(7, &bad).len() as u64), &field(7, &bad)].concat();
    assert!(check(&function).is_err());
    let mut deep = bad;
    for _ in 0..200 {
        deep = branch(&deep);
    }
    assert!(check(&model(&deep)).unwrap_err().to_string().contains("deep"));
}

#[test]
fn what_is_no_model() {
    assert!(check(&[]).is_ok());
    assert!(check(b"\x20\0\0\0ORTM and so on").is_ok());
    let good = model(&node("Max", &["a"], 1, &[]));
    for cut in 1..good.len() {
        assert!(check(&good[..cut]).is_err(), "{cut}");
    }
    assert!(check(&[0xff; 99]).is_err());
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_judged(bytes: Vec<u8>) {
        let _ = check(&bytes);
        let _ = check(&model(&bytes));
    }
}
