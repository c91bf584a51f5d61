//! One file: what the medium holds, what the page cache shows, and the writes that stand between the two.
//!
//! Always: `current` = `durable` with all of `pending` applied in order.

use crate::rng::Rng;

/// Bytes that reach the medium together or not at all. 512 is the smallest unit in use, so it tears the most.
pub const SECTOR_BYTES: usize = 512;

/// Largest file, in bytes. Far above any run's need; a wild offset must not take the machine's memory.
pub const FILE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Chance in permille that a write which does not survive whole still leaves its first sectors on the medium.
const TORN_PERMILLE: u64 = 100;

/// How much of the unsynced work survives a power loss, in permille: nothing, half, nearly all (spec/sync.md 10.1).
const KEEP_PERMILLE: [u64; 3] = [0, 500, 900];

#[derive(Clone, Debug)]
enum Pending {
    Write { offset: usize, bytes: Vec<u8> },
    Truncate { length: usize },
}

/// What a power loss did to pending changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Losses {
    pub(super) lost: u64,
    pub(super) torn: u64,
}

/// Draws the mode in which the pending changes of one file, or of a folder, survive.
pub(super) fn draw_keep(rng: &mut Rng) -> u64 {
    rng.pick(&KEEP_PERMILLE).copied().unwrap_or(0)
}

/// The content of one file on both sides of the page cache.
#[derive(Clone, Debug, Default)]
pub(super) struct FileData {
    durable: Vec<u8>,
    current: Vec<u8>,
    pending: Vec<Pending>,
}

impl FileData {
    /// A file that is wholly on the medium.
    pub(super) fn settled(bytes: Vec<u8>) -> FileData {
        FileData { current: bytes.clone(), durable: bytes, pending: Vec::new() }
    }

    pub(super) fn current(&self) -> &[u8] {
        &self.current
    }

    /// Copies what is there from `offset` on into `into` and returns how many bytes that were.
    pub(super) fn read(&self, offset: usize, into: &mut [u8]) -> usize {
        let there = self.current.get(offset..).unwrap_or_default();
        let count = there.len().min(into.len());
        into[..count].copy_from_slice(&there[..count]);
        count
    }

    /// Writes into the page cache. False when the file would grow beyond [`FILE_BYTES_MAX`].
    pub(super) fn write(&mut self, offset: usize, bytes: &[u8]) -> bool {
        if offset.checked_add(bytes.len()).is_none_or(|end| end > FILE_BYTES_MAX) {
            return false;
        }
        self.change(Pending::Write { offset, bytes: bytes.to_vec() });
        true
    }

    /// Cuts or grows the file in the page cache. False when it would grow beyond [`FILE_BYTES_MAX`].
    pub(super) fn truncate(&mut self, length: usize) -> bool {
        if length > FILE_BYTES_MAX {
            return false;
        }
        self.change(Pending::Truncate { length });
        true
    }

    fn change(&mut self, change: Pending) {
        apply(&mut self.current, &change);
        self.pending.push(change);
    }

    /// Everything so far is on the medium.
    pub(super) fn sync(&mut self) {
        for change in self.pending.drain(..) {
            apply(&mut self.durable, &change);
        }
    }

    /// Is anything not on the medium yet?
    pub(super) fn is_unsynced(&self) -> bool {
        !self.pending.is_empty()
    }

    /// The page cache is gone: each pending change survives, survives torn, or is lost. Order among the survivors stays,
    /// as a page cache only ever writes the newest content of a page, yet any of them may be missing.
    pub(super) fn power_loss(&mut self, rng: &mut Rng) -> Losses {
        let mut losses = Losses::default();
        if self.pending.is_empty() {
            return losses;
        }
        let keep = draw_keep(rng);
        for change in self.pending.drain(..) {
            let drawn = rng.below(1000);
            if drawn < keep {
                apply(&mut self.durable, &change);
            } else if drawn < keep + TORN_PERMILLE
                && let Pending::Write { offset, bytes } = &change
            {
                losses.torn += 1;
                let sectors = rng.below(sectors_touched(*offset, bytes.len()) as u64);
                let left = first_sectors(*offset, bytes, usize::try_from(sectors).unwrap_or(0));
                apply(&mut self.durable, &Pending::Write { offset: *offset, bytes: left.to_vec() });
            } else {
                losses.lost += 1;
            }
        }
        self.current.clone_from(&self.durable);
        losses
    }

    /// Flips one bit on the medium (and so in the page cache). False when the file is shorter.
    pub(super) fn rot(&mut self, offset: usize, bit: u32) -> bool {
        let mask = 1u8 << (bit % 8);
        match (self.durable.get_mut(offset), self.current.get_mut(offset)) {
            (Some(durable), Some(current)) => {
                *durable ^= mask;
                *current ^= mask;
                true
            }
            _ => false,
        }
    }

    pub(super) fn durable_length(&self) -> usize {
        self.durable.len()
    }
}

fn apply(content: &mut Vec<u8>, change: &Pending) {
    match change {
        Pending::Write { bytes, .. } if bytes.is_empty() => {}
        Pending::Write { offset, bytes } => {
            let end = offset + bytes.len();
            if content.len() < end {
                content.resize(end, 0);
            }
            content[*offset..end].copy_from_slice(bytes);
        }
        Pending::Truncate { length } => content.resize(*length, 0),
    }
}

/// How many sectors of the medium a write of `length` bytes at `offset` lies in.
pub(super) fn sectors_touched(offset: usize, length: usize) -> usize {
    match length {
        0 => 0,
        _ => (offset + length).div_ceil(SECTOR_BYTES) - offset / SECTOR_BYTES,
    }
}

/// The part of a write that lies in its first `sectors` sectors. Cuts stand at sector borders of the file, not of the write.
pub(super) fn first_sectors(offset: usize, bytes: &[u8], sectors: usize) -> &[u8] {
    let border = (offset / SECTOR_BYTES + sectors) * SECTOR_BYTES;
    &bytes[..border.saturating_sub(offset).min(bytes.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_see_unsynced_writes() {
        let mut file = FileData::default();
        assert!(file.write(3, b"abc"));
        let mut buffer = [9; 8];
        assert_eq!(file.read(0, &mut buffer), 6);
        assert_eq!(&buffer, b"\0\0\0abc\x09\x09");
        assert_eq!(file.read(6, &mut buffer), 0);
        assert_eq!(file.durable_length(), 0);
        file.sync();
        assert_eq!(file.durable_length(), 6);
        assert!(!file.is_unsynced());
    }

    #[test]
    fn synced_bytes_survive_every_power_loss() {
        for seed in 0..200 {
            let mut file = FileData::default();
            file.write(0, &[1; 2000]);
            file.sync();
            file.write(2000, &[2; 2000]);
            file.truncate(3000);
            file.power_loss(&mut Rng::from_seed(seed));
            assert_eq!(file.current[..2000], [1; 2000]);
            assert_eq!(file.current, file.durable);
        }
    }

    /// Each way in which one unsynced write of three sectors can end is met: whole, torn after 0, 1 or 2 sectors, lost.
    #[test]
    fn one_write_ends_in_every_way() {
        let mut lengths = std::collections::BTreeSet::new();
        for seed in 0..2000 {
            let mut file = FileData::default();
            file.write(100, &[1; 3 * SECTOR_BYTES - 100]);
            file.power_loss(&mut Rng::from_seed(seed));
            lengths.insert(file.durable_length());
        }
        assert_eq!(lengths, [0, SECTOR_BYTES, 2 * SECTOR_BYTES, 3 * SECTOR_BYTES].into());
    }

    #[test]
    fn a_later_write_may_survive_an_earlier_one() {
        let survived = (0..500).any(|seed| {
            let mut file = FileData::default();
            file.write(0, &[1; 10]);
            file.write(600, &[2; 10]);
            file.power_loss(&mut Rng::from_seed(seed));
            file.durable.len() == 610 && file.durable[..10] == [0; 10]
        });
        assert!(survived);
    }

    #[test]
    fn sectors_of_a_write() {
        let table = [(0, 0, 0), (0, 1, 1), (0, 512, 1), (0, 513, 2), (511, 1, 1), (511, 2, 2), (32, 4120, 9)];
        for (offset, length, sectors) in table {
            assert_eq!(sectors_touched(offset, length), sectors, "{length} bytes at {offset}");
        }
        let bytes = [0; 1000];
        assert_eq!(first_sectors(500, &bytes, 0).len(), 0);
        assert_eq!(first_sectors(500, &bytes, 1).len(), 12);
        assert_eq!(first_sectors(500, &bytes, 2).len(), 524);
        assert_eq!(first_sectors(500, &bytes, 9).len(), 1000);
    }

    #[test]
    fn growth_ends_at_the_limit() {
        let mut file = FileData::default();
        assert!(file.truncate(1) && !file.truncate(FILE_BYTES_MAX + 1));
        assert!(!file.write(FILE_BYTES_MAX, &[1]));
        assert!(!file.write(usize::MAX, &[1]));
        assert!(file.write(FILE_BYTES_MAX - 1, &[1]));
        assert_eq!(file.current.len(), FILE_BYTES_MAX);
    }

    #[test]
    fn rot_flips_one_bit_of_what_is_there() {
        let mut file = FileData::settled(vec![0; 4]);
        assert!(file.rot(3, 9));
        assert_eq!(file.current, [0, 0, 0, 2]);
        assert!(!file.rot(4, 0));
    }
}
