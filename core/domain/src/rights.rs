//! `can()`: who may do what (spec/market.md 2.4), as one table.
//!
//! Not for: conditions on states. `not_found` is the answer where the actor may not even know that the thing exists.

use crate::context::{Actor, Context};
use crate::id::ShopId;
use crate::order::Order;
use crate::outcome::Refusal;
use crate::party::{Shop, ShopRole};
use crate::rows::{Key, Rows, Stop};

/// An action of the table that intents ask for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Action {
    /// Offer, price, product.
    CatalogueWrite,
    /// Stock set and adjust.
    StockWrite,
    /// Ship, label.
    OrderShip,
    /// Refund grant, cancel by the shop.
    RefundGrant,
    /// Reading orders of the shop.
    OrderRead,
    /// Balance, statement.
    FinanceRead,
}

impl Action {
    /// All actions of shops.
    pub const ALL: [Action; 6] = [
        Action::CatalogueWrite,
        Action::StockWrite,
        Action::OrderShip,
        Action::RefundGrant,
        Action::OrderRead,
        Action::FinanceRead,
    ];

    /// Roles of a shop that may do it.
    pub fn roles(self) -> &'static [ShopRole] {
        use ShopRole::{Catalogue, Finance, Manager, Owner, Packer, Support, Viewer};
        match self {
            Action::CatalogueWrite => &[Owner, Manager, Catalogue],
            Action::StockWrite => &[Owner, Manager, Catalogue],
            Action::OrderShip => &[Owner, Manager, Packer],
            Action::RefundGrant => &[Owner, Manager, Support],
            Action::OrderRead => &[Owner, Manager, Packer, Support, Finance, Viewer],
            Action::FinanceRead => &[Owner, Finance],
        }
    }
}

/// Whether a role of a shop may do an action; none = not of this shop.
pub fn can(role: Option<ShopRole>, action: Action) -> Result<(), Refusal> {
    match role {
        None => Err(Refusal::new("order.not_party")),
        Some(role) if action.roles().contains(&role) => Ok(()),
        Some(_) => Err(Refusal::new("auth.forbidden")),
    }
}

/// The shop, if the actor may do the action in it.
pub(crate) fn shop_for<'r>(
    shop: ShopId,
    action: Action,
    ctx: &Context,
    rows: &'r Rows,
) -> Result<&'r Shop, Stop> {
    let shop: &Shop = rows.get(&Key::shop(shop), "shop.unknown")?;
    if let Actor::User { account, .. } = ctx.actor {
        can(shop.role_of(*account), action)?;
    }
    Ok(shop)
}

/// Whether the actor is the buyer of an order; a stranger learns nothing.
pub(crate) fn is_buyer(order: &Order, ctx: &Context) -> Result<(), Stop> {
    match ctx.actor {
        Actor::User { account, .. } if *account == order.buyer => Ok(()),
        Actor::User { .. } | Actor::Server => Err(Refusal::new("order.not_party").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The part of the table that is in use, action by role; `.` forbidden.
    #[test]
    fn table() {
        use ShopRole::{Catalogue, Finance, Manager, Owner, Packer, Support, Viewer};
        let roles = [Owner, Manager, Catalogue, Packer, Support, Finance, Viewer];
        let mut text = String::from("                 O M C P S F V stranger\n");
        for action in Action::ALL {
            text += &format!("{:16}", format!("{action:?}"));
            for role in roles {
                text += if can(Some(role), action).is_ok() { " y" } else { " ." };
            }
            text += &format!(" {}\n", can(None, action).map_err(|refusal| refusal.code).unwrap_err());
        }
        expect_test::expect![[r#"
                             O M C P S F V stranger
            CatalogueWrite   y y y . . . . order.not_party
            StockWrite       y y y . . . . order.not_party
            OrderShip        y y . y . . . order.not_party
            RefundGrant      y y . . y . . order.not_party
            OrderRead        y y . y y y y order.not_party
            FinanceRead      y . . . . y . order.not_party
        "#]]
        .assert_eq(&text);
    }
}
