//! What must be true after the kills: every outcome that anybody was told is stored, nothing is there that nobody asked
//! for, and ledger, orders, stock, rail and devices tell the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use souk_device::runtime::Device;
use souk_domain::bookkeeping::{IntentRow, ScopePart};
use souk_domain::id::{IntentId, OfferId, OrderId};
use souk_domain::ledger::AccountCode;
use souk_domain::order::{LineKind, Order, OrderState, RefundState, ShipmentState};
use souk_domain::outcome::Outcome;
use souk_domain::parcel::{Parcel, ParcelState};
use souk_domain::rows::{Entity, Key};
use souk_domain::scope::Scope;
use souk_domain::stock::Stock;
use souk_protocol::outcome::OutcomeView;
use souk_server::processes::Running;
use souk_store::Store;
use tokio::time::Instant;

use crate::devices::Stage;
use crate::direct::{Direct, LOOK_AGAIN};
use crate::site::{ALL, Site};

/// Longest synchronisation of one device, milliseconds.
const SYNC_MS: u64 = 5_000;

/// Outcomes that devices have shown.
#[derive(Default)]
pub(crate) struct Seen(BTreeMap<IntentId, Outcome>);

impl Seen {
    /// An outcome that a device has shown once is the one that it shows ever after.
    pub(crate) async fn look(&mut self, stage: &Stage) {
        for (name, device) in stage.devices() {
            let saved = outcomes_of(&device).await;
            let mut ids = BTreeSet::new();
            for (id, outcome) in saved {
                ids.insert(id);
                let Some(outcome) = outcome else {
                    assert!(!self.0.contains_key(&id), "{name} has forgotten the outcome of {id}");
                    continue;
                };
                let before = self.0.entry(id).or_insert_with(|| outcome.clone());
                assert_eq!(*before, outcome, "{name} shows another outcome of {id}");
            }
        }
    }
}

async fn outcomes_of(device: &Device) -> Vec<(IntentId, Option<Outcome>)> {
    device.call(|host, _| host.saved()).await.unwrap()
}

/// Stops the backend in order, and starts it again, until nothing is left to do and every device has every row.
/// What is still wrong at the deadline is the failure. The backend is stopped when this returns.
pub(crate) async fn until_quiet(site: &Site, stage: &Stage, backend: Running, at_most: Duration) {
    let until = Instant::now() + at_most;
    let mut backend = Some(backend);
    loop {
        let running = match backend.take() {
            Some(running) => running,
            None => site.serve().await,
        };
        // What the rail could not deliver waits for its next try; an operator may release it at once.
        let release = format!("{}/_control/webhooks/release", site.rail_url());
        souk_server::api::http_client().unwrap().post(release).send().await.unwrap();
        for (_, device) in stage.devices() {
            device.network_up().await.unwrap();
            device.sync_now(SYNC_MS).await.unwrap();
        }
        running.stop().await.unwrap();
        let left = left_to_do(site, stage).await;
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < until, "no rest: {left:#?}");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Messages that have not arrived, calls to the rail that have not ended, rows that a device has not, in words.
async fn left_to_do(site: &Site, stage: &Stage) -> Vec<String> {
    let store = site.store();
    let mut left: Vec<String> =
        store.outbox_pending(ALL).await.unwrap().iter().map(|row| format!("outbox {row:?}")).collect();
    for order in all_orders(store.as_ref()).await {
        let open = order.refunds.iter().filter(|refund| refund.state != RefundState::Done);
        left.extend(open.map(|refund| format!("{}: {refund:?}", order.id)));
    }
    let webhooks = &truth(site).await["webhooks"];
    if webhooks["queued"] != 0 || webhooks["lost"] != 0 {
        left.push(format!("webhooks {webhooks}"));
    }
    for (name, device) in stage.devices() {
        for scope in scopes_of(&device).await {
            let scope_there = scope.clone();
            let sums = device.call(move |host, _| host.scope_sums(&scope_there)).await.unwrap();
            let theirs = sum_of(store.as_ref(), &scope).await;
            let is_good =
                sums.is_some_and(|sums| sums.is_whole && sums.kept == sums.stored && sums.stored == theirs);
            if !is_good {
                left.push(format!("{name}: {scope} is {sums:?}, the server has {theirs:?}"));
            }
        }
    }
    left
}

/// The scopes that a device follows and that have rows of their own.
async fn scopes_of(device: &Device) -> Vec<Scope> {
    let me = device.call(|host, now| host.me(now)).await.unwrap();
    let mut scopes = vec![Scope::Catalogue, Scope::Account(me.account.id)];
    scopes.extend(me.shop.map(|shop| Scope::Seller(shop.id)));
    if device.call(|host, now| host.shift(now)).await.unwrap().is_some() {
        scopes.push(Scope::Route(me.account.id));
    }
    scopes
}

/// Checksum and rows of a scope on the server, over all its parts.
async fn sum_of(store: &dyn Store, scope: &Scope) -> (u64, u64) {
    let mut buckets = BTreeSet::from([scope.home()]);
    if !scope.is_public() {
        buckets.extend(store.scope_parts(scope).await.unwrap());
    }
    let keys = buckets.into_iter().map(|bucket| Key::scope_part(bucket, scope)).collect();
    let parts: Vec<ScopePart> = rows(store, keys).await;
    parts.iter().fold((0, 0), |(sum, rows), part| (sum.wrapping_add(part.sum), rows + part.rows))
}

async fn rows<T: Entity>(store: &dyn Store, keys: Vec<Key>) -> Vec<T> {
    let rows = store.prefetch(&keys).await.unwrap();
    rows.iter().filter_map(|(_, _, row)| row.as_ref().and_then(T::from_row)).cloned().collect()
}

/// What people have asked for: stored acts that are not the server's own.
async fn all_acts(store: &dyn Store) -> Vec<IntentRow> {
    let mut acts = Vec::new();
    for bucket in store.buckets_in_use().await.unwrap() {
        let rows = store.intents(bucket, ALL).await.unwrap();
        acts.extend(rows.into_iter().filter(|row| row.account.is_some()));
    }
    acts
}

async fn all_orders(store: &dyn Store) -> Vec<Order> {
    let acts = all_acts(store).await;
    let ids: Vec<OrderId> = acts
        .iter()
        .filter(|row| row.kind == "PlaceOrder" && row.outcome.is_accepted())
        .map(|row| OrderId::from_bytes(row.id).unwrap())
        .collect();
    let orders: Vec<Order> = rows(store, ids.iter().copied().map(Key::order).collect()).await;
    assert_eq!(orders.len(), ids.len(), "an accepted order is not there");
    orders
}

async fn truth(site: &Site) -> Value {
    let url = format!("{}/_control/truth", site.rail_url());
    let answer = souk_server::api::http_client().unwrap().get(url).send().await.unwrap();
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
}

/// Everything, once nothing moves any more.
pub(crate) async fn whole(site: &Site, stage: &Stage, clients: &[Arc<Direct>], rail: Running) -> Value {
    let checked = site.verify_ledger().await;
    assert_eq!(checked["ok"], true, "{checked}");
    let store = site.store();
    let acts = outcomes(store.as_ref(), site, stage, clients).await;
    let orders = all_orders(store.as_ref()).await;
    let by_end = orders_and_escrow(store.as_ref(), &orders).await;
    stocks(store.as_ref(), &orders).await;
    rail_has_the_same(&truth(site).await, &orders);
    let parcels: Vec<Parcel> = rows(
        store.as_ref(),
        orders.iter().flat_map(|order| &order.parcels).copied().map(Key::parcel).collect(),
    )
    .await;
    let delivered = parcels.iter().filter(|parcel| parcel.state == ParcelState::Delivered).count();
    assert_eq!(delivered, parcels.len(), "a parcel is on its way: {parcels:#?}");
    for (_, device) in stage.devices() {
        device.close().await.unwrap();
    }
    rail.stop().await.unwrap();
    assert!(delivered > 0, "nothing was handed over");
    json!({
        "acts": acts, "orders": orders.len(), "by_end": by_end, "handed_over": delivered,
        "transfers": checked["transfers"],
    })
}

/// Each outcome that was told is stored, and each stored act is one that somebody made.
async fn outcomes(store: &dyn Store, site: &Site, stage: &Stage, clients: &[Arc<Direct>]) -> usize {
    let mut told: BTreeMap<[u8; 16], Value> = BTreeMap::new();
    for client in clients {
        for act in client.told() {
            told.insert(*act.id.bytes(), act.outcome.clone());
        }
    }
    for (name, device) in stage.devices() {
        for (id, outcome) in outcomes_of(&device).await {
            let outcome = outcome.unwrap_or_else(|| panic!("{name}: {id} is not decided"));
            told.insert(*id.bytes(), serde_json::to_value(OutcomeView::from(&outcome)).unwrap());
        }
    }
    let mut stored = BTreeMap::new();
    for row in all_acts(store).await.into_iter().filter(|row| !site.seeded.contains(&row.id)) {
        let outcome = serde_json::to_value(OutcomeView::from(&row.outcome)).unwrap();
        let twice = stored.insert(row.id, outcome);
        assert_eq!(twice, None, "{} stands twice", row.kind);
    }
    for (id, outcome) in &told {
        assert_eq!(stored.get(id), Some(outcome), "the outcome of {id:02x?} is lost");
    }
    assert_eq!(stored.keys().find(|id| !told.contains_key(*id)), None, "an act that nobody made");
    stored.len()
}

/// Every order has come to an end, or waits for its payment by a timer; what has ended holds nothing.
async fn orders_and_escrow(store: &dyn Store, orders: &[Order]) -> BTreeMap<&'static str, usize> {
    let mut by_end: BTreeMap<&'static str, usize> = BTreeMap::new();
    for order in orders {
        assert!(order.is_sound(), "{order:#?}");
        let accounts = store.accounts_of(order.id.bucket(), order.id.bytes()).await.unwrap();
        let escrow: i64 = accounts
            .iter()
            .filter(|account| account.code == AccountCode::OrderEscrow)
            .map(|account| account.balance().minor)
            .sum();
        assert_eq!((escrow, order.unapplied), (0, 0), "{order:#?}");
        let total = order.total.minor;
        let amounts = (order.paid, order.released, order.refunded);
        let end = match order.state {
            OrderState::Created if order.payment.is_none() && amounts == (0, 0, 0) => "waits_for_payment",
            OrderState::Cancelled if amounts == (0, 0, 0) => "cancelled",
            OrderState::Completed if amounts == (total, total, 0) => "released",
            OrderState::Completed if amounts == (total, 0, total) => "refunded",
            _ => panic!("{order:#?}"),
        };
        *by_end.entry(end).or_default() += 1;
    }
    for end in ["waits_for_payment", "cancelled", "released", "refunded"] {
        assert!(by_end.contains_key(end), "no trade has come to: {end}; {by_end:?}");
    }
    by_end
}

/// No unit is held, sold or freed twice.
async fn stocks(store: &dyn Store, orders: &[Order]) {
    let mut expected: BTreeMap<OfferId, (u32, u32, u64)> = BTreeMap::new();
    for order in orders {
        for line in &order.lines {
            let LineKind::Goods { offer, .. } = line.kind else { continue };
            let units = expected.entry(offer).or_default();
            match (order.state, order.shipment) {
                (OrderState::Created, _) => units.0 += line.quantity,
                (OrderState::Open, ShipmentState::None) => units.1 += line.quantity,
                (_, ShipmentState::None) => {}
                (_, _) => units.2 += u64::from(line.quantity),
            }
        }
    }
    let found: Vec<Stock> = rows(store, expected.keys().copied().map(Key::stock).collect()).await;
    assert_eq!(found.len(), expected.len());
    for stock in found {
        assert!(stock.is_sound(), "{stock:?}");
        assert_eq!((stock.reserved, stock.committed, stock.sold), expected[&stock.offer], "{stock:?}");
    }
}

/// The rail has taken each payment once and given each refund once.
fn rail_has_the_same(truth: &Value, orders: &[Order]) {
    assert_eq!((&truth["balanced"], &truth["truncated"]), (&json!(true), &json!(false)));
    let minor = |amount: &Value| amount["minor"].as_i64().unwrap_or_else(|| panic!("{amount}"));
    let list = |name: &str| truth[name].as_array().cloned().unwrap();
    let mut received: Vec<i64> =
        list("payments").iter().map(|payment| minor(&payment["received"])).filter(|sum| *sum != 0).collect();
    let mut refunded: Vec<i64> = list("refunds").iter().map(|refund| minor(&refund["amount"])).collect();
    let mut paid: Vec<i64> = orders.iter().map(|order| order.paid).filter(|sum| *sum != 0).collect();
    let mut given: Vec<i64> = orders.iter().map(|order| order.refunded).filter(|sum| *sum != 0).collect();
    for sums in [&mut received, &mut refunded, &mut paid, &mut given] {
        sums.sort_unstable();
    }
    assert_eq!((received, refunded), (paid, given), "the rail's books are others");
}
