//! The sandbox's clock: the machine's, or one that stands still until it is moved on.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use souk_domain::time::{Span, Time};
use tokio::sync::watch;

/// Where a manual clock of a new data folder starts: 2026-01-01 00:00:00 UTC.
pub(super) const MANUAL_START: Time = Time::from_secs(1_767_225_600);

/// The longest single sleep on the machine's clock, so that a far due time cannot overflow a timer.
const SLEEP_MAX: Duration = Duration::from_secs(3_600);

#[derive(Clone)]
pub(super) enum Clock {
    Real,
    Manual(watch::Sender<Time>),
}

impl Clock {
    pub(super) fn manual(start: Time) -> Clock {
        Clock::Manual(watch::Sender::new(start))
    }

    pub(super) fn now(&self) -> Time {
        match self {
            Clock::Real => {
                // A machine whose clock stands before 1970 gets 1970; every comparison still works.
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Time::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
            }
            Clock::Manual(now) => *now.borrow(),
        }
    }

    /// Moves a manual clock on; `None` when the clock is the machine's.
    pub(super) fn advance(&self, by: Span) -> Option<Time> {
        match self {
            Clock::Real => None,
            Clock::Manual(now) => {
                now.send_modify(|now| *now = now.plus(by));
                Some(*now.borrow())
            }
        }
    }

    /// Returns at `due` or later.
    pub(super) async fn sleep_until(&self, due: Time) {
        match self {
            Clock::Real => loop {
                let left = due.since(self.now()).micros();
                match u64::try_from(left) {
                    Ok(micros) if micros > 0 => {
                        tokio::time::sleep(Duration::from_micros(micros).min(SLEEP_MAX)).await;
                    }
                    _ => return,
                }
            },
            Clock::Manual(now) => {
                // The sender is in `self`, so that the channel cannot close under us.
                let _ = now.subscribe().wait_for(|now| *now >= due).await;
            }
        }
    }
}
