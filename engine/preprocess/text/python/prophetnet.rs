//! ProphetNet: BERT's words, without BERT's offsets.

use serde_json::{Value, json};
use tokenizers::{DecoderWrapper, Model, ModelWrapper, NormalizerWrapper, PreTokenizerWrapper, TokenizerImpl};

use super::{Parts, Words};
use crate::Result;
use crate::preprocess::text::backend::guarded;
use crate::preprocess::text::classes::{Class, DEFAULT};
use crate::preprocess::text::init::{Init, Special};
use crate::preprocess::text::parts::missing;
use crate::preprocess::text::vocabulary::{Kind, ModelJson, Vocab, utf8};
use crate::preprocess::text::{Files, SpecialTokens};

pub(in super::super) const PROPHETNET: Class = Class {
    name: "ProphetNetTokenizer",
    special: &[("unk_token", Some("[UNK]")), ("sep_token", Some("[SEP]")), ("pad_token", Some("[PAD]")), ("mask_token", Some("[MASK]"))],
    python: Some(read),
    ..DEFAULT
};

type Engine = TokenizerImpl<ModelWrapper, NormalizerWrapper, PreTokenizerWrapper, tokenizers::PostProcessorWrapper, DecoderWrapper>;

struct ProphetNet(Engine);

fn read(files: &dyn Files, init: &mut Init) -> Result<Parts> {
    const NAME: &str = "prophetnet.tokenizer";
    let bytes = files.read(NAME)?.ok_or_else(|| missing(&PROPHETNET, &[NAME]))?;
    let tokens = utf8(NAME, &bytes)?.lines().map(str::to_owned).zip(0..).collect();
    let model = ModelJson {
        kind: Some(Kind::WordPiece),
        vocab: Vocab::Ids(tokens),
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
    let mut engine = Engine::new(model.build()?);
    if init.flag("do_basic_tokenize", true) {
        let normalizer: NormalizerWrapper = guarded("the normalizer", || Ok(serde_json::from_value(normalizer)?))?;
        guarded("the normalizer", || engine.with_normalizer(Some(normalizer)).map(|_| ()))?;
        engine.with_pre_tokenizer(Some(tokenizers::pre_tokenizers::bert::BertPreTokenizer));
    } else {
        engine.with_pre_tokenizer(Some(tokenizers::pre_tokenizers::whitespace::WhitespaceSplit));
    }
    if !init.model_specific.iter().any(|(name, _)| name == "x_sep_token") {
        init.model_specific.push(("x_sep_token".to_owned(), Special::Text("[X_SEP]".to_owned())));
    }
    init.settings.entry("clean_up_tokenization_spaces").or_insert(Value::Bool(true));
    let template = ["$A {sep_token}", "$A {sep_token} $B {sep_token}"].map(str::to_owned);
    Ok(Parts { template, ..Parts::new(ProphetNet(engine)) })
}

impl Words for ProphetNet {
    fn tokenize(&self, text: &str) -> Vec<String> {
        guarded("tokenization", || self.0.encode(text, false)).map(|encoding| encoding.get_tokens().to_vec()).unwrap_or_default()
    }

    fn token_to_id(&self, token: &str) -> Option<u32> {
        self.0.get_model().token_to_id(token)
    }

    fn id_to_token(&self, id: u32) -> Option<String> {
        self.0.get_model().id_to_token(id)
    }

    fn size(&self) -> usize {
        self.0.get_model().get_vocab_size()
    }

    fn join(&self, tokens: &[String], _: &SpecialTokens) -> String {
        tokens.join(" ").replace(" ##", "").trim().to_owned()
    }
}
