//! Whatever comes, nothing fails, nothing is taken back, and a text without marks stays.

use formers::postprocess::answer::{AnswerFormat, AnswerReader, parse_answer};

use super::check::{format, shown, streamed, tools};

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

/// Answers of all kinds, to be changed by chance.
const ANSWERS: &[&str] = &[
    "<think>\nHm.\n</think>\n\nHello <tool_call>\n{\"name\": \"f\", \"arguments\": {\"s\": \"a \\\"b\\\" </tool_call>\", \"n\": [1, 2.5e3]}}\n</tool_call>\n",
    "<tool_call>\n<function=f>\n<parameter=s>\na </parameter> b\n</parameter>\n<parameter=n>\n5\n</parameter>\n</function>\n</tool_call>",
    "<tool_call>f\n<arg_key>s</arg_key>\n<arg_value>x </arg_key></arg_value>\n<arg_key>n</arg_key><arg_value>5</arg_value>\n</tool_call>Done",
    "[TOOL_CALLS][{\"name\": \"f\", \"arguments\": {\"n\": 1}, \"id\": \"abcdef123\"}] and [TOOL_CALLS]f[CALL_ID]x[ARGS]{\"s\": 'y'}",
    "{\"name\": \"f\", \"parameters\": {\"n\": 1}}; {\"name\": \"f\"} text\n{\"type\": \"function\", \"name\": \"f\", \"arguments\": {}}",
    "<|python_tag|>f.call(s=\"a, (b)\", n=\"1\")",
    "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>commentary to=functions.f <|constrain|>json<|message|>{\"n\": 1}<|call|>",
    "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n{\"n\": 1}\n```<｜tool▁call▁end｜>\n<｜tool▁calls▁end｜>",
    "<|tool_calls_section_begin|><|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>{\"n\": 1}<|tool_call_end|><|tool_calls_section_end|>",
    "<|channel>thought\nHm.<channel|>Hi<|tool_call>call:f{s:<|\"|>a {b}<|\"|>,n:1,l:[true,{k:null}]}<tool_call|><channel|>",
    "<|tool_call_start|>[f(s='it\\'s', n=-1, l=[\"x\", (True, None)]), f()]<|tool_call_end|>Done.",
    "Here is my thought process: Look.\nHere is my response: `<think>` and </think>\n\nis <|tool_call|>[{\"name\": \"f\"}]",
    "I will.\nAction: ```json\n[{\"tool_name\": \"f\", \"parameters\": {\"n\": 1}}]\n```\nThen",
];

#[test]
fn answers_changed_by_chance_are_read_alike() {
    let mut chance = Chance::new(0x9e37_79b9_7f4a_7c15);
    let (formats, tools) = (formats(), tools());
    let tokens = ["<|im_end|>".to_owned(), "<tool_call|>".to_owned(), "<|end|>".to_owned()];
    let turns: usize = std::env::var("FORMERS_TEST_TURNS").ok().and_then(|turns| turns.parse().ok()).unwrap_or(300);
    for turn in 0..turns {
        let mut text: Vec<char> = ANSWERS[chance.below(ANSWERS.len())].chars().collect();
        for _ in 0..chance.below(4) {
            let (from, length) = (chance.below(text.len().max(1)), 1 + chance.below(12));
            let span: Vec<char> = text.iter().skip(from).take(length).copied().collect();
            let to = chance.below(text.len() + 1);
            match chance.below(3) {
                0 => drop(text.splice(from.min(text.len())..(from + length).min(text.len()), [])),
                1 => drop(text.splice(to..to, span)),
                _ => drop(text.splice(to..to, PIECES[chance.below(PIECES.len())].chars())),
            }
        }
        let text: String = text.into_iter().collect();
        let prompt = ["", "a: ", "a: <think>\n", "<|start|>assistant", "<|channel>thought\n"][chance.below(5)];
        let tools = if turn % 4 == 0 { &[] } else { tools.as_slice() };
        for format in &formats {
            let begin = || {
                let reader = AnswerReader::new(format, prompt, tools);
                if turn % 2 == 0 { reader.without_tokens(&tokens) } else { reader }
            };
            let whole = streamed([text.as_str()], begin);
            let (mut pieces, mut rest) = (Vec::new(), text.as_str());
            while !rest.is_empty() {
                let place = rest.char_indices().nth(1 + chance.below(5)).map_or(rest.len(), |(place, _)| place);
                let (piece, behind) = rest.split_at(place);
                pieces.push(piece);
                rest = behind;
            }
            let name = format.name();
            assert_eq!(shown(&streamed(pieces.iter().copied(), begin)), shown(&whole), "{name:?} {prompt:?} {text:?} {pieces:?}");
        }
    }
}
