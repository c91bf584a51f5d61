//! Time-outs: a timer row that is due becomes an act of the server (design.md 3, spec/money.md 4.1).
//!
//! Always: the act's id derives from the row's key, and the rule deletes the row, so that a timer which fires twice,
//! late, or after what it waited for changes nothing.

use souk_crypto::hash::digest;
use souk_domain::bookkeeping::Timer;
use souk_domain::id::DerivedId;
use souk_domain::intent::ServerAct;
use souk_domain::time::Time;

use crate::batch::BATCH_INTENTS_MAX;
use crate::{Answer, Ask, Engine, EngineError};

/// The act that a due timer becomes; its id is form D over the row's key.
pub fn timeout(timer: &Timer) -> Ask {
    let hash = digest(
        "souk/timeout/v1/",
        &[
            &timer.bucket.number().to_be_bytes(),
            &timer.due.micros().to_be_bytes(),
            &timer.entity,
            &[timer.kind.number()],
            &timer.generation.to_be_bytes(),
        ],
    );
    Ask::Server { id: DerivedId::derived(timer.bucket, &hash).into(), act: ServerAct::Timeout(*timer) }
}

impl Engine {
    /// Acts for the timers that are due, the oldest first; at most `limit`.
    pub async fn timeouts(&self, now: Time, limit: usize) -> Result<Vec<Ask>, EngineError> {
        let due = self.shared.store.timers_due(now, limit).await?;
        Ok(due.iter().map(timeout).collect())
    }

    /// Fires all timers that are due; answers how many.
    pub async fn fire_due(&mut self, now: Time) -> Result<usize, EngineError> {
        let mut fired = 0;
        loop {
            let asks = self.timeouts(now, BATCH_INTENTS_MAX).await?;
            let (asked, answers) = (asks.len(), self.decide_batch(asks, now).await);
            let decided = answers.iter().filter(|answer| matches!(answer, Answer::Server(_))).count();
            fired += decided;
            if asked < BATCH_INTENTS_MAX || decided < asked {
                return Ok(fired);
            }
        }
    }

    /// When the next timer is due.
    pub async fn next_due(&self) -> Result<Option<Time>, EngineError> {
        Ok(self.shared.store.timer_next().await?)
    }
}
