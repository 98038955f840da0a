//! Generation: the loop over a language model ([`generate`]), how its tokens become text piece by piece ([`TextStream`]), and how tokens
//! are chosen: logits processors, sampling, beams and stopping, all of which know no model, no session and no tokenizer.

mod answer;
pub mod beams;
mod cache;
mod constraint;
mod decoder;
mod drafts;
mod embedded;
mod exported;
mod generating;
#[cfg(feature = "constraints")]
mod grammar;
mod guide;
mod open;
pub mod processors;
mod rank;
mod record;
pub mod sampling;
#[cfg(feature = "constraints")]
mod schema;
mod scores;
mod search;
mod seq2seq;
mod states;
mod steps;
pub mod stopping;
mod stream;
mod unread;

pub use constraint::{Constraint, Vocabulary};
pub use decoder::{Decoder, LanguageModel};
pub use drafts::{Assistant, AssistantConfig, Respell, Schedule};
pub use embedded::Features;
pub use exported::{ExportedDecoder, ExportedSeq2Seq};
pub(crate) use generating::cut;
pub use generating::{
    Generated, Helpers, MakeAssistant, MakeGuide, OwnProcessors, Settings, SharedTokenBytes, fill, generate, generate_helped,
};
pub use open::{check_two_sided, open, open_embedded, open_two_sided};
pub(crate) use rank::argmax;
pub use scores::log_softmax;
pub use seq2seq::Seq2Seq;
pub use steps::{NewToken, Steps};
pub use stream::TextStream;
pub use unread::Unread;
