//! `feature-extraction`: the hidden states of a text, or one vector of it.

use std::num::NonZeroUsize;

use formers_models::Head;
use ndarray::{Array1, Array2, ArrayViewD, Axis, Ix1, Ix2};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::{
    Medium, Parameters, Pipeline, Task,
    arguments::string,
    boxed,
    text::{Output, TextModel, keep_errors},
    tokenize::encode_options,
};
use crate::{
    Error, ErrorKind, Result,
    model::{Pretrained, SentenceConfig},
    preprocess::text::{EncodeOptions, Encoding, Tokenizer},
    session::{Device, Session, Value},
};

/// Hidden states and embeddings of texts.
#[derive(Debug)]
pub struct FeatureExtraction {
    model: TextModel,
    /// The output with a vector for each token.
    hidden: Option<String>,
    sentence: SentenceConfig,
    /// What the checkpoint puts on top of a graph that does not have it.
    modules: Option<Session>,
}

/// How the vectors of the tokens become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// As the checkpoint's own modules say (sentence-transformers' `modules.json`), prompt, length and normalization
    /// included; the mean where it has none.
    Model,
    /// The mean.
    Mean,
    /// The first token.
    #[serde(alias = "first_token")]
    Cls,
    /// The last token.
    #[serde(alias = "eos")]
    LastToken,
    /// The largest of each component.
    Max,
}

/// How to embed.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How the vectors of the tokens become one.
    pub pooling: Pooling,
    /// Whether the vector is scaled to length one.
    pub normalize: bool,
    /// How texts are tokenized; too long ones are truncated by default.
    pub encode: EncodeOptions,
    /// So many texts run at once at most, `None` for as many as are good.
    pub batch_size: Option<NonZeroUsize>,
}

impl Options {
    /// A pooling, without normalization.
    pub fn new(pooling: Pooling) -> Self {
        Self { pooling, normalize: false, encode: EncodeOptions::truncated(), batch_size: None }
    }
}

impl FeatureExtraction {
    /// Where the model runs: never [`Device::Auto`].
    pub fn device(&self) -> Result<&Device> {
        self.model.device()
    }

    /// The last hidden states of a text: `(tokens, width)`.
    pub fn run(&self, text: &str) -> Result<Array2<f32>> {
        self.run_many(&[text], &EncodeOptions::default()).swap_remove(0)
    }

    /// The last hidden states of many texts, in their order; a text that fails does not harm the others.
    pub fn run_many(&self, texts: &[&str], options: &EncodeOptions) -> Vec<Result<Array2<f32>>> {
        self.states(texts, options, None)
    }

    fn states(&self, texts: &[&str], options: &EncodeOptions, batch_size: Option<NonZeroUsize>) -> Vec<Result<Array2<f32>>> {
        keep_errors(self.encode(texts, options), |encodings| match self.hidden() {
            Ok(hidden) => self.model.run(batch_size, &encodings, &[Output::Tokens(hidden)], |_, views| matrix(&views[0])),
            Err(_) => encodings.iter().map(|_| self.hidden().map(|_| Array2::default((0, 0)))).collect(),
        })
    }

    /// One vector of a text, as the checkpoint's own modules make it.
    pub fn embed(&self, text: &str) -> Result<Array1<f32>> {
        self.embed_many(&[text], &Options::new(Pooling::Model)).swap_remove(0)
    }

    /// One vector for each of many texts, in their order; a text that fails does not harm the others.
    pub fn embed_many(&self, texts: &[&str], options: &Options) -> Vec<Result<Array1<f32>>> {
        let own = options.pooling == Pooling::Model;
        let finished = |mut vector: Array1<f32>| {
            if own {
                vector.slice_collapse(ndarray::s![..self.sentence.kept(vector.len())]);
            }
            if options.normalize {
                let length = vector.dot(&vector).sqrt().max(1e-12);
                vector /= length;
            }
            vector
        };
        let texts: Vec<String> = texts.iter().map(|text| if own { self.sentence.prepare(text) } else { text.to_string() }).collect();
        let mut encode = options.encode;
        if own && encode.max_length.is_none() {
            encode.max_length = self.sentence.max_seq_length;
        }
        let pooled = own && self.model.has_output("sentence_embedding");
        let output = match self.hidden() {
            _ if pooled => Output::Row("sentence_embedding"),
            Ok(hidden) => Output::Tokens(hidden),
            Err(_) => return texts.iter().map(|_| self.hidden().map(|_| Array1::default(0))).collect(),
        };
        keep_errors(self.encode(&texts.iter().map(String::as_str).collect::<Vec<_>>(), &encode), |encodings| {
            self.model.run(options.batch_size, &encodings, &[output], |_, views| match options.pooling {
                Pooling::Model if pooled => vector(&views[0]).map(finished),
                Pooling::Model if let Some(modules) = &self.modules => self.embedding(modules, matrix(&views[0])?).map(finished),
                pooling => pool(pooling, &matrix(&views[0])?).map(finished),
            })
        })
    }

    /// What the checkpoint's modules make of the vectors of a text's tokens. `hidden`: (tokens, width)
    fn embedding(&self, modules: &Session, hidden: Array2<f32>) -> Result<Array1<f32>> {
        let tokens = hidden.nrows();
        let mut inputs = vec![
            ("token_embeddings", Value::from(hidden.insert_axis(Axis(0)))),
            ("attention_mask", Value::new(&[1, tokens], vec![1i64; tokens])?),
        ];
        if modules.input("prompt_length").is_some() {
            inputs.push(("prompt_length", Value::from(ndarray::arr1(&[self.model.prompt_length as i64]))));
        }
        let outputs = modules.run(inputs)?;
        let found = outputs.f32("sentence_embedding")?;
        vector(&found.index_axis(Axis(0), 0))
    }

    fn hidden(&self) -> Result<&str> {
        self.hidden.as_deref().ok_or_else(|| {
            let outputs = self.model.outputs().join(", ");
            Error::unsupported(format!("the model gives no hidden states, only {outputs}; of such a model there is only pooling \"model\""))
        })
    }

    fn encode(&self, texts: &[&str], options: &EncodeOptions) -> Vec<Result<Encoding>> {
        let inputs: Vec<_> = texts.iter().map(|&text| (text.into(), None)).collect();
        // All at once uses all cores; where that fails, one by one says which failed.
        match self.model.tokenizer.encode_batch(&inputs, options) {
            Ok(encodings) => encodings.into_iter().map(Ok).collect(),
            Err(_) => texts.iter().map(|&text| self.model.tokenizer.encode(text, None, options)).collect(),
        }
    }
}

impl Pipeline for FeatureExtraction {
    const TASK: Task = Task {
        id: "feature-extraction",
        aliases: &["embeddings"],
        summary: "The hidden states of a text, or one vector of it",
        default_model: "distilbert/distilbert-base-cased",
        heads: &[Head::Base],
        inputs: "a string, or a list of strings",
        fields: &[],
        parameters: &["pooling", "normalize", "truncation", "tokenize_kwargs", "return_tensors", "batch_size"],
        medium: Medium::Text,
        suits: super::labels::any,
        load: boxed::<Self>,
    };

    fn load(pretrained: &Pretrained) -> Result<Self> {
        let mut model = TextModel::load(pretrained, Head::Base)?;
        let outputs = model.outputs();
        // Of two axes they are one row for each text, such as the logits of a classifier.
        let of_tokens = |name: &&str| outputs.contains(name) && !model.has_axes(name, 2);
        let hidden = ["last_hidden_state", "token_embeddings", "logits"].into_iter().find(of_tokens);
        let pooled = outputs.contains(&"sentence_embedding");
        if hidden.is_none() && !pooled {
            let message = format!("the model gives no hidden states, only {}; convert it without its head", outputs.join(", "));
            return Err(Error::unsupported(message).at(pretrained.checkpoint.name()));
        }
        let hidden = hidden.map(str::to_owned);
        let modules = match &hidden {
            Some(hidden) if !pooled => pretrained.modules(model.width(hidden)?).map_err(|e| e.at(pretrained.checkpoint.name()))?,
            _ => None,
        };
        let sentence = SentenceConfig::read(&pretrained.checkpoint, &pretrained.config, model.tokenizer.model_max_length())?;
        if sentence.prompt.is_some() {
            model.prompt_length = prompt_length(&model.tokenizer, &sentence.prepare(""))?;
        }
        Ok(Self { model, hidden, sentence, modules })
    }

    fn call_many(&self, inputs: &[Json], mut parameters: Parameters) -> Result<Vec<Result<Json>>> {
        let pooling: Option<String> = parameters.take("pooling")?;
        let normalize = parameters.take("normalize")?;
        let batch_size = parameters.take("batch_size")?;
        let truncation: Option<Json> = parameters.take("truncation")?;
        // Tensors and lists are the same JSON.
        let _: Option<Json> = parameters.take("return_tensors")?;
        let mut tokenize = parameters.take_object("tokenize_kwargs")?;
        parameters.finish(Self::TASK.parameters)?;
        if let Some(truncation) = &truncation {
            if tokenize.has("truncation") {
                return Err(Error::request("parameters.truncation", "given twice, here and in tokenize_kwargs"));
            }
            tokenize = tokenize.with("truncation", truncation.clone());
        }
        let chosen = tokenize.has("truncation") || tokenize.has("max_length");
        let mut encode = encode_options(&mut tokenize)?;
        tokenize.finish(super::tokenize::TOKENIZER_PARAMETERS)?;

        let texts: Vec<Result<&str>> = inputs.iter().map(string).collect();
        let pooling = match pooling.as_deref() {
            None | Some("none") if normalize.is_none() => None,
            None => Some(Pooling::Model),
            Some(name) => Some(serde_json::from_value(json!(name)).map_err(|e| Error::request("parameters.pooling", e))?),
        };
        Ok(keep_errors(texts, |texts: Vec<&&str>| {
            let texts: Vec<&str> = texts.into_iter().copied().collect();
            let Some(pooling) = pooling else {
                // As in Python, each text is a batch of one.
                return self.states(&texts, &encode, batch_size).into_iter().map(|a| a.map(|a| json!([rows(&a)]))).collect();
            };
            if !chosen {
                encode.truncation = crate::preprocess::text::Truncation::LongestFirst;
            }
            let options = Options { pooling, normalize: normalize.unwrap_or(false), encode, batch_size };
            self.embed_many(&texts, &options).into_iter().map(|a| a.map(|a| json!(a.to_vec()))).collect()
        }))
    }
}

/// How many tokens a prompt has, without the one that ends every text.
fn prompt_length(tokenizer: &Tokenizer, prompt: &str) -> Result<usize> {
    let ids = tokenizer.encode(prompt, None, &EncodeOptions::default())?.ids;
    let ends = ids.last().is_some_and(|last| tokenizer.all_special_ids().contains(last));
    Ok(ids.len() - usize::from(ends))
}

fn pool(pooling: Pooling, hidden: &Array2<f32>) -> Result<Array1<f32>> {
    let pooled = match pooling {
        Pooling::Cls => hidden.rows().into_iter().next().map(|row| row.to_owned()),
        Pooling::LastToken => hidden.rows().into_iter().next_back().map(|row| row.to_owned()),
        Pooling::Max => Some(hidden.fold_axis(Axis(0), f32::NEG_INFINITY, |a, b| a.max(*b))),
        Pooling::Mean | Pooling::Model => hidden.mean_axis(Axis(0)),
    };
    pooled.ok_or_else(|| Error::request("inputs", "no tokens to pool"))
}

fn rows(matrix: &Array2<f32>) -> Vec<Vec<f32>> {
    matrix.rows().into_iter().map(|row| row.to_vec()).collect()
}

fn matrix(view: &ArrayViewD<f32>) -> Result<Array2<f32>> {
    let found = view.view().into_dimensionality::<Ix2>();
    found.map(|m| m.to_owned()).map_err(|_| Error::new(ErrorKind::Runtime, format!("hidden states of shape {:?}", view.shape())))
}

fn vector(view: &ArrayViewD<f32>) -> Result<Array1<f32>> {
    let found = view.view().into_dimensionality::<Ix1>();
    found.map(|v| v.to_owned()).map_err(|_| Error::new(ErrorKind::Runtime, format!("an embedding of shape {:?}", view.shape())))
}
