//! What a rendering has at hand.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;
use std::sync::Arc;

use super::activation::Activation;
use super::arguments::Arguments;
use super::functions;
use crate::preprocess::text::jinja::budget::Budget;
use crate::preprocess::text::jinja::error::Result;
use crate::preprocess::text::jinja::syntax::tree::{Frame, Load, Template};
use crate::preprocess::text::jinja::value::{Object, Thing, Value};

/// Functions that the caller adds to Jinja's own.
pub(crate) type Functions<'t> = [(&'static str, &'t dyn Fn(&Budget, Arguments) -> Result<Value>)];

/// One rendering of a template.
pub(crate) struct Machine<'t> {
    pub(crate) template: &'t Template,
    pub(crate) budget: Budget,
    pub(crate) functions: &'t Functions<'t>,
    /// What blocks of HTML have switched on.
    pub(crate) autoescape: Cell<bool>,
    variables: HashMap<Arc<str>, Value>,
    /// What the template sets at its top, for its blocks, and what scoped blocks see besides.
    exported: RefCell<Vec<HashMap<Arc<str>, Value>>>,
    /// What may hold itself, to be taken apart at the end.
    namespaces: RefCell<Vec<Rc<Object>>>,
    activations: RefCell<Vec<Rc<Activation>>>,
    pub(super) seed: Cell<u64>,
}

impl<'t> Machine<'t> {
    pub(crate) fn new(template: &'t Template, variables: HashMap<Arc<str>, Value>, functions: &'t Functions<'t>, budget: Budget) -> Self {
        let (autoescape, seed) = (Cell::new(false), Cell::new(0));
        let (namespaces, activations) = Default::default();
        let exported = RefCell::new(vec![HashMap::new()]);
        Self { template, budget, functions, autoescape, variables, exported, namespaces, activations, seed }
    }

    /// Renders the template.
    pub(crate) fn render(&self) -> Result<String> {
        let mut out = String::new();
        let root = Activation::new(self.template.root.slots, None);
        if let Some(itself) = self.template.itself {
            root.put(itself, Some(Value::object(Thing::Template)?));
        }
        self.enter(&self.template.root.frame, &root);
        let rendered = self.statements(&self.template.body, &root, &mut out);
        self.keep(root);
        rendered.map(|_| out)
    }

    /// Writes text that the rendering gives.
    pub(super) fn write(&self, text: &str, out: &mut String) -> Result<()> {
        self.budget.make(text.len())?;
        out.push_str(text);
        Ok(())
    }

    /// A variable of the caller, or a function of Jinja's.
    fn resolve(&self, name: &str) -> Option<Value> {
        let exported = self.exported.borrow().iter().rev().find_map(|layer| layer.get(name).cloned());
        exported.or_else(|| self.variables.get(name).cloned()).or_else(|| {
            let given = self.functions.iter().find(|(given, _)| *given == name).map(|(name, _)| *name);
            let known = given.or_else(|| functions::NAMES.iter().copied().find(|known| *known == name))?;
            Value::object(Thing::Function(known)).ok()
        })
    }

    /// Begins a scope.
    pub(super) fn enter(&self, frame: &Frame, activation: &Activation) {
        for (index, load) in &frame.loads {
            let value = match load {
                Load::Context(name) => self.resolve(name),
                Load::Outer(slot) => activation.get(*slot),
                Load::Missing => None,
            };
            activation.put(*index, value);
        }
    }

    /// Ends a scope.
    pub(super) fn leave(&self, frame: &Frame, activation: &Activation) {
        frame.slots.iter().for_each(|index| activation.put(*index, None));
    }

    /// Notes what the template sets at its top.
    pub(super) fn export(&self, name: &Arc<str>, value: Option<Value>) {
        if let (Some(layer), Some(value)) = (self.exported.borrow_mut().first_mut(), value) {
            layer.insert(name.clone(), value);
        }
    }

    /// Shows more variables to a block.
    pub(super) fn with_layer<T>(&self, layer: HashMap<Arc<str>, Value>, run: impl FnOnce() -> T) -> T {
        self.exported.borrow_mut().push(layer);
        let result = run();
        self.exported.borrow_mut().pop();
        result
    }

    /// A namespace; nothing else can come to hold itself.
    pub(super) fn namespace(&self, value: &Value) {
        if let Value::Object(object) = value {
            self.namespaces.borrow_mut().push(object.clone());
        }
    }

    /// A number below another, drawn at random.
    pub(crate) fn random(&self, below: u64) -> u64 {
        let mut state = self.seed.get();
        if state == 0 {
            state = RandomState::new().hash_one(0u8) | 1;
        }
        // xorshift64*
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        self.seed.set(state);
        let drawn = state.wrapping_mul(0x2545_f491_4f6c_dd1d);
        ((u128::from(drawn) * u128::from(below)) >> 64) as u64
    }

    /// Ends a call; what it made may still see its variables.
    pub(super) fn keep(&self, activation: Rc<Activation>) {
        if Rc::strong_count(&activation) > 1 {
            self.activations.borrow_mut().push(activation);
        }
    }
}

impl Drop for Machine<'_> {
    fn drop(&mut self) {
        let (namespaces, activations) = (self.namespaces.take(), self.activations.take());
        for object in &namespaces {
            if let Thing::Namespace(attributes) = &object.thing {
                let before = std::mem::take(&mut *attributes.borrow_mut());
                drop(before);
            }
        }
        activations.iter().for_each(|activation| activation.clear());
    }
}
