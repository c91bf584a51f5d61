//! One open file of a process. Safe code: the VFS only turns pointers into these calls.

use super::host::{Admitted, Call, FileId};
use super::{Disk, HostId, IoError, LockLevel};
use crate::trace::hash_of;

/// What the opener allows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OpenMode {
    /// Make the file when it is not there.
    pub(crate) may_create: bool,
    /// Refuse a file that is there.
    pub(crate) must_be_new: bool,
    /// Sync the folder at the first sync, whether this opening made the file or a former process did. SQLite on Unix does
    /// that for journals and WALs only.
    pub(crate) syncs_folder: bool,
}

/// An open file. Dead as soon as its host dies or restarts.
#[derive(Debug)]
pub(crate) struct Handle {
    disk: Disk,
    host: HostId,
    life: u64,
    file: FileId,
    number: u64,
    name_hash: u64,
    folder_sync_is_due: bool,
}

impl Handle {
    /// Opens or makes a file.
    pub(crate) fn open(disk: &Disk, host: HostId, name: &str, mode: OpenMode) -> Result<Handle, IoError> {
        let mut state = disk.lock();
        let life = state.host(host).life;
        let name_hash = hash_of(name);
        state.admit(host, life, Call::Read, [0, 0])?;
        let file = match state.host(host).find(name) {
            Some(_) if mode.must_be_new => return Err(IoError::Busy),
            Some(file) => file,
            None if mode.may_create => match state.admit(host, life, Call::Name, [name_hash, 1])? {
                Admitted::Whole => state.host(host).create(name),
                Admitted::Dying { .. } => return Err(IoError::Dead),
            },
            None => return Err(IoError::NotFound),
        };
        state.next_handle += 1;
        let number = state.next_handle;
        drop(state);
        let folder_sync_is_due = mode.syncs_folder;
        Ok(Handle { disk: disk.clone(), host, life, file, number, name_hash, folder_sync_is_due })
    }

    /// Reads what is there from `offset` on; the count may be short at the end of the file.
    pub(crate) fn read(&self, offset: usize, into: &mut [u8]) -> Result<usize, IoError> {
        let mut state = self.disk.lock();
        state.admit(self.host, self.life, Call::Read, [0, 0])?;
        Ok(state.host(self.host).file(self.file)?.read(offset, into))
    }

    /// Writes all bytes into the page cache.
    pub(crate) fn write(&self, offset: usize, bytes: &[u8]) -> Result<(), IoError> {
        let mut state = self.disk.lock();
        let how = state.admit(self.host, self.life, Call::Write, [self.name_hash, offset as u64])?;
        state.counters.writes += 1;
        state.trace.fold_bytes(bytes);
        state.host(self.host).write(self.file, offset, bytes, how)
    }

    /// Sets the length in the page cache.
    pub(crate) fn truncate(&self, length: usize) -> Result<(), IoError> {
        let mut state = self.disk.lock();
        let how = state.admit(self.host, self.life, Call::Truncate, [self.name_hash, length as u64])?;
        state.counters.writes += 1;
        match how {
            Admitted::Whole if state.host(self.host).file_mut(self.file)?.truncate(length) => Ok(()),
            Admitted::Whole => Err(IoError::Full),
            Admitted::Dying { .. } => Err(IoError::Dead),
        }
    }

    /// Brings the file onto the medium, and the folder too where the opening asked for it.
    pub(crate) fn sync(&mut self) -> Result<(), IoError> {
        let mut state = self.disk.lock();
        match state.admit(self.host, self.life, Call::Sync, [self.name_hash, 0])? {
            Admitted::Whole => {}
            Admitted::Dying { .. } => return Err(IoError::Dead),
        }
        state.counters.syncs += 1;
        let host = state.host(self.host);
        if host.is_lying {
            state.counters.lies += 1;
            return Ok(());
        }
        host.file_mut(self.file)?.sync();
        if std::mem::take(&mut self.folder_sync_is_due) {
            host.sync_folder();
        }
        Ok(())
    }

    /// The length in bytes.
    pub(crate) fn size(&self) -> Result<usize, IoError> {
        let mut state = self.disk.lock();
        state.admit(self.host, self.life, Call::Read, [0, 0])?;
        Ok(state.host(self.host).file(self.file)?.current().len())
    }

    /// Raises the lock, or fails with [`IoError::Busy`].
    pub(crate) fn lock(&self, to: LockLevel) -> Result<(), IoError> {
        let mut state = self.disk.lock();
        state.admit(self.host, self.life, Call::Lock, [0, 0])?;
        if state.host(self.host).locks_of(self.file).raise(self.number, to) {
            Ok(())
        } else {
            Err(IoError::Busy)
        }
    }

    /// Lowers the lock. Of a dead handle there is nothing to lower.
    pub(crate) fn unlock(&self, to: Option<LockLevel>) {
        let mut state = self.disk.lock();
        let host = state.host(self.host);
        if host.life == self.life {
            host.locks_of(self.file).lower(self.number, to);
        }
    }

    /// Does any connection mean to write?
    pub(crate) fn is_reserved(&self) -> Result<bool, IoError> {
        let mut state = self.disk.lock();
        state.admit(self.host, self.life, Call::Lock, [0, 0])?;
        Ok(state.host(self.host).locks_of(self.file).is_reserved())
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.unlock(None);
    }
}
