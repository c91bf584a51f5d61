//! A shop's orders and money: `/v1/seller/*`. The gate has checked the role.

use souk_domain::id::ShopId;
use souk_engine::reader::Caller;
use souk_protocol::orders::PageQuery;

use crate::call::{Call, json};
use crate::route::Answered;

/// A page of the shop's orders.
pub(crate) async fn order_list(call: Call, caller: Caller, shop: ShopId) -> Answered {
    let (query, now): (PageQuery, _) = (call.query()?, call.now);
    let account = caller.account.id;
    let page =
        call.app.read(move |reader| async move { reader.shop_orders(account, shop, &query, now).await });
    json(&page.await?)
}

/// What the shop has.
pub(crate) async fn balance_get(call: Call, caller: Caller, shop: ShopId) -> Answered {
    let (account, now) = (caller.account.id, call.now);
    let found = call.app.read(move |reader| async move { reader.shop_balance(account, shop, now).await });
    json(&found.await?)
}

/// What moved on the shop's accounts.
pub(crate) async fn statement_list(call: Call, caller: Caller, shop: ShopId) -> Answered {
    let (query, now): (PageQuery, _) = (call.query()?, call.now);
    let account = caller.account.id;
    let page =
        call.app.read(move |reader| async move { reader.shop_statement(account, shop, &query, now).await });
    json(&page.await?)
}
