//! Which weights are read after which: products come to be, and run, in the order of the graph.

use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The weights of a session's products.
#[derive(Default)]
pub(super) struct Order(Mutex<Vec<Place>>);

/// The addresses of a product's weights, once they are laid out.
type Place = Arc<OnceLock<Range<usize>>>;

/// A product's place among the others.
pub(super) struct Turn {
    number: usize,
    own: Place,
    next: OnceLock<Place>,
}

impl Order {
    /// The next product of the graph.
    pub(super) fn turn(&self) -> Turn {
        let own = Place::default();
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        places.push(Arc::clone(&own));
        Turn { number: places.len(), own, next: OnceLock::new() }
    }
}

impl Turn {
    /// Says where its weights are.
    pub(super) fn is_at(&self, addresses: Range<usize>) {
        let _ = self.own.set(addresses);
    }

    /// Where those are that are read next: after the last come the first, for the next token.
    pub(super) fn next(&self, order: &Order) -> Option<Range<usize>> {
        let next = self.next.get_or_init(|| {
            let places = order.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(places.get(self.number).or_else(|| places.first()).unwrap_or(&self.own))
        });
        next.get().cloned()
    }
}
