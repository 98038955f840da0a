//! Requests for text that cannot be met: an error that names the field, or Python's own behaviour; and the pipeline goes on answering.

use formers::{ErrorKind, pipelines::AnyPipeline};
use serde_json::{Value, json};

use super::{golden, judge, load, report, watched};

/// The inputs and parameters of a call, and the field that the error names.
type Case = (Value, Value, &'static str);

fn refused(task: &str, checkpoint: &str, kind: ErrorKind, cases: Vec<Case>) -> Vec<String> {
    let pipeline: &'static dyn AnyPipeline = Box::leak(load(task, &golden(checkpoint)).unwrap());
    let good = move || pipeline.call(&json!("Hi"), &json!({"do_sample": false, "max_new_tokens": 4}));
    let before = good().unwrap();
    let mut failures = Vec::new();
    for (inputs, parameters, field) in cases {
        let shown: String = inputs.to_string().chars().take(80).collect();
        let request = format!("{task} {checkpoint} {shown} {parameters}");
        let outcome = watched(move || pipeline.call(&inputs, &parameters));
        if let Err(problem) = judge(outcome, kind, &[field]) {
            failures.push(format!("{request}: {problem}"));
        }
        match watched(good) {
            Ok(Ok(answer)) if answer == before => {}
            other => failures.push(format!("{request}: the next call: {other:?}")),
        }
    }
    failures
}

/// What no model can do, whatever it is.
fn senseless() -> Vec<Case> {
    let on_hi = |parameters: Value, field: &'static str| (json!("Hi"), parameters, field);
    let constraints = [
        on_hi(json!({"json_schema": {"type": "integer", "minimum": 5, "maximum": 4}}), "json_schema"),
        on_hi(json!({"json_schema": {"enum": []}}), "json_schema"),
        on_hi(json!({"regex": "[a-z"}), "regex"),
        on_hi(json!({"grammar": "start: nothing"}), "grammar"),
    ];
    let mut cases = vec![
        on_hi(json!({"max_new_tokens": 0}), "max_new_tokens"),
        on_hi(json!({"max_new_tokens": -1}), "max_new_tokens"),
        on_hi(json!({"max_new_tokens": 2.5}), "max_new_tokens"),
        on_hi(json!({"max_new_tokens": "many"}), "max_new_tokens"),
        on_hi(json!({"max_length": 0, "max_new_tokens": null}), "max_length"),
        on_hi(json!({"max_length": -5, "max_new_tokens": null}), "max_length"),
        on_hi(json!({"min_new_tokens": -1}), "min_new_tokens"),
        on_hi(json!({"num_beams": 0}), "num_beams"),
        on_hi(json!({"num_beams": -2}), "num_beams"),
        on_hi(json!({"num_beams": 1 << 20}), "num_beams"),
        on_hi(json!({"num_beams": 2, "num_return_sequences": 3}), "num_return_sequences"),
        on_hi(json!({"num_beams": 1, "num_return_sequences": 2, "do_sample": false}), "num_return_sequences"),
        on_hi(json!({"num_beams": 1, "num_return_sequences": 1 << 20, "do_sample": true}), "num_return_sequences"),
        on_hi(json!({"do_sample": true, "temperature": 0}), "temperature"),
        on_hi(json!({"do_sample": true, "temperature": -0.5}), "temperature"),
        on_hi(json!({"do_sample": true, "top_k": -1}), "top_k"),
        on_hi(json!({"do_sample": true, "top_p": -0.1}), "top_p"),
        on_hi(json!({"repetition_penalty": 0}), "repetition_penalty"),
        on_hi(json!({"sequence_bias": [[[99_999], 1.0]]}), "sequence_bias"),
        on_hi(json!({"sequence_bias": [[[], 1.0]], "num_beams": "two"}), "num_beams"),
        on_hi(json!({"sequence_bias": {"5": 1.0}}), "sequence_bias"),
        on_hi(json!({"bad_words_ids": [[99_999]]}), "bad_words_ids"),
        on_hi(json!({"bad_words_ids": []}), "bad_words_ids"),
        on_hi(json!({"bad_words_ids": [[-1]]}), "bad_words_ids"),
        on_hi(json!({"forced_eos_token_id": 99_999, "max_new_tokens": 2}), "forced_eos_token_id"),
        on_hi(json!({"prompt_lookup_num_tokens": 0, "num_beams": 1}), "prompt_lookup_num_tokens"),
        on_hi(json!({"max_time": "soon"}), "max_time"),
        on_hi(json!({"stop_strings": 5}), "stop_strings"),
        on_hi(json!({"eos_token_id": "end"}), "eos_token_id"),
        on_hi(json!({"assistant_model": 5}), "assistant_model"),
        on_hi(json!({"watermarking_config": {"ngram_len": 0, "keys": [1]}}), "watermarking_config"),
        on_hi(json!({"batch_size": 0}), "batch_size"),
    ];
    cases.extend(constraints.into_iter().filter(|_| cfg!(feature = "constraints")));
    cases
}

#[test]
fn what_no_model_can_do_is_refused_by_name() {
    let mut failures = refused("text-generation", "generate/models/gpt2/causal_lm", ErrorKind::Request, senseless());
    failures.extend(refused("text2text-generation", "generate/models/bart/seq2seq", ErrorKind::Request, senseless()));
    report(failures);
}

/// More tokens than the model has positions for, in the prompt or to come.
#[test]
fn what_is_too_long_for_the_model_is_refused() {
    let long = json!("the river ".repeat(400));
    let greedy = json!({"do_sample": false, "num_beams": 1, "max_new_tokens": 5});
    let endless = json!({"do_sample": false, "num_beams": 1, "max_new_tokens": 1u64 << 40, "eos_token_id": null});
    let cases = || vec![(long.clone(), greedy.clone(), "positions"), (json!("Hi"), endless.clone(), "positions")];
    let mut failures = refused("text-generation", "generate/models/gpt2/causal_lm", ErrorKind::Runtime, cases());
    failures.extend(refused("text2text-generation", "generate/models/bart/seq2seq", ErrorKind::Runtime, cases().split_off(1)));
    report(failures);
}

/// Templates that raise, do not end, make too much, or get what they do not expect, such as arguments of a call that are not JSON.
#[test]
fn chats_that_no_prompt_comes_of_are_refused() {
    let chat = json!([{"role": "user", "content": "Hi"}]);
    let called = json!([
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": "{not JSON"}}]},
        {"role": "tool", "content": "5"},
    ]);
    let with = |inputs: &Value, template: &str| {
        (inputs.clone(), json!({"max_new_tokens": 4, "tokenizer_encode_kwargs": {"chat_template": template}}), "template")
    };
    let arguments = "{% for m in messages %}{% for c in m.tool_calls or [] %}{% for k, v in c.function.arguments|items %}{{ k }}{% endfor %}{% endfor %}{% endfor %}";
    let cases = vec![
        with(&chat, "{{ raise_exception('roles must alternate') }}"),
        with(
            &chat,
            "{% for a in range(90000) %}{% for b in range(90000) %}{% for c in range(90000) %}{% endfor %}{% endfor %}{% endfor %}",
        ),
        with(&chat, "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}"),
        with(&chat, "{% for a in range(90000) %}{{ 'aaaaaaaaaaaaaaaa' * 900000 }}{% endfor %}"),
        with(&chat, "{{ messages[0].content + 1 }}"),
        with(&called, arguments),
        (json!([{"role": "user"}, "a"]), json!({}), "inputs"),
        (json!([[]]), json!({}), "inputs"),
        (chat.clone(), json!({"tools": "f"}), "parameters.tools"),
    ];
    report(refused("text-generation", "generate/models/qwen2/causal_lm", ErrorKind::Request, cases));
}
