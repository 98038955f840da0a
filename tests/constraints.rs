//! Answers that match a JSON schema, a regular expression or a grammar, whatever the model would rather say.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use formers::generate::processors::{Processor, Row};
use formers::generate::{Constraint, Vocabulary};
use formers::model::Pretrained;
use formers::pipelines::text_generation::{Options as Call, Part, Prompt};
use formers::pipelines::{Pipeline, Text2TextGeneration, TextGeneration, Translation, text2text_generation, translation};
use formers::{ErrorKind, Options};
use serde_json::{Map, Value, json};

fn model(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/generate/models").join(name)
}

fn open(name: &str) -> TextGeneration {
    TextGeneration::load(&Pretrained::open(Options::new(model(name).to_string_lossy())).unwrap()).unwrap()
}

fn person() -> Value {
    json!({
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 5},
            "age": {"type": "integer", "minimum": 0, "maximum": 120},
            "likes": {"type": "array", "items": {"enum": ["tea", "milk", null]}, "minItems": 1, "maxItems": 3},
            "home": {"$ref": "#/$defs/home"},
        },
        "required": ["name", "age", "likes", "home"],
        "additionalProperties": false,
        "$defs": {"home": {"anyOf": [{"type": "null"}, {"type": "object", "properties": {"x": {"type": "boolean"}}, "required": ["x"], "additionalProperties": false}]}},
    })
}

/// Whether a text is a person.
fn is_person(text: &str) -> bool {
    let Ok(Value::Object(person)) = serde_json::from_str::<Value>(text) else { return false };
    let home = &person["home"];
    person.keys().eq(["name", "age", "likes", "home"])
        && person["name"].as_str().is_some_and(|name| name.chars().count() <= 5)
        && person["age"].as_u64().is_some_and(|age| age <= 120)
        && person["likes"].as_array().is_some_and(|likes| {
            (1..=3).contains(&likes.len()) && likes.iter().all(|like| [json!("tea"), json!("milk"), Value::Null].contains(like))
        })
        && (home.is_null() || home.as_object().is_some_and(|home| home.keys().eq(["x"]) && home["x"].is_boolean()))
}

/// `[a-z]{2,4}-[0-9]{3}`
fn is_plate(text: &str) -> bool {
    let Some((letters, digits)) = text.split_once('-') else { return false };
    (2..=4).contains(&letters.len())
        && letters.bytes().all(|b| b.is_ascii_lowercase())
        && digits.len() == 3
        && digits.bytes().all(|b| b.is_ascii_digit())
}

const SUM: &str = "start: number (sign number){1,3}\nsign: \" + \" | \" - \"\nnumber: /[0-9]{1,2}/ | \"(\" number sign number \")\"";

/// Whether a text is a sum of `SUM`, brackets left out of the count.
fn is_sum(text: &str) -> bool {
    let depth = text.chars().try_fold(0i32, |depth, c| match c {
        '(' => Some(depth + 1),
        ')' => (depth > 0).then(|| depth - 1),
        '0'..='9' | ' ' | '+' | '-' => Some(depth),
        _ => None,
    });
    let plain: String = text.chars().filter(|c| !"()".contains(*c)).collect();
    let parts: Vec<&str> = plain.split([' ']).collect();
    let is_number = |part: &&str| (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    depth == Some(0)
        && parts.len() >= 3
        && parts.len() % 2 == 1
        && parts.iter().step_by(2).all(is_number)
        && parts.iter().skip(1).step_by(2).all(|p| ["+", "-"].contains(p))
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok()
}

type Check = fn(&str) -> bool;

fn constraints() -> Vec<(Constraint, Check)> {
    vec![
        (Constraint::JsonSchema(person()), is_person),
        (Constraint::Regex(r"[a-z]{2,4}-[0-9]{3}".into()), is_plate),
        (Constraint::Grammar(SUM.into()), is_sum),
    ]
}

fn call(constraint: &Constraint, generation: Value) -> Call {
    let mut fields: Map<String, Value> = generation.as_object().cloned().unwrap();
    fields.insert("max_new_tokens".into(), json!(900));
    Call { generation: fields, constraint: Some(constraint.clone()), ..Call::default() }
}

/// Models with random weights and vocabularies of several kinds write what matches, in every way of choosing tokens.
#[test]
fn random_models_write_what_matches() {
    for name in ["qwen2/causal_lm", "llama/causal_lm", "gemma/causal_lm", "bloom/causal_lm", "phi3/causal_lm_b"] {
        let generate = open(name);
        for (constraint, matches) in constraints() {
            let ways = [
                json!({"do_sample": false}),
                json!({"do_sample": true, "seed": 3, "num_return_sequences": 3}),
                json!({"do_sample": true, "seed": 4, "temperature": 3.0, "top_p": 0.9, "repetition_penalty": 1.2}),
                json!({"do_sample": false, "num_beams": 3, "length_penalty": 0.5}),
                json!({"do_sample": true, "seed": 6, "num_beams": 3, "num_return_sequences": 2, "top_k": 0}),
                json!({"do_sample": false, "prompt_lookup_num_tokens": 3}),
            ];
            for way in ways {
                let options = call(&constraint, way.clone());
                let prompts = [Prompt::Text("The river Danube flows"), Prompt::Text("Hi")];
                // Drafts are for one answer at a time.
                let prompts = if way.get("prompt_lookup_num_tokens").is_some() { &prompts[..1] } else { &prompts };
                for answers in generate.run_many(prompts, &options).unwrap() {
                    for answer in answers.unwrap() {
                        assert!(matches(&answer.text), "{name}, {constraint:?}, {way}: {:?}", answer.text);
                    }
                }
                if way.get("num_beams").is_none() {
                    let streamed: String = generate.stream(prompts[0], &options).unwrap().map(|piece| piece.unwrap()).collect();
                    assert!(matches(&streamed), "{name}, {constraint:?}, {way}: {streamed:?}");
                }
            }
        }
    }
}

/// Models with an encoder too, greedily, by chance, in beams and as it comes; a first token that is forced is no part of the text.
#[test]
fn what_an_encoder_read_is_answered_with_what_matches() {
    // There is room for a hundred tokens.
    let schema = json!({"enum": [true, false, 12], "x-guidance": {"whitespace_flexible": false}});
    let short: [(Constraint, Check); 3] = [
        (Constraint::JsonSchema(schema), is_json),
        (Constraint::Regex(r"[a-z]{2,4}-[0-9]{3}".into()), is_plate),
        (Constraint::Grammar("start: number (\" + \" number){1,3}\nnumber: /[0-9]{1,2}/".into()), is_sum),
    ];
    for (name, forced) in
        [("bart/seq2seq", None), ("bart/seq2seq_b", Some(0)), ("blenderbot/seq2seq", None), ("encoder-decoder/seq2seq_roberta", None)]
    {
        let model = Text2TextGeneration::from_pretrained(model(name).to_str().unwrap()).unwrap();
        for (constraint, matches) in &short {
            for way in [
                json!({"num_beams": 1}),
                json!({"num_beams": 1, "prompt_lookup_num_tokens": 4}),
                json!({"num_beams": 1, "do_sample": true, "seed": 3, "num_return_sequences": 3}),
                json!({"num_beams": 3}),
                json!({"num_beams": 3, "do_sample": true, "seed": 4, "num_return_sequences": 2}),
            ] {
                let mut generation = way.as_object().cloned().unwrap();
                generation.insert("max_new_tokens".into(), json!(90));
                let options = text2text_generation::Options { generation, constraint: Some(constraint.clone()), ..Default::default() };
                let texts = ["The river Danube flows", "Hi"];
                let texts = if way.get("prompt_lookup_num_tokens").is_some() { &texts[..1] } else { &texts };
                for answers in model.run_many(texts, &options).unwrap() {
                    for answer in answers.unwrap() {
                        assert!(matches(answer.text.trim()), "{name}, {constraint:?}, {way}: {:?}", answer.text);
                        assert!(forced.is_none_or(|first| answer.token_ids[1] == first), "{name}: {:?}", answer.token_ids);
                    }
                }
                if way.get("num_beams") == Some(&json!(1)) {
                    let streamed: String = model.stream(texts[0], &options).unwrap().map(|piece| piece.unwrap()).collect();
                    assert!(matches(streamed.trim()), "{name}, {constraint:?}, {way}: {streamed:?}");
                }
            }
        }
    }
}

/// Texts of WordPiece cannot be held: a first token in the middle of a word would show its mark.
#[test]
fn words_in_pieces_cannot_be_held() {
    let model = Text2TextGeneration::from_pretrained(model("encoder-decoder/seq2seq").to_str().unwrap()).unwrap();
    let options = text2text_generation::Options { constraint: Some(Constraint::Regex("a+".into())), ..Default::default() };
    let error = model.run_many(&["Hi"], &options).unwrap_err();
    assert!(error.kind() == ErrorKind::Unsupported && error.to_string().starts_with("regex: "), "{error}");
}

/// A translation begins with the token of its language, whatever it must match.
#[test]
fn translations_keep_their_language() {
    let model = Translation::from_pretrained(model("m2m_100/seq2seq").to_str().unwrap()).unwrap();
    for num_beams in [1, 3] {
        let mut options = translation::Options::between("de", "fr");
        options.common.generation = json!({"num_beams": num_beams, "max_new_tokens": 40}).as_object().cloned().unwrap();
        let plain = model.run_many(&["Guten Tag"], &options).unwrap().pop().unwrap().unwrap().pop().unwrap();
        options.common.constraint = Some(Constraint::Regex("[a-z]{2,4}( [a-z]{2,4})?".into()));
        let held = model.run_many(&["Guten Tag"], &options).unwrap().pop().unwrap().unwrap().pop().unwrap();
        assert_eq!(held.token_ids[..2], plain.token_ids[..2]);
        // The text of this tokenizer shows it.
        let words: Vec<&str> = held.text.strip_prefix("__fr__").unwrap_or(&held.text).split(' ').collect();
        assert!((1..=2).contains(&words.len()) && words.iter().all(|word| (2..=4).contains(&word.len())), "{:?}", held.text);
    }
}

/// The same is chosen with drafts as without them.
#[test]
fn drafts_change_nothing() {
    let generate = open("qwen2/causal_lm");
    for (constraint, _) in constraints() {
        let run = |generation: Value| {
            let options = call(&constraint, generation);
            generate.run_many(&[Prompt::Text("12 + 12 + 12 null null")], &options).unwrap().swap_remove(0).unwrap().swap_remove(0).text
        };
        let plain = run(json!({"do_sample": false}));
        assert_eq!(plain, run(json!({"do_sample": false, "prompt_lookup_num_tokens": 4, "max_matching_ngram_size": 1})));
    }
}

/// Answers are forced into the forms of families, and come in parts: none shows a mark, and reasoning comes piece by piece.
#[test]
fn forced_answers_come_in_parts() {
    let generate = open("qwen2/causal_lm");
    let think = "\"<think>\\nHm \" /[a-z]{3,12}/ \". So.\\n</think>\\n\\nHello \" /[a-z]{2,9}/ ";
    let n = "/[0-9]{1,2}/";
    let cases = [
        (
            "<tool_call>",
            format!("{think} \"\\n<tool_call>\\n{{\\\"name\\\": \\\"f\\\", \\\"arguments\\\": {{\\\"n\\\": \" {n} \"}}}}\\n</tool_call>\""),
        ),
        ("<tool_call>", format!("{think} \"<tool_call>f<arg_key>n</arg_key><arg_value>\" {n} \"</arg_value></tool_call>\"")),
        ("[TOOL_CALLS]", format!("{think} \"[TOOL_CALLS]f{{\\\"n\\\": \" {n} \"}}\"")),
        ("<|tool_call|>", format!("{think} \"<|tool_call|>[{{\\\"name\\\": \\\"f\\\", \\\"arguments\\\": {{\\\"n\\\": \" {n} \"}}}}]\"")),
        ("<start_function_call>", format!("{think} \"<start_function_call>call:f{{n:\" {n} \"}}<end_function_call>\"")),
        ("<|tool_list_start|>", format!("{think} \"<|tool_call_start|>[f(n=\" {n} \")]<|tool_call_end|>\"")),
        (
            "<｜tool▁calls▁begin｜>",
            format!("{think} \"<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{{\\\"n\\\": \" {n} \"}}<｜tool▁call▁end｜>\""),
        ),
        (
            "<|channel|>",
            format!(
                "\"<|channel|>analysis<|message|>Hm \" /[a-z]{{3,12}}/ \". So.<|end|><|start|>assistant<|channel|>commentary<|message|>Hello \" /[a-z]{{2,9}}/ \"<|end|><|start|>assistant<|channel|>commentary to=functions.f <|constrain|>json<|message|>{{\\\"n\\\": \" {n} \"}}<|call|>\""
            ),
        ),
    ];
    for (mark, rule) in cases {
        let mut options = call(&Constraint::Grammar(format!("start: {rule}")), json!({"do_sample": true, "seed": 5}));
        let begun = if mark == "<|channel|>" { "<|start|>assistant" } else { "" };
        let template = format!("{{# {mark} #}}{{% for m in messages %}}{{{{ m.content }}}}{{% endfor %}}{begun}");
        options.chat.chat_template = Some(template);
        // Integers are typed where values are plain text.
        options.chat.tools = Some(vec![json!({"name": "f", "parameters": {"properties": {"n": {"type": "integer"}}}})]);
        let mut parts = generate.stream_parts(&[json!({"role": "user", "content": "Hi"})], &options).unwrap();
        let shown: Vec<Part> = parts.by_ref().map(|part| part.unwrap()).collect();
        let answer = parts.answer().clone();
        let (mut reasoning, mut content, mut calls) = (Vec::new(), String::new(), 0);
        for part in &shown {
            match part {
                Part::Reasoning(text) => reasoning.push(text.as_str()),
                Part::Content(text) => content.push_str(text),
                Part::Call(call) => {
                    assert!(call.name == "f" && call.arguments["n"].is_u64(), "{mark}: {call:?}");
                    calls += 1;
                }
                _ => {}
            }
        }
        assert!(reasoning.len() > 2 && calls == 1, "{mark}: {shown:?}");
        let reasoning = reasoning.concat();
        assert!(reasoning.starts_with("Hm ") && reasoning.ends_with(" So.") && content.starts_with("Hello "), "{mark}: {shown:?}");
        assert!(!content.contains(['<', '[', '{']) && !reasoning.contains('<'), "{mark}: {shown:?}");
        assert_eq!((Some(&reasoning), &content), (answer.reasoning_content.as_ref(), &answer.content), "{mark}");
        // The whole text, taken apart at once, is the same.
        let with_tokens = Call { skip_special_tokens: false, ..options.clone() };
        let messages = [json!({"role": "user", "content": "Hi"})];
        let pieces = generate.pieces(Prompt::Chat(&messages), &with_tokens).unwrap();
        let text: String = pieces.map(|piece| piece.unwrap().text).collect();
        assert_eq!(generate.parts(&text, &format!("Hi{begun}"), &options).unwrap(), answer, "{mark} {text}");
    }
}

/// All bytes, some words and, last, a special token, the end and a token without text.
fn vocabulary() -> (Vocabulary, Vec<Vec<u8>>, usize) {
    let words = ["tea", "{\"", "\":", "name\"", " + ", "ab", "12", "\": \"", "null", "}", "é", "\"}"];
    let bytes = (0..=u8::MAX).map(|byte| vec![byte]);
    let texts: Vec<Vec<u8>> = bytes.chain(words.map(|word| word.as_bytes().to_vec())).collect();
    let mut tokens: Vec<(Vec<u8>, bool)> = texts.iter().map(|text| (text.clone(), false)).collect();
    tokens.push((b"<|tool|>".to_vec(), true));
    tokens.push((b"</s>".to_vec(), true));
    tokens.push((Vec::new(), false));
    let eos = tokens.len() - 2;
    (Vocabulary::new(tokens).unwrap(), texts, eos)
}

fn allowed(processor: &mut dyn Processor, history: &[u32], size: usize) -> Vec<usize> {
    let mut logits = vec![0.0; size];
    processor.process(&Row { history, ..Row::default() }, &mut logits).unwrap();
    (0..size).filter(|token| logits[*token] == 0.0).collect()
}

struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end
    }
}

/// Whatever is chosen of what is allowed, there is a way on, and it ends in a text that matches.
#[test]
fn every_way_leads_to_an_end() {
    let (vocabulary, texts, eos) = vocabulary();
    let mut chance = Chance(7);
    for (constraint, matches) in constraints() {
        let make = vocabulary.hold(&constraint, &[eos as i64]).unwrap();
        for _ in 0..40 {
            let mut processor = make(2).swap_remove(0);
            let mut history = vec![0, 1];
            loop {
                let ways = allowed(processor.as_mut(), &history, eos + 2);
                assert!(!ways.is_empty() && history.len() < 2000, "{constraint:?} {history:?}");
                let way = ways[chance.below(ways.len())];
                assert!(way < texts.len() || way == eos, "a special token in {constraint:?}");
                if way == eos {
                    break;
                }
                history.push(way as u32);
            }
            let text: Vec<u8> = history[2..].iter().flat_map(|token| texts[*token as usize].clone()).collect();
            let text = String::from_utf8(text).unwrap();
            assert!(matches(&text), "{constraint:?}: {text:?}");
        }
    }
}

/// All that matches can be written, however it is cut into tokens, and the end comes where it is complete and not before.
#[test]
fn every_prefix_of_what_matches_is_accepted() {
    let (vocabulary, texts, eos) = vocabulary();
    let mut chance = Chance(11);
    let cases: [(Constraint, Check, &str); 6] = [
        (
            Constraint::JsonSchema(person()),
            is_person,
            "{\"name\": \"é\\n\", \"age\": 12, \"likes\": [\"tea\", null], \"home\": {\"x\": true}}",
        ),
        (Constraint::JsonSchema(person()), is_person, "{\"name\":\"\",\"age\":0,\"likes\":[\"milk\"],\"home\":null}"),
        (
            Constraint::JsonSchema(person()),
            is_person,
            "{\n  \"name\": \"abcde\",\n  \"age\": 120,\n  \"likes\": [\n    \"tea\"\n  ],\n  \"home\": null\n}",
        ),
        (Constraint::JsonSchema(json!({})), is_json, "[{\"a\": [1.5e-3, \"\\\"\\n\"]}, false]"),
        (Constraint::Regex(r"[a-z]{2,4}-[0-9]{3}".into()), is_plate, "ab-123"),
        (Constraint::Grammar(SUM.into()), is_sum, "1 + (12 - 3) + 4"),
    ];
    for (constraint, matches, text) in cases {
        let make = vocabulary.hold(&constraint, &[eos as i64]).unwrap();
        for _ in 0..5 {
            let mut processor = make(0).swap_remove(0);
            let (mut history, mut rest) = (Vec::<u32>::new(), text.as_bytes());
            while !rest.is_empty() {
                let ways = allowed(processor.as_mut(), &history, eos + 2);
                let before = std::str::from_utf8(&text.as_bytes()[..text.len() - rest.len()]);
                assert_eq!(ways.contains(&eos), before.is_ok_and(matches), "{text} ends at {:?}", String::from_utf8_lossy(rest));
                let fitting: Vec<usize> = (0..texts.len()).filter(|token| rest.starts_with(&texts[*token])).collect();
                assert!(fitting.iter().all(|token| ways.contains(token)), "{text} at {:?}", String::from_utf8_lossy(rest));
                let token = fitting[chance.below(fitting.len())];
                history.push(token as u32);
                rest = &rest[texts[token].len()..];
            }
            assert!(allowed(processor.as_mut(), &history, eos + 2).contains(&eos), "{text} does not end");
        }
    }
}

/// Beams go on from any beam of the step before.
#[test]
fn rows_go_on_from_each_other() {
    let (vocabulary, _, eos) = vocabulary();
    let make = vocabulary.hold(&Constraint::Regex("ab|xy*".into()), &[eos as i64]).unwrap();
    let mut processor = make(0).swap_remove(0);
    let mut step = |histories: &[&[u8]]| {
        let histories: Vec<Vec<u32>> = histories.iter().map(|bytes| bytes.iter().map(|byte| u32::from(*byte)).collect()).collect();
        let rows: Vec<Row<'_>> = histories.iter().enumerate().map(|(index, history)| Row { index, history, ..Row::default() }).collect();
        let mut logits = vec![0.0; rows.len() * (eos + 2)];
        processor.process_rows(&rows, &mut logits).unwrap();
        let ways = |row: &[f32]| (0..row.len()).filter(|token| row[*token] == 0.0).collect::<Vec<_>>();
        logits.chunks(eos + 2).map(ways).collect::<Vec<_>>()
    };
    let [a, b, x, y] = [b'a', b'b', b'x', b'y'].map(usize::from);
    let word = 256 + 5;
    assert_eq!(step(&[b"", b""]), [vec![a, x, word], vec![a, x, word]]);
    assert_eq!(step(&[b"x", b"a"]), [vec![y, eos], vec![b]]);
    assert_eq!(step(&[b"xy", b"x?"]), [vec![y, eos], vec![]], "a row that has left it has no way on");
    assert_eq!(step(&[b"xyy", b"xyy"]), [vec![y, eos], vec![y, eos]]);
    assert_eq!(step(&[b"ab", b"a"]), [vec![eos], vec![b]], "rows that come from nowhere are followed from the beginning");
}

/// Special tokens come where a grammar names them.
#[test]
fn grammars_name_special_tokens() {
    let (vocabulary, _, eos) = vocabulary();
    let make = vocabulary.hold(&Constraint::Grammar("start: \"ab\" <|tool|>".into()), &[eos as i64]).unwrap();
    let mut processor = make(0).swap_remove(0);
    let tool = eos - 1;
    assert_eq!(allowed(processor.as_mut(), &[256 + 5], eos + 2), [tool]);
    assert_eq!(allowed(processor.as_mut(), &[256 + 5, tool as u32], eos + 2), [eos]);
}

/// A constraint that cannot be met or read is an error that names its parameter.
#[test]
fn what_cannot_be_met_is_an_error() {
    let generate = open("qwen2/causal_lm");
    let ask = |parameters: Value| {
        let mut all = json!({"max_new_tokens": 40, "do_sample": false});
        all.as_object_mut().unwrap().extend(parameters.as_object().cloned().unwrap());
        generate.call(&json!("Hi"), formers::pipelines::Parameters::new(&all).unwrap())
    };
    let cases = [
        (json!({"json_schema": {"type": "object", "required": ["a"], "properties": {"a": false}}}), "json_schema: "),
        (json!({"json_schema": {"type": "integer", "minimum": 5, "maximum": 4}}), "json_schema: "),
        (json!({"json_schema": {"type": "nothing"}}), "json_schema: "),
        (json!({"json_schema": {"$ref": "https://example.com/schema"}}), "json_schema: "),
        (json!({"json_schema": "{\"type\": "}), "parameters.json_schema: "),
        (json!({"json_schema": 5}), "json_schema: "),
        (json!({"json_schema": {"type": "string", "pattern": "(a"}}), "json_schema: "),
        (json!({"regex": "(ab"}), "regex: "),
        (json!({"regex": "a(?=b)"}), "regex: "),
        (json!({"regex": ["a"]}), "parameters.regex: "),
        (json!({"grammar": "start: /a/ nothing"}), "grammar: "),
        (json!({"grammar": ""}), "grammar: "),
        (json!({"grammar": "start: start"}), "grammar: "),
        (json!({"regex": "a", "grammar": "start: \"a\""}), "parameters.grammar: "),
        (json!({"regex": "a", "eos_token_id": null}), "regex: "),
    ];
    for (parameters, place) in cases {
        let error = ask(parameters.clone()).expect_err(&parameters.to_string()).to_string();
        assert!(error.starts_with(place) && !error.contains('\n') && error.len() < 400, "{parameters}: {error}");
    }
    let schema = json!({"enum": ["yes", "no"]});
    for schema in [schema.clone(), json!(schema.to_string())] {
        let answer = ask(json!({"json_schema": schema, "return_full_text": false})).unwrap();
        let text = answer[0]["generated_text"].as_str().unwrap();
        assert!(["\"yes\"", "\"no\""].contains(&text.trim()), "{text}");
    }
    // Beams that are drawn have a way on where there is only one.
    let beams = json!({"regex": "abb", "num_beams": 3, "do_sample": true, "seed": 1, "return_full_text": false});
    assert_eq!(ask(beams).unwrap()[0]["generated_text"], "abb");
    // What other parameters forbid, the constraint still has.
    let answer = ask(json!({"regex": "ab{3}", "min_new_tokens": 30, "return_full_text": false})).unwrap();
    assert_eq!(answer[0]["generated_text"], "abbb");
}

/// An answer that a limit cuts before it matches is an error of its own, behind the text where it comes piece by piece; one that matches
/// when the limit comes is none.
#[test]
fn answers_that_were_cut_say_so() {
    let generate = open("qwen2/causal_lm");
    let all = [Constraint::JsonSchema(person()), Constraint::CompactJson(person()), Constraint::Regex("[ab]{50}".into())];
    for constraint in all.into_iter().chain([Constraint::Grammar("start: \"a\"{50}".into())]) {
        for way in [
            json!({"num_beams": 1}),
            json!({"num_beams": 2}),
            json!({"prompt_lookup_num_tokens": 3}),
            json!({"do_sample": true, "seed": 1}),
        ] {
            let mut options = call(&constraint, way.clone());
            options.generation.insert("max_new_tokens".into(), json!(5));
            let error = generate.run_many(&[Prompt::Text("Hi")], &options).unwrap().swap_remove(0).unwrap_err();
            assert!(error.kind() == ErrorKind::Incomplete && error.to_string().contains("after 5 tokens"), "{constraint:?} {way}: {error}");
            if way.get("num_beams") != Some(&json!(2)) {
                let pieces: Vec<_> = generate.stream(Prompt::Text("Hi"), &options).unwrap().collect();
                let (last, text) = pieces.split_last().unwrap();
                assert_eq!(last.as_ref().unwrap_err().kind(), ErrorKind::Incomplete, "{constraint:?} {way}");
                let text: String = text.iter().map(|piece| piece.as_ref().unwrap().as_str()).collect();
                assert!(!text.is_empty(), "{constraint:?} {way}");
            }
        }
        let mut options = call(&constraint, json!({"max_time": 0.0}));
        options.stop = None;
        assert_eq!(generate.run_many(&[Prompt::Text("Hi")], &options).unwrap()[0].as_ref().unwrap_err().kind(), ErrorKind::Incomplete);
    }
    // What is complete at the limit is not cut, nor is what the caller ends.
    for (constraint, tokens) in [(Constraint::Regex("a".into()), 1), (Constraint::Regex("a*".into()), 7)] {
        let mut options = call(&constraint, json!({"do_sample": false}));
        options.generation.insert("max_new_tokens".into(), json!(tokens));
        assert!(generate.run_many(&[Prompt::Text("Hi")], &options).unwrap()[0].is_ok(), "{constraint:?}");
    }
    let mut options = call(&Constraint::Regex("[ab]{50}".into()), json!({"do_sample": false}));
    options.stop = Some(formers::generate::stopping::StopWhen::new(|tokens| tokens.len() > 6));
    assert!(generate.run_many(&[Prompt::Text("Hi")], &options).unwrap()[0].is_ok());
    // Parts show what came before that is told.
    let mut options = call(&Constraint::JsonSchema(person()), json!({"do_sample": false}));
    options.generation.insert("max_new_tokens".into(), json!(5));
    options.chat.chat_template = Some("{% for m in messages %}{{ m.content }}{% endfor %}".into());
    let parts: Vec<_> = generate.stream_parts(&[json!({"role": "user", "content": "Hi"})], &options).unwrap().collect();
    let (last, shown) = parts.split_last().unwrap();
    assert_eq!(last.as_ref().unwrap_err().kind(), ErrorKind::Incomplete);
    assert!(shown.iter().any(|part| matches!(part, Ok(Part::Content(text)) if !text.is_empty())), "{parts:?}");
}

/// Compact JSON is asked for beside a schema.
#[test]
fn compact_json_is_a_parameter() {
    let generate = open("qwen2/causal_lm");
    let ask = |parameters: Value| generate.call(&json!("Hi"), formers::pipelines::Parameters::new(&parameters).unwrap());
    let schema = json!({"const": {"a": [1, 2], "b": null}});
    let common =
        json!({"json_schema": schema, "compact_json": true, "return_full_text": false, "do_sample": true, "seed": 2, "max_new_tokens": 90});
    assert_eq!(ask(common).unwrap()[0]["generated_text"], "{\"a\":[1,2],\"b\":null}");
    let error = ask(json!({"regex": "a", "compact_json": true})).unwrap_err().to_string();
    assert!(error.starts_with("parameters.compact_json: goes with json_schema"), "{error}");
}

/// Whatever a constraint says, it is refused or runs, and soon.
#[test]
fn constraints_that_ask_for_too_much_are_refused() {
    let (vocabulary, _, eos) = vocabulary();
    let nested = |open: &str, close: &str, times: usize| open.repeat(times) + &close.repeat(times);
    let mut deep = json!({"type": "null"});
    for _ in 0..100 {
        deep = json!({"type": "array", "items": deep, "minItems": 1});
    }
    let cases = [
        Constraint::Regex("((a{0,500}){0,500}){0,500}".into()),
        Constraint::Regex("(a|b|ab)*c{5000}(a|b)*".into()),
        Constraint::Regex(nested("(", ")", 100_000)),
        Constraint::Regex("[a-z]{1,1000000}".into()),
        Constraint::Regex("(x+x+)+y".into()),
        Constraint::Regex(r"\p{L}*(\p{N}|\p{L}){50}".into()),
        Constraint::Grammar(format!("start: {}", nested("(", ")", 100_000))),
        Constraint::Grammar(format!("start: {}\"a\"{}", "(".repeat(5_000), ")".repeat(5_000))),
        Constraint::Grammar(format!("start: {}\"a\"{}", "[".repeat(5_000), "]".repeat(5_000))),
        Constraint::Grammar("start: start start | \"a\"".into()),
        Constraint::Grammar("start: a{100000}\na: \"x\" | \"y\"".into()),
        Constraint::Grammar("start: \"a\" %json {\"type\": \"strin\"}".into()),
        Constraint::Grammar("%llguidance {\"no_forcing\": tru}\nstart: \"a\"".into()),
        Constraint::Grammar("\u{0}\u{1}start".into()),
        Constraint::JsonSchema(json!({"$ref": "#"})),
        Constraint::JsonSchema(json!({"anyOf": [{"$ref": "#"}, {"type": "null"}]})),
        Constraint::JsonSchema(json!({"allOf": [{"$ref": "#/allOf/0"}]})),
        Constraint::JsonSchema(json!({"type": "array", "items": {"$ref": "#"}})),
        Constraint::JsonSchema(json!({"type": "string", "minLength": 1_000_000_000})),
        Constraint::JsonSchema(json!({"type": "array", "minItems": 1_000_000_000})),
        Constraint::JsonSchema(json!({"type": "string", "pattern": "(a{500}){500}"})),
        Constraint::JsonSchema(json!({"type": "number", "multipleOf": 1e-300, "minimum": -1e300})),
        Constraint::JsonSchema(json!({"x-guidance": {"whitespace_pattern": 5}})),
        Constraint::JsonSchema(json!({"x-guidance": 5, "type": "null"})),
        Constraint::JsonSchema(json!({"enum": []})),
        Constraint::JsonSchema(json!({"enum": (0..2000).collect::<Vec<_>>()})),
        Constraint::JsonSchema(deep),
        Constraint::JsonSchema(json!({"properties": 5, "required": "x"})),
        Constraint::JsonSchema(json!(true)),
        Constraint::JsonSchema(json!(false)),
        Constraint::JsonSchema(json!([])),
    ];
    let mut chance = Chance(3);
    for constraint in cases {
        let started = std::time::Instant::now();
        let begin: String = format!("{constraint:?}").chars().take(90).collect();
        let made = vocabulary.hold(&constraint, &[eos as i64]);
        if let Err(error) = &made {
            assert!(error.to_string().starts_with(constraint.name()) && error.to_string().chars().count() < 330, "{begin}: {error}");
            assert!(!error.to_string().contains("NoExtensionBias"), "{begin}: {error}");
        }
        if let Ok(make) = made {
            let mut processor = make(0).swap_remove(0);
            let mut history = Vec::new();
            for _ in 0..30 {
                let mut logits = vec![0.0; eos + 2];
                let row = Row { history: &history, ..Row::default() };
                if let Err(error) = processor.process(&row, &mut logits) {
                    assert!(error.to_string().starts_with(constraint.name()), "{begin}: {error}");
                    break;
                }
                let ways: Vec<usize> = (0..eos + 2).filter(|token| logits[*token] == 0.0).collect();
                let way = ways[chance.below(ways.len())];
                history.push(way as u32);
            }
        }
        assert!(started.elapsed().as_secs() < 20, "{begin} took {:?}", started.elapsed());
    }
}

/// An answer that is held to a form is no call, whatever it looks like; one that is not is a call where the tool was given.
#[test]
fn answers_held_to_a_form_are_no_calls() {
    let generate = open("qwen2/causal_lm");
    let schema = json!({"const": {"name": "f", "parameters": {"n": 1}}});
    let tool = json!({"name": "f", "parameters": {"properties": {"n": {"type": "integer"}}}});
    let messages = [json!({"role": "user", "content": "Hi"})];
    for tools in [None, Some(vec![tool.clone()])] {
        let mut options = call(&Constraint::JsonSchema(schema.clone()), json!({"do_sample": false}));
        options.chat.chat_template = Some("<|start_header_id|> \"parameters\" {{ messages[0].content }}".to_owned());
        options.chat.tools = tools.clone();
        let mut parts = generate.stream_parts(&messages, &options).unwrap();
        assert!(parts.by_ref().all(|part| matches!(part.unwrap(), Part::Content(_))));
        let content: Value = serde_json::from_str(&parts.answer().content).unwrap();
        assert_eq!(content, schema["const"]);
        options.constraint = None;
        let free = generate.parts(&content.to_string(), "Hi", &options).unwrap();
        assert_eq!(free.tool_calls.len(), usize::from(tools.is_some()));
    }
}
