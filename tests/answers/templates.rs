//! Answers that a checkpoint's own `response_template` takes apart.

use std::path::Path;

use formers::postprocess::answer::{Answer, Part};
use formers::postprocess::response::{ResponseReader, ResponseTemplate};
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

/// An answer in pieces, and the parts joined; an error's text where it is not as the template says.
fn streamed<'p>(
    template: &ResponseTemplate,
    prompt: &str,
    tools: &[Value],
    pieces: impl IntoIterator<Item = &'p str>,
) -> Result<Answer, String> {
    streamed_without(&[], template, prompt, tools, pieces)
}

/// As [`streamed`], without some tokens.
fn streamed_without<'p>(
    tokens: &[String],
    template: &ResponseTemplate,
    prompt: &str,
    tools: &[Value],
    pieces: impl IntoIterator<Item = &'p str>,
) -> Result<Answer, String> {
    let mut reader = ResponseReader::new(template, prompt, tools, tokens).unwrap();
    let mut joined = Answer::default();
    let mut add = |parts: Vec<Part>| {
        for part in parts {
            match part {
                Part::Content(text) => joined.content.push_str(&text),
                Part::Reasoning(text) => joined.reasoning_content.get_or_insert_default().push_str(&text),
                Part::Call(call) => joined.tool_calls.push(call),
                other => unreachable!("{other:?}"),
            }
        }
    };
    for piece in pieces {
        add(reader.push(piece).unwrap());
    }
    let rest = reader.finish().map_err(|error| error.to_string())?;
    add(rest);
    assert_eq!(joined, *reader.answer());
    Ok(joined)
}

/// What has been shown stays, and is what the reference reads, but that no text is lost where a field comes again.
#[test]
fn answers_in_pieces_are_those_of_response_templates() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/chat/responses.json");
    let goldens: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let templates = goldens["templates"].as_object().unwrap();
    let templates: std::collections::BTreeMap<&str, ResponseTemplate> =
        templates.iter().map(|(name, template)| (name.as_str(), ResponseTemplate::from_value(template).unwrap())).collect();
    let (mut same, mut all) = (0, 0);
    for (nth, golden) in goldens["cases"].as_array().unwrap().iter().enumerate() {
        let tools = goldens["tools"].as_array().filter(|_| golden["tools"] == true).map(Vec::as_slice).unwrap_or_default();
        let template = &templates[golden["template"].as_str().unwrap()];
        let (text, prompt) = (golden["text"].as_str().unwrap(), golden["prefix"].as_str().unwrap_or_default());
        let whole = streamed(template, prompt, tools, [text]);
        for (place, _) in text.char_indices().skip(nth % 7).step_by(7) {
            let (before, behind) = text.split_at(place);
            assert_eq!(streamed(template, prompt, tools, [before, behind]), whole, "{golden} cut at {place}");
        }
        let characters: Vec<String> = text.chars().map(String::from).collect();
        assert_eq!(streamed(template, prompt, tools, characters.iter().map(String::as_str)), whole, "{golden}");
        let tokens = ["<|im_end|>".to_owned(), "<eos>".to_owned()];
        let characters = || characters.iter().map(String::as_str);
        let without = streamed_without(&tokens, template, prompt, tools, characters());
        assert_eq!(without, streamed_without(&tokens, template, prompt, tools, [text]), "{golden}");
        assert_eq!(whole.is_err(), golden.get("error").is_some(), "{golden} {whole:?}");
        if let (Ok(whole), Some(message)) = (&whole, golden["message"].as_object()) {
            let wanted = Answer::from_message(message);
            all += 1;
            same += usize::from(*whole == wanted);
            assert!(whole.content.contains(wanted.content.trim()), "{golden} {whole:?}");
            assert!(wanted.tool_calls.iter().all(|call| whole.tool_calls.contains(call)), "{golden} {whole:?}");
        }
    }
    assert!(same * 10 > all * 8, "{same} of {all}");
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

#[test]
fn numbers_that_json_lacks_are_told() {
    let template = json!({"start_anchor": "A:", "fields": {"score": {"open": "<score>", "close": "</score>", "content": "float"}}});
    let template = ResponseTemplate::from_value(&template).unwrap();
    for text in ["nan", "-inf", "Infinity", "1e400"] {
        let error = template.parse(&format!("<score>{text}</score>"), "", &[]).unwrap_err().to_string();
        assert_eq!(error, format!("score of the answer: not a number that JSON has: {text}"));
    }
    assert_eq!(template.parse("<score> 1e3 </score>", "", &[]).unwrap()["score"], 1000.0);
}

/// Text is shown as soon as no delimiter can begin in it.
#[test]
fn texts_of_response_templates_are_shown_as_they_come() {
    let template = json!({"start_anchor": "A:", "fields": {
        "thinking": {"open_pattern": "<thi(?:nk|ng)>\\s*", "close": ["</t>", "</t>!"]},
        "tool_calls": {"open_pattern": "\\s*<call>", "close": "</call>", "content": "json", "repeats": true},
        "content": {"close_pattern": "<end>|$"}}});
    let template = ResponseTemplate::from_value(&template).unwrap();
    let mut reader = ResponseReader::new(&template, "", &[], &["<eos>".to_owned()]).unwrap();
    let steps = [
        ("<thing> a", Some("a"), ""),
        (" b", Some("a b"), ""),
        ("</t", Some("a b"), ""),
        (">", Some("a b"), ""),
        ("Hello", Some("a b"), "Hello"),
        (" wor", Some("a b"), "Hello wor"),
        ("<e", Some("a b"), "Hello wor"),
        ("os>ld <ca", Some("a b"), "Hello world"),
        ("n>", Some("a b"), "Hello world <can>"),
        (" <call>{\"name\": ", Some("a b"), "Hello world <can>"),
        ("\"f\"}</call>\n", Some("a b"), "Hello world <can>"),
    ];
    for (piece, reasoning, content) in steps {
        reader.push(piece).unwrap();
        let answer = reader.answer();
        assert_eq!((answer.reasoning_content.as_deref(), answer.content.as_str()), (reasoning, content), "{piece:?}");
    }
    assert_eq!(reader.answer().tool_calls.len(), 1);
    reader.finish().unwrap();
    assert_eq!(reader.into_answer().content, "Hello world <can>");
}
