//! Parties: accounts, their devices and tokens, shops and their staff (spec/market.md 2).
//!
//! Not for: rights (`rights`), sign-in flows (`party::sign_in`).

use serde::{Deserialize, Serialize};

use crate::id::{AccountId, DeviceId, IntentId, ShopId};
use crate::money::{Currency, Money};
use crate::time::Time;

pub mod key;
pub mod open_shop;
pub mod sign_in;

pub use key::DeviceKey;

/// An account of a person or an organisation, in its own bucket.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Account {
    /// The account.
    pub id: AccountId,
    /// The name shown to other parties of an order.
    pub name: String,
    /// What this account may become besides a buyer.
    pub roles: AccountRoles,
    /// When it was opened.
    pub opened_at: Time,
    /// The shop that this account owns, if any (one for now).
    pub shop: Option<ShopId>,
}

/// Parties that an account is approved as, besides buyer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct AccountRoles {
    /// Approved as a courier by the operator.
    pub courier: bool,
    /// A member of the operator's staff.
    pub operator: bool,
}

/// A registered device, in its account's bucket.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Device {
    /// The device.
    pub id: DeviceId,
    /// Its account.
    pub account: AccountId,
    /// The public key that signs its intents.
    pub key: DeviceKey,
    /// The epoch of its intent streams (spec/sync.md 4.4).
    pub epoch: u32,
    /// Whether it may still act.
    pub state: DeviceState,
    /// What it calls itself: platform and model, for the account's list of devices.
    pub label: String,
    /// When it was registered.
    pub registered_at: Time,
}

/// Whether a device may act.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceState {
    /// In use.
    Active,
    /// A new registration of the same install took its place; its signatures stay good.
    Replaced,
    /// Cut off: what it minted and nobody decided is refused.
    Revoked,
}

/// A look-up row: which account proved a contact. Lives in the bucket of the contact's hash.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ContactClaim {
    /// SHA-256 of the canonical contact.
    #[serde(with = "crate::bytes")]
    pub contact_hash: [u8; 32],
    /// The account that proved it first.
    pub account: AccountId,
    /// When.
    pub claimed_at: Time,
}

/// A token family: one sign-in of one device. Tokens are opaque; only their SHA-256 is kept (spec/sync.md 12.1).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Token {
    /// SHA-256 of the 32 secret bytes.
    #[serde(with = "crate::bytes")]
    pub hash: [u8; 32],
    /// Its account.
    pub account: AccountId,
    /// Its device.
    pub device: DeviceId,
    /// Access or refresh.
    pub kind: TokenKind,
    /// Not good from here on.
    pub expires_at: Time,
}

/// What a token opens.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum TokenKind {
    /// Opens requests.
    Access,
    /// Gives new tokens. A former one stays good until its successor has been used once: lost answers are normal.
    Refresh {
        /// The refresh token that this one replaced, until this one is used for the first time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        replaces: Option<TokenHash>,
        /// Set once a successor of this token has been used: from then on using it revokes the family.
        spent: bool,
    },
}

/// The hash of a token, as text in rows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenHash(#[serde(with = "crate::bytes")] pub [u8; 32]);

/// A shop, in its owner's bucket.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Shop {
    /// The shop.
    pub id: ShopId,
    /// The account that owns it.
    pub owner: AccountId,
    /// The name on its page and on labels.
    pub name: String,
    /// City, for payment codes and labels.
    pub city: String,
    /// ISO 3166 alpha-2 country.
    pub country: String,
    /// The one currency it sells in.
    pub currency: Currency,
    /// What a buyer pays for shipping an order.
    pub shipping: Shipping,
    /// Who may do what.
    pub staff: Vec<Member>,
    /// Whether it takes orders.
    pub state: ShopState,
    /// The courier account that new parcels go to unless another is named.
    pub courier: Option<AccountId>,
}

/// The flat shipping rate of a shop (spec/market.md 5.3, thin form of step 5).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Shipping {
    /// Paid by the buyer for one order; goes to the courier at release.
    pub flat: Money,
    /// Free from this sum of goods on.
    pub free_from: Option<Money>,
}

/// A member of a shop's staff.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Member {
    /// The account.
    pub account: AccountId,
    /// Its role in this shop.
    pub role: ShopRole,
}

/// Roles inside a shop (spec/market.md 2.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShopRole {
    /// Owns the shop.
    Owner,
    /// Runs it.
    Manager,
    /// Keeps products and offers.
    Catalogue,
    /// Packs and ships.
    Packer,
    /// Answers buyers.
    Support,
    /// Sees money.
    Finance,
    /// Sees only.
    Viewer,
}

/// Whether a shop takes orders.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShopState {
    /// Takes orders.
    Open,
    /// Refuses new orders with `shop.closed`.
    Closed,
}

impl Shop {
    /// The role of an account in this shop.
    pub fn role_of(&self, account: AccountId) -> Option<ShopRole> {
        self.staff.iter().find(|member| member.account == account).map(|member| member.role)
    }
}

/// One line of an account's cart (spec/market.md 5.5): last writer by server order; quantity 0 is a tombstone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CartLine {
    /// Whose cart.
    pub account: AccountId,
    /// What.
    pub offer: crate::id::OfferId,
    /// How many.
    pub quantity: u32,
    /// The unit price that was shown.
    pub seen: Money,
    /// When the line was last written.
    pub at: Time,
}

/// A checkout in the buyer's bucket: lines and delivery gathered before the orders are placed (spec/market.md 5.6).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Checkout {
    /// Its id, minted by the client.
    pub id: IntentId,
    /// Whose.
    pub account: AccountId,
    /// What.
    pub lines: Vec<CheckoutLine>,
    /// Where to: opaque address bytes, once given.
    #[serde(with = "crate::bytes::option")]
    pub address: Option<Vec<u8>>,
    /// When it was last written.
    pub at: Time,
}

/// A line of a checkout.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CheckoutLine {
    /// What.
    pub offer: crate::id::OfferId,
    /// How many.
    pub quantity: u32,
}
