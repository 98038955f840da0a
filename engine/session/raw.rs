//! The calls of ONNX Runtime's C API that `ort` does not offer through a shared reference.
//!
//! `ort` lets a session run only through `&mut`, while the C API documents `Run` as safe to call from many threads on
//! one session. Providers that do not keep this promise are listed as such in `providers` and take turns.

#![allow(unsafe_code)]

use std::ffi::{CStr, c_void};
use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr::{NonNull, null, null_mut};
use std::sync::{Arc, OnceLock};

use formers_converters::Dtype;
use ort::AsPointer;
use ort::environment::Environment;
use ort_sys::{ONNXTensorElementDataType, OrtAllocatorType, OrtMemType, OrtMemoryInfo, OrtRunOptions, OrtStatusPtr, OrtValue};

use super::unmapped::Weights;
use crate::{Error, ErrorKind};

/// The result of a call.
///
/// # Safety
/// The status must come from ONNX Runtime and not have been released.
pub(super) unsafe fn check(status: OrtStatusPtr) -> ort::Result<()> {
    // SAFETY: as the caller promises.
    unsafe { ort::Error::result_from_status(status) }
}

/// An error of ONNX Runtime as ours.
pub(super) fn runtime_error(error: ort::Error) -> Error {
    Error::new(ErrorKind::Runtime, format!("ONNX Runtime: {}", message(&error))).caused_by(error)
}

/// What ONNX Runtime says, on one line, without the places in its sources that it puts in front.
pub(super) fn message(error: &ort::Error) -> String {
    let text = error.message();
    // `[ONNXRuntimeError] : 1 : FAIL : what happened`, after the callers' own words.
    let innermost = text.rsplit_once("[ONNXRuntimeError] : ").and_then(|(_, text)| text.splitn(3, " : ").nth(2));
    innermost.unwrap_or(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A session, and what it refers to outside of its own memory, which goes away after it.
pub(super) struct Live {
    session: ort::session::Session,
    _weights: Weights,
}

impl Live {
    pub(super) fn new(session: ort::session::Session, weights: Weights) -> Self {
        Self { session, _weights: weights }
    }
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Live").finish_non_exhaustive()
    }
}

impl Deref for Live {
    type Target = ort::session::Session;

    fn deref(&self) -> &Self::Target {
        &self.session
    }
}

/// A tensor in ONNX Runtime's own memory, as a run gives it.
#[derive(Debug)]
pub(super) struct OwnedValue {
    pointer: NonNull<OrtValue>,
    /// The memory belongs to the session's allocator.
    _session: Arc<Live>,
}

// SAFETY: nothing writes to a tensor once the run that made it has ended, and releasing it may happen on any thread.
unsafe impl Send for OwnedValue {}
// SAFETY: as above; all methods only read.
unsafe impl Sync for OwnedValue {}

impl Drop for OwnedValue {
    fn drop(&mut self) {
        // SAFETY: this is the only owner.
        unsafe { (ort::api().ReleaseValue)(self.pointer.as_ptr()) }
    }
}

impl OwnedValue {
    pub(super) fn pointer(&self) -> *const OrtValue {
        self.pointer.as_ptr()
    }

    /// Element type (ONNX's number) and shape; an error for what is no tensor.
    pub(super) fn describe(&self) -> ort::Result<(i32, Vec<usize>)> {
        let mut info = null_mut();
        // SAFETY: the value lives, every call fills what it is given, and the info is released below.
        unsafe {
            let mut is_tensor = 0;
            check((ort::api().IsTensor)(self.pointer(), &mut is_tensor))?;
            if is_tensor == 0 {
                return Err(ort::Error::new("the value is no tensor"));
            }
            check((ort::api().GetTensorTypeAndShape)(self.pointer(), &mut info))?;
            let described = (|| {
                let (mut element, mut rank) = (0_i32, 0);
                // Through a plain number: a newer library may know more types than the declared enumeration.
                check((ort::api().GetTensorElementType)(info, (&raw mut element).cast()))?;
                check((ort::api().GetDimensionsCount)(info, &mut rank))?;
                let mut shape = vec![0_i64; rank];
                check((ort::api().GetDimensions)(info, shape.as_mut_ptr(), rank))?;
                Ok((element, shape.into_iter().map(|size| usize::try_from(size).unwrap_or(0)).collect()))
            })();
            (ort::api().ReleaseTensorTypeAndShapeInfo)(info);
            described
        }
    }

    /// The bytes of a tensor of `length` bytes in the processor's memory.
    ///
    /// # Safety
    /// The tensor has elements of a fixed size, and that many bytes in all.
    pub(super) unsafe fn bytes(&self, length: usize) -> ort::Result<&[u8]> {
        let mut data: *mut c_void = null_mut();
        // SAFETY: the value lives as long as the slice, nothing writes to it, and its length is as the caller promises.
        unsafe {
            check((ort::api().GetTensorMutableData)(self.pointer.as_ptr(), &mut data))?;
            Ok(if length == 0 || data.is_null() { &[] } else { std::slice::from_raw_parts(data.cast(), length) })
        }
    }
}

/// A tensor whose elements somebody else keeps.
pub(super) struct BorrowedValue<'a> {
    pointer: NonNull<OrtValue>,
    elements: PhantomData<&'a [u8]>,
}

impl Drop for BorrowedValue<'_> {
    fn drop(&mut self) {
        // SAFETY: this is the only owner of the handle; the elements are not touched.
        unsafe { (ort::api().ReleaseValue)(self.pointer.as_ptr()) }
    }
}

impl<'a> BorrowedValue<'a> {
    /// A tensor over `elements`, which lie in row-major order and are exactly as many as the shape says.
    pub(super) fn new(elements: &'a [u8], dtype: Dtype, shape: &[usize]) -> ort::Result<Self> {
        debug_assert_eq!(dtype.bytes(shape), Some(elements.len() as u64));
        let shape: Vec<i64> = shape.iter().map(|&size| i64::try_from(size).unwrap_or(i64::MAX)).collect();
        let mut pointer = null_mut();
        // SAFETY: inputs are only read during a run, and the elements outlive the handle. The number is one of ONNX's.
        unsafe {
            let element = std::mem::transmute::<i32, ONNXTensorElementDataType>(dtype.onnx());
            let data = elements.as_ptr().cast_mut().cast();
            let create = ort::api().CreateTensorWithDataAsOrtValue;
            check(create(cpu_memory()?, data, elements.len(), shape.as_ptr(), shape.len(), element, &mut pointer))?;
        }
        let pointer = NonNull::new(pointer).ok_or_else(|| ort::Error::new("no tensor was made"))?;
        Ok(Self { pointer, elements: PhantomData })
    }

    pub(super) fn pointer(&self) -> *const OrtValue {
        self.pointer.as_ptr()
    }
}

/// A tensor that runs read and write where it lies.
#[derive(Debug)]
pub(super) struct SharedBuffer {
    pointer: NonNull<OrtValue>,
    /// Its bytes, in pieces that are aligned for every type, with some to spare at the end.
    pieces: Vec<u64>,
    length: usize,
}

// SAFETY: the handle only names the elements, which this owns; runs that write them hold it exclusively.
unsafe impl Send for SharedBuffer {}
// SAFETY: as above; what needs no exclusive access only reads.
unsafe impl Sync for SharedBuffer {}

impl Drop for SharedBuffer {
    fn drop(&mut self) {
        // SAFETY: this is the only owner of the handle; the elements go after it.
        unsafe { (ort::api().ReleaseValue)(self.pointer.as_ptr()) }
    }
}

impl SharedBuffer {
    /// The first `length` bytes of `pieces` as elements of this type, which must be exactly as many as the shape says.
    pub(super) fn new(mut pieces: Vec<u64>, length: usize, dtype: Dtype, shape: &[usize]) -> ort::Result<Self> {
        debug_assert!(dtype.bytes(shape) == Some(length as u64) && length <= size_of_val(pieces.as_slice()));
        let shape: Vec<i64> = shape.iter().map(|&size| i64::try_from(size).unwrap_or(i64::MAX)).collect();
        let mut pointer = null_mut();
        // SAFETY: the elements stay where they are, since the vector is never resized, and outlive the handle.
        unsafe {
            let element = std::mem::transmute::<i32, ONNXTensorElementDataType>(dtype.onnx());
            let create = ort::api().CreateTensorWithDataAsOrtValue;
            check(create(cpu_memory()?, pieces.as_mut_ptr().cast(), length, shape.as_ptr(), shape.len(), element, &mut pointer))?;
        }
        let pointer = NonNull::new(pointer).ok_or_else(|| ort::Error::new("no tensor was made"))?;
        Ok(Self { pointer, pieces, length })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        bytemuck::cast_slice(&self.pieces).get(..self.length).unwrap_or_default()
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        bytemuck::cast_slice_mut(&mut self.pieces).get_mut(..self.length).unwrap_or_default()
    }

    /// The handle, for a run that may write.
    pub(super) fn pointer(&mut self) -> *mut OrtValue {
        self.pointer.as_ptr()
    }
}

/// A handle by which another thread can stop runs.
#[derive(Debug)]
pub(super) struct RunOptions(NonNull<OrtRunOptions>);

// SAFETY: the C API lets another thread set the flag while runs read it.
unsafe impl Send for RunOptions {}
// SAFETY: as above.
unsafe impl Sync for RunOptions {}

impl RunOptions {
    pub(super) fn new() -> ort::Result<Self> {
        let mut pointer = null_mut();
        // SAFETY: the call fills the pointer.
        unsafe { check((ort::api().CreateRunOptions)(&mut pointer))? };
        Ok(Self(NonNull::new(pointer).ok_or_else(|| ort::Error::new("no run options were made"))?))
    }

    pub(super) fn terminate(&self) -> ort::Result<()> {
        // SAFETY: the options live.
        unsafe { check((ort::api().RunOptionsSetTerminate)(self.0.as_ptr())) }
    }
}

impl Drop for RunOptions {
    fn drop(&mut self) {
        // SAFETY: this is the only owner.
        unsafe { (ort::api().ReleaseRunOptions)(self.0.as_ptr()) }
    }
}

/// Runs a session on these inputs, for these outputs: written to a value where one is given, else to one that the run makes.
/// Gives those that the run made.
///
/// # Safety
/// Values that outputs are written to are not read or written by anybody else meanwhile, except as inputs of this run that
/// the model's operators may write in place.
pub(super) unsafe fn run(
    session: &Arc<Live>,
    options: Option<&RunOptions>,
    inputs: &[(&CStr, *const OrtValue)],
    outputs: &[(&CStr, *mut OrtValue)],
) -> ort::Result<Vec<OwnedValue>> {
    let options = options.map_or(null(), |options| options.0.as_ptr().cast_const());
    let (input_names, input_values): (Vec<_>, Vec<_>) = inputs.iter().map(|(name, value)| (name.as_ptr(), *value)).unzip();
    let (output_names, mut found): (Vec<_>, Vec<*mut OrtValue>) = outputs.iter().map(|(name, value)| (name.as_ptr(), *value)).unzip();
    // SAFETY: the session lives, `Run` may be called on it from many threads, every array has the length it is given
    // with, names and values live until the call returns, and the caller vouches for what is written.
    let status = unsafe {
        (ort::api().Run)(
            session.ptr().cast_mut(),
            options,
            input_names.as_ptr(),
            input_values.as_ptr(),
            inputs.len(),
            output_names.as_ptr(),
            outputs.len(),
            found.as_mut_ptr(),
        )
    };
    let wanted = outputs.iter().filter(|(_, given)| given.is_null()).count();
    let made = found.into_iter().zip(outputs).filter(|(_, (_, given))| given.is_null()).filter_map(|(found, _)| NonNull::new(found));
    let made: Vec<_> = made.map(|pointer| OwnedValue { pointer, _session: Arc::clone(session) }).collect();
    // SAFETY: the status is fresh.
    unsafe { check(status)? };
    if made.len() == wanted { Ok(made) } else { Err(ort::Error::new("an output has no value")) }
}

/// The description of ordinary memory, made once.
fn cpu_memory() -> ort::Result<*const OrtMemoryInfo> {
    struct Shared(*mut OrtMemoryInfo);
    // SAFETY: it is never written to after it was made, and never released.
    unsafe impl Send for Shared {}
    // SAFETY: as above.
    unsafe impl Sync for Shared {}
    static CPU: OnceLock<Shared> = OnceLock::new();

    if let Some(shared) = CPU.get() {
        return Ok(shared.0);
    }
    let mut info = null_mut();
    // SAFETY: the call fills the pointer.
    unsafe { check((ort::api().CreateCpuMemoryInfo)(OrtAllocatorType::OrtArenaAllocator, OrtMemType::OrtMemTypeDefault, &mut info))? };
    Ok(CPU.get_or_init(|| Shared(info)).0)
}

/// Turns off the events that can be turned off once there is an environment.
pub(super) fn disable_telemetry(environment: &Environment) -> ort::Result<()> {
    // SAFETY: the environment lives, and the call may come at any time.
    unsafe { check((ort::api().DisableTelemetryEvents)(environment.ptr())) }
}

/// Registers an arena of at most so many bytes, which sessions can share.
pub(super) fn share_cpu_arena(environment: &Environment, bytes: u64) -> ort::Result<()> {
    let keys = [c"max_mem".as_ptr()];
    let values = [usize::try_from(bytes).unwrap_or(usize::MAX)];
    let mut arena = null_mut();
    // SAFETY: the arrays have one entry each, the environment lives, and the configuration is released after its use.
    unsafe {
        check((ort::api().CreateArenaCfgV2)(keys.as_ptr(), values.as_ptr(), keys.len(), &mut arena))?;
        let registered = check((ort::api().CreateAndRegisterAllocator)(environment.ptr().cast_mut(), cpu_memory()?, arena));
        (ort::api().ReleaseArenaCfg)(arena);
        registered
    }
}
