//! The disks of all hosts of one run: files in memory that forget what was not synced.
//!
//! A [`Disk`] is one run's medium; SQLite reaches it through the VFS `souk-crash` ([`crate::vfs`]) by the paths that
//! [`Disk::path`] gives, the simulator breaks it through the methods here. Rules: spec/sync.md 10.1, table *crash disk*.
//! Not for: deciding when something breaks ([`crate::faults`]).
//!
//! Always: with the same calls and the same generator the same bytes survive; every mutating call is in [`Disk::trace`].

mod file;
mod handle;
mod host;
mod lock;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use serde::Serialize;

pub use file::{FILE_BYTES_MAX, SECTOR_BYTES};
pub(crate) use handle::{Handle, OpenMode};
pub(crate) use lock::LockLevel;

use crate::rng::Rng;
use crate::trace::{TraceHash, hash_of};
use host::{Admitted, Call, HostDisk};

/// Every path on a crash disk begins so; the number of the disk, the host and the file name follow.
const PATH_PREFIX: &str = "/souk-crash";

/// One machine of a run: a phone, a desktop, the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct HostId(pub u32);

impl fmt::Display for HostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "h{}", self.0)
    }
}

/// A fault that a host lives through: one call fails, the next may work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A read, write, truncation, sync or change of a name fails. What was written before stays pending.
    Io,
    /// A write or truncation finds no room.
    Full,
    /// A lock is held by somebody else.
    Busy,
}

/// Why a call on the disk failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IoError {
    /// The host died, or the handle is from before its last restart.
    #[error("the host is down")]
    Dead,
    /// [`Fault::Io`] was armed.
    #[error("input/output error")]
    Io,
    /// [`Fault::Full`] was armed, or the file would exceed [`FILE_BYTES_MAX`].
    #[error("no space left")]
    Full,
    /// [`Fault::Busy`] was armed, or another connection holds the file.
    #[error("the file is locked")]
    Busy,
    /// No such file.
    #[error("no such file")]
    NotFound,
}

impl From<Fault> for IoError {
    fn from(fault: Fault) -> IoError {
        match fault {
            Fault::Io => IoError::Io,
            Fault::Full => IoError::Full,
            Fault::Busy => IoError::Busy,
        }
    }
}

/// All files of a host at one moment: a backup, or the template that a run starts from.
pub type Image = BTreeMap<String, Vec<u8>>;

/// What happened on the disks of a run, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DiskCounters {
    /// Writes and truncations.
    pub writes: u64,
    /// Syncs of files and folders.
    pub syncs: u64,
    /// Syncs that answered ok and did nothing.
    pub lies: u64,
    /// Processes killed, page cache kept.
    pub kills: u64,
    /// Power losses.
    pub power_losses: u64,
    /// Hosts that died at a counted call.
    pub fuses_blown: u64,
    /// Unsynced changes that a power loss took away.
    pub lost_writes: u64,
    /// Unsynced writes of which only the first sectors survived.
    pub torn: u64,
    /// Names of files that a power loss took away.
    pub vanished: u64,
    /// Calls that failed by [`Fault::Io`], [`Fault::Full`] or [`Fault::Busy`].
    pub failed_calls: u64,
    /// Bits flipped.
    pub bits_flipped: u64,
    /// Hosts set back to an image.
    pub restores: u64,
}

#[derive(Clone, Debug, Default)]
struct State {
    hosts: BTreeMap<HostId, HostDisk>,
    counters: DiskCounters,
    trace: TraceHash,
    next_handle: u64,
}

impl State {
    fn host(&mut self, host: HostId) -> &mut HostDisk {
        self.hosts.entry(host).or_default()
    }

    /// Asks the host for admission, counts what comes of it and writes mutating calls into the trace.
    fn admit(&mut self, host: HostId, life: u64, call: Call, facts: [u64; 2]) -> Result<Admitted, IoError> {
        let admitted = self.host(host).admit(life, call);
        match admitted {
            Ok(Admitted::Dying { .. }) => self.counters.fuses_blown += 1,
            Err(IoError::Io | IoError::Full | IoError::Busy) => self.counters.failed_calls += 1,
            Ok(Admitted::Whole) | Err(IoError::Dead | IoError::NotFound) => {}
        }
        if admitted.is_ok() {
            let number = match call {
                Call::Read | Call::Lock => return admitted,
                Call::Write => 1,
                Call::Truncate => 2,
                Call::Sync => 3,
                Call::Name => 4,
            };
            self.trace.fold(u64::from(host.0) << 8 | number);
            self.trace.fold(facts[0]);
            self.trace.fold(facts[1]);
        }
        admitted
    }
}

/// The media of one run. Clones share them; the last clone takes the files along.
#[derive(Clone, Debug)]
pub struct Disk {
    number: u64,
    state: Arc<Mutex<State>>,
}

/// Where the VFS finds the disk of a path. Runs of several threads stand side by side.
static DISKS: Mutex<BTreeMap<u64, Weak<Mutex<State>>>> = Mutex::new(BTreeMap::new());
static NEXT_DISK: AtomicU64 = AtomicU64::new(1);

impl Default for Disk {
    fn default() -> Disk {
        Disk::new()
    }
}

impl Disk {
    /// An empty medium for every host, reachable through the VFS as long as it lives.
    pub fn new() -> Disk {
        Disk::register(State::default())
    }

    /// A second medium with the same content, unsynced work included: to try several endings of one moment.
    pub fn fork(&self) -> Disk {
        let state = self.lock().clone();
        Disk::register(state)
    }

    fn register(state: State) -> Disk {
        let number = NEXT_DISK.fetch_add(1, Ordering::Relaxed);
        let disk = Disk { number, state: Arc::new(Mutex::new(state)) };
        let mut disks = DISKS.lock().unwrap_or_else(PoisonError::into_inner);
        disks.retain(|_, state| state.strong_count() > 0);
        disks.insert(disk.number, Arc::downgrade(&disk.state));
        disk
    }

    /// The folder of a host: files in it are opened with the VFS `souk-crash`.
    pub fn dir(&self, host: HostId) -> PathBuf {
        PathBuf::from(format!("{PATH_PREFIX}/{}/{}", self.number, host.0))
    }

    /// The path under which SQLite opens a file of a host with the VFS `souk-crash`.
    pub fn path(&self, host: HostId, file: &str) -> PathBuf {
        self.dir(host).join(file)
    }

    /// The process of the host ends; the page cache stays. Handles from before are dead from now on.
    pub fn kill(&self, host: HostId) {
        let mut state = self.lock();
        state.host(host).kill();
        state.counters.kills += 1;
    }

    /// The host loses power: of what was not synced, some stays, some is torn, some is lost.
    pub fn power_loss(&self, host: HostId, rng: &mut Rng) {
        let mut state = self.lock();
        let (losses, vanished) = state.host(host).power_loss(rng);
        state.counters.power_losses += 1;
        state.counters.lost_writes += losses.lost;
        state.counters.torn += losses.torn;
        state.counters.vanished += vanished;
    }

    /// Lets the host die at its mutating call after the next `calls` ones; a dying write still brings its first
    /// `sectors` sectors into the page cache. Replaces an earlier fuse.
    pub fn set_fuse(&self, host: HostId, calls: u32, sectors: usize) {
        self.lock().host(host).set_fuse(calls, sectors);
    }

    /// Makes all further calls of the host fail until [`Disk::kill`], [`Disk::power_loss`] or [`Disk::restore`].
    pub fn cut(&self, host: HostId) {
        self.lock().host(host).is_dead = true;
    }

    /// Did a fuse burn down, or was the host cut off?
    pub fn is_dead(&self, host: HostId) -> bool {
        self.lock().hosts.get(&host).is_some_and(|host| host.is_dead)
    }

    /// Makes one call fail: the one after the next `calls` calls that the fault applies to.
    pub fn arm(&self, host: HostId, fault: Fault, calls: u32) {
        self.lock().host(host).arm(fault, calls);
    }

    /// From now on syncs of this host answer ok and leave the data in the page cache.
    pub fn lie(&self, host: HostId) {
        self.lock().host(host).is_lying = true;
    }

    /// Takes back fuse, armed fault and lying of a host.
    pub fn disarm(&self, host: HostId) {
        self.lock().host(host).disarm();
    }

    /// Flips one bit of a file on the medium. False when the host has no such file or nothing of it is durable.
    pub fn rot(&self, host: HostId, file: &str, rng: &mut Rng) -> bool {
        let mut state = self.lock();
        let host = state.host(host);
        let Some(id) = host.find(file) else { return false };
        let Ok(data) = host.file_mut(id) else { return false };
        let offset = usize::try_from(rng.below(data.durable_length() as u64)).unwrap_or(0);
        let bit = u32::try_from(rng.below(8)).unwrap_or(0);
        let is_flipped = data.rot(offset, bit);
        state.counters.bits_flipped += u64::from(is_flipped);
        is_flipped
    }

    /// A copy of all files as the page cache shows them. Take it between two transactions.
    pub fn image(&self, host: HostId) -> Image {
        self.lock().host(host).image()
    }

    /// Puts a host's files back to an image, or gives them to another host: rollback, clone, template.
    /// Handles from before are dead.
    pub fn restore(&self, host: HostId, image: &Image) {
        let mut state = self.lock();
        state.host(host).restore(image);
        state.counters.restores += 1;
    }

    /// The names of a host's files, sorted.
    pub fn files(&self, host: HostId) -> Vec<String> {
        self.lock().host(host).names().map(str::to_owned).collect()
    }

    /// The first bytes of a file as the page cache shows them; fewer if it is shorter or not there.
    pub fn head(&self, host: HostId, file: &str, bytes: usize) -> Vec<u8> {
        let mut state = self.lock();
        let host = state.host(host);
        let Some(data) = host.find(file).and_then(|id| host.file(id).ok()) else { return Vec::new() };
        let mut head = vec![0; bytes];
        let count = data.read(0, &mut head);
        head.truncate(count);
        head
    }

    /// Has every change of this file reached the medium? True for a file that is not there.
    pub fn is_synced(&self, host: HostId, file: &str) -> bool {
        let mut state = self.lock();
        let host = state.host(host);
        host.find(file).is_none_or(|id| host.file(id).is_ok_and(|data| !data.is_unsynced()))
    }

    /// Removes a file as the host's program would. Pending until the folder is synced.
    pub fn remove(&self, host: HostId, file: &str) -> Result<(), IoError> {
        self.change_name(host, file, |disk| disk.remove(file))
    }

    /// Renames a file as the host's program would, over an existing one too. Pending until the folder is synced.
    pub fn rename(&self, host: HostId, from: &str, to: &str) -> Result<(), IoError> {
        self.change_name(host, from, |disk| disk.rename(from, to))
    }

    /// Brings all changes of names onto the medium.
    pub fn sync_folder(&self, host: HostId) -> Result<(), IoError> {
        self.change_name(host, "", |disk| {
            disk.sync_folder();
            Ok(())
        })?;
        self.lock().counters.syncs += 1;
        Ok(())
    }

    /// What happened so far.
    pub fn counters(&self) -> DiskCounters {
        self.lock().counters
    }

    /// The hash over all mutating calls so far, with their bytes.
    pub fn trace(&self) -> u64 {
        self.lock().trace.value()
    }

    fn change_name(
        &self,
        host: HostId,
        file: &str,
        change: impl FnOnce(&mut HostDisk) -> Result<(), IoError>,
    ) -> Result<(), IoError> {
        let mut state = self.lock();
        let life = state.host(host).life;
        match state.admit(host, life, Call::Name, [hash_of(file), 0])? {
            Admitted::Whole => change(state.host(host)),
            Admitted::Dying { .. } => Err(IoError::Dead),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A poisoned lock means that a test failed elsewhere; the state is plain data and still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The disk, host and file name of a path that [`Disk::path`] made; `None` for any other path or when the disk is gone.
pub(crate) fn locate(path: &str) -> Option<(Disk, HostId, &str)> {
    let mut parts = path.strip_prefix(PATH_PREFIX)?.strip_prefix('/')?.splitn(3, '/');
    let number: u64 = parts.next()?.parse().ok()?;
    let host = HostId(parts.next()?.parse().ok()?);
    let file = parts.next().filter(|name| !name.is_empty())?;
    let state = DISKS.lock().unwrap_or_else(PoisonError::into_inner).get(&number)?.upgrade()?;
    Some((Disk { number, state }, host, file))
}

#[cfg(test)]
mod tests;
