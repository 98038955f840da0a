//! Requests that are wrong: the error names the field. (`tests/text_tasks.rs` has those of each task.)

use formers::{ErrorKind, pipelines::AnyPipeline};
use serde_json::{Value, json};

use super::{TASKS, golden, judge, load, report, watched};

/// A task, the inputs and parameters of a call, and the field that the error names.
type Case = (&'static str, Value, Value, &'static str);

#[test]
fn wrong_fields_are_named() {
    let pair = json!({"question": "Who?", "context": "The film was great."});
    let cases: Vec<Case> = vec![
        ("text-classification", json!(7), json!({}), "inputs"),
        ("text-classification", json!({"txt": "a"}), json!({}), "inputs.text"),
        ("text-classification", json!({"text": "a", "text_pair": 3}), json!({}), "inputs.text_pair"),
        ("text-classification", json!("a"), json!({"top_k": "many"}), "parameters.top_k"),
        ("text-classification", json!("a"), json!({"topk": 1}), "parameters.topk"),
        ("text-classification", json!("a"), json!({"function_to_apply": "max"}), "parameters.function_to_apply"),
        ("text-classification", json!("a"), json!({"truncation": "somehow"}), "parameters.truncation"),
        ("text-classification", json!("a"), json!({"max_length": 1e300}), "parameters.max_length"),
        ("text-classification", json!("a"), json!([1]), "parameters"),
        ("token-classification", json!("a"), json!({"aggregation_strategy": "sum"}), "parameters.aggregation_strategy"),
        ("token-classification", json!("a"), json!({"aggregation_strategy": "simple", "stride": 1u64 << 60}), "parameters.stride"),
        ("token-classification", json!("a"), json!({"ignore_labels": 7}), "parameters.ignore_labels"),
        ("question-answering", pair.clone(), json!({"top_k": 0}), "parameters.top_k"),
        ("question-answering", pair.clone(), json!({"max_answer_len": 0}), "parameters.max_answer_len"),
        ("question-answering", pair.clone(), json!({"padding": "max_length", "max_seq_len": 1u64 << 50}), "cannot pad"),
        ("fill-mask", json!("[MASK]"), json!({"top_k": 1u64 << 60}), "parameters.top_k"),
        ("fill-mask", json!("[MASK]"), json!({"tokenizer_kwargs": 1}), "parameters.tokenizer_kwargs"),
        ("feature-extraction", json!({}), json!({}), "inputs"),
        ("feature-extraction", json!("a"), json!({"pooling": "median"}), "parameters.pooling"),
        ("feature-extraction", json!("a"), json!({"normalize": "yes"}), "parameters.normalize"),
        ("feature-extraction", json!("a"), json!({"tokenize_kwargs": {"padding": 7}}), "parameters.tokenize_kwargs.padding"),
        ("text-ranking", json!({"query": "a", "texts": ["b"]}), json!({"top_k": 1.5}), "parameters.top_k"),
        ("zero-shot-classification", json!([["a"]]), json!({"candidate_labels": ["a"]}), "inputs"),
    ];
    let mut failures = Vec::new();
    for (task, checkpoint) in TASKS {
        let pipeline = load(task, &golden(checkpoint)).unwrap();
        let pipeline: &'static dyn AnyPipeline = Box::leak(pipeline);
        for (_, inputs, parameters, field) in cases.iter().filter(|(of, ..)| of == task).cloned() {
            let request = format!("{task} {inputs} {parameters}");
            let outcome = watched(move || pipeline.call(&inputs, &parameters));
            if let Err(problem) = judge(outcome, ErrorKind::Request, &[field]) {
                failures.push(format!("{request}: {problem}"));
            }
        }
    }
    report(failures);
}

#[test]
fn one_bad_input_of_many_fails_alone_and_is_counted() {
    let classify = load("text-classification", &golden("bert/sequence_classification")).unwrap();
    let error = classify.call(&json!(["fine", "also fine", 7]), &Value::Null).unwrap_err();
    assert_eq!((error.kind(), error.input_index()), (ErrorKind::Request, Some(2)), "{error}");
    assert!(error.to_string().starts_with("input 2: inputs: "), "{error}");
}

#[cfg(feature = "audio")]
#[test]
fn too_short_sounds_name_how_many_samples_are_needed() {
    // Its layers have kernels of 10, 4, 4 and 4 values, and strides of 5, 4, 4 and 4.
    const FEWEST: usize = (((4 - 1) * 4 + 4 - 1) * 4 + 4 - 1) * 5 + 10;
    let listen = load("automatic-speech-recognition", &golden("wav2vec2/ctc")).unwrap();
    let say = |samples: usize| listen.call(&json!({"raw": vec![0.25; samples], "sampling_rate": 16000}), &Value::Null);
    for samples in [1, 10, FEWEST - 1] {
        let error = say(samples).unwrap_err();
        let wanted = format!("inputs: the sound has {samples} samples at 16000 Hz; the model's layers need at least {FEWEST}");
        assert!(error.kind() == ErrorKind::Request && error.to_string() == wanted, "{error}");
    }
    assert!(say(FEWEST).is_ok());
}
