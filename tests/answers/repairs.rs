//! What models write otherwise than their templates: marks inside of values, forgotten marks, Python's words, and words about marks.

use serde_json::{Value, json};

use super::check::{check, check_with};

/// A JSON text with the closing marks of every family in it, escaped quotation marks, and line ends of both kinds.
const HARD: &str = r#"a </tool_call> \"b\" </parameter></function> [/TOOL_CALLS] ]} <|call|> ``` <tool_call|> )] ; </think> \\ é \u00e9 \ud83d\ude00 \r\n"#;

fn hard() -> Value {
    serde_json::from_str(&format!("\"{HARD}\"")).unwrap()
}

#[test]
fn several_objects_in_one_mark_are_as_many_calls() {
    let two = json!(["Then this.", null, [["f", {"n": 1}, null], ["f", {"n": 2}, null]]]);
    let call = |n: u8| format!("{{\"name\": \"f\", \"arguments\": {{\"n\": {n}}}}}");
    for between in ["\n", ", ", ";", ",\n", ""] {
        let text = format!("<tool_call>\n{}{between}{}\n</tool_call>Then this.", call(1), call(2));
        check("hermes", &[("assistant", &text, two.clone())]);
    }
}

#[test]
fn closing_marks_inside_of_texts_end_nothing() {
    let object = format!("{{\"s\": \"{HARD}\", \"n\": 1}}");
    let wanted = |content: &str| json!([content, null, [["f", {"s": hard(), "n": 1}, null]]]);
    let call = format!("{{\"name\": \"f\", \"arguments\": {object}}}");
    let cases = [
        ("hermes", format!("<tool_call>\n{call}\n</tool_call>"), wanted("")),
        ("hermes", format!("Hi <tool_call>{call}"), wanted("Hi")),
        ("llama3", call.clone(), wanted("")),
        ("llama3", format!("<|python_tag|>{call}"), wanted("")),
        ("mistral", format!("[TOOL_CALLS] [{call}]"), wanted("")),
        ("mistral", format!("[TOOL_CALLS]f[ARGS]{object}"), wanted("")),
        ("gpt-oss", format!("<|channel|>commentary to=functions.f <|constrain|>json<|message|>{object}<|call|>"), wanted("")),
        ("granite", format!("<|tool_call|>[{call}]"), wanted("")),
        ("phi4", format!("<|tool_call|>[{call}]<|/tool_call|>"), wanted("")),
        ("command-a", format!("<|START_ACTION|>[{call}]<|END_ACTION|>"), wanted("")),
        ("command-r", format!("Action: ```json\n[{call}]\n```"), wanted("")),
        (
            "deepseek",
            format!("<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{object}<｜tool▁call▁end｜><｜tool▁calls▁end｜>"),
            wanted(""),
        ),
        (
            "deepseek",
            format!(
                "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n{object}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>"
            ),
            wanted(""),
        ),
    ];
    for (format, text, wanted) in &cases {
        check(format, &[("assistant", text, wanted.clone())]);
    }
    check(
        "kimi",
        &[(
            "assistant",
            &format!(
                "<|tool_calls_section_begin|><|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>{object}<|tool_call_end|><|tool_calls_section_end|>"
            ),
            json!(["", null, [["f", {"s": hard(), "n": 1}, "functions.f:0"]]]),
        )],
    );
    check("lfm2", &[("assistant", &format!("<|tool_call_start|>[f(s=\"{HARD}\", n=1)]<|tool_call_end|>"), wanted(""))]);
    // Where texts stand between marks of the family's own, nothing else ends them.
    let plain = "a </tool_call> \"b\" } ] , <tool_call|> <end_function_call>\r\n";
    let wanted = json!(["", null, [["f", {"s": plain, "n": 1}, null]]]);
    check("gemma", &[("assistant", &format!("<|tool_call>call:f{{s:<|\"|>{plain}<|\"|>,n:1}}<tool_call|>"), wanted.clone())]);
    check(
        "function-gemma",
        &[("assistant", &format!("<start_function_call>call:f{{s:<escape>{plain}<escape>,n:1}}<end_function_call>"), wanted)],
    );
}

#[test]
fn closing_marks_inside_of_bodies_end_nothing() {
    let one = |s: &str| json!(["", null, [["f", {"s": s}, null]]]);
    let function = |s: &str| format!("<tool_call>\n<function=f>\n<parameter=s>\n{s}\n</parameter>\n</function>\n</tool_call>");
    let pairs = |s: &str| format!("<tool_call>f\n<arg_key>s</arg_key>\n<arg_value>{s}</arg_value>\n</tool_call>");
    let bodies = [
        "</parameter>",
        "a </parameter> b",
        "a </function> b",
        "a </tool_call> b\n</tool_call>\nc",
        "end with </function> or </parameter>.",
        "<function=g>\n<parameter=a>\n1\n</parameter>\n</function>",
        "<tool_call>\n<function=g>\n<parameter=a>\n1\n</parameter>\n</function>\n</tool_call>\nas in",
        "x = a<b>c\r\n\r\n  indented\r\n",
        "</arg_key>",
        "</arg_value> and <arg_key>",
        "{\"name\": \"f\"}",
        "<think>no</think>",
        "",
        "\n\n",
    ];
    for body in bodies {
        check("hermes", &[("assistant", &function(body), one(body)), ("assistant", &pairs(body), one(body))]);
    }
    let rest = "<parameter=n>\n2\n</parameter>\n</function>\n</tool_call>";
    let two = json!(["", null, [["f", {"s": "see <parameter=x> and\n<parameter=s> there", "n": 2}, null]]]);
    check(
        "hermes",
        &[(
            "assistant",
            &format!("<tool_call>\n<function=f>\n<parameter=s>\nsee <parameter=x> and\n<parameter=s> there\n</parameter>\n{rest}"),
            two,
        )],
    );
}

#[test]
fn forgotten_marks_are_repaired() {
    let call = json!([["f", {"s": "a", "n": 2}, null]]);
    let texts = [
        // The mark behind a parameter.
        "<tool_call>\n<function=f>\n<parameter=s>\na\n<parameter=n>\n2\n</parameter>\n</function>\n</tool_call>",
        "<tool_call><function=f><parameter=s>a<parameter=n>2</parameter></function></tool_call>",
        // The last one's.
        "<tool_call>\n<function=f>\n<parameter=s>\na\n</parameter>\n<parameter=n>\n2\n</function>\n</tool_call>",
        // Those behind the function and behind all.
        "<tool_call>\n<function=f>\n<parameter=s>\na\n</parameter>\n<parameter=n>\n2\n</parameter>\n</tool_call>",
        "<tool_call>\n<function=f>\n<parameter=s>\na\n</parameter>\n<parameter=n>\n2\n</parameter>\n</function>",
        "<tool_call>\n<function=f>\n<parameter=s>\na\n</parameter>\n<parameter=n>\n2\n</parameter>",
        "<tool_call>\n<function=f>\n<parameter=s>\na\n</parameter>\n<parameter=n>\n2\n</tool_call>",
        // The one before all.
        "<function=f>\n<parameter=s>\na\n</parameter>\n<parameter=n>\n2\n</parameter>\n</function>\n</tool_call>",
        "<function=f>\n<parameter=s>\na\n</parameter>\n<parameter=n>\n2\n</parameter>\n</function>",
        // Of the other forms.
        "<tool_call>{\"name\": \"f\", \"arguments\": {\"s\": \"a\", \"n\": 2}}",
        "<tool_call>{\"name\": \"f\", \"arguments\": {\"s\": \"a\", \"n\": 2}}}</tool_call>",
        "<tool_call>f<arg_key>s</arg_key><arg_value>a</arg_value><arg_key>n</arg_key><arg_value>2</arg_value>",
    ];
    let cases: Vec<_> = texts.iter().map(|text| ("assistant", *text, json!(["", null, call]))).collect();
    check("hermes", &cases);
    let twice = json!([["f", {"n": 1}, null], ["f", {"n": 2}, null]]);
    check(
        "hermes",
        &[
            (
                "assistant",
                "Now:\n<tool_call>{\"name\": \"f\", \"arguments\": {\"n\": 1}}\n<tool_call>{\"name\": \"f\", \"arguments\": {\"n\": 2}}",
                json!(["Now:", null, twice]),
            ),
            (
                "assistant",
                "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"n\": 1}}\n{\"name\": \"f\", \"arguments\": {\"n\": 2}}\n</tool_call>",
                json!(["", null, twice]),
            ),
            (
                "assistant",
                "<tool_call>\n<function=f>\n<parameter=n>\n1\n</parameter>\n</function>\n<function=f>\n<parameter=n>\n2\n</parameter>\n</function>\n</tool_call>",
                json!(["", null, twice]),
            ),
            // One that cannot be read does not take the next one with it.
            (
                "assistant",
                "<tool_call>\n<function=f\n</function>\n</tool_call>\n<tool_call>\n<function=f>\n</function>\n</tool_call>",
                json!(["<tool_call>\n<function=f\n</function>\n</tool_call>", null, [["f", {}, null]]]),
            ),
            // What was cut off is no call.
            (
                "assistant",
                "<tool_call>{\"name\": \"f\", \"arguments\": {\"n\": 1",
                json!(["<tool_call>{\"name\": \"f\", \"arguments\": {\"n\": 1", null, []]),
            ),
            ("assistant", "<function=g>\n</function>", json!(["<function=g>\n</function>", null, []])),
        ],
    );
    check(
        "deepseek",
        &[(
            "assistant",
            "<｜tool▁call▁begin｜>f<｜tool▁sep｜>{\"n\": 1}<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>f<｜tool▁sep｜>{\"n\": 2}",
            json!(["", null, twice]),
        )],
    );
    check(
        "gemma",
        &[
            ("assistant", "<|tool_call>:call:f{n:1}<turn|>", json!(["<turn|>", null, [["f", {"n": 1}, null]]])),
            ("assistant", "<|channel>thought\nHm.<channel|>call:f{n:1}", json!(["", "Hm.", [["f", {"n": 1}, null]]])),
            ("assistant", "call:g{n:1}", json!(["call:g{n:1}", null, []])),
            ("assistant", "<|tool_call>call:f{s:<|\"|>cut", json!(["<|tool_call>call:f{s:<|\"|>cut", null, []])),
        ],
    );
    check(
        "kimi",
        &[(
            "assistant",
            "<|tool_calls_section_begin|><|tool_call_begin|>0<|tool_call_argument_begin|>{\"n\": 1}",
            json!(["", null, [["f", {"n": 1}, "0"]]]),
        )],
    );
}

#[test]
fn types_come_from_the_whole_schema() {
    let tools = [json!({"type": "function", "function": {"name": "t", "parameters": {
        "type": "object",
        "$defs": {
            "Count": {"type": "integer"},
            "Maybe": {"anyOf": [{"$ref": "#/$defs/Count"}, {"type": "null"}]},
            "a/b c": {"type": "object"},
            "loop": {"anyOf": [{"$ref": "#/$defs/loop"}, {"$ref": "#/$defs/loop"}]},
            "named": {"$anchor": "here", "type": "array"},
        },
        "allOf": [{"properties": {"deep": {"type": "integer"}}}],
        "properties": {
            "int": {"type": "integer"}, "num": {"type": "number"}, "str": {"type": "string"}, "bool": {"type": "boolean"},
            "obj": {"type": "object"}, "list": {"type": "array"},
            "maybe_int": {"anyOf": [{"type": "integer"}, {"type": "null"}]}, "maybe_str": {"type": ["string", "null"]},
            "either": {"oneOf": [{"type": "boolean"}, {"type": "number"}]}, "int_or_str": {"type": ["string", "integer"]},
            "ref": {"$ref": "#/$defs/Count"}, "ref2": {"$ref": "#/$defs/Maybe"}, "all": {"allOf": [{"$ref": "#/$defs/Maybe"}, {"description": "x"}]},
            "escaped": {"$ref": "#/$defs/a~1b%20c"}, "anchor": {"$ref": "#here"}, "lost": {"$ref": "#/$defs/none"}, "loop": {"$ref": "#/$defs/loop"},
            "enum": {"enum": ["1", "2"]}, "enum_int": {"enum": [1, 2]}, "const": {"const": true}, "nullable": {"type": "integer", "nullable": true},
            "shape": {"properties": {"a": {}}}, "free": {}, "python": {"type": "float"}, "dict": {"type": "dict"},
            "obj_or_str": {"type": ["object", "string"]},
        },
    }}})];
    let cases: &[(&str, &str, Value)] = &[
        ("int", "5", json!(5)),
        ("int", " 5\t", json!(5)),
        ("int", "-7", json!(-7)),
        ("int", "5.0", json!(5)),
        ("int", "5.5", json!("5.5")),
        ("int", "five", json!("five")),
        ("int", "None", json!(null)),
        ("int", "18446744073709551615", json!(18_446_744_073_709_551_615_u64)),
        ("int", "123456789012345678901234567890", json!(1.234_567_890_123_456_8e29)),
        ("num", "1e3", json!(1000.0)),
        ("num", "3", json!(3)),
        ("num", "nan", json!("nan")),
        ("num", "1e400", json!("1e400")),
        ("str", "007", json!("007")),
        ("str", "null", json!("null")),
        ("str", "True", json!("True")),
        ("str", "{\"a\": 1}", json!("{\"a\": 1}")),
        ("str", " kept ", json!(" kept ")),
        ("bool", "True", json!(true)),
        ("bool", "false", json!(false)),
        ("bool", "FALSE", json!(false)),
        ("bool", "maybe", json!("maybe")),
        ("obj", "{'a': 1, 'b': None, 'c': (True, 'it\\'s')}", json!({"a": 1, "b": null, "c": [true, "it's"]})),
        ("obj", "{\"a\": \"</think>\"}", json!({"a": "</think>"})),
        ("obj", "\"{'k': 'v'}\"", json!({"k": "v"})),
        ("obj", "{1: 2}", json!({"1": 2})),
        ("obj", "{broken", json!("{broken")),
        ("list", "[\"a\", 1, true, None]", json!(["a", 1, true, null])),
        ("list", "['x',]", json!(["x"])),
        ("list", "{'b', 'a'}", json!(["b", "a"])),
        ("maybe_int", "5", json!(5)),
        ("maybe_int", "null", json!(null)),
        ("maybe_str", "7", json!("7")),
        ("maybe_str", "None", json!(null)),
        ("maybe_str", "nullable", json!("nullable")),
        ("either", "2.5", json!(2.5)),
        ("either", "False", json!(false)),
        ("int_or_str", "7", json!(7)),
        ("int_or_str", "7a", json!("7a")),
        ("ref", "3", json!(3)),
        ("ref2", "3", json!(3)),
        ("ref2", "null", json!(null)),
        ("all", "3", json!(3)),
        ("escaped", "{}", json!({})),
        ("anchor", "[1]", json!([1])),
        ("lost", "3", json!("3")),
        ("loop", "3", json!("3")),
        ("deep", "3", json!(3)),
        ("enum", "1", json!("1")),
        ("enum_int", "1", json!(1)),
        ("const", "true", json!(true)),
        ("nullable", "null", json!(null)),
        ("shape", "{\"a\": 1}", json!({"a": 1})),
        ("free", "5", json!("5")),
        ("python", "2.5", json!(2.5)),
        ("dict", "{}", json!({})),
        ("obj_or_str", "{\"a\": 1}", json!({"a": 1})),
        ("obj_or_str", "plain", json!("plain")),
        ("unknown", "5", json!("5")),
    ];
    for (name, text, value) in cases {
        let wanted = json!(["", null, [["t", {*name: value}, null]]]);
        let tags = format!("<tool_call>\n<function=t>\n<parameter={name}>\n{text}\n</parameter>\n</function>\n</tool_call>");
        let pairs = format!("<tool_call>t\n<arg_key>{name}</arg_key>\n<arg_value>{text}</arg_value>\n</tool_call>");
        check_with("hermes", &tools, &[("assistant", &tags, wanted.clone()), ("assistant", &pairs, wanted)]);
    }
}

#[test]
fn python_is_read_as_python_writes_it() {
    let cases: &[(&str, Value)] = &[
        ("n=-3, l=[\"x\", 'y']", json!({"n": -3, "l": ["x", "y"]})),
        ("a=True, b=None, c={'k': (1, 2.5)}", json!({"a": true, "b": null, "c": {"k": [1, 2.5]}})),
        ("month=07, big=1_000, half=.5", json!({"month": 7, "big": 1000, "half": 0.5})),
        ("tags={'b', 'a'}", json!({"tags": ["b", "a"]})),
        ("s='it\\'s', t=\"\\\"q\\\"\"", json!({"s": "it's", "t": "\"q\""})),
        ("s='sed -n '1,2p' /x/y.py'", json!({"s": "sed -n '1,2p' /x/y.py"})),
        ("s='grep -F \"]\" log'", json!({"s": "grep -F \"]\" log"})),
        ("s='''it's \"long\"\n''', t=''", json!({"s": "it's \"long\"\n", "t": ""})),
        ("s='a\nb\tc'", json!({"s": "a\nb\tc"})),
        ("s='a\\\nb'", json!({"s": "ab"})),
        ("s=\"a, b=1) ] <|tool_call_end|> \"", json!({"s": "a, b=1) ] <|tool_call_end|> "})),
        ("", json!({})),
        (" n = 1 , ", json!({"n": 1})),
    ];
    for (text, arguments) in cases {
        let text = format!("<|tool_call_start|> [g.h({text})]<|tool_call_end|>");
        check("lfm2", &[("assistant", &text, json!(["", null, [["g.h", arguments, null]]]))]);
    }
    check(
        "lfm2",
        &[
            ("assistant", "<|tool_call_start|>[]<|tool_call_end|>Hi", json!(["Hi", null, []])),
            (
                "assistant",
                "<|tool_call_start|>[{\"name\": \"f\", \"arguments\": {}}]<|tool_call_end|>",
                json!(["", null, [["f", {}, null]]]),
            ),
        ],
    );
    check(
        "hermes",
        &[(
            "assistant",
            "<tool_call>{'name': 'f', 'arguments': {'n': 1, 'u': None, 'l': [True, 'a\nb']}}</tool_call>",
            json!(["", null, [["f", {"n": 1, "u": null, "l": [true, "a\nb"]}, null]]]),
        )],
    );
}
