//! What has variables of its own: loops, macros and blocks.

use std::collections::HashMap;

use super::{Place, Resolver};
use crate::preprocess::text::jinja::error::{Error, Result};
use crate::preprocess::text::jinja::syntax::symbols::Part;
use crate::preprocess::text::jinja::syntax::tree::{For, Macro, Slot, Statement};
use crate::preprocess::text::jinja::syntax::visit::{Occurrence, names, targets};

impl Resolver {
    pub(super) fn for_loop(&mut self, index: usize, place: Place) -> Result<()> {
        let Some(mut looped) = self.nodes.loops[index].take() else { return Ok(()) };
        let resolved = self.for_parts(&mut looped, place);
        self.nodes.loops[index] = Some(looped);
        resolved
    }

    pub(super) fn for_parts(&mut self, looped: &mut For, place: Place) -> Result<()> {
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

    pub(super) fn test(&mut self, looped: &mut For, place: Place) -> Result<()> {
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

    pub(super) fn refuse_loop_as_target(&self, looped: &For) -> Result<()> {
        let mut found = false;
        let mut look = |name: &str, occurrence| found |= name == "loop" && occurrence == Occurrence::Stored;
        targets(&looped.target, Occurrence::Stored, &mut look);
        names(&self.nodes, &looped.body, &mut look);
        names(&self.nodes, &looped.otherwise, &mut look);
        if found { Err(Error::syntax(looped.line, "Can't assign to special loop variable in for-loop target")) } else { Ok(()) }
    }

    pub(super) fn macro_definition(&mut self, index: usize, place: Place) -> Result<()> {
        let Some(mut defined) = self.nodes.macros[index].take() else { return Ok(()) };
        let resolved = self.macro_parts(&mut defined, place);
        self.nodes.macros[index] = Some(defined);
        resolved
    }

    pub(super) fn macro_parts(&mut self, defined: &mut Macro, place: Place) -> Result<()> {
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

    pub(super) fn block(&mut self, index: usize) -> Result<()> {
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
}
