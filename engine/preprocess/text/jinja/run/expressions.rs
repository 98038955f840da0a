//! Expressions.

use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;

use super::activation::Activation;
use super::arguments::Arguments;
use super::attributes::{attribute, item};
use super::iterate::Source;
use super::machine::Machine;
use super::operators::{binary, truth, unary};
use super::order::holds;
use super::slices::slice;
use crate::preprocess::text::jinja::budget::STEP;
use crate::preprocess::text::jinja::error::{Error, Kind as ErrorKind, Result};
use crate::preprocess::text::jinja::format::html::escape;
use crate::preprocess::text::jinja::syntax::tree::{self, Constant, Expression, Kind};
use crate::preprocess::text::jinja::value::repr::write_str;
use crate::preprocess::text::jinja::value::{Dict, Key, Thing, Value};
use crate::preprocess::text::jinja::{filters, predicates};

impl Machine<'_> {
    /// The value of an expression.
    pub(super) fn value(&self, expression: &Expression, at: &Rc<Activation>) -> Result<Value> {
        self.budget.work(STEP)?;
        match &expression.kind {
            Kind::Constant(constant) => return Ok(constant_value(constant)),
            Kind::Data(text) => return Ok(Value::Str(text.clone())),
            Kind::Name(name, slot) => return Ok(at.get(*slot).unwrap_or_else(|| Value::missing(name))),
            _ => {}
        }
        self.budget.enter()?;
        let value = self.composed(expression, at);
        self.budget.leave();
        value.map_err(|error| error.on_line(expression.line))
    }

    fn values(&self, expressions: &[Expression], at: &Rc<Activation>) -> Result<Vec<Value>> {
        expressions.iter().map(|expression| self.value(expression, at)).collect()
    }

    pub(super) fn is_true(&self, expression: &Expression, at: &Rc<Activation>) -> Result<bool> {
        let value = self.value(expression, at)?;
        match value.thing() {
            Some(Thing::Loop(state)) => Ok(state.length(self)? > 0),
            _ => truth(&value),
        }
    }

    fn composed(&self, expression: &Expression, at: &Rc<Activation>) -> Result<Value> {
        match &expression.kind {
            Kind::Constant(_) | Kind::Data(_) | Kind::Name(..) => Ok(Value::None),
            // No key of anything.
            Kind::Range => Value::list(&self.budget, Vec::new()),
            Kind::Generation => Value::object(Thing::Function("generation")),
            Kind::Tuple(items) => Value::tuple(&self.budget, self.values(items, at)?),
            Kind::List(items) => Value::list(&self.budget, self.values(items, at)?),
            Kind::Dict(items) => {
                self.budget.make_items(2 * items.len())?;
                let mut dict = Dict::with_capacity(items.len());
                for (key, value) in items {
                    dict.insert(Key::new(&self.budget, self.value(key, at)?)?, self.value(value, at)?);
                }
                Value::dict(dict)
            }
            Kind::Unary(operator, value) => unary(*operator, &self.value(value, at)?),
            Kind::Binary(operator, both) => {
                let (left, right) = (self.value(&both.0, at)?, self.value(&both.1, at)?);
                binary(self, *operator, &left, &right)
            }
            Kind::And(both) => {
                let left = self.value(&both.0, at)?;
                if truth(&left)? { self.value(&both.1, at) } else { Ok(left) }
            }
            Kind::Or(both) => {
                let left = self.value(&both.0, at)?;
                if truth(&left)? { Ok(left) } else { self.value(&both.1, at) }
            }
            Kind::Not(value) => Ok(Value::Bool(!self.is_true(value, at)?)),
            Kind::Concat { parts, markup } => self.concatenation(parts, *markup, at),
            Kind::Compare(first, operands) => {
                let mut left = self.value(first, at)?;
                for (comparison, operand) in operands {
                    let right = self.value(operand, at)?;
                    if !holds(self, *comparison, &left, &right)? {
                        return Ok(Value::Bool(false));
                    }
                    left = right;
                }
                Ok(Value::Bool(true))
            }
            Kind::Conditional(both, otherwise) => {
                if self.is_true(&both.0, at)? {
                    return self.value(&both.1, at);
                }
                match otherwise {
                    Some(otherwise) => self.value(otherwise, at),
                    None => Ok(Value::undefined(format!(
                        "the inline if-expression on line {} evaluated to false and no else section was defined.",
                        expression.line
                    ))),
                }
            }
            Kind::Attribute(value, name) => attribute(self, &self.value(value, at)?, name),
            Kind::Item(both) => {
                let (value, key) = (self.value(&both.0, at)?, self.value(&both.1, at)?);
                item(self, &value, &key)
            }
            Kind::Slice { value, bounds, lenient } => {
                let value = self.value(value, at)?;
                let [start, stop, step] = &**bounds;
                let bound = |bound: &Option<Expression>| bound.as_ref().map_or(Ok(Value::None), |bound| self.value(bound, at));
                match slice(self, &value, [bound(start)?, bound(stop)?, bound(step)?]) {
                    Err(error) if *lenient && error.kind() == ErrorKind::Type => {
                        Ok(Value::undefined(format!("{} has no such element", value.described())))
                    }
                    done => done,
                }
            }
            Kind::Call(function, arguments) => {
                let function = self.value(function, at)?;
                let arguments = self.arguments(Vec::new(), arguments, at)?;
                self.call(&function, arguments)
            }
            Kind::Filter { value, name, arguments, found } => {
                let Some(value) = value else { return Err(Error::new(ErrorKind::Runtime, "a filter without a value")) };
                let value = self.value(value, at)?;
                self.filter(name, *found, value, arguments, at)
            }
            Kind::Test { value, name, arguments, found } => {
                let value = self.value(value, at)?;
                let arguments = self.arguments(vec![value], arguments, at)?;
                match found {
                    Some(found) => predicates::call(self, *found, arguments).map(Value::Bool),
                    None => Err(Error::new(ErrorKind::Runtime, format!("No test named '{name}' found."))),
                }
            }
        }
    }

    /// What a filter makes of a value.
    pub(super) fn filter(
        &self,
        name: &str,
        found: Option<usize>,
        value: Value,
        arguments: &tree::Arguments,
        at: &Rc<Activation>,
    ) -> Result<Value> {
        let arguments = self.arguments(vec![value], arguments, at)?;
        match found {
            Some(found) => filters::call(self, found, arguments),
            None => Err(Error::new(ErrorKind::Runtime, format!("No filter named '{name}' found."))),
        }
    }

    /// `~`; in blocks of HTML what is not HTML is escaped once something is.
    fn concatenation(&self, parts: &[Expression], markup: bool, at: &Rc<Activation>) -> Result<Value> {
        let mut out = String::new();
        if !markup {
            for part in parts {
                write_str(&self.budget, &self.value(part, at)?, &mut out)?;
            }
            return Ok(Value::str(out));
        }
        let values = self.values(parts, at)?;
        let markup = values.iter().any(Value::is_markup);
        for value in &values {
            if markup {
                out.push_str(&escape(&self.budget, value)?);
            } else {
                write_str(&self.budget, value, &mut out)?;
            }
        }
        Ok(Value::text(out, markup))
    }

    /// The arguments of a call, behind those that are known.
    pub(super) fn arguments(&self, mut positional: Vec<Value>, given: &tree::Arguments, at: &Rc<Activation>) -> Result<Arguments> {
        positional.reserve(given.positional.len());
        for argument in &given.positional {
            positional.push(self.value(argument, at)?);
        }
        let mut keywords = Vec::with_capacity(given.keywords.len());
        for (name, value) in &given.keywords {
            keywords.push((name.clone(), self.value(value, at)?));
        }
        if let Some(more) = &given.more_positional {
            let more = self.value(more, at)?;
            let Ok(mut source) = Source::of(&more) else {
                return Err(Error::type_error(format!("Value after * must be an iterable, not {}", more.type_name())));
            };
            positional.extend(source.rest(self)?);
        }
        if let Some(more) = &given.more_keywords {
            let more = self.value(more, at)?;
            let Value::Dict(dict) = &more else {
                return Err(Error::type_error(format!("argument after ** must be a mapping, not {}", more.type_name())));
            };
            self.budget.make_items(dict.len())?;
            let named: HashSet<&Arc<str>> = given.keywords.iter().map(|(name, _)| name).collect();
            for (name, value) in dict.iter() {
                let Some(name) = name.as_arc() else { return Err(Error::type_error("keywords must be strings")) };
                if named.contains(name) {
                    return Err(Error::type_error(format!("got multiple values for keyword argument '{name}'")));
                }
                keywords.push((name.clone(), value.clone()));
            }
        }
        Ok(Arguments { positional, keywords })
    }
}

fn constant_value(constant: &Constant) -> Value {
    match constant {
        Constant::None => Value::None,
        Constant::Bool(value) => Value::Bool(*value),
        Constant::Integer(value) => Value::Int(*value),
        Constant::Big(value) => Value::Big(Rc::new(value.clone())),
        Constant::Float(value) => Value::Float(*value),
        Constant::String(text) => Value::Str(text.clone()),
    }
}
