//! OpenShop: a person's account becomes a seller (spec/market.md 2.1).

use super::{Account, Member, Shop, ShopRole, ShopState};
use crate::catalogue::card;
use crate::context::Context;
use crate::id::ShopId;
use crate::intent::{Intent, OpenShop};
use crate::money::MINOR_MAX;
use crate::outcome::{Facts, Refusal};
use crate::rows::{Key, Rows, Stop};

/// Longest name of a shop, and of its city, in characters: object 59 of a payment code holds 25, the label more.
pub const NAME_CHARS_MAX: usize = 60;

/// Opens a shop under the intent's id. Refuses: `shop.exists`, `shop.name`, `shop.country`, `money.currency`,
/// `money.range`.
pub fn open_shop(intent: &Intent, open: &OpenShop, ctx: &Context, rows: &mut Rows) -> Result<Facts, Stop> {
    let owner = ctx.actor.account().ok_or(Refusal::new("auth.forbidden"))?;
    let id = ShopId::from_bytes(*intent.id.bytes()).map_err(|_| Refusal::new("intent.form"))?;
    let (account_key, shop_key) = (Key::account(owner), Key::shop(id));
    rows.need([&account_key, &shop_key])?;
    let mut account: Account = rows.get::<Account>(&account_key, "account.unknown")?.clone();
    if account.shop.is_some() || rows.find::<Shop>(&shop_key)?.is_some() {
        return Err(Refusal::new("shop.exists").into());
    }
    let name = open.name.trim();
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX {
        return Err(Refusal::new("shop.name").with("limit", NAME_CHARS_MAX as i64).into());
    }
    if open.country.len() != 2 || !open.country.bytes().all(|b| b.is_ascii_uppercase()) {
        return Err(Refusal::new("shop.country").into());
    }
    if open.city.chars().count() > NAME_CHARS_MAX {
        return Err(Refusal::new("shop.name")
            .with("field", "city")
            .with("limit", NAME_CHARS_MAX as i64)
            .into());
    }
    for money in [Some(open.shipping.flat), open.shipping.free_from].into_iter().flatten() {
        if money.currency != open.currency {
            return Err(Refusal::new("money.currency").into());
        }
        if !(0..=MINOR_MAX).contains(&money.minor) {
            return Err(Refusal::new("money.range").into());
        }
    }
    let shop = Shop {
        id,
        owner,
        name: name.to_owned(),
        city: open.city.clone(),
        country: open.country.clone(),
        currency: open.currency,
        shipping: open.shipping,
        staff: vec![Member { account: owner, role: ShopRole::Owner }],
        state: ShopState::Open,
        courier: open.courier,
    };
    card::show_shop(&shop, ctx, rows)?;
    account.shop = Some(id);
    rows.put(account)?;
    rows.put(shop)?;
    Ok(Facts::none().with_text("shop", id))
}
