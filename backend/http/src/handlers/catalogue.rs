//! The public catalogue: `/v1/catalogue/*`.

use souk_protocol::catalogue::snapshot_rows;
use souk_protocol::orders::PageQuery;

use crate::call::{Call, json};
use crate::route::Answered;

/// A page of all products.
pub(crate) async fn snapshot_list(call: Call) -> Answered {
    let (query, now): (PageQuery, _) = (call.query()?, call.now);
    let page = call.app.read(move |reader| async move {
        reader.snapshot(query.after.as_deref(), snapshot_rows(query.limit), now).await
    });
    json(&page.await?)
}
