//! A courier's money over HTTP.

use serde::{Deserialize, Serialize};
use souk_domain::id::AccountId;
use souk_domain::money::Balance;
use souk_domain::time::Time;

/// `GET /v1/courier/balance`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CourierBalanceResponse {
    /// The server's time.
    pub now: Time,
    /// The courier.
    pub account: AccountId,
    /// Owed for parcels whose escrow was released (2300), one sum a currency; empty for nothing yet.
    pub payable: Vec<Balance>,
}
