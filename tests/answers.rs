//! Reasoning and calls of tools, read out of what the common families of chat models write.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use formers::postprocess::answer::{Answer, ToolFormat, parse_answer};
use formers::postprocess::response::ResponseTemplate;
use serde_json::{Value, json};

fn shown(answer: &Answer) -> Value {
    let calls: Vec<Value> = answer.tool_calls.iter().map(|call| json!([call.name, call.arguments, call.id])).collect();
    json!([answer.content, answer.reasoning_content, calls])
}

fn check(format: Option<ToolFormat>, cases: &[(&str, &str, Value)]) {
    let tools = [json!({"type": "function", "function": {"name": "f", "parameters": {"properties": {
        "n": {"type": "integer"}, "s": {"type": "string"}, "l": {"type": "array"}, "u": {"type": ["string", "null"]}}}}})];
    for (prompt, text, wanted) in cases {
        assert_eq!(shown(&parse_answer(text, prompt, format, &tools)), *wanted, "{text}");
    }
}

#[test]
fn reasoning_is_taken_out() {
    check(
        None,
        &[
            ("", "Hello ", json!(["Hello ", null, []])),
            ("", "<think>\nHm.\n</think>\n\nHello", json!(["Hello", "Hm.", []])),
            ("assistant\n<think>\n", "Hm.\n</think>\n\nHello", json!(["Hello", "Hm.", []])),
            ("", "Hm.\n</think>\n\nHello", json!(["Hello", "Hm.", []])),
            ("", "<think>\nHm", json!(["", "Hm", []])),
            ("<think>\n\n</think>\n\n", "Hello", json!(["Hello", null, []])),
            ("", "[THINK]Hm[/THINK]Hello", json!(["Hello", "Hm", []])),
            ("", "I say <think> and </think>", json!(["I say <think> and </think>", null, []])),
            ("", "", json!(["", null, []])),
        ],
    );
}

#[test]
fn calls_in_tags_are_read() {
    check(
        Some(ToolFormat::Tags),
        &[
            ("", "Hello", json!(["Hello", null, []])),
            (
                "",
                "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"s\": \"é\"}}\n</tool_call>",
                json!(["", null, [["f", {"s": "é"}, null]]]),
            ),
            (
                "",
                "Look.\n<tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call>\n<tool_call>{\"name\": \"g\"}",
                json!(["Look.", null, [["f", {}, null], ["g", {}, null]]]),
            ),
            ("", "<tool_call>{\"name\": \"f\", \"arguments\": \"{\\\"n\\\": 1}\"}</tool_call>", json!(["", null, [["f", {"n": 1}, null]]])),
            ("", "<think>a</think><tool_call>{\"name\": \"f\"}</tool_call>", json!(["", "a", [["f", {}, null]]])),
            ("", "<tool_call>{\"name\": \"f\", }</tool_call> x", json!(["<tool_call>{\"name\": \"f\", }</tool_call> x", null, []])),
            ("", "<tool_call>{\"name\": \"f\", \"arguments\": [1]}", json!(["<tool_call>{\"name\": \"f\", \"arguments\": [1]}", null, []])),
            (
                "",
                "<tool_call>\n<function=f>\n<parameter=n>\n5\n</parameter>\n<parameter=s>\n5\n6\n</parameter>\n<parameter=l>\n[1]\n</parameter>\n<parameter=u>\n7\n</parameter>\n<parameter=x>\n8\n</parameter>\n</function>\n</tool_call>",
                json!(["", null, [["f", {"n": 5, "s": "5\n6", "l": [1], "u": "7", "x": "8"}, null]]]),
            ),
            ("", "<tool_call><function=f></function></tool_call>", json!(["", null, [["f", {}, null]]])),
            ("", "<tool_call><function=f><parameter=n>5", json!(["<tool_call><function=f><parameter=n>5", null, []])),
        ],
    );
}

#[test]
fn calls_in_json_are_read() {
    check(
        Some(ToolFormat::Json),
        &[
            ("", "Hello", json!(["Hello", null, []])),
            ("", "{\"name\": \"f\", \"parameters\": {\"n\": 1}}", json!(["", null, [["f", {"n": 1}, null]]])),
            (
                "",
                "<|python_tag|>{\"name\": \"f\", \"parameters\": {}}; {\"name\": \"g\", \"parameters\": {}}",
                json!(["", null, [["f", {}, null], ["g", {}, null]]]),
            ),
            ("", "<|python_tag|>f.call(s=\"a, (b)\", n=\"1\")", json!(["", null, [["f", {"s": "a, (b)", "n": "1"}, null]]])),
            ("", "<|python_tag|>print(1)", json!(["<|python_tag|>print(1)", null, []])),
            ("", "{\"answer\": 1}", json!(["{\"answer\": 1}", null, []])),
            ("", "{\"name\": \"f\"} and more", json!(["{\"name\": \"f\"} and more", null, []])),
        ],
    );
}

#[test]
fn calls_in_brackets_are_read() {
    check(
        Some(ToolFormat::Brackets),
        &[
            ("", "Hello", json!(["Hello", null, []])),
            (
                "",
                "[TOOL_CALLS] [{\"name\": \"f\", \"arguments\": {\"n\": 1}, \"id\": \"abcdef123\"}, {\"name\": \"g\", \"arguments\": {}}]",
                json!(["", null, [["f", {"n": 1}, "abcdef123"], ["g", {}, null]]]),
            ),
            ("", "Hi[TOOL_CALLS]f{\"n\": 1}[TOOL_CALLS]g[ARGS]{}", json!(["Hi", null, [["f", {"n": 1}, null], ["g", {}, null]]])),
            ("", "[TOOL_CALLS]f[CALL_ID]abc[ARGS]{\"n\": 1}", json!(["", null, [["f", {"n": 1}, "abc"]]])),
            ("", "[TOOL_CALLS] [{\"name\"", json!(["[TOOL_CALLS] [{\"name\"", null, []])),
            ("", "[TOOL_CALLS]f", json!(["[TOOL_CALLS]f", null, []])),
        ],
    );
}

#[test]
fn calls_of_further_families_are_read() {
    check(
        Some(ToolFormat::Tags),
        &[
            (
                "",
                "<tool_call>f\n<arg_key>n</arg_key>\n<arg_value>5</arg_value>\n<arg_key>s</arg_key><arg_value>5</arg_value>\n</tool_call>",
                json!(["", null, [["f", {"n": 5, "s": "5"}, null]]]),
            ),
            ("", "<tool_call>f</tool_call>", json!(["", null, [["f", {}, null]]])),
            ("", "<tool_call>no call</tool_call>", json!(["<tool_call>no call</tool_call>", null, []])),
        ],
    );
    check(
        Some(ToolFormat::Channels),
        &[
            ("", "Hello", json!(["Hello", null, []])),
            (
                "<|start|>assistant",
                "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Hello<|return|>",
                json!(["Hello", "Hm.", []]),
            ),
            (
                "<|start|>assistant",
                "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>commentary to=functions.f <|constrain|>json<|message|>{\"n\": 1}<|call|>",
                json!(["", "Hm.", [["f", {"n": 1}, null]]]),
            ),
            (
                "<|start|>assistant",
                " to=functions.f<|channel|>commentary json<|message|>{\"n\": 1}",
                json!(["", null, [["f", {"n": 1}, null]]]),
            ),
            ("<|start|>assistant<|channel|>final<|message|>", "Hello", json!(["Hello", null, []])),
            ("<|start|>assistant", "<|channel|>analysis<|message|>Hm", json!(["", "Hm", []])),
            (
                "<|start|>assistant",
                "<|channel|>commentary to=functions.f<|message|>{\"n\":<|call|>",
                json!(["<|channel|>commentary to=functions.f<|message|>{\"n\":<|call|>", null, []]),
            ),
        ],
    );
    check(
        Some(ToolFormat::Lists),
        &[
            ("", "Hello", json!(["Hello", null, []])),
            ("", "<|tool_call|>[{\"name\": \"f\", \"arguments\": {\"n\": 1}}]", json!(["", null, [["f", {"n": 1}, null]]])),
            (
                "",
                "a<|tool_call|>[{\"name\": \"f\"}, {\"name\": \"g\"}]<|/tool_call|>",
                json!(["a", null, [["f", {}, null], ["g", {}, null]]]),
            ),
            (
                "",
                "<|START_THINKING|>Hm.<|END_THINKING|><|START_ACTION|>[\n {\"tool_call_id\": \"0\", \"tool_name\": \"f\", \"parameters\": {\"n\": 1}}\n]<|END_ACTION|>",
                json!(["", "Hm.", [["f", {"n": 1}, "0"]]]),
            ),
            ("", "<|START_RESPONSE|>Hello<|END_RESPONSE|>", json!(["Hello", null, []])),
            ("", "Action: ```json\n[{\"tool_name\": \"f\", \"parameters\": {\"n\": 1}}]\n```", json!(["", null, [["f", {"n": 1}, null]]])),
            ("", "Action: ```json\n[{\"tool_name\": \"directly_answer\", \"parameters\": {}}]\n```", json!(["", null, []])),
            ("", "<|tool_call|>[{\"name\": ", json!(["<|tool_call|>[{\"name\": ", null, []])),
        ],
    );
    check(
        Some(ToolFormat::Sections),
        &[
            ("", "Hello", json!(["Hello", null, []])),
            (
                "",
                "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n{\"n\": 1}\n```<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>g\n```json\n{}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
                json!(["", null, [["f", {"n": 1}, null], ["g", {}, null]]]),
            ),
            (
                "<think>",
                "Hm.</think>Hi<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{\"n\": 1}",
                json!(["Hi", "Hm.", [["f", {"n": 1}, null]]]),
            ),
            (
                "",
                "<|tool_calls_section_begin|><|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>{\"n\": 1}<|tool_call_end|><|tool_calls_section_end|>",
                json!(["", null, [["f", {"n": 1}, "functions.f:0"]]]),
            ),
            ("", "<｜tool▁calls▁begin｜>f<｜tool▁calls▁end｜>", json!(["<｜tool▁calls▁begin｜>f<｜tool▁calls▁end｜>", null, []])),
        ],
    );
    check(
        Some(ToolFormat::Functions),
        &[
            ("", "Hello", json!(["Hello", null, []])),
            (
                "",
                "<start_function_call>call:f{s:<escape>a \"b\", {c:1}<escape>,n:1,l:[true,{k:null}]}<end_function_call>",
                json!(["", null, [["f", {"s": "a \"b\", {c:1}", "n": 1, "l": [true, {"k": null}]}, null]]]),
            ),
            (
                "<|channel>thought\n",
                "Hm.<channel|>Hi<|tool_call>call:f{s:<|\"|>a<|\"|>}<tool_call|><|tool_call>call:g{}<tool_call|>",
                json!(["Hi", "Hm.", [["f", {"s": "a"}, null], ["g", {}, null]]]),
            ),
            ("", "<|tool_call>call:f{s:a}<tool_call|>", json!(["<|tool_call>call:f{s:a}<tool_call|>", null, []])),
        ],
    );
    check(
        Some(ToolFormat::Python),
        &[
            ("", "Hello", json!(["Hello", null, []])),
            (
                "",
                "<|tool_call_start|>[f(s='it\\'s', n=-1, l=[1.5, (True, None)], o={\"k\": \"v, )\"}), g()]<|tool_call_end|>Done.",
                json!(["Done.", null, [["f", {"s": "it's", "n": -1, "l": [1.5, [true, null]], "o": {"k": "v, )"}}, null], ["g", {}, null]]]),
            ),
            ("", "<|tool_call_start|>[f(s=)]<|tool_call_end|>", json!(["<|tool_call_start|>[f(s=)]<|tool_call_end|>", null, []])),
            ("", "<|tool_call_start|>[f(1)", json!(["<|tool_call_start|>[f(1)", null, []])),
        ],
    );
}

/// Whatever comes, nothing fails, and a text without marks stays.
#[test]
fn pieces_of_marks_are_no_trouble() {
    let pieces = [
        "<tool_call>",
        "</tool_call>",
        "{\"name\": \"f\"}",
        "<think>",
        "</think>",
        "[TOOL_CALLS]",
        "f{",
        "}",
        "<|channel|>",
        "<|message|>",
        "to=",
        "<|start|>",
        "<|end|>",
        "<｜tool▁calls▁begin｜>",
        "<｜tool▁call▁begin｜>",
        "<｜tool▁sep｜>",
        "```json",
        "<|tool_call>",
        "call:f{",
        "<escape>",
        "<tool_call|>",
        "<|tool_call_start|>",
        "[f(a='",
        "\\",
        "é",
        "(((((",
        "[[[[",
        "Action:",
        "<|tool_call|>",
        "[{}]",
        "<arg_key>",
        "</arg_key>",
        "<function=f>",
        "<parameter=",
        "\u{1}0\u{2}",
        " ",
        "\n",
    ];
    let formats = [
        None,
        Some(ToolFormat::Tags),
        Some(ToolFormat::Json),
        Some(ToolFormat::Brackets),
        Some(ToolFormat::Channels),
        Some(ToolFormat::Lists),
        Some(ToolFormat::Sections),
        Some(ToolFormat::Functions),
        Some(ToolFormat::Python),
    ];
    let mut chance = 0x2545_f491_4f6c_dd1d_u64;
    let mut below = |end: usize| {
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        (chance >> 11) as usize % end
    };
    for _ in 0..20_000 {
        let text: String = (0..below(9)).map(|_| pieces[below(pieces.len())]).collect();
        let prompt = pieces[below(pieces.len())];
        for format in formats {
            parse_answer(&text, prompt, format, &[]);
        }
    }
    for format in formats {
        assert_eq!(parse_answer(" Just text. \n", "", format, &[]).content.trim(), "Just text.");
    }
    let deep = format!("<|tool_call_start|>[f(a={})]", "[".repeat(100_000));
    assert!(parse_answer(&deep, "", Some(ToolFormat::Python), &[]).tool_calls.is_empty());
}

#[test]
fn messages_become_answers_and_back() {
    let message = json!({"role": "assistant", "content": "a", "thinking": "b", "tool_calls": [
        {"type": "function", "function": {"name": "f", "arguments": {"n": 1}}, "id": "x"}, {"name": "g", "arguments": "{}"}, {"function": {"name": "h", "arguments": "text"}}]});
    let answer = Answer::from_message(message.as_object().unwrap());
    assert_eq!(
        shown(&answer),
        json!(["a{\"function\":{\"name\":\"h\",\"arguments\":\"text\"}}", "b", [["f", {"n": 1}, "x"], ["g", {}, null]]])
    );
    let again = Answer::from_message(answer.to_message().as_object().unwrap());
    assert_eq!(again, answer);
}

#[test]
fn templates_tell_their_format() {
    let cases = [
        ("{{ '<tool_call>' }}", Some(ToolFormat::Tags)),
        ("{{ '[TOOL_CALLS]' }}", Some(ToolFormat::Brackets)),
        ("<|start_header_id|> \"parameters\"", Some(ToolFormat::Json)),
        ("{{ '<|start|>assistant<|channel|>final' }}", Some(ToolFormat::Channels)),
        ("<｜tool▁calls▁begin｜>", Some(ToolFormat::Sections)),
        ("<|tool_calls_section_begin|>", Some(ToolFormat::Sections)),
        ("'<|tool_call>call:'", Some(ToolFormat::Functions)),
        ("<|tool_call|>", Some(ToolFormat::Lists)),
        ("<|START_ACTION|>", Some(ToolFormat::Lists)),
        ("Action: ```json", Some(ToolFormat::Lists)),
        ("<|tool_list_start|>", Some(ToolFormat::Python)),
        ("<|im_start|>", None),
    ];
    for (template, wanted) in cases {
        assert_eq!(ToolFormat::of_template(template), wanted, "{template}");
    }
}

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
