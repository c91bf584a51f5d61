//! Sample accounts, devices, shops and carts.

use souk_domain::catalogue::OfferState;
use souk_domain::money::Currency;
use souk_domain::party::{
    Account, AccountRoles, CartLine, Checkout, CheckoutLine, ContactClaim, Device, DeviceState, Member,
    Shipping, Shop, ShopRole, ShopState, Token, TokenKind,
};
use souk_domain::rows::key;

use super::{
    bucket, buyer, courier, device_id, device_key, hash, intent_id, offer_id, shop as shop_of, time, usd,
};

pub(super) fn account() -> Account {
    Account {
        id: buyer(),
        name: "Kim Min-ji 김민지".into(),
        roles: AccountRoles { courier: true, operator: false },
        opened_at: time(0),
        shop: Some(shop_of()),
    }
}

pub(super) fn device() -> Device {
    Device {
        id: device_id(1),
        account: buyer(),
        key: device_key(1),
        epoch: 2,
        state: DeviceState::Active,
        label: "Android, Pixel 9".into(),
        registered_at: time(1),
    }
}

/// Its bucket is that of the contact's hash, not the sample bucket.
pub(super) fn contact_claim() -> ContactClaim {
    ContactClaim {
        contact_hash: key::contact_hash("minji@example.com"),
        account: buyer(),
        claimed_at: time(2),
    }
}

pub(super) fn token() -> Token {
    Token {
        hash: hash(1).0,
        account: buyer(),
        device: device_id(1),
        kind: TokenKind::Refresh { replaces: Some(hash(2)), spent: true },
        expires_at: time(3600),
    }
}

pub(super) fn shop() -> Shop {
    Shop {
        id: shop_of(),
        owner: buyer(),
        name: "Blue \"Kite\" & Söhne".into(),
        city: "Busan".into(),
        country: "KR".into(),
        currency: Currency::USD,
        shipping: shipping(),
        staff: vec![
            Member { account: buyer(), role: ShopRole::Owner },
            Member { account: courier(), role: ShopRole::Packer },
        ],
        state: ShopState::Open,
        courier: Some(courier()),
    }
}

fn shipping() -> Shipping {
    Shipping { flat: usd(499), free_from: Some(usd(5_000)) }
}

pub(super) fn shop_card() -> souk_domain::catalogue::ShopCard {
    let shop = shop();
    souk_domain::catalogue::ShopCard {
        id: shop.id,
        name: shop.name,
        city: shop.city,
        country: shop.country,
        currency: shop.currency,
        shipping: shop.shipping,
        state: ShopState::Closed,
    }
}

pub(super) fn cart_line() -> CartLine {
    CartLine { account: buyer(), offer: offer_id(bucket(), 66), quantity: 3, seen: usd(1_250), at: time(4) }
}

pub(super) fn checkout() -> Checkout {
    Checkout {
        id: intent_id(bucket(), 5),
        account: buyer(),
        lines: vec![CheckoutLine { offer: offer_id(bucket(), 66), quantity: 2 }],
        address: Some(vec![0, 1, 254, 255]),
        at: time(5),
    }
}

/// Both states stand in a row somewhere.
pub(super) fn offer_state(live: bool) -> OfferState {
    if live { OfferState::Live } else { OfferState::Paused }
}
