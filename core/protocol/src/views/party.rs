//! Accounts, shops for their staff, cart lines.

use serde::{Deserialize, Serialize};
use souk_domain::id::{AccountId, OfferId, ShopId};
use souk_domain::money::{Currency, Money};
use souk_domain::party::{Account, AccountRoles, CartLine, Member, Shipping, Shop, ShopRole, ShopState};
use souk_domain::time::Time;

use super::is_default;

/// The account that is signed in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AccountView {
    /// The account.
    pub id: AccountId,
    /// The name shown to other parties of an order.
    pub name: String,
    /// What it is approved as, besides buyer.
    #[serde(default, skip_serializing_if = "is_default")]
    pub roles: RolesView,
    /// When it was opened.
    pub opened_at: Time,
    /// The shop that it owns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shop: Option<ShopId>,
}

/// What an account is approved as, besides buyer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct RolesView {
    /// A courier.
    #[serde(default, skip_serializing_if = "is_default")]
    pub courier: bool,
    /// A member of the operator's staff.
    #[serde(default, skip_serializing_if = "is_default")]
    pub operator: bool,
}

impl From<AccountRoles> for RolesView {
    fn from(roles: AccountRoles) -> RolesView {
        RolesView { courier: roles.courier, operator: roles.operator }
    }
}

impl From<RolesView> for AccountRoles {
    fn from(view: RolesView) -> AccountRoles {
        AccountRoles { courier: view.courier, operator: view.operator }
    }
}

impl From<&Account> for AccountView {
    fn from(account: &Account) -> AccountView {
        AccountView {
            id: account.id,
            name: account.name.clone(),
            roles: account.roles.into(),
            opened_at: account.opened_at,
            shop: account.shop,
        }
    }
}

impl From<AccountView> for Account {
    fn from(view: AccountView) -> Account {
        Account {
            id: view.id,
            name: view.name,
            roles: view.roles.into(),
            opened_at: view.opened_at,
            shop: view.shop,
        }
    }
}

/// The flat shipping rate of a shop.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ShippingView {
    /// Paid by the buyer for one order.
    pub flat: Money,
    /// Free from this sum of goods on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free_from: Option<Money>,
}

impl From<Shipping> for ShippingView {
    fn from(shipping: Shipping) -> ShippingView {
        ShippingView { flat: shipping.flat, free_from: shipping.free_from }
    }
}

impl From<ShippingView> for Shipping {
    fn from(view: ShippingView) -> Shipping {
        Shipping { flat: view.flat, free_from: view.free_from }
    }
}

/// A shop, for its staff.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ShopView {
    /// The shop.
    pub id: ShopId,
    /// The account that owns it.
    pub owner: AccountId,
    /// Name.
    pub name: String,
    /// City.
    pub city: String,
    /// ISO 3166 alpha-2 country.
    pub country: String,
    /// The one currency it sells in.
    pub currency: Currency,
    /// Shipping rate.
    pub shipping: ShippingView,
    /// Who may do what.
    pub staff: Vec<MemberView>,
    /// Whether it takes orders.
    pub state: ShopState,
    /// The courier account that new parcels go to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub courier: Option<AccountId>,
}

/// A member of a shop's staff.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MemberView {
    /// The account.
    pub account: AccountId,
    /// Its role.
    pub role: ShopRole,
}

impl From<&Shop> for ShopView {
    fn from(shop: &Shop) -> ShopView {
        ShopView {
            id: shop.id,
            owner: shop.owner,
            name: shop.name.clone(),
            city: shop.city.clone(),
            country: shop.country.clone(),
            currency: shop.currency,
            shipping: shop.shipping.into(),
            staff: shop
                .staff
                .iter()
                .map(|member| MemberView { account: member.account, role: member.role })
                .collect(),
            state: shop.state,
            courier: shop.courier,
        }
    }
}

impl From<ShopView> for Shop {
    fn from(view: ShopView) -> Shop {
        Shop {
            id: view.id,
            owner: view.owner,
            name: view.name,
            city: view.city,
            country: view.country,
            currency: view.currency,
            shipping: view.shipping.into(),
            staff: view
                .staff
                .into_iter()
                .map(|member| Member { account: member.account, role: member.role })
                .collect(),
            state: view.state,
            courier: view.courier,
        }
    }
}

/// A cart line.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CartLineView {
    /// What.
    pub id: OfferId,
    /// Whose cart.
    pub account: AccountId,
    /// How many.
    pub q: u32,
    /// The unit price that was shown.
    pub seen: Money,
    /// When the line was last written.
    pub at: Time,
}

impl From<&CartLine> for CartLineView {
    fn from(line: &CartLine) -> CartLineView {
        CartLineView { id: line.offer, account: line.account, q: line.quantity, seen: line.seen, at: line.at }
    }
}

impl From<CartLineView> for CartLine {
    fn from(view: CartLineView) -> CartLine {
        CartLine { account: view.account, offer: view.id, quantity: view.q, seen: view.seen, at: view.at }
    }
}
