//! A session of a model, and its like for many batches at once.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use formers_converters::{graph::Data, writer};

use super::wiring::Wiring;
use crate::{
    Result,
    session::{Device, Session, SessionOptions, threads},
};

/// Only models with smaller weights have workers, whose copy of them is the price. Larger models spend their time in
/// products that are large enough for several threads.
const MOST_BYTES: u64 = 128 << 20;
/// So many batches at once are worth opening workers for.
const MANY_BATCHES: usize = 16;

/// A session.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) session: Session,
    /// How to open it again; `None` where workers would not help.
    again: Option<(Again, SessionOptions)>,
    worker: OnceLock<Option<Session>>,
    /// The file of a ready-made graph with how it is opened, and what its operators say.
    file: Option<(PathBuf, SessionOptions)>,
    wiring: OnceLock<Wiring>,
}

#[derive(Debug)]
enum Again {
    File(PathBuf),
    Memory(writer::Model),
}

/// A session that runs on the calling thread alone, for so many threads at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Workers<'a> {
    pub(crate) session: &'a Session,
    pub(crate) threads: usize,
}

impl Part {
    pub(super) fn from_file(file: &Path, options: &SessionOptions) -> Result<Self> {
        let session = Session::from_file(file, options)?;
        let part = Self::new(session, options, || Some(Again::File(file.to_path_buf())).filter(|_| bytes(file) <= MOST_BYTES));
        Ok(Self { file: Some((file.to_path_buf(), options.clone())), ..part })
    }

    /// What the operators of a ready-made graph say.
    pub(super) fn wiring(&self) -> Option<&Wiring> {
        let (file, options) = self.file.as_ref()?;
        let read = || options.content(file).map_or_else(|_| Wiring::default(), |model| Wiring::of(&model));
        Some(self.wiring.get_or_init(read))
    }

    pub(super) fn from_memory(model: writer::Model, weights: u64, options: &SessionOptions) -> Result<Self> {
        let session = Session::from_memory(&model.bytes, model.folder.as_deref(), options)?;
        Ok(Self::new(session, options, || Some(Again::Memory(model)).filter(|_| weights <= MOST_BYTES)))
    }

    fn new(session: Session, options: &SessionOptions, again: impl FnOnce() -> Option<Again>) -> Self {
        let several = *session.device() == Device::Cpu && threads::wanted(options) > 1;
        let options = SessionOptions { device: Device::Cpu, ..options.clone() };
        let again = if several { again() } else { None };
        Self { session, again: again.map(|again| (again, options)), worker: OnceLock::new(), file: None, wiring: OnceLock::new() }
    }

    /// Workers for so many batches. Operators of small models are short, and threads that share one spend much of their time
    /// on meeting each other: with a batch each they never wait.
    pub(super) fn workers(&self, batches: usize) -> Option<Workers<'_>> {
        let (again, options) = self.again.as_ref()?;
        let threads = threads::wanted(options);
        if batches < 2 || (batches < MANY_BATCHES && self.worker.get().is_none()) {
            return None;
        }
        // ONNX Runtime tells profiles apart by no more than the second.
        let profile = || {
            options.profile.as_ref().map(|path| {
                let mut name = path.clone().into_os_string();
                name.push("_workers");
                PathBuf::from(name)
            })
        };
        let options = || SessionOptions { threads: Some(1), profile: profile(), ..options.clone() };
        let open = || {
            let opened = match again {
                Again::File(file) => Session::from_file(file, &options()),
                Again::Memory(model) => Session::from_memory(&model.bytes, model.folder.as_deref(), &options()),
            };
            opened.inspect_err(|error| tracing::warn!("batches run one after the other: {error}")).ok()
        };
        self.worker.get_or_init(open).as_ref().map(|session| Workers { session, threads })
    }
}

/// How large an ONNX file is, with the files beside it that hold its weights.
fn bytes(file: &Path) -> u64 {
    let (Some(folder), Some(name)) = (file.parent(), file.file_name().and_then(|name| name.to_str())) else { return u64::MAX };
    let Ok(entries) = fs::read_dir(folder) else { return u64::MAX };
    let belongs = |entry: &fs::DirEntry| entry.file_name().to_str().is_some_and(|entry| entry.starts_with(name));
    entries.flatten().filter(belongs).filter_map(|entry| fs::metadata(entry.path()).ok()).map(|about| about.len()).sum()
}

/// How large the weights of a graph are.
pub(super) fn weights(body: &formers_converters::graph::Body) -> u64 {
    body.initializers.values().map(Data::size).sum()
}
