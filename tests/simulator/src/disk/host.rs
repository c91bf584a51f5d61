//! The files of one host: folder, page cache, and the faults that are armed for it.
//!
//! Always: what is not synced lives in the page cache only; a name that was made, moved or removed is on the medium once
//! the folder was synced. Nothing here touches SQLite or the machine's own disk.

use std::collections::BTreeMap;

use super::file::{FileData, Losses, draw_keep, first_sectors};
use super::lock::LockTable;
use super::{Fault, IoError};
use crate::rng::Rng;

/// Names one file of a host for as long as the file exists, under whatever name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FileId(u64);

/// A change of the folder that is not on the medium yet.
#[derive(Clone, Debug)]
enum NameChange {
    Put { name: String, file: FileId },
    Remove { name: String },
    Move { from: String, to: String, file: FileId },
}

/// What a host asks of its disk; decides which armed fault it meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Read,
    Lock,
    Write,
    Truncate,
    Sync,
    Name,
}

impl Call {
    fn changes_the_disk(self) -> bool {
        match self {
            Call::Read | Call::Lock => false,
            Call::Write | Call::Truncate | Call::Sync | Call::Name => true,
        }
    }

    /// Does this call count towards the fault, and meet it at the end of the count?
    fn meets(self, fault: Fault) -> bool {
        match fault {
            Fault::Io => self != Call::Lock,
            Fault::Full => matches!(self, Call::Write | Call::Truncate),
            Fault::Busy => self == Call::Lock,
        }
    }
}

/// How far a call gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admitted {
    Whole,
    /// The host dies in the middle of it: a write still brings its first sectors into the page cache.
    Dying {
        sectors: usize,
    },
}

#[derive(Clone, Copy, Debug)]
struct Fuse {
    calls_left: u32,
    sectors: usize,
}

#[derive(Clone, Debug, Default)]
pub(super) struct HostDisk {
    /// Raised at each restart; handles of an older life are dead.
    pub(super) life: u64,
    pub(super) is_dead: bool,
    pub(super) is_lying: bool,
    fuse: Option<Fuse>,
    armed: Option<(Fault, u32)>,
    files: BTreeMap<FileId, FileData>,
    names: BTreeMap<String, FileId>,
    durable_names: BTreeMap<String, FileId>,
    pending_names: Vec<NameChange>,
    locks: BTreeMap<FileId, LockTable>,
    next_file: u64,
}

impl HostDisk {
    /// Asks whether a call may go ahead: burns the fuse, counts down to the armed fault.
    pub(super) fn admit(&mut self, life: u64, call: Call) -> Result<Admitted, IoError> {
        if self.is_dead || self.life != life {
            return Err(IoError::Dead);
        }
        if call.changes_the_disk()
            && let Some(fuse) = &mut self.fuse
        {
            if fuse.calls_left == 0 {
                let sectors = fuse.sectors;
                self.is_dead = true;
                return Ok(Admitted::Dying { sectors });
            }
            fuse.calls_left -= 1;
        }
        if let Some((fault, calls_left)) = &mut self.armed
            && call.meets(*fault)
        {
            if *calls_left == 0 {
                let fault = *fault;
                self.armed = None;
                return Err(IoError::from(fault));
            }
            *calls_left -= 1;
        }
        Ok(Admitted::Whole)
    }

    pub(super) fn set_fuse(&mut self, calls: u32, sectors: usize) {
        self.fuse = Some(Fuse { calls_left: calls, sectors });
    }

    pub(super) fn arm(&mut self, fault: Fault, calls: u32) {
        self.armed = Some((fault, calls));
    }

    pub(super) fn disarm(&mut self) {
        self.fuse = None;
        self.armed = None;
        self.is_lying = false;
    }

    pub(super) fn find(&self, name: &str) -> Option<FileId> {
        self.names.get(name).copied()
    }

    pub(super) fn file(&self, file: FileId) -> Result<&FileData, IoError> {
        self.files.get(&file).ok_or(IoError::NotFound)
    }

    pub(super) fn file_mut(&mut self, file: FileId) -> Result<&mut FileData, IoError> {
        self.files.get_mut(&file).ok_or(IoError::NotFound)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(String::as_str)
    }

    pub(super) fn locks_of(&mut self, file: FileId) -> &mut LockTable {
        self.locks.entry(file).or_default()
    }

    pub(super) fn create(&mut self, name: &str) -> FileId {
        let file = self.insert(FileData::default());
        self.names.insert(name.to_owned(), file);
        self.pending_names.push(NameChange::Put { name: name.to_owned(), file });
        file
    }

    pub(super) fn remove(&mut self, name: &str) -> Result<(), IoError> {
        self.names.remove(name).ok_or(IoError::NotFound)?;
        self.pending_names.push(NameChange::Remove { name: name.to_owned() });
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) -> Result<(), IoError> {
        let file = self.names.remove(from).ok_or(IoError::NotFound)?;
        self.names.insert(to.to_owned(), file);
        self.pending_names.push(NameChange::Move { from: from.to_owned(), to: to.to_owned(), file });
        Ok(())
    }

    pub(super) fn sync_folder(&mut self) {
        if self.is_lying {
            return;
        }
        for change in self.pending_names.drain(..) {
            change.apply(&mut self.durable_names);
        }
    }

    /// Writes into the page cache, whole or as far as a dying host gets.
    pub(super) fn write(
        &mut self,
        file: FileId,
        offset: usize,
        bytes: &[u8],
        how: Admitted,
    ) -> Result<(), IoError> {
        let data = self.file_mut(file)?;
        match how {
            Admitted::Whole if data.write(offset, bytes) => Ok(()),
            Admitted::Whole => Err(IoError::Full),
            Admitted::Dying { sectors } => {
                data.write(offset, first_sectors(offset, bytes, sectors));
                Err(IoError::Dead)
            }
        }
    }

    /// The process is gone, the page cache stays.
    pub(super) fn kill(&mut self) {
        self.begin_life();
    }

    /// The page cache is gone too. Returns what happened to unsynced work and how many names vanished.
    pub(super) fn power_loss(&mut self, rng: &mut Rng) -> (Losses, u64) {
        let keep = draw_keep(rng);
        let before = self.names.len() as u64;
        for change in std::mem::take(&mut self.pending_names) {
            if rng.chance(keep) {
                change.apply(&mut self.durable_names);
            }
        }
        self.names.clone_from(&self.durable_names);
        self.begin_life();
        let mut losses = Losses::default();
        for file in self.files.values_mut() {
            let of_file = file.power_loss(rng);
            losses.lost += of_file.lost;
            losses.torn += of_file.torn;
        }
        (losses, before.saturating_sub(self.names.len() as u64))
    }

    /// All files with what the page cache shows of them.
    pub(super) fn image(&self) -> BTreeMap<String, Vec<u8>> {
        let content = |(name, file): (&String, &FileId)| {
            self.files.get(file).map(|data| (name.clone(), data.current().to_vec()))
        };
        self.names.iter().filter_map(content).collect()
    }

    /// Replaces all files; everything is on the medium at once.
    pub(super) fn restore(&mut self, image: &BTreeMap<String, Vec<u8>>) {
        self.files.clear();
        self.names.clear();
        self.pending_names.clear();
        for (name, bytes) in image {
            let file = self.insert(FileData::settled(bytes.clone()));
            self.names.insert(name.clone(), file);
        }
        self.durable_names.clone_from(&self.names);
        self.begin_life();
    }

    /// A new process: old handles and locks are dead, nothing is armed, files that no name leads to are freed.
    fn begin_life(&mut self) {
        self.life += 1;
        self.is_dead = false;
        self.disarm();
        self.locks.clear();
        let mut reachable: std::collections::BTreeSet<FileId> =
            self.names.values().chain(self.durable_names.values()).copied().collect();
        reachable.extend(self.pending_names.iter().filter_map(NameChange::file));
        self.files.retain(|file, _| reachable.contains(file));
    }

    fn insert(&mut self, data: FileData) -> FileId {
        let file = FileId(self.next_file);
        self.next_file += 1;
        self.files.insert(file, data);
        file
    }
}

impl NameChange {
    fn apply(self, names: &mut BTreeMap<String, FileId>) {
        match self {
            NameChange::Put { name, file } => {
                names.insert(name, file);
            }
            NameChange::Remove { name } => {
                names.remove(&name);
            }
            NameChange::Move { from, to, file } => {
                names.remove(&from);
                names.insert(to, file);
            }
        }
    }

    fn file(&self) -> Option<FileId> {
        match self {
            NameChange::Put { file, .. } | NameChange::Move { file, .. } => Some(*file),
            NameChange::Remove { .. } => None,
        }
    }
}
