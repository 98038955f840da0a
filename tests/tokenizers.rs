//! The tokenizers answer as the reference's: ids, token types, offsets, words, decoded text, in every generation of files.
//! The goldens come from `scripts/goldens/text_tokenizers.py`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use formers::preprocess::text::{CtcOffset, EncodeOptions, Encoding, Files, Folder, Side, Text, Tokenizer, Truncation};
use serde_json::{Value, json};

#[test]
fn tokenizers_answer_as_the_reference() {
    agree("tokens.json", 100, Tokenizer::from_files);
}

/// For the tasks that only version 4 had.
#[test]
fn tokenizers_answer_as_version_4() {
    agree("tokens_v4.json", 50, Tokenizer::from_files_v4);
}

/// What language models were asked, and what they wrote (`scripts/goldens/causal.py`), between text and ids.
#[test]
fn language_models_read_and_write_as_the_reference() {
    let below = |folder: PathBuf| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/generate/models");
    let folders: Vec<PathBuf> = below(models).flat_map(below).filter(|folder| folder.join("logits.json").exists()).collect();
    let folders: Vec<PathBuf> = folders.iter().map(|folder| formers_testing::checkpoint(folder)).collect();
    assert!(folders.len() > 60, "goldens are missing");
    for folder in folders {
        let json = |name: &str| serde_json::from_slice::<Value>(&std::fs::read(folder.join(name)).unwrap()).unwrap();
        let tokenizer = open(&folder, Tokenizer::from_files).unwrap();
        let encode = |text: &str| tokenizer.encode(text, None, &EncodeOptions::default()).unwrap().ids;
        let logits = json("logits.json");
        assert_eq!(json!(encode(logits["inputs"].as_str().unwrap())), logits["input_ids"], "{}", folder.display());

        let golden = json("golden.json");
        let answers = |parameters: &Value| -> Vec<Value> {
            let cases = golden["cases"].as_array().unwrap().iter();
            cases
                .filter(|case| case["parameters"] == *parameters && case["inputs"].as_array().is_some_and(|list| list.len() == 3))
                .cloned()
                .collect()
        };
        let texts = answers(&json!({ "do_sample": false, "max_new_tokens": 24 }));
        let ids = answers(&json!({ "return_tensors": true, "do_sample": false, "max_new_tokens": 24 }));
        for (place, prompt) in texts[0]["inputs"].as_array().unwrap().iter().enumerate() {
            let prompt = prompt.as_str().unwrap();
            let ids: Vec<u32> = serde_json::from_value(ids[0]["answer"][place][0]["generated_token_ids"].clone()).unwrap();
            let (read, written) = ids.split_at(encode(prompt).len());
            assert_eq!(read, encode(prompt), "{}", folder.display());
            // Where a checkpoint says how its answers are taken apart, these keep the marks that it says it by.
            let skips_special_tokens = json("tokenizer_config.json").get("response_template").is_none();
            let text = prompt.to_owned() + &tokenizer.decode(written, skips_special_tokens, None).unwrap();
            assert_eq!(texts[0]["answer"][place][0]["generated_text"], text, "{}", folder.display());
        }
    }
}

type Load = fn(&dyn Files, &Value) -> formers::Result<Tokenizer>;

/// Checks every folder with this golden; `TOKENIZER=xlnet` only those whose name contains that.
fn agree(golden: &str, least: usize, load: Load) {
    let wanted = std::env::var("TOKENIZER").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::fs::read_dir(goldens()).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders.retain(|folder| folder.join(golden).exists());
    assert!(folders.len() > least, "goldens are missing");
    let chosen = folders.iter().filter(|folder| name(folder).contains(&wanted));
    let failures: Vec<String> = chosen.flat_map(|folder| check(folder, golden, load)).collect();
    assert!(failures.is_empty(), "{} differences:\n{}", failures.len(), failures.join("\n"));
}

fn goldens() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/tokenizers")
}

fn name(folder: &Path) -> String {
    folder.file_name().unwrap().to_string_lossy().into_owned()
}

/// What differs between the tokenizer of a folder and the reference's.
fn check(folder: &Path, golden: &str, load: Load) -> Vec<String> {
    let golden: Value = serde_json::from_slice(&std::fs::read(folder.join(golden)).unwrap()).unwrap();
    let tokenizer = match open(folder, load) {
        Ok(tokenizer) => tokenizer,
        Err(error) => return vec![format!("{}: {error}", name(folder))],
    };
    let mut differences = differences("about", &about(&tokenizer, &golden), &golden);
    for heard in golden["ctc"].as_array().into_iter().flatten() {
        differences.extend(self::differences(&format!("ctc {}", heard["ids"]), &ctc(&tokenizer, heard), heard));
    }
    for case in golden["cases"].as_array().unwrap() {
        let input = json!([case["text"], case["pair"], case["options"]]);
        let answer = answer(&tokenizer, case);
        if case.get("error").is_some() {
            if answer.get("error").is_none() {
                differences.push(format!("{input}: should fail with {}", case["error"]));
            }
        } else {
            differences.extend(self::differences(&input.to_string(), &answer, case));
        }
    }
    differences.into_iter().map(|difference| format!("{}: {difference}", name(folder))).collect()
}

fn open(folder: &Path, load: Load) -> formers::Result<Tokenizer> {
    let files = Folder::new(folder);
    let config = files.read("config.json")?.map_or(Value::Null, |bytes| serde_json::from_slice(&bytes).unwrap());
    load(&files, &config)
}

fn ctc(tokenizer: &Tokenizer, heard: &Value) -> Value {
    let ids: Vec<u32> = heard["ids"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect();
    let text = tokenizer.decode_ctc(&ids, heard["skip"] == true).expect("a CTC tokenizer");
    let rows = |offsets: &[CtcOffset]| -> Vec<Value> {
        offsets.iter().map(|offset| json!([offset.text, offset.start_offset, offset.end_offset])).collect()
    };
    json!({"text": text.text, "chars": rows(&text.char_offsets), "words": rows(&text.word_offsets)})
}

fn about(tokenizer: &Tokenizer, golden: &Value) -> Value {
    let id = |token: &Value| tokenizer.convert_token_to_id(token.as_str().unwrap());
    let special: serde_json::Map<String, Value> = golden["special"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, entry)| (name.clone(), json!([tokenizer.special_tokens().get(name), id(&entry[0])])))
        .collect();
    let side = |side| if side == Side::Left { "left" } else { "right" };
    json!({
        "model_max_length": tokenizer.model_max_length(),
        "padding_side": side(tokenizer.padding_side()),
        "truncation_side": side(tokenizer.truncation_side()),
        "model_input_names": tokenizer.model_input_names(),
        "vocab_size": tokenizer.vocab_size(),
        "len": tokenizer.vocab_size_with_added(),
        "fast": tokenizer.has_offsets(),
        "special": special,
    })
}

fn answer(tokenizer: &Tokenizer, case: &Value) -> Value {
    let (first, second) = (strings(&case["text"]), strings(&case["pair"]));
    let options = options(&case["options"]);
    let encoding =
        match tokenizer.encode(text(&case["text"], &first), (!case["pair"].is_null()).then(|| text(&case["pair"], &second)), &options) {
            Ok(encoding) => encoding,
            Err(error) => return json!({ "error": error.to_string() }),
        };
    let decode = |skip, clean| tokenizer.decode(&encoding.ids, skip, clean).unwrap();
    let windows: Vec<Value> = encoding.windows().map(|encoding| window(tokenizer, encoding)).collect();
    json!({"windows": windows, "decoded": decode(false, None), "skipped": decode(true, None), "clean": decode(false, Some(true))})
}

fn window(tokenizer: &Tokenizer, encoding: &Encoding) -> Value {
    let mut row = json!({
        "ids": encoding.ids,
        "type_ids": digits(encoding.type_ids.iter().map(|id| Some(*id as usize))),
        "special": digits(encoding.special_tokens_mask.iter().map(|id| Some(*id as usize))),
        "tokens": encoding.tokens,
    });
    if tokenizer.has_offsets() {
        row["offsets"] = json!(encoding.offsets);
        row["words"] = json!(encoding.word_ids);
        row["sequences"] = digits(encoding.sequence_ids.iter().copied());
    }
    row
}

/// Small numbers, one character each; a dash for none.
fn digits(values: impl Iterator<Item = Option<usize>>) -> Value {
    values.map(|value| value.map_or("-".to_owned(), |value| value.to_string())).collect::<String>().into()
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().map(|words| words.iter().map(|word| word.as_str().unwrap().to_owned()).collect()).unwrap_or_default()
}

fn text<'a>(value: &'a Value, words: &'a [String]) -> Text<'a> {
    value.as_str().map_or(Text::Words(words), Text::Str)
}

fn options(value: &Value) -> EncodeOptions {
    let truncation = match value["truncation"].as_str() {
        None => Truncation::DoNotTruncate,
        Some("longest_first") => Truncation::LongestFirst,
        Some("only_first") => Truncation::OnlyFirst,
        Some("only_second") => Truncation::OnlySecond,
        Some(other) => unreachable!("{other}"),
    };
    EncodeOptions {
        add_special_tokens: value["add_special_tokens"].as_bool().unwrap_or(true),
        truncation,
        max_length: value["max_length"].as_u64().map(|length| length as usize),
        stride: value["stride"].as_u64().unwrap_or(0) as usize,
        return_overflowing: truncation != Truncation::DoNotTruncate,
        truncation_side: (value["side"] == "left").then_some(Side::Left),
        ..EncodeOptions::default()
    }
}

/// Where an answer differs from what is expected of it; what the golden does not say is not compared.
fn differences(place: &str, answer: &Value, expected: &Value) -> Vec<String> {
    match (answer, expected) {
        (Value::Object(fields), Value::Object(expected)) => fields
            .iter()
            .filter_map(|(key, value)| Some((key, value, expected.get(key)?)))
            .flat_map(|(key, value, expected)| differences(&format!("{place} {key}"), value, expected))
            .collect(),
        (Value::Array(list), Value::Array(expected)) if list.len() == expected.len() && list.iter().any(Value::is_object) => {
            let pairs = list.iter().zip(expected).enumerate();
            pairs.flat_map(|(i, (value, expected))| differences(&format!("{place}[{i}]"), value, expected)).collect()
        }
        _ if answer == expected => Vec::new(),
        _ => vec![format!("{place}\n     got {answer}\n  wanted {expected}")],
    }
}

/// Also by a class that the reference wrote in Python.
#[test]
fn tokens_that_are_added_later_are_found() {
    for model in ["esm/plain", "bert/plain", "generate/models/llama/decision"] {
        let folder = formers_testing::golden(model);
        let mut tokenizer = open(&folder, Tokenizer::from_files).unwrap();
        let (count, known) = (tokenizer.vocab_size_with_added(), tokenizer.added_tokens());
        let (first, _) = known.first().unwrap();
        tokenizer.add_special_tokens(&["<|mark|>", first.as_str(), "<|mark|>"]).unwrap();
        let id = u32::try_from(count).unwrap();
        assert_eq!(tokenizer.token_to_id("<|mark|>"), Some(id), "{model}");
        assert_eq!(tokenizer.added_tokens(), [known.clone(), vec![("<|mark|>".to_owned(), true)]].concat());
        let plain = EncodeOptions::default().without_special_tokens();
        let ids = tokenizer.encode(&format!("A<|mark|>{first}"), None, &plain).unwrap().ids;
        assert_eq!(ids.iter().filter(|found| **found == id).count(), 1, "{model}: {ids:?}");
        assert_eq!(ids.last().copied(), tokenizer.token_to_id(first));
        let text = tokenizer.encode_as_text("A<|mark|>").unwrap();
        assert!(!text.is_empty() && !text.contains(&id), "{model}: {text:?}");
        // What holds no added token is the same text.
        assert_eq!(tokenizer.encode_as_text("L A").unwrap(), tokenizer.encode("L A", None, &plain).unwrap().ids);
    }
}
