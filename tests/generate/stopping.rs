//! When answers end.

use std::borrow::Cow;

use formers::generate::stopping::{StopReason, StopStrings, Stopping};
use formers::preprocess::text::{Files, Folder, Tokenizer};
use serde_json::{Value, json};

use super::{fields, goldens, resolve, tokens};

#[test]
fn stop_strings_stop_where_the_reference_does() {
    let mut count = 0;
    for case in goldens("stop_strings").as_array().unwrap() {
        let strings: Vec<String> = serde_json::from_value(case["strings"].clone()).unwrap();
        let table: Vec<Vec<u8>> = serde_json::from_value(case["tokens"].clone()).unwrap();
        let stop = StopStrings::new(&strings);
        for (name, expected) in [("hits", true), ("misses", false)] {
            for history in tokens(&case[name]) {
                let hit = stop.is_hit(&history, |token| Cow::Owned(table[token as usize].clone()));
                assert_eq!(hit, expected, "{strings:?} {history:?}");
                count += 1;
            }
        }
    }
    assert!(count > 200);
}

/// With the bytes that tokenizers of each kind give to their tokens (scripts/goldens/stop_strings.py).
#[test]
fn stop_strings_stop_where_the_reference_does_with_each_tokenizer() {
    let mut wrong = Vec::new();
    for golden in goldens("stop_tokenizers").as_array().unwrap() {
        let name = golden["tokenizer"].as_str().unwrap();
        let files = Folder::new(format!("{}/tests/goldens/tokenizers/{name}", env!("CARGO_MANIFEST_DIR")));
        let config: Value = serde_json::from_slice(&files.read("config.json").unwrap().unwrap()).unwrap();
        let tokenizer = Tokenizer::from_files(&files, &config).unwrap();
        for (id, expected) in golden["tokens"].as_object().unwrap() {
            let bytes: String = tokenizer.token_bytes(id.parse().unwrap()).iter().map(|byte| char::from(*byte)).collect();
            if *expected != bytes {
                wrong.push(format!("{name}: {id} is {bytes:?}, not {expected}"));
            }
        }
        for case in golden["cases"].as_array().unwrap() {
            let stop = StopStrings::new(&serde_json::from_value::<Vec<String>>(case["strings"].clone()).unwrap());
            let ids: Vec<u32> = serde_json::from_value(case["ids"].clone()).unwrap();
            let hit = |length: usize| stop.is_hit(&ids[..length], |token| tokenizer.token_bytes(token));
            let verdicts: String = (1..=ids.len()).map(|length| if hit(length) { '1' } else { '0' }).collect();
            if case["verdicts"] != verdicts {
                wrong.push(format!("{name}: {} in {ids:?}\n     got {verdicts}\n  wanted {}", case["strings"], case["verdicts"]));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn rows_end_for_a_reason() {
    let reason = |parameters: Value, history: &[u32]| {
        let config = resolve(&Value::Null, parameters.as_object().unwrap()).unwrap();
        let spell = |token: u32| Cow::Owned(vec![b'a' + token as u8]);
        Stopping::new(&config, 6, Some(Box::new(spell))).unwrap().check(0, history)
    };
    assert_eq!(reason(json!({"eos_token_id": [3, 4]}), &[1, 4]), Some(StopReason::EosToken));
    assert_eq!(reason(json!({"eos_token_id": [3, 4]}), &[4, 1]), None);
    assert_eq!(reason(json!({}), &[1; 6]), Some(StopReason::MaxLength));
    assert_eq!(reason(json!({"stop_strings": "bc"}), &[0, 1, 2]), Some(StopReason::StopString));
    assert_eq!(reason(json!({"stop_strings": ["x", "ab"]}), &[0, 1, 2]), None);
    assert_eq!(reason(json!({"max_time": 0.0}), &[1]), Some(StopReason::MaxTime));
    assert_eq!(reason(json!({"max_time": 100}), &[1]), None);
    assert!(Stopping::new(&resolve(&Value::Null, &fields(&json!({"stop_strings": "a"}))).unwrap(), 6, None).is_err());
}
