//! Orders: `/v1/orders/{id}*`.

use souk_codes::paycode::{GUID_DEFAULT, PayFields, PayLanguage, PayOrder, SIGNING_PREFIX, ascii_text};
use souk_crypto::hash::sha256;
use souk_domain::id::{AccountId, OrderId};
use souk_domain::order::{Order, OrderState};
use souk_domain::outcome::Refusal;
use souk_domain::party::Shop;
use souk_domain::rights::Action;
use souk_domain::rows::Key;
use souk_domain::time::{Span, Time};
use souk_engine::Reader;
use souk_engine::reader::Caller;
use souk_protocol::orders::PayCodeResponse;

use crate::call::{Call, json, random};
use crate::error::ApiError;
use crate::route::Answered;

/// A payment code is good for this long: a till waits no longer, and a photo of it is of no use later.
pub(crate) const PAY_CODE_LIFE: Span = Span::from_minutes(15);
/// Miscellaneous and specialty retail, as long as shops name no category of their own.
const MCC: u16 = 5999;
/// Characters of a merchant's name and city in a code (EMVCo MPM 1.1).
const NAME_CHARS_MAX: usize = 25;
const CITY_CHARS_MAX: usize = 15;

/// An order of which nobody else may learn that it exists: a stranger and an empty id are answered alike.
const HIDDEN: [&str; 1] = ["order.not_party"];

/// One order with all around it, for its buyer and its shop.
pub(crate) async fn order_get(call: Call, caller: Caller) -> Answered {
    let order: OrderId = call.id(0, "order.unknown")?;
    let found = call.app.reader().order(caller.account.id, order, call.now).await;
    json(&found.map_err(|error| ApiError::from(error).hidden_as("order.unknown", &HIDDEN))?)
}

/// The code that pays an order, signed by the platform; made when it is asked for, changes no row.
pub(crate) async fn pay_code_make(call: Call, caller: Caller) -> Answered {
    let order: OrderId = call.id(0, "order.unknown")?;
    let reader = call.app.reader();
    let (order, shop) = payable(reader, caller.account.id, order).await?;
    // Good through its minute: the last one that ends within the code's life and the order's.
    let until = call.now.plus(PAY_CODE_LIFE).min(order.pay_by);
    let last = until.minutes() - 1;
    if last < call.now.minutes() {
        return Err(Refusal::new("order.closed").into());
    }
    let nonce = random()?;
    let code = pay_code(reader, &order, &shop, last, nonce)?;
    let expires_at = Time::from_secs((last + 1) * 60);
    json(&PayCodeResponse { now: call.now, order: order.id, amount: order.total, code, expires_at })
}

/// An order that waits for its money, and its shop. Refuses `order.unknown`, `auth.forbidden`, `order.already_paid`,
/// `order.closed`.
async fn payable(reader: &Reader, account: AccountId, order: OrderId) -> Result<(Order, Shop), ApiError> {
    let unknown = || ApiError::new("order.unknown");
    let order: Order = reader.row(Key::order(order)).await?.ok_or_else(unknown)?;
    if order.buyer != account {
        let may = reader.may(account, order.shop, Action::OrderRead).await;
        may.map_err(|error| ApiError::from(error).hidden_as("order.unknown", &HIDDEN))?;
    }
    match order.state {
        OrderState::Created => {}
        OrderState::Open | OrderState::Completed => return Err(Refusal::new("order.already_paid").into()),
        OrderState::Cancelled => return Err(Refusal::new("order.closed").into()),
    }
    let shop: Shop = reader.row(Key::shop(order.shop)).await?.ok_or_else(unknown)?;
    Ok((order, shop))
}

fn pay_code(
    reader: &Reader,
    order: &Order,
    shop: &Shop,
    last_minute: i64,
    nonce: [u8; 6],
) -> Result<String, ApiError> {
    let guid = &reader.reference().emv_guid;
    let seal = reader.platform_seal();
    let fields = PayFields {
        guid: if guid.is_empty() { GUID_DEFAULT.to_owned() } else { guid.clone() },
        payee: *shop.owner.bytes(),
        order: Some(PayOrder {
            order: *order.id.bytes(),
            nonce,
            expiry_minutes: u32::try_from(last_minute).map_err(ApiError::internal)?,
        }),
        key_id: seal.key_id(),
        mcc: MCC,
        currency: order.currency.numeric(),
        amount: Some(order.total.decimal()),
        country: shop.country.clone(),
        merchant_name: ascii_text(&shop.name, NAME_CHARS_MAX, "Souk shop"),
        city: ascii_text(&shop.city, CITY_CHARS_MAX, &shop.country),
        language: language(shop),
    };
    let draft = fields.unsigned().map_err(|error| ApiError::internal(error.code()))?;
    let d = sha256(&[SIGNING_PREFIX, draft.signing_bytes()].concat());
    Ok(draft.sign(&seal.sign(&d)))
}

/// Name and city in the shop's own script, when they do not fit the plain fields.
fn language(shop: &Shop) -> Option<PayLanguage> {
    if shop.name.is_ascii() && shop.city.is_ascii() {
        return None;
    }
    let language = match shop.country.as_str() {
        "KR" => "ko",
        "JP" => "ja",
        "CN" | "TW" | "HK" => "zh",
        _ => "en",
    };
    let cut =
        |text: &str, longest: usize| text.chars().take(longest).collect::<String>().trim_end().to_owned();
    Some(PayLanguage {
        language: language.to_owned(),
        name: cut(&shop.name, NAME_CHARS_MAX),
        city: Some(cut(&shop.city, CITY_CHARS_MAX)).filter(|city| !city.is_empty()),
    })
}
