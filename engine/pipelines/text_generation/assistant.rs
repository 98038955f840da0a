//! A smaller model that guesses what another will say (`assistant_model`).

use serde_json::{Map, Value};

use crate::{
    Error, Result,
    config::{GenerationConfig, GenerationDefaults, ModelConfig},
    generate::{self, AssistantConfig, LanguageModel},
    model::{Head, Model, Options, Pretrained, Source},
    preprocess::text::Tokenizer,
};

/// The parameters that are the assistant's.
const PARAMETERS: &[&str] = &["assistant_confidence_threshold", "num_assistant_tokens", "num_assistant_tokens_schedule"];

/// An assistant model, loaded.
#[derive(Debug)]
pub(super) struct Assistant {
    pub(super) name: String,
    config: ModelConfig,
    defaults: GenerationDefaults,
    model: Model,
}

impl Assistant {
    /// Loads a folder or a Hub name as the model is loaded that it helps.
    pub(super) fn load(name: &str, options: &Options, tokenizer: &Tokenizer) -> Result<Self> {
        let mut options = Options { model: name.to_owned(), source: Source::Auto, ..options.clone() };
        options.hub.revision = None;
        let at = |e: Error| e.at("assistant_model");
        let pretrained = Pretrained::open(options).map_err(at)?;
        same_tokens(tokenizer, &pretrained.tokenizer().map_err(at)?)?;
        let model = pretrained.model(Head::CausalLm).map_err(at)?;
        generate::open(&model, pretrained.config.value()).map_err(at)?;
        let generation = pretrained.checkpoint.json("generation_config.json").map_err(at)?;
        let defaults = GenerationDefaults::new(generation.as_ref(), pretrained.config.value()).map_err(at)?;
        Ok(Self { name: name.to_owned(), config: pretrained.config, defaults, model })
    }

    /// It without rows, for a call with these arguments.
    pub(super) fn begin(&self, arguments: &Map<String, Value>) -> Result<generate::Assistant<Box<dyn LanguageModel + Send + '_>>> {
        let given = |name: &&str| Some(((*name).to_owned(), arguments.get(*name).or_else(|| self.defaults.get(name))?.clone()));
        let fields: Map<String, Value> = PARAMETERS.iter().filter_map(given).collect();
        let config = GenerationConfig::resolve(&GenerationDefaults::default(), &Map::new(), &fields)?;
        Ok(generate::Assistant::new(generate::open(&self.model, self.config.value())?, &AssistantConfig::new(&config)?))
    }
}

/// Guesses are tokens of the model that they are for.
fn same_tokens(tokenizer: &Tokenizer, other: &Tokenizer) -> Result<()> {
    let different = |message: String| Err(Error::request("assistant_model", format!("{message}; an assistant must have the same tokens")));
    let (here, there) = (tokenizer.vocab_size_with_added(), other.vocab_size_with_added());
    if here != there {
        return different(format!("its tokenizer has {there} tokens and the model's {here}"));
    }
    let mut ids = 0..u32::try_from(here).unwrap_or(u32::MAX);
    match ids.find(|&id| tokenizer.id_to_token(id) != other.id_to_token(id)) {
        Some(id) => {
            let [there, here] = [other, tokenizer].map(|tokenizer| tokenizer.id_to_token(id).unwrap_or_default());
            different(format!("its token {id} is {there:?} and the model's {here:?}"))
        }
        None => Ok(()),
    }
}
