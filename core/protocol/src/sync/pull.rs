//! `POST /v1/sync/pull`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use souk_domain::bookkeeping::Lane;
use souk_domain::id::Bucket;
use souk_domain::outcome::Refusal;
use souk_domain::time::Time;

use super::{Block, Touch};
use crate::limits::{
    CURSOR_CHARS_MAX, PULL_BYTES_DEFAULT, PULL_BYTES_MAX, PULL_SCOPES_MAX, SCOPE_CHARS_MAX, TOUCH_MAX,
};

/// What a device wants to know.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PullRequest {
    /// Protocol version.
    pub v: u32,
    /// Version of the row set that the device reads.
    pub schema: u32,
    /// Program and version.
    pub app: String,
    /// The device's epoch.
    pub epoch: u32,
    /// The generation of the server's data that the device knows; 0 = none yet.
    #[serde(rename = "gen")]
    pub generation: u32,
    /// Scopes with their cursors; at most [`PULL_SCOPES_MAX`].
    pub scopes: Vec<ScopeAsked>,
    /// Parts that former pushes have changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub touch: Vec<Touch>,
    /// Bytes of the answer before compression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<usize>,
}

/// A scope to bring up to date.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ScopeAsked {
    /// Its name, e.g. `cat/all`; read one by one, so that an unknown one is answered alone.
    pub id: String,
    /// The cursor; absent = from the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub c: Option<String>,
}

impl PullRequest {
    /// Checks numbers and lengths. Refuses `request.too_large{field, limit, size}`.
    pub fn check(&self) -> Result<(), Refusal> {
        let fits = |field: &'static str, limit: usize, size: usize| {
            if size <= limit {
                return Ok(());
            }
            Err(Refusal::new("request.too_large")
                .with("field", field)
                .with("limit", limit as i64)
                .with("size", size as i64))
        };
        fits("scopes", PULL_SCOPES_MAX, self.scopes.len())?;
        fits("touch", TOUCH_MAX, self.touch.len())?;
        for scope in &self.scopes {
            fits("id", SCOPE_CHARS_MAX, scope.id.len())?;
            fits("c", CURSOR_CHARS_MAX, scope.c.as_ref().map_or(0, String::len))?;
        }
        Ok(())
    }

    /// Bytes that the answer may have.
    pub fn bytes_max(&self) -> usize {
        self.max_bytes.unwrap_or(PULL_BYTES_DEFAULT).min(PULL_BYTES_MAX)
    }
}

/// The answer: one page a scope.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PullResponse {
    /// The generation of the server's data.
    #[serde(rename = "gen")]
    pub generation: u32,
    /// The server's time.
    pub now: Time,
    /// One page a scope asked for.
    pub scopes: Vec<ScopePulled>,
}

/// What has happened in one scope.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ScopePulled {
    /// Its name.
    pub id: String,
    /// What.
    #[serde(flatten)]
    pub what: ScopeKind,
}

/// What has happened in a scope.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum ScopeKind {
    /// A page of rows.
    Rows(RowsPage),
    /// The cursor is of no use any more: pull from the beginning, and sweep what is not seen again.
    Reset {
        /// Why.
        why: ResetWhy,
    },
    /// The answering replica is behind.
    Later {
        /// Earliest next try, milliseconds from now.
        after_ms: u64,
    },
    /// Not a member any more: remove rows and cursor.
    Gone,
}

/// A page of rows, read in one transaction.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RowsPage {
    /// The cursor behind this page.
    pub c: String,
    /// Whether there is another page.
    pub more: bool,
    /// The rows.
    pub blocks: Vec<Block>,
    /// How far this device's own streams are decided, read in the same transaction.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub applied: Vec<Applied>,
    /// Checksum of the scope (spec/sync.md 4.7); on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sum: Option<Sum>,
    /// Live rows of the scope; on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<u64>,
}

/// Why a cursor is of no use any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResetWhy {
    /// Changes since then are not kept any more.
    Floor,
    /// The row set has changed.
    Schema,
    /// The server's data was restored.
    Gen,
    /// The key that sealed it is gone.
    Key,
}

/// Last position decided of one stream: `[epoch, bucket, lane number, last]`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(try_from = "(u32, Bucket, u8, u64)", into = "(u32, Bucket, u8, u64)")]
pub struct Applied {
    /// Epoch of the device.
    pub epoch: u32,
    /// Bucket.
    pub bucket: Bucket,
    /// Lane.
    pub lane: Lane,
    /// Last position.
    pub last: u64,
}

impl TryFrom<(u32, Bucket, u8, u64)> for Applied {
    type Error = &'static str;
    fn try_from((epoch, bucket, lane, last): (u32, Bucket, u8, u64)) -> Result<Applied, &'static str> {
        Ok(Applied { epoch, bucket, lane: Lane::from_number(lane).ok_or("not a lane")?, last })
    }
}

impl From<Applied> for (u32, Bucket, u8, u64) {
    fn from(applied: Applied) -> (u32, Bucket, u8, u64) {
        (applied.epoch, applied.bucket, applied.lane.number(), applied.last)
    }
}

/// A checksum: 16 hex digits, because it does not fit 53 bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sum(pub u64);

impl Serialize for Sum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:016x}", self.0))
    }
}

impl<'de> Deserialize<'de> for Sum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Sum, D::Error> {
        let bytes: [u8; 8] = souk_domain::bytes::deserialize(deserializer)?;
        Ok(Sum(u64::from_be_bytes(bytes)))
    }
}
