//! The filters of Jinja, and Transformers' own `tojson`.

mod getter;
mod groups;
mod html;
pub(crate) mod lazy;
pub(crate) mod numbers;
mod pick;
mod sequence;
mod text;

use super::error::Result;
use super::format::json;
use super::run::arguments::Arguments;
use super::run::machine::Machine;
use super::value::Value;

type Filter = fn(&Machine<'_>, Arguments) -> Result<Value>;

/// By their names, sorted.
const FILTERS: &[(&str, Filter)] = &[
    ("abs", numbers::abs),
    ("attr", pick::attr),
    ("batch", groups::batch),
    ("capitalize", text::capitalize),
    ("center", text::center),
    ("count", sequence::length),
    ("d", pick::default),
    ("default", pick::default),
    ("dictsort", groups::dictsort),
    ("e", html::escape),
    ("escape", html::escape),
    ("filesizeformat", numbers::filesizeformat),
    ("first", sequence::first),
    ("float", numbers::float),
    ("forceescape", html::forceescape),
    ("format", text::format),
    ("groupby", groups::groupby),
    ("indent", text::indent),
    ("int", numbers::int),
    ("items", sequence::items),
    ("join", sequence::join),
    ("last", sequence::last),
    ("length", sequence::length),
    ("list", sequence::list),
    ("lower", text::lower),
    ("map", pick::map),
    ("max", groups::max),
    ("min", groups::min),
    ("pprint", text::pprint),
    ("random", sequence::random),
    ("reject", pick::reject),
    ("rejectattr", pick::rejectattr),
    ("replace", text::replace),
    ("reverse", sequence::reverse),
    ("round", numbers::round),
    ("safe", html::safe),
    ("select", pick::select),
    ("selectattr", pick::selectattr),
    ("slice", groups::slice),
    ("sort", groups::sort),
    ("string", text::string),
    ("striptags", html::striptags),
    ("sum", numbers::sum),
    ("title", text::title),
    ("tojson", json::tojson),
    ("trim", text::trim),
    ("truncate", text::truncate),
    ("unique", groups::unique),
    ("upper", text::upper),
    ("urlencode", html::urlencode),
    ("urlize", html::urlize),
    ("wordcount", text::wordcount),
    ("wordwrap", text::wordwrap),
    ("xmlattr", html::xmlattr),
];

/// The place of a filter.
pub(crate) fn find(name: &str) -> Option<usize> {
    FILTERS.binary_search_by_key(&name, |(name, _)| name).ok()
}

/// Calls the filter at a place; the first argument is what is filtered.
pub(crate) fn call(machine: &Machine<'_>, index: usize, arguments: Arguments) -> Result<Value> {
    FILTERS[index].1(machine, arguments)
}
