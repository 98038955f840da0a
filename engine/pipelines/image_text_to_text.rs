//! `image-text-to-text`: what a model says to pictures and text.

mod call;
mod pieces;
mod prompt;
mod record;
mod vision;

use std::{borrow::Cow, num::NonZeroUsize, sync::Arc, time::Duration};

use formers_models::Head;
use ndarray::{Array2, Axis};
use serde_json::{Map, Value, json};

use call::{Call, PARAMETERS};
pub use pieces::AnswerPieces;
pub use prompt::{Picture, Prompt};
use record::{Form, new_text};
use vision::Vision;

pub use super::text_generation::Answer;

use super::{
    Medium, Parameters, Pipeline, Task, TextIter, batches, boxed, fits,
    text_generation::{Pieces, Response},
    usage,
};
use crate::{
    Error, ErrorKind, Result,
    config::{GenerationConfig, GenerationDefaults, ModelConfig},
    generate::{self, Features, Generated, LanguageModel, Settings, Steps, TextStream, stopping::StopWhen},
    model::{Model, Pretrained},
    preprocess::{
        placeholders::ImagePlaceholder,
        text::{
            EncodeOptions, Tokenizer,
            chat::{ChatOptions, ChatTemplates, Continue},
        },
    },
};

/// So many prompts run at once where the call does not say how many: each has its pictures' features and a long cache.
const BATCH_SIZE: usize = 4;

/// Answers texts and chats about pictures.
#[derive(Debug)]
pub struct ImageTextToText {
    tokenizer: Arc<Tokenizer>,
    templates: ChatTemplates,
    placeholder: ImagePlaceholder,
    vision: Vision,
    response: Option<Response>,
    config: ModelConfig,
    /// That of the language model within.
    text: ModelConfig,
    defaults: GenerationDefaults,
    model: Model,
}

/// How to answer.
#[derive(Debug, Clone)]
pub struct Options {
    /// Parameters of Transformers' `generate`, by their names; 256 new tokens where neither this nor the checkpoint says otherwise.
    pub generation: Map<String, Value>,
    /// Ends an answer where it says so.
    pub stop: Option<StopWhen>,
    /// So many prompts run at once, `None` for as many as are good.
    pub batch_size: Option<NonZeroUsize>,
    /// How texts are tokenized.
    pub encode: EncodeOptions,
    /// Leaves special tokens out of the text.
    pub skip_special_tokens: bool,
    /// Removes spaces before punctuation; `None` as the tokenizer says.
    pub clean_up_tokenization_spaces: Option<bool>,
    /// Whether the answer goes on inside the last message of a chat; `None` where that is the assistant's.
    pub continue_final_message: Option<bool>,
    /// Tools, documents and further variables of a chat's template.
    pub chat: ChatOptions,
    /// How long the server of a picture may be silent.
    pub timeout: Option<Duration>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            generation: Map::new(),
            stop: None,
            batch_size: None,
            encode: EncodeOptions::default(),
            skip_special_tokens: true,
            clean_up_tokenization_spaces: None,
            continue_final_message: None,
            chat: ChatOptions::default(),
            timeout: None,
        }
    }
}

impl ImageTextToText {
    /// What the model says to a picture (a path, an http(s) address, a `data:` URL or base64) and a text, in which the model's placeholder
    /// (`<image>` for most) stands for it; with at most so many new tokens.
    pub fn run(&self, image: &str, text: &str, max_new_tokens: usize) -> Result<String> {
        let generation = json!({"max_new_tokens": max_new_tokens});
        let options = Options { generation: generation.as_object().cloned().unwrap_or_default(), ..Options::default() };
        let prompt = Prompt::Text(text, vec![Picture::Source(image)]);
        let mut answers = self.run_many(&[prompt], &options)?.swap_remove(0)?;
        Ok(answers.swap_remove(0).text)
    }

    /// The answers to many prompts, in their order, for each `num_return_sequences`; a prompt that is wrong does not harm the others.
    pub fn run_many(&self, prompts: &[Prompt<'_>], options: &Options) -> Result<Vec<Result<Vec<Answer>>>> {
        let config = GenerationConfig::resolve(&self.defaults, &defaults(), &options.generation)?;
        let settings = self.settings(&config, options);
        let usual = if config.num_beams > 1 { 1 } else { BATCH_SIZE };
        let couples = formers_models::couples_rows(self.text.value());
        let most = if couples { 1 } else { options.batch_size.map_or(usual, NonZeroUsize::get) };
        let (mut read, mut written) = (0, 0);
        let mut answers = Vec::with_capacity(prompts.len());
        // A few at a time: no more features are in memory than run together.
        for prompts in prompts.chunks(most) {
            let encoded: Vec<Result<Encoded>> = prompts.iter().map(|prompt| self.encode(prompt, options)).collect();
            let good: Vec<&Encoded> = encoded.iter().flatten().collect();
            let mut generated = self.generated(&good, &settings, options)?.into_iter();
            read += good.iter().map(|encoded| encoded.ids.len()).sum::<usize>();
            for encoded in encoded {
                answers.push(encoded.and_then(|encoded| {
                    let found = generated.next().unwrap_or_else(lost).map_err(|error| fits::explained(error, &encoded.ids, &self.text))?;
                    written += found.iter().map(|answer| answer.tokens.len()).sum::<usize>();
                    found.into_iter().map(|found| self.answer(&encoded, found, options)).collect()
                }));
            }
        }
        usage::tell(read, written);
        Ok(answers)
    }

    /// The new text of one answer to a prompt, piece by piece as it comes; dropping it ends the work. The pieces joined are the text
    /// of the whole answer. Not with `num_beams`: beams are known only at the end.
    pub fn stream(&self, prompt: &Prompt<'_>, options: &Options) -> Result<AnswerPieces<'_>> {
        let config = GenerationConfig::resolve(&self.defaults, &defaults(), &options.generation)?;
        let config = GenerationConfig { num_return_sequences: 1, ..config };
        let encoded = self.encode(prompt, options)?;
        let settings = self.settings(&config, options);
        let explained = |error| fits::explained(error, &encoded.ids, &self.text);
        let mut steps = Steps::new(self.decoder(&[&encoded])?, &[&encoded.ids], &settings).map_err(explained)?;
        if config.is_guided() {
            steps = steps.guided(self.decoder(&[])?, &settings)?;
        }
        let skips = self.skips_special_tokens(options);
        let mut text = TextStream::new(&self.tokenizer, skips, options.clean_up_tokenization_spaces, &config.stop_strings);
        // What an answer begins with can hang on what stands before it, as in the reference.
        let before = encoded.ids.iter().map(|&id| text.push(id)).collect::<Result<String>>()?;
        Ok(AnswerPieces::new(Pieces::new(steps, text, before, encoded.ids.len()), self.decoded(&encoded.ids, options)?))
    }

    /// The answers to prompts that run together as far as their lengths allow.
    fn generated(&self, encoded: &[&Encoded], settings: &Settings<'_>, options: &Options) -> Result<Vec<Result<Vec<Generated>>>> {
        let run = |places: &[usize]| {
            let chosen: Vec<&Encoded> = places.iter().filter_map(|&place| encoded.get(place).copied()).collect();
            let ids: Vec<&[u32]> = chosen.iter().map(|encoded| encoded.ids.as_slice()).collect();
            let of_rows = |rows: &[usize]| rows.iter().filter_map(|&row| chosen.get(row).copied()).collect::<Vec<_>>();
            generate::generate(|rows| self.decoder(&of_rows(rows)), &ids, settings)
        };
        let lengths: Vec<usize> = encoded.iter().map(|encoded| encoded.ids.len()).collect();
        let mut generated: Vec<Option<Result<Vec<Generated>>>> = encoded.iter().map(|_| None).collect();
        for batch in batches::by_length(&lengths, encoded.len().max(1), options.batch_size.is_some()) {
            let mut found = match run(&batch) {
                // What the model cannot run, such as a prompt beyond its positions, fails alone.
                Err(error) if error.kind() == ErrorKind::Runtime => {
                    batch.iter().map(|&place| run(&[place])?.pop().unwrap_or_else(lost)).collect()
                }
                found => found?,
            };
            if settings.config.num_beams > 1 {
                generate::fill(&mut found, settings.config);
            }
            for (place, found) in batch.into_iter().zip(found) {
                if let Some(answers) = generated.get_mut(place) {
                    *answers = Some(found);
                }
            }
        }
        Ok(generated.into_iter().map(|found| found.unwrap_or_else(lost)).collect())
    }

    fn settings<'c>(&self, config: &'c GenerationConfig, options: &Options) -> Settings<'c> {
        let tokenizer = self.tokenizer.clone();
        Settings {
            vocab_size: size(&self.text, "vocab_size").unwrap_or(0),
            max_position_embeddings: self.positions(),
            token_bytes: Some(Arc::new(move |token| tokenizer.token_bytes(token))),
            stop: options.stop.clone(),
            ..Settings::new(config)
        }
    }

    /// The model without rows, for these prompts.
    fn decoder(&self, prompts: &[&Encoded]) -> Result<Box<dyn LanguageModel + Send + '_>> {
        let rows = prompts.iter().map(|encoded| encoded.features.clone()).collect();
        generate::open_embedded(&self.model, self.config.value(), Some(Features { token: self.token(), rows }))
    }

    fn answer(&self, encoded: &Encoded, generated: Generated, options: &Options) -> Result<Answer> {
        generated.whole()?;
        let token_ids = [&encoded.ids, &*generated.tokens].concat();
        let (text, prompt) = (self.decoded(&token_ids, options)?, self.decoded(&encoded.ids, options)?);
        Ok(Answer { text: new_text(&text, &prompt).to_owned(), token_ids, generated })
    }

    fn decoded(&self, ids: &[u32], options: &Options) -> Result<String> {
        self.tokenizer.decode(ids, self.skips_special_tokens(options), options.clean_up_tokenization_spaces)
    }

    /// What a response template reads has its marks, which are special tokens.
    fn skips_special_tokens(&self, options: &Options) -> bool {
        options.skip_special_tokens && !self.response.as_ref().is_some_and(Response::says_how)
    }

    /// The positions that the language model has.
    fn positions(&self) -> Option<usize> {
        size(&self.text, "max_position_embeddings")
    }

    /// The token in whose places the model reads features.
    fn token(&self) -> u32 {
        let said = ["image_token_id", "image_token_index"].iter().find_map(|name| self.config.integer(name));
        said.and_then(|id| u32::try_from(id).ok()).unwrap_or(self.placeholder.id())
    }

    /// The tokens of a prompt, and the features of its pictures.
    fn encode(&self, prompt: &Prompt<'_>, options: &Options) -> Result<Encoded> {
        let (text, pictures, encode) = match prompt {
            Prompt::Text(text, pictures) => (Cow::Borrowed(*text), Cow::Borrowed(pictures.as_slice()), options.encode),
            Prompt::Chat(messages) => self.rendered(messages, options)?,
        };
        let (token, named) = (self.placeholder.token(), self.placeholder.count(&text));
        if named != pictures.len() {
            let message = format!("{named} {token} in the text for {} pictures: each stands for one", pictures.len());
            return Err(Error::request("inputs", message));
        }
        let fits = |places: usize| fits::check_prompt(places, self.positions(), &self.text);
        let features = self.vision.features(&self.model, &pictures, options.timeout, fits)?;
        for (features, (height, width)) in &features {
            self.placeholder.check(*height, *width, features.nrows())?;
        }
        let places: Vec<usize> = features.iter().map(|(features, _)| features.nrows()).collect();
        let ids = self.tokenizer.encode(&*self.placeholder.expanded(&text, &places), None, &encode)?.ids;
        if ids.is_empty() {
            return Err(Error::request("inputs", "a text without any tokens"));
        }
        let (found, wanted) = (ids.iter().filter(|id| **id == self.token()).count(), places.iter().sum::<usize>());
        if found != wanted && !pictures.is_empty() {
            let token_id = self.token();
            let message = if found < wanted && self.placeholder.id() == token_id {
                format!("of {wanted} places of pictures {found} are left: do not truncate the text, or to more tokens")
            } else {
                format!(
                    "token {token_id}, which the model reads pictures for, comes {found} times where pictures take {wanted} places: its tokenizer has {token} as {}",
                    self.placeholder.id()
                )
            };
            return Err(Error::request("inputs", message));
        }
        fits(ids.len())?;
        let views: Vec<_> = features.iter().map(|(features, _)| features.view()).collect();
        let features = ndarray::concatenate(Axis(0), &views).unwrap_or_default();
        Ok(Encoded { ids, features: Arc::new(features) })
    }

    /// The text of a chat, its pictures, and how it is tokenized: a template that writes the token that begins texts leaves none to be added.
    fn rendered<'p>(&self, messages: &'p [Value], options: &Options) -> Result<(Cow<'p, str>, Cow<'p, [Picture<'p>]>, EncodeOptions)> {
        let pictures = prompt::pictures(messages)?;
        let goes_on = options.continue_final_message.unwrap_or_else(|| prompt::goes_on(messages));
        let continue_final_message = goes_on.then_some(Continue::Content);
        let chat = ChatOptions { add_generation_prompt: !goes_on, continue_final_message, ..options.chat.clone() };
        let special = self.tokenizer.special_tokens();
        let text = self.templates.apply(special, &prompt::normalized(messages), &chat)?;
        let begins = special.bos_token().is_some_and(|bos| text.starts_with(bos));
        let encode = if begins { options.encode.without_special_tokens() } else { options.encode };
        Ok((Cow::Owned(text), Cow::Owned(pictures), encode))
    }
}

/// A prompt's tokens, and the features of all its pictures, `(places, width)`.
struct Encoded {
    ids: Vec<u32>,
    features: Arc<Array2<f32>>,
}

fn lost<T>() -> Result<T> {
    Err(Error::new(ErrorKind::Runtime, "a prompt was not answered"))
}

fn size(config: &ModelConfig, field: &str) -> Option<usize> {
    config.integer(field).and_then(|n| usize::try_from(n).ok())
}

/// The pipeline's own defaults.
fn defaults() -> Map<String, Value> {
    json!({"max_new_tokens": 256}).as_object().cloned().unwrap_or_default()
}

impl Pipeline for ImageTextToText {
    const TASK: Task = Task {
        id: "image-text-to-text",
        aliases: &["image-to-text"],
        summary: "What a model says to pictures and text",
        default_model: "Qwen/Qwen3-VL-2B-Instruct",
        heads: &[Head::ImageTextToText],
        inputs: "an object {images, text}, a chat (a list of objects {role, content}, with pictures in the content), a text, or a list of them",
        fields: &["images", "text"],
        parameters: &PARAMETERS,
        medium: Medium::Image,
        suits: super::labels::any,
        load: boxed::<Self>,
    };

    fn load(pretrained: &Pretrained) -> Result<Self> {
        let named = |e: Error| e.at(pretrained.checkpoint.name());
        let checkpoint = &pretrained.checkpoint;
        let model = pretrained.model(Head::ImageTextToText)?;
        generate::open_embedded(&model, pretrained.config.value(), None).map_err(named)?;
        let (processor, generation) = (checkpoint.json("processor_config.json")?, checkpoint.json("generation_config.json")?);
        let tokenizer = Arc::new(pretrained.tokenizer()?);
        let text = pretrained.config.value().get("text_config").unwrap_or(pretrained.config.value());
        Ok(Self {
            placeholder: ImagePlaceholder::from_config(processor.as_ref(), &tokenizer).map_err(named)?,
            vision: Vision::new(pretrained, &model, processor.as_ref()).map_err(named)?,
            response: Response::of(checkpoint.json("tokenizer_config.json")?.as_ref()),
            templates: ChatTemplates::of_processor(checkpoint).map_err(named)?,
            defaults: GenerationDefaults::new(generation.as_ref(), pretrained.config.value()).map_err(named)?,
            text: ModelConfig::new(text.clone()).map_err(named)?,
            config: pretrained.config.clone(),
            tokenizer,
            model,
        })
    }

    fn call_many(&self, inputs: &[Value], parameters: Parameters) -> Result<Vec<Result<Value>>> {
        let prompts: Vec<Result<Vec<Prompt<'_>>>> = inputs.iter().map(|input| prompt::prompts(input, &self.placeholder)).collect();
        let good: Vec<Prompt<'_>> = prompts.iter().flatten().flatten().cloned().collect();
        let Call { form, options } = self.asked(&good, parameters)?;
        let mut answers = self.run_many(&good, &options)?.into_iter();
        let shown = prompts.into_iter().map(|prompts| {
            let mut records = Vec::new();
            // Each takes its answers, also behind one that failed.
            let each: Vec<_> = prompts?.into_iter().map(|prompt| (prompt, answers.next().unwrap_or_else(lost))).collect();
            for (prompt, answers) in each {
                records.extend(answers?.into_iter().map(|answer| form.of(self, answer, &prompt, &options)));
            }
            all_records(records)
        });
        Ok(shown.collect())
    }

    /// A list of messages is a chat, which is a single input; texts without pictures are one each.
    fn inputs_of<'a>(inputs: &'a Value, _: &Parameters) -> Option<Cow<'a, [Value]>> {
        let listed = |value: &'a Value| value.as_array().filter(|list| !prompt::is_chat(list)).map(|list| Cow::Borrowed(list.as_slice()));
        match inputs {
            Value::Object(fields) if !prompt::IMAGES.iter().any(|name| fields.contains_key(*name)) => listed(fields.get("text")?),
            inputs => listed(inputs),
        }
    }

    fn stream_call<'a>(&'a self, inputs: &'a Value, parameters: Parameters) -> Result<Option<TextIter<'a>>> {
        if Self::inputs_of(inputs, &parameters).is_some() {
            return Ok(None);
        }
        let prompts = prompt::prompts(inputs, &self.placeholder)?;
        let Call { form, options } = self.asked(&prompts, parameters)?;
        let config = GenerationConfig::resolve(&self.defaults, &defaults(), &options.generation)?;
        let is_plain = config.num_beams == 1 && config.num_return_sequences == 1;
        let (shown, prompt) = match (form, prompts.as_slice()) {
            (Form::FullText, [prompt @ Prompt::Text(text, _)]) => (*text, prompt),
            (Form::NewText, [prompt]) => ("", prompt),
            _ => return Ok(None),
        };
        if !is_plain {
            return Ok(None);
        }
        let pieces = self.stream(prompt, &options)?;
        Ok(Some(Box::new(Some(Ok(shown.to_owned())).into_iter().chain(pieces))))
    }
}

impl ImageTextToText {
    fn asked(&self, prompts: &[Prompt<'_>], parameters: Parameters) -> Result<Call> {
        let only_chats = !prompts.is_empty() && prompts.iter().all(|prompt| matches!(prompt, Prompt::Chat(_)));
        let named = parameters.get("chat_template").and_then(Value::as_str);
        let template = if only_chats { self.templates.choose(named, parameters.has("tools")).unwrap_or_default() } else { "" };
        Call::new(template, parameters.clone())
    }
}

/// The records of one input, or what was wrong with the first that failed.
fn all_records(records: Vec<Result<Value>>) -> Result<Value> {
    records.into_iter().collect::<Result<Vec<Value>>>().map(Value::Array)
}
