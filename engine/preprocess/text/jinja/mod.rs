//! Jinja 3.1 with Python's values, as the reference renders chat templates: its sandbox, its whitespace rules, its `tojson`. It knows nothing
//! of chats.
//!
//! - `syntax` reads a template into a tree, and gives each variable its place, as Jinja's compiler does;
//! - `value` has Python's values, and how they are printed, compared and used as keys;
//! - `run` walks the tree; `methods`, `filters`, `predicates` and `format` are what templates call;
//! - `budget` is asked by all that reads or makes something, so that every template ends.

pub(crate) mod budget;
pub(crate) mod error;
mod filters;
mod format;
mod methods;
mod predicates;
mod run;
mod syntax;
pub(crate) mod text;
pub(crate) mod value;

use std::collections::HashMap;
use std::sync::Arc;

use budget::Budget;
use error::Result;
pub(crate) use format::json::dumps;
pub(crate) use run::arguments::Arguments;
pub(crate) use run::machine::Functions;
use run::machine::Machine;
use value::Value;

/// A template that was read; it can be rendered again and again.
#[derive(Debug)]
pub(crate) struct Template(syntax::tree::Template);

impl Template {
    /// Reads a template.
    pub(crate) fn new(source: &str) -> Result<Self> {
        syntax::parse(source).map(Self)
    }

    /// Renders with variables, and functions beside Jinja's own. It needs a stack of [`budget::STACK`].
    pub(crate) fn render(&self, variables: HashMap<Arc<str>, Value>, functions: &Functions<'_>, budget: Budget) -> Result<String> {
        Machine::new(&self.0, variables, functions, budget).render()
    }

    /// Whether it reads a variable that it does not set itself.
    pub(crate) fn reads(&self, variable: &str) -> bool {
        self.0.reads.contains(variable)
    }

    /// Tells all text and all strings that it has.
    pub(crate) fn literals<'a>(&'a self, tell: &mut dyn FnMut(&'a str)) {
        syntax::literals(&self.0, tell);
    }
}
