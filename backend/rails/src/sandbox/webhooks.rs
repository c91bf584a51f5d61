//! Webhooks out of the sandbox: a queue on disk, signed at each try, retried until somebody says 2xx.
//!
//! Not for: what a payment is. Rules: spec/money.md 6. Always: an event is written in the commit of what it tells, has
//! one id for ever, and is sent at least once unless a fault says otherwise.

use std::time::Duration;

use reqwest::{Client, Url};
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use souk_domain::time::{Span, Time};
use tokio::task::JoinSet;

use super::clock::Clock;
use super::faults::{Call, Fault};
use super::payments::{self, Act};
use super::server::App;
use super::store::{SandboxError, next_id, set_setting, setting};
use super::wire::{EventData, EventKind, EventView, SIGNATURE_HEADER};
use crate::http::Timeouts;
use crate::webhook::{SECRET_BYTES, WEBHOOK_WINDOW, signature};

/// Waits between the tries of one event; the last one repeats until somebody says 2xx.
pub const BACKOFF: [Span; 7] = [
    Span::from_secs(1),
    Span::from_secs(5),
    Span::from_secs(30),
    Span::from_minutes(2),
    Span::from_minutes(10),
    Span::from_minutes(30),
    Span::from_hours(1),
];

/// How late [`Fault::WebhookDelay`] makes an event.
pub(super) const DELAY: Span = Span::from_hours(1);

/// For how long [`Fault::WebhookReorder`] holds an event back when no later one comes.
pub(super) const REORDER_HOLD: Span = Span::from_minutes(1);

/// For one try: a receiver stores the raw event and answers, so seconds are plenty.
pub(super) const TIMEOUTS: Timeouts =
    Timeouts { connect: Duration::from_secs(2), overall: Duration::from_secs(10) };

/// Tries at the same time on the machine's clock; with a manual clock one by one, so that runs are alike.
const PARALLEL: usize = 16;

/// Events in one answer of `GET /_control/webhooks`.
pub(super) const LIST_MAX: usize = 1_000;

/// Characters of an endpoint's address.
const URL_CHARS_MAX: usize = 2_048;

/// Where events go and with what they are signed.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookEndpoint {
    /// Plain HTTP address, e.g. `http://127.0.0.1:4700/v1/rails/sandbox/webhook`.
    pub url: String,
    /// Secret of 16 to 256 bytes; never printed.
    pub secret: String,
}

impl std::fmt::Debug for WebhookEndpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WebhookEndpoint({})", self.url)
    }
}

/// What a round of deliveries has done.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize)]
pub(super) struct Delivered {
    /// Tries that were answered 2xx.
    pub(super) delivered: u64,
    /// All others.
    pub(super) failed: u64,
}

/// An event as `GET /_control/webhooks` shows it.
#[derive(Debug, Serialize)]
pub(super) struct QueuedView {
    seq: i64,
    id: String,
    #[serde(rename = "type")]
    kind: String,
    state: String,
    fault: Option<String>,
    attempts: i64,
    created_at: Time,
    next_at: Time,
    delivered_at: Option<Time>,
}

/// How many events are in each state.
#[derive(Debug, Serialize)]
pub(super) struct QueueCounts {
    queued: i64,
    delivered: i64,
    lost: i64,
}

/// Writes an event into the queue, in the commit of what it tells.
pub(super) fn enqueue(
    connection: &Connection,
    act: Act,
    kind: EventKind,
    data: EventData,
    applied: &mut Vec<Fault>,
) -> Result<(), SandboxError> {
    let id = next_id(connection, "evt", "webhook")?;
    let event = EventView { id: id.clone(), kind: kind.name().to_owned(), created_at: act.now, data };
    let body = serde_json::to_string(&event).map_err(|_| SandboxError::Corrupt("amount"))?;
    let (state, copies, next_at) = match act.faults.webhook {
        Some(Fault::WebhookLost) => ("lost", 1, act.now),
        Some(Fault::WebhookDuplicate) => ("queued", 2, act.now),
        Some(Fault::WebhookDelay) => ("queued", 1, act.now.plus(DELAY)),
        Some(Fault::WebhookReorder) => ("queued", 1, act.now.plus(REORDER_HOLD)),
        _ => ("queued", 1, act.now),
    };
    applied.extend(act.faults.webhook);
    let sql = "INSERT INTO webhook (id, kind, body, fault, state, copies, created_at, next_at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    connection.prepare_cached(sql)?.execute(params![
        id,
        kind.name(),
        body,
        act.faults.webhook.map(fault_name).transpose()?,
        state,
        copies,
        act.now.micros(),
        next_at.micros()
    ])?;
    Ok(())
}

/// The name of a fault as rows hold it.
fn fault_name(fault: Fault) -> Result<String, SandboxError> {
    match serde_json::to_value(fault) {
        Ok(serde_json::Value::String(name)) => Ok(name),
        _ => Err(SandboxError::Corrupt("fault")),
    }
}

/// Checks an endpoint and makes it the one that events go to. Refuses `control.endpoint`.
pub(super) fn set_endpoint(connection: &Connection, endpoint: &WebhookEndpoint) -> Result<(), SandboxError> {
    let url = Url::parse(&endpoint.url).map_err(|_| SandboxError::Endpoint)?;
    let good = url.scheme() == "http" && url.has_host() && endpoint.url.len() <= URL_CHARS_MAX;
    if !good || !SECRET_BYTES.contains(&endpoint.secret.len()) {
        return Err(SandboxError::Endpoint);
    }
    set_setting(connection, "webhook_url", &endpoint.url)?;
    set_setting(connection, "webhook_secret", &endpoint.secret)
}

fn endpoint(connection: &Connection) -> Result<Option<WebhookEndpoint>, SandboxError> {
    let (url, secret) = (setting(connection, "webhook_url")?, setting(connection, "webhook_secret")?);
    Ok(url.zip(secret).map(|(url, secret)| WebhookEndpoint { url, secret }))
}

/// One try that is due.
struct Try {
    seq: i64,
    body: String,
    fault: Option<Fault>,
    attempts: i64,
}

fn due(connection: &Connection, now: Time, limit: usize) -> Result<Vec<Try>, SandboxError> {
    let sql = "SELECT seq, body, fault, attempts FROM webhook WHERE state = 'queued' AND next_at <= ?1
               ORDER BY next_at, seq LIMIT ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![now.micros(), limit as i64])?;
    let mut tries = Vec::new();
    while let Some(row) = rows.next()? {
        let fault: Option<String> = row.get(2)?;
        let fault = fault.map(|name| serde_json::from_value(name.into())).transpose();
        tries.push(Try {
            seq: row.get(0)?,
            body: row.get(1)?,
            fault: fault.map_err(|_| SandboxError::Corrupt("fault"))?,
            attempts: row.get(3)?,
        });
    }
    Ok(tries)
}

/// Writes what became of one try.
fn record(connection: &Connection, seq: i64, attempts: i64, ok: bool, now: Time) -> Result<(), SandboxError> {
    if ok {
        let sql = "UPDATE webhook SET attempts = attempts + 1, copies = copies - 1, next_at = ?2,
                     state = CASE WHEN copies = 1 THEN 'delivered' ELSE state END,
                     delivered_at = COALESCE(delivered_at, ?2)
                   WHERE seq = ?1";
        connection.prepare_cached(sql)?.execute(params![seq, now.micros()])?;
        // Something later has come through: what was held back to come after it is free.
        let sql = "UPDATE webhook SET next_at = MIN(next_at, ?2)
                   WHERE state = 'queued' AND fault = 'webhook_reorder' AND attempts = 0 AND seq < ?1";
        connection.prepare_cached(sql)?.execute(params![seq, now.micros()])?;
    } else {
        let wait = BACKOFF[usize::try_from(attempts).unwrap_or(0).min(BACKOFF.len() - 1)];
        let sql = "UPDATE webhook SET attempts = attempts + 1, next_at = ?2 WHERE seq = ?1";
        connection.prepare_cached(sql)?.execute(params![seq, now.plus(wait).micros()])?;
    }
    Ok(())
}

/// When something is next to be done without anybody's call.
pub(super) fn next_wake(connection: &Connection) -> Result<Option<Time>, SandboxError> {
    let sql = "SELECT MIN(next_at) FROM webhook WHERE state = 'queued'";
    let webhook: Option<i64> = connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
    let webhook =
        webhook.map(Time::from_micros).filter(|_| endpoint(connection).is_ok_and(|found| found.is_some()));
    Ok([webhook, payments::late_next(connection)?].into_iter().flatten().min())
}

/// Makes held events due now: the named ones, lost ones included, or all that are queued. Gives their number.
pub(super) fn release(
    connection: &Connection,
    ids: Option<&[String]>,
    now: Time,
) -> Result<usize, SandboxError> {
    let Some(ids) = ids else {
        let sql = "UPDATE webhook SET next_at = ?1 WHERE state = 'queued' AND next_at > ?1";
        return Ok(connection.prepare_cached(sql)?.execute([now.micros()])?);
    };
    let sql = "UPDATE webhook SET next_at = ?2, state = 'queued' WHERE id = ?1 AND state <> 'delivered'";
    let mut statement = connection.prepare_cached(sql)?;
    ids.iter().try_fold(0, |sum, id| Ok(sum + statement.execute(params![id, now.micros()])?))
}

/// Events after a number, oldest first, at most [`LIST_MAX`].
pub(super) fn list(connection: &Connection, after: i64) -> Result<Vec<QueuedView>, SandboxError> {
    let sql = "SELECT seq, id, kind, state, fault, attempts, created_at, next_at, delivered_at FROM webhook
               WHERE seq > ?1 ORDER BY seq LIMIT ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params![after, LIST_MAX as i64], |row| {
        Ok(QueuedView {
            seq: row.get(0)?,
            id: row.get(1)?,
            kind: row.get(2)?,
            state: row.get(3)?,
            fault: row.get(4)?,
            attempts: row.get(5)?,
            created_at: Time::from_micros(row.get(6)?),
            next_at: Time::from_micros(row.get(7)?),
            delivered_at: row.get::<_, Option<i64>>(8)?.map(Time::from_micros),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many events are in each state.
pub(super) fn counts(connection: &Connection) -> Result<QueueCounts, SandboxError> {
    let count = |state: &str| {
        let sql = "SELECT COUNT(*) FROM webhook WHERE state = ?1";
        let found: Option<i64> =
            connection.prepare_cached(sql)?.query_row([state], |row| row.get(0)).optional()?;
        Ok::<_, SandboxError>(found.unwrap_or(0))
    };
    Ok(QueueCounts { queued: count("queued")?, delivered: count("delivered")?, lost: count("lost")? })
}

/// Does whatever is due: late money first, then events, until nothing is due any more. One round at a time.
pub(super) async fn pump(app: &App) -> Result<Delivered, SandboxError> {
    let _one_round = app.delivering.lock().await;
    let mut total = Delivered::default();
    let limit = if matches!(app.clock, Clock::Real) { PARALLEL } else { 1 };
    loop {
        let now = app.clock.now();
        late_money(app, now).await?;
        let (to, tries) = app
            .store
            .run(move |connection| Ok((endpoint(connection)?, due(connection, now, limit)?)))
            .await?;
        let Some(to) = to.filter(|_| !tries.is_empty()) else { return Ok(total) };
        let mut sending = JoinSet::new();
        for one in tries {
            let (http, to) = (app.http.clone(), to.clone());
            sending.spawn(async move { (one.seq, one.attempts, send(&http, &to, one, now).await) });
        }
        let results = sending.join_all().await;
        let ok = results.iter().filter(|(_, _, ok)| *ok).count() as u64;
        total.delivered += ok;
        total.failed += results.len() as u64 - ok;
        let now = app.clock.now();
        app.store
            .run(move |connection| {
                results
                    .iter()
                    .try_for_each(|(seq, attempts, ok)| record(connection, *seq, *attempts, *ok, now))
            })
            .await?;
    }
}

async fn late_money(app: &App, now: Time) -> Result<(), SandboxError> {
    for seq in app.store.run(move |connection| payments::late_due(connection, now)).await? {
        let act = Act { now, faults: app.faults.of_call(Call::MoneyLate) };
        app.faults
            .count(app.store.run(move |connection| payments::late_arrives(connection, act, seq)).await?);
    }
    Ok(())
}

/// One try; true when the receiver said 2xx.
async fn send(http: &Client, to: &WebhookEndpoint, one: Try, now: Time) -> bool {
    let first_fault = one.fault.filter(|_| one.attempts == 0);
    let header = match first_fault {
        Some(Fault::WebhookBadSignature) => signature("a secret of nobody", one.body.as_bytes(), now),
        Some(Fault::WebhookOld) => {
            let old = now.minus(WEBHOOK_WINDOW).minus(Span::from_secs(1));
            signature(&to.secret, one.body.as_bytes(), old)
        }
        _ => signature(&to.secret, one.body.as_bytes(), now),
    };
    let request = http
        .post(&to.url)
        .header(SIGNATURE_HEADER, header)
        .header("content-type", "application/json")
        .body(one.body);
    match request.send().await {
        Ok(response) => response.status().is_success(),
        Err(_) => false,
    }
}

/// Runs rounds for as long as the server lives: after every commit with news, and when the next event is due.
pub(super) async fn run(app: &App) {
    loop {
        // A round that fails is tried again with the next news or due event; its events are still in the queue.
        if let Err(error) = pump(app).await {
            tracing::error!(%error, "webhooks of the sandbox could not be sent");
        }
        let next = app.store.run(next_wake).await.ok().flatten();
        let due = async {
            match next {
                Some(at) => app.clock.sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = app.wake.notified() => {}
            () = due => {}
        }
    }
}
