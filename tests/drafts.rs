//! Several tokens of one row at once, and taken back: what drafts need of a language model.

#![allow(clippy::unwrap_used, clippy::panic)]

use formers::generate::{Decoder, LanguageModel};
use formers::model::{Head, Model, Pretrained};
use formers::{ErrorKind, Options};

fn open(name: &str) -> (Model, serde_json::Value) {
    let folder = format!("{}/tests/goldens/generate/models/{name}", env!("CARGO_MANIFEST_DIR"));
    let pretrained = Pretrained::open(Options::new(folder)).unwrap();
    (pretrained.model(Head::CausalLm).unwrap(), pretrained.config.value().clone())
}

fn decoder<'a>(model: &'a Model, config: &serde_json::Value) -> Decoder<'a> {
    let decoder = Decoder::new(model.session("model").unwrap()).unwrap();
    decoder.anew_beyond(formers_models::anew_beyond(config)).steps_only(formers_models::couples_rows(config))
}

/// A text, in runs of several tokens of which some are wrong and taken back: the logits are those of one token at a time. Attention
/// over all and in windows, biases, and rotary factors that change with the length.
#[test]
fn several_tokens_at_once_are_as_one_by_one() {
    for name in [
        "llama/causal_lm",
        "mistral/causal_lm_b",
        "gemma2/causal_lm",
        "bloom/causal_lm",
        "gpt2/causal_lm",
        "phi3/causal_lm_crossing",
        "llama/causal_lm_dynamic",
    ] {
        let (model, config) = open(name);
        let text: Vec<u32> = (0..60u32).map(|i| (i * i * 7 + i * 3) % 90).collect();
        let prompt = 7;
        let mut plain = decoder(&model, &config);
        let mut expected = vec![plain.forward(&[&text[..prompt]]).unwrap()];
        expected.extend(text[prompt..].iter().map(|token| plain.forward(&[&[*token]]).unwrap()));
        let mut drafted = decoder(&model, &config);
        let vocabulary = drafted.forward(&[&text[..prompt]]).unwrap().len();
        let (mut at, mut runs) = (prompt, 0);
        while at < text.len() {
            let right = (text.len() - at).min(1 + runs % 5);
            let wrong = vec![5; runs % 4];
            let logits = drafted.extend(&[&text[at..at + right], &wrong].concat()).unwrap();
            let taken = right.min(logits.len() / vocabulary);
            for (row, logits) in logits.chunks(vocabulary).take(taken).enumerate() {
                let far = logits.iter().zip(&expected[at + row + 1 - prompt]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(far < 1e-4, "{name}: token {}: {far}", at + row);
            }
            at += taken;
            drafted.cut(at).unwrap();
            runs += 1;
        }
        assert!(runs < 45 || name.ends_with("dynamic"), "{name}: {runs} runs");
        // Far back, also over the length at which the factors change.
        drafted.cut(prompt + 3).unwrap();
        let logits = drafted.extend(&text[prompt + 3..prompt + 5]).unwrap();
        let far = logits[..vocabulary].iter().zip(&expected[4]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(far < 1e-4, "{name}: after a cut: {far}");
    }
}

/// A model of which only the last logits are known, as others may have written one.
struct Last;

impl LanguageModel for Last {
    fn forward(&mut self, tokens: &[&[u32]]) -> formers::Result<Vec<f32>> {
        Ok(vec![0.0; tokens.len() * 4])
    }

    fn select(&mut self, _rows: &[usize]) -> formers::Result<()> {
        Ok(())
    }
}

#[test]
fn models_that_cannot_say_so() {
    for error in [Last.extend(&[1, 2]).unwrap_err(), Last.cut(0).unwrap_err()] {
        assert!(error.kind() == ErrorKind::Unsupported && error.to_string().contains("prompt_lookup_num_tokens"), "{error}");
    }
    let (model, config) = open("gpt2/causal_lm");
    let mut decoder = decoder(&model, &config);
    assert!(decoder.cut(0).is_err(), "no row");
    decoder.forward(&[&[1, 2], &[3]]).unwrap();
    assert!(decoder.cut(1).is_err() && decoder.extend(&[1]).is_err(), "two rows");
    decoder.select(&[0]).unwrap();
    assert!(decoder.cut(3).is_err(), "longer than it is");
    decoder.cut(1).unwrap();
    assert!(decoder.extend(&[]).is_err(), "no tokens");
}

#[test]
fn states_cannot_go_back() {
    let (model, config) = open("lfm2/causal_lm");
    let mut decoder = decoder(&model, &config);
    let vocabulary = decoder.forward(&[&[1, 2]]).unwrap().len();
    assert_eq!(decoder.extend(&[3, 4, 5]).unwrap().len(), vocabulary, "it takes the first alone");
    decoder.cut(3).unwrap();
    assert_eq!(decoder.cut(2).unwrap_err().kind(), ErrorKind::Unsupported);
}
