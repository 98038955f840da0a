//! Which tokens a constraint allows, step by step.

use formers::generate::processors::{Processor, Row};
use formers::generate::{Constraint, Vocabulary};
use serde_json::{Value, json};

use super::{Check, SUM, constraints, is_json, is_person, is_plate, is_sum, person};

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

/// What ends a text is no part of it, whatever it would spell.
#[test]
fn end_tokens_spell_nothing() {
    let (vocabulary, _, end) = vocabulary();
    let [a, b, quote] = [b'a', b'b', b'"'].map(u32::from);
    let word = 256 + 5;
    for (constraint, begun, eos) in [
        (Constraint::Regex("(ab)*".into()), vec![], i64::from(a)),
        (Constraint::Regex("a(ab)*b".into()), vec![a], word as i64),
        (Constraint::JsonSchema(json!({"type": "string"})), vec![quote], i64::from(b)),
    ] {
        let make = vocabulary.hold(&constraint, &[eos, end as i64]).unwrap();
        let ways = allowed(make(0).swap_remove(0).as_mut(), &begun, end + 2);
        let whole = matches!(&constraint, Constraint::Regex(_)) && begun.is_empty();
        assert_eq!((ways.contains(&(eos as usize)), ways.contains(&end)), (whole, whole), "{constraint:?} {begun:?}: {ways:?}");
    }
}

/// Whatever a constraint says, it is refused or runs, and soon.
#[test]
fn constraints_that_ask_for_too_much_are_refused() {
    let (vocabulary, _, eos) = vocabulary();
    let nested = |open: &str, close: &str, times: usize| open.repeat(times) + &close.repeat(times);
    let named = |count: usize| -> serde_json::Map<String, Value> {
        (0..count).map(|n| (format!("^p{n}_"), json!({"anyOf": [{"type": "string"}, {"type": "null"}]}))).collect()
    };
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
        Constraint::JsonSchema(json!({"enum": (0..100_000).map(|n| format!("choice {n}")).collect::<Vec<_>>()})),
        Constraint::JsonSchema(json!({"oneOf": (0..3_000).map(|n| json!({"const": n})).collect::<Vec<_>>()})),
        Constraint::JsonSchema(json!({"const": (0..50_000).collect::<Vec<_>>()})),
        Constraint::JsonSchema(json!({"properties": named(3_000), "additionalProperties": false, "minProperties": 1})),
        Constraint::JsonSchema(json!({"allOf": [{"properties": named(3_000)}, {"additionalProperties": false, "maxProperties": 1}]})),
        Constraint::JsonSchema(json!({"properties": named(2_000)})),
        Constraint::JsonSchema(json!({"patternProperties": named(300)})),
        Constraint::JsonSchema(json!({"required": (0..50_000).map(|n| format!("p{n}")).collect::<Vec<_>>()})),
        Constraint::JsonSchema(json!({"type": "number", "multipleOf": 1e-9})),
        Constraint::JsonSchema(json!({"type": "integer", "multipleOf": 4_294_967_295_u64})),
        Constraint::JsonSchema(json!({"type": "string", "format": "email", "minLength": 200, "maxLength": 254})),
        Constraint::JsonSchema(
            json!({"allOf": (0..14).map(|n| json!({"anyOf": [{"minimum": n}, {"multipleOf": n + 1}]})).collect::<Vec<_>>()}),
        ),
        Constraint::Grammar(format!("start: {}", "\"a\" ".repeat(70_000))),
        Constraint::Regex((0..50_000).map(|n| format!("choice{n}")).collect::<Vec<_>>().join("|")),
        Constraint::Regex("[a-z]*".repeat(5_000)),
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
            assert!(!["NoExtensionBias", "panic", "max is"].iter().any(|word| error.to_string().contains(word)), "{begin}: {error}");
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
