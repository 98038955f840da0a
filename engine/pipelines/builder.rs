//! What `from_pretrained` leaves at its default.

use std::{marker::PhantomData, path::PathBuf, sync::Arc};

use super::Pipeline;
use crate::{
    Result, hub,
    model::{ModelDtype, Options, Pretrained, Source},
    session::Device,
};

/// Builds a pipeline with chosen options.
#[derive(Debug)]
pub struct Builder<P> {
    options: Options,
    pipeline: PhantomData<P>,
}

impl<P: Pipeline> Builder<P> {
    pub(super) fn new(model: &str) -> Self {
        Self { options: Options::new(model), pipeline: PhantomData }
    }

    /// Branch, tag or commit.
    #[must_use]
    pub fn revision(mut self, revision: impl Into<String>) -> Self {
        self.options.hub.revision = Some(revision.into());
        self
    }

    /// Where to run; a device named outright is used, or building fails.
    #[must_use]
    pub fn device(mut self, device: Device) -> Self {
        self.options.session.device = device;
        self
    }

    /// The type of the weights.
    #[must_use]
    pub fn dtype(mut self, dtype: ModelDtype) -> Self {
        self.options.dtype = dtype;
        self
    }

    /// Threads within an operator; one for each physical core by default.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.options.session.threads = Some(threads);
        self
    }

    /// The Hub cache, in place of the one that the environment names.
    #[must_use]
    pub fn cache_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.options.hub.cache_dir = Some(folder.into());
        self
    }

    /// Whether the network is off limits.
    #[must_use]
    pub fn offline(mut self, offline: bool) -> Self {
        self.options.hub.offline = Some(offline);
        self
    }

    /// The Hub's access token.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.options.hub.token = Some(token.into());
        self
    }

    /// Told how downloads go on.
    #[must_use]
    pub fn progress(mut self, progress: Arc<dyn hub::Progress>) -> Self {
        self.options.hub.progress = Some(progress);
        self
    }

    /// Where the graph comes from.
    #[must_use]
    pub fn source(mut self, source: Source) -> Self {
        self.options.source = source;
        self
    }

    /// A smaller model that guesses for one that generates ([`Options::assistant_model`]).
    #[must_use]
    pub fn assistant_model(mut self, model: impl Into<String>) -> Self {
        self.options.assistant_model = Some(model.into());
        self
    }

    /// Every option at once.
    #[must_use]
    pub fn options(mut self, options: Options) -> Self {
        self.options = Options { model: std::mem::take(&mut self.options.model), ..options };
        self
    }

    /// Loads the model.
    pub fn build(mut self) -> Result<P> {
        if self.options.model.is_empty() {
            self.options.model = P::TASK.default_model.to_string();
        }
        super::loaded(&P::TASK, &Pretrained::open(self.options)?, P::load)
    }
}
