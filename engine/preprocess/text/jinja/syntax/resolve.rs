//! Gives each variable of a template its place, and each filter and test its function, once, before anything is rendered.

mod constants;
mod expressions;
mod functions;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::symbols::{Start, Symbols, Variable};
use super::tree::{Escape, Frame, Function, Kind, Load, Slot, Statement, Target, Template};
use super::visit::{Nodes, Occurrence, names};
use crate::preprocess::text::jinja::error::{Error, Result};
use constants::{calls, fold, is_constant, is_true};

/// Fills in what the parser leaves empty.
pub(super) fn resolve(mut body: Vec<Statement>, nodes: Nodes) -> Result<Template> {
    let exports = !nodes.blocks.is_empty();
    let mut resolver = Resolver {
        nodes,
        symbols: Symbols::default(),
        functions: Vec::new(),
        escape: Escaping::default(),
        exports,
        reads: BTreeSet::new(),
    };
    let scope = resolver.symbols.inner(None);
    let reads_self = resolver.unbound(&body, &["self"]).contains("self");
    if reads_self {
        resolver.symbols.parameter(scope, "self");
    }
    resolver.symbols.statements(scope, &resolver.nodes, &body);
    let root = match resolver.all(scope, &mut body) {
        Ok(root) if !resolver.symbols.is_full() => root,
        Ok(_) => return Err(too_many()),
        Err(error) => return Err(if resolver.symbols.is_full() { too_many() } else { error }),
    };
    let Resolver { nodes, reads, .. } = resolver;
    let itself = reads_self.then(|| root.frame.slots.first().copied()).flatten();
    Ok(Template {
        body,
        root,
        itself,
        blocks: nodes.blocks.into_iter().flatten().collect(),
        macros: nodes.macros.into_iter().flatten().collect(),
        loops: nodes.loops.into_iter().flatten().collect(),
        reads,
    })
}

struct Resolver {
    nodes: Nodes,
    symbols: Symbols,
    /// The places of variables in the functions around, the innermost last.
    functions: Vec<HashMap<Variable, usize>>,
    escape: Escaping,
    /// Whether blocks see what the template sets.
    exports: bool,
    reads: BTreeSet<Arc<str>>,
}

/// What is known about escaping where a statement stands.
#[derive(Debug, Clone, Copy, Default)]
struct Escaping {
    known: Escape,
    /// Whether a block's argument decides, when it is rendered.
    asked: bool,
}

impl Escaping {
    fn now(self) -> Escape {
        if self.asked { Escape::Asked } else { self.known }
    }
}

/// Where a statement stands.
#[derive(Debug, Clone, Copy)]
struct Place {
    scope: usize,
    toplevel: bool,
    /// In a condition, where filters that do not exist are an error only when they are called.
    soft: bool,
    /// In a loop of the same function.
    looped: bool,
}

impl Place {
    fn inner(self, scope: usize) -> Self {
        Self { scope, toplevel: false, soft: false, looped: self.looped }
    }
}

impl Resolver {
    /// The names that statements read without having set them.
    fn unbound<'a>(&self, body: &[Statement], wanted: &[&'a str]) -> BTreeSet<&'a str> {
        let mut wanted: BTreeSet<&str> = wanted.iter().copied().collect();
        let mut unbound = BTreeSet::new();
        names(&self.nodes, body, &mut |name, occurrence| {
            let Some(name) = wanted.get(name).copied() else { return };
            if occurrence == Occurrence::Loaded {
                unbound.insert(name);
            } else {
                wanted.remove(name);
            }
        });
        unbound
    }

    /// Resolves the template and its blocks.
    fn all(&mut self, scope: usize, body: &mut [Statement]) -> Result<Function> {
        let top = Place { scope, toplevel: true, soft: false, looped: false };
        let (root, ()) = self.function(scope, |resolver| resolver.statements(body, top))?;
        for index in 0..self.nodes.blocks.len() {
            self.block(index)?;
        }
        Ok(root)
    }

    /// Resolves what is inside a function.
    fn function<T>(&mut self, scope: usize, resolve: impl FnOnce(&mut Self) -> Result<T>) -> Result<(Function, T)> {
        self.functions.push(HashMap::new());
        let frame = self.frame(scope);
        let resolved = resolve(self)?;
        let slots = self.functions.pop().map_or(0, |function| function.len());
        Ok((Function { slots, frame }, resolved))
    }

    fn place(&mut self, variable: &Variable) -> usize {
        let Some(function) = self.functions.last_mut() else { return 0 };
        let next = function.len();
        *function.entry(variable.clone()).or_insert(next)
    }

    fn find(&self, variable: &Variable) -> Result<Slot> {
        let found = self.functions.iter().rev().enumerate().find_map(|(up, function)| Some((up, *function.get(variable)?)));
        let (up, index) = found.ok_or_else(|| unknown(&variable.1))?;
        Ok(Slot { up: up as u16, index: index as u32 })
    }

    /// How a scope begins.
    fn frame(&mut self, scope: usize) -> Frame {
        let starts: Vec<(Variable, Start)> =
            self.symbols.starts(scope).map(|(variable, start)| (variable.clone(), start.clone())).collect();
        let mut frame = Frame::default();
        for (variable, start) in starts {
            let index = self.place(&variable);
            frame.slots.push(index);
            let load = match start {
                Start::Parameter => continue,
                Start::Context(name) => {
                    self.reads.insert(name.clone());
                    Load::Context(name)
                }
                Start::Outer(outer) => self.find(&outer).map_or(Load::Missing, Load::Outer),
                Start::Missing => Load::Missing,
            };
            frame.loads.push((index, load));
        }
        frame
    }

    fn slot(&self, scope: usize, name: &str) -> Result<Slot> {
        self.find(self.symbols.find(scope, name).ok_or_else(|| unknown(name))?)
    }

    fn target(&self, scope: usize, target: &mut Target) -> Result<()> {
        match target {
            Target::Name(name, slot) | Target::Attribute { namespace: name, slot, .. } => *slot = self.slot(scope, name)?,
            Target::Tuple(items) => items.iter_mut().try_for_each(|item| self.target(scope, item))?,
        }
        Ok(())
    }

    fn statements(&mut self, body: &mut [Statement], place: Place) -> Result<()> {
        body.iter_mut().try_for_each(|statement| self.statement(statement, place))
    }

    fn statement(&mut self, statement: &mut Statement, place: Place) -> Result<()> {
        let Place { scope, toplevel, .. } = place;
        let exports = toplevel && self.exports;
        match statement {
            Statement::Output { parts } => parts.iter_mut().try_for_each(|(part, escape)| {
                let constant = is_constant(part);
                // A constant is escaped as Jinja knows it when it compiles, a filter's only where that is certain.
                *escape = if constant && !calls(part) { self.escape.known } else { self.escape.now() };
                if constant {
                    let undecided = self.escape.asked && calls(part);
                    fold(part, !undecided);
                }
                self.expression(part, place)
            }),
            Statement::For(index) => self.for_loop(*index, place),
            Statement::If { branches, otherwise, .. } => {
                let place = Place { soft: true, ..place };
                for (test, body) in branches {
                    self.expression(test, place)?;
                    self.statements(body, place)?;
                }
                self.statements(otherwise, place)
            }
            Statement::Macro { index, name, slot, exported } => {
                (*slot, *exported) = (self.slot(scope, name)?, exports);
                self.macro_definition(*index, place)
            }
            Statement::Call { call, index, escape } => {
                *escape = self.escape.now();
                self.macro_definition(*index, place)?;
                self.expression(call, place)
            }
            Statement::Filter { filter, body, frame, escape } => {
                *escape = self.escape.now();
                let inner = self.symbols.inner(Some(scope));
                self.symbols.statements(inner, &self.nodes, body);
                self.symbols.expression(inner, filter);
                *frame = self.frame(inner);
                self.statements(body, place.inner(inner))?;
                self.expression(filter, place.inner(inner))
            }
            Statement::With { targets, values, body, frame } => {
                let inner = self.symbols.inner(Some(scope));
                self.symbols.with(inner, &self.nodes, targets, body);
                *frame = self.frame(inner);
                targets.iter_mut().try_for_each(|target| self.target(inner, target))?;
                values.iter_mut().try_for_each(|value| self.expression(value, place))?;
                self.statements(body, place.inner(inner))
            }
            Statement::Set { target, value, exported, .. } => {
                *exported = exports;
                self.target(scope, target)?;
                self.expression(value, place)
            }
            Statement::SetBlock { target, filter, body, frame, exported, .. } => {
                *exported = exports;
                let inner = self.symbols.inner(Some(scope));
                self.symbols.statements(inner, &self.nodes, body);
                *frame = self.frame(inner);
                self.statements(body, place.inner(inner))?;
                self.target(scope, target)?;
                filter.iter_mut().try_for_each(|filter| self.expression(filter, place.inner(inner)))
            }
            Statement::Autoescape { value, body, frame } => {
                let inner = self.symbols.inner(Some(scope));
                self.symbols.expression(inner, value);
                self.symbols.statements(inner, &self.nodes, body);
                *frame = self.frame(inner);
                self.expression(value, place.inner(inner))?;
                let before = self.escape;
                match &value.kind {
                    Kind::Constant(constant) => self.escape.known = if is_true(constant) { Escape::Always } else { Escape::Never },
                    _ => self.escape.asked = true,
                }
                self.statements(body, place.inner(inner))?;
                self.escape = before;
                Ok(())
            }
            Statement::Block { scoped, variables, .. } => {
                if *scoped {
                    let stored = self.symbols.stored(scope);
                    *variables = stored.into_iter().map(|(name, variable)| Ok((name, self.find(&variable)?))).collect::<Result<_>>()?;
                }
                Ok(())
            }
            Statement::Other { template, extends, line, .. } => {
                if *extends && !toplevel {
                    return Err(Error::syntax(*line, "cannot use extend from a non top-level scope"));
                }
                self.expression(template, place)
            }
            Statement::Break { line } | Statement::Continue { line } if !place.looped => {
                Err(Error::syntax(*line, "'break' or 'continue' outside loop"))
            }
            Statement::Break { .. } | Statement::Continue { .. } => Ok(()),
        }
    }
}

fn too_many() -> Error {
    Error::syntax(1, "too many branches for so many variables")
}

fn unknown(name: &str) -> Error {
    Error::new(
        crate::preprocess::text::jinja::error::Kind::Syntax,
        format!("Tried to resolve a name to a reference that was unknown to the frame ('{name}')"),
    )
}
