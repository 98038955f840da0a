//! A smaller model that guesses what another will say (`assistant_model`).

use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value};

use crate::{
    Error, Result,
    config::{GenerationConfig, GenerationDefaults, ModelConfig},
    generate::{self, AssistantConfig, LanguageModel, Respell},
    model::{Head, Model, Options, Pretrained, Source},
    preprocess::text::{EncodeOptions, Tokenizer},
};

/// The parameters that are the assistant's.
const PARAMETERS: &[&str] = &[
    "assistant_confidence_threshold",
    "assistant_lookbehind",
    "num_assistant_tokens",
    "num_assistant_tokens_schedule",
    "target_lookbehind",
];

/// The assistant of a pipeline, which has only one: that which it is loaded with, or the first that a call names.
#[derive(Debug)]
pub(super) struct Assistants {
    /// What the model runs on; its assistant is of the same kind.
    head: Head,
    /// How the model was loaded, and so its assistant.
    options: Options,
    loaded: OnceLock<Assistant>,
}

impl Assistants {
    /// Those of a model; the one that it was loaded with is loaded too.
    pub(super) fn new(pretrained: &Pretrained, head: Head, tokenizer: &Arc<Tokenizer>) -> Result<Self> {
        let assistants = Self { head, options: pretrained.options.clone(), loaded: OnceLock::new() };
        assistants.named(None, tokenizer)?;
        Ok(assistants)
    }

    /// The one that a call names, or that the model was loaded with.
    pub(super) fn named(&self, name: Option<&str>, tokenizer: &Arc<Tokenizer>) -> Result<Option<&Assistant>> {
        let Some(name) = name.or(self.options.assistant_model.as_deref()) else { return Ok(None) };
        if self.loaded.get().is_none() {
            let loaded = Assistant::load(name, &self.options, self.head, tokenizer)?;
            self.loaded.get_or_init(|| loaded);
        }
        match self.loaded.get() {
            Some(assistant) if assistant.name != *name => {
                let message = format!("{name}: this pipeline has {} already; load another for another assistant", assistant.name);
                Err(Error::request("assistant_model", message))
            }
            found => Ok(found),
        }
    }
}

/// An assistant model, loaded.
#[derive(Debug)]
pub(super) struct Assistant {
    name: String,
    config: ModelConfig,
    defaults: GenerationDefaults,
    model: Model,
    /// Where its tokens are not those of the model that it helps.
    respell: Option<Arc<Tokenizers>>,
}

impl Assistant {
    /// Loads a folder or a Hub name as the model is loaded that it helps.
    fn load(name: &str, options: &Options, head: Head, tokenizer: &Arc<Tokenizer>) -> Result<Self> {
        let mut options = Options { model: name.to_owned(), source: Source::Auto, ..options.clone() };
        options.hub.revision = None;
        let at = |e: Error| e.at("assistant_model");
        let pretrained = Pretrained::open(options).map_err(at)?;
        let is_two_sided = head == Head::Seq2SeqLm;
        let own = if is_two_sided { pretrained.tokenizer_v4() } else { pretrained.tokenizer() }.map_err(at)?;
        let model = pretrained.model(head).map_err(at)?;
        let config = pretrained.config.value();
        match is_two_sided {
            true => generate::check_two_sided(&model, config).map_err(at)?,
            false => generate::open(&model, config).map(drop).map_err(at)?,
        }
        let generation = pretrained.checkpoint.json("generation_config.json").map_err(at)?;
        let defaults = GenerationDefaults::new(generation.as_ref(), config).map_err(at)?;
        let respell = if have_same_tokens(tokenizer, &own) {
            None
        } else {
            let fields = GenerationConfig::resolve(&defaults, &Map::new(), &Map::new()).map_err(at)?;
            let begin = fields.decoder_start_token_id.or(fields.bos_token_id).and_then(|id| u32::try_from(id).ok());
            let begin = if is_two_sided { Some(begin.ok_or_else(|| at(Error::config("no decoder_start_token_id")))?) } else { None };
            Some(Arc::new(Tokenizers { model: tokenizer.clone(), own, begin, ends: fields.eos_token_id.unwrap_or_default() }))
        };
        Ok(Self { name: name.to_owned(), config: pretrained.config, defaults, model, respell })
    }

    /// It without rows, for a call with these arguments; `source` is what its encoder reads, if it has one.
    pub(super) fn begin(
        &self,
        arguments: &Map<String, Value>,
        source: Option<&[u32]>,
    ) -> Result<generate::Assistant<Box<dyn LanguageModel + Send + '_>>> {
        let given = |name: &&str| Some(((*name).to_owned(), arguments.get(*name).or_else(|| self.defaults.get(name))?.clone()));
        let fields: Map<String, Value> = PARAMETERS.iter().filter_map(given).collect();
        let config = GenerationConfig::resolve(&GenerationDefaults::default(), &Map::new(), &fields)?;
        let respelled = source.zip(self.respell.as_ref()).map(|(source, respell)| respell.text(source)).transpose()?;
        let model = match respelled.as_deref().or(source) {
            Some(source) => generate::open_two_sided(&self.model, self.config.value(), &[source])?,
            None => generate::open(&self.model, self.config.value())?,
        };
        let config = AssistantConfig::new(&config)?;
        let assistant = match &self.respell {
            Some(respell) => generate::Assistant::with_other_tokens(model, &config, respell.clone()),
            None => generate::Assistant::new(model, &config),
        };
        let positions = self.config.integer("max_position_embeddings").or_else(|| self.config.integer("n_positions"));
        Ok(assistant.up_to(positions.and_then(|n| usize::try_from(n).ok())))
    }
}

/// The tokenizers of a model and of an assistant with other tokens.
#[derive(Debug)]
struct Tokenizers {
    model: Arc<Tokenizer>,
    own: Tokenizer,
    /// What the assistant's decoder begins with, where what it reads is another text.
    begin: Option<u32>,
    ends: Vec<i64>,
}

impl Tokenizers {
    /// The assistant's tokens for a whole text.
    fn text(&self, tokens: &[u32]) -> Result<Vec<u32>> {
        respell(&self.model, &self.own, tokens, &EncodeOptions::default())
    }
}

impl Respell for Tokenizers {
    fn whole(&self, tokens: &[u32]) -> Result<Vec<u32>> {
        match self.begin {
            Some(begin) => Ok([&[begin], self.part(tokens)?.as_slice()].concat()),
            None => self.text(tokens),
        }
    }

    fn part(&self, tokens: &[u32]) -> Result<Vec<u32>> {
        respell(&self.model, &self.own, tokens, &EncodeOptions::default().without_special_tokens())
    }

    fn back(&self, tokens: &[u32]) -> Result<Vec<u32>> {
        respell(&self.own, &self.model, tokens, &EncodeOptions::default().without_special_tokens())
    }

    fn ends(&self) -> &[i64] {
        &self.ends
    }
}

fn respell(from: &Tokenizer, to: &Tokenizer, tokens: &[u32], options: &EncodeOptions) -> Result<Vec<u32>> {
    Ok(to.encode(&from.decode(tokens, true, Some(false))?, None, options)?.ids)
}

/// Whether each token of one is the same in the other.
fn have_same_tokens(tokenizer: &Tokenizer, other: &Tokenizer) -> bool {
    let (here, there) = (tokenizer.vocab_size_with_added(), other.vocab_size_with_added());
    let mut ids = 0..u32::try_from(here).unwrap_or(u32::MAX);
    here == there && ids.all(|id| tokenizer.id_to_token(id) == other.id_to_token(id))
}
