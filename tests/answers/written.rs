//! What chat templates write is read back, and what models make of that is read as well: `scripts/goldens/answer_formats.py`, and `odd.json` by hand.

use std::collections::BTreeSet;
use std::path::Path;

use formers::postprocess::answer::{Answer, AnswerFormat, AnswerReader, parse_answer};
use formers::preprocess::text::{
    SpecialTokens,
    chat::{ChatOptions, render},
};
use serde_json::{Value, json};

use super::{
    chance::Chance,
    check::{read_everyhow, shown, streamed},
};

/// The templates of `written.json`, and the format that each is told to be.
const FORMATS: &[(&str, &str)] = &[
    ("actions", "command-a"),
    ("actions_fence", "command-r"),
    ("actions_lines", "command-r"),
    ("actions_text", "command-a"),
    ("apertus", "apertus"),
    ("bars_closed", "phi4"),
    ("bars_list", "granite"),
    ("bars_of_tools", "phi4"),
    ("brackets_each", "mistral"),
    ("brackets_list", "mistral"),
    ("calls_answer", "hunyuan"),
    ("calls_final", "apriel"),
    ("calls_lines", "jamba"),
    ("calls_list", "jamba"),
    ("calls_thinking", "apriel"),
    ("channels", "gpt-oss"),
    ("dots", "dots"),
    ("dsml", "deepseek-dsml"),
    ("dsml_v4", "deepseek-dsml"),
    ("dsml_v41", "deepseek-dsml"),
    ("escaped", "function-gemma"),
    ("function_calls_json", "granite-functions"),
    ("functions_json", "functionary-v3.1"),
    ("functools", "functools"),
    ("gcml", "gigachat-gcml"),
    ("json_alone", "llama3"),
    ("json_behind_tag", "llama3"),
    ("json_list_alone", "xlam"),
    ("longcat", "longcat"),
    ("minicpm", "minicpm5"),
    ("minicpm_fence", "minicpm3"),
    ("minimax", "minimax-m2"),
    ("minimax_nested", "minimax-m3"),
    ("observer", "glm4"),
    ("parts", "solar-open"),
    ("plugin", "internlm2"),
    ("python_bare", "llama3"),
    ("python_lines", "olmo3"),
    ("python_list", "lfm2"),
    ("python_marks", "llama4"),
    ("quoted", "gemma"),
    ("recipients", "functionary-v3.2"),
    ("role_token", "gigachat3"),
    ("role_turns", "gigachat3"),
    ("sections", "deepseek"),
    ("sections_bars", "kimi"),
    ("sections_v31", "deepseek"),
    ("sections_without", "kimi"),
    ("seed", "seed-oss"),
    ("step", "step3"),
    ("tags_functions", "hermes"),
    ("tags_functions_printed", "hermes"),
    ("tags_json", "hermes"),
    ("tags_json_opened", "hermes"),
    ("tags_list", "hermes"),
    ("tags_pairs", "hermes"),
    ("tags_separated", "hunyuan"),
    ("toolcall", "nemotron"),
    ("toolcall_each", "nemotron"),
    ("turn_of_calls", "hyperclovax"),
    ("xtml", "kimi-k3"),
];

pub(crate) fn golden(name: &str) -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/answers").join(name);
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

/// One answer: how it came to be, the format and prompt that it follows, and what is in it.
struct Case {
    title: String,
    format: AnswerFormat,
    prompt: String,
    text: String,
    wanted: Value,
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(
            fields.iter().filter(|(_, value)| !value.is_null()).map(|(key, value)| (key.clone(), without_nulls(value))).collect(),
        ),
        other => other.clone(),
    }
}

/// All answers, with the tools that the models were given.
fn cases() -> (Vec<Value>, Vec<Case>) {
    let written = golden("written.json");
    let tools = written["tools"].as_array().unwrap().clone();
    let formats = written["formats"].as_object().unwrap();
    let mut cases = Vec::new();
    for (name, format) in formats {
        for (title, answer) in format["answers"].as_object().unwrap() {
            let message = &written["messages"][title];
            let call = |(place, call): (usize, &Value)| {
                let (name, arguments) = (call["function"]["name"].as_str().unwrap(), &call["function"]["arguments"]);
                let arguments = if format["drops"].is_null() { arguments.clone() } else { without_nulls(arguments) };
                let id = match format["ids"].as_str() {
                    Some("index") => json!(place.to_string()),
                    Some(prefix) => json!(format!("{prefix}.{name}:{place}")),
                    None => Value::Null,
                };
                json!([name, arguments, id])
            };
            let calls: Vec<Value> = message["tool_calls"].as_array().into_iter().flatten().enumerate().map(call).collect();
            cases.push(Case {
                title: format!("{name}: {title}"),
                format: AnswerFormat::of_template(format["template"].as_str().unwrap()),
                prompt: answer[0].as_str().unwrap().to_owned(),
                text: answer[1].as_str().unwrap().to_owned(),
                wanted: json!([message["content"].as_str().unwrap_or_default(), message["reasoning_content"], calls]),
            });
        }
    }
    for answer in golden("odd.json").as_array().unwrap() {
        let (name, text) = (answer[0].as_str().unwrap(), answer[1].as_str().unwrap());
        let format = &formats[name];
        // An answer with reasoning follows a prompt that lets the model reason.
        let title = if answer[3].is_null() || format["answers"].get("thinks and says").is_none() { "says" } else { "thinks and says" };
        cases.push(Case {
            title: format!("{name}: {text}"),
            format: AnswerFormat::of_template(format["template"].as_str().unwrap()),
            prompt: format["answers"][title][0].as_str().unwrap().to_owned(),
            text: text.to_owned(),
            wanted: json!([answer[2], answer[3], answer[4]]),
        });
    }
    (tools, cases)
}

/// Whether an answer has much in it: of what is written regularly, some do for what takes long.
fn is_full(case: &Case) -> bool {
    let (_, title) = case.title.split_once(": ").unwrap();
    !title.starts_with("calls") && title != "says" || title == "calls twice"
}

#[test]
fn answers_are_read_as_they_were_written() {
    let (tools, cases) = cases();
    let mut wrong = Vec::new();
    for case in &cases {
        let answer = parse_answer(&case.text, &case.prompt, &case.format, &tools);
        // White space at the ends is not what this is about.
        let read = shown(&Answer { content: answer.content.trim().to_owned(), ..answer });
        if read != case.wanted {
            wrong.push(format!("{}\n   text   {:?}\n   read   {read}\n   wanted {}", case.title, case.text, case.wanted));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn what_is_read_is_written_again_as_it_was() {
    let written = golden("written.json");
    let tools = written["tools"].as_array().unwrap();
    for (name, format) in written["formats"].as_object().unwrap() {
        let template = format["template"].as_str().unwrap();
        for (title, answer) in format["answers"].as_object().unwrap() {
            let (prompt, text) = (answer[0].as_str().unwrap(), answer[1].as_str().unwrap());
            let answer = parse_answer(text, prompt, &AnswerFormat::of_template(template), tools);
            let answer = Answer { content: answer.content.trim().to_owned(), ..answer };
            let variables = json!({"bos_token": "<s>", "eos_token": "</s>", "thinking": answer.reasoning_content.is_some()});
            let options =
                ChatOptions { tools: Some(tools.clone()), kwargs: variables.as_object().unwrap().clone(), ..ChatOptions::default() };
            let chat = [json!({"role": "user", "content": "A train?"}), answer.to_message()];
            let again = render(template, &SpecialTokens::default(), &chat, &options).unwrap();
            let wanted = format!("{prompt}{text}</s>");
            assert!(again.ends_with(&wanted), "{name}: {title}\n   wanted {wanted:?}\n   written {again:?}");
        }
    }
}

/// The marks in a text that look like tokens of their own, as they are in the vocabularies of these models, and what ends the answer.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = vec!["</s>".to_owned()];
    for (open, close) in [("<|", "|>"), ("<｜", "｜>")] {
        for behind in text.split(open).skip(1) {
            let inside = behind.split_once(close).map(|(inside, _)| inside).filter(|inside| !inside.contains(['<', '>', '"']));
            tokens.extend(inside.map(|inside| format!("{open}{inside}{close}")));
        }
    }
    tokens.sort();
    tokens.dedup();
    tokens
}

#[test]
fn marks_that_are_tokens_are_read_all_the_same() {
    let (tools, cases) = cases();
    // Marks inside of a text are written with other tokens than marks are.
    for case in cases.iter().filter(|case| !case.title.ends_with("calls with marks in a text")) {
        let tokens = tokens(&case.text);
        let begin = || AnswerReader::new(&case.format, &case.prompt, &tools).without_tokens(&tokens);
        let ended = format!("{}</s>", case.text);
        let answer = streamed([ended.as_str()], begin);
        let read = shown(&Answer { content: answer.content.trim().to_owned(), ..answer.clone() });
        // A mark that is spoken of is one for the vocabulary, and no text.
        let wanted_content = case.wanted[0].as_str().unwrap();
        let is_spoken_of = tokens.iter().any(|token| wanted_content.contains(token.as_str()));
        assert!(is_spoken_of || read == case.wanted, "{} with {tokens:?}\n   read   {read}\n   wanted {}", case.title, case.wanted);
        assert_eq!(streamed(characters(&ended), begin), answer, "{}", case.title);
    }
}

#[test]
fn answers_that_come_in_pieces_are_read_as_whole_ones() {
    let (tools, cases) = cases();
    // What a model writes regularly is cut at every place where it has most in it.
    let is_full =
        |title: &str| title.ends_with(": thinks, says and calls") || title.ends_with(": calls twice") || !title.contains(": calls");
    for case in &cases {
        if is_full(&case.title) {
            read_everyhow(&case.text, &case.prompt, &case.format, &tools);
        } else {
            let whole = parse_answer(&case.text, &case.prompt, &case.format, &tools);
            let begin = || AnswerReader::new(&case.format, &case.prompt, &tools);
            assert_eq!(streamed(characters(&case.text), begin), whole, "{}", case.title);
        }
    }
}

#[test]
fn pieces_of_answers_put_together_by_chance_are_read_alike() {
    let (tools, cases) = cases();
    let mut chance = Chance::new(7);
    for case in cases.iter().filter(|case| is_full(case)) {
        // Tokens, roughly: a mark, a word, a sign.
        let tokens: Vec<&str> = case.text.split_inclusive(|c: char| "<>{}[]()\n \"'|｜".contains(c)).collect();
        let mut text = String::new();
        for _ in 0..12 {
            let (start, count) = (chance.below(tokens.len()), 1 + chance.below(12));
            text.extend(tokens.iter().skip(start).take(count).copied());
        }
        let whole = parse_answer(&text, &case.prompt, &case.format, &tools);
        let begin = || AnswerReader::new(&case.format, &case.prompt, &tools);
        assert_eq!(streamed(characters(&text), begin), whole, "{}: {text:?}", case.title);
    }
}

/// The characters of a text, as texts.
fn characters(text: &str) -> impl Iterator<Item = &str> {
    text.char_indices().map(|(place, c)| &text[place..place + c.len_utf8()])
}

#[test]
fn formats_are_told_by_their_templates() {
    let written = golden("written.json");
    let mut told = Vec::new();
    for (name, format) in written["formats"].as_object().unwrap() {
        told.push((name.clone(), AnswerFormat::of_template(format["template"].as_str().unwrap()).name().unwrap_or("none")));
    }
    told.sort();
    let wanted: Vec<(String, &str)> = FORMATS.iter().map(|(name, format)| ((*name).to_owned(), *format)).collect();
    assert_eq!(told, wanted);
}

#[test]
fn every_format_of_calls_has_answers() {
    let seen: BTreeSet<&str> = FORMATS.iter().map(|(_, format)| *format).collect();
    // These have marks of reasoning alone.
    let without_calls = ["exaone-deep"];
    let missing: Vec<&str> = AnswerFormat::names().filter(|name| !seen.contains(name) && !without_calls.contains(name)).collect();
    assert!(missing.is_empty(), "tests/goldens/answers/written.json has no answers of {missing:?}");
}

#[test]
fn long_calls_of_any_format_are_read_in_time() {
    let (tools, cases) = cases();
    for case in cases.iter().filter(|case| case.title.ends_with(": calls")) {
        let long = case.text.replace("Oslo", &"word ".repeat(2_000));
        let begun = case.text.split("find_train").next().unwrap().repeat(400);
        for (text, calls) in [(long, Some(1)), (begun, None)] {
            let start = std::time::Instant::now();
            let pieces: Vec<String> = text.chars().collect::<Vec<char>>().chunks(7).map(|piece| piece.iter().collect()).collect();
            let answer = streamed(pieces.iter().map(String::as_str), || AnswerReader::new(&case.format, &case.prompt, &tools));
            assert!(calls.is_none_or(|calls| calls == answer.tool_calls.len()), "{}", case.title);
            assert!(start.elapsed().as_secs() < 10, "{}: {:?}", case.title, start.elapsed());
        }
    }
}
