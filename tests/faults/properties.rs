//! Requests and configs at random: an answer or an error, never a panic, never for long.

use std::{fs, time::Instant};

use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
    test_runner::{Config, TestRunner},
};
use serde_json::{Value, json};

use super::{TASKS, copy, golden, load, report, watched};

const STRINGS: &[&str] = &[
    "",
    "a",
    "The film was great.",
    "[MASK]",
    "é🙂",
    "{}",
    "O",
    "mean",
    "max",
    "model",
    "simple",
    "first",
    "average",
    "longest_first",
    "only_second",
    "max_length",
    "left",
    "right",
    "none",
    "sigmoid",
    "LABEL_0",
    "right",
    "gelu",
    "regression",
    "\\",
    "0",
    "-1",
    "##a",
];

fn any_json(names: Vec<String>) -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        select(vec![
            json!(0),
            json!(1),
            json!(-1),
            json!(2),
            json!(7),
            json!(1u64 << 31),
            json!(1u64 << 40),
            json!(u64::MAX),
            json!(i64::MIN)
        ]),
        select(vec![json!(0.5), json!(-0.0), json!(1e300)]),
        select(STRINGS).prop_map(Value::from),
        "\\PC{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 10, 3, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            vec((select(names.clone()), inner), 0..3).prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// What is put in the place of which value; a value that is taken away is replaced by none.
type Changes = Vec<(Index, Option<Value>)>;

fn changes(names: Vec<String>) -> impl Strategy<Value = Changes> {
    vec((any::<Index>(), proptest::option::weighted(0.9, any_json(names))), 1..4)
}

fn change(json: &mut Value, changes: &Changes) {
    for (place, new) in changes {
        let mut all = Vec::new();
        pointers(json, String::new(), &mut all);
        let pointer = place.get(&all);
        match (new, pointer.rsplit_once('/')) {
            (Some(new), _) => *json.pointer_mut(pointer).unwrap() = new.clone(),
            (None, Some((parent, name))) => match json.pointer_mut(parent).unwrap() {
                Value::Object(fields) => drop(fields.shift_remove(&unescaped(name))),
                Value::Array(list) => drop(list.remove(name.parse().unwrap())),
                _ => unreachable!("a parent has children"),
            },
            (None, None) => *json = Value::Null,
        }
    }
}

/// Every place of a document.
fn pointers(json: &Value, here: String, all: &mut Vec<String>) {
    match json {
        Value::Array(list) => list.iter().enumerate().for_each(|(i, value)| pointers(value, format!("{here}/{i}"), all)),
        Value::Object(fields) => {
            let escaped = |name: &str| name.replace('~', "~0").replace('/', "~1");
            fields.iter().for_each(|(name, value)| pointers(value, format!("{here}/{}", escaped(name)), all));
        }
        _ => {}
    }
    all.push(here);
}

fn unescaped(name: &str) -> String {
    name.replace("~1", "/").replace("~0", "~")
}

/// Runs a property; a panic in it is a failure that says for what.
fn holds<S: Strategy>(cases: u32, strategy: &S, property: impl Fn(S::Value)) -> Option<String> {
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    let quick = |value: S::Value| {
        let start = Instant::now();
        property(value);
        prop_assert!(start.elapsed().as_secs() < 20, "it takes {:?}", start.elapsed());
        Ok(())
    };
    TestRunner::new(config).run(strategy, quick).err().map(|error| error.to_string())
}

#[test]
fn any_request_is_answered_or_refused() {
    let mut failures = Vec::new();
    for (task, checkpoint) in TASKS {
        let outcome = watched(move || {
            let folder = golden(checkpoint);
            let pipeline = load(task, &folder).unwrap();
            let golden: Value = serde_json::from_slice(&fs::read(folder.join("golden.json")).unwrap()).unwrap();
            let mut requests: Vec<Value> =
                golden["cases"].as_array().unwrap().iter().filter(|case| case["task"] == *task).cloned().collect();
            if requests.is_empty() {
                requests.push(json!({"inputs": "a", "parameters": {}}));
            }
            let requests: Vec<Value> =
                requests.iter().map(|case| json!({"inputs": case["inputs"], "parameters": case["parameters"]})).collect();
            let info = pipeline.task();
            let names = info.parameters.iter().chain(info.fields).map(|name| name.trim_end_matches("[]").to_string());
            let names: Vec<String> = names.chain(["text", "text_pair", "other"].map(String::from)).collect();
            holds(150, &(select(requests), changes(names)), |(mut request, changes)| {
                change(&mut request, &changes);
                let _ = pipeline.call(&request["inputs"], &request["parameters"]);
            })
        });
        failures.extend(outcome.unwrap_or_else(Some).map(|problem| format!("{task}: {problem}")));
    }
    report(failures);
}

#[test]
fn any_config_loads_or_is_refused() {
    let mut failures = Vec::new();
    for name in
        ["bert/sentence_mean", "roberta/plain", "xlm-roberta/plain", "deberta-v2/plain", "albert/plain", "modernbert/plain", "esm/plain"]
    {
        let folder = copy(name);
        let documents: Vec<(String, Value)> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|file| file.ends_with(".json") && file != "golden.json")
            .map(|file| (file.clone(), serde_json::from_slice(&fs::read(folder.path().join(file)).unwrap()).unwrap()))
            .collect();
        let outcome = watched(move || {
            let names = vec!["type".to_string(), "content".into(), "vocab".into(), "0".into(), "model_type".into(), "hidden_size".into()];
            holds(60, &(select(documents), changes(names)), |((file, document), changes)| {
                let mut changed = document.clone();
                change(&mut changed, &changes);
                fs::write(folder.path().join(&file), changed.to_string()).unwrap();
                if let Ok(pipeline) = load("feature-extraction", folder.path()) {
                    let _ = pipeline.call(&json!(["The film was great.", "é [MASK] <mask> 🙂"]), &json!({"pooling": "model"}));
                }
                fs::write(folder.path().join(&file), document.to_string()).unwrap();
            })
        });
        failures.extend(outcome.unwrap_or_else(Some).map(|problem| format!("{name}: {problem}")));
    }
    report(failures);
}
