//! What the formats of the families look like, and what is in them.

use serde_json::json;

use super::check::check;

#[test]
fn reasoning_is_taken_out() {
    check(
        "",
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
        "hermes",
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
            ("", "<tool_call>{\"name\": \"f\", }</tool_call> x", json!(["x", null, [["f", {}, null]]])),
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
        "llama3",
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
        "mistral",
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
        "hermes",
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
        "gpt-oss",
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
                json!(["<|channel|>commentary to=functions.f<|message|>{\"n\":", null, []]),
            ),
        ],
    );
    check(
        "granite",
        &[
            ("", "Hello", json!(["Hello", null, []])),
            ("", "<|tool_call|>[{\"name\": \"f\", \"arguments\": {\"n\": 1}}]", json!(["", null, [["f", {"n": 1}, null]]])),
            ("", "<|tool_call|>[{\"name\": ", json!(["<|tool_call|>[{\"name\": ", null, []])),
            ("", "Here is my thought process: Look. Here is my response: It rains.", json!(["It rains.", "Look.", []])),
        ],
    );
    check(
        "phi4",
        &[(
            "",
            "a<|tool_call|>[{\"name\": \"f\"}, {\"name\": \"g\"}]<|/tool_call|>",
            json!(["a", null, [["f", {}, null], ["g", {}, null]]]),
        )],
    );
    check(
        "command-a",
        &[
            ("", "Hello", json!(["Hello", null, []])),
            (
                "",
                "<|START_THINKING|>Hm.<|END_THINKING|><|START_ACTION|>[\n {\"tool_call_id\": \"0\", \"tool_name\": \"f\", \"parameters\": {\"n\": 1}}\n]<|END_ACTION|>",
                json!(["", "Hm.", [["f", {"n": 1}, "0"]]]),
            ),
            ("", "<|START_RESPONSE|>Hello<|END_RESPONSE|>", json!(["Hello", null, []])),
        ],
    );
    check(
        "command-r",
        &[
            ("", "Action: ```json\n[{\"tool_name\": \"f\", \"parameters\": {\"n\": 1}}]\n```", json!(["", null, [["f", {"n": 1}, null]]])),
            ("", "Action: ```json\n[{\"tool_name\": \"directly_answer\", \"parameters\": {}}]\n```", json!(["", null, []])),
        ],
    );
    check(
        "deepseek",
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
            ("", "<｜tool▁calls▁begin｜>f<｜tool▁calls▁end｜>", json!(["<｜tool▁calls▁begin｜>f<｜tool▁calls▁end｜>", null, []])),
        ],
    );
    check(
        "kimi",
        &[(
            "",
            "<|tool_calls_section_begin|><|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>{\"n\": 1}<|tool_call_end|><|tool_calls_section_end|>",
            json!(["", null, [["f", {"n": 1}, "functions.f:0"]]]),
        )],
    );
    check(
        "gemma",
        &[
            ("", "Hello", json!(["Hello", null, []])),
            (
                "<|channel>thought\n",
                "Hm.<channel|>Hi<|tool_call>call:f{s:<|\"|>a<|\"|>}<tool_call|><|tool_call>call:g{}<tool_call|>",
                json!(["Hi", "Hm.", [["f", {"s": "a"}, null], ["g", {}, null]]]),
            ),
            ("", "<|tool_call>call:f{s:a}<tool_call|>", json!(["", null, [["f", {"s": "a"}, null]]])),
        ],
    );
    check(
        "function-gemma",
        &[(
            "",
            "<start_function_call>call:f{s:<escape>a \"b\", {c:1}<escape>,n:1,l:[true,{k:null}]}<end_function_call>",
            json!(["", null, [["f", {"s": "a \"b\", {c:1}", "n": 1, "l": [true, {"k": null}]}, null]]]),
        )],
    );
    check(
        "lfm2",
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
