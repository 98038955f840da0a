//! Tasks that turn a text into another, through the library: answers as they come, many texts at once, what is wrong with a request.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::Path;

use formers::{
    ErrorKind, Options,
    pipelines::{Pipeline, Summarization, Text2TextGeneration, Translation, find, text2text_generation, translation},
};
use serde_json::{Map, Value, json};

const TEXTS: [&str; 5] = [
    "The film was wonderful and the actors were great.",
    "Hi",
    "Zoë's café in München",
    "Is it?",
    "The river Danube flows, and flows, and flows.",
];

fn golden(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/generate/models").join(name).to_string_lossy().into_owned()
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
    ] {
        refused("text2text-generation", bart, inputs, parameters, place);
    }
    refused("translation", "m2m_100/seq2seq", json!("a"), json!({}), "parameters.src_lang");
    refused("translation", "m2m_100/seq2seq", json!("a"), json!({"src_lang": "de"}), "parameters.tgt_lang");
    refused("translation", "m2m_100/seq2seq", json!("a"), json!({"src_lang": "xx", "tgt_lang": "de"}), "parameters.src_lang");
    refused("translation_de_to_fr", "m2m_100/seq2seq", json!("a"), json!({"forced_bos_token_id": 3}), "parameters.forced_bos_token_id");
}

#[test]
fn a_translation_may_name_its_languages() {
    assert_eq!(find("translation_en_to_fr").unwrap().id, "translation");
    assert!(find("translation_en").is_err() && find("translation_en_fr").is_err());
}
