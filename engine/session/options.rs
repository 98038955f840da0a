//! How a session is opened.

use std::path::{Path, PathBuf};
use std::time::Duration;

use formers_converters::content::Content;

use super::Device;
use crate::Result;

/// How a session is opened. The default runs on the processor with one thread for each physical core.
#[derive(Debug, Clone)]
pub struct SessionOptions {
    /// Where to run. A device named outright is used or opening fails; [`Device::Auto`] falls back.
    pub device: Device,
    /// Threads within an operator, at most [`Threads::MOST`](super::Threads::MOST); `None` or 0 for one on each physical core that this process may
    /// use. Where the system refuses to start so many, fewer are used.
    pub threads: Option<usize>,
    /// What waiting threads do.
    pub spinning: Spinning,
    /// The most bytes ONNX Runtime may allocate on the device. On the processor one limit holds for the whole process.
    pub memory_limit: Option<u64>,
    /// How long opening a session, and each run of it, may take; what takes longer fails, before its next operator. `None`, the default, waits for as
    /// long as it takes, which for a graph of a stranger may be for ever.
    pub time_limit: Option<Duration>,
    /// Whether ONNX Runtime keeps memory between runs instead of giving it back to the system: faster, and larger.
    pub arena: bool,
    /// How far the graph is rewritten when it is loaded.
    pub optimization: Optimization,
    /// Whether files of weights are mapped: only what is used takes memory, several processes share it, and the files have to stay as they are while the
    /// session lives, since one that is cut short ends the process (SIGBUS). Otherwise they are read when the session is opened, and may change then.
    pub mapping: bool,
    /// Whether constant weights are laid out anew for the processor when loading: faster runs, and a second copy of them.
    pub prepacking: bool,
    /// Whether products with weights in 4 and 8 bits, what stands right before and behind them, and the attention of such models may be computed by
    /// kernels of this library, where the processor has the instructions for them (AVX-512 VNNI) and `prepacking` is allowed: as exact as ONNX
    /// Runtime's, and faster.
    pub own_kernels: bool,
    /// Where providers that compile models (CoreML, OpenVINO, TensorRT) keep what they compiled.
    pub cache_folder: Option<PathBuf>,
    /// Where a profile is written: the path before its time stamp and `.json`. It is complete when the session is dropped.
    pub profile: Option<PathBuf>,
    /// Further session configuration entries, as ONNX Runtime names them.
    pub config: Vec<(String, String)>,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self {
            device: Device::default(),
            threads: None,
            spinning: Spinning::default(),
            memory_limit: None,
            time_limit: None,
            arena: true,
            optimization: Optimization::default(),
            mapping: true,
            prepacking: true,
            own_kernels: true,
            cache_folder: None,
            profile: None,
            config: Vec::new(),
        }
    }
}

impl SessionOptions {
    /// The default, on another device.
    pub fn on(device: Device) -> Self {
        Self { device, ..Self::default() }
    }

    /// What is in a file, mapped only where files may be.
    pub(crate) fn content(&self, path: &Path) -> Result<Content> {
        Ok(if self.mapping { Content::of(path) } else { Content::read(path) }?)
    }
}

/// What threads do while they wait for work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Spinning {
    /// They sleep at once: least power, and slowest, by a third for short inputs.
    Never,
    /// They wait busily for a fraction of a millisecond, as operators of one run follow each other, then sleep. As fast as
    /// [`Spinning::Always`] on an idle machine, and twice as fast on a busy one.
    #[default]
    Briefly,
    /// They wait busily for long, between runs as well: ONNX Runtime's own default, for machines that do nothing else.
    Always,
}

/// How far ONNX Runtime rewrites a graph when it loads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Optimization {
    /// Not at all.
    Disable,
    /// Constants are folded and redundant operators removed.
    Basic,
    /// Operators are fused as well.
    Extended,
    /// Data layouts change as well.
    #[default]
    All,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_mapped_that_may_not_be() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("model.onnx");
        std::fs::write(&file, vec![0; 3 << 20]).unwrap();
        for mapping in [true, false] {
            let content = SessionOptions { mapping, ..SessionOptions::default() }.content(&file).unwrap();
            assert_eq!(matches!(content, Content::Mapped(_)), mapping);
        }
    }
}
