use expect_test::expect;
use proptest::prelude::*;
use souk_domain::order::Order;
use souk_domain::parcel::Parcel;
use souk_domain::rows::RowKind;

use super::*;
use crate::views::samples::{
    account, card, cart_line, offer, order, parcel, product, reference, shift, shop, shop_card, stock, stop,
};

/// One row of every kind that a scope shows.
fn rows() -> Vec<Row> {
    vec![
        Row::Account(account()),
        Row::Shop(shop()),
        Row::Product(product()),
        Row::Offer(offer()),
        Row::Stock(stock()),
        Row::CartLine(cart_line()),
        Row::Order(order()),
        Row::Parcel(parcel()),
        Row::Stop(stop()),
        Row::Shift(shift()),
        Row::Card(card()),
        Row::ShopCard(shop_card()),
    ]
}

/// What a buyer's scope leaves of a row.
fn as_seen(row: &Row, scope: &Scope) -> Row {
    match (row, scope) {
        (Row::Order(order), Scope::Account(_)) => {
            Row::Order(Order::try_from(OrderView::of(order, Side::Buyer)).unwrap())
        }
        (Row::Parcel(parcel), Scope::Seller(_)) => Row::Parcel(Parcel { place: None, ..parcel.clone() }),
        _ => row.clone(),
    }
}

#[test]
fn every_row_of_a_scope_has_an_entity_and_comes_back() {
    let mut shown = String::new();
    for row in rows() {
        for (scope, kind, id) in row.scopes() {
            let (seen_kind, seen_id, members) = entity_view(&row, &scope).unwrap().unwrap();
            assert_eq!((seen_kind, seen_id), (kind, id));
            assert!(!members.contains_key("id"));
            let scope_kind = scope.to_string();
            let scope_kind = scope_kind.split('/').next().unwrap_or_default();
            let (k1, k2) = sort_keys(&row);
            shown += &format!(
                "{:9} {:8} {} members, sorted by {k1} {k2:?}\n",
                entity_name(kind),
                scope_kind,
                members.len()
            );
            assert_eq!(row_of(kind, id, members), Ok(as_seen(&row, &scope)));
        }
    }
    expect![[r#"
        account   acct     4 members, sorted by 1795348800000000 "김구매"
        shop      seller   9 members, sorted by 0 "서울 상점"
        product   seller   10 members, sorted by 1795348800000000 "food"
        offer     seller   10 members, sorted by 4 "KIM-1"
        stock     seller   9 members, sorted by 34 ""
        cart_line acct     4 members, sorted by 1795348800000000 ""
        order     acct     28 members, sorted by 1795348809000000 "released"
        order     seller   30 members, sorted by 1795348809000000 "released"
        parcel    acct     19 members, sorted by 1795348808000000 "delivered"
        parcel    seller   18 members, sorted by 1795348808000000 "delivered"
        stop      route    11 members, sorted by 1795348808000000 "ready"
        shift     route    7 members, sorted by 1795348800000000 "closed"
        card      cat      13 members, sorted by 42 "food"
        shop_card cat      6 members, sorted by 0 "서울 상점"
    "#]]
    .assert_eq(&shown);
}

#[test]
fn foreign_scopes_show_nothing() {
    let stranger = "018f3c2a5b007abc8def012345678900";
    for row in rows() {
        for scope in [
            Scope::Account(stranger.parse().unwrap()),
            Scope::Seller(stranger.parse().unwrap()),
            Scope::Route(stranger.parse().unwrap()),
            Scope::Reference,
        ] {
            assert_eq!(entity_view(&row, &scope), Ok(None), "{:?}", row.kind());
        }
    }
}

/// The samples above are all the kinds that a scope shows.
#[test]
fn kinds_are_complete() {
    let mut kinds: Vec<EntityKind> =
        rows().iter().flat_map(|row| row.scopes()).map(|(_, kind, _)| kind).collect();
    kinds.push(reference_view(&reference()).unwrap().0);
    kinds.sort();
    kinds.dedup();
    assert_eq!(kinds, EntityKind::ALL);
    assert_eq!(RowKind::ALL.len(), 36, "a new kind of row: does a scope show it?");
}

#[test]
fn reference_data_comes_back() {
    let (kind, id, members) = reference_view(&reference()).unwrap();
    assert_eq!(reference_of(members.clone()), Ok(reference()));
    assert_eq!(row_of(kind, id, members).map_err(|refusal| refusal.code), Err("sync.row"));
    assert_eq!(reference_of(Map::new()).map_err(|refusal| refusal.code), Err("sync.row"));
}

/// Members of a newer server are additive: an older program ignores them.
#[test]
fn new_members_are_ignored_and_missing_ones_refused() {
    for row in rows() {
        let Some((scope, ..)) = row.scopes().pop() else { continue };
        let (kind, id, members) = entity_view(&row, &scope).unwrap().unwrap();
        let mut more = members.clone();
        more.insert("from_the_future".into(), Value::from(1));
        assert_eq!(row_of(kind, id, more), Ok(as_seen(&row, &scope)));
        assert_eq!(row_of(kind, id, Map::new()).map_err(|refusal| refusal.code), Err("sync.row"));
    }
}

proptest! {
    #[test]
    fn garbage_never_panics(which in 0..13usize, id: [u8; 16], value in crate::canon::tests::values(), name in "[a-z_]{1,8}") {
        let kind = EntityKind::ALL[which];
        let mut members = Map::new();
        members.insert(name, value.clone());
        let _ = row_of(kind, id, members);
        if let Value::Object(members) = value {
            let _ = row_of(kind, id, members);
        }
    }

    /// Any member of a good entity replaced by anything is a row or refused.
    #[test]
    fn spoilt_members_never_panic(which in 0..12usize, pick: prop::sample::Index, value in crate::canon::tests::values()) {
        let row = &rows()[which];
        let (scope, ..) = row.scopes().remove(0);
        let (kind, id, mut members) = entity_view(row, &scope).unwrap().unwrap();
        let name = pick.get(&members.keys().cloned().collect::<Vec<_>>()).clone();
        members.insert(name, value);
        let _ = row_of(kind, id, members);
    }
}
