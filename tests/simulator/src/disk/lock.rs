//! SQLite's five file locks, for the connections of one host's process (sqlite.org/lockingv3.html).
//!
//! The simulator opens one connection a file; the locks are here so that a second one is refused with BUSY
//! instead of quietly damaging the file. They live in the process: a restart forgets them all.

use std::collections::BTreeMap;

/// How strongly a connection holds a file. The order is SQLite's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LockLevel {
    /// Others may read.
    Shared,
    /// One connection that means to write.
    Reserved,
    /// Waits for the readers to leave; nobody new may read.
    Pending,
    /// Alone.
    Exclusive,
}

/// Who holds what of one file; the key names an open handle.
#[derive(Clone, Debug, Default)]
pub(super) struct LockTable {
    held: BTreeMap<u64, LockLevel>,
}

impl LockTable {
    /// Raises the lock of a handle. False when others are in the way; the handle may then hold `Pending`.
    pub(super) fn raise(&mut self, handle: u64, to: LockLevel) -> bool {
        if self.held.get(&handle).is_some_and(|held| *held >= to) {
            return true;
        }
        let strongest_other = self.others(handle).max();
        match to {
            LockLevel::Shared if strongest_other >= Some(LockLevel::Pending) => false,
            LockLevel::Reserved | LockLevel::Pending | LockLevel::Exclusive
                if strongest_other >= Some(LockLevel::Reserved) =>
            {
                false
            }
            LockLevel::Exclusive if strongest_other.is_some() => {
                self.held.insert(handle, LockLevel::Pending);
                false
            }
            LockLevel::Shared | LockLevel::Reserved | LockLevel::Pending | LockLevel::Exclusive => {
                self.held.insert(handle, to);
                true
            }
        }
    }

    /// Lowers the lock of a handle to `Shared` or to nothing.
    pub(super) fn lower(&mut self, handle: u64, to: Option<LockLevel>) {
        match to {
            Some(level) => {
                if let Some(held) = self.held.get_mut(&handle) {
                    *held = level.min(*held);
                }
            }
            None => {
                self.held.remove(&handle);
            }
        }
    }

    /// Does anyone hold `Reserved` or more?
    pub(super) fn is_reserved(&self) -> bool {
        self.held.values().any(|level| *level >= LockLevel::Reserved)
    }

    fn others(&self, handle: u64) -> impl Iterator<Item = LockLevel> {
        self.held.iter().filter(move |(holder, _)| **holder != handle).map(|(_, level)| *level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use LockLevel::{Exclusive, Pending, Reserved, Shared};

    /// What a second connection gets for each lock that a first one holds.
    #[test]
    fn second_connection() {
        let table = [
            (Shared, [true, true, false]),
            (Reserved, [true, false, false]),
            (Pending, [false, false, false]),
            (Exclusive, [false, false, false]),
        ];
        for (held, expected) in table {
            for (asked, granted) in [Shared, Reserved, Exclusive].into_iter().zip(expected) {
                let mut locks = LockTable::default();
                assert!(locks.raise(1, held));
                assert_eq!(locks.raise(2, asked), granted, "{asked:?} beside {held:?}");
            }
        }
    }

    #[test]
    fn a_waiting_writer_keeps_new_readers_out_and_gets_in_at_last() {
        let mut locks = LockTable::default();
        assert!(locks.raise(1, Shared) && locks.raise(2, Shared) && locks.raise(2, Reserved));
        assert!(locks.is_reserved());
        assert!(!locks.raise(2, Exclusive));
        assert!(!locks.raise(3, Shared));
        locks.lower(1, None);
        assert!(locks.raise(2, Exclusive));
        locks.lower(2, Some(Shared));
        assert!(!locks.is_reserved());
        assert!(locks.raise(3, Shared));
    }
}
