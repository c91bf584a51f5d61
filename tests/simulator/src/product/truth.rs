//! What people were told: each act that was shown as saved, each outcome that was shown as decided (syn01-syn05).

use std::collections::{BTreeMap, BTreeSet};

use souk_domain::id::{AccountId, IntentId};
use souk_domain::intent::{Body, Intent};
use souk_domain::money::Money;
use souk_domain::time::Time;
use souk_protocol::intent::{IntentText, Mint};
use souk_protocol::outcome::OutcomeView;
use souk_protocol::sync::PushItem;

use crate::disk::HostId;
use crate::world::{Checked, Violation};

/// What somebody tapped.
#[derive(Clone, Debug)]
pub(super) struct Tapped {
    pub(super) host: HostId,
    pub(super) account: AccountId,
    pub(super) body: Body,
    pub(super) bin: Vec<u8>,
    pub(super) max_total: Option<Money>,
    /// A prediction that must come true as long as nobody else acts on the same thing.
    pub(super) sure: Option<Sure>,
}

/// A prediction with confidence *sure*, made on rows that were the server's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sure {
    pub(super) outcome: OutcomeView,
    /// How often the thing had been decided about.
    pub(super) stamp: u64,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Truth {
    /// Shown as saved: must reach exactly one outcome.
    saved: BTreeMap<IntentId, Tapped>,
    /// Shown as saved by a restarted device although its commit had failed: what it is, its text tells.
    shown: BTreeMap<IntentId, HostId>,
    /// The commit failed: may be there after a restart, or not. Its id was never told.
    unsure: Vec<Tapped>,
    /// The device was set back to a time before the tap: it may be decided, or not.
    forgiven: BTreeSet<IntentId>,
    /// Told as decided: never changes.
    outcomes: BTreeMap<IntentId, OutcomeView>,
}

/// What an item of a push is, as far as truth and oracle need it.
#[derive(Clone, Debug)]
pub(super) enum Sent {
    Text(Box<(Mint, Intent)>),
    Void(IntentId),
}

impl Sent {
    /// Reads an item. One that the device's own code cannot read back is a violation.
    pub(super) fn read(item: &PushItem) -> Result<Sent, Violation> {
        let bad = |what: String| Violation::new("syn03", format!("ALTERED: {what}"));
        match item {
            PushItem::Void(void) => Ok(Sent::Void(void.id)),
            PushItem::Malformed(value) => Err(bad(format!("an item that is none: {value}"))),
            PushItem::Intent(item) => {
                let refused = |refusal| bad(format!("{refusal:?} in {}", item.signed.text));
                let text = IntentText::parse(&item.signed.text).map_err(refused)?;
                let intent = text.intent(item.signed.bin.clone()).map_err(refused)?;
                Ok(Sent::Text(Box::new((text.mint, intent))))
            }
        }
    }

    pub(super) fn id(&self) -> IntentId {
        match self {
            Sent::Text(text) => text.0.id,
            Sent::Void(id) => *id,
        }
    }
}

impl Truth {
    /// A tap that the device has answered as saved.
    pub(super) fn saved(&mut self, id: IntentId, tapped: Tapped) -> Checked {
        match self.saved.insert(id, tapped) {
            None => Ok(()),
            Some(former) => Err(Violation::new("syn02", format!("DOUBLED {id}: {former:?} has it too"))),
        }
    }

    /// A tap whose commit has failed.
    pub(super) fn unsure(&mut self, tapped: Tapped) {
        self.unsure.push(tapped);
    }

    /// syn01: what was shown as saved is on the disk of a device that starts; what it shows now counts as shown.
    pub(super) fn started(&mut self, host: HostId, on_disk: &BTreeSet<IntentId>) -> Checked {
        let mine = self.saved.iter().filter(|(_, tapped)| tapped.host == host).map(|(id, _)| id);
        let mine = mine.chain(self.shown.iter().filter(|(_, of)| **of == host).map(|(id, _)| id));
        let lost = mine.filter(|id| !self.forgiven.contains(*id)).find(|id| !on_disk.contains(*id));
        if let Some(id) = lost {
            return Err(Violation::new("syn01", format!("LOST {id} on {host}")));
        }
        for id in on_disk {
            if !self.saved.contains_key(id) && self.shown.insert(*id, host).is_none() {
                let could_be = self.unsure.iter().any(|tapped| tapped.host == host);
                if !could_be {
                    return Err(Violation::new("syn03", format!("PHANTOM {id} on {host}: nobody tapped it")));
                }
            }
        }
        Ok(())
    }

    /// A device was set back: what it knew then is kept, what was tapped since is forgiven.
    pub(super) fn set_back(&mut self, host: HostId, known: &BTreeSet<IntentId>) {
        let mine = self.saved.iter().filter(|(_, tapped)| tapped.host == host).map(|(id, _)| *id);
        let shown = self.shown.iter().filter(|(_, of)| **of == host).map(|(id, _)| *id);
        let gone: Vec<IntentId> = mine.chain(shown).filter(|id| !known.contains(id)).collect();
        self.forgiven.extend(gone);
    }

    /// The ids that a device has shown as saved so far.
    pub(super) fn of_host(&self, host: HostId) -> BTreeSet<IntentId> {
        let mine = self.saved.iter().filter(|(_, tapped)| tapped.host == host).map(|(id, _)| *id);
        mine.chain(self.shown.iter().filter(|(_, of)| **of == host).map(|(id, _)| *id)).collect()
    }

    /// syn03: somebody tapped exactly this.
    pub(super) fn check_sent(&mut self, mint: &Mint, intent: &Intent) -> Result<Option<Sure>, Violation> {
        let id = mint.id;
        let is_same = |tapped: &Tapped| {
            tapped.account == mint.account
                && tapped.body == intent.body
                && tapped.bin == intent.bin
                && tapped.max_total == intent.max_total
        };
        if let Some(tapped) = self.saved.get(&id) {
            return match is_same(tapped) {
                true => Ok(tapped.sure.clone()),
                false => Err(Violation::new("syn03", format!("ALTERED {id}: {tapped:?} came as {intent:?}"))),
            };
        }
        let Some(at) = self.unsure.iter().position(is_same) else {
            return Err(Violation::new("syn03", format!("PHANTOM {id}: nobody tapped {intent:?}")));
        };
        let tapped = self.unsure.remove(at);
        self.shown.remove(&id);
        self.saved.insert(id, tapped);
        Ok(None)
    }

    /// syn02: one outcome an id. True = it is new.
    pub(super) fn decided(&mut self, id: IntentId, outcome: &OutcomeView) -> Result<bool, Violation> {
        match self.outcomes.get(&id) {
            None => {
                self.outcomes.insert(id, outcome.clone());
                Ok(true)
            }
            Some(former) if former == outcome => Ok(false),
            Some(former) => {
                Err(Violation::new("syn02", format!("CHANGED {id}: {former:?}, then {outcome:?}")))
            }
        }
    }

    /// The outcome that was told.
    pub(super) fn outcome(&self, id: &IntentId) -> Option<&OutcomeView> {
        self.outcomes.get(id)
    }

    /// All outcomes that were told.
    pub(super) fn outcomes(&self) -> &BTreeMap<IntentId, OutcomeView> {
        &self.outcomes
    }

    /// The server was set back: what it had decided since is open again.
    pub(super) fn with_outcomes_of(mut self, former: &Truth) -> Truth {
        self.outcomes = former.outcomes.clone();
        self
    }

    /// Acts of one account that were saved, with what is known of them.
    pub(super) fn acts_of(
        &self,
        account: AccountId,
    ) -> impl Iterator<Item = (&IntentId, &Tapped, Option<&OutcomeView>)> {
        let mine = self.saved.iter().filter(move |(_, tapped)| tapped.account == account);
        mine.map(|(id, tapped)| (id, tapped, self.outcomes.get(id)))
    }
}

/// syn04, syn05: what was accepted came in time, and charges no more than was agreed to.
pub(super) fn check_terms(intent: &Intent, mint: &Mint, outcome: &OutcomeView, now: Time) -> Checked {
    let OutcomeView::Accepted { data, .. } = outcome else { return Ok(()) };
    if now > mint.not_after {
        let text = format!("LATE {}: accepted at {now:?}, good until {:?}", mint.id, mint.not_after);
        return Err(Violation::new("syn04", text));
    }
    let charged = data.get("total").and_then(|total| total.get("minor")).and_then(serde_json::Value::as_i64);
    match (charged, intent.max_total) {
        (Some(charged), Some(max)) if charged > max.minor => {
            Err(Violation::new("syn05", format!("DEARER {}: {charged} for {}", mint.id, max.minor)))
        }
        _ => Ok(()),
    }
}
