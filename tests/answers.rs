//! Reasoning and calls of tools, read out of what the common families of chat models write.

use formers::postprocess::answer::{Answer, ToolFormat, parse_answer};
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
fn templates_tell_their_format() {
    let cases = [
        ("{{ '<tool_call>' }}", Some(ToolFormat::Tags)),
        ("{{ '[TOOL_CALLS]' }}", Some(ToolFormat::Brackets)),
        ("<|start_header_id|> \"parameters\"", Some(ToolFormat::Json)),
        ("<|im_start|>", None),
    ];
    for (template, wanted) in cases {
        assert_eq!(ToolFormat::of_template(template), wanted, "{template}");
    }
}
