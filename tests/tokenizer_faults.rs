//! Damaged tokenizer files and hard texts: an error or an answer, never a panic or a hang.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use formers::ErrorKind;
use formers::preprocess::text::{EncodeOptions, Files, Folder, Padding, Text, Tokenizer, Truncation};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Files that are only in memory.
struct Memory(BTreeMap<String, Vec<u8>>);

impl Files for Memory {
    fn read(&self, name: &str) -> formers::Result<Option<Vec<u8>>> {
        Ok(self.0.get(name).cloned())
    }

    fn list(&self, folder: &str) -> formers::Result<Vec<String>> {
        Ok(self.0.keys().filter(|name| name.starts_with(&format!("{folder}/"))).cloned().collect())
    }
}

/// Names of files and what is in them.
type Entries<'a> = &'a [(&'a str, &'a [u8])];

fn files(entries: Entries<'_>) -> Memory {
    Memory(entries.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect())
}

fn golden(folder: &str) -> Folder {
    Folder::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/tokenizers").join(folder))
}

fn load(folder: &str) -> Tokenizer {
    Tokenizer::from_files(&golden(folder), &json!({})).unwrap()
}

#[test]
fn damaged_files_are_named() {
    let model = |model: Value| json!({"model": model, "added_tokens": []}).to_string().into_bytes();
    let class = |name: &str| json!({ "tokenizer_class": name }).to_string().into_bytes();
    let bert = class("BertTokenizer");
    let spm = class("XLMRobertaTokenizer");
    let bpe = class("RobertaTokenizer");
    let ctc = class("Wav2Vec2CTCTokenizer");
    let unigram = model(json!({"type": "Unigram", "vocab": [["a", 0.0]], "unk_id": 7}));
    let merges = model(json!({"type": "BPE", "vocab": {"a": 0}, "merges": ["a b"]}));
    let missing_special = model(json!({"type": "BPE", "vocab": {}, "merges": []}));
    let mut regex: Value = serde_json::from_slice(&model(json!({"type": "BPE", "vocab": {"a": 0}, "merges": []}))).unwrap();
    regex["pre_tokenizer"] = json!({"type": "Split", "pattern": {"Regex": "(("}, "behavior": "Isolated", "invert": false});
    let regex = regex.to_string().into_bytes();
    // A table of 4 GB, in four bytes.
    let mut charsmap: Value = serde_json::from_slice(&model(json!({"type": "BPE", "vocab": {"a": 0}, "merges": []}))).unwrap();
    charsmap["normalizer"] = json!({"type": "Sequence", "normalizers": [{"type": "Precompiled", "precompiled_charsmap": "/////w=="}]});
    let charsmap = charsmap.to_string().into_bytes();
    let cases: &[(Entries<'_>, ErrorKind, &str)] = &[
        (&[], ErrorKind::NotFound, "tokenizer.json"),
        (&[("tokenizer.json", &charsmap)], ErrorKind::Checkpoint, "precompiled_charsmap"),
        (&[("tokenizer_config.json", &bert)], ErrorKind::NotFound, "vocab.txt"),
        (&[("tokenizer_config.json", &spm)], ErrorKind::NotFound, "sentencepiece.bpe.model"),
        (&[("tokenizer_config.json", &ctc)], ErrorKind::NotFound, "vocab.json"),
        (&[("tokenizer_config.json", &bpe), ("vocab.json", b"{}")], ErrorKind::NotFound, "merges.txt"),
        (&[("tokenizer_config.json", b"[]"), ("tokenizer.json", b"{}")], ErrorKind::Checkpoint, "tokenizer_config.json"),
        (&[("tokenizer.json", b"{\"model\": {")], ErrorKind::Checkpoint, "tokenizer.json"),
        (&[("tokenizer.json", b"\xff\xfe")], ErrorKind::Checkpoint, "tokenizer.json"),
        (&[("tokenizer.json", &unigram)], ErrorKind::Checkpoint, "vocabulary"),
        (&[("tokenizer.json", &merges)], ErrorKind::Checkpoint, "vocabulary"),
        (&[("tokenizer.json", &regex)], ErrorKind::Checkpoint, "pre_tokenizer"),
        (&[("tokenizer_config.json", &bert), ("vocab.txt", b"\xff\xfe\n")], ErrorKind::Checkpoint, "vocab.txt"),
        (&[("tokenizer_config.json", &bpe), ("vocab.json", b"{\"a\": "), ("merges.txt", b"")], ErrorKind::Checkpoint, "vocab.json"),
        (
            &[("tokenizer_config.json", &bpe), ("vocab.json", b"{}"), ("merges.txt", b"a b c\n")],
            ErrorKind::Checkpoint,
            "merges.txt: line 1",
        ),
        (&[("tokenizer_config.json", &bpe), ("vocab.json", b"{}"), ("merges.txt", b"a b\n")], ErrorKind::Checkpoint, "vocabulary"),
        (&[("tokenizer_config.json", &spm), ("sentencepiece.bpe.model", b"not one")], ErrorKind::Checkpoint, "sentencepiece.bpe.model"),
        (&[("tokenizer_config.json", &spm), ("sentencepiece.bpe.model", b"")], ErrorKind::Checkpoint, "sentencepiece.bpe.model"),
        (&[("tokenizer_config.json", &ctc), ("vocab.json", b"[1]")], ErrorKind::Checkpoint, "vocab.json"),
        (
            &[("tokenizer_config.json", b"{\"padding_side\": \"up\"}"), ("tokenizer.json", &missing_special)],
            ErrorKind::Config,
            "padding_side",
        ),
    ];
    for (entries, kind, part) in cases {
        let error = Tokenizer::from_files(&files(entries), &json!({})).map(|tokenizer| tokenizer.vocab_size()).unwrap_err();
        let names: Vec<&str> = entries.iter().map(|(name, _)| *name).collect();
        assert_eq!(error.kind(), *kind, "{names:?}: {error}");
        assert!(error.to_string().contains(part), "{names:?}: {error}");
    }
}

#[test]
fn wrong_requests_are_named() {
    let tokenizer = load("bert_v5");
    let long = "the film ".repeat(50);
    let options = |truncation, max_length, stride| EncodeOptions { truncation, stride, ..EncodeOptions::truncated_to(max_length) };
    let fails = |options: EncodeOptions, pair: Option<&str>, part: &str| {
        let error = tokenizer.encode(&long, pair.map(Text::Str), &options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Request);
        assert!(error.to_string().contains(part), "{error}");
    };
    fails(options(Truncation::LongestFirst, 10, 8), None, "stride");
    fails(options(Truncation::LongestFirst, 10, usize::MAX), None, "stride");
    fails(options(Truncation::OnlySecond, 10, 0), None, "second");
    fails(options(Truncation::OnlySecond, 10, 0), Some("too short"), "max_length");
    let encodings = [&tokenizer.encode(&long, None, &EncodeOptions::default()).unwrap()];
    assert!(tokenizer.pad_batch(&encodings, &Padding { max_length: Some(usize::MAX), ..Padding::default() }).is_err());
    let without_padding = load("gpt2_v5");
    let pair = [
        without_padding.encode("a", None, &EncodeOptions::default()).unwrap(),
        without_padding.encode("a b", None, &EncodeOptions::default()).unwrap(),
    ];
    let error = without_padding.pad_batch(&[&pair[0], &pair[1]], &Padding::default()).unwrap_err();
    assert!(error.to_string().contains("pad_token"), "{error}");
}

/// A million characters of one kind, in every kind of tokenizer.
#[test]
fn long_texts_end() {
    let length = 1 << 18;
    let texts = [
        "x".repeat(length),
        " ".repeat(length),
        "a \n".repeat(length / 3),
        "[MASK]</s>".repeat(length / 10),
        "e\u{301}".repeat(length / 3),
    ];
    for folder in
        ["bert_v5", "roberta_v5", "xlm_roberta_v5", "albert_v5", "deberta_v2_v5", "llama_v5", "t5_v5", "clip_v4", "esm_slow", "marian_slow"]
    {
        let tokenizer = load(folder);
        for text in &texts {
            let start = Instant::now();
            assert!(tokenizer.encode(text, None, &EncodeOptions::truncated_to(16)).unwrap().len() <= 16);
            assert!(start.elapsed() < Duration::from_secs(30), "{folder} took {:?} for {:?}…", start.elapsed(), &text[..9]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    /// Any text gives tokens whose offsets lie in the text, in windows of the length asked for.
    #[test]
    fn any_text_has_tokens(text in ".{0,60}", second in proptest::option::of(".{0,20}"), length in 0usize..20, stride in 0usize..6) {
        let options = EncodeOptions { stride, return_overflowing: true, ..EncodeOptions::truncated_to(length) };
        for tokenizer in [load("roberta_v5"), load("xlm_roberta_v5"), load("bert_v5")] {
            let pair = second.as_deref().map(Text::Str);
            let Ok(encoding) = tokenizer.encode(&text, pair, &options) else { continue };
            for window in encoding.windows() {
                for ((start, end), sequence) in window.offsets.iter().zip(&window.sequence_ids) {
                    let source = if *sequence == Some(1) { second.as_deref().unwrap_or_default() } else { &text };
                    prop_assert!(start <= end && *end <= source.chars().count());
                }
            }
            if length >= tokenizer.num_special_tokens_to_add(pair.is_some()) {
                prop_assert!(encoding.len() <= length);
            }
            tokenizer.decode(&encoding.ids, true, None).unwrap();
        }
    }

    /// Files with some bytes changed load or fail, and what loads tokenizes or fails.
    #[test]
    fn changed_files_do_not_panic(place in any::<prop::sample::Index>(), bytes in prop::collection::vec(any::<u8>(), 1..4), which in 0usize..6) {
        let (folder, name) = [
            ("bert_v4", "tokenizer.json"),
            ("roberta_v4", "tokenizer.json"),
            ("albert_v4", "tokenizer.json"),
            ("xlm_roberta_slow", "sentencepiece.bpe.model"),
            ("tiktoken_slow", "tokenizer.model"),
            ("bert_v4", "tokenizer_config.json"),
        ][which];
        let folder = golden(folder);
        let names = ["config.json", "tokenizer_config.json", "special_tokens_map.json", "tokenizer.json", "sentencepiece.bpe.model", "tokenizer.model"];
        let mut all: BTreeMap<String, Vec<u8>> =
            names.iter().filter_map(|name| Some(((*name).to_owned(), folder.read(name).unwrap()?))).collect();
        let file = all.get_mut(name).unwrap();
        let start = place.index(file.len());
        let end = (start + bytes.len()).min(file.len());
        file.splice(start..end, bytes);
        if let Ok(tokenizer) = Tokenizer::from_files(&Memory(all), &json!({}))
            && let Ok(encoding) = tokenizer.encode("The film, 東京 é", None, &EncodeOptions::truncated())
        {
            let _ = tokenizer.decode(&encoding.ids, false, None);
        }
    }
}
