//! What travels between the toy's devices and its server, as JSON.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// One order, minted on a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Intent {
    pub(super) id: u64,
    pub(super) dev_seq: i64,
    pub(super) product: i64,
    pub(super) quantity: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PushItem {
    pub(super) pos: i64,
    pub(super) intent: Intent,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Decided {
    pub(super) id: u64,
    pub(super) accepted: bool,
}

/// The answer to a push. `fork`: an item did not follow on the last one the server knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PushAnswer {
    pub(super) decided: Vec<Decided>,
    pub(super) fork: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pull {
    pub(super) after: i64,
}

/// A row of the feed: a product with its free stock, or an own order with its outcome.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Row {
    Product { id: i64, free: i64 },
    Order { id: u64, accepted: bool },
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PullAnswer {
    pub(super) rows: Vec<Row>,
    pub(super) next: i64,
    pub(super) more: bool,
}

pub(super) fn to_bytes<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default() // plain structs with text keys always have a JSON form
}

pub(super) fn from_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    serde_json::from_slice(bytes).ok()
}
