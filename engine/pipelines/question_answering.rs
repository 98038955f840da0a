//! `question-answering`: the part of a context that answers a question.

use std::{borrow::Cow, num::NonZeroUsize};

use formers_models::Head;
use ndarray::ArrayViewD;
use serde_json::{Value, json};

use super::{
    Medium, Parameters, Pipeline, Task,
    arguments::{all, kind, only, string_field},
    boxed,
    text::{Output, TextModel, keep_errors},
    tokenize::padding,
};
pub use crate::postprocess::spans::Answer;
use crate::{
    Error, Result,
    model::Pretrained,
    postprocess::{
        places::Places,
        spans::{Answers, decode_spans, probabilities},
    },
    preprocess::text::{EncodeOptions, Encoding, PaddingStrategy, Side, Text, Truncation},
};

/// Finds answers in contexts.
#[derive(Debug)]
pub struct QuestionAnswering {
    model: TextModel,
}

/// A question, and the text that has the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Input {
    pub question: String,
    pub context: String,
}

impl From<(&str, &str)> for Input {
    fn from((question, context): (&str, &str)) -> Self {
        Self { question: question.into(), context: context.into() }
    }
}

/// How to answer.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many answers, best first; less where the context has less.
    pub top_k: usize,
    /// The most tokens of an answer.
    pub max_answer_len: usize,
    /// The most tokens of a window, the question included; by default the model's length, but no more than 384.
    pub max_seq_len: Option<usize>,
    /// How many tokens of the context a window repeats of the one before; by default half a window, but no more than 128.
    pub doc_stride: Option<usize>,
    /// Whether there may be no answer, which is then an empty text.
    pub handle_impossible_answer: bool,
    /// Whether answers start and end with whole words.
    pub align_to_words: bool,
    /// How far windows are padded.
    pub padding: PaddingStrategy,
    /// So many windows run at once at most, `None` for as many as are good.
    pub batch_size: Option<NonZeroUsize>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            top_k: 1,
            max_answer_len: 15,
            max_seq_len: None,
            doc_stride: None,
            handle_impossible_answer: false,
            align_to_words: true,
            padding: PaddingStrategy::DoNotPad,
            batch_size: None,
        }
    }
}

/// The window of an input with what a model says of it.
struct Window<'a> {
    encoding: &'a Encoding,
    context: &'a [char],
}

impl QuestionAnswering {
    /// The best answer; `None` where the context has no words.
    pub fn run(&self, question: &str, context: &str) -> Result<Option<Answer>> {
        let mut answers = self.run_many(&[(question, context).into()], &Options::default())?.swap_remove(0)?;
        Ok(if answers.is_empty() { None } else { Some(answers.swap_remove(0)) })
    }

    /// The best answers to many questions, in their order; an input that fails does not harm the others.
    ///
    /// Fails as a whole where the options do not fit together.
    pub fn run_many(&self, inputs: &[Input], options: &Options) -> Result<Vec<Result<Vec<Answer>>>> {
        self.answer(inputs.iter().cloned().map(Ok).collect(), options)
    }

    fn answer(&self, inputs: Vec<Result<Input>>, options: &Options) -> Result<Vec<Result<Vec<Answer>>>> {
        let encode = self.encode_options(options)?;
        let encoded = inputs.into_iter().map(|input| self.encode(&input?, &encode)).collect();
        Ok(keep_errors(encoded, |encoded: Vec<&(Vec<Encoding>, Vec<char>)>| {
            let windows: Vec<&[Encoding]> = encoded.iter().map(|(windows, _)| windows.as_slice()).collect();
            let outputs = [Output::Tokens("start_logits"), Output::Tokens("end_logits")];
            let read = self.model.run_windows(options.batch_size, &windows, &outputs, |input, window, views| {
                let (windows, context) = encoded[input];
                Ok(self.read(&Window { encoding: &windows[window], context }, views, options))
            });
            read.into_iter().map(|windows| windows.map(|windows| best(windows, options))).collect()
        }))
    }

    fn encode_options(&self, options: &Options) -> Result<EncodeOptions> {
        for (name, value) in [("top_k", options.top_k), ("max_answer_len", options.max_answer_len)] {
            if value == 0 {
                return Err(Error::request(&format!("parameters.{name}"), "must be at least 1"));
            }
        }
        if !self.model.tokenizer.has_offsets() {
            return Err(Error::unsupported("the tokenizer does not know where tokens lie in the text, so answers cannot be found in it"));
        }
        let longest = options.max_seq_len.unwrap_or_else(|| self.model.tokenizer.model_max_length().unwrap_or(usize::MAX).min(384));
        let longest = longest.min(self.model.tokenizer.fixed_length().unwrap_or(longest));
        let stride = options.doc_stride.unwrap_or((longest / 2).min(128));
        if stride > longest {
            return Err(Error::request("parameters.doc_stride", format!("{stride} is larger than max_seq_len, {longest}")));
        }
        Ok(EncodeOptions {
            truncation: if self.question_first() { Truncation::OnlySecond } else { Truncation::OnlyFirst },
            max_length: Some(longest),
            stride,
            return_overflowing: true,
            padding: options.padding,
            ..EncodeOptions::default()
        })
    }

    /// Tokenizers that pad on the left want the context first.
    fn question_first(&self) -> bool {
        self.model.tokenizer.padding_side() == Side::Right
    }

    fn encode(&self, input: &Input, encode: &EncodeOptions) -> Result<(Vec<Encoding>, Vec<char>)> {
        for (field, text) in [("question", &input.question), ("context", &input.context)] {
            if text.is_empty() {
                return Err(Error::request(&format!("inputs.{field}"), "empty"));
            }
        }
        let (question, context) = (Text::Str(&input.question), Text::Str(&input.context));
        let (first, second) = if self.question_first() { (question, context) } else { (context, question) };
        let windows = self.model.tokenizer.encode(first, Some(second), encode)?.into_windows();
        Ok((windows, input.context.chars().collect()))
    }

    /// The answers of a window and its score for there being none. `views`: logits of starts and of ends, one a token
    fn read(&self, window: &Window, views: &[ArrayViewD<f32>], options: &Options) -> (Vec<Answer>, f32) {
        let allowed = self.allowed(window.encoding);
        let scores = |index: usize| probabilities(&views[index].iter().copied().collect::<Vec<_>>(), &allowed);
        let (mut start, mut end) = (scores(0), scores(1));
        let mut impossible = 0.0;
        // The first token stands for no answer, and so is none.
        if let (Some(start), Some(end)) = (start.first_mut(), end.first_mut()) {
            impossible = std::mem::take(start) * std::mem::take(end);
        }
        // Spans within the same words are one answer.
        let count = if options.align_to_words { options.top_k.saturating_mul(2).saturating_add(10) } else { options.top_k };
        let spans = decode_spans(&start, &end, &allowed, count, options.max_answer_len);
        let places = self.places(window.encoding, options.align_to_words);
        let answers = spans.iter().map(|span| {
            let (start, end) = places.of(window.encoding, span.start, span.end);
            let answer = window.context.get(start..end.min(window.context.len())).unwrap_or_default().iter().collect();
            Answer { score: f64::from(span.score), start, end, answer }
        });
        (answers.collect(), impossible)
    }

    /// Which tokens may be in the answer: those of the context and what stands for no answer; as in Python, all of them where
    /// the tokenizer pads on the left.
    fn allowed(&self, encoding: &Encoding) -> Vec<bool> {
        let cls = self.model.tokenizer.cls_token_id();
        let own = |i: usize| !self.question_first() || encoding.sequence_ids[i] == Some(1) || Some(encoding.ids[i]) == cls;
        (0..encoding.len()).map(|i| encoding.attention_mask[i] == 1 && own(i)).collect()
    }

    fn places(&self, encoding: &Encoding, align_to_words: bool) -> Places {
        let padded = |id: &&u32| Some(**id) == self.model.tokenizer.pad_token_id();
        let padding = if self.question_first() { 0 } else { encoding.ids.iter().filter(padded).count() };
        Places { sequence: usize::from(self.question_first()), padding, align_to_words }
    }
}

fn best(windows: Vec<(Vec<Answer>, f32)>, options: &Options) -> Vec<Answer> {
    let impossible = windows.iter().map(|(_, score)| f64::from(*score)).reduce(f64::min);
    let mut answers = Answers::default();
    windows.into_iter().flat_map(|(answers, _)| answers).for_each(|answer| answers.add(answer));
    answers.best(options.top_k, impossible.filter(|_| options.handle_impossible_answer))
}

impl Pipeline for QuestionAnswering {
    const TASK: Task = Task {
        id: "question-answering",
        aliases: &[],
        summary: "The part of a context that answers a question",
        default_model: "distilbert/distilbert-base-cased-distilled-squad",
        heads: &[Head::QuestionAnswering],
        inputs: "an object {question, context}, each a string or a list of strings, or a list of such objects",
        fields: &["question", "context"],
        parameters: &[
            "top_k",
            "topk",
            "doc_stride",
            "max_answer_len",
            "max_seq_len",
            "max_question_len",
            "handle_impossible_answer",
            "align_to_words",
            "padding",
            "batch_size",
            "question",
            "context",
        ],
        medium: Medium::Text,
        suits: super::labels::any,
        load: boxed::<Self>,
    };

    fn load(pretrained: &Pretrained) -> Result<Self> {
        // The pipeline is gone from version 5, so that its answers are those of version 4, whose tokenizers differ.
        Ok(Self { model: TextModel::with_tokenizer(pretrained, Head::QuestionAnswering, || pretrained.tokenizer_v4())? })
    }

    fn call(&self, inputs: &Value, mut parameters: Parameters) -> Result<Value> {
        let named = named(inputs, &mut parameters)?;
        let inputs = named.as_ref().unwrap_or(inputs);
        let list = questions(inputs)?.unwrap_or(Cow::Borrowed(std::slice::from_ref(inputs)));
        let answers = self.call_many(&list, parameters)?;
        // As in Python, a list of one is answered like the one.
        if answers.len() == 1 { only(answers) } else { all(answers).map(Value::Array) }
    }

    fn inputs_of<'a>(inputs: &'a Value, _: &Parameters) -> Option<Cow<'a, [Value]>> {
        questions(inputs).ok().flatten()
    }

    fn call_many(&self, inputs: &[Value], mut parameters: Parameters) -> Result<Vec<Result<Value>>> {
        let defaults = Options::default();
        let (top_k, topk) = (parameters.take("top_k")?, parameters.take("topk")?);
        // Python's own pipeline takes it and never reads it: the context alone is cut.
        let _: Option<usize> = parameters.take("max_question_len")?;
        let options = Options {
            top_k: top_k.or(topk).unwrap_or(defaults.top_k),
            max_answer_len: parameters.take("max_answer_len")?.unwrap_or(defaults.max_answer_len),
            max_seq_len: parameters.take("max_seq_len")?,
            doc_stride: parameters.take("doc_stride")?,
            handle_impossible_answer: parameters.take("handle_impossible_answer")?.unwrap_or(false),
            align_to_words: parameters.take("align_to_words")?.unwrap_or(true),
            padding: padding(&mut parameters)?.unwrap_or(defaults.padding),
            batch_size: parameters.take("batch_size")?,
        };
        // There are inputs, so that these are none.
        named(&Value::Bool(true), &mut parameters)?;
        parameters.finish(Self::TASK.parameters)?;
        let answers = self.answer(inputs.iter().map(input).collect(), &options)?;
        Ok(answers.into_iter().map(|answers| answers.map(bare)).collect())
    }
}

/// Questions and contexts that come as parameters instead.
fn named(inputs: &Value, parameters: &mut Parameters) -> Result<Option<Value>> {
    let question: Option<Value> = parameters.take("question")?;
    let context: Option<Value> = parameters.take("context")?;
    match (question, context) {
        (None, None) => Ok(None),
        _ if !inputs.is_null() => Err(Error::request("parameters.question", "question and context are given as inputs already")),
        (question, context) => Ok(Some(json!({ "question": question, "context": context }))),
    }
}

/// The inputs that a list holds, or an object with lists; `None` for one.
fn questions(inputs: &Value) -> Result<Option<Cow<'_, [Value]>>> {
    let pair = |question: &Value, context: &Value| json!({ "question": question, "context": context });
    match inputs {
        Value::Array(list) => Ok(Some(Cow::Borrowed(list))),
        Value::Object(fields) => match (fields.get("question"), fields.get("context")) {
            (Some(Value::Array(questions)), Some(context @ Value::String(_))) => {
                Ok(Some(questions.iter().map(|question| pair(question, context)).collect()))
            }
            (Some(Value::Array(questions)), Some(Value::Array(contexts))) => {
                if questions.len() != contexts.len() {
                    return Err(Error::request("inputs.context", format!("{} contexts for {} questions", contexts.len(), questions.len())));
                }
                Ok(Some(questions.iter().zip(contexts).map(|(question, context)| pair(question, context)).collect()))
            }
            _ => Ok(None),
        },
        _ => Ok(None),
    }
}

fn input(input: &Value) -> Result<Input> {
    let Value::Object(fields) = input else {
        return Err(Error::request("inputs", format!("expected an object {{\"question\", \"context\"}}, not {}", kind(input))));
    };
    if let Some(unknown) = fields.keys().find(|name| !["question", "context"].contains(&name.as_str())) {
        return Err(Error::request(&format!("inputs.{unknown}"), "no such field; there are question and context"));
    }
    Ok(Input { question: string_field(input, "question")?.into(), context: string_field(input, "context")?.into() })
}

/// A lone answer by itself, several as a list.
fn bare(mut answers: Vec<Answer>) -> Value {
    if answers.len() == 1 { json!(answers.swap_remove(0)) } else { json!(answers) }
}
