//! GPT-2's family: merges over bytes, each byte written as a printable character.

use serde_json::{Value, json};

use super::{
    Again, Class, DEFAULT, FAIRSEQ_SPECIAL_MASK, INPUTS_THEN_TYPES, Post, Recipe, Source, VocabFiles, replace_regex, sequence, template,
};
use crate::preprocess::text::Side;
use crate::preprocess::text::init::{Init, Special, Token};
use crate::preprocess::text::vocabulary::{Kind, ModelJson};
use crate::{Error, Result};

const END: Option<&str> = Some("<|endoftext|>");

const BYTE_LEVEL: Class = Class { files: VocabFiles::VocabJsonMerges, ..DEFAULT };

pub(super) const ROBERTA: Class = Class { name: "RobertaTokenizer", special: FAIRSEQ_SPECIAL_MASK, build: Some(roberta), ..BYTE_LEVEL };

pub(super) const BLENDERBOT: Class =
    Class { name: "BlenderbotTokenizer", special: FAIRSEQ_SPECIAL_MASK, build: Some(blenderbot), ..BYTE_LEVEL };

pub(super) const DEBERTA: Class = Class {
    name: "DebertaTokenizer",
    special: &[
        ("bos_token", Some("[CLS]")),
        ("eos_token", Some("[SEP]")),
        ("sep_token", Some("[SEP]")),
        ("cls_token", Some("[CLS]")),
        ("unk_token", Some("[UNK]")),
        ("pad_token", Some("[PAD]")),
        ("mask_token", Some("[MASK]")),
    ],
    model_input_names: INPUTS_THEN_TYPES,
    build: Some(deberta),
    ..BYTE_LEVEL
};

pub(super) const GPT2: Class = Class {
    name: "GPT2Tokenizer",
    special: &[("unk_token", END), ("bos_token", END), ("eos_token", END), ("pad_token", None)],
    build: Some(gpt2),
    ..BYTE_LEVEL
};

pub(super) const CODEGEN: Class = Class { name: "CodeGenTokenizer", build: Some(codegen), ..GPT2 };

pub(super) const GPT_NEOX: Class = Class {
    name: "GPTNeoXTokenizer",
    special: &[("unk_token", END), ("bos_token", END), ("eos_token", END), ("pad_token", Some("<|padding|>"))],
    build: Some(gpt_neox),
    ..BYTE_LEVEL
};

pub(super) const COHERE: Class = Class {
    name: "CohereTokenizer",
    special: &[
        ("unk_token", Some("<UNK>")),
        ("bos_token", Some("<BOS_TOKEN>")),
        ("eos_token", Some("<|END_OF_TURN_TOKEN|>")),
        ("pad_token", Some("<PAD>")),
        ("cls_token", Some("<CLS>")),
        ("sep_token", Some("<SEP>")),
        ("mask_token", Some("<MASK_TOKEN>")),
    ],
    padding_side: Side::Left,
    build: Some(cohere),
    ..BYTE_LEVEL
};

pub(super) const QWEN2: Class = Class {
    name: "Qwen2Tokenizer",
    special: &[("unk_token", END), ("bos_token", None), ("eos_token", END), ("pad_token", END)],
    build: Some(qwen2),
    ..BYTE_LEVEL
};

pub(super) const QWEN3_5: Class = Class { name: "Qwen3_5Tokenizer", build: Some(qwen3_5), ..QWEN2 };

pub(super) const WHISPER: Class = Class {
    name: "WhisperTokenizer",
    special: &[("unk_token", END), ("bos_token", END), ("eos_token", END)],
    build: Some(whisper),
    ..BYTE_LEVEL
};

pub(super) const CLIP: Class = Class {
    name: "CLIPTokenizer",
    special: &[("unk_token", END), ("bos_token", Some("<|startoftext|>")), ("eos_token", END), ("pad_token", END)],
    build: Some(clip),
    ..BYTE_LEVEL
};

fn roberta(init: &mut Init, source: Source) -> Result<Recipe> {
    let add_prefix_space = init.flag("add_prefix_space", false);
    let post = Post::Roberta {
        sep: init.content("sep_token").to_owned(),
        cls: init.content("cls_token").to_owned(),
        trim_offsets: init.flag("trim_offsets", true),
        add_prefix_space,
    };
    Ok(Recipe { post, ..byte_level(source, add_prefix_space) })
}

fn blenderbot(init: &mut Init, source: Source) -> Result<Recipe> {
    if let Some(Special::Text(mask)) = init.get("mask_token") {
        let mask = Token { normalized: Some(false), ..Token::lstrip(mask.as_str()) };
        init.set("mask_token", Some(Special::Token(mask)));
    }
    Ok(byte_level(source, init.flag("add_prefix_space", true)))
}

fn deberta(init: &mut Init, source: Source) -> Result<Recipe> {
    let post = template(init, "{cls_token} $A {sep_token}", "{cls_token} $A {sep_token} {sep_token} $B {sep_token}");
    Ok(Recipe { post, ..byte_level(source, init.flag("add_prefix_space", false)) })
}

fn gpt2(init: &mut Init, source: Source) -> Result<Recipe> {
    Ok(byte_level(source, init.flag("add_prefix_space", false)))
}

fn codegen(init: &mut Init, source: Source) -> Result<Recipe> {
    if init.flag("return_token_type_ids", false) {
        init.settings.entry("model_input_names").or_insert_with(|| json!(INPUTS_THEN_TYPES));
    }
    gpt2(init, source)
}

fn gpt_neox(init: &mut Init, source: Source) -> Result<Recipe> {
    let recipe = byte_level(source, init.flag("add_prefix_space", false));
    Ok(Recipe { normalizer: json!({"type": "NFC"}), post: Post::BosEos, ..recipe })
}

fn cohere(init: &mut Init, source: Source) -> Result<Recipe> {
    let recipe = byte_level(source, false);
    let digits = json!({"type": "Digits", "individual_digits": true});
    let bytes = pre_tokenizer(init.flag("add_prefix_space", false), true);
    Ok(Recipe {
        normalizer: json!({"type": "NFC"}),
        pre_tokenizer: json!({"type": "Sequence", "pretokenizers": [digits, bytes]}),
        again: Again::Flagged,
        ..recipe
    })
}

fn qwen2(init: &mut Init, source: Source) -> Result<Recipe> {
    const WORDS: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    Ok(Recipe { again: Again::Plain, ..qwen(init, source, WORDS) })
}

fn qwen3_5(init: &mut Init, source: Source) -> Result<Recipe> {
    const WORDS: &str =
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    Ok(qwen(init, source, WORDS))
}

fn qwen(init: &Init, source: Source, words: &str) -> Recipe {
    let split = json!({"type": "Split", "pattern": {"Regex": words}, "behavior": "Isolated", "invert": false});
    let bytes = pre_tokenizer(init.flag("add_prefix_space", false), false);
    Recipe {
        normalizer: json!({"type": "NFC"}),
        pre_tokenizer: json!({"type": "Sequence", "pretokenizers": [split, bytes]}),
        ..byte_level(source, false)
    }
}

fn whisper(init: &mut Init, source: Source) -> Result<Recipe> {
    let ids = match &source.vocab {
        super::Vocab::Ids(ids) => ids.as_slice(),
        super::Vocab::Scores(_) => &[],
    };
    let mut prefix = vec!["<|startoftranscript|>".to_owned()];
    if let Some(language) = init.text("language") {
        prefix.push(format!("<|{}|>", whisper_language(language, init, ids)?));
    }
    match init.text("task") {
        None => {}
        Some(task @ ("translate" | "transcribe")) => prefix.push(format!("<|{task}|>")),
        Some(task) => return Err(Error::config(format!("tokenizer_config.json: task {task:?} is neither translate nor transcribe"))),
    }
    if !init.flag("predict_timestamps", false) {
        prefix.push("<|notimestamps|>".to_owned());
    }
    let eos = init.content("eos_token").to_owned();
    let around = |text: &[&str], last: &str| {
        prefix
            .iter()
            .map(|token| format!("{token}:0"))
            .chain(text.iter().map(|piece| (*piece).to_owned()))
            .chain([format!("{eos}:{last}")])
            .collect()
    };
    let post = Post::Template { single: around(&["$A:0"], "0"), pair: around(&["$A:0", "$B:1"], "1") };
    Ok(Recipe { post, ..byte_level(source, init.flag("add_prefix_space", false)) })
}

/// The code of a language, of which the vocabulary must have a token.
fn whisper_language(language: &str, init: &Init, ids: &[(String, u32)]) -> Result<String> {
    let code = language.to_lowercase();
    let token = format!("<|{code}|>");
    let known = init.added_tokens.values().any(|added| added.content == token) || ids.iter().any(|(known, _)| *known == token);
    if known {
        Ok(code)
    } else {
        Err(Error::config(format!("tokenizer_config.json: language {language:?} is not the code of a language of this model")))
    }
}

fn clip(init: &mut Init, source: Source) -> Result<Recipe> {
    const WORDS: &str = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";
    const WORD_END: &str = "</w>";
    let split = json!({"type": "Split", "pattern": {"Regex": WORDS}, "behavior": "Removed", "invert": true});
    let mut recipe = byte_level(source, false);
    recipe.model.end_of_word_suffix = Some(WORD_END.to_owned());
    recipe.model.unk_token = Some(init.content("unk_token").to_owned());
    recipe.normalizer = sequence(vec![json!({"type": "NFC"}), replace_regex(r"\s+", " "), json!({"type": "Lowercase"})]);
    recipe.pre_tokenizer = json!({"type": "Sequence", "pretokenizers": [split, pre_tokenizer(false, true)]});
    recipe.post = Post::Roberta {
        sep: init.content("eos_token").to_owned(),
        cls: init.content("bos_token").to_owned(),
        trim_offsets: false,
        add_prefix_space: false,
    };
    recipe.word_end = Some(WORD_END);
    Ok(recipe)
}

fn byte_level(source: Source, add_prefix_space: bool) -> Recipe {
    let model = ModelJson {
        kind: Some(Kind::BPE),
        vocab: source.vocab,
        merges: source.merges,
        continuing_subword_prefix: Some(String::new()),
        end_of_word_suffix: Some(String::new()),
        ..ModelJson::default()
    };
    Recipe { model, pre_tokenizer: pre_tokenizer(add_prefix_space, true), decoder: pre_tokenizer(true, true), ..Recipe::default() }
}

fn pre_tokenizer(add_prefix_space: bool, use_regex: bool) -> Value {
    json!({"type": "ByteLevel", "add_prefix_space": add_prefix_space, "trim_offsets": true, "use_regex": use_regex})
}
