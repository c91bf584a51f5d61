//! Guards that a simulator takes out one at a time, to show that its invariants notice (spec/sync.md 10.5).
//!
//! Always: all are in place unless a test says otherwise; a server never sets one.

/// Which guards are out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Mutants {
    /// 1: an id that is known is decided again.
    pub no_dedupe: bool,
    /// 5: what a former process has left in the log is read before the log is emptied. The store has the same guard,
    /// so a simulator takes both out.
    pub no_start_checkpoint: bool,
    /// 11: the stream's last position is written by a second commit, behind the effects.
    pub stream_in_second_commit: bool,
    /// 12: a position beyond the next one is decided as if nothing were missing.
    pub gap_is_applied: bool,
    /// 13: the counter of a part is written by a second commit, behind its rows.
    pub part_in_second_commit: bool,
    /// 14: a known id does not use up its position.
    pub known_keeps_position: bool,
    /// 18: the most that an intent may charge is not looked at.
    pub max_total_is_ignored: bool,
    /// 19: an intent is decided however late it comes.
    pub not_after_is_ignored: bool,
    /// 24: a row that leaves a scope sends no removal.
    pub leaving_is_silent: bool,
}

impl Mutants {
    /// All guards in place.
    pub const NONE: Mutants = Mutants {
        no_dedupe: false,
        no_start_checkpoint: false,
        stream_in_second_commit: false,
        gap_is_applied: false,
        part_in_second_commit: false,
        known_keeps_position: false,
        max_total_is_ignored: false,
        not_after_is_ignored: false,
        leaving_is_silent: false,
    };
}
