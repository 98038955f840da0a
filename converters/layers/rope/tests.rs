//! What `LlamaRotaryEmbedding` of Transformers 5.23 gives for `hidden_size` 32, two heads and `max_position_embeddings` 64.

use serde_json::{Value, json};

use super::*;

fn frequencies(config: Value) -> Result<Frequencies> {
    RopeConfig::deserialize(config).unwrap().frequencies(16, 10_000.0, 64)
}

#[test]
fn frequencies_are_those_of_the_reference() {
    let usual = [1.0, 0.316_227_76, 0.1, 0.031_622_78, 0.01, 0.003_162_278, 0.001, 0.000_316_227_8];
    let cases = [
        (
            json!({"rope_theta": 5000.0}),
            [1.0, 0.344_848_84, 0.118_920_71, 0.041_009_67, 0.014_142_136, 0.004_876_898_6, 0.001_681_792_8, 0.000_579_964_25],
            1.0,
        ),
        (json!({"rope_theta": 1.0, "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}}), usual, 1.0),
        (json!({"rope_scaling": {"type": "linear", "factor": 3.0}}), usual.map(|f: f32| f / 3.0), 1.0),
        (json!({"rope_scaling": {"rope_type": "dynamic", "type": "dynamic", "factor": 2.0}}), usual, 1.0),
        (
            json!({"rope_theta": 1e6, "rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32}}),
            [1.0, 0.044_456_985, 0.007_905_695, 0.001_405_853_3, 0.000_25, 4.445_698_5e-5, 7.905_694e-6, 1.405_853_4e-6],
            1.138_629_4,
        ),
        (
            json!({"rope_parameters": {
                "rope_type": "yarn", "factor": 8.0, "original_max_position_embeddings": 2048, "mscale": 1.0, "mscale_all_dim": 0.5,
                "beta_fast": 16, "truncate": false, "rope_theta": 10000.0,
            }}),
            [1.0, 0.316_227_76, 0.1, 0.027_234_407, 0.004_978_916_6, 0.000_425_502_9, 0.000_125, 3.952_847_3e-5],
            1.094_18,
        ),
        (
            json!({"rope_theta": 500000.0, "rope_scaling": {
                "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 64,
            }}),
            [1.0, 0.079_403_01, 0.004_700_754, 0.000_911_583_1, 0.000_176_776_68, 3.428_102_4e-5, 6.647_869_7e-6, 1.289_173_2e-6],
            1.0,
        ),
    ];
    for (config, inverse, attention_factor) in cases {
        let found = frequencies(config.clone()).unwrap();
        assert_close(&found.inverse, &inverse, &config);
        assert!((found.attention_factor - attention_factor).abs() < 1e-6, "{config}: {}", found.attention_factor);
    }
}

#[test]
fn longrope_has_two_sets() {
    let config = json!({"rope_scaling": {
        "rope_type": "longrope", "factor": 4.0, "original_max_position_embeddings": 16,
        "short_factor": [1, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7], "long_factor": [1, 2, 3, 4, 5, 6, 7, 8],
    }});
    let found = frequencies(config.clone()).unwrap();
    let short = [1.0, 0.287_479_76, 0.083_333_336, 0.024_325_214, 0.007_142_857, 0.002_108_185_3, 0.000_625, 0.000_186_016_33];
    assert_close(&found.inverse, &short, &config);
    assert!((found.attention_factor - 1.224_744_9).abs() < 1e-6);
    let Beyond::Long { original, inverse } = found.beyond else { panic!("{:?}", found.beyond) };
    assert_eq!(original, 16);
    assert!((inverse[7] - 0.000_316_227_77 / 8.0).abs() < 1e-9);
}

#[test]
fn layers_of_different_types_have_their_own_parameters() {
    let config = json!({"rope_parameters": {
        "full_attention": {"rope_type": "linear", "factor": 2.0, "rope_theta": 100.0}, "sliding_attention": {"rope_theta": 10.0},
    }});
    let config = RopeConfig::deserialize(config).unwrap();
    let second = |layer_type| config.of_layer_type(layer_type).frequencies(4, 1.0, 64).unwrap().inverse[1];
    assert!((second("full_attention") - 0.05).abs() < 1e-7);
    assert!((second("sliding_attention") - 10f32.powf(-0.5)).abs() < 1e-7);
}

#[test]
fn fewer_components_turn_than_a_head_has() {
    let config = json!({"partial_rotary_factor": 0.25});
    let read = |config: &Value| RopeConfig::deserialize(config).unwrap();
    assert_eq!(read(&config).in_part(1.0).frequencies(16, 10_000.0, 64).unwrap().inverse, [1.0, 0.01]);
    assert_eq!(read(&json!({})).in_part(0.25).frequencies(16, 10_000.0, 64).unwrap().inverse, [1.0, 0.01]);
    // Architectures that do not know of it turn whole heads, and fail where the reference does.
    assert_eq!(read(&config).frequencies(16, 10_000.0, 64).unwrap().inverse.len(), 8);
    assert!(read(&config).whole().frequencies(16, 10_000.0, 64).is_err());
    let linear = json!({"partial_rotary_factor": 0.25, "rope_scaling": {"rope_type": "linear", "factor": 2.0}});
    assert!(read(&linear).frequencies(16, 10_000.0, 64).unwrap_err().to_string().contains("partial_rotary_factor"));
    assert_eq!(read(&linear).in_part(1.0).frequencies(16, 10_000.0, 64).unwrap().inverse, [0.5, 0.005]);
}

#[test]
fn bad_parameters_are_errors() {
    for (config, message) in [
        (json!({"rope_scaling": {"rope_type": "linear"}}), "lacks factor"),
        (json!({"rope_scaling": {"rope_type": "spiral"}}), "spiral"),
        (json!({"rope_theta": 0.0}), "rope_theta"),
        (json!({"partial_rotary_factor": 1e9, "rope_scaling": {"rope_type": "llama3"}}), "partial_rotary_factor"),
        (json!({"rope_scaling": {"type": "longrope", "long_factor": [1.0], "short_factor": [1.0]}}), "long_factor"),
    ] {
        let error = frequencies(config).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
    assert!(RopeConfig::default().frequencies(usize::MAX, 10_000.0, 64).is_err());
    assert!(RopeConfig::default().frequencies(0, 10_000.0, 0).is_err());
}

fn assert_close(found: &[f32], expected: &[f32], config: &Value) {
    assert_eq!(found.len(), expected.len(), "{config}");
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() <= 1e-6 * b.abs(), "{config}: {found:?} instead of {expected:?}");
    }
}
