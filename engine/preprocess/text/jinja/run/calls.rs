//! Calls: of functions, methods, macros and recursive loops.

use std::collections::HashMap;
use std::rc::Rc;

use super::activation::Activation;
use super::arguments::Arguments;
use super::functions;
use super::machine::Machine;
use crate::preprocess::text::jinja::budget::STEP;
use crate::preprocess::text::jinja::error::{Error, Kind, Result};
use crate::preprocess::text::jinja::methods;
use crate::preprocess::text::jinja::value::object::Macro;
use crate::preprocess::text::jinja::value::{Dict, Key, Thing, Value};

impl Machine<'_> {
    /// Calls a value.
    pub(crate) fn call(&self, function: &Value, arguments: Arguments) -> Result<Value> {
        let not_callable = || Error::type_error(format!("'{}' object is not callable", function.type_name()));
        self.budget.work(STEP)?;
        let Value::Object(object) = function.defined()? else { return Err(not_callable()) };
        match &object.thing {
            Thing::Function(name) => functions::call(self, name, arguments),
            Thing::Method { receiver, name } => methods::call(self, receiver, name, arguments),
            Thing::Macro(defined) => self.call_macro(defined, arguments, self.autoescape.get()),
            Thing::Loop(state) => {
                let items = arguments.bind::<1>("__call__", ["iterable"], 1)?;
                let Some((index, outside)) = &state.recursive else {
                    return Err(Error::type_error("The loop must have the 'recursive' marker to be called recursively."));
                };
                self.recursive_loop(*index, outside, items.value(0), state.level())
            }
            Thing::Joiner { separator, used } => {
                arguments.bind::<0>("__call__", [], 0)?;
                Ok(if used.replace(true) { separator.clone() } else { Value::from("") })
            }
            Thing::Block(index) => {
                arguments.bind::<0>("__call__", [], 0)?;
                let mut out = String::new();
                self.block(*index, HashMap::new(), &mut out)?;
                Ok(Value::text(out, self.autoescape.get()))
            }
            _ => Err(not_callable()),
        }
    }

    /// Calls a macro; what it gives is HTML where the caller escapes.
    pub(super) fn call_macro(&self, called: &Macro, arguments: Arguments, markup: bool) -> Result<Value> {
        let Some(defined) = self.template.macros.get(called.index) else { return Ok(Value::None) };
        let name = match &defined.name {
            Some(name) => format!("'{name}'"),
            None => "None".to_owned(),
        };
        let Arguments { mut positional, mut keywords } = arguments;
        let count = defined.parameters.len();
        let more = positional.split_off(positional.len().min(count));
        let activation = Activation::new(defined.function.slots, Some(called.outside.clone()));
        // Each parameter is looked for among the arguments.
        self.budget.items(count.saturating_mul(keywords.len()))?;
        let mut given: Vec<Option<Value>> = positional.into_iter().map(Some).collect();
        for parameter in &defined.parameters[given.len()..] {
            let found = keywords.iter().position(|(keyword, _)| *keyword == parameter.name);
            given.push(found.map(|found| keywords.remove(found).1));
        }
        if let Some(slot) = defined.caller {
            let found = keywords.iter().position(|(keyword, _)| &**keyword == "caller").map(|found| keywords.remove(found).1);
            let caller = found.filter(|caller| !caller.is_none());
            activation.put(slot, Some(caller.unwrap_or_else(|| Value::undefined("No caller defined"))));
        }
        if let Some(slot) = defined.kwargs {
            self.budget.make_items(2 * keywords.len())?;
            let mut dict = Dict::with_capacity(keywords.len());
            for (name, value) in keywords {
                dict.insert(Key::new(&self.budget, Value::Str(name))?, value);
            }
            activation.put(slot, Some(Value::dict(dict)?));
        } else if let Some((keyword, _)) = keywords.first() {
            return Err(Error::type_error(if keywords.iter().any(|(keyword, _)| &**keyword == "caller") {
                format!("macro {name} was invoked with two values for the special caller argument. This is most likely a bug.")
            } else {
                format!("macro {name} takes no keyword argument '{keyword}'")
            }));
        }
        if let Some(slot) = defined.varargs {
            activation.put(slot, Some(Value::tuple(&self.budget, more)?));
        } else if !more.is_empty() {
            return Err(Error::type_error(format!("macro {name} takes not more than {count} argument(s)")));
        }
        self.budget.enter()?;
        let result = self.run_macro(defined, &activation, given);
        self.budget.leave();
        self.keep(activation);
        result.map(|text| Value::text(text, markup))
    }

    fn run_macro(
        &self,
        defined: &crate::preprocess::text::jinja::syntax::tree::Macro,
        activation: &Rc<Activation>,
        given: Vec<Option<Value>>,
    ) -> Result<String> {
        for (parameter, value) in defined.parameters.iter().zip(given) {
            activation.put(parameter.slot, value);
        }
        self.enter(&defined.function.frame, activation);
        for parameter in &defined.parameters {
            let slot = crate::preprocess::text::jinja::syntax::tree::Slot { up: 0, index: parameter.slot as u32 };
            if activation.get(slot).is_some() {
                continue;
            }
            let value = match &parameter.default {
                Some(default) => self.value(default, activation)?,
                None => Value::undefined(format!("parameter '{}' was not provided", parameter.name)),
            };
            activation.put(parameter.slot, Some(value));
        }
        let mut out = String::new();
        self.statements(&defined.body, activation, &mut out)?;
        Ok(out)
    }

    /// Renders a block, which sees what the template has set at its top, and these variables.
    pub(super) fn block(&self, index: usize, variables: HashMap<std::sync::Arc<str>, Value>, out: &mut String) -> Result<()> {
        let Some(block) = self.template.blocks.get(index) else { return Ok(()) };
        self.budget.enter()?;
        let activation = Activation::new(block.function.slots, None);
        if let Some(slot) = block.itself {
            activation.put(slot, Some(Value::object(Thing::Template)?));
        }
        if let Some(slot) = block.parent {
            activation.put(slot, Some(Value::undefined(format!("there is no parent block called '{}'.", block.name))));
        }
        let rendered = self.with_layer(variables, || {
            self.enter(&block.function.frame, &activation);
            self.statements(&block.body, &activation, out)
        });
        self.budget.leave();
        self.keep(activation);
        rendered.map(|_| ())
    }

    /// The body of `{% generation %}`, called.
    pub(super) fn generation(&self, mut arguments: Arguments) -> Result<Value> {
        match arguments.take("caller") {
            Some(Value::Object(object)) => match &object.thing {
                Thing::Macro(body) => self.call_macro(body, Arguments::default(), body.autoescape),
                _ => Err(Error::new(Kind::Runtime, "generation has no body")),
            },
            _ => Err(Error::new(Kind::Runtime, "generation has no body")),
        }
    }
}
