//! Text tasks through the library: types, options, what is wrong with a request, and long texts.

#![allow(clippy::unwrap_used, clippy::panic)]

use formers::{
    Error, ErrorKind, Options,
    model::Pretrained,
    pipelines::{
        AnyPipeline, FeatureExtraction, FillMask, Pipeline, QuestionAnswering, SentenceSimilarity, TextGeneration, TextRanking,
        TokenClassification, ZeroShotClassification, feature_extraction, fill_mask, question_answering,
        text_generation::{self, Prompt},
        text_ranking, token_classification, zero_shot_classification,
    },
};
use serde_json::{Value, json};

fn golden(name: &str) -> String {
    formers_testing::golden(name).to_string_lossy().into_owned()
}

fn open(task: &str, name: &str) -> Box<dyn AnyPipeline> {
    formers::pipeline(task, Options::new(golden(name))).unwrap()
}

/// The error of a request that is itself wrong; its message must name the place.
fn refused(pipeline: &dyn AnyPipeline, inputs: Value, parameters: Value, place: &str) -> Error {
    let error = pipeline.call(&inputs, &parameters).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Request, "{inputs} {parameters}: {error}");
    assert!(error.to_string().contains(place), "{inputs} {parameters}: {error} does not name {place}");
    error
}

#[test]
fn wrong_requests_name_the_field() {
    for (task, model, good) in [
        ("fill-mask", "bert/masked_lm", json!("a [MASK]")),
        ("token-classification", "bert/token_classification", json!("a")),
        ("question-answering", "bert/question_answering", json!({"question": "a", "context": "b"})),
        ("sentence-similarity", "bert/sentence_mean", json!({"source_sentence": "a", "sentences": ["b"]})),
        ("text-ranking", "bert/cross_encoder", json!({"query": "a", "texts": ["b"]})),
    ] {
        let pipeline = open(task, model);
        pipeline.call(&good, &Value::Null).unwrap();
        for wrong in [json!(null), json!(1), json!(true), json!([3])] {
            refused(&*pipeline, wrong, json!({}), "inputs");
        }
        refused(&*pipeline, good.clone(), json!({"no_such": 1}), "parameters.no_such");
        refused(&*pipeline, good.clone(), json!([1]), "parameters");
        // One wrong input of many is named by its place.
        let error = refused(&*pipeline, json!([good, 7]), json!({}), "input 1");
        assert_eq!(error.input_index(), Some(1));
    }
}

#[test]
fn wrong_fields_and_parameters_name_themselves() {
    let fill = open("fill-mask", "bert/masked_lm");
    refused(&*fill, json!("no mask"), json!({}), "[MASK]");
    refused(&*fill, json!("a [MASK]"), json!({"top_k": -1}), "parameters.top_k");
    refused(&*fill, json!("a [MASK]"), json!({"top_k": 1_000_000}), "parameters.top_k");
    refused(&*fill, json!("a [MASK]"), json!({"targets": [1]}), "parameters.targets");
    refused(&*fill, json!("a [MASK]"), json!({"tokenizer_kwargs": {"colour": 1}}), "parameters.tokenizer_kwargs.colour");

    let label = open("ner", "bert/token_classification");
    refused(&*label, json!([]), json!({}), "inputs");
    refused(&*label, json!("a"), json!({"is_split_into_words": true}), "inputs");
    refused(&*label, json!([["a", 1]]), json!({"is_split_into_words": true}), "inputs");
    refused(&*label, json!("a b"), json!({"offset_mapping": [[0, 1]]}), "parameters.offset_mapping");
    let beyond = [[u64::MAX, u64::MAX], [u64::MAX, 0], [0, u64::MAX]];
    label.call(&json!("a"), &json!({"offset_mapping": beyond, "aggregation_strategy": "first", "ignore_labels": []})).unwrap();
    refused(&*label, json!("a"), json!({"aggregation_strategy": "simple", "stride": 10_000}), "parameters.stride");

    let answer = open("question-answering", "bert/question_answering");
    refused(&*answer, json!({"question": "a"}), json!({}), "inputs.context");
    refused(&*answer, json!({"question": "a", "context": ""}), json!({}), "inputs.context");
    refused(&*answer, json!({"question": 1, "context": "b"}), json!({}), "inputs.question");
    refused(&*answer, json!({"question": "a", "context": "b", "id": 1}), json!({}), "inputs.id");
    refused(&*answer, json!({"question": ["a", "b"], "context": ["c"]}), json!({}), "inputs.context");
    refused(&*answer, json!({"question": "a", "context": "b"}), json!({"question": "a"}), "parameters.question");
    refused(&*answer, json!({"question": "a", "context": "b"}), json!({"padding": "wide"}), "parameters.padding");
    let far = json!({"padding": "max_length", "max_seq_len": u64::MAX, "doc_stride": 1});
    refused(&*answer, json!({"question": "a", "context": "b"}), far, "max_length");
    refused(&*answer, json!({"question": "a", "context": "b"}), json!({"max_seq_len": 10, "doc_stride": 11}), "parameters.doc_stride");

    let similar = open("sentence-similarity", "bert/sentence_mean");
    refused(&*similar, json!({"source_sentence": "a", "sentences": []}), json!({}), "inputs.sentences");
    refused(&*similar, json!({"source_sentence": "a", "sentences": ["b", 2]}), json!({}), "inputs.sentences[1]");
    let rank = open("text-ranking", "bert/cross_encoder");
    refused(&*rank, json!({"query": "a", "texts": "b"}), json!({}), "inputs.texts");

    let choose = open("zero-shot-classification", "bert/zero_shot");
    refused(&*choose, json!("a"), json!({}), "parameters.candidate_labels");
    refused(&*choose, json!("a"), json!({"candidate_labels": " , "}), "parameters.candidate_labels");
    refused(&*choose, json!("a"), json!({"candidate_labels": "b", "hypothesis_template": "{x}"}), "parameters.hypothesis_template");
    refused(&*choose, json!(""), json!({"candidate_labels": "b"}), "inputs");
}

#[test]
fn one_bad_input_of_many_fails_alone() {
    let fill = FillMask::from_pretrained(&golden("bert/masked_lm")).unwrap();
    let answers = fill.run_many(&["The [MASK].", "nothing", "A [MASK] and a [MASK]."], &fill_mask::Options::default()).unwrap();
    assert_eq!(answers.iter().map(|a| a.as_ref().map_or(0, Vec::len)).collect::<Vec<_>>(), [1, 0, 2]);
    assert_eq!(fill.run("The [MASK].").unwrap(), *answers[0].as_ref().unwrap());

    let answer = QuestionAnswering::from_pretrained(&golden("bert/question_answering")).unwrap();
    let inputs = [("Who?", "She and he."), ("", "She."), ("Who?", "He and she.")].map(question_answering::Input::from);
    let answers = answer.run_many(&inputs, &question_answering::Options::default()).unwrap();
    assert_eq!(answers.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(answer.run("Who?", "He and she.").unwrap().as_ref(), answers[2].as_ref().unwrap().first());

    let choose = ZeroShotClassification::from_pretrained(&golden("bert/zero_shot")).unwrap();
    let answers = choose.run_many(&["film", "", "food"], &["a", "b"], &zero_shot_classification::Options::default()).unwrap();
    assert_eq!(answers.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(choose.run("food", &["a", "b"]).unwrap().labels, answers[2].as_ref().unwrap().labels);
}

/// Enough of them for a batch on each thread: nothing changes but the speed.
#[test]
fn very_many_inputs_are_answered_as_one_is() {
    let options = || {
        let mut options = Options::new(golden("bert/sentence_mean"));
        options.session.threads = Some(3);
        options
    };
    let many = FeatureExtraction::load(&Pretrained::open(options()).unwrap()).unwrap();
    let one = FeatureExtraction::load(&Pretrained::open(options()).unwrap()).unwrap();
    let text = |n: usize| "The film was great, and ".repeat(n % 7) + &format!("{n} {} people saw it.", n * n);
    let texts: Vec<String> = (0..1500).map(text).collect();
    let pooled = feature_extraction::Options::new(feature_extraction::Pooling::Model);
    // Again, when workers are there already.
    for texts in [&texts[..], &texts[..200]] {
        let vectors = many.embed_many(&texts.iter().map(String::as_str).collect::<Vec<_>>(), &pooled);
        assert_eq!(vectors.len(), texts.len());
        for (text, vector) in texts.iter().zip(vectors).step_by(37) {
            let expected = one.embed(text).unwrap();
            let far = vector.unwrap().iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(far < 1e-5, "{text}: {far}");
        }
    }
}

#[test]
fn words_are_placed_in_the_joined_text() {
    let label = TokenClassification::from_pretrained(&golden("bert/token_classification")).unwrap();
    let options = token_classification::Options { ignore_labels: Vec::new(), delimiter: "--".into(), ..Default::default() };
    let words: Vec<String> = ["Zoë", "東京", "film"].map(String::from).to_vec();
    let entities = label.run_many(&[words.into()], &options).unwrap().swap_remove(0).unwrap();
    let joined: Vec<char> = "Zoë--東京--film".chars().collect();
    assert_eq!(entities.first().and_then(|e| e.start), Some(0));
    assert_eq!(entities.last().and_then(|e| e.end), Some(joined.len()));
    // An own mapping takes the place of the tokenizer's.
    let mapping = vec![vec![(7, 9); 3]];
    let options = token_classification::Options { offset_mapping: Some(mapping), ..options };
    let entities = label.run_many(&["a".into()], &options).unwrap().swap_remove(0).unwrap();
    assert_eq!((entities[0].start, entities[0].end), (Some(7), Some(9)));
}

#[test]
fn similarity_and_ranking_compare_with_every_text() {
    let similar = SentenceSimilarity::from_pretrained(&golden("bert/sentence_mean")).unwrap();
    let scores = similar.run("The film was great.", &["The film was great.", "Food."]).unwrap();
    assert!((scores[0] - 1.0).abs() < 1e-5 && scores[1] < 0.99, "{scores:?}");
    let rank = TextRanking::from_pretrained(&golden("bert/cross_encoder")).unwrap();
    let ranked = rank.run("Where?", &["Here.", "There.", ""]).unwrap();
    assert!(ranked.windows(2).all(|pair| pair[0].score >= pair[1].score));
    assert_eq!(rank.run("Where?", &[]).unwrap(), []);
    let best = text_ranking::Options { top_k: Some(1), return_documents: true, raw_scores: true, ..Default::default() };
    let input = text_ranking::Input { query: "Where?".into(), texts: vec!["Here.".into(), "There.".into(), String::new()] };
    let best = rank.run_many(&[input], &best).swap_remove(0).unwrap();
    assert_eq!((best.len(), best[0].index, best[0].text.is_some()), (1, ranked[0].index, true));
}

/// A text of 1 MB is answered from a part of it, or refused for its length, but never hangs.
#[test]
fn a_megabyte_of_text_is_no_trouble() {
    let text = "The film was wonderful, and the food was cold. ".repeat(22_000);
    let label = open("ner", "bert/token_classification");
    label.call(&json!(text), &json!({})).unwrap();
    label.call(&json!("x".repeat(1 << 20)), &json!({"aggregation_strategy": "max", "stride": 8})).unwrap();
    let rank = open("text-ranking", "bert/cross_encoder");
    rank.call(&json!({"query": "a", "texts": [text]}), &json!({})).unwrap();
    // Too long for the positions of the one, and for any memory with the other.
    for model in ["bert/masked_lm", "roformer/masked_lm"] {
        refused(&*open("fill-mask", model), json!(format!("[MASK] {text}")), json!({}), "tokens");
    }
}

/// Every window of a long context is read.
#[test]
fn the_end_of_a_long_context_answers_as_well() {
    let answer = QuestionAnswering::from_pretrained(&golden("bert/question_answering")).unwrap();
    let context = format!("{} Zebra quagga.", "Film. ".repeat(600));
    let options = question_answering::Options { top_k: 1_000_000, ..Default::default() };
    let answers = answer.run_many(&[("Who?", context.as_str()).into()], &options).unwrap().swap_remove(0).unwrap();
    let end = answers.iter().map(|answer| answer.end).max();
    assert_eq!(end, Some(context.chars().count()));
    let chars: Vec<char> = context.chars().collect();
    assert!(answers.iter().filter(|a| a.start <= a.end).all(|a| a.answer == chars[a.start..a.end].iter().collect::<String>()));
}

/// A prompt longer than the positions of the model fails, and those beside it do not.
#[test]
fn a_prompt_that_is_too_long_fails_alone() {
    let generate = TextGeneration::from_pretrained(&golden("generate/models/gpt2/causal_lm")).unwrap();
    let generation = json!({"do_sample": false, "max_new_tokens": 5}).as_object().cloned().unwrap();
    let options = text_generation::Options { generation, ..Default::default() };
    let long = "a river ".repeat(60);
    let answers = generate.run_many(&["Hi", &long, "Who?"].map(Prompt::Text), &options).unwrap();
    assert_eq!(answers.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    let alone = generate.run_many(&[Prompt::Text("Who?")], &options).unwrap().swap_remove(0).unwrap();
    assert_eq!(*answers[2].as_ref().unwrap(), alone);
}

/// Pieces of text as they come, joined, are the whole.
#[test]
fn streamed_text_is_the_whole_text() {
    let (mut models, mut pieces) = (0, 0);
    for family in std::fs::read_dir(golden("generate/models")).unwrap().map(|entry| entry.unwrap().path()) {
        let folder = family.join("causal_lm");
        let Ok(generate) = TextGeneration::from_pretrained(&folder.to_string_lossy()) else { continue };
        models += 1;
        let option = |value: Value| text_generation::Options { generation: value.as_object().cloned().unwrap(), ..Default::default() };
        for parameters in [
            json!({"do_sample": false, "max_new_tokens": 30}),
            json!({"do_sample": true, "seed": 3, "temperature": 2.0, "max_new_tokens": 30}),
            json!({"do_sample": false, "max_new_tokens": 30, "stop_strings": ["e", "\u{fffd}\u{fffd}"]}),
        ] {
            for prompt in ["The river Danube", "Zoë 🙂"].map(Prompt::Text) {
                let whole = generate.run_many(&[prompt], &option(parameters.clone())).unwrap().swap_remove(0).unwrap().swap_remove(0);
                let streamed: Vec<String> =
                    generate.stream(prompt, &option(parameters.clone())).unwrap().collect::<Result<_, _>>().unwrap();
                assert_eq!(streamed.concat(), whole.text, "{} {parameters} {prompt:?}", folder.display());
                pieces += streamed.len();
            }
        }
        assert!(generate.stream(Prompt::Text("a"), &option(json!({"num_beams": 2}))).is_err());
        // More rows than any machine has room for.
        for name in ["num_beams", "num_return_sequences"] {
            let error = generate.run_many(&[Prompt::Text("a")], &option(json!({name: 1_u64 << 40, "do_sample": true}))).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
        }
    }
    assert!(models >= 5 && pieces > 20 * models, "{models} models, {pieces} pieces");
}
