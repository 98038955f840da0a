//! The tensors of a state dict: what PyTorch's pickles say of them.

use super::pickle::{Id, Pickle, Value};
use crate::{Dtype, Error, Result};
use std::collections::{BTreeMap, BTreeSet};

/// Where training programs put the model's own state dict, beside the optimizer's and their settings.
const WRAPPERS: [&str; 6] = ["state_dict", "model_state_dict", "model", "module", "net", "weights"];
const MAX_DEPTH: usize = 16;
/// Names longer than this are nobody's; with it, names cannot take more than a few hundred bytes for each byte of the file.
const MAX_NAME_LEN: usize = 512;
/// More dimensions than any model has.
const MAX_RANK: usize = 16;

/// A tensor: elements of a storage, from an offset on, at strides. All counted in elements.
#[derive(Debug)]
pub(super) struct View<'a> {
    pub(super) storage: &'a str,
    pub(super) dtype: Dtype,
    pub(super) offset: u64,
    pub(super) shape: Vec<usize>,
    pub(super) strides: Vec<usize>,
}

/// The tensors of a pickled state dict by name. Names within dictionaries are joined by dots, as in modules within modules.
pub(super) fn views<'a>(pickle: &Pickle<'a>) -> Result<BTreeMap<String, View<'a>>> {
    let Some(root) = state_dict(pickle) else {
        return Err(Error::unsupported("the file holds no state dict; save `model.state_dict()` with safetensors or torch.save"));
    };
    let mut views = BTreeMap::new();
    collect(pickle, root, "", MAX_DEPTH, &mut BTreeSet::new(), &mut views)?;
    Ok(views)
}

/// The dictionary that holds the tensors: the whole, or the part that is the model's.
fn state_dict(pickle: &Pickle) -> Option<Id> {
    let Value::Dict(items) = pickle.get(pickle.root) else { return None };
    let holds_tensors =
        |id| matches!(pickle.get(id), Value::Dict(items) if items.iter().any(|(_, value)| rebuild(pickle, *value).is_some()));
    if holds_tensors(pickle.root) {
        return Some(pickle.root);
    }
    let wrapped = |name| items.iter().rev().find(|(key, _)| matches!(pickle.get(*key), Value::Text(text) if *text == name));
    WRAPPERS.into_iter().filter_map(wrapped).map(|(_, value)| *value).find(|&id| holds_tensors(id)).or(Some(pickle.root))
}

fn collect<'a>(
    pickle: &Pickle<'a>,
    dict: Id,
    prefix: &str,
    depth: usize,
    seen: &mut BTreeSet<Id>,
    views: &mut BTreeMap<String, View<'a>>,
) -> Result<()> {
    let Value::Dict(items) = pickle.get(dict) else { return Ok(()) };
    // Each dictionary counts once: one that contains itself would never end, and shared ones could be doubled without limit.
    if !seen.insert(dict) {
        return Ok(());
    }
    for &(key, value) in items {
        let name = match pickle.get(key) {
            Value::Text(text) if text.len() + prefix.len() <= MAX_NAME_LEN => format!("{prefix}{text}"),
            Value::Int(n) => format!("{prefix}{n}"),
            _ => continue,
        };
        if let Some(call) = rebuild(pickle, value) {
            let view = view(pickle, &call).map_err(|e| e.at(format!("tensor `{name}`")))?;
            views.insert(name, view);
        } else if depth > 0 {
            collect(pickle, value, &format!("{name}."), depth - 1, seen, views)?;
        }
    }
    Ok(())
}

/// A call that makes a tensor: which function, and its arguments.
struct Rebuild<'p> {
    function: &'p str,
    arguments: &'p [Id],
}

/// The call behind a value, if that is a tensor: parameters and subclasses wrap the tensor that they are made of.
fn rebuild<'p>(pickle: &'p Pickle, value: Id) -> Option<Rebuild<'p>> {
    let mut value = value;
    let (mut function, mut arguments) = match pickle.get(value) {
        Value::Call(function, arguments) => (*function, *arguments),
        _ => return None,
    };
    for _ in 0..MAX_DEPTH {
        let (Value::Global(module, name), Value::Tuple(args)) = (pickle.get(function), pickle.get(arguments)) else { return None };
        match (*module, *name) {
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2" | "_rebuild_tensor_v3") => {
                return Some(Rebuild { function: name, arguments: args });
            }
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => {
                value = *args.first()?;
                let Value::Call(f, a) = pickle.get(value) else { return None };
                (function, arguments) = (*f, *a);
            }
            ("torch._tensor", "_rebuild_from_type_v2") => (function, arguments) = (*args.first()?, *args.get(2)?),
            _ => return None,
        }
    }
    None
}

fn view<'a>(pickle: &Pickle<'a>, call: &Rebuild) -> Result<View<'a>> {
    let damaged = || Error::checkpoint(format!("{} has arguments that make no tensor", call.function));
    let argument = |i: usize| call.arguments.get(i).map(|&id| pickle.get(id)).ok_or_else(damaged);

    let Value::Persistent(id) = argument(0)? else { return Err(damaged()) };
    let storage = storage(pickle, *id)?;
    // Version 3 is for element types that have no storage class of their own.
    let dtype = match (call.function, argument(6)) {
        ("_rebuild_tensor_v3", Ok(Value::Global("torch", name))) => torch_dtype(name)?,
        ("_rebuild_tensor_v3", _) => return Err(damaged()),
        _ => storage.dtype,
    };
    let Value::Int(offset) = argument(1)? else { return Err(damaged()) };
    let offset = u64::try_from(*offset).map_err(|_| damaged())?;
    let numbers = |i| match argument(i)? {
        Value::Tuple(ids) | Value::List(ids) if ids.len() <= MAX_RANK => {
            ids.iter().map(|&id| size(pickle, id)).collect::<Option<Vec<_>>>().ok_or_else(damaged)
        }
        _ => Err(damaged()),
    };
    let (shape, strides) = (numbers(2)?, numbers(3)?);
    if shape.len() != strides.len() {
        return Err(damaged());
    }
    Ok(View { storage: storage.key, dtype, offset, shape, strides })
}

fn size(pickle: &Pickle, id: Id) -> Option<usize> {
    match pickle.get(id) {
        Value::Int(n) => usize::try_from(*n).ok(),
        _ => None,
    }
}

/// A run of bytes in the file that tensors are views of.
#[derive(Debug)]
pub(super) struct Storage<'a> {
    pub(super) key: &'a str,
    pub(super) dtype: Dtype,
}

/// The storage that a persistent id stands for: `("storage", class, key, device, elements)`, and for the oldest files a view of another.
pub(super) fn storage<'a>(pickle: &Pickle<'a>, persistent_id: Id) -> Result<Storage<'a>> {
    let damaged = || Error::checkpoint("a persistent id names no storage");
    let Value::Tuple(ids) = pickle.get(persistent_id) else { return Err(damaged()) };
    let item = |i: usize| ids.get(i).map(|&id| pickle.get(id));
    let (Some(Value::Text("storage")), Some(Value::Global(module, class)), Some(Value::Text(key))) = (item(0), item(1), item(2)) else {
        return Err(damaged());
    };
    if matches!(item(5), Some(Value::Tuple(_))) {
        return Err(Error::unsupported(
            "its storage is a view of another one, as PyTorch before 0.4 saved it; load and save it again with a later one",
        ));
    }
    if !matches!(*module, "torch" | "torch.cuda" | "torch.storage") {
        return Err(damaged());
    }
    Ok(Storage { key, dtype: storage_dtype(class)? })
}

fn storage_dtype(class: &str) -> Result<Dtype> {
    Ok(match class {
        "DoubleStorage" => Dtype::F64,
        "FloatStorage" => Dtype::F32,
        "HalfStorage" => Dtype::F16,
        "BFloat16Storage" => Dtype::BF16,
        "LongStorage" => Dtype::I64,
        "IntStorage" => Dtype::I32,
        "ShortStorage" => Dtype::I16,
        "CharStorage" => Dtype::I8,
        "ByteStorage" | "UntypedStorage" => Dtype::U8,
        "BoolStorage" => Dtype::Bool,
        _ => return Err(Error::unsupported(format!("elements of a `{class}` are not supported"))),
    })
}

pub(super) fn torch_dtype(name: &str) -> Result<Dtype> {
    Ok(match name {
        "float64" => Dtype::F64,
        "float32" => Dtype::F32,
        "float16" => Dtype::F16,
        "bfloat16" => Dtype::BF16,
        "float8_e4m3fn" => Dtype::F8E4M3,
        "float8_e5m2" => Dtype::F8E5M2,
        "int64" => Dtype::I64,
        "int32" => Dtype::I32,
        "int16" => Dtype::I16,
        "int8" => Dtype::I8,
        "uint64" => Dtype::U64,
        "uint32" => Dtype::U32,
        "uint16" => Dtype::U16,
        "uint8" => Dtype::U8,
        "bool" => Dtype::Bool,
        _ => return Err(Error::unsupported(format!("elements of type `torch.{name}` are not supported"))),
    })
}
