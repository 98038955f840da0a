//! SentencePiece's unigram family: the most likely pieces, with spaces written as `▁`.

use serde_json::{Value, json};

use super::{
    Again, Class, DEFAULT, FAIRSEQ_SPECIAL, FAIRSEQ_SPECIAL_MASK, Post, Recipe, Source, Vocab, VocabFiles, languages, metaspace,
    precompiled, prepend_scheme, replace, replace_regex, sequence, strip, template,
};
use crate::preprocess::text::Side;
use crate::preprocess::text::init::{Init, Special, Token};
use crate::preprocess::text::vocabulary::{Kind, ModelJson};
use crate::{Error, Result};

const SPIECE: Class = Class { files: VocabFiles::SentencePiece("spiece.model"), kind: Some(Kind::Unigram), ..DEFAULT };

const FAIRSEQ: Class = Class {
    files: VocabFiles::SentencePiece("sentencepiece.bpe.model"),
    special: FAIRSEQ_SPECIAL_MASK,
    kind: Some(Kind::Unigram),
    ..DEFAULT
};

pub(super) const ALBERT: Class = Class {
    name: "AlbertTokenizer",
    special: &[
        ("bos_token", Some("[CLS]")),
        ("eos_token", Some("[SEP]")),
        ("unk_token", Some("<unk>")),
        ("sep_token", Some("[SEP]")),
        ("pad_token", Some("<pad>")),
        ("cls_token", Some("[CLS]")),
        ("mask_token", Some("[MASK]")),
    ],
    build: Some(albert),
    ..SPIECE
};

pub(super) const FNET: Class = Class { name: "FNetTokenizer", model_input_names: &["input_ids", "token_type_ids"], build: None, ..ALBERT };

pub(super) const REMBERT: Class =
    Class { name: "RemBertTokenizer", files: VocabFiles::SentencePiece("sentencepiece.model"), build: Some(rembert), ..ALBERT };

pub(super) const XLNET: Class = Class {
    name: "XLNetTokenizer",
    special: &[
        ("bos_token", Some("<s>")),
        ("eos_token", Some("</s>")),
        ("unk_token", Some("<unk>")),
        ("sep_token", Some("<sep>")),
        ("pad_token", Some("<pad>")),
        ("cls_token", Some("<cls>")),
        ("mask_token", Some("<mask>")),
    ],
    mask_lstrip: true,
    padding_side: Side::Left,
    build: Some(xlnet),
    ..SPIECE
};

pub(super) const BIG_BIRD: Class = Class {
    name: "BigBirdTokenizer",
    special: &[
        ("unk_token", Some("<unk>")),
        ("bos_token", Some("<s>")),
        ("eos_token", Some("</s>")),
        ("pad_token", Some("<pad>")),
        ("sep_token", Some("[SEP]")),
        ("mask_token", Some("[MASK]")),
        ("cls_token", Some("[CLS]")),
    ],
    mask_lstrip: true,
    build: Some(big_bird),
    ..SPIECE
};

pub(super) const DEBERTA_V2: Class = Class {
    name: "DebertaV2Tokenizer",
    files: VocabFiles::SentencePiece("spm.model"),
    special: &[
        ("bos_token", Some("[CLS]")),
        ("eos_token", Some("[SEP]")),
        ("unk_token", Some("[UNK]")),
        ("sep_token", Some("[SEP]")),
        ("pad_token", Some("[PAD]")),
        ("cls_token", Some("[CLS]")),
        ("mask_token", Some("[MASK]")),
    ],
    model_input_names: super::INPUTS_THEN_TYPES,
    kind: Some(Kind::Unigram),
    build: Some(deberta_v2),
    ..DEFAULT
};

pub(super) const T5: Class = Class {
    name: "T5Tokenizer",
    special: &[("eos_token", Some("</s>")), ("unk_token", Some("<unk>")), ("pad_token", Some("<pad>"))],
    reorder: Some(t5_order),
    build: Some(t5),
    ..SPIECE
};

pub(super) const PEGASUS: Class = Class {
    name: "PegasusTokenizer",
    special: &[("pad_token", Some("<pad>")), ("eos_token", Some("</s>")), ("unk_token", Some("<unk>")), ("mask_token", Some("<mask_2>"))],
    reorder: Some(pegasus_order),
    build: Some(pegasus),
    ..SPIECE
};

pub(super) const BARTHEZ: Class = Class { name: "BarthezTokenizer", mask_lstrip: true, kind: None, build: Some(barthez), ..FAIRSEQ };

pub(super) const CAMEMBERT: Class =
    Class { name: "CamembertTokenizer", mask_lstrip: true, kind: None, reorder: Some(camembert_order), build: Some(camembert), ..FAIRSEQ };

pub(super) const MBART: Class =
    Class { name: "MBartTokenizer", mask_lstrip: true, reorder: Some(mbart_order), build: Some(mbart), ..FAIRSEQ };

pub(super) const MBART50: Class = Class { name: "MBart50Tokenizer", reorder: Some(mbart50_order), build: Some(mbart50), ..MBART };

pub(super) const XGLM: Class =
    Class { name: "XGLMTokenizer", files: VocabFiles::None, special: FAIRSEQ_SPECIAL, build: Some(xglm), ..FAIRSEQ };

pub(super) const XLM_ROBERTA: Class =
    Class { name: "XLMRobertaTokenizer", reorder: Some(xlm_roberta_order), build: Some(xlm_roberta), ..FAIRSEQ };

const CLS_SEP: [&str; 2] = ["{cls_token}:0 $A:0 {sep_token}:0", "{cls_token}:0 $A:0 {sep_token}:0 $B:1 {sep_token}:1"];

fn albert(init: &mut Init, source: Source) -> Result<Recipe> {
    let [single, pair] =
        ["[CLS]:0 $A:0 [SEP]:0", "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1"].map(|form| form.split(' ').map(str::to_owned).collect());
    Ok(Recipe {
        normalizer: plain_quotes(&source, Vec::new(), init.flag("keep_accents", false), init.flag("do_lower_case", true)),
        pre_tokenizer: words(init.flag("add_prefix_space", true)),
        post: Post::Early { single, pair },
        ..pieces(source.vocab, 1, init.flag("add_prefix_space", true))
    })
}

fn rembert(init: &mut Init, source: Source) -> Result<Recipe> {
    let post = match template(init, CLS_SEP[0], CLS_SEP[1]) {
        Post::Template { single, pair } => Post::Forgotten { single, pair },
        other => other,
    };
    Ok(Recipe {
        normalizer: plain_quotes(
            &source,
            vec![replace_regex(" {2,}", " ")],
            init.flag("keep_accents", true),
            init.flag("do_lower_case", false),
        ),
        post,
        again: Again::Flagged,
        ..pieces(source.vocab, 2, init.flag("add_prefix_space", true))
    })
}

fn xlnet(init: &mut Init, source: Source) -> Result<Recipe> {
    if init.additional.is_none() {
        init.additional = Some(vec![Special::Text("<eop>".to_owned()), Special::Text("<eod>".to_owned())]);
    }
    let unk_id = source.unk_id.or(unk_id_setting(init)).unwrap_or(0);
    Ok(Recipe {
        normalizer: plain_quotes(&source, Vec::new(), false, init.flag("do_lower_case", false)),
        pre_tokenizer: words(true),
        post: template(init, "$A:0 {sep_token}:0 {cls_token}:2", "$A:0 {sep_token}:0 $B:1 {sep_token}:1 {cls_token}:2"),
        ..pieces(source.vocab, unk_id, true)
    })
}

fn big_bird(init: &mut Init, source: Source) -> Result<Recipe> {
    let unk_id = index_of(&source.vocab, init.content("unk_token"), 0).unwrap_or(100);
    Ok(Recipe {
        normalizer: sequence(vec![strip(false, false), replace_regex(" {2,}", "▁")]),
        post: template(init, CLS_SEP[0], CLS_SEP[1]),
        ..pieces(source.vocab, unk_id, init.flag("add_prefix_space", true))
    })
}

fn deberta_v2(init: &mut Init, source: Source) -> Result<Recipe> {
    let unk_id = index_of(&source.vocab, init.content("unk_token"), 0).or(source.unk_id).or(unk_id_setting(init)).unwrap_or(1);
    let mut normalizers = Vec::new();
    if init.flag("do_lower_case", false) {
        normalizers.push(json!({"type": "Lowercase"}));
    }
    normalizers.extend(one_line());
    let spaces = metaspace(if init.flag("add_prefix_space", true) { "always" } else { "first" }, true);
    let mut pre_tokenizers = Vec::new();
    if init.flag("split_by_punct", false) {
        pre_tokenizers.push(json!({"type": "Punctuation", "behavior": "Isolated"}));
    }
    pre_tokenizers.push(spaces.clone());
    Ok(Recipe {
        normalizer: sequence(normalizers),
        pre_tokenizer: json!({"type": "Sequence", "pretokenizers": pre_tokenizers}),
        decoder: spaces,
        post: template(init, CLS_SEP[0], CLS_SEP[1]),
        ..pieces(source.vocab, unk_id, true)
    })
}

fn t5(init: &mut Init, source: Source) -> Result<Recipe> {
    let sentinels = (0..extra_ids(init)).map(|i| Special::Text(format!("<extra_id_{i}>")));
    match &mut init.additional {
        None => init.additional = Some(sentinels.collect()),
        Some(extra) if !extra.iter().any(|token| token.content().contains("<extra_id_")) => extra.extend(sentinels),
        Some(_) => {}
    }
    Ok(Recipe {
        normalizer: source.charsmap.as_deref().map(precompiled).unwrap_or_default(),
        pre_tokenizer: words(true),
        post: template(init, "$A </s>", "$A </s> $B </s>"),
        ..pieces(source.vocab, 2, true)
    })
}

fn pegasus(init: &mut Init, source: Source) -> Result<Recipe> {
    let sentence_mask = init.model_specific.iter().find(|(name, _)| name == "mask_token_sent").map(|(_, token)| token.content().to_owned());
    let sentence_mask = sentence_mask.or_else(|| init.text("mask_token_sent").map(str::to_owned)).unwrap_or_else(|| "<mask_1>".to_owned());
    let known = init.additional.iter().flatten().any(|token| token.content() == sentence_mask);
    let mut extra = if known { Vec::new() } else { vec![Special::Text(sentence_mask)] };
    extra.extend((2..offset(init)).map(|i| Special::Text(format!("<unk_{i}>"))));
    init.additional = Some(extra);
    let unk_id = index_of(&source.vocab, init.content("unk_token"), 1)
        .ok_or_else(|| Error::config("tokenizer: the vocabulary has no unknown token with score 0"))?;
    let first = source.charsmap.as_deref().map_or_else(|| replace_regex(r"\n", " "), precompiled);
    Ok(Recipe {
        normalizer: sequence(vec![first, replace_regex(" {2,}", " ")]),
        post: template(init, "$A {eos_token}", "$A $B {eos_token}"),
        ..pieces(source.vocab, unk_id, true)
    })
}

fn barthez(init: &mut Init, source: Source) -> Result<Recipe> {
    Ok(Recipe { normalizer: sequence(one_line()), ..pieces(source.vocab, 3, init.flag("add_prefix_space", true)) })
}

fn camembert(init: &mut Init, source: Source) -> Result<Recipe> {
    if init.additional.is_none() {
        let unused = ["<s>NOTUSED", "</s>NOTUSED", "<unk>NOTUSED"];
        init.additional = Some(unused.into_iter().map(|token| Special::Text(token.to_owned())).collect());
    }
    let unk_id = match &source.vocab {
        Vocab::Scores(scores) => scores.iter().position(|(token, _)| token == init.content("unk_token")).unwrap_or(0),
        Vocab::Ids(_) => 0,
    };
    let add_prefix_space = init.flag("add_prefix_space", true);
    Ok(Recipe {
        normalizer: source.charsmap.as_deref().map(precompiled).unwrap_or_default(),
        pre_tokenizer: words(add_prefix_space),
        post: template(init, "{bos_token} $A {eos_token}", "{bos_token} $A {eos_token} {eos_token} $B {eos_token}"),
        ..pieces(source.vocab, unk_id, add_prefix_space)
    })
}

fn xlm_roberta(init: &mut Init, source: Source) -> Result<Recipe> {
    let add_prefix_space = init.flag("add_prefix_space", true);
    Ok(Recipe {
        normalizer: source.charsmap.as_deref().map(precompiled).unwrap_or_default(),
        pre_tokenizer: words(add_prefix_space),
        post: template(init, "{bos_token} $A {eos_token}", "{bos_token} $A {eos_token} {eos_token} $B {eos_token}"),
        ..pieces(source.vocab, 3, add_prefix_space)
    })
}

fn mbart(init: &mut Init, source: Source) -> Result<Recipe> {
    let mut extra: Vec<Special> = languages::MBART.iter().map(|code| Special::Text((*code).to_owned())).collect();
    extra.extend(init.additional.take().into_iter().flatten().filter(|token| !languages::MBART.contains(&token.content())));
    init.additional = Some(extra);
    let language = init.text("src_lang").unwrap_or("en_XX").to_owned();
    let eos = init.content("eos_token").to_owned();
    Ok(Recipe { pre_tokenizer: words(true), post: languages::suffix_template(&language, &eos), ..pieces(source.vocab, 3, true) })
}

fn mbart50(init: &mut Init, source: Source) -> Result<Recipe> {
    let mut extra = init.additional.take().unwrap_or_default();
    let codes = || languages::MBART.iter().chain(languages::MBART50);
    for code in codes() {
        if !extra.iter().any(|token| token.content() == *code) {
            extra.push(Special::Token(Token::special(*code)));
        }
    }
    init.additional = Some(extra);
    let language = init.text("src_lang").unwrap_or("en_XX").to_owned();
    let eos = init.content("eos_token").to_owned();
    Ok(Recipe { normalizer: one_space(&source), post: languages::prefix_template(&language, &eos), ..pieces(source.vocab, 3, true) })
}

fn xglm(init: &mut Init, source: Source) -> Result<Recipe> {
    let extra = init.additional.get_or_insert_default();
    for i in 0..7 {
        let word = format!("<madeupword{i}>");
        if !extra.iter().any(|token| token.content() == word) {
            extra.push(Special::Text(word));
        }
    }
    Ok(Recipe {
        normalizer: one_space(&source),
        post: template(init, "{eos_token} $A", "{eos_token} $A {eos_token} {eos_token} $B"),
        ..pieces(source.vocab, 3, init.flag("add_prefix_space", true))
    })
}

fn t5_order(init: &Init, vocab: Vocab) -> Vocab {
    let sentinels = (0..extra_ids(init)).rev().map(|i| (format!("<extra_id_{i}>"), 0.0));
    Vocab::Scores(vocab.into_scores().into_iter().chain(sentinels).collect())
}

fn pegasus_order(init: &Init, vocab: Vocab) -> Vocab {
    let mask = init.content_or("mask_token", "<mask_1>");
    let sentence_mask = init.text("mask_token_sent").unwrap_or("<mask_2>");
    let mut first = vec![init.content_or("pad_token", "<pad>"), init.content_or("eos_token", "</s>"), mask];
    first.extend((sentence_mask != mask).then_some(sentence_mask));
    let mut pieces: Vec<(String, f64)> = first.into_iter().map(|token| (token.to_owned(), 0.0)).collect();
    pieces.extend((2..offset(init)).map(|i| (format!("<unk_{i}>"), -100.0)));
    pieces.extend(vocab.into_scores().into_iter().skip(2));
    Vocab::Scores(pieces)
}

/// The first pieces stand for tokens that no text should give.
fn camembert_order(init: &Init, vocab: Vocab) -> Vocab {
    let (pad, unk) = (init.content_or("pad_token", "<pad>"), init.content_or("unk_token", "<unk>"));
    let first = [("<s>NOTUSED", 0.0), (pad, 0.0), ("</s>NOTUSED", 0.0), (unk, 0.0), ("<unk>NOTUSED", -100.0)];
    let mut pieces: Vec<(String, f64)> = first.into_iter().map(|(token, score)| (token.to_owned(), score)).collect();
    pieces.extend(vocab.into_scores().into_iter().skip(1));
    pieces.push((init.content_or("mask_token", "<mask>").to_owned(), 0.0));
    Vocab::Scores(pieces)
}

fn xlm_roberta_order(init: &Init, vocab: Vocab) -> Vocab {
    fairseq_order(init, "bos_token", vocab, &[])
}

fn mbart_order(init: &Init, vocab: Vocab) -> Vocab {
    fairseq_order(init, "bos_token", vocab, &[languages::MBART])
}

fn mbart50_order(init: &Init, vocab: Vocab) -> Vocab {
    fairseq_order(init, "cls_token", vocab, &[languages::MBART, languages::MBART50])
}

/// fairseq's special tokens take the place of SentencePiece's three, languages and the mask follow.
fn fairseq_order(init: &Init, first: &str, vocab: Vocab, languages: &[&[&str]]) -> Vocab {
    let special = [(first, "<s>"), ("pad_token", "<pad>"), ("eos_token", "</s>"), ("unk_token", "<unk>")];
    let mut pieces: Vec<(String, f64)> =
        special.into_iter().map(|(name, default)| (init.content_or(name, default).to_owned(), 0.0)).collect();
    pieces.extend(vocab.into_scores().into_iter().skip(3));
    pieces.extend(languages.concat().into_iter().map(|code| (code.to_owned(), 0.0)));
    pieces.push((init.content_or("mask_token", "<mask>").to_owned(), 0.0));
    Vocab::Scores(pieces)
}

/// Typewriter's quotes, some more, and SentencePiece's normalization.
fn plain_quotes(source: &Source, more: Vec<Value>, keep_accents: bool, do_lower_case: bool) -> Value {
    let mut normalizers = vec![replace("``", "\""), replace("''", "\"")];
    normalizers.extend(more);
    if !keep_accents {
        normalizers.extend([json!({"type": "NFKD"}), json!({"type": "StripAccents"})]);
    }
    if do_lower_case {
        normalizers.push(json!({"type": "Lowercase"}));
    }
    normalizers.extend(source.charsmap.as_deref().map(precompiled));
    sequence(normalizers)
}

/// The model, with spaces alone between words.
fn pieces(vocab: Vocab, unk_id: usize, add_prefix_space: bool) -> Recipe {
    let model = ModelJson { kind: Some(Kind::Unigram), vocab, unk_id: Some(unk_id), ..ModelJson::default() };
    let spaces = metaspace(prepend_scheme(add_prefix_space), true);
    Recipe { model, pre_tokenizer: spaces.clone(), decoder: spaces, post: Post::File, ..Recipe::default() }
}

/// Split at any white space, so that offsets leave it out.
fn words(add_prefix_space: bool) -> Value {
    json!({"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, metaspace(prepend_scheme(add_prefix_space), true)]})
}

fn one_space(source: &Source) -> Value {
    let charsmap = source.charsmap.as_deref().map(precompiled);
    sequence(charsmap.into_iter().chain([replace_regex(" {2,}", " ")]).collect())
}

fn one_line() -> Vec<Value> {
    vec![replace_regex(r"\s{2,}|[\n\r\t]", " "), json!({"type": "NFC"}), strip(false, true)]
}

/// Where a token with score 0 lies, from some place on.
fn index_of(vocab: &Vocab, token: &str, from: usize) -> Option<usize> {
    match vocab {
        Vocab::Scores(scores) => (from..scores.len()).find(|id| scores[*id].0 == token && scores[*id].1 == 0.0),
        Vocab::Ids(_) => None,
    }
}

/// How many sentinels T5 has.
fn extra_ids(init: &Init) -> u64 {
    init.settings.get("extra_ids").and_then(Value::as_u64).unwrap_or(100).min(10_000)
}

/// How many tokens Pegasus has before SentencePiece's.
fn offset(init: &Init) -> u64 {
    init.settings.get("offset").and_then(Value::as_u64).unwrap_or(103).min(10_000)
}

fn unk_id_setting(init: &Init) -> Option<usize> {
    init.settings.get("unk_id").and_then(Value::as_u64).and_then(|id| usize::try_from(id).ok())
}
