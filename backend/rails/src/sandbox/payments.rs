//! Payments of the sandbox: asked for, paid by mandate or by a payer's act, given up.
//!
//! Not for: keys (idempotency), answers on the wire (routes). Rules: spec/money.md 6. Always: each arrival of money is
//! a receipt, an entry in the books and an event, in one commit; money that has come is never turned away, however
//! late, and never more in all than an amount can say.

use rusqlite::{Connection, OptionalExtension, Row, params};
use souk_domain::money::{MINOR_MAX, Money};
use souk_domain::time::{Span, Time};

use super::books;
use super::faults::{CallFaults, Fault};
use super::reply::{Outcome, Reply};
use super::store::{SandboxError, next_id};
use super::webhooks;
use super::wire::{EventData, EventKind, PaymentRequest, PaymentView, PaymentWord, ReceiptView};
use crate::rail::{PayMethod, RailRef};

/// How long money of [`Fault::LateMoney`] takes: past the 30 minutes for which an order waits (`pay.window`).
pub(super) const LATE_MONEY: Span = Span::from_minutes(45);

/// Receipts of one payment: a payer who pays in parts needs a few, and a view of them must stay readable.
pub(super) const RECEIPTS_MAX: usize = 1_000;

/// When and under which faults a call happens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Act {
    pub(super) now: Time,
    pub(super) faults: CallFaults,
}

/// `POST /v1/payments`: a mandate pays at once, a payer later.
pub(super) fn create(
    connection: &Connection,
    act: Act,
    key: &str,
    request: &PaymentRequest,
) -> Result<Outcome, SandboxError> {
    let id = next_id(connection, "pay", "payment")?;
    let sql =
        "INSERT INTO payment (id, key, state, minor, currency, reference, description, method, created_at)
               VALUES (?1, ?2, 'open', ?3, ?4, ?5, ?6, ?7, ?8)";
    connection.prepare_cached(sql)?.execute(params![
        id,
        key,
        request.amount.minor,
        request.amount.currency.code(),
        request.reference,
        request.description,
        match request.method {
            PayMethod::Mandate => "mandate",
            PayMethod::Payer => "payer",
        },
        act.now.micros()
    ])?;
    let mut applied = Vec::new();
    if request.method == PayMethod::Mandate {
        match act.faults.money {
            Some(Fault::Decline) => {
                applied.push(Fault::Decline);
                set_state(connection, &id, "refused", Some(DECLINED))?;
                emit(connection, act, EventKind::PaymentRefused, &id, &mut applied)?;
                return Ok(Outcome::kept(Reply::refused(402, DECLINED, "the buyer's bank said no"), applied));
            }
            fault => money_comes(connection, act, &id, request.amount, fault, &mut applied)?,
        }
    }
    Ok(Outcome::kept(Reply::json(201, &must(load(connection, &id)?)?)?, applied))
}

const DECLINED: &str = "payment.declined";

/// `POST /payer/payments/{id}/pay`: part, whole, twice, late, as the payer likes.
pub(super) fn pay(
    connection: &Connection,
    act: Act,
    id: &str,
    amount: Option<Money>,
) -> Result<Outcome, SandboxError> {
    let refuse = |status, code, message| Ok(Outcome::passing(Reply::refused(status, code, message)));
    let Some(payment) = load(connection, id)? else { return refuse(404, UNKNOWN, UNKNOWN_TEXT) };
    if payment.method != PayMethod::Payer {
        return refuse(422, "payment.method", "this payment is paid by a mandate");
    }
    let left = payment.amount.minor - payment.received.minor;
    let amount = amount
        .unwrap_or(Money::new(if left > 0 { left } else { payment.amount.minor }, payment.amount.currency));
    if amount.currency != payment.amount.currency {
        return refuse(422, "payment.currency", "the payment has another currency");
    }
    if amount.minor > MINOR_MAX - payment.received.minor || payment.receipts.len() >= RECEIPTS_MAX {
        return refuse(422, "payment.range", "more money or more parts than one payment can hold");
    }
    let mut applied = Vec::new();
    if act.faults.money == Some(Fault::Decline) {
        applied.push(Fault::Decline);
        let reply = Reply::refused(402, DECLINED, "the payer's bank said no");
        return Ok(Outcome { reply, applied, keep: false });
    }
    money_comes(connection, act, id, amount, act.faults.money, &mut applied)?;
    Ok(Outcome::kept(Reply::json(200, &must(load(connection, id)?)?)?, applied))
}

/// `POST /v1/payments/{id}/cancel`: only while no money has come. What comes later stands as a receipt all the same.
pub(super) fn cancel(connection: &Connection, act: Act, id: &str) -> Result<Outcome, SandboxError> {
    let Some(payment) = load(connection, id)? else {
        return Ok(Outcome::passing(Reply::refused(404, UNKNOWN, UNKNOWN_TEXT)));
    };
    let refuse = |code, message| Ok(Outcome::kept(Reply::refused(422, code, message), Vec::new()));
    let mut applied = Vec::new();
    match payment.status {
        PaymentWord::Cancelled => {}
        PaymentWord::Refused => return refuse("payment.refused", "the payment was refused before"),
        PaymentWord::Paid | PaymentWord::Open if payment.received.minor > 0 => {
            return refuse("payment.has_money", "money has come: refund it instead");
        }
        PaymentWord::Paid | PaymentWord::Open => {
            set_state(connection, id, "cancelled", None)?;
            emit(connection, act, EventKind::PaymentCancelled, id, &mut applied)?;
        }
    }
    Ok(Outcome::kept(Reply::json(200, &must(load(connection, id)?)?)?, applied))
}

/// Late money whose time has come: row number and payment.
pub(super) fn late_due(connection: &Connection, now: Time) -> Result<Vec<i64>, SandboxError> {
    let sql = "SELECT seq FROM late_money WHERE due_at <= ?1 ORDER BY due_at, seq";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([now.micros()], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// When the next late money comes.
pub(super) fn late_next(connection: &Connection) -> Result<Option<Time>, SandboxError> {
    let sql = "SELECT MIN(due_at) FROM late_money";
    let due: Option<i64> = connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
    Ok(due.map(Time::from_micros))
}

/// Takes in one late money; gives the faults that took effect.
pub(super) fn late_arrives(connection: &Connection, act: Act, seq: i64) -> Result<Vec<Fault>, SandboxError> {
    let sql = "DELETE FROM late_money WHERE seq = ?1 RETURNING payment, minor";
    let row: Option<(String, i64)> =
        connection.prepare_cached(sql)?.query_row([seq], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let mut applied = Vec::new();
    if let Some((id, minor)) = row {
        let payment = must(load(connection, &id)?)?;
        // Parts that came in between may have used up the room; then the payer's bank keeps its money.
        if minor <= MINOR_MAX - payment.received.minor && payment.receipts.len() < RECEIPTS_MAX {
            receive(connection, act, &id, Money::new(minor, payment.amount.currency), &mut applied)?;
        }
    }
    Ok(applied)
}

/// An amount is on its way; a fault decides how much of it comes, how often and when.
fn money_comes(
    connection: &Connection,
    act: Act,
    id: &str,
    amount: Money,
    fault: Option<Fault>,
    applied: &mut Vec<Fault>,
) -> Result<(), SandboxError> {
    let part = (amount.minor / 10).max(1);
    let arrivals = match fault {
        Some(Fault::ProcessingForever) => vec![],
        Some(Fault::LateMoney) => {
            let due_at = act.now.plus(LATE_MONEY).micros();
            let sql = "INSERT INTO late_money (payment, minor, due_at) VALUES (?1, ?2, ?3)";
            connection.prepare_cached(sql)?.execute(params![id, amount.minor, due_at])?;
            vec![]
        }
        Some(Fault::OverPayment) => vec![amount.minor + part],
        Some(Fault::UnderPayment) => vec![amount.minor - part],
        Some(Fault::DoublePayment) => vec![amount.minor, amount.minor],
        _ => vec![amount.minor],
    };
    let received = must(load(connection, id)?)?.received.minor;
    let fits = arrivals.iter().all(|minor| *minor > 0)
        && arrivals
            .iter()
            .try_fold(received, |sum, minor| sum.checked_add(*minor))
            .is_some_and(|sum| sum <= MINOR_MAX);
    // A fault that would make an impossible amount does not take effect.
    let arrivals = if fits { arrivals } else { vec![amount.minor] };
    applied.extend(fault.filter(|_| fits));
    for minor in arrivals {
        receive(connection, act, id, Money::new(minor, amount.currency), applied)?;
    }
    Ok(())
}

/// Money is there: receipt, entry, event.
fn receive(
    connection: &Connection,
    act: Act,
    payment: &str,
    amount: Money,
    applied: &mut Vec<Fault>,
) -> Result<(), SandboxError> {
    let id = next_id(connection, "rcp", "receipt")?;
    let sql = "INSERT INTO receipt (id, payment, minor, at) VALUES (?1, ?2, ?3, ?4)";
    connection.prepare_cached(sql)?.execute(params![id, payment, amount.minor, act.now.micros()])?;
    books::received(connection, &id, amount, act.now)?;
    emit(connection, act, EventKind::PaymentReceived, payment, applied)
}

fn emit(
    connection: &Connection,
    act: Act,
    kind: EventKind,
    id: &str,
    applied: &mut Vec<Fault>,
) -> Result<(), SandboxError> {
    let data = EventData::Payment(must(load(connection, id)?)?);
    webhooks::enqueue(connection, act, kind, data, applied)
}

fn set_state(connection: &Connection, id: &str, state: &str, code: Option<&str>) -> Result<(), SandboxError> {
    let sql = "UPDATE payment SET state = ?2, code = ?3 WHERE id = ?1";
    connection.prepare_cached(sql)?.execute(params![id, state, code])?;
    Ok(())
}

/// Code of a payment that is not there.
pub(super) const UNKNOWN: &str = "payment.unknown";
/// Text for [`UNKNOWN`].
pub(super) const UNKNOWN_TEXT: &str = "there is no such payment";

const COLUMNS: &str = "
    SELECT p.id, p.key, p.state, p.code, p.minor, p.currency, p.reference, p.description, p.method, p.created_at,
      (SELECT COALESCE(SUM(minor), 0) FROM refund WHERE payment = p.id AND state = 'succeeded')
    FROM payment p ";

/// A payment by its id.
pub(super) fn load(connection: &Connection, id: &str) -> Result<Option<PaymentView>, SandboxError> {
    find(connection, "WHERE p.id = ?1", id)
}

/// A payment by the key that made it.
pub(super) fn load_by_key(connection: &Connection, key: &str) -> Result<Option<PaymentView>, SandboxError> {
    find(connection, "WHERE p.key = ?1", key)
}

/// The first payments, at most `limit`.
pub(super) fn first(connection: &Connection, limit: usize) -> Result<Vec<PaymentView>, SandboxError> {
    let mut statement = connection.prepare_cached(&format!("{COLUMNS} ORDER BY p.seq LIMIT ?1"))?;
    let mut rows = statement.query([i64::try_from(limit).unwrap_or(i64::MAX)])?;
    let mut payments = Vec::new();
    while let Some(row) = rows.next()? {
        payments.push(view(connection, row)?);
    }
    Ok(payments)
}

fn find(connection: &Connection, by: &str, value: &str) -> Result<Option<PaymentView>, SandboxError> {
    let mut statement = connection.prepare_cached(&format!("{COLUMNS}{by}"))?;
    let mut rows = statement.query([value])?;
    rows.next()?.map(|row| view(connection, row)).transpose()
}

fn view(connection: &Connection, row: &Row<'_>) -> Result<PaymentView, SandboxError> {
    let id = reference(row.get(0)?)?;
    let currency = books::currency(&row.get::<_, String>(5)?)?;
    let amount = Money::new(row.get(4)?, currency);
    let receipts = receipts(connection, &id, amount)?;
    let received = Money::new(receipts.iter().map(|receipt| receipt.amount.minor).sum(), currency);
    let status = match row.get::<_, String>(2)?.as_str() {
        "open" if received.minor >= amount.minor => PaymentWord::Paid,
        "open" => PaymentWord::Open,
        "cancelled" => PaymentWord::Cancelled,
        "refused" => PaymentWord::Refused,
        _ => return Err(SandboxError::Corrupt("payment state")),
    };
    let method = match row.get::<_, String>(8)?.as_str() {
        "mandate" => PayMethod::Mandate,
        "payer" => PayMethod::Payer,
        _ => return Err(SandboxError::Corrupt("payment method")),
    };
    Ok(PaymentView {
        pay_path: format!("/payer/payments/{id}/pay"),
        id,
        key: row.get(1)?,
        status,
        code: row.get(3)?,
        amount,
        received,
        refunded: Money::new(row.get(10)?, currency),
        receipts,
        reference: row.get(6)?,
        description: row.get(7)?,
        method,
        created_at: Time::from_micros(row.get(9)?),
    })
}

fn receipts(
    connection: &Connection,
    payment: &RailRef,
    like: Money,
) -> Result<Vec<ReceiptView>, SandboxError> {
    let sql = "SELECT id, minor, at FROM receipt WHERE payment = ?1 ORDER BY seq";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([payment.as_str()])?;
    let mut receipts = Vec::new();
    while let Some(row) = rows.next()? {
        receipts.push(ReceiptView {
            id: reference(row.get(0)?)?,
            amount: Money::new(row.get(1)?, like.currency),
            at: Time::from_micros(row.get(2)?),
        });
    }
    Ok(receipts)
}

/// An id of a row.
pub(super) fn reference(id: String) -> Result<RailRef, SandboxError> {
    RailRef::try_from(id).map_err(|_| SandboxError::Corrupt("id"))
}

/// A payment that a row of ours names.
fn must(payment: Option<PaymentView>) -> Result<PaymentView, SandboxError> {
    payment.ok_or(SandboxError::Corrupt("payment reference"))
}
