//! Loops.

use std::rc::Rc;

use super::activation::Activation;
use super::iterate::Source;
use super::looped::LoopState;
use super::machine::Machine;
use super::statements::Flow;
use crate::preprocess::text::jinja::error::{Error, Result};
use crate::preprocess::text::jinja::filters::lazy::{Lazy, Step};
use crate::preprocess::text::jinja::syntax::tree::{For, Target};
use crate::preprocess::text::jinja::value::{Thing, Value};

/// The function that a loop runs in, where it is recursive: what is around it, and how deep the loop is.
struct Recursion<'a> {
    outside: &'a Rc<Activation>,
    depth: usize,
}

impl Machine<'_> {
    pub(super) fn for_loop(&self, index: usize, at: &Rc<Activation>, out: &mut String) -> Result<Flow> {
        let looped = &self.template.loops[index];
        let iterable = self.value(&looped.iterable, at)?;
        if looped.recursive {
            let text = self.recursive_loop(index, at, &iterable, 0).map_err(|error| error.on_line(looped.line))?;
            self.write(text.as_str().unwrap_or_default(), out)?;
            return Ok(Flow::Next);
        }
        self.run_loop((index, looped), at, &iterable, None, out)
    }

    /// Renders a recursive loop over some items.
    pub(super) fn recursive_loop(&self, index: usize, outside: &Rc<Activation>, iterable: &Value, depth: usize) -> Result<Value> {
        let looped = &self.template.loops[index];
        self.budget.enter()?;
        let activation = Activation::new(looped.function.slots, Some(outside.clone()));
        let mut out = String::new();
        let run = self.run_loop((index, looped), &activation, iterable, Some(Recursion { outside, depth }), &mut out);
        self.budget.leave();
        self.keep(activation);
        run.map(|_| Value::text(out, self.autoescape.get()))
    }

    fn run_loop(
        &self,
        (index, looped): (usize, &For),
        at: &Rc<Activation>,
        iterable: &Value,
        recursion: Option<Recursion<'_>>,
        out: &mut String,
    ) -> Result<Flow> {
        let mut source = Source::of(iterable).map_err(|error| error.on_line(looped.line))?;
        let mut known = Some(iterable.clone());
        if looped.test.is_some() {
            let outside = recursion.as_ref().map_or(at, |recursion| recursion.outside);
            source = Source::Lazy(Box::new(Lazy::started(source, Step::Loop { index, outside: outside.clone() })));
            known = None;
        }
        let state = match looped.own {
            Some(slot) => {
                let outside = recursion.as_ref().map(|recursion| (index, recursion.outside.clone()));
                let state =
                    LoopState::new(known, std::mem::replace(&mut source, Source::Nothing), recursion.map_or(0, |r| r.depth), outside);
                Some((slot, Value::object(Thing::Loop(state))?))
            }
            None => None,
        };
        let mut ended = true;
        loop {
            let next = match state.as_ref().map(|(_, state)| state.thing()) {
                Some(Some(Thing::Loop(state))) => state.next(self),
                _ => source.next(self),
            };
            let Some(item) = next.map_err(|error| error.on_line(looped.line))? else { break };
            self.assign(&looped.target, item, at).map_err(|error| error.on_line(looped.line))?;
            if let Some((slot, state)) = &state {
                at.put(*slot, Some(state.clone()));
            }
            self.enter(&looped.frame, at);
            match self.statements(&looped.body, at, out)? {
                Flow::Next => ended = false,
                Flow::Continue => {}
                Flow::Break => break,
            }
        }
        self.leave(&looped.frame, at);
        if let Some(Some(Thing::Loop(state))) = state.as_ref().map(|(_, state)| state.thing()) {
            state.forget();
        }
        // As in Python, a loop whose body was never run to its end has its other branch run.
        if ended && !looped.otherwise.is_empty() {
            self.enter(&looped.else_frame, at);
            let flow = self.statements(&looped.otherwise, at, out)?;
            self.leave(&looped.else_frame, at);
            return Ok(flow);
        }
        Ok(Flow::Next)
    }

    /// Whether an item passes a loop's test; what the loop gets is what the target was assigned.
    pub(crate) fn loop_test(
        &self,
        index: usize,
        outside: &Rc<Activation>,
        at: &mut Option<Rc<Activation>>,
        item: Value,
    ) -> Result<Option<Value>> {
        let looped = &self.template.loops[index];
        let Some(test) = &looped.test else { return Ok(Some(item)) };
        let at = at.get_or_insert_with(|| {
            let activation = Activation::new(looped.test_function.slots, Some(outside.clone()));
            self.enter(&looped.test_function.frame, &activation);
            activation
        });
        let tuple = matches!(looped.test_target, Target::Tuple(_));
        self.assign(&looped.test_target, item.clone(), at)?;
        if !self.is_true(test, at)? {
            return Ok(None);
        }
        Ok(Some(if tuple { self.assigned(&looped.test_target, at)? } else { item }))
    }

    fn assigned(&self, target: &Target, at: &Rc<Activation>) -> Result<Value> {
        match target {
            Target::Name(name, slot) => Ok(at.get(*slot).unwrap_or_else(|| Value::missing(name))),
            Target::Attribute { attribute, .. } => Ok(Value::missing(attribute)),
            Target::Tuple(items) => {
                let items = items.iter().map(|item| self.assigned(item, at)).collect::<Result<_>>()?;
                Value::tuple(&self.budget, items)
            }
        }
    }

    /// Assigns a value to names.
    pub(super) fn assign(&self, target: &Target, value: Value, at: &Rc<Activation>) -> Result<()> {
        match target {
            Target::Name(_, slot) => at.set(*slot, value),
            Target::Attribute { slot, attribute, .. } => {
                let namespace = at.get(*slot);
                let Some(Value::Object(object)) = &namespace else { return Ok(()) };
                let Thing::Namespace(attributes) = &object.thing else { return Ok(()) };
                super::attributes::check_name(attribute)?;
                crate::preprocess::text::jinja::budget::Budget::nest(value.depth() + 2)?;
                object.holds(&value);
                attributes.borrow_mut().insert_str(attribute.clone(), value);
            }
            Target::Tuple(targets) => {
                let Ok(mut source) = Source::of(&value) else {
                    return Err(Error::type_error(format!("cannot unpack non-iterable {} object", value.type_name())));
                };
                let mut values = Vec::with_capacity(targets.len());
                while values.len() < targets.len() {
                    match source.next(self)? {
                        Some(value) => values.push(value),
                        None => {
                            let (wanted, got) = (targets.len(), values.len());
                            return Err(Error::value_error(format!("not enough values to unpack (expected {wanted}, got {got})")));
                        }
                    }
                }
                if source.next(self)?.is_some() {
                    return Err(Error::value_error(format!("too many values to unpack (expected {})", targets.len())));
                }
                for (target, value) in targets.iter().zip(values) {
                    self.assign(target, value, at)?;
                }
            }
        }
        Ok(())
    }
}
