//! The variables, filters and tests of expressions.

use super::constants::{fold, is_constant};
use super::{Place, Resolver};
use crate::preprocess::text::jinja::error::{Error, Result};
use crate::preprocess::text::jinja::syntax::tree::{Arguments, Escape, Expression, Kind};
use crate::preprocess::text::jinja::{filters, predicates};

impl Resolver {
    pub(super) fn expression(&self, expression: &mut Expression, place: Place) -> Result<()> {
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

    pub(super) fn arguments(&self, arguments: &mut Arguments, place: Place) -> Result<()> {
        let values = arguments.positional.iter_mut().chain(arguments.keywords.iter_mut().map(|(_, value)| value));
        values.chain(&mut arguments.more_positional).chain(&mut arguments.more_keywords).try_for_each(|value| self.expression(value, place))
    }
}
