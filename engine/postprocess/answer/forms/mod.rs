//! The ways to write a call that several families share.

pub(super) mod alone;
pub(super) mod bare;
pub(super) mod json;
pub(super) mod pairs;
pub(super) mod python;
pub(super) mod xml;
