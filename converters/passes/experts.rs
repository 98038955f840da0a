//! Mixtures of experts in operators that every provider has: a part of the graph for each expert.

use super::rewrite::rewrite;
use crate::{Result, graph::Body, layers::Mixture};

pub(super) fn split(body: Body) -> Result<Body> {
    if !body.nodes.iter().any(Mixture::is) {
        return Ok(body);
    }
    rewrite(body, |graph, node| Some(vec![Mixture::read(graph, node)?.split()]))
}
