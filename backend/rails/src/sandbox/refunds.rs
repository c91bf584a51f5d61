//! Refunds of the sandbox: done at once, or refused with a reason; both are objects that can be asked for.
//!
//! Rules: spec/money.md 6. Always: never more goes back than has come; refund, entry and event are one commit.

use rusqlite::{Connection, Row, params};
use souk_domain::money::Money;
use souk_domain::time::Time;

use super::books;
use super::payments::{self, Act};
use super::reply::{Outcome, Reply};
use super::store::{SandboxError, next_id};
use super::webhooks;
use super::wire::{EventData, EventKind, RefundRequest, RefundView, RefundWord};

/// Code of a refund that is not there.
pub(super) const UNKNOWN: &str = "refund.unknown";
/// Text for [`UNKNOWN`].
pub(super) const UNKNOWN_TEXT: &str = "there is no such refund";

/// `POST /v1/refunds`.
pub(super) fn create(
    connection: &Connection,
    act: Act,
    key: &str,
    request: &RefundRequest,
) -> Result<Outcome, SandboxError> {
    let Some(payment) = payments::load(connection, request.payment.as_str())? else {
        return Ok(Outcome::passing(Reply::refused(404, payments::UNKNOWN, payments::UNKNOWN_TEXT)));
    };
    let refusal = if request.amount.currency != payment.amount.currency {
        Some(("refund.currency", "the payment has another currency"))
    } else if request.amount.minor > payment.received.minor - payment.refunded.minor {
        Some(("refund.over_received", "more than has come and not gone back yet"))
    } else {
        None
    };
    let id = next_id(connection, "ref", "refund")?;
    let sql = "INSERT INTO refund (id, key, payment, state, code, minor, currency, created_at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    connection.prepare_cached(sql)?.execute(params![
        id,
        key,
        request.payment.as_str(),
        if refusal.is_some() { "refused" } else { "succeeded" },
        refusal.map(|(code, _)| code),
        request.amount.minor,
        request.amount.currency.code(),
        act.now.micros()
    ])?;
    let view = load(connection, &id)?.ok_or(SandboxError::Corrupt("refund reference"))?;
    let mut applied = Vec::new();
    let (kind, reply) = match refusal {
        None => {
            books::refunded(connection, &id, request.amount, act.now)?;
            (EventKind::RefundSucceeded, Reply::json(201, &view)?)
        }
        Some((code, message)) => (EventKind::RefundRefused, Reply::refused(422, code, message)),
    };
    webhooks::enqueue(connection, act, kind, EventData::Refund(view), &mut applied)?;
    Ok(Outcome::kept(reply, applied))
}

const COLUMNS: &str = "SELECT id, key, payment, state, code, minor, currency, created_at FROM refund ";

/// A refund by its id.
pub(super) fn load(connection: &Connection, id: &str) -> Result<Option<RefundView>, SandboxError> {
    find(connection, "WHERE id = ?1", id)
}

/// A refund by the key that made it.
pub(super) fn load_by_key(connection: &Connection, key: &str) -> Result<Option<RefundView>, SandboxError> {
    find(connection, "WHERE key = ?1", key)
}

/// The first refunds, at most `limit`.
pub(super) fn first(connection: &Connection, limit: usize) -> Result<Vec<RefundView>, SandboxError> {
    let mut statement = connection.prepare_cached(&format!("{COLUMNS} ORDER BY seq LIMIT ?1"))?;
    let mut rows = statement.query([i64::try_from(limit).unwrap_or(i64::MAX)])?;
    let mut refunds = Vec::new();
    while let Some(row) = rows.next()? {
        refunds.push(view(row)?);
    }
    Ok(refunds)
}

fn find(connection: &Connection, by: &str, value: &str) -> Result<Option<RefundView>, SandboxError> {
    let mut statement = connection.prepare_cached(&format!("{COLUMNS}{by}"))?;
    let mut rows = statement.query([value])?;
    rows.next()?.map(view).transpose()
}

fn view(row: &Row<'_>) -> Result<RefundView, SandboxError> {
    Ok(RefundView {
        id: payments::reference(row.get(0)?)?,
        key: row.get(1)?,
        payment: payments::reference(row.get(2)?)?,
        status: match row.get::<_, String>(3)?.as_str() {
            "succeeded" => RefundWord::Succeeded,
            "refused" => RefundWord::Refused,
            _ => return Err(SandboxError::Corrupt("refund state")),
        },
        code: row.get(4)?,
        amount: Money::new(row.get(5)?, books::currency(&row.get::<_, String>(6)?)?),
        created_at: Time::from_micros(row.get(7)?),
    })
}
