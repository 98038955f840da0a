//! Statements of a template.

use std::sync::Arc;

use super::lexer;
use super::resolve;
use super::token::{Token, TokenKind};
use super::tree::{Block, Escape, Expression, For, Kind, Macro, Statement, Target, Template};
use super::visit::Nodes;
use crate::preprocess::text::jinja::error::{Error, Result};

/// How deep expressions and statements may nest; Python gives up earlier.
const DEEPEST: usize = 100;

/// Reads a template.
pub(crate) fn parse(source: &str) -> Result<Template> {
    let mut parser = Parser::new(lexer::tokens(source)?);
    let body = parser.body(&[])?;
    resolve::resolve(body, Nodes::new(parser.loops, parser.macros, parser.blocks))
}

pub(super) struct Parser {
    tokens: std::vec::IntoIter<Token>,
    pub(super) current: Token,
    /// The tags that are open, and those that would close them.
    open: Vec<String>,
    ends: Vec<&'static [&'static str]>,
    depth: usize,
    pub(super) blocks: Vec<Block>,
    pub(super) macros: Vec<Macro>,
    pub(super) loops: Vec<For>,
}

impl Parser {
    fn new(tokens: Vec<Token>) -> Self {
        let mut tokens = tokens.into_iter();
        let current = tokens.next().unwrap_or(Token { line: 1, kind: TokenKind::End });
        let (open, ends, blocks, macros, loops) = Default::default();
        Self { tokens, current, open, ends, depth: 0, blocks, macros, loops }
    }

    /// Goes on and gives what was read.
    pub(super) fn next(&mut self) -> Token {
        let line = self.current.line;
        let next = self.tokens.next().unwrap_or(Token { line, kind: TokenKind::End });
        std::mem::replace(&mut self.current, next)
    }

    /// The token behind the current one.
    pub(super) fn look(&self) -> &TokenKind {
        self.tokens.as_slice().first().map_or(&TokenKind::End, |token| &token.kind)
    }

    pub(super) fn fail<T>(&self, message: impl Into<String>) -> Result<T> {
        Err(Error::syntax(self.current.line, message))
    }

    pub(super) fn skip_operator(&mut self, operator: &str) -> bool {
        let found = self.current.kind.is_operator(operator);
        if found {
            self.next();
        }
        found
    }

    pub(super) fn skip_name(&mut self, name: &str) -> bool {
        let found = self.current.kind.is_name(name);
        if found {
            self.next();
        }
        found
    }

    fn expected<T>(&self, what: &str) -> Result<T> {
        match &self.current.kind {
            TokenKind::End => self.fail(format!("unexpected end of template, expected '{what}'.")),
            other => self.fail(format!("expected token '{what}', got '{}'", other.describe())),
        }
    }

    pub(super) fn expect_operator(&mut self, operator: &str) -> Result<()> {
        if self.skip_operator(operator) { Ok(()) } else { self.expected(operator) }
    }

    pub(super) fn expect_name(&mut self, name: &str) -> Result<()> {
        if self.skip_name(name) { Ok(()) } else { self.expected(name) }
    }

    pub(super) fn expect(&mut self, kind: &TokenKind) -> Result<()> {
        if self.current.kind == *kind {
            self.next();
            return Ok(());
        }
        self.expected(&kind.describe())
    }

    /// Any name.
    pub(super) fn name(&mut self) -> Result<Arc<str>> {
        match &self.current.kind {
            TokenKind::Name(name) => {
                let name = name.clone();
                self.next();
                Ok(name)
            }
            _ => self.expected("name"),
        }
    }

    /// Reads what may nest.
    pub(super) fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return self.fail("the template nests too deeply");
        }
        let read = read(self);
        self.depth -= 1;
        read
    }

    /// Statements up to one of these tags, which is the current token then; to the end of the template where there is none.
    fn body(&mut self, ends: &'static [&'static str]) -> Result<Vec<Statement>> {
        if !ends.is_empty() {
            self.ends.push(ends);
        }
        let mut body = Vec::new();
        let mut parts = Vec::new();
        loop {
            match &self.current.kind {
                TokenKind::End => break,
                TokenKind::Data(data) => {
                    parts.push((Expression { line: self.current.line, kind: Kind::Data(data.clone()) }, Escape::Never));
                    self.next();
                }
                TokenKind::VariableBegin => {
                    self.next();
                    let value = self.tuple()?;
                    parts.push((value, Escape::Never));
                    self.expect(&TokenKind::VariableEnd)?;
                }
                _ => {
                    flush(&mut parts, &mut body);
                    self.next();
                    if ends.iter().any(|end| self.current.kind.is_name(end)) {
                        self.ends.pop();
                        return Ok(body);
                    }
                    let statement = self.nested(Self::statement)?;
                    body.push(statement);
                    self.expect(&TokenKind::BlockEnd)?;
                }
            }
        }
        flush(&mut parts, &mut body);
        if ends.is_empty() { Ok(body) } else { self.unknown(None) }
    }

    /// The body of a tag, up to one of these tags.
    pub(super) fn statements(&mut self, ends: &'static [&'static str]) -> Result<Vec<Statement>> {
        self.skip_operator(":");
        self.expect(&TokenKind::BlockEnd)?;
        self.body(ends)
    }

    /// The body of a tag, and the tag that ends it.
    pub(super) fn closed(&mut self, ends: &'static [&'static str]) -> Result<Vec<Statement>> {
        let body = self.statements(ends)?;
        self.next();
        Ok(body)
    }

    /// A tag that nobody knows, or the end of the template where a tag is open.
    fn unknown<T>(&self, name: Option<&str>) -> Result<T> {
        let mut message = match name {
            None => "Unexpected end of template.".to_owned(),
            Some(name) => format!("Encountered unknown tag '{name}'."),
        };
        if let Some(ends) = self.ends.last() {
            let looking = ends.iter().map(|end| format!("'{end}'")).collect::<Vec<_>>().join(" or ");
            let known = name.is_some_and(|name| self.ends.iter().any(|ends| ends.contains(&name)));
            message += &if known {
                format!(" You probably made a nesting mistake. Jinja is expecting this tag, but currently looking for {looking}.")
            } else {
                format!(" Jinja was looking for the following tags: {looking}.")
            };
        }
        if let Some(open) = self.open.last() {
            message += &format!(" The innermost block that needs to be closed is '{open}'.");
        }
        self.fail(message)
    }

    fn statement(&mut self) -> Result<Statement> {
        let TokenKind::Name(tag) = self.current.kind.clone() else { return self.fail("tag name expected") };
        self.open.push(tag.to_string());
        let line = self.current.line;
        let statement = match &*tag {
            "for" => self.for_loop(line),
            "if" => self.conditional(line),
            "set" => self.set(line),
            "with" => self.with(),
            "macro" => self.macro_definition(line),
            "call" => self.call_block(line),
            "filter" => self.filter_block(),
            "generation" => self.generation(line),
            "autoescape" => self.autoescape(),
            "block" => self.block(line),
            "print" => self.print(),
            "include" | "import" | "from" | "extends" => self.other(line, &tag),
            "break" => {
                self.next();
                Ok(Statement::Break { line })
            }
            "continue" => {
                self.next();
                Ok(Statement::Continue { line })
            }
            _ => {
                self.open.pop();
                return self.unknown(Some(&tag));
            }
        };
        self.open.pop();
        statement
    }

    /// What is assigned to: names, tuples of names, and attributes of namespaces where those may stand.
    pub(super) fn target(&mut self, namespaces: bool) -> Result<Target> {
        let line = self.current.line;
        let mut targets = Vec::new();
        let mut tuple = false;
        loop {
            if !targets.is_empty() {
                self.expect_operator(",")?;
            }
            if self.is_tuple_end() {
                break;
            }
            targets.push(self.single_target(namespaces)?);
            if !self.current.kind.is_operator(",") {
                break;
            }
            tuple = true;
        }
        match targets.pop() {
            Some(target) if !tuple => Ok(target),
            Some(target) => {
                targets.push(target);
                Ok(Target::Tuple(targets))
            }
            None => Err(Error::syntax(line, format!("Expected an expression, got '{}'", self.current.kind.describe()))),
        }
    }

    fn single_target(&mut self, namespaces: bool) -> Result<Target> {
        let line = self.current.line;
        if let TokenKind::Name(name) = self.current.kind.clone() {
            if matches!(&*name, "true" | "false" | "none" | "True" | "False" | "None") {
                return self.fail("can't assign to 'const'");
            }
            self.next();
            if namespaces && self.skip_operator(".") {
                let attribute = self.name()?;
                return Ok(Target::Attribute { namespace: name, slot: Default::default(), attribute });
            }
            return Ok(Target::Name(name, Default::default()));
        }
        let expression = self.nested(Self::primary)?;
        as_target(expression).ok_or_else(|| Error::syntax(line, "can't assign to this expression"))
    }
}

/// An expression in parentheses that names what is assigned to.
fn as_target(expression: Expression) -> Option<Target> {
    match expression.kind {
        Kind::Name(name, slot) => Some(Target::Name(name, slot)),
        Kind::Tuple(items) => items.into_iter().map(as_target).collect::<Option<_>>().map(Target::Tuple),
        _ => None,
    }
}

fn flush(parts: &mut Vec<(Expression, Escape)>, body: &mut Vec<Statement>) {
    if !parts.is_empty() {
        body.push(Statement::Output { parts: std::mem::take(parts) });
    }
}
