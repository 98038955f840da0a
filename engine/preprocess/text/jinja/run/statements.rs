//! Statements.

use std::rc::Rc;

use super::activation::Activation;
use super::arguments::Arguments;
use super::machine::Machine;
use crate::preprocess::text::jinja::budget::STEP;
use crate::preprocess::text::jinja::error::{Error, Kind as ErrorKind, Result};
use crate::preprocess::text::jinja::format::html::escape;
use crate::preprocess::text::jinja::syntax::tree::{Escape, Expression, Kind, Statement, Target};
use crate::preprocess::text::jinja::value::object::Macro;
use crate::preprocess::text::jinja::value::repr::write_str;
use crate::preprocess::text::jinja::value::{Thing, Value};

/// How statements end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Next,
    Break,
    Continue,
}

impl Machine<'_> {
    pub(super) fn statements(&self, body: &[Statement], at: &Rc<Activation>, out: &mut String) -> Result<Flow> {
        for statement in body {
            self.budget.work(STEP)?;
            let flow = self.statement(statement, at, out)?;
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    fn statement(&self, statement: &Statement, at: &Rc<Activation>, out: &mut String) -> Result<Flow> {
        match statement {
            Statement::Output { parts } => {
                for (part, escape) in parts {
                    self.print(part, *escape, at, out).map_err(|error| error.on_line(part.line))?;
                }
            }
            Statement::If { line, branches, otherwise } => return self.conditional(*line, branches, otherwise, at, out),
            Statement::For(index) => return self.deeper(|| self.for_loop(*index, at, out)),
            Statement::Set { line, target, value, exported } => {
                self.namespaces(target, at).map_err(|error| error.on_line(*line))?;
                let value = self.value(value, at)?;
                self.assign(target, value, at).map_err(|error| error.on_line(*line))?;
                if *exported {
                    self.export_target(target, at);
                }
            }
            Statement::SetBlock { line, target, filter, body, frame, exported } => {
                let mut text = String::new();
                self.enter(frame, at);
                let flow = self.deeper(|| self.statements(body, at, &mut text))?;
                if flow != Flow::Next {
                    return Ok(flow);
                }
                let value = match filter {
                    Some(filter) => self.filtered(filter, Value::str(text), at)?,
                    None => Value::str(text),
                };
                self.namespaces(target, at).map_err(|error| error.on_line(*line))?;
                let value = if self.autoescape.get() { as_markup(self, &value)? } else { value };
                self.assign(target, value, at).map_err(|error| error.on_line(*line))?;
                if *exported {
                    self.export_target(target, at);
                }
                self.leave(frame, at);
            }
            Statement::Macro { index, name, slot, exported } => {
                let value = self.macro_value(*index, at)?;
                if *exported {
                    self.export(name, Some(value.clone()));
                }
                at.set(*slot, value);
            }
            Statement::Call { call, index, .. } => {
                let caller = self.macro_value(*index, at)?;
                let value = self.deeper(|| self.call_with(call, caller, at))?;
                self.write_text(call.line, &value, out)?;
            }
            Statement::Filter { filter, body, frame, escape } => {
                let mut text = String::new();
                self.enter(frame, at);
                let flow = self.deeper(|| self.statements(body, at, &mut text))?;
                if flow != Flow::Next {
                    return Ok(flow);
                }
                let value = self.filtered(filter, Value::text(text, self.escapes(*escape)), at)?;
                self.write_text(filter.line, &value, out)?;
                self.leave(frame, at);
            }
            Statement::With { targets, values, body, frame } => {
                self.enter(frame, at);
                for (target, value) in targets.iter().zip(values) {
                    let line = value.line;
                    let value = self.value(value, at)?;
                    self.assign(target, value, at).map_err(|error| error.on_line(line))?;
                }
                let flow = self.deeper(|| self.statements(body, at, out))?;
                self.leave(frame, at);
                return Ok(flow);
            }
            Statement::Autoescape { value, body, frame } => {
                self.enter(frame, at);
                let before = self.autoescape.replace(self.is_true(value, at)?);
                let flow = self.deeper(|| self.statements(body, at, out))?;
                // As in Python, a loop that is left from inside does not come by here.
                if flow == Flow::Next {
                    self.autoescape.set(before);
                }
                self.leave(frame, at);
                return Ok(flow);
            }
            Statement::Block { line, index, name, variables, .. } => {
                if self.template.blocks.get(*index).is_some_and(|block| block.required) {
                    return Err(Error::new(ErrorKind::Runtime, format!("Required block '{name}' not found")).on_line(*line));
                }
                let seen = variables.iter().filter_map(|(name, slot)| Some((name.clone(), at.get(*slot)?))).collect();
                self.deeper(|| self.block(*index, seen, out))?;
            }
            Statement::Other { line, template, .. } => {
                self.value(template, at)?;
                return Err(Error::type_error("no loader for this environment specified").on_line(*line));
            }
            Statement::Break { .. } => return Ok(Flow::Break),
            Statement::Continue { .. } => return Ok(Flow::Continue),
        }
        Ok(Flow::Next)
    }

    fn deeper<T>(&self, run: impl FnOnce() -> Result<T>) -> Result<T> {
        self.budget.enter()?;
        let result = run();
        self.budget.leave();
        result
    }

    fn conditional(
        &self,
        line: u32,
        branches: &[(Expression, Vec<Statement>)],
        otherwise: &[Statement],
        at: &Rc<Activation>,
        out: &mut String,
    ) -> Result<Flow> {
        for (test, body) in branches {
            if self.is_true(test, at).map_err(|error| error.on_line(line))? {
                return self.deeper(|| self.statements(body, at, out));
            }
        }
        self.deeper(|| self.statements(otherwise, at, out))
    }

    fn escapes(&self, escape: Escape) -> bool {
        match escape {
            Escape::Never => false,
            Escape::Always => true,
            Escape::Asked => self.autoescape.get(),
        }
    }

    fn print(&self, part: &Expression, how: Escape, at: &Rc<Activation>, out: &mut String) -> Result<()> {
        if let Kind::Data(text) = &part.kind {
            return self.write(text, out);
        }
        let value = self.value(part, at)?;
        if let Some(Thing::Loop(state)) = value.thing() {
            // Printing a loop tells its length.
            state.length(self)?;
        }
        if !self.escapes(how) {
            return write_str(&self.budget, &value, out);
        }
        out.push_str(&escape(&self.budget, &value)?);
        Ok(())
    }

    /// Writes what Jinja joins without making it a string.
    fn write_text(&self, line: u32, value: &Value, out: &mut String) -> Result<()> {
        match value.as_str() {
            Some(text) => self.write(text, out),
            None => {
                let message = format!("sequence item: expected str instance, {} found", value.type_name());
                Err(Error::type_error(message).on_line(line))
            }
        }
    }

    fn macro_value(&self, index: usize, at: &Rc<Activation>) -> Result<Value> {
        let name = self.template.macros.get(index).and_then(|defined| defined.name.clone());
        Value::object(Thing::Macro(Macro { index, name, outside: at.clone(), autoescape: self.autoescape.get() }))
    }

    fn call_with(&self, call: &Expression, caller: Value, at: &Rc<Activation>) -> Result<Value> {
        let Kind::Call(function, arguments) = &call.kind else { return Ok(Value::None) };
        let function = self.value(function, at)?;
        let Arguments { positional, mut keywords } = self.arguments(Vec::new(), arguments, at)?;
        if keywords.iter().any(|(name, _)| &**name == "caller") {
            return Err(Error::type_error("got multiple values for keyword argument 'caller'").on_line(call.line));
        }
        keywords.push(("caller".into(), caller));
        self.call(&function, Arguments { positional, keywords }).map_err(|error| error.on_line(call.line))
    }

    /// What the filters of a block make of its text; the first of them has no value of its own.
    fn filtered(&self, filter: &Expression, text: Value, at: &Rc<Activation>) -> Result<Value> {
        let Kind::Filter { value, name, arguments, found } = &filter.kind else { return Ok(text) };
        let value = match value {
            Some(inner) => self.filtered(inner, text, at)?,
            None => text,
        };
        self.filter(name, *found, value, arguments, at).map_err(|error| error.on_line(filter.line))
    }

    /// Checks that what attributes are set on are namespaces.
    fn namespaces(&self, target: &Target, at: &Rc<Activation>) -> Result<()> {
        match target {
            Target::Name(..) => Ok(()),
            Target::Tuple(items) => items.iter().try_for_each(|item| self.namespaces(item, at)),
            Target::Attribute { slot, .. } => match at.get(*slot).as_ref().and_then(Value::thing) {
                Some(Thing::Namespace(_)) => Ok(()),
                _ => Err(Error::new(ErrorKind::Runtime, "cannot assign attribute on non-namespace object")),
            },
        }
    }

    fn export_target(&self, target: &Target, at: &Rc<Activation>) {
        match target {
            Target::Name(name, slot) => self.export(name, at.get(*slot)),
            Target::Attribute { .. } => {}
            Target::Tuple(items) => items.iter().for_each(|item| self.export_target(item, at)),
        }
    }
}

/// `Markup(value)`
pub(crate) fn as_markup(machine: &Machine<'_>, value: &Value) -> Result<Value> {
    match value.as_arc() {
        Some(text) => Ok(Value::Markup(text.clone())),
        None => Ok(Value::Markup(crate::preprocess::text::jinja::value::repr::str_of(&machine.budget, value)?)),
    }
}
