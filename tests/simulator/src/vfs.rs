//! The SQLite VFS `souk-crash`: hands SQLite's file calls to the crash disk.
//!
//! Only pointers are turned into slices and results into SQLite's codes here; what a call does stands in
//! [`crate::disk`]. There is no shared memory (io methods version 1), so WAL needs `PRAGMA locking_mode=EXCLUSIVE`
//! before `PRAGMA journal_mode=WAL`, and a file has one connection. Nothing is promised: device characteristics 0,
//! sectors of 512 bytes (spec/sync.md 10.1). Contract of every callback: sqlite.org/c3ref/vfs.html, io_methods.html.
//!
//! Always: no callback panics, and none keeps a pointer of SQLite's beyond its own return.
#![allow(unsafe_code)] // a VFS is a table of C callbacks; this module is the only place of the crate that needs it

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::sync::Once;

use rusqlite::ffi;

use crate::disk::{Handle, IoError, LockLevel, OpenMode, SECTOR_BYTES, locate};

/// The name to open connections with: `Connection::open_with_flags_and_vfs(path, flags, vfs::NAME)`.
pub const NAME: &CStr = c"souk-crash";

/// Longest path in bytes; SQLite adds `-journal` or `-wal` to what a caller gives.
const PATH_BYTES_MAX: c_int = 512;

/// What the time functions of SQL see, in milliseconds of the Julian day: 2026-11-22 12:00 UTC. Rows take their times from
/// the virtual clock; this only keeps a stray `datetime('now')` the same in every run.
const JULIAN_DAY_MS: i64 = 2_461_367 * 86_400_000;

/// Registers the VFS with SQLite, once a process. It does not become the default.
pub fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let vfs = Box::leak(Box::new(ffi::sqlite3_vfs {
            iVersion: 2,
            szOsFile: size_of::<OpenFile>() as c_int,
            mxPathname: PATH_BYTES_MAX,
            pNext: ptr::null_mut(),
            zName: NAME.as_ptr(),
            pAppData: ptr::null_mut(),
            xOpen: Some(open),
            xDelete: Some(delete),
            xAccess: Some(access),
            xFullPathname: Some(full_pathname),
            xDlOpen: None,
            xDlError: None,
            xDlSym: None,
            xDlClose: None,
            xRandomness: Some(randomness),
            xSleep: Some(sleep),
            xCurrentTime: Some(current_time),
            xGetLastError: Some(last_error),
            xCurrentTimeInt64: Some(current_time_ms),
            xSetSystemCall: None,
            xGetSystemCall: None,
            xNextSystemCall: None,
        }));
        // SAFETY: the table is leaked, so it outlives every connection; SQLite writes its `pNext` only.
        let code = unsafe { ffi::sqlite3_vfs_register(vfs, 0) };
        debug_assert_eq!(code, ffi::SQLITE_OK, "fails only when SQLite itself cannot start");
    });
}

/// Gives SQLite's own generator (salts of a WAL, nonces of journals) a fixed start, so that equal runs write equal bytes.
/// That generator is one for the whole process: two runs at the same time would still mix theirs.
pub fn seed_sqlite(seed: u64) {
    register(); // SQLite must be started before its generator is touched
    let start = (seed as c_int) | 1; // 0 would mean "take real randomness"
    let no_database: *mut ffi::sqlite3 = ptr::null_mut();
    // SAFETY: this verb takes an int and a `sqlite3*` that may be null, and nothing else.
    unsafe { ffi::sqlite3_test_control(ffi::SQLITE_TESTCTRL_PRNG_SEED, start, no_database) };
}

/// What SQLite allocates for an open file; `base` first, as its C side expects.
#[repr(C)]
struct OpenFile {
    base: ffi::sqlite3_file,
    /// Made by `open` from a box, given back by `close`.
    content: *mut Content,
}

/// A file on a crash disk, or a nameless temporary one, which nobody needs after a crash.
enum Content {
    OnDisk(Handle),
    Temporary(Vec<u8>),
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 1,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: None,
    xShmLock: None,
    xShmBarrier: None,
    xShmUnmap: None,
    xFetch: None,
    xUnfetch: None,
};

/// SQLite's code for a failed call; `io` is the extended code of the call at hand.
fn code_of(error: IoError, io: c_int) -> c_int {
    match error {
        IoError::Dead | IoError::Io | IoError::NotFound => io,
        IoError::Full => ffi::SQLITE_FULL,
        IoError::Busy => ffi::SQLITE_BUSY,
    }
}

fn code_of_result(result: Result<(), IoError>, io: c_int) -> c_int {
    result.map_or_else(|error| code_of(error, io), |()| ffi::SQLITE_OK)
}

/// The content behind SQLite's file.
///
/// # Safety
/// `file` comes from SQLite and was opened by [`open`] of this VFS; SQLite uses a file from one thread at a time.
unsafe fn content<'a>(file: *mut ffi::sqlite3_file) -> &'a mut Content {
    // SAFETY: by the contract above `file` points to an `OpenFile` whose box stays until `close`.
    unsafe { &mut *(*file.cast::<OpenFile>()).content }
}

/// The text of a path that SQLite hands over.
///
/// # Safety
/// `name` is null or a C string that stays during the call.
unsafe fn path_text<'a>(name: *const c_char) -> Option<&'a str> {
    if name.is_null() {
        return None;
    }
    // SAFETY: not null, and terminated by SQLite.
    unsafe { CStr::from_ptr(name) }.to_str().ok()
}

unsafe extern "C" fn open(
    _: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let journals = ffi::SQLITE_OPEN_MAIN_JOURNAL | ffi::SQLITE_OPEN_SUPER_JOURNAL | ffi::SQLITE_OPEN_WAL;
    let mode = OpenMode {
        may_create: flags & ffi::SQLITE_OPEN_CREATE != 0,
        must_be_new: flags & ffi::SQLITE_OPEN_EXCLUSIVE != 0,
        syncs_folder: flags & journals != 0,
    };
    // SAFETY: `name` is null or a C string (contract of xOpen).
    let content = match unsafe { path_text(name) } {
        None => Some(Content::Temporary(Vec::new())),
        Some(path) => locate(path)
            .and_then(|(disk, host, name)| Handle::open(&disk, host, name, mode).ok())
            .map(Content::OnDisk),
    };
    let is_open = content.is_some();
    let opened = OpenFile {
        // A null table tells SQLite that there is nothing to close.
        base: ffi::sqlite3_file { pMethods: if is_open { &raw const METHODS } else { ptr::null() } },
        content: content.map_or(ptr::null_mut(), |content| Box::into_raw(Box::new(content))),
    };
    // SAFETY: SQLite allocated `szOsFile` bytes, the size of `OpenFile`, aligned for pointers, at `file`.
    unsafe { ptr::write(file.cast::<OpenFile>(), opened) };
    if !out_flags.is_null() {
        // SAFETY: not null, so it points to SQLite's variable.
        unsafe { *out_flags = flags };
    }
    if is_open { ffi::SQLITE_OK } else { ffi::SQLITE_CANTOPEN }
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: SQLite closes a file once, and only one that `open` opened; `content` came from `Box::into_raw`.
    unsafe {
        let file = &mut *file.cast::<OpenFile>();
        if !file.content.is_null() {
            drop(Box::from_raw(file.content));
            file.content = ptr::null_mut();
        }
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    into: *mut c_void,
    count: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    let (Ok(count), Ok(offset)) = (usize::try_from(count), usize::try_from(offset)) else {
        return ffi::SQLITE_IOERR_READ;
    };
    // SAFETY: the buffer has `count` bytes (contract of xRead).
    let into = unsafe { std::slice::from_raw_parts_mut(into.cast::<u8>(), count) };
    // SAFETY: an open file of this VFS.
    let have = match unsafe { content(file) } {
        Content::OnDisk(handle) => handle.read(offset, into),
        Content::Temporary(bytes) => {
            let there = bytes.get(offset..).unwrap_or_default();
            let have = there.len().min(count);
            into[..have].copy_from_slice(&there[..have]);
            Ok(have)
        }
    };
    match have {
        Ok(have) if have == count => ffi::SQLITE_OK,
        Ok(have) => {
            into[have..].fill(0); // SQLite counts on zeros behind the end
            ffi::SQLITE_IOERR_SHORT_READ
        }
        Err(error) => code_of(error, ffi::SQLITE_IOERR_READ),
    }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    bytes: *const c_void,
    count: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    let (Ok(count), Ok(offset)) = (usize::try_from(count), usize::try_from(offset)) else {
        return ffi::SQLITE_IOERR_WRITE;
    };
    // SAFETY: the buffer has `count` bytes (contract of xWrite).
    let bytes = unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), count) };
    // SAFETY: an open file of this VFS.
    match unsafe { content(file) } {
        Content::OnDisk(handle) => code_of_result(handle.write(offset, bytes), ffi::SQLITE_IOERR_WRITE),
        Content::Temporary(content) => {
            let end = offset + count;
            if content.len() < end {
                content.resize(end, 0);
            }
            content[offset..end].copy_from_slice(bytes);
            ffi::SQLITE_OK
        }
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, length: ffi::sqlite3_int64) -> c_int {
    let Ok(length) = usize::try_from(length) else { return ffi::SQLITE_IOERR_TRUNCATE };
    // SAFETY: an open file of this VFS.
    match unsafe { content(file) } {
        Content::OnDisk(handle) => code_of_result(handle.truncate(length), ffi::SQLITE_IOERR_TRUNCATE),
        Content::Temporary(bytes) => {
            bytes.truncate(length);
            ffi::SQLITE_OK
        }
    }
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, _flags: c_int) -> c_int {
    // SAFETY: an open file of this VFS.
    match unsafe { content(file) } {
        Content::OnDisk(handle) => code_of_result(handle.sync(), ffi::SQLITE_IOERR_FSYNC),
        Content::Temporary(_) => ffi::SQLITE_OK,
    }
}

unsafe extern "C" fn file_size(file: *mut ffi::sqlite3_file, size: *mut ffi::sqlite3_int64) -> c_int {
    // SAFETY: an open file of this VFS.
    let length = match unsafe { content(file) } {
        Content::OnDisk(handle) => handle.size(),
        Content::Temporary(bytes) => Ok(bytes.len()),
    };
    match length {
        Ok(length) => {
            // SAFETY: SQLite passes the address of its own variable.
            unsafe { *size = length as ffi::sqlite3_int64 };
            ffi::SQLITE_OK
        }
        Err(error) => code_of(error, ffi::SQLITE_IOERR_FSTAT),
    }
}

/// SQLite's number of a lock level; `None` stands for unlocked.
fn lock_level(number: c_int) -> Option<LockLevel> {
    match number {
        ffi::SQLITE_LOCK_SHARED => Some(LockLevel::Shared),
        ffi::SQLITE_LOCK_RESERVED => Some(LockLevel::Reserved),
        ffi::SQLITE_LOCK_PENDING => Some(LockLevel::Pending),
        ffi::SQLITE_LOCK_EXCLUSIVE => Some(LockLevel::Exclusive),
        _ => None,
    }
}

unsafe extern "C" fn lock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: an open file of this VFS.
    match (unsafe { content(file) }, lock_level(level)) {
        (Content::OnDisk(handle), Some(level)) => code_of_result(handle.lock(level), ffi::SQLITE_IOERR_LOCK),
        (Content::OnDisk(_), None) | (Content::Temporary(_), _) => ffi::SQLITE_OK,
    }
}

unsafe extern "C" fn unlock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: an open file of this VFS.
    if let Content::OnDisk(handle) = unsafe { content(file) } {
        handle.unlock(lock_level(level));
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn check_reserved_lock(file: *mut ffi::sqlite3_file, is_reserved: *mut c_int) -> c_int {
    // SAFETY: an open file of this VFS.
    let answer = match unsafe { content(file) } {
        Content::OnDisk(handle) => handle.is_reserved(),
        Content::Temporary(_) => Ok(false),
    };
    match answer {
        Ok(answer) => {
            // SAFETY: SQLite passes the address of its own variable.
            unsafe { *is_reserved = c_int::from(answer) };
            ffi::SQLITE_OK
        }
        Err(error) => code_of(error, ffi::SQLITE_IOERR_CHECKRESERVEDLOCK),
    }
}

/// Answers one question: how much of a file is mapped into memory. Nothing ever is.
unsafe extern "C" fn file_control(
    _: *mut ffi::sqlite3_file,
    operation: c_int,
    argument: *mut c_void,
) -> c_int {
    if operation != ffi::SQLITE_FCNTL_MMAP_SIZE {
        return ffi::SQLITE_NOTFOUND;
    }
    // SAFETY: the argument of this operation is the address of an `sqlite3_int64` (c3ref/c_fcntl_begin_atomic_write.html).
    unsafe { *argument.cast::<ffi::sqlite3_int64>() = 0 };
    ffi::SQLITE_OK
}

unsafe extern "C" fn sector_size(_: *mut ffi::sqlite3_file) -> c_int {
    SECTOR_BYTES as c_int
}

unsafe extern "C" fn device_characteristics(_: *mut ffi::sqlite3_file) -> c_int {
    0 // no atomic writes, no safe append, no power-safe overwrite
}

unsafe extern "C" fn delete(_: *mut ffi::sqlite3_vfs, name: *const c_char, sync_folder: c_int) -> c_int {
    // SAFETY: `name` is a C string (contract of xDelete).
    let Some((disk, host, name)) = (unsafe { path_text(name) }).and_then(locate) else {
        return ffi::SQLITE_IOERR_DELETE;
    };
    let result = match disk.remove(host, name) {
        Ok(()) if sync_folder != 0 => disk.sync_folder(host),
        result => result,
    };
    match result {
        Err(IoError::NotFound) => ffi::SQLITE_IOERR_DELETE_NOENT,
        result => code_of_result(result, ffi::SQLITE_IOERR_DELETE),
    }
}

/// Is a file there? As on Unix, an empty one does not count.
unsafe extern "C" fn access(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    _flags: c_int,
    is_there: *mut c_int,
) -> c_int {
    let mode = OpenMode { may_create: false, must_be_new: false, syncs_folder: false };
    // SAFETY: `name` is a C string (contract of xAccess).
    let size = (unsafe { path_text(name) })
        .and_then(locate)
        .ok_or(IoError::NotFound)
        .and_then(|(disk, host, name)| Handle::open(&disk, host, name, mode)?.size());
    let answer = match size {
        Ok(size) => size > 0,
        Err(IoError::NotFound) => false,
        Err(_) => return ffi::SQLITE_IOERR_ACCESS,
    };
    // SAFETY: SQLite passes the address of its own variable.
    unsafe { *is_there = c_int::from(answer) };
    ffi::SQLITE_OK
}

/// Paths of a crash disk are full ones.
unsafe extern "C" fn full_pathname(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    room: c_int,
    out: *mut c_char,
) -> c_int {
    // SAFETY: `name` is a C string (contract of xFullPathname).
    let bytes = unsafe { CStr::from_ptr(name) }.to_bytes_with_nul();
    if usize::try_from(room).is_ok_and(|room| bytes.len() <= room) {
        // SAFETY: `out` has `room` bytes, at least as many as are copied, and does not overlap the input.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr().cast::<c_char>(), out, bytes.len()) };
        ffi::SQLITE_OK
    } else {
        ffi::SQLITE_CANTOPEN
    }
}

unsafe extern "C" fn randomness(_: *mut ffi::sqlite3_vfs, count: c_int, out: *mut c_char) -> c_int {
    let length = usize::try_from(count).unwrap_or(0);
    // SAFETY: `out` has `count` bytes (contract of xRandomness).
    unsafe { ptr::write_bytes(out, 7, length) };
    count
}

/// Virtual: the wait is over at once, the caller's budget still goes down.
unsafe extern "C" fn sleep(_: *mut ffi::sqlite3_vfs, microseconds: c_int) -> c_int {
    microseconds
}

unsafe extern "C" fn current_time(_: *mut ffi::sqlite3_vfs, days: *mut f64) -> c_int {
    // SAFETY: SQLite passes the address of its own variable.
    unsafe { *days = JULIAN_DAY_MS as f64 / 86_400_000.0 };
    ffi::SQLITE_OK
}

unsafe extern "C" fn current_time_ms(_: *mut ffi::sqlite3_vfs, ms: *mut ffi::sqlite3_int64) -> c_int {
    // SAFETY: SQLite passes the address of its own variable.
    unsafe { *ms = JULIAN_DAY_MS };
    ffi::SQLITE_OK
}

unsafe extern "C" fn last_error(_: *mut ffi::sqlite3_vfs, _: c_int, _: *mut c_char) -> c_int {
    0
}
