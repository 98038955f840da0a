//! Llama's family: SentencePiece's merges, with spaces written as `▁`, and older merges over characters.

use serde_json::{Value, json};

use super::{
    Again, Class, DEFAULT, FAIRSEQ_SPECIAL, FAIRSEQ_SPECIAL_MASK, Post, Recipe, Source, VocabFiles, metaspace, precompiled, replace,
    replace_regex, sequence, strip,
};
use crate::Result;
use crate::preprocess::text::Side;
use crate::preprocess::text::init::{Init, Special, Token};
use crate::preprocess::text::vocabulary::{Kind, ModelJson, Vocab};

pub(super) const LLAMA: Class = Class {
    name: "LlamaTokenizer",
    files: VocabFiles::SentencePiece("tokenizer.model"),
    special: &[("unk_token", Some("<unk>")), ("bos_token", Some("<s>")), ("eos_token", Some("</s>"))],
    padding_side: Side::Left,
    kind: Some(Kind::BPE),
    build: Some(llama),
    ..DEFAULT
};

pub(super) const CODE_LLAMA: Class = Class { name: "CodeLlamaTokenizer", build: Some(code_llama), ..LLAMA };

pub(super) const GEMMA: Class = Class {
    name: "GemmaTokenizer",
    special: &[
        ("unk_token", Some("<unk>")),
        ("bos_token", Some("<bos>")),
        ("eos_token", Some("<eos>")),
        ("pad_token", Some("<pad>")),
        ("mask_token", Some("<mask>")),
    ],
    build: Some(gemma),
    ..LLAMA
};

pub(super) const SIGLIP2: Class = Class { name: "Siglip2Tokenizer", files: VocabFiles::None, build: Some(siglip2), ..GEMMA };

pub(super) const NLLB: Class = Class {
    name: "NllbTokenizer",
    files: VocabFiles::SentencePiece("sentencepiece.bpe.model"),
    special: FAIRSEQ_SPECIAL_MASK,
    kind: Some(Kind::BPE),
    reorder: Some(nllb_order),
    build: Some(nllb),
    ..DEFAULT
};

pub(super) const SEAMLESS_M4T: Class =
    Class { name: "SeamlessM4TTokenizer", special: FAIRSEQ_SPECIAL, reorder: Some(seamless_m4t_order), build: Some(seamless_m4t), ..NLLB };

pub(super) const REFORMER: Class = Class {
    name: "ReformerTokenizer",
    files: VocabFiles::SentencePiece("spiece.model"),
    special: &[("eos_token", Some("</s>")), ("unk_token", Some("<unk>"))],
    kind: Some(Kind::BPE),
    build: Some(reformer),
    ..DEFAULT
};

pub(super) const HERBERT: Class = Class {
    name: "HerbertTokenizer",
    files: VocabFiles::VocabJsonMerges,
    special: &[
        ("cls_token", Some("<s>")),
        ("unk_token", Some("<unk>")),
        ("pad_token", Some("<pad>")),
        ("mask_token", Some("<mask>")),
        ("sep_token", Some("</s>")),
    ],
    build: Some(herbert),
    ..DEFAULT
};

pub(super) const OPENAI_GPT: Class = Class {
    name: "OpenAIGPTTokenizer",
    files: VocabFiles::VocabJsonMerges,
    special: &[("unk_token", Some("<unk>"))],
    build: Some(openai_gpt),
    ..DEFAULT
};

fn llama(init: &mut Init, source: Source) -> Result<Recipe> {
    let add_prefix_space = init.flag("add_prefix_space", true);
    let scheme = match (add_prefix_space, init.flag("legacy", false)) {
        (false, _) => "never",
        (true, false) => "first",
        (true, true) => "always",
    };
    let mut recipe = byte_fallback(source, None);
    recipe.pre_tokenizer = metaspace(scheme, false);
    recipe.decoder = decoder(add_prefix_space);
    Ok(recipe)
}

fn code_llama(init: &mut Init, source: Source) -> Result<Recipe> {
    const INFILLING: [(&str, &str); 5] = [
        ("prefix_token", "▁<PRE>"),
        ("middle_token", "▁<MID>"),
        ("suffix_token", "▁<SUF>"),
        ("eot_token", "▁<EOT>"),
        ("fill_token", "<FILL_ME>"),
    ];
    for (name, token) in INFILLING {
        init.additional.get_or_insert_default().push(Special::Text(token.to_owned()));
        if !init.model_specific.iter().any(|(named, _)| named == name) {
            init.model_specific.push((name.to_owned(), Special::Text(token.to_owned())));
        }
    }
    init.settings.entry("add_bos_token").or_insert(Value::Bool(true));
    let mut recipe = byte_fallback(source, Some(init.content("unk_token")));
    recipe.pre_tokenizer = metaspace(if init.flag("add_prefix_space", true) { "first" } else { "never" }, false);
    recipe.decoder = decoder(true);
    Ok(recipe)
}

fn gemma(init: &mut Init, source: Source) -> Result<Recipe> {
    let mut recipe = byte_fallback(source, Some(init.content("unk_token")));
    recipe.normalizer = replace(" ", "▁");
    recipe.pre_tokenizer = json!({"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": false});
    recipe.decoder = decoder(false);
    Ok(recipe)
}

fn siglip2(init: &mut Init, source: Source) -> Result<Recipe> {
    let mut recipe = gemma(init, source)?;
    recipe.normalizer = sequence(vec![json!({"type": "Lowercase"}), recipe.normalizer]);
    Ok(recipe)
}

fn nllb(init: &mut Init, source: Source) -> Result<Recipe> {
    if let Some(Special::Text(mask)) = init.get("mask_token") {
        let mask = Token { normalized: Some(true), special: true, ..Token::lstrip(mask.as_str()) };
        init.set("mask_token", Some(Special::Token(mask)));
    }
    if init.extra.is_none() && init.additional.is_none() {
        init.extra = Some(super::languages::NLLB.iter().map(|code| Special::Text((*code).to_owned())).collect());
    }
    let language = init.text("src_lang").unwrap_or("eng_Latn").to_owned();
    let eos = init.content("eos_token").to_owned();
    let post = super::languages::nllb_template(&language, &eos, init.flag("legacy_behaviour", false));
    Ok(Recipe { post, ..spaced_pieces(init, source, "always") })
}

/// NLLB's own special tokens come first.
fn nllb_order(init: &Init, vocab: Vocab) -> Vocab {
    let first = [("bos_token", "<s>"), ("pad_token", "<pad>"), ("eos_token", "</s>"), ("unk_token", "<unk>")];
    let mut tokens: Vec<String> = first.into_iter().map(|(name, default)| init.content_or(name, default).to_owned()).collect();
    let first: Vec<String> = tokens.clone();
    tokens.extend(vocab.into_tokens().into_iter().filter(|token| !first.contains(token)));
    Vocab::Ids(tokens.into_iter().zip(0..).collect())
}

/// Four special tokens, then the pieces from the second place on, over whatever special tokens they repeat.
fn seamless_m4t_order(_: &Init, vocab: Vocab) -> Vocab {
    let first = ["<pad>", "<unk>", "<s>", "</s>"].into_iter().map(str::to_owned).zip(0..);
    Vocab::Ids(first.chain(vocab.into_tokens().into_iter().zip(1..)).collect())
}

fn seamless_m4t(init: &mut Init, source: Source) -> Result<Recipe> {
    let language = init.text("src_lang").unwrap_or("eng");
    let language = if language.contains("__") { language.to_owned() } else { format!("__{language}__") };
    let post = super::languages::prefix_template(&language, init.content("eos_token"));
    let normalizer = sequence(vec![
        replace_regex(r"[\n\r\t]", " "),
        json!({"type": "NFKC"}),
        strip(false, true),
        replace_regex(" +▁", "▁"),
        replace_regex("^▁+$", ""),
        replace_regex(" {2,}", "▁"),
    ]);
    Ok(Recipe { normalizer, post, ..spaced_pieces(init, source, "first") })
}

fn reformer(init: &mut Init, source: Source) -> Result<Recipe> {
    Ok(Recipe { again: Again::Flagged, ..spaced_pieces(init, source, "always") })
}

fn herbert(init: &mut Init, source: Source) -> Result<Recipe> {
    let normalizer =
        json!({"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": false, "lowercase": false});
    // The reference writes these two ids, whatever the vocabulary says.
    let post = json!({"type": "BertProcessing", "sep": [init.content("sep_token"), 2], "cls": [init.content("cls_token"), 0]});
    Ok(Recipe { normalizer, post: Post::Json(post), ..word_end(init, source) })
}

fn openai_gpt(init: &mut Init, source: Source) -> Result<Recipe> {
    let normalizer =
        json!({"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true});
    let mut recipe = Recipe { normalizer, ..word_end(init, source) };
    recipe.model.continuing_subword_prefix = Some(String::new());
    Ok(recipe)
}

/// Merges over characters, with a mark at the end of each word.
fn word_end(init: &Init, source: Source) -> Recipe {
    const WORD_END: &str = "</w>";
    let model = ModelJson {
        kind: Some(Kind::BPE),
        vocab: source.vocab,
        merges: source.merges,
        unk_token: Some(init.content("unk_token").to_owned()),
        end_of_word_suffix: Some(WORD_END.to_owned()),
        ..ModelJson::default()
    };
    Recipe {
        model,
        pre_tokenizer: json!({"type": "BertPreTokenizer"}),
        decoder: json!({"type": "BPEDecoder", "suffix": WORD_END}),
        ..Recipe::default()
    }
}

/// SentencePiece's merges.
fn pieces(source: Source, unk_token: Option<&str>) -> Recipe {
    let model = ModelJson {
        kind: Some(Kind::BPE),
        vocab: source.vocab,
        merges: source.merges,
        unk_token: unk_token.map(str::to_owned),
        fuse_unk: Some(true),
        ..ModelJson::default()
    };
    Recipe { model, ..Recipe::default() }
}

/// SentencePiece's merges inside words, and its normalization, where it has one.
fn spaced_pieces(init: &Init, source: Source, prepend_scheme: &str) -> Recipe {
    let normalizer = source.charsmap.as_ref().map(|charsmap| sequence(vec![precompiled(charsmap), replace_regex(" {2,}", " ")]));
    let spaces = metaspace(prepend_scheme, true);
    Recipe {
        normalizer: normalizer.unwrap_or_default(),
        pre_tokenizer: spaces.clone(),
        decoder: spaces,
        ..pieces(source, Some(init.content("unk_token")))
    }
}

/// SentencePiece's merges, with tokens for the bytes of what the vocabulary lacks.
fn byte_fallback(source: Source, unk_token: Option<&str>) -> Recipe {
    let mut recipe = pieces(source, unk_token);
    recipe.model.byte_fallback = Some(true);
    recipe
}

fn decoder(strip_first_space: bool) -> Value {
    let mut decoders = vec![replace("▁", " "), json!({"type": "ByteFallback"}), json!({"type": "Fuse"})];
    if strip_first_space {
        decoders.push(json!({"type": "Strip", "content": " ", "start": 1, "stop": 0}));
    }
    json!({"type": "Sequence", "decoders": decoders})
}
