//! The tags of Jinja, its extension for loops, and `{% generation %}` of chat templates.

use std::sync::Arc;

use super::parser::Parser;
use super::token::TokenKind;
use super::tree::{Block, Escape, Expression, For, Kind, Macro, Parameter, Statement, Target};
use crate::preprocess::text::jinja::error::{Error, Result};

impl Parser {
    pub(super) fn for_loop(&mut self, line: u32) -> Result<Statement> {
        self.next();
        let target = self.target(false)?;
        self.expect_name("in")?;
        let iterable = self.tuple_without_condition()?;
        let test = if self.skip_name("if") { Some(self.expression()?) } else { None };
        let recursive = self.skip_name("recursive");
        let body = self.statements(&["endfor", "else"])?;
        let otherwise = if self.next().kind.is_name("endfor") { Vec::new() } else { self.closed(&["endfor"])? };
        let (frame, else_frame, test_function, function) = Default::default();
        let (test_target, own) = (target.clone(), None);
        let looped =
            For { line, target, iterable, test, recursive, body, otherwise, frame, else_frame, test_function, test_target, function, own };
        self.loops.push(looped);
        Ok(Statement::For(self.loops.len() - 1))
    }

    pub(super) fn conditional(&mut self, line: u32) -> Result<Statement> {
        self.next();
        let mut branches = Vec::new();
        loop {
            let test = self.tuple_without_condition()?;
            let body = self.statements(&["elif", "else", "endif"])?;
            branches.push((test, body));
            let token = self.next();
            if token.kind.is_name("elif") {
                continue;
            }
            let otherwise = if token.kind.is_name("else") { self.closed(&["endif"])? } else { Vec::new() };
            return Ok(Statement::If { line, branches, otherwise });
        }
    }

    pub(super) fn set(&mut self, line: u32) -> Result<Statement> {
        self.next();
        let target = self.target(true)?;
        if self.skip_operator("=") {
            let value = self.tuple()?;
            return Ok(Statement::Set { line, target, value, exported: false });
        }
        let filter = self.filters(None, false)?;
        let body = self.closed(&["endset"])?;
        Ok(Statement::SetBlock { line, target, filter, body, frame: Default::default(), exported: false })
    }

    pub(super) fn with(&mut self) -> Result<Statement> {
        self.next();
        let (mut targets, mut values) = (Vec::<Target>::new(), Vec::new());
        while self.current.kind != TokenKind::BlockEnd {
            if !targets.is_empty() {
                self.expect_operator(",")?;
            }
            targets.push(self.target(false)?);
            self.expect_operator("=")?;
            values.push(self.expression()?);
        }
        let body = self.closed(&["endwith"])?;
        Ok(Statement::With { targets, values, body, frame: Default::default() })
    }

    fn signature(&mut self) -> Result<Vec<Parameter>> {
        let mut parameters: Vec<Parameter> = Vec::new();
        self.expect_operator("(")?;
        while !self.current.kind.is_operator(")") {
            if !parameters.is_empty() {
                self.expect_operator(",")?;
            }
            let name = self.name()?;
            let default = if self.skip_operator("=") {
                Some(self.expression()?)
            } else if parameters.last().is_some_and(|last| last.default.is_some()) {
                return self.fail("non-default argument follows default argument");
            } else {
                None
            };
            if parameters.iter().any(|other| other.name == name) {
                return self.fail(format!("duplicate argument '{name}' in function definition"));
            }
            parameters.push(Parameter { name, default, slot: 0 });
        }
        self.expect_operator(")")?;
        Ok(parameters)
    }

    fn define(&mut self, line: u32, name: Option<Arc<str>>, parameters: Vec<Parameter>, body: Vec<Statement>) -> usize {
        let function = Default::default();
        self.macros.push(Macro { line, name, parameters, body, function, caller: None, kwargs: None, varargs: None });
        self.macros.len() - 1
    }

    pub(super) fn macro_definition(&mut self, line: u32) -> Result<Statement> {
        self.next();
        let name = self.name()?;
        let parameters = self.signature()?;
        let body = self.closed(&["endmacro"])?;
        let index = self.define(line, Some(name.clone()), parameters, body);
        Ok(Statement::Macro { index, name, slot: Default::default(), exported: false })
    }

    pub(super) fn call_block(&mut self, line: u32) -> Result<Statement> {
        self.next();
        let parameters = if self.current.kind.is_operator("(") { self.signature()? } else { Vec::new() };
        let call = self.expression()?;
        if !matches!(call.kind, Kind::Call(..)) {
            return Err(Error::syntax(line, "expected call"));
        }
        let body = self.closed(&["endcall"])?;
        let index = self.define(line, None, parameters, body);
        Ok(Statement::Call { call, index, escape: Default::default() })
    }

    /// Marks an answer for training; when rendering, its body is called.
    pub(super) fn generation(&mut self, line: u32) -> Result<Statement> {
        self.next();
        let body = self.closed(&["endgeneration"])?;
        let index = self.define(line, None, Vec::new(), body);
        let function = Expression { line, kind: Kind::Generation };
        let call = Expression { line, kind: Kind::Call(Box::new(function), Box::default()) };
        Ok(Statement::Call { call, index, escape: Default::default() })
    }

    pub(super) fn filter_block(&mut self) -> Result<Statement> {
        self.next();
        let Some(filter) = self.filters(None, true)? else { return self.fail("expected a filter") };
        let body = self.closed(&["endfilter"])?;
        Ok(Statement::Filter { filter, body, frame: Default::default(), escape: Default::default() })
    }

    pub(super) fn autoescape(&mut self) -> Result<Statement> {
        self.next();
        let value = self.expression()?;
        let body = self.closed(&["endautoescape"])?;
        Ok(Statement::Autoescape { value, body, frame: Default::default() })
    }

    pub(super) fn block(&mut self, line: u32) -> Result<Statement> {
        self.next();
        let name = self.name()?;
        let scoped = self.skip_name("scoped");
        let required = self.skip_name("required");
        if self.current.kind.is_operator("-") {
            return self
                .fail("Block names in Jinja have to be valid Python identifiers and may not contain hyphens, use an underscore instead.");
        }
        let body = self.closed(&["endblock"])?;
        let is_blank = |statement: &Statement| match statement {
            Statement::Output { parts } => {
                parts.iter().all(|(part, _)| matches!(&part.kind, Kind::Data(data) if data.chars().all(char::is_whitespace)))
            }
            _ => false,
        };
        if required && !body.iter().all(is_blank) {
            return self.fail("Required blocks can only contain comments or whitespace");
        }
        self.skip_name(&name);
        if self.blocks.iter().any(|block| block.name == name) {
            return Err(Error::syntax(line, format!("block '{name}' defined twice")));
        }
        let function = Default::default();
        self.blocks.push(Block { name: name.clone(), required, body, function, itself: None, parent: None });
        Ok(Statement::Block { line, index: self.blocks.len() - 1, name, scoped, variables: Vec::new() })
    }

    pub(super) fn print(&mut self) -> Result<Statement> {
        self.next();
        let mut parts = Vec::new();
        while self.current.kind != TokenKind::BlockEnd {
            if !parts.is_empty() {
                self.expect_operator(",")?;
            }
            parts.push((self.expression()?, Escape::Never));
        }
        Ok(Statement::Output { parts })
    }

    /// `include`, `import`, `from` and `extends`.
    pub(super) fn other(&mut self, line: u32, tag: &str) -> Result<Statement> {
        self.next();
        let template = self.expression()?;
        let mut names = Vec::new();
        match tag {
            "include" if self.current.kind.is_name("ignore") && self.look().is_name("missing") => {
                self.next();
                self.next();
            }
            "import" => {
                self.expect_name("as")?;
                names.push(self.name()?);
            }
            "from" => {
                self.expect_name("import")?;
                self.imported(&mut names)?;
            }
            _ => {}
        }
        self.context();
        Ok(Statement::Other { line, template, names, extends: tag == "extends" })
    }

    /// `with context` or `without context`
    fn context(&mut self) -> bool {
        let found = (self.current.kind.is_name("with") || self.current.kind.is_name("without")) && self.look().is_name("context");
        if found {
            self.next();
            self.next();
        }
        found
    }

    fn imported(&mut self, names: &mut Vec<Arc<str>>) -> Result<()> {
        loop {
            if !names.is_empty() {
                self.expect_operator(",")?;
            }
            if self.context() {
                return Ok(());
            }
            let name = self.name()?;
            if name.starts_with('_') {
                return self.fail("names starting with an underline can not be imported");
            }
            names.push(if self.skip_name("as") { self.name()? } else { name });
            if self.context() || !self.current.kind.is_operator(",") {
                return Ok(());
            }
        }
    }
}
