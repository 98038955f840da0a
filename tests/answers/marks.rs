//! Reasoning, words about marks, and answers that only look like calls.

use formers::postprocess::answer::{AnswerFormat, AnswerReader, parse_answer};
use serde_json::{Value, json};

use super::check::{check, check_with, read_everyhow, shown, streamed, tools};

/// A chat template of a family that reasons, and one of a family that does not.
const REASONS: &str = "<tool_call> <think> </think>";
const PLAIN: &str = "<tool_call>";

fn check_template(template: &str, cases: &[(&str, &str, Value)]) {
    let format = AnswerFormat::of_template(template);
    for (prompt, text, wanted) in cases {
        assert_eq!(shown(&read_everyhow(text, prompt, &format, &tools())), *wanted, "{template} {prompt:?} {text:?}");
    }
}

#[test]
fn reasoning_stands_between_its_marks() {
    check_template(
        REASONS,
        &[
            ("a: ", "<think>\nHm.\n</think>\n\nHello", json!(["Hello", "Hm.", []])),
            ("a: <think>\n", "Hm.\n</think>\n\nHello", json!(["Hello", "Hm.", []])),
            ("a: <think>\n", "Hm.", json!(["", "Hm.", []])),
            ("a: <think>\n", "", json!(["", "", []])),
            ("a: <think>\n\n</think>\n\n", "Hello", json!(["Hello", null, []])),
            ("a: <think>\n\n</think>\n\n", "\n</think>\nHello", json!(["Hello", null, []])),
            ("a: ", "<think></think>Hello", json!(["Hello", "", []])),
            ("a: ", "<think>", json!(["", "", []])),
            ("a: ", "</think>", json!(["", null, []])),
            ("a: ", "<think>a</think>\n<think>b</think>\nHello", json!(["Hello", "a\nb", []])),
            ("a: ", "Hello.\n</think>\n", json!(["Hello.", null, []])),
            // Where the prompt is not known, it may have opened the reasoning.
            ("", "Hm.\n</think>\n\nHello", json!(["Hello", "Hm.", []])),
            ("", "Hello", json!(["Hello", null, []])),
            (
                "",
                "<tool_call>{\"name\": \"f\", \"arguments\": {\"s\": \"</think>\"}}</tool_call>",
                json!(["", null, [["f", {"s": "</think>"}, null]]]),
            ),
        ],
    );
    check(
        "mistral",
        &[("a: ", "[THINK]Hm.[/THINK]Hello", json!(["Hello", "Hm.", []])), ("a: [THINK]", "Hm.[/THINK]Hello", json!(["Hello", "Hm.", []]))],
    );
    check(
        "gemma",
        &[
            ("a: ", "<|channel>thought\nLook.<channel|>It rains.<channel|>", json!(["It rains.", "Look.", []])),
            ("a: ", "It rains.<channel|>", json!(["It rains.", null, []])),
            ("a: ", "<|channel>thought\n<channel|>Hi", json!(["Hi", "", []])),
        ],
    );
    check(
        "granite",
        &[
            ("a: ", "Here is my thought process: Look. Here is my response: It rains.", json!(["It rains.", "Look.", []])),
            ("a: ", "Here is my thought failure", json!(["Here is my thought failure", null, []])),
            ("a: ", "Here is my thought process: Look. Here is", json!(["", "Look. Here is", []])),
            ("a: ", "<think>a</think><response>b</response>", json!(["b", "a", []])),
            ("a: ", "<tool_call> [{\"name\": \"f\", \"arguments\": {\"n\": 1}}]", json!(["", null, [["f", {"n": 1}, null]]])),
        ],
    );
}

#[test]
fn marks_that_are_spoken_of_are_text() {
    let kept = |text: &str| json!([text, null, []]);
    let texts = [
        "Write `</think>` to end it.",
        "Write \"</think>\", or '</think>'.",
        "I say <think> and </think>.",
        "Open <think>, close\n</think>\nand go on.",
        "Use `<tool_call>` to call.",
        "A call is `<tool_call>{\"name\": \"f\"}</tool_call>`, see?",
        "<tool_call> is the mark.",
        "The mark </tool_call> closes.",
        "`<function=f>` and <function=f> are tags.",
    ];
    for text in texts {
        check_template(REASONS, &[("a: ", text, kept(text))]);
        check_template(PLAIN, &[("a: ", text, kept(text))]);
    }
    // A template that knows no reasoning has no marks of it but where an answer begins with them.
    check_template(
        PLAIN,
        &[
            ("a: ", "Hm.\n</think>\nHello", kept("Hm.\n</think>\nHello")),
            ("a: ", "</think>", kept("</think>")),
            ("a: ", "<think>Hm.</think>Hello", json!(["Hello", "Hm.", []])),
        ],
    );
    check_template(
        REASONS,
        &[
            (
                "a: <think>",
                "I must write `</think>` or \"</think>\".</think>Hi",
                json!(["Hi", "I must write `</think>` or \"</think>\".", []]),
            ),
            ("a: <think>", "Shall I use <tool_call>? No.</think>Hi", json!(["Hi", "Shall I use <tool_call>? No.", []])),
        ],
    );
    check("mistral", &[("a: ", "Say [TOOL_CALLS] so.", kept("Say [TOOL_CALLS] so.")), ("a: ", "[TOOL_CALLS]", kept("[TOOL_CALLS]"))]);
    check("gpt-oss", &[("a: ", "A <|channel|> is one.", kept("A <|channel|> is one."))]);
    check("command-r", &[("a: ", "The Action: ```json is quoted", kept("The Action: ```json is quoted"))]);
}

#[test]
fn a_call_inside_of_reasoning_counts_where_that_never_ends() {
    let call = "<tool_call>{\"name\": \"f\", \"arguments\": {\"s\": \"a</think>b\"}}</tool_call>";
    let calls = json!([["f", {"s": "a</think>b"}, null]]);
    check_template(
        REASONS,
        &[
            ("a: <think>\n", &format!("Look.\n{call}"), json!(["", "Look.", calls])),
            ("a: ", &format!("<think>Look.\n{call}\n"), json!(["", "Look.", calls])),
            (
                "a: <think>\n",
                &format!("{call}\n{call}"),
                json!(["", "", [["f", {"s": "a</think>b"}, null], ["f", {"s": "a</think>b"}, null]]]),
            ),
            ("a: <think>\n", &format!("Perhaps {call}? No.\n</think>\nHi"), json!(["Hi", format!("Perhaps {call}? No."), []])),
            ("a: <think>\n", &format!("Look.</think>{call}"), json!(["", "Look.", calls])),
            ("a: <think>\n", "Look. <tool_call>{\"name\"", json!(["", "Look. <tool_call>{\"name\"", []])),
        ],
    );
    check(
        "kimi",
        &[(
            "a: <think>",
            "Look.<|tool_calls_section_begin|><|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>{}<|tool_call_end|><|tool_calls_section_end|>",
            json!(["", "Look.", [["f", {}, "functions.f:0"]]]),
        )],
    );
}

#[test]
fn an_answer_that_is_data_is_no_call() {
    let kept = |text: &str| json!([text, null, []]);
    let data = [
        "{\"name\": \"Ann\", \"age\": 31}",
        "{\"name\": \"Ann\"}",
        "{\"name\": \"Ann\", \"parameters\": {\"n\": 1}}",
        "{\"age\": 31, \"name\": \"f\"}",
        "{\"name\": 5}",
        "[{\"name\": \"Ann\"}]",
        "{}",
        "{",
        "{\"name\": \"f\"} and more",
        "{ \"name\": \"f\", \"parameters\": 1 }",
    ];
    let cases: Vec<_> = data.iter().map(|text| ("a: ", *text, kept(text))).collect();
    check("llama3", &cases);
    check_with("llama3", &[], &cases);
    let calls: &[(&str, &str, Value)] = &[
        ("a: ", "{\"name\": \"f\"}", json!(["", null, [["f", {}, null]]])),
        ("a: ", " {\"name\": \"f\", \"parameters\": {\"n\": 1}}\n", json!(["", null, [["f", {"n": 1}, null]]])),
        ("a: ", "{\"type\": \"function\", \"name\": \"f\", \"parameters\": {}}", json!(["", null, [["f", {}, null]]])),
        ("a: ", "{\"type\": \"function\", \"function\": {\"name\": \"f\", \"arguments\": {}}}", json!(["", null, [["f", {}, null]]])),
        (
            "a: ",
            "{\"name\": \"f\", \"parameters\": {}};\n{\"name\": \"f\", \"arguments\": {\"n\": 2}}",
            json!(["", null, [["f", {}, null], ["f", {"n": 2}, null]]]),
        ),
        ("a: ", "{\"name\": \"f\", \"parameters\": {}} I used {f}.", json!(["I used {f}.", null, [["f", {}, null]]])),
        ("a: ", "Here:\n{\"name\": \"f\", \"parameters\": {}}", json!(["Here:", null, [["f", {}, null]]])),
    ];
    check("llama3", calls);
    // Without tools, or held to a form, the same are answers.
    let format = AnswerFormat::named("llama3").unwrap();
    for (prompt, text, _) in calls {
        assert_eq!(shown(&parse_answer(text, prompt, &format, &[])), kept(text));
        let begin = || AnswerReader::new(&format, prompt, &tools()).held_to_a_form();
        assert_eq!(shown(&streamed([*text], begin)), kept(text));
    }
    // Data is shown as it comes, with tools and without.
    for tools in [tools(), Vec::new()] {
        let mut reader = AnswerReader::new(&format, "a: ", &tools);
        reader.push("{\"age\": 31, ");
        assert_eq!(reader.answer().content, "{\"age\": 31,");
    }
}

#[test]
fn tokens_that_end_an_answer_are_no_text() {
    let tokens = ["<|im_end|>".to_owned(), "<|endoftext|>".to_owned(), "<tool_call>".to_owned(), "</think>".to_owned()];
    let format = AnswerFormat::of_template(REASONS);
    let cases = [
        ("a: ", "Hello<|im_end|>", json!(["Hello", null, []])),
        ("a: ", "Hello <|im_end|>\n<|endoftext|>", json!(["Hello \n", null, []])),
        ("a: ", "<|im_end|>", json!(["", null, []])),
        ("a: ", "A `<|im_end|>` and <|im_end|> go on", json!(["A `<|im_end|>` and  go on", null, []])),
        ("a: <think>", "Hm.</think><|im_end|>", json!(["", "Hm.", []])),
        ("a: <think>", "Hm.<|im_end|>", json!(["", "Hm.", []])),
        ("a: ", "<tool_call>f<|im_end|>", json!(["", null, [["f", {}, null]]])),
        ("a: ", "<tool_call>{\"name\": \"f\"}<|im_end|>", json!(["", null, [["f", {}, null]]])),
    ];
    for (prompt, text, wanted) in cases {
        let begin = || AnswerReader::new(&format, prompt, &tools()).without_tokens(&tokens);
        for (place, _) in text.char_indices() {
            let (before, behind) = text.split_at(place);
            assert_eq!(shown(&streamed([before, behind], begin)), wanted, "{text:?} cut at {place}");
        }
    }
}

#[test]
fn a_message_that_goes_on_goes_on_reasoning() {
    let format = AnswerFormat::of_template(REASONS);
    let cases = [
        ("a: <think>\nWell,", "hm.</think>Hi", json!(["Hi", "hm.", []])),
        ("u: Is <think> one?\na: <think>\n", "hm.</think>Hi", json!(["Hi", "hm.", []])),
        ("a: <think>\nHm.\n</think>\nWell,", " Hi", json!([" Hi", null, []])),
        ("a: Well,", " Hi", json!([" Hi", null, []])),
    ];
    for (prompt, text, wanted) in cases {
        assert_eq!(shown(&streamed([text], || AnswerReader::new(&format, prompt, &[]).within_message(prompt))), wanted, "{prompt:?}");
    }
    // A message of its own does not go on with what others said.
    assert_eq!(parse_answer("Hi", "u: Is <think> one?\na: ", &format, &[]).content, "Hi");
}

/// Text is shown as soon as it can be no mark.
#[test]
fn only_what_may_become_a_mark_is_held_back() {
    let format = AnswerFormat::of_template(REASONS);
    let shown = |prompt: &str, text: &str| {
        let mut reader = AnswerReader::new(&format, prompt, &tools());
        reader.push(text);
        reader.answer().clone()
    };
    let cases = [
        ("Hello", "Hello"),
        ("Hello ", "Hello"),
        ("a <", "a"),
        ("a <b", "a <b"),
        ("a <tool_", "a"),
        ("a <tool_x", "a <tool_x"),
        ("a <tool_call>", "a"),
        ("a <tool_call> is the", "a <tool_call> is the"),
        ("a <tool_call>{\"n", "a"),
        ("a <tool_call>{]", "a <tool_call>{]"),
        ("Let {x} be [1, 2", "Let {x} be [1, 2"),
    ];
    for (text, wanted) in cases {
        assert_eq!(shown("a: ", text).content, wanted, "{text}");
    }
    assert_eq!(shown("a: <think>", "Hm. </thi").reasoning_content.as_deref(), Some("Hm."));
    assert_eq!(shown("a: <think>", "Hm. </thin x").reasoning_content.as_deref(), Some("Hm. </thin x"));
}

/// What a call costs does not grow with the square of its length.
#[test]
fn long_calls_are_read_in_time() {
    let body = "line with a <b> and a \"quote\"\n".repeat(3_000);
    let format = AnswerFormat::of_template(REASONS);
    for text in [
        format!("<tool_call>\n<function=f>\n<parameter=s>\n{body}\n</parameter>\n</function>\n</tool_call>"),
        format!("<tool_call>{}", json!({"name": "f", "arguments": {"s": body}})),
        "<tool_call><function=f><parameter=s>".repeat(2_000),
        "<tool_call>{\"name\": \"".repeat(2_000),
        "`<tool_call>".repeat(5_000),
        "<think></think>".repeat(5_000),
    ] {
        let start = std::time::Instant::now();
        let characters: Vec<char> = text.chars().collect();
        let pieces: Vec<String> = characters.chunks(7).map(|piece| piece.iter().collect()).collect();
        streamed(pieces.iter().map(String::as_str), || AnswerReader::new(&format, "a: ", &tools()));
        assert!(start.elapsed().as_secs() < 120, "{:?} {:?}", &text[..40], start.elapsed());
    }
}
