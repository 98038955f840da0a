//! ONNX Runtime: finding the library, opening sessions, choosing execution providers.
//!
//! Opening the first session loads ONNX Runtime ([`Source`] says where it may come from) and makes the one environment a
//! process can have. An application that has its own calls [`use_environment`] or [`use_library`] before that. Microsoft's builds have
//! telemetry, which is kept from beginning unless the application calls [`use_telemetry`].

mod buffer;
mod device;
mod doctor;
#[cfg(target_os = "linux")]
mod huge_pages;
// Elsewhere it is compiled, and never called.
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, unused_imports))]
mod kernels;
mod library;
#[cfg_attr(not(feature = "text"), allow(dead_code))] // what only texts ask
pub(crate) mod memory;
mod open;
mod options;
mod outputs;
mod port;
#[cfg(feature = "load-dynamic")]
mod probe;
mod providers;
mod raw;
mod runtime;
mod select;
mod telemetry;
pub(crate) mod threads;
mod unmapped;
mod value;
mod watch;

use std::borrow::{Borrow, Cow};
use std::ffi::{CStr, CString};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub use buffer::Buffer;
pub use device::Device;
pub use doctor::{Doctor, ProviderState, doctor};
pub use formers_converters::Dtype;
pub use library::{Library, Source, Tried};
pub use options::{Optimization, SessionOptions, Spinning};
pub use outputs::Outputs;
pub use port::{Dim, Port};
#[cfg(feature = "load-dynamic")]
pub use probe::probe;
pub use runtime::{use_environment, use_library, use_telemetry};
pub use threads::Threads;
pub use value::{Element, RuntimeTensor, Value};

use crate::{Error, ErrorKind, Result};

/// A model that is ready to run, from any number of threads at once.
pub struct Session {
    inner: Arc<raw::Live>,
    device: Device,
    is_own: bool,
    /// Those that a run must be given first,
    inputs: Vec<Port>,
    /// which are so many; the others have a default.
    required: usize,
    outputs: Vec<Port>,
    input_names: Vec<CString>,
    output_names: Vec<CString>,
    /// Held during a run where the provider allows only one at a time.
    turns: Option<Mutex<()>>,
    /// How long a run may take.
    time_limit: Option<Duration>,
}

/// Stops runs from another thread, for good: a run that is given it afterwards fails at once.
#[derive(Debug, Clone)]
pub struct Cancel(Arc<raw::RunOptions>);

impl Cancel {
    /// A handle to give to [`Session::run_with`].
    ///
    /// # Errors
    /// [`ErrorKind::Runtime`] when ONNX Runtime cannot be loaded.
    pub fn new() -> Result<Self> {
        runtime::get()?;
        raw::RunOptions::new().map(|options| Self(Arc::new(options))).map_err(raw::runtime_error)
    }

    /// Makes the runs that have this handle fail, before their next operator.
    pub fn cancel(&self) {
        if let Err(error) = self.0.terminate() {
            tracing::warn!("a run cannot be cancelled: {error}");
        }
    }
}

impl Session {
    /// Opens a model file. Weights outside of it are looked for in its folder.
    ///
    /// # Errors
    /// A missing or damaged file, a device that is not there, or an ONNX Runtime that cannot be loaded.
    pub fn from_file(path: &Path, options: &SessionOptions) -> Result<Self> {
        Self::open(&open::Source::File(path), options)
    }

    /// Opens a model that lies in memory as the bytes of an ONNX file. Weights outside of it are looked for in
    /// `external_data_folder`: each file's name in the model is relative to that folder and may not leave it.
    ///
    /// # Errors
    /// As [`Session::from_file`].
    pub fn from_memory(model: &[u8], external_data_folder: Option<&Path>, options: &SessionOptions) -> Result<Self> {
        Self::open(&open::Source::Memory { model, external_data_folder }, options)
    }

    fn open(source: &open::Source<'_>, options: &SessionOptions) -> Result<Self> {
        let opened = open::open(source, options)?;
        let inner = Arc::new(raw::Live::new(opened.session, opened.weights));
        let mut inputs: Vec<_> = inner.inputs().iter().map(Port::new).collect();
        let required = inputs.len();
        let optional = open::guarded(source, || inner.overridable_initializers())?;
        inputs.extend(optional.iter().map(|input| Port::of(input.name(), input.dtype())));
        let outputs: Vec<_> = inner.outputs().iter().map(Port::new).collect();
        Ok(Self {
            device: opened.device,
            is_own: is_own(&inner),
            inner,
            input_names: c_names(&inputs)?,
            output_names: c_names(&outputs)?,
            inputs,
            required,
            outputs,
            turns: (!opened.concurrent).then(Mutex::default),
            time_limit: options.time_limit,
        })
    }

    /// What the model takes, but for what may be left out.
    pub fn inputs(&self) -> &[Port] {
        self.inputs.get(..self.required).unwrap_or_default()
    }

    /// What the model gives.
    pub fn outputs(&self) -> &[Port] {
        &self.outputs
    }

    /// The input of this name, which may be one that can be left out.
    pub fn input(&self, name: &str) -> Option<&Port> {
        self.inputs.iter().find(|port| port.name == name)
    }

    /// The output of this name.
    pub fn output(&self, name: &str) -> Option<&Port> {
        self.outputs.iter().find(|port| port.name == name)
    }

    /// The device that is really used: never [`Device::Auto`].
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Whether the graph was made here, so that it keeps to what graphs from here promise.
    pub fn is_own(&self) -> bool {
        self.is_own
    }

    /// Checks that every input is among those that the caller can fill, so that a model that needs more fails when it is
    /// loaded, not when it is run.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`], with the inputs that nobody fills.
    pub fn check_inputs(&self, available: &[&str]) -> Result<()> {
        let unfilled: Vec<_> =
            self.inputs().iter().filter(|port| !available.contains(&port.name.as_str())).map(|port| format!("`{port}`")).collect();
        if unfilled.is_empty() {
            return Ok(());
        }
        Err(Error::unsupported(format!(
            "the model wants {}, which this task does not fill (it fills {})",
            unfilled.join(" and "),
            available.join(", ")
        )))
    }

    /// Runs the model for all of its outputs.
    ///
    /// Inputs are used where they lie. Numbers of another width than the model's are converted (float16 for float32,
    /// int32 or bool for int64, and back).
    ///
    /// # Errors
    /// An input that is missing, unknown, or of a wrong type or shape, and whatever ONNX Runtime cannot do.
    pub fn run<N: AsRef<str>, V: Borrow<Value>>(&self, inputs: impl IntoIterator<Item = (N, V)>) -> Result<Outputs> {
        self.run_with(inputs, None, None)
    }

    /// Runs the model for some of its outputs, in this order; operators that only others need are skipped. `cancel`
    /// stops it from another thread.
    ///
    /// # Errors
    /// As [`Session::run`]; also an output that the model does not have, or that the run was cancelled.
    pub fn run_with<N: AsRef<str>, V: Borrow<Value>>(
        &self,
        inputs: impl IntoIterator<Item = (N, V)>,
        outputs: Option<&[&str]>,
        cancel: Option<&Cancel>,
    ) -> Result<Outputs> {
        self.run_in_place(inputs, &mut [], outputs, cancel)
    }

    /// As [`Session::run_with`], with tensors that are input and output in one: `(input, output, tensor)`. The model must be one
    /// that writes them where they lie (a cache with room for more), else the run fails or copies them.
    ///
    /// # Errors
    /// As [`Session::run_with`].
    #[allow(unsafe_code)]
    pub fn run_in_place<N: AsRef<str>, V: Borrow<Value>>(
        &self,
        inputs: impl IntoIterator<Item = (N, V)>,
        shared: &mut [(&str, &str, &mut Buffer)],
        outputs: Option<&[&str]>,
        cancel: Option<&Cancel>,
    ) -> Result<Outputs> {
        let given: Vec<(N, V)> = inputs.into_iter().collect();
        let mut values: Vec<Option<Cow<'_, Value>>> = self.inputs.iter().map(|_| None).collect();
        for (name, value) in &given {
            let index = self.input_index(name.as_ref())?;
            let value = fit(&self.inputs[index], value.borrow())?;
            if values[index].replace(value).is_some() {
                return Err(Error::new(ErrorKind::Runtime, format!("input `{}` is given twice", name.as_ref())));
            }
        }
        let mut in_place: Vec<*const ort_sys::OrtValue> = vec![std::ptr::null(); self.inputs.len()];
        let mut targets: Vec<*mut ort_sys::OrtValue> = vec![std::ptr::null_mut(); self.outputs.len()];
        for (input, output, buffer) in shared.iter_mut() {
            let (input, output) = (self.input_index(input)?, self.output_index(output)?);
            let port = &self.inputs[input];
            if port.dtype != Some(buffer.dtype()) || !port.allows(buffer.shape()) {
                return Err(Error::new(
                    ErrorKind::Runtime,
                    format!("input `{port}`: a buffer of {:?} {:?} does not fit", buffer.dtype(), buffer.shape()),
                ));
            }
            if values[input].is_some() || !in_place[input].is_null() || !targets[output].is_null() {
                return Err(Error::new(ErrorKind::Runtime, format!("input `{port}` is given twice")));
            }
            targets[output] = buffer.pointer();
            in_place[input] = targets[output].cast_const();
        }
        let mut borrowed = Vec::with_capacity(values.len());
        for ((port, value), in_place) in self.inputs.iter().zip(&values).zip(&in_place) {
            match value {
                Some(value) => borrowed.push(Some((value.lend()?, &**value))),
                None if !in_place.is_null() || borrowed.len() >= self.required => borrowed.push(None),
                None => {
                    return Err(Error::new(
                        ErrorKind::Runtime,
                        format!("input `{}` is missing: the model takes {}", port.name, names(&self.inputs)),
                    ));
                }
            }
        }
        let values_of = self.input_names.iter().zip(&borrowed).zip(&in_place);
        let pointers = values_of.map(|((name, value), in_place)| (&**name, value.as_ref().map_or(*in_place, pointer)));
        // What is left out has a default.
        let pointers: Vec<(&CStr, _)> = pointers.filter(|(_, value)| !value.is_null()).collect();
        let wanted = self.wanted(outputs)?;
        let free: Vec<usize> = wanted.iter().copied().filter(|&index| targets[index].is_null()).collect();
        let written = (0..self.outputs.len()).filter(|&index| !targets[index].is_null());
        let places: Vec<(&CStr, _)> =
            free.iter().copied().chain(written).map(|index| (&*self.output_names[index], targets[index])).collect();

        let turn = self.turns.as_ref().map(|turns| turns.lock().unwrap_or_else(PoisonError::into_inner));
        let limited = self.time_limit.map(|limit| self.limited(limit, cancel)).transpose()?;
        let options = limited.as_ref().map_or(cancel, |(cancel, _)| Some(cancel)).map(|cancel| &*cancel.0);
        // SAFETY: the buffers are held exclusively, each is one input and one output, and nothing else is written to.
        let found = unsafe { raw::run(&self.inner, options, &pointers, &places) };
        drop(turn);

        let is_late = limited.is_some_and(|(_, watched)| watched.is_some_and(|watched| watched.is_late()));
        let found = found.map_err(|error| if is_late { late("the run", self.time_limit) } else { self.run_error(error, &values) })?;
        let found = free.iter().zip(found).map(|(&index, value)| {
            let name = &self.outputs[index].name;
            let tensor = RuntimeTensor::new(value).map_err(|error| error.at(format!("output `{name}`")))?;
            Ok((name.clone(), Value::Runtime(tensor)))
        });
        found.collect::<Result<_>>().map(Outputs::new)
    }

    /// A run's handle, which is stopped when the run takes too long: the caller's, or one of its own.
    fn limited(&self, limit: Duration, cancel: Option<&Cancel>) -> Result<(Cancel, Option<watch::Watched>)> {
        let cancel = cancel.map_or_else(Cancel::new, |cancel| Ok(cancel.clone()))?;
        let stop = cancel.clone();
        Ok((cancel, watch::within(limit, move || stop.cancel())?))
    }

    fn input_index(&self, name: &str) -> Result<usize> {
        self.inputs.iter().position(|port| port.name == name).ok_or_else(|| {
            Error::new(ErrorKind::Runtime, format!("input `{name}`: the model has none of this name, it takes {}", names(&self.inputs)))
        })
    }

    fn wanted(&self, outputs: Option<&[&str]>) -> Result<Vec<usize>> {
        let Some(wanted) = outputs else { return Ok((0..self.outputs.len()).collect()) };
        wanted.iter().map(|name| self.output_index(name)).collect()
    }

    fn output_index(&self, name: &str) -> Result<usize> {
        self.outputs.iter().position(|port| port.name == name).ok_or_else(|| {
            Error::new(ErrorKind::Runtime, format!("output `{name}`: the model has none of this name, it gives {}", names(&self.outputs)))
        })
    }

    fn run_error(&self, error: ort::Error, values: &[Option<Cow<'_, Value>>]) -> Error {
        let inputs =
            self.inputs.iter().zip(values).filter_map(|(port, value)| Some(format!("{} {:?}", port.name, value.as_ref()?.shape())));
        let inputs: Vec<_> = inputs.collect();
        Error::new(ErrorKind::Runtime, format!("running the model on {} with {}: {}", self.device, inputs.join(", "), raw::message(&error)))
            .caused_by(error)
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("device", &self.device)
            .field("inputs", &self.inputs)
            .field("outputs", &self.outputs)
            .finish_non_exhaustive()
    }
}

/// What took longer than it may.
fn late(what: &str, limit: Option<Duration>) -> Error {
    let limit = limit.unwrap_or_default();
    Error::new(ErrorKind::Runtime, format!("{what} was stopped after {limit:?}, its time limit (SessionOptions::time_limit, --time-limit)"))
}

/// Whether the program that made a graph was this one.
fn is_own(session: &ort::session::Session) -> bool {
    session.metadata().is_ok_and(|metadata| metadata.producer().as_deref() == Some(formers_converters::PRODUCER))
}

/// The value as this input takes it: as it is where that is possible.
fn fit<'a>(port: &Port, value: &'a Value) -> Result<Cow<'a, Value>> {
    let failed = |problem: String| Error::new(ErrorKind::Runtime, format!("input `{}`: {problem}", port.name));
    if !port.allows(value.shape()) {
        return Err(failed(format!("shape {:?} does not fit `{port}`", value.shape())));
    }
    let dtype = port.dtype.ok_or_else(|| failed("it is no tensor of numbers, which nothing here fills".to_owned()))?;
    let value = if dtype == value.dtype() {
        Cow::Borrowed(value)
    } else {
        let converted = value.converted(dtype)?;
        Cow::Owned(converted.ok_or_else(|| failed(format!("a tensor of {:?} does not fit `{port}`", value.dtype())))?)
    };
    if value.is_contiguous() { Ok(value) } else { value.contiguous().map(Cow::Owned) }
}

fn pointer((borrowed, value): &(Option<raw::BorrowedValue<'_>>, &Value)) -> *const ort_sys::OrtValue {
    match (borrowed, value) {
        (Some(borrowed), _) => borrowed.pointer(),
        (None, Value::Runtime(tensor)) => tensor.pointer(),
        (None, _) => std::ptr::null(),
    }
}

fn names(ports: &[Port]) -> String {
    ports.iter().map(|port| port.name.as_str()).collect::<Vec<_>>().join(", ")
}

fn c_names(ports: &[Port]) -> Result<Vec<CString>> {
    let name = |port: &Port| {
        CString::new(port.name.as_str())
            .map_err(|_| Error::new(ErrorKind::Checkpoint, format!("the name {:?} holds a zero byte", port.name)))
    };
    ports.iter().map(name).collect()
}
