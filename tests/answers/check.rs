//! How an answer is checked: read at once, cut at every place, and by small pieces. Nothing that was shown may be taken back.

use formers::postprocess::answer::{Answer, AnswerFormat, AnswerReader, Part, parse_answer};
use serde_json::{Value, json};

/// An answer as `[content, reasoning, [[name, arguments, id], …]]`.
pub(crate) fn shown(answer: &Answer) -> Value {
    let calls: Vec<Value> = answer.tool_calls.iter().map(|call| json!([call.name, call.arguments, call.id])).collect();
    json!([answer.content, answer.reasoning_content, calls])
}

/// A format by its name; the empty name is that of a chat template that is not known.
pub(crate) fn format(name: &str) -> AnswerFormat {
    if name.is_empty() { AnswerFormat::unknown() } else { AnswerFormat::named(name).expect(name) }
}

/// The answer in pieces; every state on the way is a beginning of the next.
pub(crate) fn streamed<'p>(pieces: impl IntoIterator<Item = &'p str>, begin: impl FnOnce() -> AnswerReader) -> Answer {
    let mut reader = begin();
    let mut joined = Answer::default();
    let mut add = |parts: Vec<Part>, answer: &Answer| {
        for part in parts {
            match part {
                Part::Content(text) => joined.content.push_str(&text),
                Part::Reasoning(text) => joined.reasoning_content.get_or_insert_default().push_str(&text),
                Part::Call(call) => joined.tool_calls.push(call),
                other => unreachable!("{other:?}"),
            }
        }
        assert_eq!(joined.content, answer.content);
        assert_eq!(joined.reasoning_content.clone().unwrap_or_default(), answer.reasoning_content.clone().unwrap_or_default());
        assert_eq!(joined.tool_calls, answer.tool_calls);
    };
    for piece in pieces {
        let parts = reader.push(piece);
        add(parts, reader.answer());
    }
    let parts = reader.finish();
    add(parts, reader.answer());
    reader.into_answer()
}

/// Reads an answer at once, cut in two at every place, and character by character; the same must come each time.
pub(crate) fn read_everyhow(text: &str, prompt: &str, format: &AnswerFormat, tools: &[Value]) -> Answer {
    let whole = parse_answer(text, prompt, format, tools);
    let begin = || AnswerReader::new(format, prompt, tools);
    for (place, _) in text.char_indices() {
        let (before, behind) = text.split_at(place);
        assert_eq!(streamed([before, behind], begin), whole, "{text:?} cut at {place}");
    }
    for size in [1, 3, 7] {
        let characters: Vec<char> = text.chars().collect();
        let pieces: Vec<String> = characters.chunks(size).map(|piece| piece.iter().collect()).collect();
        assert_eq!(streamed(pieces.iter().map(String::as_str), begin), whole, "{text:?} by {size}");
    }
    if prompt.is_empty() {
        // What comes behind an empty prompt, which is not known, is shown at the end; behind another as it comes.
        read_everyhow(text, "assistant", format, tools);
    }
    whole
}

/// The tools that the cases are answered with.
pub(crate) fn tools() -> Vec<Value> {
    vec![json!({"type": "function", "function": {"name": "f", "parameters": {"properties": {
        "n": {"type": "integer"}, "s": {"type": "string"}, "l": {"type": "array"}, "u": {"type": ["string", "null"]}}}}})]
}

/// Answers of a format, each with the prompt before it and what it says.
pub(crate) fn check(name: &str, cases: &[(&str, &str, Value)]) {
    check_with(name, &tools(), cases);
}

/// As [`check`], with other tools.
pub(crate) fn check_with(name: &str, tools: &[Value], cases: &[(&str, &str, Value)]) {
    let format = format(name);
    let mut wrong = Vec::new();
    for (prompt, text, wanted) in cases {
        let got = shown(&read_everyhow(text, prompt, &format, tools));
        if got != *wanted {
            wrong.push(format!("{text:?} behind {prompt:?}\n  wanted {wanted}\n  got    {got}"));
        }
    }
    assert!(wrong.is_empty(), "{name}: {} differences:\n{}", wrong.len(), wrong.join("\n"));
}
