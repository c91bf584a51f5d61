//! The way of a sign-in code to its contact: a port, and the sandbox's mailbox behind it.
//!
//! Not for: making or checking codes (`souk_engine::sign_in`). Always: nothing here writes a contact or a code to a
//! log.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use serde::Serialize;
use souk_domain::time::Time;

/// Contacts whose codes a sandbox keeps.
pub(crate) const CONTACTS_MAX: usize = 10_000;
/// Codes kept of one contact: those of an hour.
pub(crate) const CODES_MAX: usize = 3;

/// Brings a code to its contact: mail or SMS. Called beside the answer, so that its time tells nobody anything.
#[async_trait]
pub trait CodeSender: Send + Sync {
    /// Sends; a failure is logged by the sender and never seen by the asker. Detached: runs to its end.
    async fn send(&self, contact: &str, code: &str, now: Time);
}

/// A code that a sandbox would have sent.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct SentCode {
    /// The code.
    pub code: String,
    /// When.
    pub at: Time,
}

impl std::fmt::Debug for SentCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SentCode").field("at", &self.at).finish_non_exhaustive()
    }
}

/// Keeps codes instead of sending them, for `GET /_sandbox/codes?contact=`: demos and tests alone.
#[derive(Debug, Default)]
pub struct SandboxMailbox {
    sent: Mutex<BTreeMap<String, VecDeque<SentCode>>>,
}

impl SandboxMailbox {
    /// Codes sent to a contact in its canonical form, the newest first.
    pub fn codes(&self, contact: &str) -> Vec<SentCode> {
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.get(contact).map(|codes| codes.iter().rev().cloned().collect()).unwrap_or_default()
    }
}

#[async_trait]
impl CodeSender for SandboxMailbox {
    async fn send(&self, contact: &str, code: &str, now: Time) {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        if sent.len() >= CONTACTS_MAX && !sent.contains_key(contact) {
            sent.pop_first();
        }
        let codes = sent.entry(contact.to_owned()).or_default();
        if codes.len() >= CODES_MAX {
            codes.pop_front();
        }
        codes.push_back(SentCode { code: code.to_owned(), at: now });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_mailbox_is_bounded() {
        let mailbox = SandboxMailbox::default();
        for n in 0..=CODES_MAX {
            mailbox.send("a@example.com", &n.to_string(), Time::from_secs(n as i64)).await;
        }
        let codes: Vec<String> = mailbox.codes("a@example.com").into_iter().map(|sent| sent.code).collect();
        assert_eq!(codes, ["3", "2", "1"]);
        for n in 0..CONTACTS_MAX {
            mailbox.send(&format!("b{n}@example.com"), "1", Time::from_secs(0)).await;
        }
        assert!(mailbox.codes("a@example.com").is_empty(), "the place of the first one was needed");
        assert_eq!(mailbox.codes("b9999@example.com").len(), 1);
    }
}
