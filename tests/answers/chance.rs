//! Whatever comes, nothing fails, nothing is taken back, and a text without marks stays.

use formers::postprocess::answer::{AnswerFormat, AnswerReader, parse_answer};

use crate::check::{format, shown, streamed, tools};

/// Pieces of what families write.
const PIECES: &[&str] = &[
    "<tool_call>",
    "</tool_call>",
    "{\"name\": \"f\"}",
    "{\"name\": \"f\", \"arguments\": {\"s\": \"",
    "\"}}",
    "<think>",
    "</think>",
    "[TOOL_CALLS]",
    "f",
    "f{",
    "}",
    "[ARGS]",
    "<|channel|>",
    "<|message|>",
    "to=functions.f",
    "<|start|>assistant",
    "<|end|>",
    "<|call|>",
    "analysis",
    "final",
    "commentary",
    "<｜tool▁calls▁begin｜>",
    "<｜tool▁call▁begin｜>",
    "<｜tool▁sep｜>",
    "<｜tool▁call▁end｜>",
    "<｜tool▁calls▁end｜>",
    "```json",
    "```",
    "`",
    "<|tool_call>",
    "call:f{",
    "s:",
    "<escape>",
    "<|\"|>",
    "<tool_call|>",
    "<|tool_call_start|>",
    "<|tool_call_end|>",
    "[f(s='",
    "')]",
    "\\",
    "é",
    "(((((",
    "[[[[",
    "Action: ```json",
    "<|tool_call|>",
    "[{}]",
    "<arg_key>",
    "</arg_key>",
    "<arg_value>",
    "</arg_value>",
    "<function=f>",
    "<parameter=s>",
    "</parameter>",
    "</function>",
    "<parameter=",
    "\u{1}0\u{2}",
    " ",
    "\n",
    "\r\n",
    "Here is my thought process:",
    "Here is my response:",
    "<|python_tag|>",
    ";",
    "<channel|>",
    "<|channel>thought",
    "<|tool_calls_section_begin|>",
    "<|tool_call_begin|>",
    "<|im_end|>",
    "functions.f:0",
    "<|tool_call_argument_begin|>",
    "{}",
    "word",
    "\"",
    "'",
];

pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below another, which is not zero.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end
    }

    fn text(&mut self) -> String {
        (0..self.below(10)).map(|_| PIECES[self.below(PIECES.len())]).collect()
    }
}

fn formats() -> Vec<AnswerFormat> {
    AnswerFormat::names().map(format).chain([AnswerFormat::unknown(), AnswerFormat::of_template("<think> </think>")]).collect()
}

#[test]
fn pieces_of_marks_are_no_trouble() {
    let mut chance = Chance(0x2545_f491_4f6c_dd1d);
    let (formats, tools) = (formats(), tools());
    let tokens = ["<|im_end|>".to_owned(), "<|call|>".to_owned(), "</think>".to_owned()];
    for turn in 0..2_000 {
        let text = chance.text();
        let prompt = PIECES[chance.below(PIECES.len())];
        let tools = if turn % 3 == 0 { &[] } else { tools.as_slice() };
        for format in &formats {
            let begin = || {
                let reader = AnswerReader::new(format, prompt, tools);
                if turn % 2 == 0 { reader.without_tokens(&tokens) } else { reader }
            };
            let whole = streamed([text.as_str()], begin);
            let mut pieces = Vec::new();
            let mut rest = text.as_str();
            while !rest.is_empty() {
                let place = rest.char_indices().nth(1 + chance.below(8)).map_or(rest.len(), |(place, _)| place);
                let (piece, behind) = rest.split_at(place);
                pieces.push(piece);
                rest = behind;
            }
            let name = format.name();
            assert_eq!(shown(&streamed(pieces.iter().copied(), begin)), shown(&whole), "{name:?} {prompt:?} {text:?} {pieces:?}");
        }
    }
}

#[test]
fn a_text_without_marks_stays() {
    for format in formats() {
        for text in [" Just text. \n", "", "\n", "a < b, [c], {d} and `e`"] {
            assert_eq!(parse_answer(text, "assistant", &format, &tools()).content, text, "{:?}", format.name());
        }
        let deep = format!("<|tool_call_start|>[f(a={})]", "[".repeat(100_000));
        assert!(parse_answer(&deep, "", &format, &[]).tool_calls.is_empty());
    }
}
