//! Damaged media and vocabularies are errors without a panic on the way: a program that is built with `panic = "abort"` reads them as well.
//!
//! What other crates do is caught where it panics; this counts what was caught. `FORMERS_ROUNDS` says how many variants there are of each file.
#![allow(clippy::unwrap_used)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    panic::PanicHookInfo,
    path::PathBuf,
    sync::Mutex,
};

use formers::preprocess::{
    audio, image,
    text::{EncodeOptions, Files, Tokenizer},
};
use serde_json::{Value, json};

static PANICS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

fn note(info: &PanicHookInfo<'_>) {
    let what = info.payload_as_str().unwrap_or_default();
    // A number that overflows panics only where a build checks for it, as this one does and no release.
    if what.ends_with("with overflow") {
        return;
    }
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let place = place.rsplit_once("/src/index").map_or(place.as_str(), |(_, place)| place).to_owned();
    PANICS.lock().unwrap().insert(format!("{place}: {}", what.chars().take(100).collect::<String>()));
}

fn rounds() -> u64 {
    std::env::var("FORMERS_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(15)
}

/// Numbers that look drawn, the same every time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end.max(1) as u64) as usize
    }
}

/// A file with some bytes changed, cut out, doubled, or its end missing; more at its beginning, where headers are.
fn damaged(bytes: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=numbers.below(4) {
        let end = if numbers.below(2) == 0 { bytes.len().min(200) } else { bytes.len() };
        let at = numbers.below(end);
        match numbers.below(6) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..(at + numbers.below(9)).min(bytes.len()))),
            2 => bytes.splice(at..at, vec![0; numbers.below(9)]).for_each(drop),
            3 => bytes.iter_mut().skip(at).take(4).for_each(|byte| *byte = 0xff),
            4 => bytes.iter_mut().skip(at).take(4).for_each(|byte| *byte = 0),
            _ => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << numbers.below(8)),
        }
    }
    bytes
}

/// The same for JSON: a value becomes another, or goes.
fn damaged_json(value: &mut Value, numbers: &mut Numbers) {
    const OTHERS: &[&str] = &[
        "null",
        "0",
        "-1",
        "1e9",
        "18446744073709551615",
        "\"\"",
        "\"a\"",
        "\"(?:\"",
        "\"\\u2581\"",
        "\"AAAA\"",
        "[]",
        "{}",
        "true",
        "[0]",
        "0.5",
        "1.5",
        "\"<unk>\"",
    ];
    let other = |numbers: &mut Numbers| serde_json::from_str(OTHERS[numbers.below(OTHERS.len())]).unwrap();
    match value {
        Value::Object(fields) if !fields.is_empty() && numbers.below(8) > 0 => {
            let key = fields.keys().nth(numbers.below(fields.len())).unwrap().clone();
            if numbers.below(6) == 0 { drop(fields.remove(&key)) } else { damaged_json(&mut fields[&key], numbers) }
        }
        Value::Array(items) if !items.is_empty() && numbers.below(8) > 0 => {
            let at = numbers.below(items.len());
            match numbers.below(6) {
                0 => drop(items.remove(at)),
                1 => items.swap(0, at),
                _ => damaged_json(&mut items[at], numbers),
            }
        }
        _ => *value = other(numbers),
    }
}

fn golden(name: &str) -> PathBuf {
    formers_testing::golden(name)
}

fn files(folder: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(golden(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn media(numbers: &mut Numbers) {
    for file in [files("media"), files("preprocess/audio"), files("preprocess/image")].concat().iter().filter(|file| file.is_file()) {
        let (bytes, name) = (fs::read(file).unwrap(), file.to_string_lossy());
        if bytes.len() > 200_000 {
            continue;
        }
        for _ in 0..rounds() {
            let bytes = damaged(&bytes, numbers);
            if let Ok(picture) = image::decode_rgb(&bytes, &name) {
                assert!(picture.width() > 0);
            }
            let _ = audio::read_file(bytes, &name, 16_000);
        }
    }
}

struct Memory(BTreeMap<String, Vec<u8>>);

impl Files for Memory {
    fn read(&self, name: &str) -> formers::Result<Option<Vec<u8>>> {
        Ok(self.0.get(name).cloned())
    }

    fn list(&self, _: &str) -> formers::Result<Vec<String>> {
        Ok(Vec::new())
    }
}

fn vocabularies(numbers: &mut Numbers) {
    for folder in files("tokenizers").iter().filter(|folder| folder.is_dir()) {
        let read = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
        let sound: BTreeMap<String, Vec<u8>> =
            read.map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(path).unwrap())).collect();
        let names: Vec<&String> = sound.keys().filter(|name| *name != "golden.json" && *name != "expected.json").collect();
        for _ in 0..rounds() {
            let mut files = sound.clone();
            for _ in 0..=numbers.below(2) {
                let name = names[numbers.below(names.len())];
                let bytes = &sound[name];
                let changed = match serde_json::from_slice::<Value>(bytes) {
                    Ok(mut value) if numbers.below(8) > 0 => {
                        (0..=numbers.below(3)).for_each(|_| damaged_json(&mut value, numbers));
                        value.to_string().into_bytes()
                    }
                    _ => damaged(bytes, numbers),
                };
                files.insert(name.clone(), changed);
            }
            let Ok(tokenizer) = Tokenizer::from_files(&Memory(files), &json!({})) else { continue };
            for text in ["Hello  wörld, don't.\n", "", "\u{2581}日本 <unk></s>[MASK] \u{301}", "a\u{10ffff}\u{0}"] {
                if let Ok(encoding) = tokenizer.encode(text, None, &EncodeOptions::default()) {
                    let _ = tokenizer.decode(&encoding.ids, true, None);
                }
            }
            let _ = tokenizer.decode(&[0, 1, 5, u32::MAX], false, None);
        }
    }
}

#[test]
fn nothing_panics_on_damaged_files() {
    std::panic::set_hook(Box::new(note));
    for (name, read) in [("media", media as fn(&mut Numbers)), ("vocabularies", vocabularies)] {
        let result = std::panic::catch_unwind(|| read(&mut Numbers(0x9e37_79b9_7f4a_7c15)));
        if result.is_err() {
            PANICS.lock().unwrap().insert(format!("{name}: a panic that nobody caught"));
        }
    }
    let panics = PANICS.lock().unwrap().clone();
    drop(std::panic::take_hook());
    assert!(panics.is_empty(), "{}", panics.into_iter().collect::<Vec<_>>().join("\n"));
}
