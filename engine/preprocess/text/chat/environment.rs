//! The environment of chat templates: what the reference puts into Jinja's sandbox.

use std::fmt;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Rest, ValueOrKwargs};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, State, UndefinedBehavior, Value};

use super::budget::Budget;
use super::clock::WallClock;
use super::python::str_of;
use super::{filters, methods, operators, predicates};

/// How deep macros may call themselves.
const RECURSION: usize = 200;

/// The whitespace rules of chat templates.
pub(super) fn syntax() -> Result<SyntaxConfig, Error> {
    SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()
}

/// Everything that a template can call.
pub(super) fn environment(budget: &Budget, longest_text: usize, now: WallClock) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_undefined_behavior(UndefinedBehavior::Lenient);
    environment.set_recursion_limit(RECURSION);
    environment.set_fuel(Some(Budget::steps(longest_text)));
    let printed = budget.clone();
    environment.set_formatter(move |out, _, value| {
        let text = str_of(value);
        printed.spend(text.len())?;
        out.write_str(&text).map_err(Error::from)
    });
    operators::register(&mut environment, budget);
    filters::register(&mut environment, budget);
    predicates::register(&mut environment);
    let paid = budget.clone();
    environment.set_unknown_method_callback(move |state, value, method, arguments| methods::call(&paid, state, value, method, arguments));
    environment.add_function("raise_exception", |message: &Value| -> Result<Value, Error> {
        Err(Error::new(ErrorKind::InvalidOperation, "raise_exception").with_source(Raised(str_of(message))))
    });
    environment.add_function("strftime_now", move |format: &str| now.format(format));
    for (name, wrapping) in [
        ("dict", Value::from_function(minijinja::functions::dict)),
        ("namespace", Value::from_function(minijinja::functions::namespace)),
        ("cycler", Value::from_function(|items: Rest<Value>| minijinja_contrib::globals::cycler(items.0))),
        ("joiner", Value::from_function(minijinja_contrib::globals::joiner)),
    ] {
        environment.add_function(name, counted(budget, wrapping));
    }
    for (name, wrapping) in [
        ("batch", Value::from_function(minijinja::filters::batch)),
        ("slice", Value::from_function(minijinja::filters::slice)),
        ("groupby", Value::from_function(minijinja::filters::groupby)),
        ("zip", Value::from_function(minijinja::filters::zip)),
        ("chain", Value::from_function(minijinja::filters::chain)),
        ("items", Value::from_function(minijinja::filters::items)),
    ] {
        environment.add_filter(name, counted(budget, wrapping));
    }
    environment
}

/// A function or filter that puts values into others.
fn counted(budget: &Budget, wrapping: Value) -> impl Fn(&mut State<'_, '_>, Rest<ValueOrKwargs>) -> Result<Value, Error> + use<> {
    let budget = budget.clone();
    move |state, arguments| {
        budget.wrap()?;
        wrapping.call(state, &arguments.into_values())
    }
}

/// The message of `raise_exception`.
#[derive(Debug)]
pub(super) struct Raised(String);

impl Raised {
    /// The message, when an error comes from `raise_exception`.
    pub(super) fn message(error: &Error) -> Option<&str> {
        let mut cause = std::error::Error::source(error);
        while let Some(error) = cause {
            if let Some(Self(message)) = error.downcast_ref() {
                return Some(message);
            }
            cause = error.source();
        }
        None
    }
}

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Raised {}
