//! Scopes: the parts of the data that a device follows (design.md 4, spec/sync.md).
//!
//! A row names the scopes that it appears in; the engine compares them before and after a decision and writes the
//! change rows. Always: a row type that a device may see has an [`EntityKind`], and its number never changes.

use std::fmt;
use std::str::FromStr;

use crate::id::{AccountId, Bucket, IdError, ShopId};

/// What a device follows.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Scope {
    /// `ref/<market>`: policies, fee plans, public keys.
    Reference,
    /// `cat/<shelf>`: the public catalogue; one shelf for now.
    Catalogue,
    /// `acct/<id>`: what one account may see of its own.
    Account(AccountId),
    /// `seller/<id>`: what the staff of a shop may see.
    Seller(ShopId),
    /// `route/<courier>`: the stops of one courier.
    Route(AccountId),
}

impl Scope {
    /// The bucket of the subject, where the list of this scope's parts is kept. Public scopes have one fixed part.
    pub fn home(&self) -> Bucket {
        match self {
            Scope::Reference | Scope::Catalogue => PUBLIC_BUCKET,
            Scope::Account(id) | Scope::Route(id) => id.bucket(),
            Scope::Seller(id) => id.bucket(),
        }
    }

    /// True for scopes that anybody may read.
    pub fn is_public(&self) -> bool {
        matches!(self, Scope::Reference | Scope::Catalogue)
    }
}

/// The bucket that holds the one part of each public scope.
pub const PUBLIC_BUCKET: Bucket = Bucket::PUBLIC;

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::Reference => f.write_str("ref/main"),
            Scope::Catalogue => f.write_str("cat/all"),
            Scope::Account(id) => write!(f, "acct/{id}"),
            Scope::Seller(id) => write!(f, "seller/{id}"),
            Scope::Route(id) => write!(f, "route/{id}"),
        }
    }
}

impl FromStr for Scope {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Scope, IdError> {
        match text.split_once('/') {
            Some(("ref", "main")) => Ok(Scope::Reference),
            Some(("cat", "all")) => Ok(Scope::Catalogue),
            Some(("acct", id)) => id.parse().map(Scope::Account),
            Some(("seller", id)) => id.parse().map(Scope::Seller),
            Some(("route", id)) => id.parse().map(Scope::Route),
            _ => Err(IdError::Form),
        }
    }
}

/// The kinds of things that a feed carries; the numbers are part of the wire format.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum EntityKind {
    /// The account itself.
    Account = 1,
    /// A shop, for its staff.
    Shop = 2,
    /// An order.
    Order = 3,
    /// A parcel with its custody so far.
    Parcel = 4,
    /// Stock of an offer, for the shop's staff.
    Stock = 5,
    /// An offer, for the shop's staff.
    Offer = 6,
    /// A product, for the shop's staff.
    Product = 7,
    /// One stop of a courier.
    Stop = 8,
    /// A courier's shift with certificate and manifest.
    Shift = 9,
    /// A cart line.
    CartLine = 10,
    /// A product as the public catalogue shows it, with its first offer.
    Card = 11,
    /// A shop as the public sees it.
    ShopCard = 12,
    /// Policies, fee plan and public keys.
    Reference = 13,
}

impl EntityKind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [EntityKind; 13] = [
        EntityKind::Account,
        EntityKind::Shop,
        EntityKind::Order,
        EntityKind::Parcel,
        EntityKind::Stock,
        EntityKind::Offer,
        EntityKind::Product,
        EntityKind::Stop,
        EntityKind::Shift,
        EntityKind::CartLine,
        EntityKind::Card,
        EntityKind::ShopCard,
        EntityKind::Reference,
    ];

    /// The number on the wire.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The kind of a number.
    pub fn from_number(number: u8) -> Option<EntityKind> {
        EntityKind::ALL.into_iter().find(|kind| kind.number() == number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scope_text_round_trips() {
        let account: AccountId = "018f3c2a5b007abc8def0123456789ab".parse().unwrap();
        let shop: ShopId = "018f3c2a5b007abc8def0123456789ab".parse().unwrap();
        for scope in [
            Scope::Reference,
            Scope::Catalogue,
            Scope::Account(account),
            Scope::Seller(shop),
            Scope::Route(account),
        ] {
            assert_eq!(scope.to_string().parse::<Scope>(), Ok(scope));
        }
        for bad in ["", "acct", "acct/", "acct/xyz", "cat/food/more", "ACCT/018f3c2a5b007abc8def0123456789ab"]
        {
            assert!(bad.parse::<Scope>().is_err(), "{bad}");
        }
    }

    #[test]
    fn kind_numbers_round_trip() {
        for kind in EntityKind::ALL {
            assert_eq!(EntityKind::from_number(kind.number()), Some(kind));
        }
        assert_eq!(EntityKind::from_number(0), None);
    }
}
