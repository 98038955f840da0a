//! `fill-mask`: the tokens that a text may have where it is masked.

use std::num::NonZeroUsize;

use formers_models::Head;
use ndarray::ArrayViewD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Medium, Parameters, Pipeline, Task,
    arguments::{all, only, string},
    boxed,
    text::{Output, TextModel, keep_errors},
    tokenize::{TOKENIZER_PARAMETERS, encode_options},
};
use crate::{
    Error, ErrorKind, Result,
    model::Pretrained,
    postprocess::scores::{best, softmax},
    preprocess::text::{EncodeOptions, Encoding},
};

/// Fills in masked tokens.
#[derive(Debug)]
pub struct FillMask {
    model: TextModel,
    mask: u32,
}

/// A token for a mask.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prediction {
    /// Its probability among all tokens.
    pub score: f32,
    /// Its id.
    pub token: u32,
    /// Its text.
    pub token_str: String,
    /// The whole text with this token in place of the mask. Where there are several masks, the others and the special
    /// tokens stay in it.
    pub sequence: String,
}

/// How to fill in.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many tokens for a mask, best first.
    pub top_k: usize,
    /// The only tokens to choose from. One that the vocabulary lacks stands for its first token.
    pub targets: Option<Vec<String>>,
    /// How texts are tokenized.
    pub encode: EncodeOptions,
    /// So many texts run at once at most, `None` for as many as are good.
    pub batch_size: Option<NonZeroUsize>,
}

impl Default for Options {
    fn default() -> Self {
        Self { top_k: 5, targets: None, encode: EncodeOptions::default(), batch_size: None }
    }
}

impl FillMask {
    /// The five best tokens for each mask of a text.
    pub fn run(&self, text: &str) -> Result<Vec<Vec<Prediction>>> {
        self.run_many(&[text], &Options::default())?.swap_remove(0)
    }

    /// The best tokens for each mask of many texts, in their order; a text that fails does not harm the others.
    ///
    /// Fails as a whole where no target is a token.
    pub fn run_many(&self, texts: &[&str], options: &Options) -> Result<Vec<Result<Vec<Vec<Prediction>>>>> {
        self.answer(texts.iter().map(|&text| Ok(text)).collect(), options)
    }

    fn answer(&self, texts: Vec<Result<&str>>, options: &Options) -> Result<Vec<Result<Vec<Vec<Prediction>>>>> {
        let targets = options.targets.as_ref().map(|targets| self.target_ids(targets)).transpose()?;
        let encoded = texts.into_iter().map(|text| self.encode(text?, &options.encode)).collect();
        Ok(keep_errors(encoded, |encodings: Vec<&Encoding>| {
            self.model.run(options.batch_size, &encodings, &[Output::Tokens("logits")], |index, views| {
                self.predictions(encodings[index], &views[0], options.top_k, targets.as_deref())
            })
        }))
    }

    fn encode(&self, text: &str, options: &EncodeOptions) -> Result<Encoding> {
        let encoding = self.model.tokenizer.encode(text, None, options)?;
        if encoding.ids.contains(&self.mask) {
            return Ok(encoding);
        }
        let mask = self.model.tokenizer.special_tokens().mask_token().unwrap_or_default();
        Err(Error::request("inputs", format!("no {mask} in the text; write it where a word is to be filled in")))
    }

    /// The ids of the targets, each once.
    fn target_ids(&self, targets: &[String]) -> Result<Vec<u32>> {
        let tokenizer = &self.model.tokenizer;
        let first_only = EncodeOptions::truncated_to(1).without_special_tokens();
        let mut ids = Vec::new();
        for target in targets {
            let id = match tokenizer.token_to_id(target) {
                Some(id) => Some(id),
                None => tokenizer.encode(target, None, &first_only)?.ids.first().copied(),
            };
            match id {
                Some(id) if ids.contains(&id) => {}
                Some(id) => ids.push(id),
                None => tracing::warn!("the target {target:?} is no token, and has none; it is left out"),
            }
        }
        if ids.is_empty() {
            return Err(Error::request("parameters.targets", "at least one must be a token"));
        }
        Ok(ids)
    }

    /// `logits`: (tokens, vocabulary)
    fn predictions(
        &self,
        encoding: &Encoding,
        logits: &ArrayViewD<f32>,
        top_k: usize,
        targets: Option<&[u32]>,
    ) -> Result<Vec<Vec<Prediction>>> {
        let masks: Vec<usize> = (0..encoding.len()).filter(|&i| encoding.ids[i] == self.mask).collect();
        let rows = logits.outer_iter().enumerate().filter(|(i, _)| masks.contains(i));
        rows.map(|(place, row)| {
            let scores = softmax(&row.iter().copied().collect::<Vec<_>>());
            let ids: Vec<usize> = match targets {
                Some(targets) => targets.iter().map(|&id| id as usize).collect(),
                None => (0..scores.len()).collect(),
            };
            let missing = |id: &usize| Error::new(ErrorKind::Checkpoint, format!("the model gives token {id} no score"));
            let chosen = ids.iter().map(|id| scores.get(*id).copied().ok_or_else(|| missing(id))).collect::<Result<Vec<f32>>>()?;
            if targets.is_none() && top_k > chosen.len() {
                return Err(Error::request("parameters.top_k", format!("{top_k} is more than the {} tokens there are", chosen.len())));
            }
            let best = best(&chosen, top_k).into_iter();
            best.map(|i| self.prediction(encoding, place, ids[i] as u32, chosen[i], masks.len() == 1)).collect()
        })
        .collect()
    }

    fn prediction(&self, encoding: &Encoding, place: usize, token: u32, score: f32, only_mask: bool) -> Result<Prediction> {
        let tokenizer = &self.model.tokenizer;
        let mut ids = encoding.ids.clone();
        ids[place] = token;
        ids.retain(|&id| Some(id) != tokenizer.pad_token_id());
        Ok(Prediction {
            score,
            token,
            token_str: tokenizer.decode(&[token], false, None)?,
            // Skipping special tokens would drop the other masks as well.
            sequence: tokenizer.decode(&ids, only_mask, None)?,
        })
    }
}

impl Pipeline for FillMask {
    const TASK: Task = Task {
        id: "fill-mask",
        aliases: &[],
        summary: "The tokens that a text may have where it is masked",
        default_model: "distilbert/distilroberta-base",
        heads: &[Head::MaskedLm],
        inputs: "a string with the tokenizer's mask token, or a list of them",
        fields: &[],
        parameters: &["top_k", "targets", "tokenizer_kwargs", "batch_size"],
        medium: Medium::Text,
        suits: super::labels::any,
        load: boxed::<Self>,
    };

    fn load(pretrained: &Pretrained) -> Result<Self> {
        let model = TextModel::load(pretrained, Head::MaskedLm)?;
        let mask = model.tokenizer.mask_token_id();
        let missing = || Error::unsupported(format!("{}: the tokenizer has no mask_token", pretrained.checkpoint.name()));
        Ok(Self { mask: mask.ok_or_else(missing)?, model })
    }

    fn call(&self, inputs: &Value, parameters: Parameters) -> Result<Value> {
        match inputs {
            Value::Array(list) if list.is_empty() => Err(Error::request("inputs", "an empty list")),
            // As in Python, a list of one text is answered like the text.
            Value::Array(list) if list.len() > 1 => all(self.call_many(list, parameters)?).map(Value::Array),
            Value::Array(list) => only(self.call_many(list, parameters)?),
            one => only(self.call_many(std::slice::from_ref(one), parameters)?),
        }
    }

    fn call_many(&self, inputs: &[Value], mut parameters: Parameters) -> Result<Vec<Result<Value>>> {
        let mut options = Options::default();
        options.top_k = parameters.take("top_k")?.unwrap_or(options.top_k);
        options.targets = parameters.take::<Targets>("targets")?.map(Targets::list);
        options.batch_size = parameters.take("batch_size")?;
        let mut tokenize = parameters.take_object("tokenizer_kwargs")?;
        parameters.finish(Self::TASK.parameters)?;
        options.encode = encode_options(&mut tokenize)?;
        tokenize.finish(TOKENIZER_PARAMETERS)?;

        let answers = self.answer(inputs.iter().map(string).collect(), &options)?;
        Ok(answers.into_iter().map(|masks| masks.map(bare)).collect())
    }
}

/// One target or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum Targets {
    One(String),
    Many(Vec<String>),
}

impl Targets {
    fn list(self) -> Vec<String> {
        match self {
            Self::One(target) => vec![target],
            Self::Many(targets) => targets,
        }
    }
}

/// The predictions for the only mask, or a list for each of several.
fn bare(mut masks: Vec<Vec<Prediction>>) -> Value {
    if masks.len() == 1 { json!(masks.swap_remove(0)) } else { json!(masks) }
}
