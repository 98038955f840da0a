//! From the files of a checkpoint to a tokenizer.

use std::collections::HashSet;
use std::sync::OnceLock;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokenizers::processors::PostProcessorWrapper;
use tokenizers::processors::template::{Template, TemplateProcessing};
use tokenizers::{DecoderWrapper, NormalizerWrapper};

use super::backend::{Backend, Engine, Fast, guarded};
use super::classes::{Again, Class, Post, version4};
use super::init::{Init, NAMED, Special, Token, read_json};
#[cfg(feature = "jieba")]
use super::jieba::Jieba;
use super::parts::{Parts, Version, from_json, from_vocabulary, sentence_piece};
use super::post_processor;
use super::python::{self, Python};
use super::splitter::Splitter;
use super::tokenizer::Settings;
use super::vocabulary::{TokenizerJson, damaged};
use super::{Files, Side, SpecialTokens, Tokenizer};
use super::{charsmap, class};
use crate::{Error, ErrorKind, Result};

/// Above this the reference takes a `model_max_length` for "no limit".
const LARGE_INTEGER: f64 = 1e20;

impl Tokenizer {
    /// Builds the tokenizer of a checkpoint from `tokenizer.json` or, where there is none, from the vocabulary files of its
    /// class; `config` is `config.json`.
    ///
    /// Fails when there is no vocabulary, or when a file is damaged.
    pub fn from_files(files: &dyn Files, config: &Value) -> Result<Self> {
        let (class, json, mut init) = read(files, config)?;
        if let Some(read) = class.python {
            return from_python(class, read, files, init);
        }
        let parts = match json {
            Some(json) => from_json(class, &mut init, json)?,
            None => from_vocabulary(files, class, &mut init, Version::Five)?,
        };
        assemble(class, init, parts, Version::Five)
    }

    /// As [`Tokenizer::from_files`], but as version 4 of the reference did, for the tasks that version 5 no longer has: tokens,
    /// offsets and token types differ.
    pub fn from_files_v4(files: &dyn Files, config: &Value) -> Result<Self> {
        let (class, json, mut init) = read(files, config)?;
        let class = &Class { model_input_names: version4::model_input_names(class), ..*class };
        if let Some(read) = class.python {
            return from_python(class, read, files, init);
        }
        let parts = match json {
            Some(mut json) => {
                version4::adjust_json(class, &init, &mut json);
                // Cutting Chinese into words is in no file.
                let own_parts = if class.name == "RoFormerTokenizer" { class.build } else { None };
                from_json(&Class { build: own_parts, ..*class }, &mut init, json)?
            }
            None => {
                version4::adjust_defaults(class, &mut init);
                let mut parts = from_vocabulary(files, class, &mut init, Version::Four)?;
                version4::adjust_recipe(class, &init, sentence_piece(files, class)?.as_ref(), &mut parts.recipe);
                parts
            }
        };
        let mut tokenizer = assemble(class, init, parts, Version::Four)?;
        tokenizer.settings.clean_up_despite_bpe = true;
        tokenizer.settings.pad_token_type_id = version4::pad_token_type_id(class);
        Ok(tokenizer)
    }
}

/// What the files say of the tokenizer.
fn read(files: &dyn Files, config: &Value) -> Result<(&'static Class, Option<TokenizerJson>, Init)> {
    let tokenizer_config = read_json(files, "tokenizer_config.json")?.unwrap_or_default();
    let bytes = files.read("tokenizer.json")?;
    let class = class::resolve(config, &tokenizer_config, bytes.as_deref());
    let json = bytes.as_deref().map(TokenizerJson::parse).transpose()?;
    let init = Init::read(files, tokenizer_config, json.as_ref())?;
    Ok((class, json, init))
}

fn from_python(class: &Class, read: python::Read, files: &dyn Files, mut init: Init) -> Result<Tokenizer> {
    class.set_defaults(&mut init);
    let parts = read(files, &mut init)?;
    let special = special_tokens(&init);
    let settings = settings(class, &init)?;
    let backend = Backend::Python(Box::new(Python::new(parts, &init, &special)));
    Ok(Tokenizer { backend, special, settings, before: OnceLock::new() })
}

/// Puts the parts together and adds the special tokens, in the order of the reference.
fn assemble(class: &Class, init: Init, parts: Parts, version: Version) -> Result<Tokenizer> {
    let Parts { recipe, added, post_processor } = parts;
    let mut engine = Engine::new(recipe.model.build()?);
    charsmap::check(&recipe.normalizer)?;
    let normalizer: Option<NormalizerWrapper> = part("normalizer", recipe.normalizer)?;
    let pre_tokenizer = splitter(recipe.pre_tokenizer, recipe.chinese_words)?;
    let decoder: Option<DecoderWrapper> = part("decoder", recipe.decoder)?;
    let processor: Option<PostProcessorWrapper> = post_processor::read(post_processor)?;
    guarded("the normalizer", || engine.with_normalizer(normalizer).map(|_| ()))?;
    engine.with_pre_tokenizer(pre_tokenizer);
    engine.with_decoder(decoder);
    guarded("adding tokens", || engine.add_tokens(added.iter().map(Token::to_added)))?;
    let named = named_tokens(&init);
    let tokens = tokens_to_add(&init, &named, &added, version);
    guarded("adding tokens", || engine.add_tokens(tokens.iter().map(Token::to_added)))?;
    guarded("adding tokens", || engine.add_tokens(tokens_again(&init, &named, recipe.again).iter().map(Token::to_added)))?;
    engine.set_encode_special_tokens(init.flag("split_special_tokens", false));

    let special = special_tokens(&init);
    let explicit = init.settings.contains_key("add_bos_token") || init.settings.contains_key("add_eos_token");
    let processor = match recipe.post {
        Post::File if !explicit && processor.is_some() => processor,
        Post::Forgotten { single, pair } if !explicit && processor.is_some() => Some(template(&engine, &special, single, pair)?),
        Post::Early { .. } if !explicit && processor.is_some() => processor,
        Post::Early { single, pair } if !explicit => Some(template(&engine, &special, single, pair)?),
        Post::File | Post::BosEos | Post::Early { .. } | Post::Forgotten { .. } => Some(bos_eos(&engine, &init, &special)?),
        Post::Template { single, pair } => Some(template(&engine, &special, single, pair)?),
        Post::Roberta { sep, cls, trim_offsets, add_prefix_space } => {
            let sep = (sep.clone(), id(&engine, &special, &sep)?);
            let cls = (cls.clone(), id(&engine, &special, &cls)?);
            let roberta = tokenizers::processors::roberta::RobertaProcessing::new(sep, cls);
            Some(roberta.trim_offsets(trim_offsets).add_prefix_space(add_prefix_space).into())
        }
        Post::Json(json) => post_processor::read(json)?,
    };
    engine.with_post_processor(processor);
    let settings = settings(class, &init)?;
    let backend = Backend::Fast(Box::new(Fast::new(engine, recipe.word_end.map(str::to_owned))?));
    Ok(Tokenizer { backend, special, settings, before: OnceLock::new() })
}

fn special_tokens(init: &Init) -> SpecialTokens {
    SpecialTokens {
        named: named_tokens(init).iter().map(|(name, special)| ((*name).to_owned(), special.content().to_owned())).collect(),
        extra: init.extra().iter().map(|special| special.content().to_owned()).collect(),
    }
}

/// The special tokens with names: the usual ones, then those of this model alone.
fn named_tokens(init: &Init) -> Vec<(&str, &Special)> {
    let usual = NAMED.iter().filter_map(|name| Some((*name, init.get(name)?)));
    usual.chain(init.model_specific.iter().map(|(name, special)| (name.as_str(), special))).collect()
}

/// All added tokens of the files by id, then the special tokens that they and the engine lack.
fn tokens_to_add(init: &Init, named: &[(&str, &Special)], present: &[Token], version: Version) -> Vec<Token> {
    let mut tokens: Vec<Token> = init.added_tokens.values().cloned().collect();
    let known: HashSet<&str> = present.iter().chain(init.added_tokens.values()).map(|token| token.content.as_str()).collect();
    let specials = named.iter().map(|(_, special)| *special).chain(init.extra());
    // One content may come twice with different flags; then the last one counts.
    // Version 4 adds those with flags also when they are known.
    let again = |special: &Special| version == Version::Four && matches!(special, Special::Token(_));
    tokens.extend(specials.filter(|special| !known.contains(special.content()) || again(special)).map(Special::token));
    for token in &mut tokens {
        token.special |= named.iter().any(|(_, special)| special.content() == token.content);
        token.special |= version == Version::Four && init.extra().iter().any(|special| special.content() == token.content);
    }
    tokens
}

/// The special tokens that a class registers a second time.
fn tokens_again(init: &Init, named: &[(&str, &Special)], again: Again) -> Vec<Token> {
    let specials = named.iter().map(|(_, special)| *special).chain(init.extra());
    match again {
        Again::No => Vec::new(),
        Again::Flagged => specials.map(|special| Token { special: true, ..special.token() }).collect(),
        Again::Plain => specials.map(|special| Token::special(special.content())).collect(),
    }
}

fn splitter(json: Value, chinese_words: Option<HashSet<String>>) -> Result<Option<Splitter>> {
    match chinese_words {
        None => part("pre_tokenizer", json),
        #[cfg(feature = "jieba")]
        Some(vocab) => Ok(Some(Splitter::Jieba(Jieba { vocab }))),
        #[cfg(not(feature = "jieba"))]
        Some(_) => Err(Error::unsupported("a RoFormerTokenizer cuts Chinese into words, which needs the Cargo feature `jieba`")),
    }
}

/// A part of a tokenizer from its JSON; `null` is no part.
pub(super) fn part<T: DeserializeOwned>(name: &str, json: Value) -> Result<Option<T>> {
    if json.is_null() {
        return Ok(None);
    }
    guarded(name, || Ok(serde_json::from_value(json)?)).map(Some).map_err(|error| damaged("tokenizer.json", error))
}

/// The first and last token, as far as `add_bos_token` and `add_eos_token` ask for them.
fn bos_eos(engine: &Engine, init: &Init, special: &SpecialTokens) -> Result<PostProcessorWrapper> {
    let bos = special.bos_token().filter(|_| init.flag("add_bos_token", false));
    let eos = special.eos_token().filter(|_| init.flag("add_eos_token", false));
    let around = |text: &str, type_id: u32| -> Vec<String> {
        let before = bos.map(|bos| format!("{bos}:{type_id}"));
        let after = eos.map(|eos| format!("{eos}:{type_id}"));
        before.into_iter().chain([format!("{text}:{type_id}")]).chain(after).collect()
    };
    let single = around("$A", 0);
    let pair = [single.clone(), around("$B", 1)].concat();
    template(engine, special, single, pair)
}

fn template(engine: &Engine, special: &SpecialTokens, single: Vec<String>, pair: Vec<String>) -> Result<PostProcessorWrapper> {
    let mut tokens: Vec<(String, u32)> = Vec::new();
    for piece in single.iter().chain(&pair).filter(|piece| !piece.starts_with('$')) {
        let token = match piece.rsplit_once(':') {
            Some((token, type_id)) if type_id.parse::<u32>().is_ok() => token,
            _ => piece,
        };
        if !tokens.iter().any(|(known, _)| known == token) {
            tokens.push((token.to_owned(), id(engine, special, token)?));
        }
    }
    guarded("the template of special tokens", || {
        let mut builder = TemplateProcessing::builder();
        builder.single(Template::try_from(single)?).pair(Template::try_from(pair)?).special_tokens(tokens);
        Ok(builder.build()?.into())
    })
}

/// The id of a special token, or of the unknown token.
fn id(engine: &Engine, special: &SpecialTokens, token: &str) -> Result<u32> {
    engine.token_to_id(token).or_else(|| engine.token_to_id(special.unk_token()?)).ok_or_else(|| {
        Error::new(
            ErrorKind::Checkpoint,
            format!("tokenizer: the vocabulary lacks the special token {token:?}, and there is no unknown token"),
        )
    })
}

fn chat_control_tokens(init: &Init) -> Result<Option<Vec<String>>> {
    let Some(value) = init.settings.get("chat_control_tokens").filter(|value| !value.is_null()) else { return Ok(None) };
    let read = serde_json::from_value(value.clone());
    read.map(Some)
        .map_err(|_| Error::config(format!("tokenizer_config.json: chat_control_tokens: expected a list of strings, not {value}")))
}

fn settings(class: &Class, init: &Init) -> Result<Settings> {
    let side = |name: &str, default: Side| match init.text(name) {
        None => Ok(default),
        Some("left") => Ok(Side::Left),
        Some("right") => Ok(Side::Right),
        Some(other) => Err(Error::config(format!("tokenizer_config.json: {name} is {other:?}; it must be left or right"))),
    };
    let length = init.settings.get("model_max_length").or_else(|| init.settings.get("max_len")).and_then(Value::as_f64);
    let names = init.settings.get("model_input_names").and_then(Value::as_array);
    Ok(Settings {
        class: class.name.to_owned(),
        model_max_length: length.filter(|length| *length >= 0.0 && *length <= LARGE_INTEGER).map(|length| length as usize),
        fixed_length: None,
        padding_side: side("padding_side", class.padding_side)?,
        truncation_side: side("truncation_side", Side::Right)?,
        pad_token_type_id: 0,
        model_input_names: match names {
            Some(names) => names.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            None => class.model_input_names.iter().map(|name| (*name).to_owned()).collect(),
        },
        clean_up_tokenization_spaces: init.flag("clean_up_tokenization_spaces", false),
        chat_control_tokens: chat_control_tokens(init)?,
        clean_up_despite_bpe: init.flag("clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output", false),
    })
}
