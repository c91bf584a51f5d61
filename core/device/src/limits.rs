//! Budgets of a device, each once, with unit and reason. Limits of the wire stand in `souk_protocol::limits`.
//! Rules: spec/sync.md 2.6, 3.2, 3.4, 3.5, 3.6.

use souk_domain::time::Span;

/// Undecided rows of the outbox: weeks of one person's taps.
pub const OUTBOX_ROWS_MAX: usize = 10_000;
/// Bytes of undecided texts and what lies beside them.
pub const OUTBOX_BYTES_MAX: usize = 64 << 20;
/// Undecided rows of lane `chat`.
pub const CHAT_ROWS_MAX: usize = 4_000;
/// Undecided rows of lane `bulk`.
pub const BULK_ROWS_MAX: usize = 5_000;
/// Lanes `chat` and `bulk` end at this share of rows and bytes, percent, so that money always has room.
pub const SMALL_LANES_PERCENT: usize = 80;
/// A lane takes at most this many quarters of a batch while another has rows.
pub const LANE_QUARTERS_MAX: usize = 3;

/// A row that waits for the outcome of another is looked at again after this, milliseconds: outcomes take a round trip.
pub const HELD_WAIT_MS: u64 = 500;

/// Rows of `cache.db` in one transaction: a reader never waits longer than for these.
pub const CACHE_TX_ROWS_MAX: usize = 500;

/// Decided rows stay so long: for the message about them, and to be sent again after a restore of the server.
pub const DECIDED_KEPT: Span = Span::from_days(30);

/// First delay of a retry, milliseconds.
pub const RETRY_FIRST_MS: u64 = 500;
/// Longest delay of a retry, milliseconds.
pub const RETRY_MAX_MS: u64 = 300_000;
/// Retries that may be done in a row, in tenths: each first try adds one, each retry costs ten.
pub const RETRY_BUDGET_TENTHS_MAX: u32 = 100;
/// What one retry costs, in tenths.
pub const RETRY_COST_TENTHS: u32 = 10;

/// A tap wakes a waiting push at most so often, milliseconds.
pub const TAP_EVERY_MS: u64 = 5_000;
/// Spread of what all devices do at once (connectivity comes back, an end of a stream), milliseconds.
pub const SPREAD_MS: u64 = 2_000;
/// Pause after a request that the server cannot read, milliseconds: the same bytes are not sent in a loop.
pub const BROKEN_WAIT_MS: u64 = 3_600_000;
/// Pause after a local transaction that failed, milliseconds: up.
pub const UP_TX_WAIT_MS: u64 = 30_000;
/// Pause after a local transaction that failed, milliseconds: down.
pub const DOWN_TX_WAIT_MS: u64 = 60_000;
/// Pause of a scope whose checksum differed twice in a day, milliseconds.
pub const MISMATCH_WAIT_MS: u64 = 6 * 3_600_000;
/// Two differences within this span are an alarm.
pub const MISMATCH_SPAN: Span = Span::from_hours(24);
/// Account scopes are asked for so often in the foreground, milliseconds.
pub const POLL_ACCOUNT_MS: u64 = 30_000;
/// The same while the stream of hints does not hold, milliseconds.
pub const POLL_ACCOUNT_NO_LIVE_MS: u64 = 15_000;
/// Other scopes are asked for so often in the foreground, milliseconds.
pub const POLL_OTHER_MS: u64 = 600_000;
/// A scope younger than this is not asked for again when the network comes back, milliseconds.
pub const FRESH_ENOUGH_MS: u64 = 60_000;
/// A stream of hints that says nothing for so long is dead, milliseconds.
pub const LIVE_SILENCE_MS: u64 = 45_000;
/// Pause after the third stream that broke within a minute, milliseconds.
pub const LIVE_BROKEN_WAIT_MS: u64 = 600_000;
/// Within this span streams that break are counted together, milliseconds.
pub const LIVE_BROKEN_SPAN_MS: u64 = 60_000;
/// Streams that may break within the span.
pub const LIVE_BROKEN_MAX: usize = 3;
/// An old program asks once a day whether it is served again, milliseconds.
pub const OLD_ASK_MS: u64 = 24 * 3_600_000;
/// Failed checks of scanned messages after which a device waits (spec/logistics.md 4.5).
pub const PROOF_FAILURES_MAX: usize = 20;
/// Span in which they are counted, milliseconds.
pub const PROOF_FAILURES_SPAN_MS: u64 = 600_000;
/// How long it waits then, milliseconds.
pub const PROOF_PAUSE_MS: u64 = 60_000;
/// A token is renewed so long before it ends, milliseconds.
pub const TOKEN_EARLY_MS: u64 = 60_000;
