//! Values that are neither numbers, strings nor containers.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use super::{Dict, Value, deepest};
use crate::preprocess::text::jinja::run::activation::Activation;
use crate::preprocess::text::jinja::run::iterate::Source;
use crate::preprocess::text::jinja::run::looped::LoopState;

/// Such a value, and how deep it nests.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) thing: Thing,
    depth: Cell<u32>,
}

#[derive(Debug)]
pub(crate) enum Thing {
    Range(Range),
    Bytes(Arc<[u8]>),
    /// What `keys()`, `values()` and `items()` give.
    View(View, Rc<Dict>),
    /// The keys of a dictionary are its items.
    Set(Rc<Dict>),
    /// A generator or an iterator, which is used up by reading it.
    Iterator(RefCell<Source>, &'static str),
    Namespace(RefCell<Dict>),
    Cycler {
        items: Vec<Value>,
        place: Cell<usize>,
    },
    Joiner {
        separator: Value,
        used: Cell<bool>,
    },
    /// A function of the environment.
    Function(&'static str),
    /// A method of a value.
    Method {
        receiver: Value,
        name: &'static str,
    },
    Macro(Macro),
    Loop(LoopState),
    /// `self`, and a block of the template.
    Template,
    Block(usize),
}

/// A macro, or the body of a call.
#[derive(Debug)]
pub(crate) struct Macro {
    /// Its place in the template.
    pub(crate) index: usize,
    pub(crate) name: Option<Arc<str>>,
    /// What it sees around it.
    pub(crate) outside: Rc<Activation>,
    /// Whether what it gave was HTML where it was defined.
    pub(crate) autoescape: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    Keys,
    Values,
    Items,
}

/// `range(start, stop, step)`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) start: i64,
    pub(crate) stop: i64,
    pub(crate) step: i64,
}

impl Range {
    pub(crate) fn len(&self) -> usize {
        let (start, stop, step) = (i128::from(self.start), i128::from(self.stop), i128::from(self.step));
        let count = if step > 0 {
            (stop - start + step - 1) / step
        } else if step < 0 {
            (start - stop - step - 1) / -step
        } else {
            0
        };
        usize::try_from(count.max(0)).unwrap_or(usize::MAX)
    }

    pub(crate) fn get(&self, index: usize) -> Option<i64> {
        if index < self.len() { i64::try_from(i128::from(self.start) + index as i128 * i128::from(self.step)).ok() } else { None }
    }

    pub(crate) fn contains(&self, value: i64) -> bool {
        let inside = if self.step > 0 { (self.start..self.stop).contains(&value) } else { value <= self.start && value > self.stop };
        inside && (i128::from(value) - i128::from(self.start)) % i128::from(self.step) == 0
    }
}

impl Object {
    pub(super) fn new(thing: Thing, depth: u32) -> Self {
        Self { thing, depth: Cell::new(depth) }
    }

    pub(crate) fn depth(&self) -> u32 {
        self.depth.get()
    }

    /// Notes that a value now is inside.
    pub(crate) fn holds(&self, value: &Value) {
        self.depth.set(self.depth.get().max(value.depth() + 1));
    }
}

impl Thing {
    /// How deep what it holds nests.
    pub(super) fn depth(&self) -> u32 {
        match self {
            Self::View(_, dict) | Self::Set(dict) => dict.depth(),
            Self::Iterator(source, _) => source.borrow().depth(),
            Self::Namespace(attributes) => attributes.borrow().depth(),
            Self::Cycler { items, .. } => deepest(items),
            Self::Joiner { separator: value, .. } | Self::Method { receiver: value, .. } => value.depth(),
            Self::Loop(state) => state.depth(),
            Self::Range(_) | Self::Bytes(_) | Self::Function(_) | Self::Macro(_) | Self::Template | Self::Block(_) => 0,
        }
    }

    /// The name of its type with its module, unless that is Python's own.
    pub(crate) fn full_name(&self) -> String {
        let name = self.type_name();
        let module = match self {
            Self::Namespace(_) | Self::Function("dict") => "transformers.utils.chat_template_utils.",
            Self::Cycler { .. } | Self::Joiner { .. } => "jinja2.utils.",
            Self::Macro(_) | Self::Loop(_) | Self::Template | Self::Block(_) => "jinja2.runtime.",
            _ => "",
        };
        format!("{module}{name}")
    }

    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Range(_) => "range",
            Self::Bytes(_) => "bytes",
            Self::View(View::Keys, _) => "dict_keys",
            Self::View(View::Values, _) => "dict_values",
            Self::View(View::Items, _) => "dict_items",
            Self::Set(_) => "set",
            Self::Iterator(_, name) => name,
            Self::Namespace(_) => "TemplateNamespace",
            Self::Cycler { .. } => "Cycler",
            Self::Joiner { .. } => "Joiner",
            Self::Function(name) => match *name {
                "range" | "lipsum" | "raise_exception" | "strftime_now" => "function",
                "dict" => "TemplateDict",
                _ => "type",
            },
            Self::Method { .. } => "builtin_function_or_method",
            Self::Macro(_) => "Macro",
            Self::Loop(_) => "LoopContext",
            Self::Template => "TemplateReference",
            Self::Block(_) => "BlockReference",
        }
    }
}

/// A text that is iterated character by character.
#[derive(Debug)]
pub(crate) struct Characters {
    pub(crate) text: Arc<str>,
    pub(crate) place: usize,
}
