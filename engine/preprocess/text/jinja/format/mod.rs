//! Text that is made of values: format strings, JSON, HTML, wrapped and printed text.

pub(crate) mod braces;
pub(crate) mod entities;
pub(crate) mod field;
pub(crate) mod html;
pub(crate) mod json;
pub(crate) mod lorem;
pub(crate) mod percent;
pub(crate) mod pretty;
pub(crate) mod urlize;
pub(crate) mod wrap;
