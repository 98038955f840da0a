//! The modules of sentence-transformers behind a ready-made graph.

use formers_converters::{passes, writer};

use super::{Pretrained, sentence};
use crate::{
    Result,
    session::{Device, Session, SessionOptions},
};

impl Pretrained {
    /// The modules after the transformer as a session of their own, for hidden states of this width that a ready-made graph gives; `None`
    /// where the checkpoint names none.
    pub(crate) fn modules(&self, width: usize) -> Result<Option<Session>> {
        let modules = sentence::modules(&self.checkpoint)?;
        if modules.is_empty() {
            return Ok(None);
        }
        let body = passes::lower(formers_models::sentence::graph(&modules, width)?, passes::Target::Cpu)?;
        let model = writer::in_memory(&passes::unpack(body)?)?;
        let options = SessionOptions { device: Device::Cpu, profile: None, ..self.options.session.clone() };
        Session::from_memory(&model.bytes, model.folder.as_deref(), &options).map(Some)
    }
}
