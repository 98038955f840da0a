//! Expressions of a template.

use std::collections::HashSet;
use std::sync::Arc;

use num_traits::ToPrimitive;

use super::parser::Parser;
use super::token::TokenKind;
use super::tree::{Arguments, Binary, Comparison, Constant, Expression, Kind, Unary};
use crate::preprocess::text::jinja::error::{Error, Result};

/// How many operators, filters or subscripts may follow one another; each makes the tree a level deeper.
const LONGEST_CHAIN: usize = 300;

fn new(line: u32, kind: Kind) -> Expression {
    Expression { line, kind }
}

impl Parser {
    pub(super) fn expression(&mut self) -> Result<Expression> {
        self.nested(Self::conditional_expression)
    }

    fn conditional_expression(&mut self) -> Result<Expression> {
        let line = self.current.line;
        let mut value = self.or()?;
        let mut chain = 0;
        while self.skip_name("if") {
            self.chained(&mut chain)?;
            let test = self.or()?;
            let otherwise = if self.skip_name("else") { Some(Box::new(self.expression()?)) } else { None };
            value = new(line, Kind::Conditional(Box::new((test, value)), otherwise));
        }
        Ok(value)
    }

    fn chained(&self, chain: &mut usize) -> Result<()> {
        *chain += 1;
        if *chain > LONGEST_CHAIN { self.fail("the expression is too long: it nests too deeply") } else { Ok(()) }
    }

    fn or(&mut self) -> Result<Expression> {
        let line = self.current.line;
        let mut left = self.and()?;
        let mut chain = 0;
        while self.skip_name("or") {
            self.chained(&mut chain)?;
            left = new(line, Kind::Or(Box::new((left, self.and()?))));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Expression> {
        let line = self.current.line;
        let mut left = self.not()?;
        let mut chain = 0;
        while self.skip_name("and") {
            self.chained(&mut chain)?;
            left = new(line, Kind::And(Box::new((left, self.not()?))));
        }
        Ok(left)
    }

    fn not(&mut self) -> Result<Expression> {
        let line = self.current.line;
        if self.skip_name("not") {
            let value = self.nested(Self::not)?;
            return Ok(new(line, Kind::Not(Box::new(value))));
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Expression> {
        let line = self.current.line;
        let left = self.sum()?;
        let mut operands = Vec::new();
        loop {
            let comparison = match &self.current.kind {
                TokenKind::Operator("==") => Comparison::Equal,
                TokenKind::Operator("!=") => Comparison::NotEqual,
                TokenKind::Operator("<") => Comparison::Less,
                TokenKind::Operator("<=") => Comparison::LessOrEqual,
                TokenKind::Operator(">") => Comparison::Greater,
                TokenKind::Operator(">=") => Comparison::GreaterOrEqual,
                kind if kind.is_name("in") => Comparison::In,
                kind if kind.is_name("not") && self.look().is_name("in") => {
                    self.next();
                    Comparison::NotIn
                }
                _ => break,
            };
            self.next();
            operands.push((comparison, self.sum()?));
        }
        Ok(if operands.is_empty() { left } else { new(line, Kind::Compare(Box::new(left), operands)) })
    }

    fn binary(&mut self, operators: &[(&str, Binary)], operand: impl Fn(&mut Self) -> Result<Expression>) -> Result<Expression> {
        let line = self.current.line;
        let mut left = operand(self)?;
        let mut chain = 0;
        while let Some((_, operator)) = operators.iter().find(|(operator, _)| self.current.kind.is_operator(operator)) {
            self.chained(&mut chain)?;
            self.next();
            left = new(line, Kind::Binary(*operator, Box::new((left, operand(self)?))));
        }
        Ok(left)
    }

    fn sum(&mut self) -> Result<Expression> {
        self.binary(&[("+", Binary::Add), ("-", Binary::Subtract)], Self::concatenation)
    }

    fn concatenation(&mut self) -> Result<Expression> {
        let line = self.current.line;
        let first = self.product()?;
        if !self.current.kind.is_operator("~") {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.skip_operator("~") {
            parts.push(self.product()?);
        }
        Ok(new(line, Kind::Concat { parts, markup: false }))
    }

    fn product(&mut self) -> Result<Expression> {
        let operators = [("*", Binary::Multiply), ("/", Binary::Divide), ("//", Binary::FloorDivide), ("%", Binary::Modulo)];
        self.binary(&operators, |parser| parser.binary(&[("**", Binary::Power)], |parser| parser.unary(true)))
    }

    fn unary(&mut self, filtered: bool) -> Result<Expression> {
        let line = self.current.line;
        let sign = match self.current.kind {
            TokenKind::Operator("-") => Some(Unary::Negative),
            TokenKind::Operator("+") => Some(Unary::Positive),
            _ => None,
        };
        let value = match sign {
            Some(sign) => {
                self.next();
                let value = self.nested(|parser| parser.unary(false))?;
                new(line, Kind::Unary(sign, Box::new(value)))
            }
            None => self.primary()?,
        };
        let value = self.postfix(value)?;
        if filtered { self.filtered(value) } else { Ok(value) }
    }

    pub(super) fn primary(&mut self) -> Result<Expression> {
        let line = self.current.line;
        let constant = |constant| Ok(new(line, Kind::Constant(constant)));
        match self.current.kind.clone() {
            TokenKind::Name(name) => {
                self.next();
                match &*name {
                    "true" | "True" => constant(Constant::Bool(true)),
                    "false" | "False" => constant(Constant::Bool(false)),
                    "none" | "None" => constant(Constant::None),
                    _ => Ok(new(line, Kind::Name(name, Default::default()))),
                }
            }
            TokenKind::String(mut text) => {
                self.next();
                while let TokenKind::String(more) = &self.current.kind {
                    text.push_str(more);
                    self.next();
                }
                constant(Constant::String(text.into()))
            }
            TokenKind::Integer(number) => {
                self.next();
                constant(number.to_i64().map_or(Constant::Big(number), Constant::Integer))
            }
            TokenKind::Float(number) => {
                self.next();
                constant(Constant::Float(number))
            }
            TokenKind::Operator("(") => {
                self.next();
                let inner = self.nested(|parser| parser.tuple_of(true, true))?;
                self.expect_operator(")")?;
                Ok(inner)
            }
            TokenKind::Operator("[") => self.nested(Self::list),
            TokenKind::Operator("{") => self.nested(Self::dict),
            other => self.fail(format!("unexpected '{}'", other.describe())),
        }
    }

    pub(super) fn is_tuple_end(&self) -> bool {
        matches!(self.current.kind, TokenKind::VariableEnd | TokenKind::BlockEnd | TokenKind::Operator(")"))
    }

    /// An expression, or several as a tuple.
    pub(super) fn tuple(&mut self) -> Result<Expression> {
        self.tuple_of(true, false)
    }

    pub(super) fn tuple_without_condition(&mut self) -> Result<Expression> {
        self.tuple_of(false, false)
    }

    fn tuple_of(&mut self, conditions: bool, parentheses: bool) -> Result<Expression> {
        let line = self.current.line;
        let mut items = Vec::new();
        let mut tuple = false;
        loop {
            if !items.is_empty() {
                self.expect_operator(",")?;
            }
            if self.is_tuple_end() {
                break;
            }
            items.push(if conditions { self.expression()? } else { self.nested(Self::or)? });
            if !self.current.kind.is_operator(",") {
                break;
            }
            tuple = true;
        }
        if !tuple {
            if let Some(item) = items.pop() {
                return Ok(item);
            }
            if !parentheses {
                return self.fail(format!("Expected an expression, got '{}'", self.current.kind.describe()));
            }
        }
        Ok(new(line, Kind::Tuple(items)))
    }

    fn list(&mut self) -> Result<Expression> {
        let line = self.next().line;
        let mut items = Vec::new();
        while !self.current.kind.is_operator("]") {
            if !items.is_empty() {
                self.expect_operator(",")?;
            }
            if self.current.kind.is_operator("]") {
                break;
            }
            items.push(self.expression()?);
        }
        self.expect_operator("]")?;
        Ok(new(line, Kind::List(items)))
    }

    fn dict(&mut self) -> Result<Expression> {
        let line = self.next().line;
        let mut items = Vec::new();
        while !self.current.kind.is_operator("}") {
            if !items.is_empty() {
                self.expect_operator(",")?;
            }
            if self.current.kind.is_operator("}") {
                break;
            }
            let key = self.expression()?;
            self.expect_operator(":")?;
            items.push((key, self.expression()?));
        }
        self.expect_operator("}")?;
        Ok(new(line, Kind::Dict(items)))
    }

    fn postfix(&mut self, mut value: Expression) -> Result<Expression> {
        let mut chain = 0;
        loop {
            value = match self.current.kind {
                TokenKind::Operator("." | "[") => self.subscript(value)?,
                TokenKind::Operator("(") => self.call(value)?,
                _ => return Ok(value),
            };
            self.chained(&mut chain)?;
        }
    }

    fn filtered(&mut self, mut value: Expression) -> Result<Expression> {
        let mut chain = 0;
        loop {
            value = match &self.current.kind {
                TokenKind::Operator("|") => match self.filters(Some(value), false)? {
                    Some(value) => value,
                    None => return self.fail("expected a filter"),
                },
                TokenKind::Operator("(") => self.call(value)?,
                kind if kind.is_name("is") => self.test(value)?,
                _ => return Ok(value),
            };
            self.chained(&mut chain)?;
        }
    }

    fn subscript(&mut self, value: Expression) -> Result<Expression> {
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
    fn subscribed(&mut self) -> Result<std::result::Result<Expression, Box<[Option<Expression>; 3]>>> {
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

    fn arguments(&mut self) -> Result<Arguments> {
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

    fn call(&mut self, function: Expression) -> Result<Expression> {
        let line = self.current.line;
        let arguments = self.arguments()?;
        Ok(new(line, Kind::Call(Box::new(function), Box::new(arguments))))
    }

    fn dotted(&mut self) -> Result<Arc<str>> {
        let mut name = self.name()?;
        while self.skip_operator(".") {
            name = format!("{name}.{}", self.name()?).into();
        }
        Ok(name)
    }

    /// Filters that follow a value, or what stands before them in a block; the first without its bar where it stands `inline`.
    pub(super) fn filters(&mut self, mut value: Option<Expression>, mut inline: bool) -> Result<Option<Expression>> {
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

    fn test(&mut self, value: Expression) -> Result<Expression> {
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
