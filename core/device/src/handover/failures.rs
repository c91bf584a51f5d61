//! Failed checks are counted, so that nobody tries codes by the hundred (spec/logistics.md 4.5).

use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use souk_domain::outcome::Refusal;

use crate::clock::Now;
use crate::error::{SoukError, StoreResult};
use crate::host::DeviceHost;
use crate::limits::{PROOF_FAILURES_MAX, PROOF_FAILURES_SPAN_MS, PROOF_PAUSE_MS};
use crate::store::meta;

/// Name in `meta`.
const FAILURES: &str = "proof_failures";

/// Failed checks of this boot, oldest first. A restart of the program forgets none.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
struct Failures {
    boot: u64,
    /// Milliseconds since boot.
    at_mono: Vec<u64>,
    /// Nothing is checked before this.
    until_mono: u64,
}

impl Failures {
    fn of_now(conn: &Connection, now: Now) -> StoreResult<Failures> {
        let kept: Option<Failures> = meta::json(conn, FAILURES)?;
        let fresh = Failures { boot: now.boot, ..Failures::default() };
        Ok(kept.filter(|kept| kept.boot == now.boot).unwrap_or(fresh))
    }

    fn add(&mut self, now: Now) {
        self.at_mono.retain(|at| now.mono_ms.saturating_sub(*at) < PROOF_FAILURES_SPAN_MS);
        self.at_mono.push(now.mono_ms);
        if self.at_mono.len() >= PROOF_FAILURES_MAX {
            self.at_mono.clear();
            self.until_mono = now.mono_ms.saturating_add(PROOF_PAUSE_MS);
        }
    }
}

impl DeviceHost {
    /// Runs the check of a scanned message; a failure is counted, and too many make the device wait. Refuses
    /// `proof.slow_down{wait_ms}`, and what the check refuses.
    pub(crate) fn checked<T>(
        &mut self,
        now: Now,
        check: impl FnOnce(&mut DeviceHost) -> Result<T, SoukError>,
    ) -> Result<T, SoukError> {
        let until = Failures::of_now(&self.files()?.user, now)?.until_mono;
        if now.mono_ms < until {
            let wait_ms = i64::try_from(until - now.mono_ms).unwrap_or(i64::MAX);
            return Err(Refusal::new("proof.slow_down").with("wait_ms", wait_ms).into());
        }
        let done = check(self);
        if done.as_ref().is_err_and(|error| is_counted(&error.code)) {
            self.user_tx(|tx| {
                let mut failures = Failures::of_now(tx, now)?;
                failures.add(now);
                meta::put_json(tx, FAILURES, &failures)
            })?;
        }
        done
    }
}

/// Codes of messages that were read and not believed.
fn is_counted(code: &str) -> bool {
    ["proof.", "label.", "handover.", "ack."].iter().any(|area| code.starts_with(area))
}

#[cfg(test)]
mod tests {
    use souk_domain::time::Time;

    use super::*;

    fn now(mono_ms: u64) -> Now {
        Now { mono_ms, boot: 1, wall: Time::from_secs(0) }
    }

    #[test]
    fn the_last_failure_of_too_many_makes_it_wait() {
        let mut failures = Failures { boot: 1, ..Failures::default() };
        for n in 1..PROOF_FAILURES_MAX as u64 {
            failures.add(now(n));
        }
        assert_eq!(failures.until_mono, 0, "one fewer is allowed");
        let mut spread = failures.clone();
        spread.add(now(PROOF_FAILURES_SPAN_MS + 1));
        assert_eq!(spread.until_mono, 0, "the first one is too old to count");
        failures.add(now(20_000));
        assert_eq!(failures.until_mono, 20_000 + PROOF_PAUSE_MS);
        assert!(failures.at_mono.is_empty(), "counted anew behind the pause");
    }

    #[test]
    fn what_counts() {
        assert!(is_counted("proof.signature") && is_counted("handover.replay") && is_counted("ack.parcel"));
        assert!(!is_counted("shift.not_open") && !is_counted("id.check_digit") && !is_counted("store.full"));
    }
}
