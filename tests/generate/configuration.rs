//! Configurations: what holds where a checkpoint, a pipeline and a call say different things.

use formers::ErrorKind;
use formers::config::{EarlyStopping, GenerationConfig, GenerationDefaults};
use serde_json::{Map, Value, json};

use super::{fields, goldens, resolve};

#[test]
fn configurations_have_the_precedence_of_the_reference() {
    let goldens = goldens("configurations");
    let mut wrong = Vec::new();
    for case in goldens.as_array().unwrap() {
        let name = format!("{} over {} over {} {}", case["call"], case["pipeline"], case["file"], case["config"]);
        let file = Some(&case["file"]).filter(|file| !file.is_null());
        let resolved = GenerationDefaults::new(file, &case["config"]).and_then(|defaults| {
            let config = GenerationConfig::resolve(&defaults, &fields(&case["pipeline"]), &fields(&case["call"]))?;
            let lengths = config.lengths(7, None)?;
            Ok((config, lengths))
        });
        let (c, lengths) = match (resolved, case.get("error")) {
            (Ok(resolved), None) => resolved,
            (Err(_), Some(_)) => continue,
            (Err(e), None) => {
                wrong.push(format!("{name}: {e}"));
                continue;
            }
            (Ok(_), Some(error)) => {
                wrong.push(format!("{name}: the reference raises {error}"));
                continue;
            }
        };
        let early_stopping = match c.early_stopping {
            EarlyStopping::Heuristic => json!(false),
            EarlyStopping::Always => json!(true),
            EarlyStopping::Never => json!("never"),
        };
        let found = json!({
            "do_sample": c.do_sample, "num_beams": c.num_beams, "num_return_sequences": c.num_return_sequences, "temperature": c.temperature,
            "top_k": c.top_k, "top_p": c.top_p.unwrap_or(1.0), "repetition_penalty": c.repetition_penalty, "early_stopping": early_stopping,
            "length_penalty": c.length_penalty, "no_repeat_ngram_size": c.no_repeat_ngram_size, "pad_token_id": c.pad_token_id,
            "forced_bos_token_id": c.forced_bos_token_id, "max_new_tokens": c.max_new_tokens, "decoder_start_token_id": c.decoder_start_token_id,
            "eos_token_id": c.eos_token_id, "fill": c.fill_token_id(), "max_length": lengths.max_length, "min_length": lengths.min_length,
        });
        for (field, expected) in case["fields"].as_object().unwrap() {
            // Where the call says null to a switch, the reference keeps it, and takes it for the same.
            let same = found[field] == *expected || (expected.is_null() && found[field] == json!(false));
            if !same {
                wrong.push(format!("{name}: {field} is {}, not {expected}", found[field]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn parameters_that_nobody_knows_are_named() {
    let of = |name: &str, value: Value| resolve(&Value::Null, &fields(&json!({name: value}))).unwrap_err();
    let error = of("temprature", json!(0.5));
    assert!(error.kind() == ErrorKind::Request && error.to_string().starts_with("temprature: no such"), "{error}");
    for (name, value) in [
        ("num_beam_groups", json!(2)),
        ("penalty_alpha", json!(0.6)),
        ("constraints", json!([1])),
        ("cache_implementation", json!("quantized")),
    ] {
        let error = of(name, value);
        assert!(error.kind() == ErrorKind::Unsupported && error.to_string().starts_with(name), "{error}");
    }
    assert!(resolve(&Value::Null, &fields(&json!({"num_beam_groups": 1, "use_cache": true, "dola_layers": null}))).is_ok());
    let error = of("temperature", json!("hot"));
    assert!(error.to_string().starts_with("temperature: "), "{error}");
    assert!(resolve(&json!({"num_beam_groups": 3, "num_beams": 3}), &Map::new()).is_err());
    // What a checkpoint says about the cache and about what is told does not matter.
    assert!(resolve(&json!({"cache_implementation": "quantized", "output_hidden_states": true, "use_cache": false}), &Map::new()).is_ok());
}

/// Every field of the reference's `GenerationConfig` is one that a call may have: with the reference's default it changes nothing, and with
/// another value it is honoured, or refused by name.
#[test]
fn every_parameter_of_the_reference_is_honoured_or_refused_by_name() {
    let parameters = goldens("parameters");
    let parameters = parameters.as_object().unwrap();
    // What a file says about itself.
    let about_files = ["transformers_version"];
    let mut honoured = 0;
    for (name, default) in parameters.iter().filter(|(name, _)| !about_files.contains(&name.as_str())) {
        assert!(GenerationConfig::knows(name), "{name}");
        let with = |value: Value| resolve(&Value::Null, &fields(&json!({name: value})));
        let by_default = with(default.clone()).unwrap();
        if GenerationConfig::PARAMETERS.contains(&name.as_str()) {
            honoured += 1;
            continue;
        }
        assert_eq!(by_default, resolve(&Value::Null, &Map::new()).unwrap(), "{name}: {default}");
        // No value has two meanings: one that is none of theirs is refused for all of them.
        let error = with(json!([["nothing"]])).unwrap_err();
        assert!(error.kind() == ErrorKind::Unsupported && error.to_string().starts_with(name.as_str()), "{name}: {error}");
    }
    let own: Vec<&&str> = GenerationConfig::PARAMETERS.iter().filter(|name| !parameters.contains_key(**name)).collect();
    assert_eq!(own, [&"logprobs", &"negative_prompt_ids", &"seed"], "an argument of `generate`, and two of our own");
    assert_eq!(honoured + own.len(), GenerationConfig::PARAMETERS.len());
    // Matters of speed and memory, for which Python gives the same answers.
    let speed = json!({
        "use_cache": false, "cache_implementation": "static", "cache_config": {}, "max_cache_len": 99, "compile_config": {}, "disable_compile": true,
        "prefill_chunk_size": 5, "low_memory": true,
    });
    assert_eq!(resolve(&Value::Null, &fields(&speed)).unwrap(), resolve(&Value::Null, &Map::new()).unwrap());
    for (name, value) in [
        ("cache_implementation", "lossy"),
        ("prefill_chunk_size", "0"),
        ("output_attentions", "true"),
        ("assistant_ensemble_weight", "1.5"),
    ] {
        let value = serde_json::from_str(value).unwrap_or_else(|_| json!(value));
        assert!(resolve(&Value::Null, &fields(&json!({name: value}))).unwrap_err().to_string().starts_with(name));
    }
}
