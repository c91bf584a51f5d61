//! The server's rows against the oracle: books, escrow, stock, streams, outcomes (syn01, syn06-syn08).
//!
//! A read that fails by a fault of the disk proves nothing and is let go.

use std::collections::{BTreeMap, BTreeSet};

use souk_domain::bookkeeping::IntentRow;
use souk_domain::id::{Bucket, DeviceId, IntentId, OfferId, OrderId};
use souk_domain::ledger::AccountCode;
use souk_domain::order::Order;
use souk_domain::rows::Key;
use souk_domain::scope::Scope;
use souk_domain::stock::Stock;
use souk_engine::{EngineError, Reader};
use souk_protocol::outcome::OutcomeView;
use souk_store::PageAsk;

use super::block_on;
use super::market::Part;
use super::record::Record;
use super::world::Person;
use crate::world::{Checked, Violation};

/// More intents than a bucket has in any run.
const ALL: usize = 1_000_000;

/// Finds a violation, or meets a fault of the disk.
pub(super) enum Stop {
    Found(Violation),
    Disk,
}

impl From<Violation> for Stop {
    fn from(violation: Violation) -> Stop {
        Stop::Found(violation)
    }
}

impl From<EngineError> for Stop {
    fn from(error: EngineError) -> Stop {
        match error {
            EngineError::Store(_) | EngineError::Stopped => Stop::Disk,
            EngineError::Refused(refusal) => Stop::Found(Violation::new("syn06", format!("{refusal:?}"))),
            EngineError::Settings(text) | EngineError::Rule(text) => {
                Stop::Found(Violation::new("tripwire", text))
            }
        }
    }
}

impl From<souk_store::StoreError> for Stop {
    fn from(error: souk_store::StoreError) -> Stop {
        EngineError::from(error).into()
    }
}

type Looked = Result<(), Stop>;

/// What was found; a fault of the disk is none.
pub(super) fn checked(looked: Looked) -> Checked {
    match looked {
        Ok(()) | Err(Stop::Disk) => Ok(()),
        Err(Stop::Found(violation)) => Err(violation),
    }
}

/// After each commit: what it has touched, and the shop's books.
pub(super) fn after_commit(reader: &Reader, shop: Bucket, record: &mut Record) -> Looked {
    let touched = std::mem::take(&mut record.touched);
    orders(reader, touched.orders, record)?;
    stocks(reader, touched.offers, record)?;
    let devices: BTreeSet<(Bucket, DeviceId)> =
        touched.streams.iter().map(|(device, _, bucket, _)| (*bucket, *device)).collect();
    for (bucket, device) in devices {
        streams(reader, bucket, device, record)?;
    }
    books(reader, shop, record)
}

/// At each start of the server and at the end: everything.
pub(super) fn whole(reader: &Reader, shop: Bucket, people: &[Person], record: &Record) -> Looked {
    orders(reader, record.oracle.orders.keys().copied().collect(), record)?;
    stocks(reader, record.oracle.offers.keys().copied().collect(), record)?;
    books(reader, shop, record)?;
    let mut known: BTreeMap<IntentId, OutcomeView> = BTreeMap::new();
    for bucket in block_on(reader.store().buckets_in_use())? {
        let rows = block_on(reader.store().intents(bucket, ALL))?;
        for row in rows.iter().filter(|row| row.account.is_some()) {
            if let Ok(id) = IntentId::from_bytes(row.id) {
                known.insert(id, OutcomeView::from(&row.outcome));
            }
        }
        let devices: BTreeSet<DeviceId> = rows.iter().filter_map(|row| row.device).collect();
        for device in devices {
            sequence(reader, bucket, device, &rows)?;
        }
    }
    outcomes(&known, record)?;
    for person in people.iter().filter(|person| person.part == Part::Seller) {
        // Replays every journal from nothing: balances, heads, sums.
        if block_on(reader.verify_ledger())?.is_empty() && !record.oracle.balances().is_empty() {
            let text = format!("{} has sold, and the journal is empty", person.account);
            return Err(Violation::new("syn06", text).into());
        }
    }
    Ok(())
}

/// syn01, syn02: what was told as decided is stored so, and nothing else is.
fn outcomes(known: &BTreeMap<IntentId, OutcomeView>, record: &Record) -> Looked {
    for (id, told) in record.truth.outcomes() {
        match known.get(id) {
            Some(found) if found == told => {}
            found => {
                let text = format!("LOST outcome of {id}: told {told:?}, the server has {found:?}");
                return Err(Violation::new("syn01", text).into());
            }
        }
    }
    match known.keys().find(|id| record.truth.outcome(id).is_none()) {
        None => Ok(()),
        Some(id) => Err(Violation::new("syn02", format!("{id} was decided behind everybody's back")).into()),
    }
}

/// syn08: every position of a device's streams was used by an act or by a known id.
fn sequence(reader: &Reader, bucket: Bucket, device: DeviceId, rows: &[IntentRow]) -> Looked {
    let mut of_lane: BTreeMap<u8, (u64, u64)> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.device == Some(device)) {
        if let Some((lane, _)) = row.sent {
            of_lane.entry(lane.number()).or_default().0 += 1;
        }
    }
    for stream in page(reader, bucket, device)? {
        of_lane.entry(stream.lane.number()).or_default().1 += stream.last - stream.reused.min(stream.last);
    }
    match of_lane.iter().find(|(_, (decided, counted))| decided != counted) {
        None => Ok(()),
        Some((lane, (decided, counted))) => {
            let text =
                format!("SEQ {device}, bucket {bucket}, lane {lane}: {decided} acts, {counted} counted");
            Err(Violation::new("syn08", text).into())
        }
    }
}

fn page(
    reader: &Reader,
    bucket: Bucket,
    device: DeviceId,
) -> Result<Vec<souk_domain::bookkeeping::Stream>, Stop> {
    let after = u64::MAX >> 1;
    let ask = PageAsk { bucket, scope: Scope::Catalogue, after, limit: 1, device: Some(device) };
    Ok(block_on(reader.store().page(&ask))?.streams)
}

/// syn08, each commit: `last = count + reused`, and no position lies beyond it.
fn streams(reader: &Reader, bucket: Bucket, device: DeviceId, record: &Record) -> Looked {
    for stream in page(reader, bucket, device)? {
        let key = (device, stream.epoch, bucket, stream.lane);
        let Some(count) = record.streams.get(&key) else { continue };
        if stream.last != count.decided + stream.reused || count.highest > stream.last {
            let text = format!("SEQ {stream:?}: {count:?}");
            return Err(Violation::new("syn08", text).into());
        }
    }
    Ok(())
}

fn orders(reader: &Reader, ids: BTreeSet<OrderId>, record: &Record) -> Looked {
    let rows: Vec<Order> = block_on(reader.rows(ids.iter().map(|id| Key::order(*id)).collect()))?;
    let mut found: BTreeMap<OrderId, Order> = rows.into_iter().map(|row| (row.id, row)).collect();
    for id in ids {
        let (row, expected) = (found.remove(&id), record.oracle.orders.get(&id));
        let (Some(row), Some(order)) = (row.as_ref(), expected) else {
            if row.is_some() == expected.is_some() {
                continue;
            }
            let text = format!("{id}: the server has {row:?}, the oracle {expected:?}");
            return Err(Violation::new("syn06", text).into());
        };
        let amounts = |of: [i64; 5]| of;
        let have = amounts([row.total.minor, row.paid, row.released, row.refunded, row.unapplied]);
        let want = amounts([order.total, order.paid, order.released, order.refunded, order.unapplied]);
        if !row.is_sound() || have != want || row.state != order.state || row.shipment != order.shipment {
            let text = format!(
                "order {id}: {:?} {:?} {have:?}, the oracle says {:?} {:?} {want:?}",
                row.state, row.shipment, order.state, order.shipment
            );
            return Err(Violation::new("syn06", text).into());
        }
    }
    Ok(())
}

/// syn07.
fn stocks(reader: &Reader, ids: BTreeSet<OfferId>, record: &Record) -> Looked {
    let rows: Vec<Stock> = block_on(reader.rows(ids.into_iter().map(Key::stock).collect()))?;
    for row in rows {
        let Some(offer) = record.oracle.offers.get(&row.offer) else { continue };
        let have = (row.on_hand, row.reserved, row.committed, row.sold, row.revision);
        let want = (offer.on_hand, offer.reserved, offer.committed, offer.sold, offer.revision);
        if !row.is_sound() || have != want {
            let text = format!("stock of {}: {have:?}, the oracle says {want:?}", row.offer);
            return Err(Violation::new("syn07", text).into());
        }
    }
    Ok(())
}

/// syn06: debits = credits, the sums of all kinds of accounts, and the escrow of each order.
fn books(reader: &Reader, shop: Bucket, record: &Record) -> Looked {
    let accounts = block_on(reader.store().ledger_accounts(shop))?;
    let off: i64 = accounts.iter().map(|account| account.debits_posted - account.credits_posted).sum();
    if off != 0 {
        return Err(Violation::new("syn06", format!("debits and credits differ by {off}")).into());
    }
    let mut sums: BTreeMap<AccountCode, i64> = BTreeMap::new();
    for account in &accounts {
        *sums.entry(account.code).or_default() += account.balance().minor;
        if account.code == AccountCode::OrderEscrow {
            let order = OrderId::from_bytes(account.owner).ok();
            let held = order.and_then(|order| record.oracle.orders.get(&order)).map(|order| order.held());
            if held != Some(account.balance().minor) {
                let text = format!("escrow of {order:?}: {}, held {held:?}", account.balance().minor);
                return Err(Violation::new("syn06", text).into());
            }
        }
    }
    sums.retain(|_, sum| *sum != 0);
    if sums != record.oracle.balances() {
        let text = format!("balances {sums:?}, the oracle says {:?}", record.oracle.balances());
        return Err(Violation::new("syn06", text).into());
    }
    Ok(())
}
