//! What happens next: events by time, and by the order of their making where times are equal.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::clock::SimTime;

struct Entry<E> {
    at: SimTime,
    number: u64,
    event: E,
}

impl<E> Entry<E> {
    fn key(&self) -> (SimTime, u64) {
        (self.at, self.number)
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<E> Eq for Entry<E> {}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

/// A priority queue of (time, counter) → event (spec/sync.md 10.1).
pub struct Queue<E> {
    heap: BinaryHeap<Reverse<Entry<E>>>,
    next_number: u64,
}

impl<E> Default for Queue<E> {
    fn default() -> Queue<E> {
        Queue { heap: BinaryHeap::new(), next_number: 0 }
    }
}

impl<E> Queue<E> {
    /// Plans an event.
    pub fn push(&mut self, at: SimTime, event: E) {
        self.heap.push(Reverse(Entry { at, number: self.next_number, event }));
        self.next_number += 1;
    }

    /// Takes the earliest event that is due at `until` or before.
    pub fn pop_until(&mut self, until: SimTime) -> Option<(SimTime, E)> {
        if self.heap.peek()?.0.at > until {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| (entry.at, entry.event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_time_then_by_order_of_planning() {
        let mut queue = Queue::default();
        for (at, name) in [(5, "c"), (1, "a"), (5, "d"), (1, "b"), (9, "late")] {
            queue.push(SimTime(at), name);
        }
        let order: Vec<_> = std::iter::from_fn(|| queue.pop_until(SimTime(5))).collect();
        assert_eq!(order, [(SimTime(1), "a"), (SimTime(1), "b"), (SimTime(5), "c"), (SimTime(5), "d")]);
        assert_eq!(queue.pop_until(SimTime(9)), Some((SimTime(9), "late")));
        assert_eq!(queue.pop_until(SimTime(u64::MAX)), None);
    }
}
