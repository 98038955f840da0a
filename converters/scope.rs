//! Weights by the checkpoint's own keys, as tensors of a graph.

mod packed;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    ops::Range,
    path::Path,
    rc::Rc,
    sync::Arc,
};

use serde_json::Value;

use crate::{
    Dtype, Error, Result,
    graph::{Data, Graph, Tensor},
    weights::{TensorInfo, Tensors, quantized::Quantization},
};

/// A scope of a checkpoint's keys: `weights.pp("encoder").pp("layer")` reads `encoder.layer.…`.
///
/// A missing tensor does not stop the construction: all that are missing come out of [`Weights::check`] together.
#[derive(Clone)]
pub struct Weights {
    store: Rc<Store>,
    prefix: String,
}

struct Store {
    graph: Graph,
    tensors: Arc<Tensors>,
    files: Vec<Arc<Path>>,
    loaded: RefCell<BTreeMap<String, Tensor>>,
    missing: RefCell<BTreeSet<String>>,
    used: RefCell<BTreeSet<String>>,
    quantization: Option<Quantization>,
    /// Why weights may be missing, or be no floats: a quantization that is not known.
    unknown: Option<String>,
}

/// Old names of keys, tried where the new one is missing: `(end of the key, end of the old key)`.
const OLD_NAMES: &[(&str, &str)] = &[
    ("LayerNorm.weight", "LayerNorm.gamma"),
    ("LayerNorm.bias", "LayerNorm.beta"),
    ("layer_norm.weight", "layer_norm.gamma"),
    ("layer_norm.bias", "layer_norm.beta"),
    ("parametrizations.weight.original0", "weight_g"),
    ("parametrizations.weight.original1", "weight_v"),
];

impl Weights {
    /// All keys of a checkpoint, as weights of this graph.
    pub fn new(graph: &Graph, tensors: Arc<Tensors>) -> Self {
        Self::of(graph, tensors, &Value::Null)
    }

    /// As [`Weights::new`], for a checkpoint that may be quantized, as `quantization_config` of its `config.json` says: its weights are
    /// asked for as those of others.
    pub fn of(graph: &Graph, tensors: Arc<Tensors>, config: &Value) -> Self {
        let (quantization, unknown) = match Quantization::of(config) {
            Ok(quantization) => (quantization, Quantization::unknown(config)),
            Err(error) => (None, Some(error.to_string())),
        };
        let files = tensors.files().iter().map(|f| Arc::from(f.as_path())).collect();
        let store = Store {
            graph: graph.clone(),
            tensors,
            files,
            loaded: RefCell::default(),
            missing: RefCell::default(),
            used: RefCell::default(),
            unknown,
            quantization,
        };
        Self { store: Rc::new(store), prefix: String::new() }
    }

    /// The graph that these weights belong to.
    pub fn graph(&self) -> &Graph {
        &self.store.graph
    }

    /// A scope within this one.
    #[must_use]
    pub fn pp(&self, scope: impl Display) -> Self {
        Self { store: self.store.clone(), prefix: self.key(&scope.to_string()) }
    }

    /// The scope of the base model: `prefix` where the checkpoint has it (it was saved with a head), else this scope (it was saved alone).
    #[must_use]
    pub fn base(&self, prefix: &str) -> Self {
        let scope = self.pp(prefix);
        if scope.exists() { scope } else { self.clone() }
    }

    /// The scopes `name.0`, `name.1`, … of `count` layers. Stops where the checkpoint has none, which is then missing.
    pub fn layers(&self, name: &str, count: usize) -> impl Iterator<Item = Self> {
        let scope = self.pp(name);
        (0..count).map(move |i| scope.pp(i)).take_while(|layer| {
            let found = layer.exists();
            if !found {
                layer.store.missing.borrow_mut().insert(layer.key("*"));
            }
            found
        })
    }

    /// Whether the checkpoint has any tensor in this scope.
    pub fn exists(&self) -> bool {
        self.store.tensors.any_starts_with(&format!("{}.", self.prefix))
    }

    /// The full key of a name in this scope.
    pub fn key(&self, name: &str) -> String {
        match (self.prefix.is_empty(), name.is_empty()) {
            (true, _) => name.to_string(),
            (_, true) => self.prefix.clone(),
            _ => format!("{}.{name}", self.prefix),
        }
    }

    /// Whether the checkpoint has this tensor.
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some() || self.packed(name).is_some()
    }

    /// The stored shape of a tensor.
    pub fn shape(&self, name: &str) -> Option<Vec<usize>> {
        if let Some(packed) = self.packed(name) {
            return Some(vec![packed.packing.rows, packed.packing.columns]);
        }
        if let Some(about) = self.four_bits(name) {
            return Some(about.shape.to_vec());
        }
        let key = self.find(name)?;
        Some(self.store.tensors.get(&key)?.shape.clone())
    }

    /// A tensor of this shape, in the graph's floating-point type.
    pub fn get(&self, name: &str, shape: &[usize]) -> Tensor {
        let tensor = self.load(name, shape);
        let found = self.shape(name).unwrap_or_else(|| shape.to_vec());
        if found != shape {
            self.fail(Error::tensor(format!("tensor {} has shape {found:?}, but config.json asks for {shape:?}", self.key(name))));
        }
        tensor
    }

    /// A tensor of whatever shape it has, with this many dimensions.
    pub fn any(&self, name: &str, rank: usize) -> Tensor {
        let tensor = self.load(name, &vec![1; rank]);
        if tensor.rank() != rank {
            self.fail(Error::tensor(format!("tensor {} has {} dimensions instead of {rank}", self.key(name), tensor.rank())));
            return self.store.graph.floats(&vec![1; rank], &[0.0]);
        }
        tensor
    }

    /// A tensor whose dimensions in this range count as one: the checkpoint's own bytes in another shape.
    pub fn merged(&self, name: &str, dims: Range<usize>) -> Tensor {
        let Some(mut shape) = self.shape(name) else { return self.load(name, &vec![1; dims.end.saturating_sub(dims.len() - 1)]) };
        if dims.is_empty() || dims.end > shape.len() {
            self.fail(Error::tensor(format!("tensor {} has shape {shape:?}, no dimensions {dims:?}", self.key(name))));
            return self.load(name, &[]);
        }
        let size = shape[dims.clone()].iter().product();
        shape.splice(dims, [size]);
        self.load_as(name, &[], Some(&shape))
    }

    /// One of the tensors that this one stacks along its first dimension: the checkpoint's own bytes.
    pub fn nth(&self, name: &str, index: usize) -> Tensor {
        let rows = self.shape(name).and_then(|shape| shape.get(1).copied()).unwrap_or_default();
        self.part(name, index, 0..rows)
    }

    /// Rows of one of the tensors that this one stacks along its first dimension: the checkpoint's own bytes.
    pub fn part(&self, name: &str, index: usize, rows: Range<usize>) -> Tensor {
        let Some(stacked) = self.shape(name) else { return self.load(name, &[1; 2]) };
        let part = match stacked.as_slice() {
            &[count, all, columns] if index < count && rows.start <= rows.end && rows.end <= all && self.is_scaled(name) => {
                self.scaled_part(name, index, rows, [all, columns])
            }
            [count, all, rest @ ..] if index < *count && rows.start <= rows.end && rows.end <= *all => {
                let first = (index * all + rows.start) * rest.iter().product::<usize>();
                let shape: Vec<usize> = std::iter::once(rows.len()).chain(rest.iter().copied()).collect();
                self.stored_part(name, first, &shape)
            }
            _ => Err(Error::tensor(format!("tensor {} has shape {stacked:?}: no rows {rows:?} of part {index}", self.key(name)))),
        };
        part.unwrap_or_else(|error| {
            self.fail(error);
            self.store.graph.floats(&vec![1; stacked.len().saturating_sub(1)], &[0.0])
        })
    }

    /// The bytes of one of the tensors that this one stacks, as elements of another type and shape.
    pub fn bytes_of(&self, name: &str, index: usize, dtype: Dtype, shape: &[usize]) -> Tensor {
        let graph = &self.store.graph;
        let Some(stacked) = self.shape(name) else { return self.load(name, &[1]) };
        let part = match stacked.as_slice() {
            [count, rest @ ..] if index < *count => self.part_data(name, index * rest.iter().product::<usize>(), rest),
            _ => Err(Error::tensor(format!("tensor {} has shape {stacked:?}: no part {index}", self.key(name)))),
        };
        let fits = part.and_then(|(key, data)| match dtype.bytes(shape) {
            Some(len) if len == data.size() => Ok((key, data)),
            _ => Err(Error::tensor(format!("tensor {key} has shape {stacked:?}, which does not make {dtype:?} {shape:?}"))),
        });
        fits.map(|(key, data)| graph.stored(&format!("{key}[{index}]"), dtype, shape, data)).unwrap_or_else(|error| {
            self.fail(error);
            graph.constant(dtype, &[0], Vec::new())
        })
    }

    /// The values of a tensor as 32-bit floats, for weights that are computed with while the graph is made. `None` where it is missing.
    pub fn values(&self, name: &str) -> Option<Vec<f32>> {
        let Some(key) = self.find(name) else {
            self.store.missing.borrow_mut().insert(self.key(name));
            return None;
        };
        self.store.used.borrow_mut().insert(key.clone());
        self.store.tensors.to_f32(&key).map_err(|e| self.fail(e)).ok()
    }

    /// Says that tensors whose keys start so in this scope are known and not needed.
    pub fn skip(&self, start: &str) {
        let start = self.key(start);
        let known: Vec<String> = self.store.tensors.names().filter(|n| n.starts_with(&start)).map(str::to_string).collect();
        self.store.used.borrow_mut().extend(known);
    }

    /// An error that names every tensor that was asked for and is missing.
    pub fn check(&self) -> Result<()> {
        let missing = self.store.missing.borrow();
        if missing.is_empty() {
            return Ok(());
        }
        let why = self.store.unknown.as_ref().map(|unknown| format!(": {unknown}")).unwrap_or_default();
        Err(Error::tensor(format!("the checkpoint lacks {}{why}", listed(missing.iter().map(String::as_str)))))
    }

    /// The keys in this scope that nothing has asked for.
    pub fn unused(&self) -> Vec<String> {
        let used = self.store.used.borrow();
        let start = if self.prefix.is_empty() { String::new() } else { format!("{}.", self.prefix) };
        self.store.tensors.names().filter(|name| name.starts_with(&start) && !used.contains(*name)).map(str::to_string).collect()
    }

    fn fail(&self, error: Error) {
        self.store.graph.fail(error);
    }

    fn find(&self, name: &str) -> Option<String> {
        let key = self.key(name);
        if self.store.tensors.get(&key).is_some() {
            return Some(key);
        }
        OLD_NAMES.iter().find_map(|(new, old)| {
            let key = format!("{}{old}", key.strip_suffix(new)?);
            self.store.tensors.get(&key).map(|_| key)
        })
    }

    fn load(&self, name: &str, fallback: &[usize]) -> Tensor {
        self.load_as(name, fallback, None)
    }

    fn load_as(&self, name: &str, fallback: &[usize], shape: Option<&[usize]>) -> Tensor {
        let graph = &self.store.graph;
        if let Some(tensor) = self.quantized(name) {
            return shape.map_or_else(|| tensor.clone(), |shape| tensor.reshape(&shape.iter().map(|&n| n.into()).collect::<Vec<_>>()));
        }
        let Some(key) = self.find(name) else {
            self.store.missing.borrow_mut().insert(self.key(name));
            let sizes: Vec<_> = fallback.iter().map(|&n| n.into()).collect();
            return graph.floats(&vec![1; fallback.len()], &[0.0]).expand(&sizes);
        };
        if let Some(tensor) = self.store.loaded.borrow().get(&key) {
            return shape.map_or_else(|| tensor.clone(), |shape| tensor.reshape(&shape.iter().map(|&n| n.into()).collect::<Vec<_>>()));
        }
        self.store.used.borrow_mut().insert(key.clone());
        let tensor = self.stored(&key, shape).unwrap_or_else(|error| {
            self.fail(error);
            graph.floats(&vec![1; fallback.len()], &[0.0])
        });
        self.store.loaded.borrow_mut().insert(key, tensor.clone());
        tensor
    }

    /// The tensor as an initializer that names the checkpoint's own bytes, in the graph's type.
    fn stored(&self, key: &str, shape: Option<&[usize]>) -> Result<Tensor> {
        let (tensors, info) = (&self.store.tensors, self.info(key)?);
        let data = match &info.strides {
            None => Data::Stored { file: self.store.files[info.file].clone(), offset: info.offset, len: info.len },
            Some(_) => Data::Inline(tensors.bytes(key)?.into_owned().into()),
        };
        self.initializer(key, info.dtype, shape.unwrap_or(&info.shape), data)
    }

    /// The elements of a tensor from `first` on that fill this shape, as [`Weights::stored`].
    fn stored_part(&self, name: &str, first: usize, shape: &[usize]) -> Result<Tensor> {
        let (key, data) = self.part_data(name, first, shape)?;
        let part = format!("{key}[{first}]");
        if let Some(tensor) = self.store.loaded.borrow().get(&part) {
            return Ok(tensor.clone());
        }
        let tensor = self.initializer(&part, self.info(&key)?.dtype, shape, data)?;
        self.store.loaded.borrow_mut().insert(part, tensor.clone());
        Ok(tensor)
    }

    /// The key of a tensor, and its elements from `first` on that fill this shape.
    fn part_data(&self, name: &str, first: usize, shape: &[usize]) -> Result<(String, Data)> {
        let key = self.find(name).unwrap_or_default();
        let info = self.info(&key)?;
        let bytes = |shape: &[usize]| info.dtype.bytes(shape).ok_or_else(|| Error::tensor(format!("tensor {key} is too large")));
        let (start, len) = (bytes(&[first])?, bytes(shape)?);
        let data = match &info.strides {
            None => Data::Stored { file: self.store.files[info.file].clone(), offset: info.offset + start, len },
            Some(_) => {
                let all = self.store.tensors.bytes(&key)?;
                let part = all.get(start as usize..(start + len) as usize);
                Data::Inline(part.ok_or_else(|| Error::tensor(format!("tensor {key} has no {len} bytes from {start} on")))?.into())
            }
        };
        self.store.used.borrow_mut().insert(key.clone());
        Ok((key, data))
    }

    fn info(&self, key: &str) -> Result<&TensorInfo> {
        self.store.tensors.get(key).ok_or_else(|| Error::tensor(format!("no tensor {key}")))
    }

    fn initializer(&self, name: &str, dtype: Dtype, shape: &[usize], data: Data) -> Result<Tensor> {
        if !dtype.is_float() {
            let why = self.store.unknown.as_deref().unwrap_or("config.json has no quantization_config that says what it stands for");
            let problem = format!("tensor {name} holds {dtype:?}, but weights are floats; {why}");
            return Err(Error::tensor(problem));
        }
        Ok(self.store.graph.stored(name, dtype, shape, data).cast(self.store.graph.float()))
    }
}

/// Names for a message: the first few, and how many more.
pub fn listed<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 8;
    let more = names.len().saturating_sub(SHOWN);
    let shown = names.take(SHOWN).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}
