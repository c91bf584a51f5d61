//! `GET /v1/catalogue/snapshot?after=&limit=`: the public catalogue, page by page, without an account.
//!
//! The rows are those of scope `cat/all`; whoever has read the last page goes on with its cursor by pull.

use serde::{Deserialize, Serialize};
use souk_domain::time::Time;

use crate::sync::RowsPage;

/// A page of the snapshot. The query is [`crate::orders::PageQuery`], where `after` = `c` of the page before and
/// `limit` is at most [`crate::limits::SNAPSHOT_ROWS_MAX`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SnapshotResponse {
    /// The generation of the server's data.
    #[serde(rename = "gen")]
    pub generation: u32,
    /// The server's time.
    pub now: Time,
    /// Name of the scope: `cat/all`.
    pub scope: String,
    /// Rows, cursor, and on the last page checksum and count.
    #[serde(flatten)]
    pub page: RowsPage,
}

/// Rows of a page that were asked for: at most [`crate::limits::SNAPSHOT_ROWS_MAX`], all of them by default.
pub fn snapshot_rows(limit: Option<usize>) -> usize {
    limit.unwrap_or(crate::limits::SNAPSHOT_ROWS_MAX).clamp(1, crate::limits::SNAPSHOT_ROWS_MAX)
}
