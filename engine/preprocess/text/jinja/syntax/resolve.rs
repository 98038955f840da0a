//! Gives each variable of a template its place, and each filter and test its function, once, before anything is rendered.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::symbols::{Part, Start, Symbols, Variable};
use super::tree::{Arguments, Constant, Escape, Expression, For, Frame, Function, Kind, Load, Macro, Slot, Statement, Target, Template};
use super::visit::{Nodes, Occurrence, children, children_mut, names, targets};
use crate::preprocess::text::jinja::error::{Error, Result};
use crate::preprocess::text::jinja::{filters, predicates};

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

    fn for_loop(&mut self, index: usize, place: Place) -> Result<()> {
        let Some(mut looped) = self.nodes.loops[index].take() else { return Ok(()) };
        let resolved = self.for_parts(&mut looped, place);
        self.nodes.loops[index] = Some(looped);
        resolved
    }

    fn for_parts(&mut self, looped: &mut For, place: Place) -> Result<()> {
        let inner = self.symbols.inner(Some(place.scope));
        let scoped_block = self.nodes.blocks.iter().flatten().next().is_some()
            && looped.body.iter().any(|s| matches!(s, Statement::Block { scoped: true, .. }));
        let extended = looped.recursive || self.unbound(&looped.body, &["loop"]).contains("loop") || scoped_block;
        if extended {
            self.symbols.parameter(inner, "loop");
        }
        self.symbols.for_loop(inner, &self.nodes, looped, Part::Body);
        let else_scope = self.symbols.inner(Some(place.scope));
        self.symbols.for_loop(else_scope, &self.nodes, looped, Part::Else);
        if looped.test.is_some() {
            self.test(looped, place)?;
        }
        self.refuse_loop_as_target(looped)?;
        self.expression(&mut looped.iterable, place)?;
        if looped.recursive {
            self.functions.push(HashMap::new());
        }
        looped.frame = self.frame(inner);
        looped.own = if extended { Some(self.slot(inner, "loop")?.index as usize) } else { None };
        self.target(inner, &mut looped.target)?;
        self.statements(&mut looped.body, Place { looped: true, ..place.inner(inner) })?;
        looped.else_frame = self.frame(else_scope);
        let else_place = place.inner(else_scope);
        self.statements(&mut looped.otherwise, Place { looped: else_place.looped && !looped.recursive, ..else_place })?;
        if looped.recursive {
            looped.function.slots = self.functions.pop().map_or(0, |function| function.len());
        }
        Ok(())
    }

    fn test(&mut self, looped: &mut For, place: Place) -> Result<()> {
        let scope = self.symbols.inner(Some(place.scope));
        self.symbols.for_loop(scope, &self.nodes, looped, Part::Test);
        let (mut target, mut test) = (looped.target.clone(), looped.test.take());
        let (function, ()) = self.function(scope, |resolver| {
            resolver.target(scope, &mut target)?;
            test.iter_mut().try_for_each(|test| resolver.expression(test, place.inner(scope)))
        })?;
        (looped.test_function, looped.test_target, looped.test) = (function, target, test);
        Ok(())
    }

    fn refuse_loop_as_target(&self, looped: &For) -> Result<()> {
        let mut found = false;
        let mut look = |name: &str, occurrence| found |= name == "loop" && occurrence == Occurrence::Stored;
        targets(&looped.target, Occurrence::Stored, &mut look);
        names(&self.nodes, &looped.body, &mut look);
        names(&self.nodes, &looped.otherwise, &mut look);
        if found { Err(Error::syntax(looped.line, "Can't assign to special loop variable in for-loop target")) } else { Ok(()) }
    }

    fn macro_definition(&mut self, index: usize, place: Place) -> Result<()> {
        let Some(mut defined) = self.nodes.macros[index].take() else { return Ok(()) };
        let resolved = self.macro_parts(&mut defined, place);
        self.nodes.macros[index] = Some(defined);
        resolved
    }

    fn macro_parts(&mut self, defined: &mut Macro, place: Place) -> Result<()> {
        let scope = self.symbols.inner(Some(place.scope));
        self.symbols.macro_body(scope, &self.nodes, defined);
        let unbound = self.unbound(&defined.body, &["caller", "kwargs", "varargs"]);
        let given = |name: &str| defined.parameters.iter().find(|parameter| &*parameter.name == name);
        let mut special = Vec::new();
        match given("caller") {
            Some(parameter) if unbound.contains("caller") && parameter.default.is_none() => {
                let message = "When defining macros or call blocks the special \"caller\" argument must be omitted or be given a default.";
                return Err(Error::syntax(defined.line, message));
            }
            None if unbound.contains("caller") => special.push("caller"),
            _ => {}
        }
        special.extend(["kwargs", "varargs"].into_iter().filter(|name| unbound.contains(name) && given(name).is_none()));
        special.iter().for_each(|name| self.symbols.parameter(scope, name));
        self.symbols.macro_body(scope, &self.nodes, defined);
        let (function, ()) = self.function(scope, |resolver| {
            let place = Place { looped: false, ..place.inner(scope) };
            for parameter in &mut defined.parameters {
                parameter.slot = resolver.slot(scope, &parameter.name)?.index as usize;
                parameter.default.iter_mut().try_for_each(|default| resolver.expression(default, place))?;
            }
            for name in special {
                let slot = Some(resolver.slot(scope, name)?.index as usize);
                match name {
                    "caller" => defined.caller = slot,
                    "kwargs" => defined.kwargs = slot,
                    _ => defined.varargs = slot,
                }
            }
            resolver.statements(&mut defined.body, place)
        })?;
        defined.function = function;
        Ok(())
    }

    fn block(&mut self, index: usize) -> Result<()> {
        let Some(mut block) = self.nodes.blocks[index].take() else { return Ok(()) };
        let scope = self.symbols.inner(None);
        let unbound = self.unbound(&block.body, &["self", "super"]);
        unbound.iter().for_each(|name| self.symbols.parameter(scope, name));
        self.symbols.statements(scope, &self.nodes, &block.body);
        let place = Place { scope, toplevel: false, soft: false, looped: false };
        let (function, (itself, parent)) = self.function(scope, |resolver| {
            let slot = |name: &str| unbound.contains(name).then(|| resolver.slot(scope, name)).transpose();
            let (itself, parent) = (slot("self")?, slot("super")?);
            resolver.statements(&mut block.body, place)?;
            Ok((itself, parent))
        })?;
        let index_of = |slot: Slot| slot.index as usize;
        (block.function, block.itself, block.parent) = (function, itself.map(index_of), parent.map(index_of));
        self.nodes.blocks[index] = Some(block);
        Ok(())
    }

    fn expression(&self, expression: &mut Expression, place: Place) -> Result<()> {
        let line = expression.line;
        // Jinja reckons with the constants in these before it renders.
        let folds = matches!(
            expression.kind,
            Kind::Binary(..)
                | Kind::And(_)
                | Kind::Or(_)
                | Kind::Not(_)
                | Kind::Unary(..)
                | Kind::Concat { .. }
                | Kind::Compare(..)
                | Kind::Conditional(..)
                | Kind::Attribute(..)
                | Kind::Item(_)
                | Kind::Filter { .. }
                | Kind::Test { .. }
        );
        if folds && !self.escape.asked && is_constant(expression) {
            fold(expression, true);
        }
        let each = |expression: &mut Expression| self.expression(expression, place);
        let soft = Place { soft: true, ..place };
        match &mut expression.kind {
            Kind::Constant(_) | Kind::Data(_) | Kind::Range | Kind::Generation => Ok(()),
            Kind::Name(name, slot) => {
                *slot = self.slot(place.scope, name).map_err(|error| error.on_line(line))?;
                Ok(())
            }
            Kind::Tuple(items) | Kind::List(items) => items.iter_mut().try_for_each(each),
            Kind::Concat { parts, markup } => {
                // Jinja joins constants while it compiles, when nothing is escaped yet.
                *markup = self.escape.now() == Escape::Always && !parts.iter().all(is_constant);
                parts.iter_mut().try_for_each(each)
            }
            Kind::Dict(items) => items.iter_mut().try_for_each(|(key, value)| each(key).and_then(|()| each(value))),
            Kind::Unary(_, value) | Kind::Not(value) | Kind::Attribute(value, _) => each(value),
            Kind::Item(both)
                if matches!(&both.1.kind, Kind::Tuple(keys) if keys.iter().any(|key| matches!(key.kind, Kind::Range)))
                    && !(is_constant(&both.0) && is_constant(&both.1)) =>
            {
                Err(Error::syntax(line, "invalid syntax: a slice among several subscripts"))
            }
            Kind::Binary(_, both) | Kind::And(both) | Kind::Or(both) | Kind::Item(both) => {
                each(&mut both.0).and_then(|()| each(&mut both.1))
            }
            Kind::Compare(first, operands) => {
                each(first)?;
                operands.iter_mut().try_for_each(|(_, operand)| each(operand))
            }
            Kind::Conditional(both, otherwise) => {
                self.expression(&mut both.0, soft)?;
                self.expression(&mut both.1, soft)?;
                otherwise.iter_mut().try_for_each(|otherwise| self.expression(otherwise, soft))
            }
            Kind::Slice { value, bounds, .. } => {
                each(value)?;
                bounds.iter_mut().flatten().try_for_each(each)
            }
            Kind::Call(function, arguments) => {
                each(function)?;
                self.arguments(arguments, place)
            }
            Kind::Filter { value, name, arguments, found } => {
                *found = filters::find(name);
                if found.is_none() && !place.soft {
                    return Err(Error::syntax(line, format!("No filter named '{name}'.")));
                }
                value.iter_mut().try_for_each(|value| self.expression(value, place))?;
                self.arguments(arguments, place)
            }
            Kind::Test { value, name, arguments, found } => {
                *found = predicates::find(name);
                if found.is_none() && !place.soft {
                    return Err(Error::syntax(line, format!("No test named '{name}'.")));
                }
                each(value)?;
                self.arguments(arguments, place)
            }
        }
    }

    fn arguments(&self, arguments: &mut Arguments, place: Place) -> Result<()> {
        let values = arguments.positional.iter_mut().chain(arguments.keywords.iter_mut().map(|(_, value)| value));
        values.chain(&mut arguments.more_positional).chain(&mut arguments.more_keywords).try_for_each(|value| self.expression(value, place))
    }
}

fn is_true(constant: &Constant) -> bool {
    match constant {
        Constant::None => false,
        Constant::Bool(value) => *value,
        Constant::Integer(value) => *value != 0,
        Constant::Big(_) => true,
        Constant::Float(value) => *value != 0.0,
        Constant::String(text) => !text.is_empty(),
    }
}

/// Lets the slices in a constant give nothing where they cannot be.
fn fold(expression: &mut Expression, into: bool) {
    if let Kind::Slice { lenient, .. } = &mut expression.kind {
        *lenient = into;
    }
    children_mut(expression, &mut |child| fold(child, into));
}

/// Whether filters or tests are in an expression.
fn calls(expression: &Expression) -> bool {
    let mut any = matches!(expression.kind, Kind::Filter { .. } | Kind::Test { .. });
    children(expression, &mut |child| any = any || calls(child));
    any
}

/// Whether Jinja knows an expression before it renders.
fn is_constant(expression: &Expression) -> bool {
    let known = match &expression.kind {
        Kind::Name(..) | Kind::Call(..) | Kind::Generation => false,
        Kind::Filter { name, .. } => !matches!(&**name, "map" | "select" | "reject" | "selectattr" | "rejectattr" | "random"),
        Kind::Conditional(_, otherwise) => otherwise.is_some(),
        _ => true,
    };
    let mut all = known;
    children(expression, &mut |child| all = all && is_constant(child));
    all
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
