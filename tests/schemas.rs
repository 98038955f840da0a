//! JSON schemas: what they allow can be written, what they do not cannot, and what cannot be held to is refused by its name.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::Path;

use formers::generate::processors::Row;
use formers::generate::{Constraint, OwnProcessors, Vocabulary};
use serde_json::{Value, json};

/// All bytes, and the end.
fn vocabulary() -> Vocabulary {
    let bytes = (0..=u8::MAX).map(|byte| (vec![byte], false));
    Vocabulary::new(bytes.chain([(b"</s>".to_vec(), true)]).collect()).unwrap()
}

const EOS: u32 = 256;

fn hold(vocabulary: &Vocabulary, schema: &Value) -> Result<OwnProcessors, String> {
    vocabulary.hold(&Constraint::JsonSchema(schema.clone()), &[i64::from(EOS)]).map_err(|error| error.to_string())
}

/// Whether a text can be written, and end.
fn accepts(make: &OwnProcessors, text: &str) -> bool {
    let mut processor = make(0).swap_remove(0);
    let mut history = Vec::new();
    text.bytes().map(u32::from).chain([EOS]).all(|token| {
        let mut logits = vec![0.0; 257];
        let row = Row { history: &history, ..Row::default() };
        let goes_on = processor.process(&row, &mut logits).is_ok() && logits[token as usize] == 0.0;
        history.push(token);
        goes_on
    })
}

/// A value's texts: objects with their fields in every order, where there are few.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Object(fields) if (2..=4).contains(&fields.len()) => {
            let fields: Vec<(&String, &Value)> = fields.iter().collect();
            let mut orders = vec![Vec::new()];
            for _ in 0..fields.len() {
                let longer = |order: &Vec<usize>| -> Vec<Vec<usize>> {
                    (0..fields.len()).filter(|i| !order.contains(i)).map(|i| [order.as_slice(), &[i]].concat()).collect()
                };
                orders = orders.iter().flat_map(longer).collect();
            }
            let field = |i: &usize| format!("{}:{}", json!(fields[*i].0), texts(fields[*i].1)[0]);
            orders.iter().map(|order| format!("{{{}}}", order.iter().map(field).collect::<Vec<_>>().join(","))).collect()
        }
        other => vec![other.to_string()],
    }
}

/// The schemas in tests/goldens/generate/schemas.json, with texts that they allow and texts that they do not, or what they are refused for.
#[test]
fn schemas_hold_or_are_refused() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/generate/schemas.json");
    let cases: Vec<Value> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let vocabulary = vocabulary();
    let mut wrong = Vec::new();
    for case in &cases {
        let schema = &case["schema"];
        match (hold(&vocabulary, schema), case["error"].as_str()) {
            (Err(error), Some(words)) if error.starts_with("json_schema: ") && error.contains(words) && error.len() < 400 => {}
            (Err(error), _) => wrong.push(format!("{schema}: {error}")),
            (Ok(_), Some(words)) => wrong.push(format!("{schema} is not refused for {words:?}")),
            (Ok(make), None) => {
                for (field, wanted) in [("yes", true), ("no", false)] {
                    let listed = case[field].as_array().into_iter().flatten().map(|text| text.as_str().unwrap());
                    wrong.extend(listed.filter(|text| accepts(&make, text) != wanted).map(|text| format!("{schema}, {field}: {text}")));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The JSON-Schema-Test-Suite, where `JSON_SCHEMA_TEST_SUITE` says where it lies: no draft's tests find an answer that should not be.
#[test]
#[ignore = "needs the JSON-Schema-Test-Suite"]
#[allow(clippy::print_stdout, reason = "tells what is refused and what is stricter, which is no failure")]
fn the_test_suite_finds_nothing_looser() {
    let suite = std::env::var("JSON_SCHEMA_TEST_SUITE").unwrap();
    let vocabulary = vocabulary();
    let (mut looser, mut counts, mut refused, mut stricter) = (Vec::new(), [0; 4], BTreeMap::<String, usize>::new(), Vec::new());
    for (draft, uri) in [
        ("draft2020-12", "https://json-schema.org/draft/2020-12/schema"),
        ("draft2019-09", "https://json-schema.org/draft/2019-09/schema"),
        ("draft7", "http://json-schema.org/draft-07/schema#"),
        ("draft6", "http://json-schema.org/draft-06/schema#"),
        ("draft4", "http://json-schema.org/draft-04/schema#"),
    ] {
        let folders = ["", "optional"].map(|folder| Path::new(&suite).join("tests").join(draft).join(folder));
        let files = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|e| e == "json")).collect();
        files.sort();
        for file in files {
            let name = format!("{draft}/{}", file.file_stem().unwrap().to_string_lossy());
            // What a text holds is for programs that read it, as the later drafts say.
            if name == "draft7/content" {
                continue;
            }
            for case in serde_json::from_slice::<Vec<Value>>(&std::fs::read(&file).unwrap()).unwrap() {
                let mut schema = case["schema"].clone();
                if let Some(fields) = schema.as_object_mut() {
                    fields.entry("$schema").or_insert_with(|| json!(uri));
                }
                let make = match hold(&vocabulary, &schema) {
                    Ok(make) => make,
                    Err(error) => {
                        counts[0] += 1;
                        *refused.entry(format!("{name}: {error}")).or_default() += 1;
                        continue;
                    }
                };
                for test in case["tests"].as_array().unwrap() {
                    let accepted = texts(&test["data"]).iter().any(|text| accepts(&make, text));
                    let at = || format!("{name}: {}: {}: {} in {schema}", case["description"], test["description"], test["data"]);
                    match (test["valid"].as_bool().unwrap(), accepted) {
                        (false, true) => looser.push(at()),
                        (true, false) => stricter.push(at()),
                        (true, true) => counts[1] += 1,
                        (false, false) => counts[2] += 1,
                    }
                }
            }
        }
    }
    println!("{}", refused.iter().map(|(error, count)| format!("{count} {error}")).collect::<Vec<_>>().join("\n"));
    println!("stricter:\n{}", stricter.join("\n"));
    println!("{} schemas refused, {} valid written, {} kept out, {} valid not written", counts[0], counts[1], counts[2], stricter.len());
    assert!(looser.is_empty(), "{} are looser:\n{}", looser.len(), looser.join("\n"));
}

/// Schemas that refer to each other in long chains are read, and what is nested too deep is refused.
#[test]
fn long_chains_are_read_and_deep_ones_refused() {
    let vocabulary = vocabulary();
    for (make, count) in
        [(chain as fn(&str) -> Value, 8_000), (|next| json!({"$ref": next}), 8_000), (|next| json!({"allOf": [{"$ref": next}]}), 60)]
    {
        let mut definitions: serde_json::Map<String, Value> =
            (0..count).map(|i| (format!("a{i}"), make(&format!("#/$defs/a{}", i + 1)))).collect();
        definitions.insert(format!("a{count}"), json!({"type": "boolean"}));
        let held = hold(&vocabulary, &json!({"$ref": "#/$defs/a0", "$defs": definitions}));
        assert!(held.is_ok(), "{:?}", held.err());
    }
    let mut deep = json!({"type": "null"});
    for _ in 0..300 {
        deep = json!({"type": "array", "items": deep});
    }
    let error = hold(&vocabulary, &deep).err().unwrap();
    assert!(error.contains("in each other"), "{error}");
}

fn chain(next: &str) -> Value {
    json!({"type": "object", "properties": {"a": {"$ref": next}}, "additionalProperties": false})
}

/// JSON has a space, or a line's end and an indentation, between its parts, or none at all.
#[test]
fn json_is_written_with_little_space_or_none() {
    let vocabulary = vocabulary();
    let schema = json!({"type": "object", "properties": {"a": {"type": "array", "items": {"type": "integer"}}}});
    let texts = ["{\"a\":[1,2]}", "{\"a\": [1, 2]}", "{\n  \"a\": [\n    1\n  ]\n}", "{  \"a\": []}", "{\"a\":\n\n[]}"];
    for (constraint, wanted) in [
        (Constraint::JsonSchema(schema.clone()), [true, true, true, false, false]),
        (Constraint::CompactJson(schema), [true, false, false, false, false]),
        (Constraint::JsonSchema(json!(true)), [true, true, true, false, false]),
        (Constraint::CompactJson(json!(true)), [true, false, false, false, false]),
    ] {
        let make = vocabulary.hold(&constraint, &[i64::from(EOS)]).unwrap();
        assert_eq!(texts.map(|text| accepts(&make, text)), wanted, "{constraint:?}");
    }
}
