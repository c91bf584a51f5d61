//! Switches that break one rule each, so that the simulator can show that it would notice (spec/sync.md 10.5).
//!
//! Not for shells: nothing but tests turns one on. `synchronous=NORMAL` and the missing start-up checkpoint are
//! switches of [`FilesConfig`](crate::store::FilesConfig).

/// One changed line each.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Mutants {
    /// The row leaves the outbox when it is sent, not when it is decided.
    pub outbox_row_removed_on_send: bool,
    /// Each retry goes out under a new id.
    pub new_id_on_retry: bool,
    /// The cursor is saved before the rows it stands for.
    pub cursor_before_rows: bool,
}
