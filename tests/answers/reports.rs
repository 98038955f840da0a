//! What users of other runtimes reported of their models' answers: forms that were lost, or left marks in the content.

use serde_json::{Value, json};

use super::check::{check, check_with};

/// One call of `f`, and nothing else.
fn f(arguments: &Value) -> Value {
    json!(["", null, [["f", arguments, null]]])
}

fn all(format: &str, cases: &[(&str, Value)]) {
    let cases: Vec<_> = cases.iter().map(|(text, wanted)| ("assistant", *text, wanted.clone())).collect();
    check(format, &cases);
}

#[test]
fn marks_that_are_written_twice() {
    let one = f(&json!({"n": 1}));
    all(
        "deepseek",
        &[
            (
                "<｜tool▁calls▁begin｜><｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{\"n\": 1}<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
                one.clone(),
            ),
            (
                "<｜tool▁calls▁begin｜>\n<｜tool▁calls▁begin｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n{\"n\": 1}\n```<｜tool▁call▁end｜>",
                one.clone(),
            ),
            ("<｜tool▁call▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{\"n\": 1}", one.clone()),
            // Twice, but not around a call.
            ("<｜tool▁calls▁begin｜><｜tool▁calls▁begin｜>x", json!(["<｜tool▁calls▁begin｜><｜tool▁calls▁begin｜>x", null, []])),
        ],
    );
    all(
        "hermes",
        &[
            ("<tool_call>\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"n\": 1}}\n</tool_call>", one.clone()),
            ("<tool_call><tool_call>f<arg_key>n</arg_key><arg_value>1</arg_value></tool_call>", one.clone()),
        ],
    );
    all("mistral", &[("[TOOL_CALLS][TOOL_CALLS]f[ARGS]{\"n\": 1}", one.clone())]);
    all("phi4", &[("<|tool_call|><|tool_call|>[{\"name\": \"f\", \"arguments\": {\"n\": 1}}]<|/tool_call|>", one)]);
    all(
        "kimi",
        &[(
            "<|tool_calls_section_begin|><|tool_calls_section_begin|><|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>{\"n\": 1}<|tool_call_end|><|tool_calls_section_end|>",
            json!(["", null, [["f", {"n": 1}, "functions.f:0"]]]),
        )],
    );
}

#[test]
fn fences_around_calls_are_no_content() {
    let one = f(&json!({"n": 1}));
    let object = "{\"name\": \"f\", \"parameters\": {\"n\": 1}}";
    let listed = format!("```\n[{object}]\n```");
    let fences =
        [format!("```json\n{object}\n```"), format!("```\n{object}\n```\n"), format!("```json\n{object}"), format!("```json {object} ```")];
    for text in &fences {
        for format in ["llama3", "hermes", "xlam", "functools"] {
            all(format, &[(text, one.clone())]);
        }
    }
    all("llama3", &[(&listed, one.clone()), ("```python\n[f(n=1)]\n```", one.clone())]);
    all("xlam", &[(&listed, one.clone())]);
    all(
        "hermes",
        &[
            ("```xml\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"n\": 1}}\n</tool_call>\n```", one.clone()),
            ("```\n<function=f>\n<parameter=n>\n1\n</parameter>\n</function>\n```", one),
            (
                "I look.\n\n```json\n{\"name\": \"f\", \"arguments\": {\"n\": 1}}\n```\n\nWait.",
                json!(["I look.\n\n\n\nWait.", null, [["f", {"n": 1}, null]]]),
            ),
            (
                "```json\n<tool_call>{\"name\": \"f\", \"arguments\": {\"n\": 1}}</tool_call>\n<tool_call>{\"name\": \"f\", \"arguments\": {\"n\": 2}}</tool_call>\n```",
                json!(["", null, [["f", {"n": 1}, null], ["f", {"n": 2}, null]]]),
            ),
            // Data and programs in fences stay, whatever their fields are called.
            (
                "```json\n{\"name\": \"my-app\", \"version\": \"1.0\"}\n```",
                json!(["```json\n{\"name\": \"my-app\", \"version\": \"1.0\"}\n```", null, []]),
            ),
            ("```json\n{\"a\": 1}\n```", json!(["```json\n{\"a\": 1}\n```", null, []])),
            ("```python\nprint(1)\n```\nDone", json!(["```python\nprint(1)\n```\nDone", null, []])),
            ("```", json!(["```", null, []])),
            ("a ```json\n``` b", json!(["a ```json\n``` b", null, []])),
        ],
    );
}

#[test]
fn calls_without_marks_are_of_given_tools() {
    all(
        "hermes",
        &[
            ("{\"name\": \"f\", \"arguments\": {\"n\": 1}}", f(&json!({"n": 1}))),
            (
                "{\"name\": \"f\", \"arguments\": {\"n\": 1}}\n{\"name\": \"f\"}",
                json!(["", null, [["f", {"n": 1}, null], ["f", {}, null]]]),
            ),
            ("{\"name\": \"Ann\", \"age\": 31}", json!(["{\"name\": \"Ann\", \"age\": 31}", null, []])),
            ("{\"name\": \"g\", \"arguments\": {}}", json!(["{\"name\": \"g\", \"arguments\": {}}", null, []])),
        ],
    );
}

#[test]
fn glm_forgets_marks_of_pairs() {
    let tools = [
        json!({"name": "grep_tool", "parameters": {"properties": {"pattern": {"type": "string"}, "path": {"type": "string"}, "count": {"type": "integer"}}}}),
    ];
    let all = |cases: &[(&str, Value)]| {
        let cases: Vec<_> =
            cases.iter().map(|(text, arguments)| ("assistant", *text, json!(["", null, [["grep_tool", arguments, null]]]))).collect();
        check_with("hermes", &tools, &cases);
    };
    let both = json!({"pattern": "a b", "path": "/x"});
    all(&[
        // The mark behind a value, of the last and of another.
        ("<tool_call>grep_tool\n<arg_key>pattern</arg_key>\n<arg_value>a b\n</tool_call>", json!({"pattern": "a b"})),
        (
            "<tool_call>grep_tool\n<arg_key>pattern</arg_key>\n<arg_value>a b\n<arg_key>path</arg_key>\n<arg_value>/x</arg_value>\n</tool_call>",
            both.clone(),
        ),
        (
            "<tool_call>grep_tool<arg_key>count</arg_key><arg_value>3<arg_key>path</arg_key><arg_value>/x</tool_call>",
            json!({"count": 3, "path": "/x"}),
        ),
        // The one before a value.
        ("<tool_call>grep_tool<arg_key>pattern</arg_key>a b</arg_value></tool_call>", json!({"pattern": "a b"})),
        (
            "<tool_call>grep_tool\n<arg_key>count</arg_key>\n3</arg_value>\n<arg_key>path</arg_key><arg_value>/x</arg_value></tool_call>",
            json!({"count": 3, "path": "/x"}),
        ),
        // The one before a key, with a space in its place or nothing, and another in its place.
        ("<tool_call>grep_toolpattern</arg_key><arg_value>a b</arg_value></tool_call>", json!({"pattern": "a b"})),
        (
            "<tool_call>grep_tool pattern</arg_key><arg_value>a b</arg_value><arg_key>path</arg_key><arg_value>/x</arg_value></tool_call>",
            both.clone(),
        ),
        ("<tool_call>grep_tool<tool_call>pattern</arg_key><arg_value>a b</arg_value></tool_call>", json!({"pattern": "a b"})),
        // The one behind a key.
        ("<tool_call>grep_tool<arg_key>pattern<arg_value>a b</arg_value></tool_call>", json!({"pattern": "a b"})),
        // Twice.
        ("<tool_call>grep_tool<arg_key><arg_key>path</arg_key><arg_value>/x</arg_value></tool_call>", json!({"path": "/x"})),
        ("<tool_call>grep_tool<arg_key>path</arg_key></arg_key><arg_value>/x</arg_value></tool_call>", json!({"path": "/x"})),
        // Values that speak of marks.
        (
            "<tool_call>grep_tool<arg_key>pattern</arg_key><arg_value><arg_key>path</arg_value></tool_call>",
            json!({"pattern": "<arg_key>path"}),
        ),
        (
            "<tool_call>grep_tool<arg_key>pattern</arg_key><arg_value><arg_key>x</arg_key> y</arg_value></tool_call>",
            json!({"pattern": "<arg_key>x</arg_key> y"}),
        ),
    ]);
    check_with(
        "hermes",
        &tools,
        &[
            (
                "assistant",
                "<tool_call>grep_tool<arg_key>path</arg_key><arg_value>/x</tool_call><tool_call>grep_tool<arg_key>path</arg_key><arg_value>/y</tool_call>",
                json!(["", null, [["grep_tool", {"path": "/x"}, null], ["grep_tool", {"path": "/y"}, null]]]),
            ),
            ("assistant", "<tool_call>grep_tool", json!(["", null, [["grep_tool", {}, null]]])),
            (
                "assistant",
                "<tool_call>xpattern</arg_key><arg_value>a</arg_value></tool_call>",
                json!(["<tool_call>xpattern</arg_key><arg_value>a</arg_value></tool_call>", null, []]),
            ),
        ],
    );
}

#[test]
fn numbers_that_json_does_not_have_are_texts() {
    for (written, read) in [
        ("NaN", json!("NaN")),
        ("Infinity", json!("Infinity")),
        ("-Infinity", json!("-Infinity")),
        ("1e400", json!("Infinity")),
        ("-1e400", json!("-Infinity")),
        ("1e-400", json!(0.0)),
    ] {
        let object = format!("{{\"n\": {written}, \"l\": [{written}]}}");
        let wanted = f(&json!({"n": read, "l": [read]}));
        let call = format!("{{\"name\": \"f\", \"arguments\": {object}}}");
        all("hermes", &[(&format!("<tool_call>{call}</tool_call>"), wanted.clone())]);
        all("llama3", &[(&call, wanted.clone())]);
        all("mistral", &[(&format!("[TOOL_CALLS]f[ARGS]{object}"), wanted.clone())]);
        all("gpt-oss", &[(&format!("<|channel|>commentary to=functions.f <|message|>{object}<|call|>"), wanted)]);
    }
}

#[test]
fn texts_with_letters_before_them() {
    let cases: &[(&str, Value)] = &[
        (r#"s=r"\d+\n""#, json!({"s": "\\d+\\n"})),
        (r#"s=R'C:\new\'s'"#, json!({"s": "C:\\new\\'s"})),
        (r#"s=u"é", n=1"#, json!({"s": "é", "n": 1})),
        (r#"l=[r"\d", 'b']"#, json!({"l": ["\\d", "b"]})),
        ("s=r'''a\\\n'b' ''', n=1", json!({"s": "a\\\n'b' ", "n": 1})),
        (r#"s="\x41\x4""#, json!({"s": "A\\x4"})),
        (r#"s="\d""#, json!({"s": "\\d"})),
    ];
    for (text, arguments) in cases {
        all("lfm2", &[(&format!("<|tool_call_start|>[f({text})]<|tool_call_end|>"), f(arguments))]);
    }
    // Elsewhere a letter before a text is no text.
    all(
        "hermes",
        &[(
            "<tool_call>{\"name\": \"f\", \"arguments\": {\"s\": r\"a\"}}</tool_call>",
            json!(["<tool_call>{\"name\": \"f\", \"arguments\": {\"s\": r\"a\"}}</tool_call>", null, []]),
        )],
    );
}

#[test]
fn headers_that_are_not_as_they_should_be() {
    let one = f(&json!({"s": "x"}));
    all(
        "gpt-oss",
        &[
            ("<|channel|>commentary to=functions.f <|message|>[{\"s\": \"x\"}]<|call|>", one.clone()),
            ("<|channel|>commentary to=functions.f <|message|>{\"s\": \"x\"}]<|call|>", one.clone()),
            ("<|channel|>analysis to=functions.f code<|message|>\n{\"s\": \"x\"}<|call|>", one),
            ("<|channel|>final Hello<|end|>", json!(["Hello", null, []])),
            ("<|channel|>analysisHm.<|end|><|start|>assistant<|channel|>final<|message|>Hello<|return|>", json!(["Hello", "Hm.", []])),
            ("<|channel|>??<|end|><|start|>assistant<|channel|>analysis<|message|>Hm.<|end|>", json!(["??", "Hm.", []])),
            ("<|channel|>commentary?<|message|>Hi<|end|>", json!(["Hi", null, []])),
            ("<|start|>assistant<|channel|>final Hello<|end|>", json!(["Hello", null, []])),
            ("<|channel|>commentary<|end|>", json!(["", null, []])),
            ("{\"plain\": 1}", json!(["{\"plain\": 1}", null, []])),
        ],
    );
    // However far its end is, a header is read the same whether it comes at once or in pieces.
    for length in [100, 398, 399, 400, 401, 410, 420, 500] {
        for start in ["<|channel|>", "<|start|>assistant "] {
            let header = format!("{start}{}", "w".repeat(length));
            for end in ["<|message|>Hi", "<|end|>", ""] {
                let text = format!("{header}{end}");
                let format = super::check::format("gpt-oss");
                super::check::read_everyhow(&text, "assistant", &format, &[]);
            }
        }
    }
}

#[test]
fn gemma_writes_its_calls_in_several_ways() {
    let one = f(&json!({"s": "x", "n": 1}));
    all(
        "gemma",
        &[
            ("<|tool_call>:f{s:<|\"|>x<|\"|>,n:1}<tool_call|>", one.clone()),
            ("<|tool_call>call:f(s=<|\"|>x<|\"|>, n=1)<tool_call|>", one.clone()),
            ("<|tool_call>call:f{s:<|\"|>x<|\"|>n:1}<tool_call|>", one.clone()),
            ("<|tool_call>call:tools:f{s:'x',n:1}<tool_call|>", one.clone()),
            ("call:f(s=\"x\", n=1)", one.clone()),
            ("<|tool_call>call:f{\"s\": \"x\", n:1}<tool_call|>", one),
            (
                "<|tool_call>call:f{s:<|\"|>a: b, {c}<|\"|>,u:null,l:[{@k-1:<|\"|>v<|\"|>}]}<tool_call|>",
                f(&json!({"s": "a: b, {c}", "u": null, "l": [{"@k-1": "v"}]})),
            ),
            ("Done.<|channel> \n", json!(["Done. \n", null, []])),
            ("<|tool_call>f{n:1}<tool_call|>", json!(["<|tool_call>f{n:1}<tool_call|>", null, []])),
        ],
    );
}

#[test]
fn names_and_ids_that_are_not_whole() {
    let call = |id: &str, text: &str| {
        let text = format!(
            "<|tool_calls_section_begin|><|tool_call_begin|>{text}<|tool_call_argument_begin|>{{\"n\": 1}}<|tool_call_end|><|tool_calls_section_end|>"
        );
        check("kimi", &[("assistant", &text, json!(["", null, [["f", {"n": 1}, id]]]))]);
    };
    for id in ["functions.f:0", "functionsf5", "functions.f5", "f:0", "functions.f", "f_1"] {
        call(id, id);
    }
    all(
        "kimi",
        &[("<|tool_call_begin|>functions.a.b:0<|tool_call_argument_begin|>{}", json!(["", null, [["a.b", {}, "functions.a.b:0"]]]))],
    );
    // Names before the name that the model made up.
    for name in ["functions.f", "default_api:f", "server/f"] {
        all("hermes", &[(&format!("<tool_call>{{\"name\": \"{name}\", \"arguments\": {{}}}}</tool_call>"), f(&json!({})))]);
    }
    all(
        "hermes",
        &[("<tool_call>{\"name\": \"functions.g\", \"arguments\": {}}</tool_call>", json!(["", null, [["functions.g", {}, null]]]))],
    );
}
