//! What the toy's users were told: the oracle that both sides are held against.

use std::collections::BTreeMap;

use super::wire::Intent;
use crate::disk::HostId;
use crate::world::{Checked, Violation};

#[derive(Clone, Debug)]
pub(super) struct Tap {
    pub(super) device: HostId,
    pub(super) intent: Intent,
}

#[derive(Debug, Default)]
pub(super) struct Truth {
    /// Shown as saved: must reach exactly one outcome.
    pub(super) saved: BTreeMap<u64, Tap>,
    /// The commit failed: may be there after a restart, or not.
    pub(super) unsure: BTreeMap<u64, Tap>,
    /// Told to somebody as decided: must never change.
    outcomes: BTreeMap<u64, bool>,
}

impl Truth {
    /// A row that a restarted device shows is saved, whatever its commit had said.
    pub(super) fn shown(&mut self, id: u64) {
        if let Some(tap) = self.unsure.remove(&id) {
            self.saved.insert(id, tap);
        }
    }

    /// syn01: what was shown as saved is on the device's disk.
    pub(super) fn check_saved(&self, device: HostId, is_there: impl Fn(u64) -> bool) -> Checked {
        match self.saved.iter().find(|(id, tap)| tap.device == device && !is_there(**id)) {
            Some((id, _)) => Err(Violation::new("syn01", format!("LOST {id:016x} on {device}"))),
            None => Ok(()),
        }
    }

    /// syn02, syn03: decided once, as tapped, never changed, and only what somebody tapped.
    pub(super) fn decided(&mut self, device: HostId, intent: &Intent, accepted: bool) -> Checked {
        let id = intent.id;
        let Some(tap) = self.saved.get(&id).or_else(|| self.unsure.get(&id)) else {
            return Err(Violation::new("syn03", format!("PHANTOM {id:016x}: nobody tapped it")));
        };
        if tap.intent != *intent || tap.device != device {
            return Err(Violation::new("syn03", format!("ALTERED {tap:?} was decided as {intent:?}")));
        }
        match self.outcomes.insert(id, accepted) {
            Some(before) if before != accepted => {
                Err(Violation::new("syn02", format!("CHANGED {id:016x}: accepted {before}, then {accepted}")))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// syn01: what was told as decided is still decided.
    pub(super) fn check_outcomes(&self, outcome_of: impl Fn(u64) -> Option<bool>) -> Checked {
        match self.outcomes.iter().find(|(id, accepted)| outcome_of(**id) != Some(**accepted)) {
            Some((id, _)) => Err(Violation::new("syn01", format!("LOST outcome of {id:016x} on the server"))),
            None => Ok(()),
        }
    }
}
