//! What follows a value: subscripts, calls, filters and tests.

use std::collections::HashSet;
use std::sync::Arc;

use num_traits::ToPrimitive;

use super::new;
use crate::preprocess::text::jinja::error::{Error, Result};
use crate::preprocess::text::jinja::syntax::parser::Parser;
use crate::preprocess::text::jinja::syntax::token::TokenKind;
use crate::preprocess::text::jinja::syntax::tree::{Arguments, Constant, Expression, Kind};

impl Parser {
    pub(in crate::preprocess::text::jinja::syntax) fn subscript(&mut self, value: Expression) -> Result<Expression> {
        let token = self.next();
        let line = token.line;
        let item = |value, key| new(line, Kind::Item(Box::new((value, key))));
        if token.kind.is_operator(".") {
            let key = self.next();
            return match key.kind {
                TokenKind::Name(name) => Ok(new(line, Kind::Attribute(Box::new(value), name))),
                TokenKind::Integer(number) => {
                    let number = number.to_i64().map_or(Constant::Big(number), Constant::Integer);
                    Ok(item(value, new(key.line, Kind::Constant(number))))
                }
                _ => Err(Error::syntax(key.line, "expected name or number")),
            };
        }
        let mut keys = Vec::new();
        while !self.current.kind.is_operator("]") {
            if !keys.is_empty() {
                self.expect_operator(",")?;
            }
            keys.push(self.subscribed()?);
        }
        self.expect_operator("]")?;
        match keys.pop() {
            Some(Ok(key)) if keys.is_empty() => Ok(item(value, key)),
            Some(Err(slice)) if keys.is_empty() => Ok(new(line, Kind::Slice { value: Box::new(value), bounds: slice, lenient: false })),
            last => {
                let slice_as_key = |_| new(line, Kind::Range);
                let keys = keys.into_iter().chain(last).map(|key| key.unwrap_or_else(slice_as_key)).collect();
                Ok(item(value, new(line, Kind::Tuple(keys))))
            }
        }
    }

    /// A key, or the bounds of a slice.
    #[allow(clippy::type_complexity, reason = "one of two kinds of subscripts")]
    pub(in crate::preprocess::text::jinja::syntax) fn subscribed(
        &mut self,
    ) -> Result<std::result::Result<Expression, Box<[Option<Expression>; 3]>>> {
        let is_end = |kind: &TokenKind| kind.is_operator("]") || kind.is_operator(",");
        let start = if self.current.kind.is_operator(":") { None } else { Some(self.expression()?) };
        if !self.skip_operator(":") {
            return match start {
                Some(key) => Ok(Ok(key)),
                None => self.fail("expected subscript expression"),
            };
        }
        let stop = if self.current.kind.is_operator(":") || is_end(&self.current.kind) { None } else { Some(self.expression()?) };
        let step = if self.skip_operator(":") && !is_end(&self.current.kind) { Some(self.expression()?) } else { None };
        Ok(Err(Box::new([start, stop, step])))
    }

    pub(in crate::preprocess::text::jinja::syntax) fn arguments(&mut self) -> Result<Arguments> {
        let line = self.current.line;
        self.expect_operator("(")?;
        let mut arguments = Arguments::default();
        let mut names = HashSet::new();
        let wrong = || Err(Error::syntax(line, "invalid syntax for function call expression"));
        let mut first = true;
        while !self.current.kind.is_operator(")") {
            if !std::mem::take(&mut first) {
                self.expect_operator(",")?;
                if self.current.kind.is_operator(")") {
                    break;
                }
            }
            let dynamic = (arguments.more_positional.is_some(), arguments.more_keywords.is_some());
            if self.skip_operator("*") {
                if dynamic != (false, false) {
                    return wrong();
                }
                arguments.more_positional = Some(self.expression()?);
            } else if self.skip_operator("**") {
                if dynamic.1 {
                    return wrong();
                }
                arguments.more_keywords = Some(self.expression()?);
            } else if matches!(self.current.kind, TokenKind::Name(_)) && self.look().is_operator("=") {
                if dynamic.1 {
                    return wrong();
                }
                let name = self.name()?;
                self.next();
                if !names.insert(name.clone()) {
                    return self.fail(format!("keyword argument repeated: {name}"));
                }
                let value = self.expression()?;
                arguments.keywords.push((name, value));
            } else {
                if dynamic != (false, false) || !arguments.keywords.is_empty() {
                    return wrong();
                }
                let value = self.expression()?;
                arguments.positional.push(value);
            }
        }
        self.expect_operator(")")?;
        Ok(arguments)
    }

    pub(in crate::preprocess::text::jinja::syntax) fn call(&mut self, function: Expression) -> Result<Expression> {
        let line = self.current.line;
        let arguments = self.arguments()?;
        Ok(new(line, Kind::Call(Box::new(function), Box::new(arguments))))
    }

    pub(in crate::preprocess::text::jinja::syntax) fn dotted(&mut self) -> Result<Arc<str>> {
        let mut name = self.name()?;
        while self.skip_operator(".") {
            name = format!("{name}.{}", self.name()?).into();
        }
        Ok(name)
    }

    /// Filters that follow a value, or what stands before them in a block; the first without its bar where it stands `inline`.
    pub(in crate::preprocess::text::jinja::syntax) fn filters(
        &mut self,
        mut value: Option<Expression>,
        mut inline: bool,
    ) -> Result<Option<Expression>> {
        let mut chain = 0;
        while inline || self.current.kind.is_operator("|") {
            if !std::mem::take(&mut inline) {
                self.next();
            }
            self.chained(&mut chain)?;
            let line = self.current.line;
            let name = self.dotted()?;
            let arguments = if self.current.kind.is_operator("(") { self.arguments()? } else { Arguments::default() };
            let kind = Kind::Filter { value: value.map(Box::new), name, arguments: Box::new(arguments), found: None };
            value = Some(new(line, kind));
        }
        Ok(value)
    }

    pub(in crate::preprocess::text::jinja::syntax) fn test(&mut self, value: Expression) -> Result<Expression> {
        let line = self.next().line;
        let negated = self.skip_name("not");
        let name = self.dotted()?;
        let takes_argument = match &self.current.kind {
            TokenKind::Name(name) => !matches!(&**name, "else" | "or" | "and"),
            TokenKind::String(_) | TokenKind::Integer(_) | TokenKind::Float(_) | TokenKind::Operator("[" | "{") => true,
            _ => false,
        };
        let arguments = if self.current.kind.is_operator("(") {
            self.arguments()?
        } else if takes_argument {
            if self.current.kind.is_name("is") {
                return self.fail("You cannot chain multiple tests with is");
            }
            let argument = self.nested(Self::primary)?;
            Arguments { positional: vec![self.postfix(argument)?], ..Arguments::default() }
        } else {
            Arguments::default()
        };
        let kind = Kind::Test { value: Box::new(value), name, arguments: Box::new(arguments), found: None };
        let test = new(line, kind);
        Ok(if negated { new(line, Kind::Not(Box::new(test))) } else { test })
    }
}
