//! What version 4 of the reference does otherwise, for the tasks that version 5 no longer has.
//!
//! It takes `tokenizer.json` as it is, but for a few settings of `tokenizer_config.json`, and converts SentencePiece models
//! with white space in the offsets of tokens.

use serde_json::{Value, json};

use super::super::init::{Init, Special, Token};
use super::super::sentencepiece::ModelProto;
use super::super::vocabulary::{TokenizerJson, Vocab};
use super::{Class, INPUTS_WITH_TYPES, Post, Recipe, precompiled, replace_regex, sequence, strip, template};

/// Classes that sent token types without being asked.
const SEND_TYPES: &[&str] = &[
    super::super::class::GENERIC,
    "AlbertTokenizer",
    "DebertaV2Tokenizer",
    "FunnelTokenizer",
    "RemBertTokenizer",
    "RoFormerTokenizer",
    "SplinterTokenizer",
    "XLNetTokenizer",
];

/// Classes whose mask token takes the space before it along, unlike in version 5.
const MASK_LSTRIP: &[&str] =
    &["AlbertTokenizer", "DebertaTokenizer", "MBart50Tokenizer", "RemBertTokenizer", "RobertaTokenizer", "XLMRobertaTokenizer"];

/// Classes whose mask token is looked for in the normalized text.
const NORMALIZED_MASK: &[&str] = &["MBart50Tokenizer", "RemBertTokenizer"];

/// Classes whose unknown token is looked for there too.
const NORMALIZED_UNK: &[&str] = &["BigBirdTokenizer", "DebertaV2Tokenizer"];

/// What a class sends to the model.
pub(crate) fn model_input_names(class: &Class) -> &'static [&'static str] {
    if SEND_TYPES.contains(&class.name) { INPUTS_WITH_TYPES } else { class.model_input_names }
}

/// The token type of padding.
pub(crate) fn pad_token_type_id(class: &Class) -> u32 {
    if class.name == "XLNetTokenizer" { 3 } else { 0 }
}

/// What the classes written in Python say where the checkpoint says nothing, and pass on when they are converted.
pub(crate) fn adjust_defaults(class: &Class, init: &mut Init) {
    if class.files == super::VocabFiles::VocabTxt && class.name != "RoFormerTokenizer" {
        init.settings.entry("clean_up_tokenization_spaces").or_insert(Value::Bool(true));
    }
    if class.name == "RemBertTokenizer" {
        init.set_default("unk_token", Special::Text("[UNK]".to_owned()));
        init.set_default("pad_token", Special::Text("[PAD]".to_owned()));
    }
    let unk = class.special.iter().find(|(name, _)| *name == "unk_token").and_then(|(_, unk)| *unk);
    if let Some(unk) = unk.filter(|_| NORMALIZED_UNK.contains(&class.name) && !matches!(init.get("unk_token"), Some(Special::Token(_)))) {
        let unk = Token { normalized: Some(true), ..Token::special(init.content_or("unk_token", unk)) };
        init.set("unk_token", Some(Special::Token(unk)));
    }
    let mask = class.special.iter().find(|(name, _)| *name == "mask_token").and_then(|(_, mask)| *mask);
    if let Some(mask) = mask.filter(|_| MASK_LSTRIP.contains(&class.name) && !matches!(init.get("mask_token"), Some(Special::Token(_)))) {
        let normalized = NORMALIZED_MASK.contains(&class.name).then_some(true);
        let mask = Token { normalized, ..Token::lstrip(init.content_or("mask_token", mask)) };
        init.set("mask_token", Some(Special::Token(mask)));
    }
}

/// Puts the settings that the class takes over into `tokenizer.json`.
pub(crate) fn adjust_json(class: &Class, init: &Init, json: &mut TokenizerJson) {
    let bert = |value: &Value| value.get("type").and_then(Value::as_str) == Some("BertNormalizer");
    if class.files == super::VocabFiles::VocabTxt && bert(&json.normalizer) {
        set(&mut json.normalizer, "lowercase", json!(init.flag("do_lower_case", true)));
        set(&mut json.normalizer, "strip_accents", json!(init.optional_flag("strip_accents")));
        if class.name != "MPNetTokenizer" {
            set(&mut json.normalizer, "handle_chinese_chars", json!(init.flag("tokenize_chinese_chars", true)));
        }
    }
    let add_prefix_space = json!(init.flag("add_prefix_space", false));
    set(&mut json.pre_tokenizer, "add_prefix_space", add_prefix_space.clone());
    if class.name == "RobertaTokenizer" {
        set(&mut json.post_processor, "add_prefix_space", add_prefix_space);
        set(&mut json.post_processor, "trim_offsets", json!(init.flag("trim_offsets", true)));
    }
}

/// Sets a field that is there.
fn set(part: &mut Value, field: &str, value: Value) {
    if let Some(place) = part.get_mut(field) {
        *place = value;
    }
}

/// Turns what version 5 makes of vocabulary files into what version 4 made of them.
pub(crate) fn adjust_recipe(class: &Class, init: &Init, model: Option<&ModelProto>, recipe: &mut Recipe) {
    let charsmap = model.and_then(ModelProto::charsmap).as_deref().map(precompiled);
    let one_space = || replace_regex(" {2,}", " ");
    match class.name {
        "DebertaTokenizer" => {
            let words = |form: &str| form.split(' ').map(str::to_owned).collect();
            let (single, pair) = (words("[CLS]:0 $A:0 [SEP]:0"), words("[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1"));
            recipe.post = Post::Template { single, pair };
        }
        "BlenderbotTokenizer" => {
            set(&mut recipe.pre_tokenizer, "add_prefix_space", json!(init.flag("add_prefix_space", false)));
            recipe.post = template(init, "$A:0 {eos_token}:0", "$A:0 $B:1");
        }
        "MPNetTokenizer" => {
            let post = "{cls_token}:0 $A:0 {sep_token}:0";
            recipe.post = template(init, post, &format!("{post} {{sep_token}}:0 $B:1 {{sep_token}}:1"));
        }
        "RoFormerTokenizer" => recipe.chinese_words = Some(recipe.model.vocab.clone().into_tokens().into_iter().collect()),
        "AlbertTokenizer" | "XLNetTokenizer" => {
            let mut normalizers = list(&recipe.normalizer, "normalizers");
            normalizers.push(one_space());
            recipe.normalizer = sequence(normalizers);
            lower_numbers(&mut recipe.model.vocab);
        }
        "DebertaV2Tokenizer" => {
            let lower = init.flag("do_lower_case", false).then(|| json!({"type": "Lowercase"}));
            recipe.normalizer = sequence(lower.into_iter().chain([strip(true, true)]).chain(charsmap).chain([one_space()]).collect());
        }
        "BarthezTokenizer" | "BigBirdTokenizer" => {
            recipe.normalizer = spaces_at_ends(charsmap);
            if class.name == "BarthezTokenizer" {
                recipe.post = template(init, "<s> $A </s>", "<s> $A </s> </s> $B </s>");
            }
            recipe.model.unk_id = if class.name == "BarthezTokenizer" { Some(3) } else { model.map(ModelProto::unk_id) };
        }
        "PegasusTokenizer" => {
            let offset = init.settings.get("offset").and_then(Value::as_u64).and_then(|offset| usize::try_from(offset).ok()).unwrap_or(103);
            recipe.normalizer = spaces_at_ends(charsmap);
            recipe.pre_tokenizer = json!({"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, recipe.pre_tokenizer]});
            recipe.model.unk_id = model.map(|model| model.unk_id() + offset);
            return;
        }
        "RemBertTokenizer" => {
            recipe.post = template(init, "[CLS]:0 $A:0 [SEP]:0", "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1");
            recipe.model.unk_id = model.map(ModelProto::unk_id);
        }
        "CamembertTokenizer"
        | "MBartTokenizer"
        | "MBart50Tokenizer"
        | "NllbTokenizer"
        | "T5Tokenizer"
        | "XGLMTokenizer"
        | "XLMRobertaTokenizer" => {
            recipe.normalizer = spaces_at_ends(charsmap);
        }
        _ => return,
    }
    let mut splits = list(&recipe.pre_tokenizer, "pretokenizers");
    if let Some(spaces) = splits.pop().filter(|_| splits.iter().any(|split| split["type"] == "WhitespaceSplit")) {
        recipe.pre_tokenizer = spaces;
    }
}

/// No space at the end, and one for several.
fn spaces_at_ends(charsmap: Option<Value>) -> Value {
    sequence(charsmap.into_iter().chain([strip(false, true), replace_regex(" {2,}", "▁")]).collect())
}

fn list(part: &Value, field: &str) -> Vec<Value> {
    part.get(field).and_then(Value::as_array).cloned().unwrap_or_default()
}

/// Pieces that end with a digit and a comma are next to impossible.
fn lower_numbers(vocab: &mut Vocab) {
    if let Vocab::Scores(scores) = vocab {
        for (piece, score) in scores {
            if piece.strip_suffix(',').is_some_and(|rest| rest.ends_with(|last: char| last.is_ascii_digit())) {
                *score -= 100.0;
            }
        }
    }
}
