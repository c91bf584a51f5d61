//! The encoding of rows: domain rows to the columns of `table` and back.
//!
//! Not for: SQL, transactions. A row's encoding lives here alone (design.md 2); bodies are the JSON of the domain row.
//! Always: what was written is read back equal, and bytes that do not fit give `store.row` and never a panic.

mod cell;
mod journal;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde::Serialize;
use souk_domain::bookkeeping::{
    Change, Inbox, IntentRow, Lane, Message, Minted, Owner, ScopeOf, ScopePart, Stream, Timer, TimerKind,
};
use souk_domain::id::{AccountId, Bucket};
use souk_domain::ledger::{Account as LedgerAccount, AccountCode, AccountFlags, JournalHead};
use souk_domain::money::Currency;
use souk_domain::outcome::Outcome;
use souk_domain::party::{TokenHash, TokenKind};
use souk_domain::rows::{Row, RowKind};
use souk_domain::scope::Scope;
use souk_domain::stock::Stock;

use crate::StoreError;
pub(crate) use cell::{Cell, Cells};
pub(crate) use journal::{read_transfer, transfer};

/// The 16 bytes that stand for *no account* in the key of an intent: they are no id of form U.
const NO_ACCOUNT: [u8; 16] = [0; 16];

/// The columns of a row behind its key, in the order of its table, and its body where it has one.
pub(crate) fn columns(row: &Row) -> Result<Vec<Cell<'_>>, StoreError> {
    let mut cells = match row {
        Row::Owner(row) => owner(row)?,
        Row::Stock(row) => stock(row)?,
        Row::LedgerAccount(row) => ledger_account(row)?,
        Row::Intent(row) => intent(row)?,
        Row::Stream(row) => vec![Cell::unsigned(row.last)?, Cell::unsigned(row.reused)?],
        Row::Minted(row) => vec![Cell::bytes(&row.id)],
        // The sum wraps by design: its bits are kept.
        Row::ScopePart(row) => {
            vec![Cell::unsigned(row.seq)?, Cell::Int(row.sum.cast_signed()), Cell::unsigned(row.rows)?]
        }
        Row::Change(row) => vec![Cell::unsigned(row.seq)?, Cell::Int(row.live.into())],
        Row::ScopeOf(_) | Row::Timer(_) | Row::Inbox(_) => Vec::new(),
        _ => beside_body(row)?,
    };
    if let Some(body) = body(row) {
        cells.push(Cell::Text(Cow::Owned(body?)));
    }
    Ok(cells)
}

/// The columns for SQL of a row that stands in a body.
fn beside_body(row: &Row) -> Result<Vec<Cell<'_>>, StoreError> {
    Ok(match row {
        Row::Device(row) => vec![
            word(&row.state)?,
            Cell::Int(row.epoch.into()),
            Cell::text(&row.label),
            Cell::time(row.registered_at),
        ],
        Row::Token(row) => vec![
            Cell::bytes(row.account.bytes()),
            Cell::bytes(row.device.bytes()),
            Cell::text(match row.kind {
                TokenKind::Access => "access",
                TokenKind::Refresh { .. } => "refresh",
            }),
            Cell::time(row.expires_at),
        ],
        Row::Order(row) => vec![
            Cell::bytes(row.shop.bytes()),
            Cell::bytes(row.buyer.bytes()),
            word(&row.state)?,
            word(&row.shipment)?,
            Cell::text(row.currency.code()),
            Cell::Int(row.total.minor),
            Cell::Int(row.paid),
            Cell::Int(row.released),
            Cell::Int(row.refunded),
            Cell::time(row.placed_at),
            Cell::time(row.updated_at),
        ],
        Row::Payment(row) => vec![
            Cell::bytes(row.order.bytes()),
            Cell::bytes(row.buyer.bytes()),
            Cell::text(row.rail.name()),
            Cell::text(&row.rail_ref),
            word(&row.state)?,
            Cell::text(row.amount.currency.code()),
            Cell::Int(row.amount.minor),
            Cell::Int(row.captured),
            Cell::time(row.at),
        ],
        Row::RailOp(row) => vec![
            Cell::text(row.rail.name()),
            word(&row.kind)?,
            Cell::bytes(row.payment.bytes()),
            Cell::bytes(row.order.bytes()),
            word(&row.state)?,
            Cell::text(row.amount.currency.code()),
            Cell::Int(row.amount.minor),
            Cell::Int(row.attempts.into()),
            Cell::time(row.next_try),
            Cell::time(row.made_at),
        ],
        Row::Blocker(row) => vec![word(&row.kind)?, Cell::time(row.next_due)],
        Row::Parcel(row) => vec![
            word(&row.waybill)?,
            Cell::bytes(row.order.bytes()),
            Cell::bytes(row.shop.bytes()),
            Cell::bytes(row.buyer.bytes()),
            Cell::bytes(row.courier.bytes()),
            word(&row.state)?,
            word(&row.level)?,
            Cell::time(row.updated_at),
        ],
        Row::CustodyEvent(row) => vec![Cell::time(row.received_at)],
        Row::Outbox(row) => vec![
            Cell::text(match row.message {
                Message::Bucket { .. } => "bucket",
                Message::Rail { .. } => "rail",
                Message::Event { .. } => "event",
            }),
            Cell::Int(row.done.into()),
            Cell::time(row.at),
        ],
        _ => Vec::new(),
    })
}

/// Reads a row of a kind from its columns: the body, or else key and columns in the order of its table.
pub(crate) fn row(kind: RowKind, bucket: Bucket, cells: &mut Cells<'_>) -> Result<Row, StoreError> {
    Ok(match kind {
        RowKind::Owner => Row::Owner(read_owner(bucket, cells)?),
        RowKind::Stock => Row::Stock(read_stock(cells)?),
        RowKind::LedgerAccount => Row::LedgerAccount(read_ledger_account(cells)?),
        RowKind::Intent => Row::Intent(read_intent(bucket, cells)?),
        RowKind::Stream => Row::Stream(Stream {
            bucket,
            device: cells.parsed(souk_domain::id::DeviceId::from_bytes)?,
            epoch: cells.number()?,
            lane: read_lane(cells.number()?)?,
            last: cells.number()?,
            reused: cells.number()?,
        }),
        RowKind::Minted => Row::Minted(Minted {
            bucket,
            device: cells.parsed(souk_domain::id::DeviceId::from_bytes)?,
            epoch: cells.number()?,
            dev_seq: cells.number()?,
            id: cells.array()?,
        }),
        RowKind::ScopePart => Row::ScopePart(ScopePart {
            bucket,
            scope: read_scope(cells)?,
            seq: cells.number()?,
            sum: cells.int()?.cast_unsigned(),
            rows: cells.number()?,
        }),
        RowKind::Change => Row::Change(Change {
            bucket,
            scope: read_scope(cells)?,
            entity: cells.number()?,
            id: cells.array()?,
            seq: cells.number()?,
            live: cells.int()? != 0,
        }),
        RowKind::ScopeOf => {
            let scope = read_scope(cells)?;
            Row::ScopeOf(ScopeOf { scope, part: read_bucket(cells.number()?)? })
        }
        RowKind::Timer => Row::Timer(Timer {
            bucket,
            due: cells.time()?,
            entity: cells.array()?,
            kind: TimerKind::from_number(cells.number()?).ok_or_else(|| bad("kind of a timer"))?,
            generation: cells.number()?,
        }),
        RowKind::Inbox => {
            Row::Inbox(Inbox { bucket, from: read_bucket(cells.number()?)?, seq: cells.number()? })
        }
        _ => from_body(kind, cells.text()?)?,
    })
}

fn owner(row: &Owner) -> Result<Vec<Cell<'_>>, StoreError> {
    let mut cells = vec![Cell::Int(row.epoch)];
    cells.extend(owner_counters(row)?);
    Ok(cells)
}

/// The columns of an owner row that a commit moves on: all but the epoch.
pub(crate) fn owner_counters(row: &Owner) -> Result<[Cell<'_>; 6], StoreError> {
    Ok([
        Cell::unsigned(row.journal.seq)?,
        Cell::bytes(&row.journal.hash),
        Cell::time(row.journal.last_at),
        Cell::unsigned(row.outbox_seq)?,
        Cell::unsigned(row.catalogue_seq)?,
        Cell::unsigned(row.waybill_seq)?,
    ])
}

fn read_owner(bucket: Bucket, cells: &mut Cells<'_>) -> Result<Owner, StoreError> {
    let epoch = cells.int()?;
    let journal = JournalHead { bucket, seq: cells.number()?, hash: cells.array()?, last_at: cells.time()? };
    Ok(Owner {
        bucket,
        epoch,
        journal,
        outbox_seq: cells.number()?,
        catalogue_seq: cells.number()?,
        waybill_seq: cells.number()?,
    })
}

fn stock(row: &Stock) -> Result<Vec<Cell<'_>>, StoreError> {
    Ok(vec![
        Cell::bytes(row.shop.bytes()),
        Cell::Int(row.on_hand.into()),
        Cell::Int(row.reserved.into()),
        Cell::Int(row.committed.into()),
        Cell::Int(row.allotted.into()),
        Cell::Int(row.safety.into()),
        Cell::unsigned(row.sold)?,
        Cell::unsigned(row.received)?,
        Cell::unsigned(row.returned)?,
        Cell::unsigned(row.lost)?,
        Cell::Int(row.revision.into()),
    ])
}

fn read_stock(cells: &mut Cells<'_>) -> Result<Stock, StoreError> {
    Ok(Stock {
        offer: cells.parsed(souk_domain::id::OfferId::from_bytes)?,
        shop: cells.parsed(souk_domain::id::ShopId::from_bytes)?,
        on_hand: cells.number()?,
        reserved: cells.number()?,
        committed: cells.number()?,
        allotted: cells.number()?,
        safety: cells.number()?,
        sold: cells.number()?,
        received: cells.number()?,
        returned: cells.number()?,
        lost: cells.number()?,
        revision: cells.number()?,
    })
}

fn ledger_account(row: &LedgerAccount) -> Result<Vec<Cell<'_>>, StoreError> {
    Ok(vec![
        Cell::Int(row.code.number().into()),
        Cell::text(row.currency.code()),
        Cell::bytes(&row.owner),
        Cell::Int(row.sub.into()),
        Cell::Int(row.flags.bits().into()),
        Cell::Int(row.debits_posted),
        Cell::Int(row.credits_posted),
        Cell::Int(row.debits_pending),
        Cell::Int(row.credits_pending),
        Cell::unsigned(row.last_seq)?,
    ])
}

fn read_ledger_account(cells: &mut Cells<'_>) -> Result<LedgerAccount, StoreError> {
    Ok(LedgerAccount {
        id: cells.parsed(souk_domain::id::DerivedId::from_bytes)?,
        code: AccountCode::from_number(cells.number()?).ok_or_else(|| bad("code of an account"))?,
        currency: read_currency(cells)?,
        owner: cells.array()?,
        sub: cells.number()?,
        flags: AccountFlags::from_bits(cells.number()?).ok_or_else(|| bad("flags of an account"))?,
        debits_posted: cells.int()?,
        credits_posted: cells.int()?,
        debits_pending: cells.int()?,
        credits_pending: cells.int()?,
        last_seq: cells.number()?,
    })
}

fn intent(row: &IntentRow) -> Result<Vec<Cell<'_>>, StoreError> {
    Ok(vec![
        row.device.as_ref().map_or(Cell::Null, |device| Cell::bytes(device.bytes())),
        Cell::Int(row.epoch.into()),
        Cell::unsigned(row.dev_seq)?,
        row.sent.map_or(Cell::Null, |(lane, _)| Cell::Int(lane.number().into())),
        row.sent.map_or(Ok(Cell::Null), |(_, pos)| Cell::unsigned(pos))?,
        Cell::text(&row.kind),
        Cell::bytes(&row.hash.0),
        Cell::text(&row.text),
        Cell::bytes(&row.signature),
        Cell::Text(Cow::Owned(json(&row.outcome)?)),
        Cell::Int(row.reference_version.into()),
        Cell::time(row.decided_at),
    ])
}

fn read_intent(bucket: Bucket, cells: &mut Cells<'_>) -> Result<IntentRow, StoreError> {
    let account: [u8; 16] = cells.array()?;
    let account = match account {
        NO_ACCOUNT => None,
        bytes => Some(AccountId::from_bytes(bytes).map_err(|_| bad("account of an intent"))?),
    };
    let id = cells.array()?;
    let device = match cells.bytes_or_null()? {
        None => None,
        Some(bytes) => {
            let bytes = bytes.try_into().map_err(|_| bad("device of an intent"))?;
            Some(souk_domain::id::DeviceId::from_bytes(bytes).map_err(|_| bad("device of an intent"))?)
        }
    };
    let (epoch, dev_seq) = (cells.number()?, cells.number()?);
    let sent = match (cells.int_or_null()?, cells.int_or_null()?) {
        (Some(lane), Some(pos)) => {
            let lane = read_lane(u8::try_from(lane).map_err(|_| bad("lane"))?)?;
            Some((lane, u64::try_from(pos).map_err(|_| bad("position of an intent"))?))
        }
        _ => None,
    };
    Ok(IntentRow {
        bucket,
        account,
        id,
        device,
        epoch,
        dev_seq,
        sent,
        kind: cells.text()?.to_owned(),
        hash: TokenHash(cells.array()?),
        text: cells.text()?.to_owned(),
        signature: cells.bytes()?.to_vec(),
        outcome: from_json::<Outcome>(RowKind::Intent, cells.text()?)?,
        reference_version: cells.number()?,
        decided_at: cells.time()?,
    })
}

fn read_scope(cells: &mut Cells<'_>) -> Result<Scope, StoreError> {
    cells.text()?.parse().map_err(|_| bad("scope"))
}

fn read_bucket(number: u16) -> Result<Bucket, StoreError> {
    Bucket::new(number).map_err(|_| bad("bucket"))
}

fn read_lane(number: u8) -> Result<Lane, StoreError> {
    Lane::from_number(number).ok_or_else(|| bad("lane"))
}

fn read_currency(cells: &mut Cells<'_>) -> Result<Currency, StoreError> {
    Currency::from_code(cells.text()?).map_err(|_| bad("currency"))
}

/// A column that does not hold what it should.
fn bad(what: &str) -> StoreError {
    StoreError::Row(format!("{what} cannot be read"))
}

/// The word of an enum without data, or the text of a number, as its JSON has it.
fn word<T: Serialize>(of: &T) -> Result<Cell<'static>, StoreError> {
    Ok(Cell::Text(Cow::Owned(json(of)?.trim_matches('"').to_owned())))
}

fn json<T: Serialize>(of: &T) -> Result<String, StoreError> {
    serde_json::to_string(of).map_err(|error| StoreError::Tripwire(format!("no JSON of a row: {error}")))
}

fn from_json<T: serde::de::DeserializeOwned>(kind: RowKind, text: &str) -> Result<T, StoreError> {
    // The parser's own words may quote the row, which can hold names and addresses.
    serde_json::from_str(text).map_err(|error| {
        StoreError::Row(format!("body of a row of {kind:?} cannot be read at column {}", error.column()))
    })
}

/// Declares the kinds that stand in a body.
macro_rules! bodies {
    ($($kind:ident,)*) => {
        /// The body of a row, if its kind has one.
        fn body(row: &Row) -> Option<Result<String, StoreError>> {
            match row {
                $(Row::$kind(row) => Some(json(row)),)*
                _ => None,
            }
        }

        /// A row from its body.
        fn from_body(kind: RowKind, text: &str) -> Result<Row, StoreError> {
            match kind {
                $(RowKind::$kind => from_json(kind, text).map(Row::$kind),)*
                _ => Err(StoreError::Tripwire(format!("{kind:?} has no body"))),
            }
        }
    };
}

bodies! {
    Account, Device, ContactClaim, Token, Shop, Product, Offer, Sku, CartLine, Checkout, Order, Address, Payment,
    RailOp, Blocker, Parcel, WaybillClaim, CustodyEvent, HandoverSeen, Stop, Shift, Route, Card, ShopCard, Outbox,
}
