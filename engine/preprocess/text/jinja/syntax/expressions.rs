//! Expressions of a template.

mod postfix;

use num_traits::ToPrimitive;

use super::parser::Parser;
use super::token::TokenKind;
use super::tree::{Binary, Comparison, Constant, Expression, Kind, Unary};
use crate::preprocess::text::jinja::error::Result;

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
}
