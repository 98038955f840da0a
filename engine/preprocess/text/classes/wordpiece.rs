//! BERT's family: words found greedily in a vocabulary of whole words and their continuations.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::{Class, DEFAULT, INPUTS_WITH_TYPES, Post, Recipe, Source, VocabFiles, template};
use crate::Result;
use crate::preprocess::text::init::{Init, Special};
use crate::preprocess::text::vocabulary::{Kind, ModelJson};

const BERT_SPECIAL: &[(&str, Option<&str>)] = &[
    ("unk_token", Some("[UNK]")),
    ("sep_token", Some("[SEP]")),
    ("pad_token", Some("[PAD]")),
    ("cls_token", Some("[CLS]")),
    ("mask_token", Some("[MASK]")),
];

pub(super) const BERT: Class = Class {
    name: "BertTokenizer",
    files: VocabFiles::VocabTxt,
    special: BERT_SPECIAL,
    model_input_names: INPUTS_WITH_TYPES,
    build: Some(bert),
    ..DEFAULT
};

/// Without a constructor of its own, the reference takes its `tokenizer.json` as it is.
pub(super) const CONVBERT: Class = Class { name: "ConvBertTokenizer", verbatim: true, ..BERT };

pub(super) const DISTILBERT: Class = Class { name: "DistilBertTokenizer", model_input_names: super::INPUTS, ..BERT };

pub(super) const FUNNEL: Class = Class {
    name: "FunnelTokenizer",
    special: &[
        ("unk_token", Some("<unk>")),
        ("sep_token", Some("<sep>")),
        ("pad_token", Some("<pad>")),
        ("cls_token", Some("<cls>")),
        ("mask_token", Some("<mask>")),
        ("bos_token", Some("<s>")),
        ("eos_token", Some("</s>")),
    ],
    model_input_names: super::INPUTS,
    build: Some(funnel),
    ..BERT
};

pub(super) const MPNET: Class = Class {
    name: "MPNetTokenizer",
    special: &[
        ("bos_token", Some("<s>")),
        ("eos_token", Some("</s>")),
        ("sep_token", Some("</s>")),
        ("cls_token", Some("<s>")),
        ("unk_token", Some("[UNK]")),
        ("pad_token", Some("<pad>")),
        ("mask_token", Some("<mask>")),
    ],
    mask_lstrip: true,
    model_input_names: super::INPUTS,
    build: Some(mpnet),
    ..BERT
};

pub(super) const SPLINTER: Class = Class { name: "SplinterTokenizer", model_input_names: super::INPUTS, build: Some(splinter), ..BERT };

pub(super) const ROFORMER: Class = Class { name: "RoFormerTokenizer", model_input_names: super::INPUTS, build: Some(roformer), ..BERT };

fn bert(init: &mut Init, source: Source) -> Result<Recipe> {
    let post = template(init, "{cls_token}:0 $A:0 {sep_token}:0", "{cls_token}:0 $A:0 {sep_token}:0 $B:1 {sep_token}:1");
    Ok(word_piece(init, source, post))
}

fn funnel(init: &mut Init, source: Source) -> Result<Recipe> {
    let post = template(init, "{cls_token}:2 $A:0 {sep_token}:0", "{cls_token}:2 $A:0 {sep_token}:0 $B:1 {sep_token}:1");
    let mut recipe = word_piece(init, source, post);
    recipe.normalizer["clean_text"] = init.flag("clean_text", true).into();
    recipe.decoder["prefix"] = init.text("wordpieces_prefix").unwrap_or("##").into();
    Ok(recipe)
}

fn mpnet(init: &mut Init, source: Source) -> Result<Recipe> {
    let post = Post::Roberta {
        sep: init.content("sep_token").to_owned(),
        cls: init.content("cls_token").to_owned(),
        trim_offsets: true,
        add_prefix_space: false,
    };
    Ok(word_piece(init, source, post))
}

fn roformer(init: &mut Init, source: Source) -> Result<Recipe> {
    // The reference looks words up in the path of vocab.txt, where it does not find them.
    let words = if source.from_json { source.vocab.clone().into_tokens().into_iter().collect() } else { HashSet::new() };
    let mut recipe = bert(init, source)?;
    recipe.normalizer["handle_chinese_chars"] = false.into();
    recipe.pre_tokenizer = Value::Null;
    recipe.chinese_words = Some(words);
    Ok(recipe)
}

fn splinter(init: &mut Init, source: Source) -> Result<Recipe> {
    let question = init.model_specific.iter().find(|(name, _)| name == "question_token").map(|(_, token)| token.content().to_owned());
    let question = question.unwrap_or_else(|| {
        init.model_specific.push(("question_token".to_owned(), Special::Text("[QUESTION]".to_owned())));
        "[QUESTION]".to_owned()
    });
    let pair = match init.text("padding_side") {
        Some("left") => format!("{{cls_token}}:0 $A:0 {{sep_token}}:0 $B:1 {question} . {{sep_token}}:1"),
        _ => format!("{{cls_token}}:0 $A:0 {question} . {{sep_token}}:0 $B:1 {{sep_token}}:1"),
    };
    let post = template(init, "{cls_token}:0 $A:0 {sep_token}:0", &pair);
    Ok(word_piece(init, source, post))
}

fn word_piece(init: &Init, source: Source, post: Post) -> Recipe {
    let model = ModelJson {
        kind: Some(Kind::WordPiece),
        vocab: source.vocab,
        unk_token: Some(init.content("unk_token").to_owned()),
        ..ModelJson::default()
    };
    let normalizer = json!({
        "type": "BertNormalizer",
        "clean_text": true,
        "handle_chinese_chars": init.flag("tokenize_chinese_chars", true),
        "strip_accents": init.optional_flag("strip_accents"),
        "lowercase": init.flag("do_lower_case", true),
    });
    Recipe {
        model,
        normalizer,
        pre_tokenizer: json!({"type": "BertPreTokenizer"}),
        decoder: json!({"type": "WordPiece", "prefix": "##", "cleanup": true}),
        post,
        ..Recipe::default()
    }
}
