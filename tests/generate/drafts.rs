//! Several tokens of one row at once, and taken back: what drafts need of a language model; and how many runs they save.

use std::cell::RefCell;
use std::sync::Arc;

use formers::config::{GenerationConfig, GenerationDefaults};
use formers::generate::{Assistant, AssistantConfig, Decoder, Helpers, LanguageModel, MakeAssistant, Respell, Settings, generate_helped};
use formers::model::{Head, Model, Pretrained};
use formers::{ErrorKind, Options};
use serde_json::{Map, Value, json};

fn open(name: &str) -> (Model, serde_json::Value) {
    let folder = formers_testing::golden(&format!("generate/models/{name}")).to_string_lossy().into_owned();
    let pretrained = Pretrained::open(Options::new(folder)).unwrap();
    (pretrained.model(Head::CausalLm).unwrap(), pretrained.config.value().clone())
}

fn decoder<'a>(model: &'a Model, config: &serde_json::Value) -> Decoder<'a> {
    let decoder = Decoder::new(model.session("model").unwrap()).unwrap();
    decoder
        .anew_beyond(formers_models::of(config).and_then(|known| known.anew_beyond(config)))
        .steps_only(formers_models::couples_rows(config))
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

/// A model that counts, over and over, and notes how many tokens each run had; `wrong` of its guesses in a row are, every so often.
struct Counts<'a> {
    history: Vec<u32>,
    period: u32,
    wrong_every: usize,
    runs: &'a RefCell<Vec<usize>>,
}

const PERIOD: u32 = 7;

impl Counts<'_> {
    fn logits(&self, history: &[u32]) -> Vec<f32> {
        let next = (history.last().unwrap() + 1) % self.period;
        let is_wrong = self.wrong_every > 0 && history.len().is_multiple_of(self.wrong_every);
        let next = if is_wrong { (next + 3) % self.period } else { next };
        (0..self.period).map(|token| if token == next { 4.0 } else { 0.0 }).collect()
    }
}

impl LanguageModel for Counts<'_> {
    fn forward(&mut self, tokens: &[&[u32]]) -> formers::Result<Vec<f32>> {
        let [tokens] = tokens else { panic!("several rows") };
        self.runs.borrow_mut().push(tokens.len());
        self.history.extend_from_slice(tokens);
        Ok(self.logits(&self.history))
    }

    fn select(&mut self, _rows: &[usize]) -> formers::Result<()> {
        panic!("the cache of a single row is never copied");
    }

    fn extend(&mut self, tokens: &[u32]) -> formers::Result<Vec<f32>> {
        self.runs.borrow_mut().push(tokens.len());
        let mut logits = Vec::new();
        for token in tokens {
            self.history.push(*token);
            logits.extend(self.logits(&self.history));
        }
        Ok(logits)
    }

    fn cut(&mut self, length: usize) -> formers::Result<()> {
        assert!(length < self.history.len());
        self.history.truncate(length);
        Ok(())
    }
}

/// The tokens, and the sizes of the runs of the model and of its assistant.
fn counted(parameters: &Value, assistant: Option<usize>) -> (Vec<u32>, Vec<usize>, Vec<usize>) {
    let defaults = GenerationDefaults::new(None, &json!({})).unwrap();
    let config = GenerationConfig::resolve(&defaults, &Map::new(), parameters.as_object().unwrap()).unwrap();
    let settings = Settings { vocab_size: PERIOD as usize, ..Settings::new(&config) };
    let (runs, assistants) = (RefCell::default(), RefCell::default());
    let begin = assistant.map(|wrong_every| {
        let (config, assistants) = (AssistantConfig::new(&config).unwrap(), &assistants);
        move |_: usize| Ok(Assistant::new(Counts { history: Vec::new(), period: PERIOD, wrong_every, runs: assistants }, &config))
    });
    let make = |_: &[usize]| Ok(Counts { history: Vec::new(), period: PERIOD, wrong_every: 0, runs: &runs });
    let assistant = begin.as_ref().map(|begin| begin as MakeAssistant<'_, _>);
    let found = generate_helped(make, &Helpers { assistant, guide: None }, &[&[5, 6, 0, 1, 2]], &settings).unwrap();
    let tokens = found.into_iter().next().unwrap().unwrap().swap_remove(0).tokens;
    (tokens, runs.into_inner(), assistants.into_inner())
}

/// Numbers that do not come again in a window.
const MANY: u32 = 97;

/// The numbers that a model counts, spelled otherwise: its own tokens are 0 to 96, and those of its assistant have two numbers each
/// (97 + 97 · first + second) where there are two.
struct InPairs;

impl Respell for InPairs {
    fn whole(&self, tokens: &[u32]) -> formers::Result<Vec<u32>> {
        self.part(tokens)
    }

    fn part(&self, tokens: &[u32]) -> formers::Result<Vec<u32>> {
        let pair = |numbers: &[u32]| if let [a, b] = numbers { MANY + MANY * a + b } else { numbers[0] };
        Ok(tokens.chunks(2).map(pair).collect())
    }

    fn back(&self, tokens: &[u32]) -> formers::Result<Vec<u32>> {
        Ok(tokens.iter().flat_map(|&token| numbers(token)).collect())
    }

    fn ends(&self) -> &[i64] {
        &[]
    }
}

fn numbers(token: u32) -> Vec<u32> {
    if token < MANY { vec![token] } else { vec![(token - MANY) / MANY, (token - MANY) % MANY] }
}

/// A model that counts in pairs.
struct CountsInPairs(Vec<u32>);

impl CountsInPairs {
    fn logits(&self) -> Vec<f32> {
        let next = (numbers(*self.0.last().unwrap()).pop().unwrap() + 1) % MANY;
        let next = MANY + MANY * next + (next + 1) % MANY;
        (0..MANY + MANY * MANY).map(|token| if token == next { 20.0 } else { 0.0 }).collect()
    }
}

impl LanguageModel for CountsInPairs {
    fn forward(&mut self, tokens: &[&[u32]]) -> formers::Result<Vec<f32>> {
        self.0.extend_from_slice(tokens[0]);
        Ok(self.logits())
    }

    fn select(&mut self, _rows: &[usize]) -> formers::Result<()> {
        panic!("a single row");
    }

    fn extend(&mut self, tokens: &[u32]) -> formers::Result<Vec<f32>> {
        let mut logits = Vec::new();
        for token in tokens {
            self.0.push(*token);
            logits.extend(self.logits());
        }
        Ok(logits)
    }

    fn cut(&mut self, length: usize) -> formers::Result<()> {
        self.0.truncate(length);
        Ok(())
    }
}

/// Guesses in other tokens are understood: each run checks several and most are right, however the spellings lie to each other.
#[test]
fn guesses_in_other_tokens_save_runs() {
    for (lookbehind, prompt) in [(10, &[5, 6, 0, 1, 2][..]), (4, &[5, 6, 0, 1]), (1, &[3]), (200, &[3, 4, 5])] {
        let parameters =
            json!({"max_new_tokens": 60, "num_assistant_tokens": 3, "target_lookbehind": lookbehind, "assistant_lookbehind": lookbehind});
        let defaults = GenerationDefaults::new(None, &json!({})).unwrap();
        let config = GenerationConfig::resolve(&defaults, &Map::new(), parameters.as_object().unwrap()).unwrap();
        let settings = Settings { vocab_size: MANY as usize, ..Settings::new(&config) };
        let runs = RefCell::default();
        // Models of two kinds, as one type.
        let make = |_: &[usize]| -> formers::Result<Box<dyn LanguageModel>> {
            Ok(Box::new(Counts { history: Vec::new(), period: MANY, wrong_every: 0, runs: &runs }))
        };
        let begin = |_: usize| {
            let model: Box<dyn LanguageModel> = Box::new(CountsInPairs(Vec::new()));
            Ok(Assistant::with_other_tokens(model, &AssistantConfig::new(&config).unwrap(), Arc::new(InPairs)))
        };
        let found = generate_helped(make, &Helpers { assistant: Some(&begin), guide: None }, &[prompt], &settings).unwrap();
        let tokens = found.into_iter().next().unwrap().unwrap().swap_remove(0).tokens;
        let expected: Vec<u32> = (1..=60).map(|n| (prompt.last().unwrap() + n) % MANY).collect();
        assert_eq!(tokens, expected, "{lookbehind}");
        let runs = runs.borrow();
        assert!(runs.len() < 20, "{lookbehind}: {runs:?}");
    }
}

#[test]
fn right_guesses_save_runs() {
    let parameters = |more: Value| {
        let mut parameters = json!({"max_new_tokens": 40});
        parameters.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        parameters
    };
    let (plain, runs, _) = counted(&parameters(json!({})), None);
    assert_eq!((plain.len(), runs.len()), (40, 40));
    // The first number comes again after seven; from then on each run checks four guesses, and never beyond the end.
    let (tokens, runs, _) = counted(&parameters(json!({"prompt_lookup_num_tokens": 4})), None);
    assert_eq!(tokens, plain);
    assert_eq!(runs, [5, 1, 1, 5, 5, 5, 5, 5, 5, 5, 2]);
    // An assistant that is always right, with the confidence that 4 to 0 gives: one run for five tokens.
    let five = json!({"num_assistant_tokens": 4});
    let (tokens, runs, assistants) = counted(&parameters(five.clone()), Some(0));
    assert_eq!(tokens, plain);
    assert_eq!(runs, [5, 5, 5, 5, 5, 5, 5, 5, 4]);
    // Each time it reads what it has not guessed itself: the last guess and the token behind it.
    assert_eq!(assistants[..6], [6, 1, 1, 1, 2, 1], "{assistants:?}");
    // Two more each time that all were right.
    let (tokens, runs, _) = counted(&parameters(json!({"num_assistant_tokens": 2, "num_assistant_tokens_schedule": "heuristic"})), Some(0));
    assert_eq!((tokens, runs), (plain.clone(), vec![5, 3, 5, 7, 9, 11, 4]));
    // One that is often wrong, and one less each time.
    let (tokens, runs, _) = counted(&parameters(json!({"num_assistant_tokens": 5, "num_assistant_tokens_schedule": "heuristic"})), Some(2));
    assert_eq!(tokens, plain);
    assert!(runs.len() < 30 && runs[1..4] == [6, 5, 4], "{runs:?}");
    // Guesses end where the assistant is not sure: the likeliest token has a probability of 0.9.
    let (tokens, runs, _) = counted(&parameters(json!({"assistant_confidence_threshold": 0.95})), Some(0));
    assert_eq!((tokens, runs[1]), (plain, 2));
}
