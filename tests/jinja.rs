//! Templates of every kind give what Jinja gives, or fail as it fails. The goldens come from `scripts/goldens/jinja_snippets.py`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use formers::preprocess::text::chat::{ChatOptions, WallClock, render};
use formers::preprocess::text::{Folder, Tokenizer};
use serde_json::{Map, Value, json};

fn goldens() -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/chat/jinja_snippets.json");
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

/// A tokenizer without special tokens that have names.
fn tokenizer() -> Tokenizer {
    let folder = tempfile::tempdir().unwrap();
    let model = json!({"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"});
    std::fs::write(folder.path().join("tokenizer.json"), json!({"version": "1.0", "model": model}).to_string()).unwrap();
    std::fs::write(folder.path().join("tokenizer_config.json"), "{}").unwrap();
    Tokenizer::from_files(&Folder::new(folder.path()), &Value::Null).unwrap()
}

/// What a template gives with the goldens' variables. One of them is larger than any number of JSON here, so that the template sets it.
fn rendered(template: &str, variables: &Map<String, Value>, tokenizer: &Tokenizer) -> Result<String, String> {
    let prefix = if template.contains("big") { "{% set big = 123456789012345678901234567890 %}" } else { "" };
    let options = ChatOptions { kwargs: variables.clone(), now: WallClock::at((2025, 3, 7), (14, 5, 9)), ..ChatOptions::default() };
    let messages = [json!({"role": "user", "content": "hi"})];
    render(&format!("{prefix}{template}"), tokenizer.special_tokens(), &messages, &options).map_err(|error| error.to_string())
}

/// What is not the same: the chat is this test's own; complex numbers and names of characters are refused; sets, which only differences of
/// dictionaries give, have no order in Python; and a cycler's `items` are taken for a method.
const ASIDE: &[&str] = &["messages", "** 0.5", "\\N{", "k.items() - ", "- k.items()", "cycler(1, 2))|dictsort"];

/// Whether an error is of the kind that Python raises. What undefined values say, and what the template raises, is said word for word.
fn says(got: &str, wanted: &str) -> bool {
    let (kind, message) = wanted.split_once(": ").unwrap_or((wanted, ""));
    match kind {
        "TemplateSyntaxError" | "TemplateAssertionError" | "SyntaxError" => got.contains("syntax error: "),
        "TemplateError" => got.ends_with(message),
        "UndefinedError" | "SecurityError" => got.contains(wanted),
        _ => got.contains(&format!("{kind}: ")) || got.contains("it does not end"),
    }
}

#[test]
fn snippets_render_as_jinja_renders_them() {
    let (goldens, tokenizer) = (goldens(), tokenizer());
    let variables = goldens["variables"].as_object().unwrap();
    let mut differences = Vec::new();
    let mut count = 0;
    for (kind, rows) in goldens["snippets"].as_object().unwrap() {
        for row in rows.as_array().unwrap() {
            let template = row[0].as_str().unwrap();
            if ASIDE.iter().any(|part| template.contains(part)) {
                continue;
            }
            count += 1;
            let got = rendered(template, variables, &tokenizer);
            let difference = match (&got, row[1].as_str()) {
                (Ok(got), Some(wanted)) if got == wanted => continue,
                (Ok(got), Some(wanted)) => format!("wanted {wanted:?}\n  got    {got:?}"),
                (Ok(got), None) => format!("wanted {}\n  got    {got:?}", row[2]),
                (Err(got), Some(wanted)) => format!("wanted {wanted:?}\n  got    {got}"),
                (Err(got), None) if says(got, row[2].as_str().unwrap()) => continue,
                (Err(got), None) => format!("wanted {}\n  got    {got}", row[2]),
            };
            differences.push(format!("{kind}: {template:?}\n  {difference}"));
        }
    }
    assert!(count > 4000, "{count}");
    assert!(differences.is_empty(), "{} of {count} differ:\n{}", differences.len(), differences.join("\n"));
}
