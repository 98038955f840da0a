//! Answers as messages, and the formats that chat templates tell.

use formers::postprocess::answer::{Answer, AnswerFormat};
use serde_json::json;

use super::check::shown;

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
        ("{{ '<tool_call>' }}", Some("hermes")),
        ("{{ '[TOOL_CALLS]' }}", Some("mistral")),
        ("<|start_header_id|> \"parameters\"", Some("llama3")),
        ("{{ '<|start|>assistant<|channel|>final' }}", Some("gpt-oss")),
        ("<｜tool▁calls▁begin｜>", Some("deepseek")),
        ("<|tool_calls_section_begin|>", Some("kimi")),
        ("'<|tool_call>call:'", Some("gemma")),
        ("<|tool_call|>", Some("granite")),
        ("<|tool_call|> <|/tool_call|>", Some("phi4")),
        ("<|START_ACTION|>", Some("command-a")),
        ("Action: ```json", Some("command-r")),
        ("<|tool_list_start|>", Some("lfm2")),
        ("<|im_start|>", None),
    ];
    for (template, wanted) in cases {
        assert_eq!(AnswerFormat::of_template(template).name(), wanted, "{template}");
    }
}
