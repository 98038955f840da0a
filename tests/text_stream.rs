//! Text that is shown while it is written is the text of the whole, with every tokenizer of the goldens.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use formers::generate::TextStream;
use formers::preprocess::text::{Files, Folder, Tokenizer};
use serde_json::Value;

/// Files that make a tokenizer.
const NAMES: [&str; 12] = [
    "tokenizer_config.json",
    "tokenizer.json",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
    "spm.model",
    "source.spm",
    "target.spm",
    "config.json",
];

fn open(folder: &Path) -> Tokenizer {
    let files = Folder::new(folder);
    let config = files.read("config.json").unwrap().map_or(Value::Null, |bytes| serde_json::from_slice(&bytes).unwrap());
    Tokenizer::from_files(&files, &config).unwrap()
}

fn named(name: &str) -> Tokenizer {
    open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/tokenizers").join(name))
}

/// Every folder with a tokenizer, each kind once.
fn folders() -> Vec<PathBuf> {
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens")];
    while let Some(golden) = open.pop() {
        let folder = formers_testing::checkpoint(&golden);
        let files: Vec<Option<Vec<u8>>> = NAMES.iter().map(|name| std::fs::read(folder.join(name)).ok()).collect();
        if files[..11].iter().any(Option::is_some) && seen.insert(files[..11].to_vec()) {
            found.push(folder.clone());
        }
        let entries = std::fs::read_dir(golden).unwrap().map(|entry| entry.unwrap().path());
        open.extend(entries.filter(|path| path.is_dir()));
    }
    found.sort();
    found
}

struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end
    }
}

/// Random ids: of all, or of a few, so that the same ones meet often; or of those that cleaning up and joining look at.
fn sequence(chance: &mut Chance, tokenizer: &Tokenizer, odd: &[u32]) -> Vec<u32> {
    let all: Vec<u32> = (0..tokenizer.vocab_size_with_added() as u32 + 2).collect();
    let pool: Vec<u32> = match chance.below(3) {
        0 => all,
        1 => (0..3).map(|_| all[chance.below(all.len())]).chain(odd.first().copied()).collect(),
        _ if odd.is_empty() => all,
        _ => odd.to_vec(),
    };
    let length = chance.below(40);
    (0..length).map(|_| pool[chance.below(pool.len())]).collect()
}

/// What is wrong with the stream of some ids.
fn complaint(tokenizer: &Tokenizer, ids: &[u32], skip: bool, clean_up: Option<bool>, stop_strings: &[String]) -> Option<String> {
    let whole = tokenizer.decode(ids, skip, clean_up).unwrap();
    let stop = stop_strings.iter().filter_map(|stop| whole.find(stop.as_str())).min();
    let stream = |ids: &[u32]| {
        let mut stream = TextStream::new(tokenizer, skip, clean_up, stop_strings);
        let shown: Vec<String> = ids.iter().map(|id| stream.push(*id).unwrap()).collect();
        (shown.concat(), stream)
    };
    let (shown, rest) = stream(ids);
    if !whole.starts_with(&shown) || stop.is_some_and(|stop| shown.len() > stop) {
        return Some(format!("shows {shown:?} of {whole:?}"));
    }
    let joined = shown.clone() + &rest.finish().unwrap();
    let before = shown + &stream(ids).1.finish_before_stop_string().unwrap();
    (joined != whole || before != whole[..stop.unwrap_or(whole.len())]).then(|| format!("makes {joined:?}, {before:?} of {whole:?}"))
}

#[test]
fn pieces_joined_are_the_whole_text() {
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    let folders = folders();
    assert!(folders.len() > 150, "goldens are missing: {} folders", folders.len());
    let mut wrong = Vec::new();
    for folder in &folders {
        let tokenizer = open(folder);
        let is_odd = |token: String| {
            let odd = ["▁", "'", "Ġ", ".", "n", "t", "v", "<0x", "##", "@@", "</w>", "Ã", "ã"];
            token.chars().count() < 7 && odd.iter().any(|part| token.contains(part)) || token.is_empty()
        };
        let size = tokenizer.vocab_size_with_added() as u32;
        let odd: Vec<u32> = (0..size).filter(|id| tokenizer.id_to_token(*id).is_some_and(is_odd)).collect();
        for round in 0..60 {
            let ids = sequence(&mut chance, &tokenizer, &odd);
            let clean_up = [None, Some(true), Some(false)][round % 3];
            let skip = round % 2 == 0;
            let whole: Vec<char> = tokenizer.decode(&ids, skip, clean_up).unwrap().chars().collect();
            let mut stops = vec!["stop".to_owned()];
            if round % 4 > 0 && !whole.is_empty() {
                let start = chance.below(whole.len());
                let end = whole.len().min(start + 1 + chance.below(5));
                stops.push(whole[start..end].iter().collect());
            }
            if let Some(complaint) = complaint(&tokenizer, &ids, skip, clean_up, &stops) {
                wrong.push(format!("{}: {ids:?} {skip} {clean_up:?} {stops:?}\n  {complaint}", folder.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
}

/// The pieces, one for each token and the rest.
fn pieces(tokenizer: &Tokenizer, tokens: &[&str], stop_strings: &[&str]) -> Vec<String> {
    let stop_strings: Vec<String> = stop_strings.iter().map(|stop| (*stop).to_owned()).collect();
    let mut stream = TextStream::new(tokenizer, true, None, &stop_strings);
    let mut pieces: Vec<String> = tokens.iter().map(|token| stream.push(tokenizer.token_to_id(token).expect(token)).unwrap()).collect();
    pieces.push(stream.finish().unwrap());
    pieces
}

#[test]
fn text_comes_as_early_as_it_is_certain() {
    let gpt2 = named("gpt2_v5");
    assert_eq!(pieces(&gpt2, &["The", "Ġw", "at", "er"], &[]), ["The", " w", "at", "er", ""]);
    assert_eq!(pieces(&gpt2, &["Ã", "¶", "Ã©"], &[]), ["", "ö", "é", ""]);
    assert_eq!(pieces(&gpt2, &["Ã", "Ã", "a", "Ã"], &[]), ["", "\u{fffd}", "\u{fffd}a", "", "\u{fffd}"]);
    assert_eq!(pieces(&gpt2, &["a", "Ġs", "t", "a", "Ġs", "t", "o", "p"], &[" stop"]), ["a", "", "", " sta", "", "", "", "", " stop"]);
    let llama = named("llama_v5");
    assert_eq!(pieces(&llama, &["▁the", "▁", "a", "<0x0A>", "<0x41>", "b"], &[]), ["the", " ", "a", "", "", "\nAb", ""]);
    assert_eq!(pieces(&llama, &["<0xC3>", "<0xB6>", "<0xC3>", "b"], &[]), ["", "", "", "\u{fffd}\u{fffd}\u{fffd}b", ""]);
    let t5 = named("t5_v5");
    assert_eq!(pieces(&t5, &["▁", "▁the", "▁", "▁"], &[]), ["", " the", " ", " ", ""]);
    let bert = named("bert_v5");
    assert_eq!(pieces(&bert, &["the", "##s", "film", "."], &[]), ["the", "s", " film", ".", ""]);
    let prophetnet = named("prophetnet_slow");
    assert_eq!(pieces(&prophetnet, &["the", ".", "is", "n", "'", "t"], &[]), ["the", ".", " is", "", "", "n't", ""]);
}

/// Marian's files with a piece more, which most checkpoints have: a space of its own.
struct Spaced(Folder);

impl Files for Spaced {
    fn read(&self, name: &str) -> formers::Result<Option<Vec<u8>>> {
        let Some(bytes) = self.0.read(name)?.filter(|_| name == "vocab.json") else { return self.0.read(name) };
        let mut vocab: serde_json::Map<String, Value> = serde_json::from_slice(&bytes).unwrap();
        vocab.insert("▁".to_owned(), vocab.len().into());
        Ok(Some(serde_json::to_vec(&vocab).unwrap()))
    }

    fn list(&self, folder: &str) -> formers::Result<Vec<String>> {
        self.0.list(folder)
    }
}

#[test]
fn spaces_wait_for_what_follows_where_the_last_ones_are_dropped() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/tokenizers/marian_slow");
    let marian = Tokenizer::from_files(&Spaced(Folder::new(folder)), &serde_json::json!({"model_type": "marian"})).unwrap();
    assert_eq!(pieces(&marian, &["▁", "▁the", "▁", "▁", "s", "▁"], &[]), ["", "the", "", "", "  s", "", ""]);
    let ids: Vec<u32> = ["▁the", "s"].iter().map(|token| marian.token_to_id(token).unwrap()).collect();
    let space = marian.token_to_id("▁").unwrap();
    let long = [vec![ids[0]], vec![space; 20_000], vec![ids[1]], vec![space; 20_000]].concat();
    assert_eq!(complaint(&marian, &long, true, None, &[]), None);
}

/// A long text takes no longer for each token than a short one.
#[test]
fn long_texts_are_no_slower() {
    for (name, tokens) in [
        ("t5_v5", vec!["▁"]),
        ("llama_v5", vec!["<0x41>"]),
        ("gpt2_v5", vec!["Ã"]),
        ("bert_v5", vec!["the", "'"]),
        ("blenderbot_small_slow", vec!["a@@"]),
    ] {
        let tokenizer = named(name);
        let ids: Vec<u32> = tokens.iter().cycle().take(20_000).map(|token| tokenizer.token_to_id(token).expect(token)).collect();
        let start = std::time::Instant::now();
        assert_eq!(complaint(&tokenizer, &ids, true, Some(true), &["a stop".to_owned()]), None, "{name}");
        assert!(start.elapsed().as_secs() < 20, "{name} took {:?}", start.elapsed());
    }
}
