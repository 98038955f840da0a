//! Answers that a checkpoint's own `response_template` takes apart.

use std::path::Path;

use formers::postprocess::response::ResponseTemplate;
use serde_json::{Value, json};

/// The answers of `scripts/goldens/responses.py`.
#[test]
fn response_templates_take_answers_apart_as_the_reference_does() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/chat/responses.json");
    let goldens: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let mut wrong = Vec::new();
    let mut check = |template: &Value, golden: &Value, tools: &[Value]| {
        let text = |name: &str| golden[name].as_str().unwrap_or("{\"a\": 1} x");
        let prompt = golden["prefix"].as_str().unwrap_or_default();
        let parsed = ResponseTemplate::from_value(template).and_then(|template| template.parse(text("text"), prompt, tools));
        let same = match (&parsed, golden.get("message")) {
            // Fields in the same order, too.
            (Ok(message), Some(wanted)) => serde_json::to_string(message).unwrap() == serde_json::to_string(wanted).unwrap(),
            (Err(_), None) => true,
            _ => false,
        };
        if !same {
            let wanted = golden.get("message").unwrap_or(&golden["error"]);
            wrong.push(format!("{}: {prompt:?} {:?}\n  wanted {wanted}\n  got    {parsed:?}", golden["template"], text("text")));
        }
    };
    for golden in goldens["cases"].as_array().unwrap() {
        let tools = goldens["tools"].as_array().filter(|_| golden["tools"] == true).map(Vec::as_slice).unwrap_or_default();
        check(&goldens["templates"][golden["template"].as_str().unwrap()], golden, tools);
    }
    for golden in goldens["bad"].as_array().unwrap() {
        check(&golden["template"], golden, &[]);
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong[..wrong.len().min(20)].join("\n"));
}

#[test]
fn answers_that_a_response_template_cannot_read_name_the_field() {
    let template = json!({"start_anchor": "A:", "fields": {"tool_calls": {"open": "<call>", "close": "</call>", "content": "json"}}});
    let error = ResponseTemplate::from_value(&template).unwrap().parse("<call>{\"n\": }</call>", "", &[]).unwrap_err();
    assert_eq!(error.kind(), formers::ErrorKind::Answer);
    assert!(error.to_string().starts_with("tool_calls of the answer: not JSON (expected value at line 1 column 7): {\"n\": }"), "{error}");
    let template = json!({"start_anchor": "A:", "fields": {"content": {"closed": "x"}}});
    let error = ResponseTemplate::from_value(&template).unwrap_err().to_string();
    assert!(error.starts_with("tokenizer_config.json: response_template.fields.content.closed: no such key"), "{error}");
    // Delimiters without any text do not go on without end.
    let template = json!({"start_anchor": "A:", "fields": {"a": {"open_pattern": "(?=x)", "close_pattern": "(?=x)", "repeats": true}}});
    ResponseTemplate::from_value(&template).unwrap().parse("ax", "", &[]).unwrap();
}
