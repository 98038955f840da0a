//! Every architecture whose chat templates take tools has a format that reads its calls.

use std::collections::BTreeSet;

use formers::postprocess::answer::AnswerFormat;
use serde_json::{Map, Value};

use super::written::golden;

/// `architectures.json` says of every `model_type` how the chat templates of public checkpoints write calls, or that they take no tools.
#[test]
fn calls_of_all_architectures_that_take_tools_are_read() {
    let known = golden("architectures.json");
    let with: &Map<String, Value> = known["tools"].as_object().unwrap();
    let without: BTreeSet<&str> = known["no tools"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let alone = formers_models::ARCHITECTURES.iter().filter(|architecture| !architecture.heads.is_empty());
    let table: BTreeSet<&str> = alone.map(|architecture| architecture.model_type).collect();
    let unsaid: Vec<&&str> = table.iter().filter(|name| with.contains_key(**name) == without.contains(**name)).collect();
    assert!(unsaid.is_empty(), "tests/goldens/answers/architectures.json has to say whether chat templates of {unsaid:?} take tools");
    let gone: Vec<&str> = with.keys().map(String::as_str).chain(without).filter(|name| !table.contains(name)).collect();
    assert!(gone.is_empty(), "{gone:?} are no architectures");
    let unread: Vec<(&String, &Value)> = with
        .iter()
        .flat_map(|(name, snippets)| snippets.as_array().unwrap().iter().map(move |snippet| (name, snippet)))
        .filter(|(_, snippet)| AnswerFormat::of_template(snippet.as_str().unwrap()).name().is_none())
        .collect();
    assert!(unread.is_empty(), "no format is found for calls of {unread:?}");
}
