//! What comes out of a model: the class that a checkpoint was saved as.

use std::fmt;

/// What a model computes on top of its base: the suffix of the class in `architectures`. The outputs of its graph have the names and axes
/// of [`Head::outputs`]; what goes in, the graph's own inputs say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Head {
    /// Hidden states: `last_hidden_state`, `(batch, sequence, width)`, and a `pooler_output`, `(batch, width)`, where the model has one. With
    /// modules of sentence-transformers `sentence_embedding` as well, `(batch, dimensions)`.
    Base,
    /// `…ForMaskedLM`: `logits`, `(batch, sequence, vocabulary)`.
    MaskedLm,
    /// `…ForSequenceClassification`: `logits`, `(batch, labels)`.
    SequenceClassification,
    /// `…ForTokenClassification`: `logits`, `(batch, sequence, labels)`.
    TokenClassification,
    /// `…ForQuestionAnswering`: `start_logits` and `end_logits`, `(batch, sequence)` each.
    QuestionAnswering,
    /// `…ForImageClassification`: `logits`, `(batch, labels)`.
    ImageClassification,
    /// `…ForCTC`: `logits`, `(batch, frames, vocabulary)`.
    Ctc,
    /// `…ForCausalLM`: `logits`, `(batch, tokens, vocabulary)`, and the cache as it is then.
    CausalLm,
    /// `…ForConditionalGeneration`: an encoder, and a decoder with the outputs of [`Head::CausalLm`].
    Seq2SeqLm,
    /// `…ForConditionalGeneration`, of pictures and text: `image_features`, `(pictures, tokens, width)`, of a `vision_encoder`, and a decoder
    /// with the outputs of [`Head::CausalLm`] that reads embeddings.
    ImageTextToText,
}

impl Head {
    /// Every head, with the ending of its class name in Transformers.
    pub const ALL: &[(Self, &str)] = &[
        (Self::Base, "Model"),
        (Self::MaskedLm, "ForMaskedLM"),
        (Self::SequenceClassification, "ForSequenceClassification"),
        (Self::TokenClassification, "ForTokenClassification"),
        (Self::QuestionAnswering, "ForQuestionAnswering"),
        (Self::ImageClassification, "ForImageClassification"),
        (Self::Ctc, "ForCTC"),
        (Self::CausalLm, "ForCausalLM"),
        (Self::Seq2SeqLm, "ForConditionalGeneration"),
        (Self::ImageTextToText, "ForConditionalGeneration"),
    ];

    /// What text encoders have.
    pub(crate) const ENCODER: &[Self] =
        &[Self::Base, Self::MaskedLm, Self::SequenceClassification, Self::TokenClassification, Self::QuestionAnswering];
    /// What decoders have that also judge whole texts.
    pub(crate) const DECODER: &[Self] = &[Self::CausalLm, Self::SequenceClassification, Self::TokenClassification, Self::QuestionAnswering];
    /// The same, but for answers to questions.
    pub(crate) const DECODER_WITH_LABELS: &[Self] = &[Self::CausalLm, Self::SequenceClassification, Self::TokenClassification];

    /// The names and axes of the outputs that the head's tasks read, in the graph that answers. [`Head::Base`] has several forms, which its
    /// tasks tell apart.
    pub fn outputs(self) -> &'static [(&'static str, &'static [&'static str])] {
        match self {
            Self::Base => &[],
            Self::MaskedLm => &[("logits", &["batch", "sequence", "vocabulary"])],
            Self::SequenceClassification | Self::ImageClassification => &[("logits", &["batch", "labels"])],
            Self::TokenClassification => &[("logits", &["batch", "sequence", "labels"])],
            Self::QuestionAnswering => &[("start_logits", &["batch", "sequence"]), ("end_logits", &["batch", "sequence"])],
            Self::Ctc => &[("logits", &["batch", "frames", "vocabulary"])],
            Self::CausalLm | Self::Seq2SeqLm | Self::ImageTextToText => &[("logits", &["batch", "tokens", "vocabulary"])],
        }
    }

    /// The ending of the class name, such as `ForMaskedLM`.
    pub fn suffix(self) -> &'static str {
        Self::ALL.iter().find(|(head, _)| *head == self).map_or("Model", |(_, suffix)| suffix)
    }

    /// The head of a class name of `architectures`.
    pub fn of_class(class: &str) -> Option<Self> {
        // XLNetForQuestionAnsweringSimple is the one that pipelines use.
        let class = class.strip_suffix("Simple").unwrap_or(class);
        // Marian, what T5 was called at first, and two models in one.
        if class.ends_with("MTModel") || ["T5WithLMHeadModel", "EncoderDecoderModel"].contains(&class) {
            return Some(Self::Seq2SeqLm);
        }
        // GPT-2 and others of its time.
        if class.ends_with("LMHeadModel") {
            return Some(Self::CausalLm);
        }
        Self::ALL.iter().find(|(_, suffix)| class.ends_with(suffix)).map(|(head, _)| *head)
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.suffix())
    }
}
