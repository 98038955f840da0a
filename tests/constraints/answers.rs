//! What models write under a constraint, in every way of choosing tokens.

use std::path::PathBuf;

use formers::generate::Constraint;
use formers::model::Pretrained;
use formers::pipelines::text_generation::{Options as Call, Part, Prompt};
use formers::pipelines::{Pipeline, Text2TextGeneration, TextGeneration, Translation, text2text_generation, translation};
use formers::{ErrorKind, Options};
use serde_json::{Map, Value, json};

use super::{Check, constraints, is_json, is_plate, is_sum, person};

fn model(name: &str) -> PathBuf {
    formers_testing::golden(&format!("generate/models/{name}"))
}

fn open(name: &str) -> TextGeneration {
    TextGeneration::load(&Pretrained::open(Options::new(model(name).to_string_lossy())).unwrap()).unwrap()
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
    // A stop string in the midst of it is such a limit, too.
    for way in [json!({"num_beams": 1}), json!({"num_beams": 2})] {
        let mut options = call(&Constraint::Regex("x[ab]{50}".into()), way.clone());
        options.generation.insert("stop_strings".into(), json!(["a", "b"]));
        let error = generate.run_many(&[Prompt::Text("Hi")], &options).unwrap().swap_remove(0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Incomplete, "{way}: {error}");
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
