//! Inputs that have come and are not answered yet: as many as there is room for, taken as soon as there are any.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use super::Item;

/// So much memory may wait, unless a single input takes more.
const MOST_BYTES: usize = 64 << 20;
/// And so many inputs.
const MOST_ITEMS: usize = 4096;

/// Between the thread that reads inputs and the one that answers them.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    items: VecDeque<Item>,
    bytes: usize,
    /// No more will come.
    closed: bool,
    /// No more will be taken.
    stopped: bool,
}

impl Queue {
    /// Adds an input when there is room for it; false where nobody wants more.
    pub(super) fn push(&self, item: Item) -> bool {
        let full = |state: &mut State| {
            let is_full = state.bytes.saturating_add(item.bytes) > MOST_BYTES || state.items.len() >= MOST_ITEMS;
            !state.stopped && !state.items.is_empty() && is_full
        };
        let mut state = self.changed.wait_while(self.state(), full).unwrap_or_else(PoisonError::into_inner);
        if state.stopped {
            return false;
        }
        state.bytes = state.bytes.saturating_add(item.bytes);
        state.items.push_back(item);
        self.changed.notify_all();
        true
    }

    /// Waits for an input, and takes what there is, but no more than `most`; nothing at the end.
    pub(super) fn take(&self, most: usize) -> Vec<Item> {
        let idle = |state: &mut State| state.items.is_empty() && !state.closed && !state.stopped;
        let mut state = self.changed.wait_while(self.state(), idle).unwrap_or_else(PoisonError::into_inner);
        if state.stopped {
            return Vec::new();
        }
        let count = most.min(state.items.len());
        let items: Vec<Item> = state.items.drain(..count).collect();
        state.bytes = state.items.iter().map(|item| item.bytes).sum();
        self.changed.notify_all();
        items
    }

    /// No more inputs come.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
    }

    /// Nothing more is taken, whoever waits.
    pub(super) fn stop(&self) {
        self.state().stopped = true;
        self.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{sync::Arc, thread};

    fn item(bytes: usize) -> Item {
        Item { bytes, ..Item::of(&formers::pipelines::TASKS[0], "".into()) }
    }

    #[test]
    fn inputs_are_taken_as_they_come_and_wait_for_room() {
        let queue = Arc::new(Queue::default());
        let (reader, count) = (queue.clone(), 10_000);
        let reading = thread::spawn(move || {
            let pushed = (0..count).filter(|_| reader.push(item(1 << 14))).count();
            reader.close();
            pushed
        });
        let (mut taken, mut most) = (0, 0);
        loop {
            let bytes = queue.state().bytes;
            most = most.max(bytes);
            match queue.take(7).len() {
                0 => break,
                some => taken += some,
            }
        }
        assert_eq!((taken, reading.join().unwrap()), (count, count));
        assert!(most <= MOST_BYTES);
        // One that is larger than there is room for comes alone.
        let queue = Queue::default();
        assert!(queue.push(item(MOST_BYTES * 2)));
        assert_eq!(queue.take(9).len(), 1);
    }

    #[test]
    fn a_queue_that_was_stopped_holds_nobody() {
        let queue = Arc::new(Queue::default());
        let waiting = queue.clone();
        let taker = thread::spawn(move || waiting.take(1).len());
        queue.stop();
        assert_eq!(taker.join().unwrap(), 0);
        assert!(!queue.push(item(1)));
    }
}
