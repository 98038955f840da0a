//! Tasks that turn a text into another, through the library: answers as they come, many texts at once, what is wrong with a request.

#![allow(clippy::unwrap_used, clippy::panic)]

#[allow(dead_code)]
use crate::goldens;

use std::path::Path;

use formers::{
    ErrorKind, Options,
    pipelines::{Pipeline, Summarization, Text2TextGeneration, Translation, find, text2text_generation, translation},
};
use goldens::{json as json_of, same};
use serde_json::{Map, Value, json};

const TEXTS: [&str; 5] = [
    "The film was wonderful and the actors were great.",
    "Hi",
    "Zoë's café in München",
    "Is it?",
    "The river Danube flows, and flows, and flows.",
];

fn golden(name: &str) -> String {
    formers_testing::golden(&format!("generate/models/{name}")).to_string_lossy().into_owned()
}

fn options(generation: Value) -> text2text_generation::Options {
    text2text_generation::Options { generation: generation.as_object().cloned().unwrap_or_else(Map::new), ..Default::default() }
}

#[test]
fn pieces_are_the_text_of_the_whole() {
    let greedy = options(json!({"num_beams": 1, "max_new_tokens": 20}));
    let text = TEXTS[0];
    let model = Text2TextGeneration::from_pretrained(&golden("bart/seq2seq")).unwrap();
    let whole = model.run_many(&[text], &greedy).unwrap().pop().unwrap().unwrap().pop().unwrap().text;
    let pieces: Vec<String> = model.stream(text, &greedy).unwrap().map(Result::unwrap).collect();
    assert!(pieces.len() > 1 && pieces.concat() == whole, "{pieces:?} {whole:?}");
    assert!(model.stream(text, &options(json!({}))).is_err(), "beams are known only at the end");

    let model = Summarization::from_pretrained(&golden("pegasus/seq2seq")).unwrap();
    let whole = model.run_many(&[text], &greedy).unwrap().pop().unwrap().unwrap().pop().unwrap().text;
    assert_eq!(model.stream(text, &greedy).unwrap().map(Result::unwrap).collect::<String>(), whole);

    let model = Translation::from_pretrained(&golden("m2m_100/seq2seq")).unwrap();
    let options = translation::Options { common: greedy, ..translation::Options::between("de", "fr") };
    let whole = model.run_many(&[text], &options).unwrap().pop().unwrap().unwrap().pop().unwrap().text;
    assert_eq!(model.stream(text, &options).unwrap().map(Result::unwrap).collect::<String>(), whole);
}

/// Texts that run together are answered as each is alone, also where rows of a text end at different times; a text that is too long
/// fails alone.
#[test]
fn many_texts_are_answered_as_each_alone() {
    let model = Text2TextGeneration::from_pretrained(&golden("bart/seq2seq")).unwrap();
    let long = "word ".repeat(400);
    let texts: Vec<&str> = TEXTS.into_iter().chain([long.as_str()]).collect();
    for generation in [
        json!({"num_beams": 1, "max_new_tokens": 20}),
        json!({"max_new_tokens": 12, "num_return_sequences": 3}),
        json!({"num_beams": 1, "do_sample": true, "seed": 3, "num_return_sequences": 4, "max_new_tokens": 20, "temperature": 2.0}),
    ] {
        // Ends that come often, at different times.
        let ends: Vec<u32> = (5..300).step_by(6).collect();
        for options in
            [options(generation.clone()), options(json!({"eos_token_id": ends}).as_object().unwrap().iter().fold(generation.clone(), with))]
        {
            let together = model.run_many(&texts, &options).unwrap();
            assert!(together[5].as_ref().is_err_and(|error| error.kind() == ErrorKind::Runtime));
            for (text, found) in TEXTS.iter().zip(&together) {
                let alone = model.run_many(&[text], &options).unwrap().pop().unwrap().unwrap();
                assert_eq!(found.as_ref().unwrap(), &alone, "{text:?} {:?}", options.generation);
            }
        }
    }
}

fn with(mut object: Value, (name, value): (&String, &Value)) -> Value {
    object[name] = value.clone();
    object
}

#[test]
fn wrong_requests_name_the_field() {
    let refused = |task: &str, model: &str, inputs: Value, parameters: Value, place: &str| {
        let pipeline = formers::pipeline(task, Options::new(golden(model))).unwrap();
        let error = pipeline.call(&inputs, &parameters).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Request, "{inputs} {parameters}: {error}");
        assert!(error.to_string().contains(place), "{inputs} {parameters}: {error} does not name {place}");
    };
    let bart = "bart/seq2seq";
    for (inputs, parameters, place) in [
        (json!(null), json!({}), "inputs"),
        (json!({"text": "a"}), json!({}), "inputs"),
        (json!(["a", 1]), json!({"max_new_tokens": 3}), "input 1"),
        (json!("a"), json!({"src_lang": "en"}), "parameters.src_lang"),
        (json!("a"), json!({"truncation": "middle"}), "parameters.truncation"),
        (json!("a"), json!({"stop_sequence": ""}), "parameters.stop_sequence"),
        (json!("a"), json!({"batch_size": 0}), "parameters.batch_size"),
        (json!("a"), json!({"num_beams": 0}), "num_beams"),
        (json!("a"), json!({"guidance_scale": "much"}), "guidance_scale"),
        (json!("a"), json!({"guidance_scale": 1.5, "negative_prompt_ids": []}), "negative_prompt_ids"),
        (json!("a"), json!({"output_scores": true}), "parameters.output_scores"),
        (json!("a"), json!({"regex": 5}), "parameters.regex"),
        (json!("a"), json!({"json_schema": "{"}), "parameters.json_schema"),
        (json!("a"), json!({"regex": "a", "grammar": "start: \"a\""}), "parameters.grammar"),
        (json!("a"), json!({"assistant_model": 3}), "parameters.assistant_model"),
    ] {
        refused("text2text-generation", bart, inputs, parameters, place);
    }
    refused("translation", "m2m_100/seq2seq", json!("a"), json!({}), "parameters.src_lang");
    refused("translation", "m2m_100/seq2seq", json!("a"), json!({"src_lang": "de"}), "parameters.tgt_lang");
    refused("translation", "m2m_100/seq2seq", json!("a"), json!({"src_lang": "xx", "tgt_lang": "de"}), "parameters.src_lang");
    refused("translation_de_to_fr", "m2m_100/seq2seq", json!("a"), json!({"forced_bos_token_id": 3}), "parameters.forced_bos_token_id");
}

/// Guidance and drafts against the reference's pipeline (scripts/goldens/decoding_seq2seq.py).
#[test]
fn answers_are_those_of_python() {
    let golden = json_of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/generate/decoding_seq2seq.json"));
    let cases = golden["cases"].as_array().unwrap();
    let mut wrong = Vec::new();
    for case in cases {
        let assistant_model = case.get("assistant_model").map(named);
        let options = Options { assistant_model, ..Options::new(named(&case["model"])) };
        let pipeline = formers::pipeline(case["task"].as_str().unwrap(), options).unwrap();
        let problem = match (pipeline.call(&case["inputs"], &case["parameters"]), case.get("error")) {
            (Err(error), Some(_)) if error.to_string().starts_with("guidance_scale: ") => continue,
            (found, Some(error)) => format!("Python fails: {error}; here {found:?}"),
            (Err(error), None) => format!("error: {error}"),
            (Ok(answer), None) => match same(&case["answer"], &answer, "answer") {
                Ok(()) => continue,
                Err(problem) => problem,
            },
        };
        wrong.push(format!("{} {} {}\n  {problem}", case["model"], case["inputs"], case["parameters"]));
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    assert!(cases.len() > 60);
}

fn named(name: &Value) -> String {
    golden(name.as_str().unwrap())
}

/// Drafts, what came before and what another model guesses, leave answers as they are: by the best token and by chance, at once and
/// as they come; with beams they are not used.
#[test]
fn drafts_change_nothing() {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/generate/models");
    let folders = |path: &Path| std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    let of_families = folders(&models).into_iter().flat_map(|family| folders(&family));
    let names: Vec<String> = of_families
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("seq2seq")))
        .map(|path| path.strip_prefix(&models).unwrap().to_string_lossy().into_owned())
        .collect();
    assert!(names.len() > 20, "{names:?}");
    for name in &names {
        let model = Text2TextGeneration::from_pretrained(&golden(name)).unwrap();
        let run = |generation: Value, assistant: Option<&str>| {
            let options = text2text_generation::Options { assistant_model: assistant.map(golden), ..options(generation) };
            let whole: Vec<_> = model.run_many(&TEXTS[..3], &options).unwrap().into_iter().map(Result::unwrap).collect();
            if options.generation["num_beams"] == 1 {
                let pieces: String = model.stream(TEXTS[0], &options).unwrap().map(Result::unwrap).collect();
                assert_eq!(pieces, whole[0][0].text, "{name}");
            }
            whole
        };
        let greedy = json!({"num_beams": 1, "max_new_tokens": 30});
        let plain = run(greedy.clone(), None);
        for drafts in [json!({"prompt_lookup_num_tokens": 1}), json!({"prompt_lookup_num_tokens": 5, "max_matching_ngram_size": 1})] {
            let drafted = drafts.as_object().unwrap().iter().fold(greedy.clone(), with);
            assert_eq!(run(drafted, None), plain, "{name} {drafts}");
        }
        let beams = json!({"num_beams": 3, "max_new_tokens": 12});
        assert_eq!(run(with(beams.clone(), (&"prompt_lookup_num_tokens".into(), &json!(3))), None), run(beams, None), "{name}");
        assert_eq!(run(greedy.clone(), Some(name)), plain, "{name} guesses for itself");
        let unsure = json!({"num_beams": 1, "max_new_tokens": 30, "num_assistant_tokens": 4, "assistant_confidence_threshold": 0});
        assert_eq!(run(unsure, Some(name)), plain, "{name} guesses for itself");
    }
    // Other weights with the same tokens guess wrongly, and what is wrong is taken back.
    let model = Text2TextGeneration::from_pretrained(&golden("bart/seq2seq")).unwrap();
    let assisted =
        |generation: Value| text2text_generation::Options { assistant_model: Some(golden("bart/seq2seq_c")), ..options(generation) };
    for generation in [
        json!({"num_beams": 1, "max_new_tokens": 30}),
        json!({"num_beams": 1, "max_new_tokens": 30, "repetition_penalty": 1.4, "encoder_no_repeat_ngram_size": 2}),
        json!({"num_beams": 1, "max_new_tokens": 30, "guidance_scale": 1.6}),
        json!({"num_beams": 1, "max_new_tokens": 30, "guidance_scale": 0.5, "negative_prompt_ids": [9, 30, 12], "prompt_lookup_num_tokens": 3}),
    ] {
        let run = |options| model.run_many(&TEXTS, &options).unwrap().into_iter().map(Result::unwrap).collect::<Vec<_>>();
        let plain = run(options(
            generation.as_object().unwrap().iter().filter(|(name, _)| *name != "prompt_lookup_num_tokens").fold(json!({}), with),
        ));
        assert_eq!(run(assisted(generation.clone())), plain, "{generation}");
        let pieces: String = model.stream(TEXTS[0], &assisted(generation)).unwrap().map(Result::unwrap).collect();
        assert_eq!(pieces, plain[0][0].text);
    }
    // By chance the same tokens come only where one alone is possible; but the same seed gives the same answer.
    let sampled = || json!({"num_beams": 1, "max_new_tokens": 20, "do_sample": true, "seed": 5});
    let one = |options: &text2text_generation::Options| model.run_many(&TEXTS[..1], options).unwrap().pop().unwrap().unwrap();
    assert_eq!(one(&assisted(sampled())), one(&assisted(sampled())));
    let sure = with(sampled(), (&"top_k".into(), &json!(1)));
    assert_eq!(one(&assisted(sure.clone())), one(&options(sure)));
    let error = model
        .run_many(&TEXTS, &options(json!({"num_beams": 1, "do_sample": true, "num_return_sequences": 2, "prompt_lookup_num_tokens": 3})));
    assert!(error.unwrap_err().to_string().starts_with("num_return_sequences: "));
}

/// An assistant with other tokens reads the text in its own, and answers stay as they are.
#[test]
fn assistants_with_other_tokens_change_nothing() {
    for (name, assistant) in [
        ("bart/seq2seq", "t5/seq2seq"),
        ("t5/seq2seq", "pegasus/seq2seq"),
        ("pegasus/seq2seq", "blenderbot/seq2seq"),
        ("encoder-decoder/seq2seq", "bart/seq2seq"),
    ] {
        let model = Text2TextGeneration::from_pretrained(&golden(name)).unwrap();
        let generation = json!({"num_beams": 1, "max_new_tokens": 40, "num_assistant_tokens": 6, "assistant_confidence_threshold": 0});
        let assisted = text2text_generation::Options { assistant_model: Some(golden(assistant)), ..options(generation.clone()) };
        let run = |options: &text2text_generation::Options| {
            model.run_many(&TEXTS, options).unwrap().into_iter().map(Result::unwrap).collect::<Vec<_>>()
        };
        let plain = run(&options(generation));
        assert_eq!(run(&assisted), plain, "{name} {assistant}");
        let pieces: String = model.stream(TEXTS[0], &assisted).unwrap().map(Result::unwrap).collect();
        assert_eq!(pieces, plain[0][0].text, "{name} {assistant}");
    }
}

/// A model that reads and writes is helped by another of its kind.
#[test]
fn assistants_are_of_the_same_kind() {
    let assisted = |name: &str| Text2TextGeneration::builder(&golden("bart/seq2seq")).assistant_model(golden(name)).build();
    assert!(assisted("bart/seq2seq_c").is_ok());
    for other in ["gpt2/causal_lm", "nothing"] {
        let error = assisted(other).map(drop).unwrap_err().to_string();
        assert!(error.starts_with("assistant_model: "), "{error}");
    }
}

/// What is told as it comes is what is told at once; beams, lists and tokens are told at once only.
#[test]
fn calls_are_answered_as_the_text_comes() {
    for (task, model, field, more) in [
        ("text2text-generation", "bart/seq2seq", "generated_text", json!({})),
        ("summarization", "pegasus/seq2seq", "summary_text", json!({})),
        ("translation", "m2m_100/seq2seq", "translation_text", json!({"src_lang": "de", "tgt_lang": "fr"})),
        ("translation_de_to_fr", "m2m_100/seq2seq", "translation_text", json!({})),
    ] {
        let pipeline = formers::pipeline(task, Options::new(golden(model))).unwrap();
        let parameters = |own: Value| own.as_object().unwrap().iter().fold(more.clone(), with);
        let text = json!(TEXTS[0]);
        let greedy = parameters(json!({"num_beams": 1, "max_new_tokens": 20}));
        let pieces: Vec<String> = pipeline.stream_call(&text, &greedy).unwrap().unwrap().map(Result::unwrap).collect();
        assert!(pieces.len() > 1, "{task}: {pieces:?}");
        assert_eq!(json!(pieces.concat()), pipeline.call(&text, &greedy).unwrap()[0][field], "{task}");
        for (inputs, own) in [
            (text.clone(), json!({})),
            (json!([TEXTS[0]]), json!({"num_beams": 1})),
            (text.clone(), json!({"num_beams": 1, "return_tensors": true})),
            (text.clone(), json!({"num_beams": 1, "do_sample": true, "num_return_sequences": 2})),
        ] {
            assert!(pipeline.stream_call(&inputs, &parameters(own.clone())).unwrap().is_none(), "{task}: {inputs} {own}");
        }
        let error = pipeline.stream_call(&text, &parameters(json!({"nothing": 1}))).map(drop).unwrap_err();
        assert!(error.to_string().starts_with("parameters.nothing: "), "{error}");
    }
}

#[test]
fn a_translation_may_name_its_languages() {
    assert_eq!(find("translation_en_to_fr").unwrap().id, "translation");
    assert!(find("translation_en").is_err() && find("translation_en_fr").is_err());
}
