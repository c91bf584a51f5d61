//! One key moves money once (draft-ietf-httpapi-idempotency-key-header-07).
//!
//! 400 without a key, 409 while the first call runs, 422 for another request under the same key, and else the answer
//! that the first call had. Always: the kept answer is written in the commit of the movement itself.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::HeaderMap;
use rusqlite::{Connection, OptionalExtension, params};
use souk_domain::time::Time;

use super::reply::{Outcome, Reply};
use super::store::SandboxError;
use super::wire::{KEY_CHARS_MAX, KEY_HEADER};

/// The keys whose calls are running.
#[derive(Clone, Default)]
pub(super) struct Running(Arc<Mutex<BTreeSet<String>>>);

/// A key that is taken until this is dropped, with its call or with the connection.
pub(super) struct Taken {
    key: String,
    running: Running,
}

impl Running {
    /// Takes a key, or refuses 409 `idempotency.in_progress`.
    pub(super) fn take(&self, key: &str) -> Result<Taken, Reply> {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.insert(key.to_owned()) {
            Ok(Taken { key: key.to_owned(), running: self.clone() })
        } else {
            Err(Reply::refused(
                409,
                "idempotency.in_progress",
                "the first call with this key is still running",
            ))
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.running.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

/// The key of a request: 1 to [`KEY_CHARS_MAX`] visible ASCII characters. Refuses 400 `idempotency.missing`,
/// `idempotency.key_form`.
pub(super) fn key_of(headers: &HeaderMap) -> Result<String, Reply> {
    let mut values = headers.get_all(KEY_HEADER).iter();
    let first = values.next();
    let value = first
        .ok_or_else(|| Reply::refused(400, "idempotency.missing", "header Idempotency-Key is missing"))?;
    let visible = |bytes: &[u8]| bytes.iter().all(u8::is_ascii_graphic);
    match value.to_str() {
        Ok(key)
            if values.next().is_none()
                && visible(key.as_bytes())
                && (1..=KEY_CHARS_MAX).contains(&key.len()) =>
        {
            Ok(key.to_owned())
        }
        _ => Err(Reply::refused(400, "idempotency.key_form", "one key of 1 to 255 visible ASCII characters")),
    }
}

/// Runs `work` unless the key has an answer already. `request` is the call and its body in one canonical text.
pub(super) fn keyed(
    connection: &Connection,
    key: &str,
    request: &str,
    now: Time,
    work: impl FnOnce() -> Result<Outcome, SandboxError>,
) -> Result<Outcome, SandboxError> {
    let found = connection
        .prepare_cached("SELECT request, status, reply FROM idempotency WHERE key = ?1")?
        .query_row([key], |row| {
            Ok((row.get::<_, String>(0)?, Reply { status: row.get(1)?, body: row.get(2)? }))
        })
        .optional()?;
    match found {
        Some((first_request, reply)) if first_request == request => Ok(Outcome::passing(reply)),
        Some(_) => Ok(Outcome::passing(Reply::refused(
            422,
            "idempotency.key_reused",
            "this key belongs to another request",
        ))),
        None => {
            let outcome = work()?;
            if outcome.keep {
                let sql =
                    "INSERT INTO idempotency (key, request, status, reply, at) VALUES (?1, ?2, ?3, ?4, ?5)";
                let reply = &outcome.reply;
                connection.prepare_cached(sql)?.execute(params![
                    key,
                    request,
                    reply.status,
                    reply.body,
                    now.micros()
                ])?;
            }
            Ok(outcome)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_at_their_limits() {
        let code = |keys: &[&str]| {
            let mut headers = HeaderMap::new();
            for key in keys {
                headers.append(KEY_HEADER, axum::http::HeaderValue::from_bytes(key.as_bytes()).unwrap());
            }
            key_of(&headers)
                .map_or_else(|reply| (reply.status, reply.body.contains("key_form")), |_| (200, false))
        };
        let (longest, longer) = ("k".repeat(KEY_CHARS_MAX), "k".repeat(KEY_CHARS_MAX + 1));
        for (keys, expected) in [
            (&[][..], (400, false)),
            (&["k"][..], (200, false)),
            (&[longest.as_str()][..], (200, false)),
            (&[longer.as_str()][..], (400, true)),
            (&[""][..], (400, true)),
            (&["a b"][..], (400, true)),
            (&["é"][..], (400, true)),
            (&["a", "a"][..], (400, true)),
        ] {
            assert_eq!(code(keys), expected, "{keys:?}");
        }
    }

    #[test]
    fn a_key_is_free_again_when_its_call_has_gone() {
        let running = Running::default();
        let taken = running.take("k").ok().unwrap();
        assert_eq!(running.take("k").err().map(|reply| reply.status), Some(409));
        assert!(running.take("other").is_ok());
        drop(taken);
        assert!(running.take("k").is_ok());
    }
}
