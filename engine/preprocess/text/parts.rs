//! The parts of a tokenizer, from whichever of its files there are.

use serde_json::{Value, json};

use super::Files;
use super::classes::{Class, Recipe, Source, VocabFiles};
use super::init::{Init, Special, Token};
use super::sentencepiece::ModelProto;
use super::tiktoken;
use super::vocabulary::{ModelJson, TokenizerJson, Vocab, read_merges, read_vocab_json, read_vocab_txt};
use crate::{Error, ErrorKind, Result};

/// What a tokenizer is assembled from.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    pub(crate) recipe: Recipe,
    /// Tokens that the recipe brings along.
    pub(crate) added: Vec<Token>,
    /// The post-processor of `tokenizer.json`, for classes without one of their own.
    pub(crate) post_processor: Value,
}

/// The version of the reference whose answers are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    Four,
    Five,
}

/// From `tokenizer.json`: as it is, or the class's own parts around its vocabulary.
pub(crate) fn from_json(class: &Class, init: &mut Init, json: TokenizerJson) -> Result<Parts> {
    class.set_defaults(init);
    take_defaults(init, &json);
    let post_processor = json.post_processor;
    let build = match class.build {
        Some(build) if !class.verbatim => build,
        build => {
            let post = build.map(|build| build(init, Source::default())).transpose()?.unwrap_or_default().post;
            let (normalizer, pre_tokenizer, decoder) = (json.normalizer, json.pre_tokenizer, json.decoder);
            let recipe = Recipe { model: json.model, normalizer, pre_tokenizer, decoder, post, ..Recipe::default() };
            return Ok(Parts { recipe, added: json.added_tokens.into_iter().map(|added| added.token).collect(), post_processor });
        }
    };
    let charsmap = charsmap(&json.normalizer);
    let recipe = build(init, Source { vocab: json.model.vocab, merges: json.model.merges, charsmap, unk_id: None, from_json: true })?;
    Ok(Parts { recipe, added: Vec::new(), post_processor })
}

/// From the vocabulary files of the class.
pub(crate) fn from_vocabulary(files: &dyn Files, class: &Class, init: &mut Init, version: Version) -> Result<Parts> {
    let mut added = Vec::new();
    if let Some(bytes) = files.read("tiktoken.model")? {
        class.set_defaults(init);
        return tiktoken::parts("tiktoken.model", &bytes, init);
    }
    let source = match class.files {
        VocabFiles::VocabTxt => {
            let bytes = files.read("vocab.txt")?.ok_or_else(|| missing(class, &["vocab.txt"]))?;
            Source { vocab: read_vocab_txt(&bytes)?, ..Source::default() }
        }
        VocabFiles::VocabJsonMerges => {
            let missing = || missing(class, &["vocab.json with merges.txt"]);
            let vocab = files.read("vocab.json")?.ok_or_else(missing)?;
            let merges = files.read("merges.txt")?.ok_or_else(missing)?;
            Source { vocab: read_vocab_json("vocab.json", &vocab)?, merges: Some(read_merges("merges.txt", &merges)?), ..Source::default() }
        }
        VocabFiles::SentencePiece(name) => {
            // A file of this name goes before the class's own.
            let mut found = files.read("tokenizer.model")?.map(|bytes| ("tokenizer.model", bytes));
            if found.is_none() {
                found = files.read(name)?.map(|bytes| (name, bytes));
            }
            let (name, bytes) = found.ok_or_else(|| missing(class, &[name]))?;
            let Ok(model) = ModelProto::parse(name, &bytes) else {
                class.set_defaults(init);
                return tiktoken::parts(name, &bytes, init);
            };
            match version {
                Version::Five => init.additional = Some(model.added_tokens()),
                Version::Four => added = model.added_tokens().iter().map(Special::token).collect(),
            }
            if class.build.is_none() {
                return Ok(generic(class, init, &model));
            }
            from_pieces(class, init, &model)
        }
        VocabFiles::None => return Err(missing(class, &[])),
    };
    class.set_defaults(init);
    let build = class.build.ok_or_else(|| missing(class, &[]))?;
    Ok(Parts { recipe: build(init, source)?, added, ..Parts::default() })
}

/// The SentencePiece model of a class that has one.
pub(crate) fn sentence_piece(files: &dyn Files, class: &Class) -> Result<Option<ModelProto>> {
    let VocabFiles::SentencePiece(name) = class.files else { return Ok(None) };
    for name in ["tokenizer.model", name] {
        if let Some(bytes) = files.read(name)? {
            return Ok(ModelProto::parse(name, &bytes).ok());
        }
    }
    Ok(None)
}

/// The pieces of a SentencePiece model in the order of the class.
fn from_pieces(class: &Class, init: &Init, model: &ModelProto) -> Source {
    let (vocab, merges) = model.vocabulary(class.kind.unwrap_or(model.kind()));
    let vocab = match class.reorder {
        Some(reorder) => reorder(init, vocab),
        None => vocab,
    };
    Source { vocab, merges, charsmap: model.charsmap(), unk_id: Some(model.unk_id()), ..Source::default() }
}

/// The parts of a class that has none of its own, from a SentencePiece model.
fn generic(class: &Class, init: &mut Init, model: &ModelProto) -> Parts {
    for (name, token) in model.special_tokens() {
        init.set_default(name, Special::Text(token));
    }
    class.set_defaults(init);
    let kind = model.kind();
    let (mut vocab, merges) = model.vocabulary(kind);
    if let Vocab::Ids(ids) = &mut vocab {
        rename(ids, init);
    }
    let normalizers: Vec<Value> = model
        .charsmap()
        .map(|charsmap| json!({"type": "Precompiled", "precompiled_charsmap": charsmap}))
        .into_iter()
        .chain([json!({"type": "Replace", "pattern": {"String": " "}, "content": "▁"})])
        .collect();
    let mut decoders = vec![json!({"type": "Replace", "pattern": {"String": "▁"}, "content": " "})];
    if model.byte_fallback() {
        decoders.extend([json!({"type": "ByteFallback"}), json!({"type": "Fuse"})]);
    }
    let model = ModelJson {
        kind: Some(kind),
        vocab,
        merges,
        unk_token: Some(model.unk_piece().to_owned()),
        unk_id: Some(model.unk_id()),
        fuse_unk: Some(true),
        byte_fallback: Some(model.byte_fallback()),
        ..ModelJson::default()
    };
    let normalizer = json!({"type": "Sequence", "normalizers": normalizers});
    let decoder = json!({"type": "Sequence", "decoders": decoders});
    Parts { recipe: Recipe { model, normalizer, decoder, ..Recipe::default() }, ..Parts::default() }
}

/// `added_tokens_decoder` may give other names to pieces that were kept free.
fn rename(ids: &mut [(String, u32)], init: &Init) {
    for (id, token) in &init.added_tokens {
        let known = ids.iter().any(|(piece, _)| *piece == token.content);
        if let Some((piece, _)) = ids.iter_mut().find(|(_, known)| known == id).filter(|_| !known) {
            piece.clone_from(&token.content);
        }
    }
}

/// What `tokenizer.json` says about padding and truncation counts only where nothing else does, and only in this.
fn take_defaults(init: &mut Init, json: &TokenizerJson) {
    if let Some(token) = json.padding.get("pad_token").and_then(Value::as_str) {
        init.set_default("pad_token", Special::Text(token.to_owned()));
    }
    for (name, params) in [("padding_side", &json.padding), ("truncation_side", &json.truncation)] {
        if let Some(direction) = params.get("direction").and_then(Value::as_str) {
            init.settings.entry(name).or_insert_with(|| direction.to_lowercase().into());
        }
    }
}

/// SentencePiece's normalization table, where the normalizer has one.
fn charsmap(normalizer: &Value) -> Option<String> {
    let list = match normalizer.get("normalizers") {
        Some(Value::Array(list)) => list.as_slice(),
        _ => std::slice::from_ref(normalizer),
    };
    list.iter().find_map(|normalizer| normalizer.get("precompiled_charsmap")?.as_str().map(str::to_owned))
}

/// The error for a checkpoint without a vocabulary.
pub(crate) fn missing(class: &Class, names: &[&str]) -> Error {
    let names: Vec<&str> = std::iter::once("tokenizer.json").chain(names.iter().copied()).collect();
    Error::new(ErrorKind::NotFound, format!("the checkpoint has no tokenizer: {} needs {}", class.name, names.join(" or ")))
}
