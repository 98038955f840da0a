//! What there is to a step besides the next token, against the reference's pipeline (scripts/goldens/decoding.py): scores, guidance,
//! drafts; and what only the library has: logprobs, pieces, a test of one's own for the end.

#![allow(clippy::unwrap_used, clippy::panic)]

#[allow(dead_code)]
use crate::goldens;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use formers::Options;
use formers::generate::stopping::{StopReason, StopWhen};
use formers::model::Pretrained;
use formers::pipelines::text_generation::{Answer, Options as How, Prompt};
use formers::pipelines::{AnyPipeline, Pipeline, TextGeneration};
use goldens::{json, same};
use serde_json::{Value, json};

fn model(name: &str) -> PathBuf {
    formers_testing::golden(&format!("generate/models/{name}"))
}

fn open(name: &str) -> TextGeneration {
    TextGeneration::from_pretrained(model(name).to_str().unwrap()).unwrap()
}

#[test]
fn answers_are_those_of_python() {
    let golden = json(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/generate/decoding.json"));
    let mut loaded: BTreeMap<(String, String), TextGeneration> = BTreeMap::new();
    let mut wrong = Vec::new();
    let cases = golden["cases"].as_array().unwrap();
    for case in cases {
        let name = |field: &str| case[field].as_str().unwrap_or_default().to_owned();
        let pipeline = loaded.entry((name("model"), name("assistant_model"))).or_insert_with_key(|(folder, assistant)| {
            let assistant_model = Some(model(assistant).to_string_lossy().into_owned()).filter(|_| !assistant.is_empty());
            let options = Options { assistant_model, ..Options::new(model(folder).to_string_lossy()) };
            TextGeneration::load(&Pretrained::open(options).unwrap()).unwrap()
        });
        let answer = AnyPipeline::call(pipeline, &case["inputs"], &case["parameters"]);
        let problem = match (answer, case.get("error")) {
            (Err(_), Some(_)) => continue,
            (Ok(_), Some(error)) if is_answered(error) => continue,
            (Ok(_), Some(error)) => format!("Python fails: {error}"),
            (Err(error), None) => format!("error: {error}"),
            (Ok(answer), None) => match same(&case["answer"], &answer, "answer") {
                Ok(()) => continue,
                Err(problem) => problem,
            },
        };
        wrong.push(format!("{} {} {} {}\n  {problem}", name("model"), name("assistant_model"), case["inputs"], case["parameters"]));
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    assert!(cases.len() > 100);
}

/// What Python cannot do for a reason that there is not here: drafts for several prompts at once, and a negative prompt for beams.
fn is_answered(error: &Value) -> bool {
    let error = error.as_str().unwrap();
    error.contains("batch_size = 1") || error.contains("Sizes of tensors must match")
}

fn answers(pipeline: &TextGeneration, prompt: &str, generation: &Value, more: How) -> Vec<Answer> {
    let options = How { generation: generation.as_object().cloned().unwrap(), ..more };
    pipeline.run_many(&[Prompt::Text(prompt)], &options).unwrap().swap_remove(0).unwrap()
}

/// Logprobs are the softmax of the raw logits, whatever processors made of them, alone and in beams.
#[test]
fn logprobs_are_those_of_the_model() {
    let pipeline = open("gpt2/causal_lm");
    let shared = json!({"max_new_tokens": 6, "logprobs": true, "output_logits": true, "output_scores": true, "repetition_penalty": 1.5});
    for more in [
        json!({"do_sample": false}),
        json!({"do_sample": true, "seed": 3}),
        json!({"do_sample": false, "num_beams": 2, "num_return_sequences": 2}),
    ] {
        let mut generation = shared.clone();
        generation.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        for answer in answers(&pipeline, "The river Danube flows", &generation, How::default()) {
            let generated = &answer.generated;
            assert_eq!(generated.log_probs.len(), generated.tokens.len());
            assert_eq!((generated.logits.len(), generated.scores.len()), (6, 6));
            if generated.score.is_some() {
                assert_eq!(generated.beam_indices.len(), 6);
                assert!(generated.log_probs.iter().all(|p| *p <= 0.0));
                continue;
            }
            for ((token, logits), log_prob) in generated.tokens.iter().zip(&generated.logits).zip(&generated.log_probs) {
                let sum: f64 = logits.iter().map(|logit| f64::from(*logit).exp()).sum();
                let expected = f64::from(logits[*token as usize]) - sum.ln();
                assert!((expected - f64::from(*log_prob)).abs() < 1e-4, "{expected} {log_prob}");
            }
        }
    }
    let parameters = json!({"do_sample": false, "max_new_tokens": 3, "logprobs": true});
    let told = AnyPipeline::call(&pipeline, &json!("Hi"), &parameters).unwrap();
    let fields: Vec<&String> = told[0].as_object().unwrap().keys().collect();
    assert_eq!(fields, ["generated_text", "token_ids", "logprobs"]);
    assert_eq!(told[0]["token_ids"].as_array().unwrap().len(), 3);
    assert_eq!(told[0]["logprobs"].as_array().unwrap().len(), 3);
}

/// In beams too: the logprobs of a plain beam add up to its score.
#[test]
fn logprobs_of_a_beam_add_up_to_its_score() {
    let generation = json!({"do_sample": false, "num_beams": 3, "num_return_sequences": 3, "max_new_tokens": 8, "length_penalty": 0.0, "logprobs": true});
    for answer in answers(&open("llama/causal_lm"), "The river Danube flows", &generation, How::default()) {
        let sum: f32 = answer.generated.log_probs.iter().sum();
        assert!((sum - answer.generated.score.unwrap()).abs() < 1e-4, "{sum} {:?}", answer.generated.score);
    }
}

/// Pieces have every token with its logprob, and joined they are the text, also where drafts bring several at once.
#[test]
fn pieces_are_the_answer() {
    let pipeline = open("llama/causal_lm");
    for more in [json!({}), json!({"prompt_lookup_num_tokens": 5}), json!({"guidance_scale": 1.5})] {
        let mut generation = json!({"do_sample": false, "max_new_tokens": 24, "logprobs": true});
        generation.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let prompt = "one two three four one two three four one two";
        let whole = answers(&pipeline, prompt, &generation, How::default()).swap_remove(0);
        let options = How { generation: generation.as_object().cloned().unwrap(), ..How::default() };
        let pieces: Vec<_> = pipeline.pieces(Prompt::Text(prompt), &options).unwrap().map(Result::unwrap).collect();
        let tokens: Vec<_> = pieces.iter().flat_map(|piece| &piece.tokens).collect();
        assert_eq!(pieces.iter().map(|piece| piece.text.as_str()).collect::<String>(), whole.text);
        assert_eq!(tokens.iter().map(|token| token.id).collect::<Vec<_>>(), whole.generated.tokens);
        assert_eq!(tokens.iter().map(|token| token.log_prob.unwrap()).collect::<Vec<_>>(), whole.generated.log_probs);
    }
}

#[test]
fn a_test_of_ones_own_ends_an_answer() {
    let pipeline = open("llama/causal_lm");
    let generation = json!({"do_sample": false, "max_new_tokens": 24, "prompt_lookup_num_tokens": 4});
    let whole = answers(&pipeline, "Hi", &generation, How::default()).swap_remove(0);
    let prompt = whole.token_ids.len() - 24;
    let stop = Some(StopWhen::new(move |tokens| tokens.len() >= prompt + 5));
    let short = answers(&pipeline, "Hi", &generation, How { stop: stop.clone(), ..How::default() }).swap_remove(0);
    assert_eq!((short.generated.tokens.as_slice(), short.generated.reason), (&whole.generated.tokens[..5], Some(StopReason::Test)));
    let beams = json!({"do_sample": false, "max_new_tokens": 24, "num_beams": 3});
    assert_eq!(answers(&pipeline, "Hi", &beams, How { stop, ..How::default() })[0].generated.tokens.len(), 5);
    // No time at all is one step, as in Python.
    let none = answers(&pipeline, "Hi", &json!({"do_sample": false, "max_time": 0.0}), How::default()).swap_remove(0);
    assert_eq!((none.generated.tokens.len(), none.generated.reason), (1, Some(StopReason::MaxTime)));
}

/// With a seed, sampling with lookup draws the very tokens that it draws without; with an assistant others, but repeatably.
#[test]
fn drafts_leave_sampling_repeatable() {
    let pipeline = open("llama/causal_lm");
    let prompt = "one two three four one two three four one two";
    let run = |more: Value, assistant: Option<&str>| {
        let mut generation = json!({"do_sample": true, "max_new_tokens": 24, "seed": 11, "temperature": 0.3});
        generation.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let assistant_model = assistant.map(|name| model(name).to_string_lossy().into_owned());
        answers(&pipeline, prompt, &generation, How { assistant_model, ..How::default() }).swap_remove(0).token_ids
    };
    let plain = run(json!({}), None);
    assert_eq!(run(json!({"prompt_lookup_num_tokens": 4}), None), plain);
    let schedule = json!({"num_assistant_tokens": 3, "num_assistant_tokens_schedule": "heuristic", "assistant_confidence_threshold": 0.0});
    assert_eq!(run(schedule.clone(), Some("mistral/causal_lm")), run(schedule, Some("mistral/causal_lm")));
}

/// Assistants of other families spell everything otherwise, and answers stay as they are: greedily, held to an expression, as they come;
/// by chance the same seed gives the same answer.
#[test]
fn assistants_with_other_tokens_change_nothing() {
    let families = ["gpt2/causal_lm", "llama/causal_lm", "gemma/causal_lm", "bloom/causal_lm", "qwen2/causal_lm"];
    let prompts = ["one two three four one two three four one two three", "Zoë's café 🙂 in München", "The river Danube flows, and"];
    let (mut different, mut pairs) = (0, 0);
    for (place, name) in families.iter().enumerate() {
        let assistant_model = model(families[(place + 1) % families.len()]).to_string_lossy().into_owned();
        let pipeline = open(name);
        for generation in [
            json!({"do_sample": false, "max_new_tokens": 40}),
            json!({"do_sample": false, "max_new_tokens": 40, "num_assistant_tokens": 5, "assistant_confidence_threshold": 0}),
            json!({"do_sample": false, "max_new_tokens": 40, "assistant_confidence_threshold": 0, "target_lookbehind": 3, "assistant_lookbehind": 2}),
            json!({"do_sample": false, "max_new_tokens": 30, "assistant_confidence_threshold": 0, "num_assistant_tokens_schedule": "heuristic", "repetition_penalty": 1.4}),
        ] {
            for prompt in prompts {
                let assisted = || How { assistant_model: Some(assistant_model.clone()), ..How::default() };
                let plain = answers(&pipeline, prompt, &generation, How::default());
                assert_eq!(answers(&pipeline, prompt, &generation, assisted()), plain, "{name} {generation} {prompt:?}");
                let more = How { generation: generation.as_object().cloned().unwrap(), ..assisted() };
                let pieces: String = pipeline.stream(Prompt::Text(prompt), &more).unwrap().map(Result::unwrap).collect();
                assert_eq!(pieces, plain[0].text, "{name} {generation} {prompt:?}");
                pairs += 1;
                different += usize::from(plain[0].text.chars().count() > 20);
            }
        }
        let sampled = json!({"do_sample": true, "seed": 4, "max_new_tokens": 20, "assistant_confidence_threshold": 0});
        let one = || answers(&pipeline, prompts[0], &sampled, How { assistant_model: Some(assistant_model.clone()), ..How::default() });
        assert_eq!(one(), one());
    }
    assert!(pairs == 60 && different > 40, "{pairs} {different}");
}

#[test]
fn assistants_that_do_not_fit_are_errors() {
    let pipeline = open("llama/causal_lm");
    let with = |pipeline: &TextGeneration, assistant: &str, generation: Value| {
        let generation = generation.as_object().cloned().unwrap();
        let options = How { generation, assistant_model: Some(model(assistant).to_string_lossy().into_owned()), ..How::default() };
        pipeline.run_many(&[Prompt::Text("Hi")], &options).map(drop).map_err(|e| e.to_string())
    };
    let greedy = || json!({"do_sample": false, "max_new_tokens": 4});
    let error = with(&pipeline, "bart/seq2seq", greedy()).unwrap_err();
    assert!(error.contains("assistant_model"), "{error}");
    assert!(with(&pipeline, "no/such", greedy()).unwrap_err().contains("assistant_model"));
    with(&pipeline, "mistral/causal_lm", greedy()).unwrap();
    let error = with(&pipeline, "llama/causal_lm", greedy()).unwrap_err();
    assert!(error.contains("assistant_model") && error.contains("already"), "{error}");
    for (name, value) in [("num_assistant_tokens_schedule", json!("never")), ("num_assistant_tokens", json!(0))] {
        let error = with(&pipeline, "mistral/causal_lm", json!({"do_sample": false, "max_new_tokens": 4, name: value})).unwrap_err();
        assert!(error.contains(name), "{error}");
    }
}

/// What a terminal shows: the text of the JSON answer, in pieces; nothing where the answer is more than a text.
#[test]
fn calls_stream_where_the_answer_is_a_text() {
    let pipeline = open("gpt2/causal_lm");
    let prompt = json!("The river Danube flows");
    for more in [json!({}), json!({"return_full_text": false}), json!({"prompt_lookup_num_tokens": 3})] {
        let mut parameters = json!({"do_sample": false, "max_new_tokens": 24});
        parameters.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let pieces: Vec<String> = AnyPipeline::stream_call(&pipeline, &prompt, &parameters).unwrap().unwrap().map(Result::unwrap).collect();
        let whole = AnyPipeline::call(&pipeline, &prompt, &parameters).unwrap();
        assert_eq!(whole[0]["generated_text"], pieces.concat());
        assert!(pieces.len() > 5, "{pieces:?}");
    }
    for more in
        [json!({"num_beams": 2}), json!({"return_tensors": true}), json!({"logprobs": true}), json!({"return_dict_in_generate": true})]
    {
        assert!(AnyPipeline::stream_call(&pipeline, &prompt, &more).unwrap().is_none(), "{more}");
    }
    assert!(AnyPipeline::stream_call(&pipeline, &json!(["a", "b"]), &Value::Null).unwrap().is_none());
    assert!(AnyPipeline::stream_call(&pipeline, &prompt, &json!({"temprature": 1})).is_err());
}

/// What cannot be is told before or when it happens, in words and by the name of what is wrong.
#[test]
fn requests_that_cannot_be_are_told() {
    let pipeline = open("gpt2/causal_lm");
    let error = |prompt: &str, parameters: Value| AnyPipeline::call(&pipeline, &json!(prompt), &parameters).unwrap_err().to_string();
    for (parameters, words) in [
        (json!({"max_new_tokens": 0}), "max_new_tokens: must be greater than 0"),
        (json!({"max_new_tokens": -3}), "max_new_tokens: invalid value: integer `-3`, expected a whole number from 0 on"),
        (json!({"max_length": -3}), "max_length"),
        (json!({"max_length": 0}), "max_length: the prompt has"),
        (json!({"min_new_tokens": -1}), "min_new_tokens"),
        (json!({"num_beams": 3, "num_return_sequences": 4}), "num_return_sequences: must be at most num_beams (3)"),
        (json!({"num_beams": 100_000}), "num_beams: 100000 are too many"),
        (json!({"do_sample": true, "num_return_sequences": 100_000_000}), "num_return_sequences: 100000000 are too many"),
        (json!({"do_sample": false, "num_return_sequences": 2}), "num_return_sequences: 2 sequences need"),
        (json!({"sequence_bias": [[[99_999], 1.0]]}), "sequence_bias: the vocabulary has"),
        (
            json!({"sequence_bias": [[[], 1.0]], "max_new_tokens": 2, "guidance_scale": 2.0, "negative_prompt_ids": [[1], [2]]}),
            "negative_prompt_ids",
        ),
        (json!({"guidance_scale": 2.0, "negative_prompt_ids": []}), "negative_prompt_ids: must not be empty"),
        (json!({"prompt_lookup_num_tokens": 0}), "prompt_lookup_num_tokens: must be greater than 0"),
        (json!({"prompt_lookup_num_tokens": 2, "num_return_sequences": 2, "do_sample": true}), "num_return_sequences"),
    ] {
        let error = error("The river", parameters.clone());
        assert!(error.contains(words), "{parameters}: {error}");
    }
    // Beyond the positions of the model: at once, after a while, and in beams.
    for (prompt, parameters) in [
        ("word ".repeat(200), json!({"max_new_tokens": 3})),
        ("The river".to_owned(), json!({"do_sample": false, "max_new_tokens": 100})),
        ("The river".to_owned(), json!({"do_sample": false, "max_new_tokens": 100, "num_beams": 2})),
        ("The river".to_owned(), json!({"do_sample": false, "max_new_tokens": 100, "prompt_lookup_num_tokens": 5})),
    ] {
        let error = error(&prompt, parameters.clone());
        assert!(error.contains("the model has positions for 80; shorten the prompt"), "{parameters}: {error}");
    }
}
