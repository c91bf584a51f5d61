//! A courier's money: `/v1/courier/*`. It is the caller's own, so that no role is asked for.

use souk_engine::reader::Caller;

use crate::call::{Call, json};
use crate::route::Answered;

/// What the caller is owed.
pub(crate) async fn balance_get(call: Call, caller: Caller) -> Answered {
    let (account, now) = (caller.account.id, call.now);
    let found = call.app.read(move |reader| async move { reader.courier_balance(account, now).await });
    json(&found.await?)
}
