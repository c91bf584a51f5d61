//! Taps: one local transaction, then the screen may say *saved* (spec/sync.md 3.4); and what a person does with what
//! is pending.

use std::sync::Arc;

use rusqlite::Connection;
use souk_domain::id::IntentId;
use souk_domain::intent::Body;
use souk_domain::outcome::{Facts, Outcome, Refusal};
use souk_protocol::outcome::OutcomeView;

use super::{DeviceHost, Output};
use crate::clock::Now;
use crate::error::{SoukError, StoreResult};
use crate::outbox::enqueue::{self, Draft, Tap};
use crate::outbox::{Confidence, Predicted, clocked, find, settle};
use crate::store::session::RegState;
use crate::sync::{Event, View};

/// A tap that is saved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tapped {
    /// The intent.
    pub id: IntentId,
    /// What this device expects; a refusal in it is a warning.
    pub predicted: Predicted,
}

/// A tap that is ready to be saved.
pub(crate) struct Ready {
    pub(crate) draft: Draft,
    pub(crate) predicted: Predicted,
}

impl DeviceHost {
    /// Saves a tap. Refuses, in this order and with nothing queued: `device.missing`, `device.revoked`, the field
    /// errors of the kind, `intent.too_large`, `outbox.full`, a refusal that is sure, `sign.*`, `store.*`.
    pub fn tap(&mut self, tap: Tap, now: Now) -> Result<Tapped, SoukError> {
        let ready = self.prepare(tap, now)?;
        self.save(ready, now, |_, _| Ok(()))
    }

    /// Steps 1 to 4: who, what, room, prediction.
    pub(crate) fn prepare(&mut self, tap: Tap, now: Now) -> Result<Ready, SoukError> {
        let random: [u8; 9] = self.random()?;
        let Some(session) = &self.session else { return Err(SoukError::new("device.missing")) };
        match session.state {
            RegState::Active | RegState::SignedOut => {}
            RegState::Revoked => return Err(SoukError::new("device.revoked")),
        }
        let session = session.clone();
        let desk = self.desk(now)?;
        // A buyer's act shows in the account's scope, also for somebody who has a shop.
        let own_shop = match &tap.body {
            Body::CancelOrder { order } if !desk.is_sold_here(*order)? => None,
            _ => desk.own_shop()?,
        };
        let (files, clock) = (desk.files, desk.clock);
        let dev_seq = enqueue::next_dev_seq(&files.user)?;
        let draft = enqueue::draft(tap, &session, dev_seq, clock, own_shop, random)?;
        let bytes = draft.canonical.len() + draft.tap.bin.len();
        enqueue::check_budget(&files.user, draft.tap.body.lane(), bytes)?;
        let intent = draft.text.intent(draft.tap.bin.clone())?;
        let predicted = desk.predict(&intent)?;
        if let (Confidence::Sure, Some(outcome)) = (predicted.confidence, &predicted.outcome) {
            refuse(outcome)?;
        }
        Ok(Ready { draft, predicted })
    }

    /// Step 5 and the commit; `with` writes what must stand in the same transaction.
    pub(crate) fn save(
        &mut self,
        ready: Ready,
        now: Now,
        with: impl FnOnce(&Connection, IntentId) -> StoreResult<()>,
    ) -> Result<Tapped, SoukError> {
        let Ready { draft, predicted } = ready;
        let session = self.session.clone().ok_or_else(|| SoukError::new("device.missing"))?;
        let needs_signature = draft.tap.body.needs_signature();
        let sig = enqueue::sign(&draft.text, &draft.canonical, needs_signature, self.signer.as_ref())
            .map_err(|error| SoukError::new(error.code()))?;
        let overlay = self.overlay.take();
        let id = self.user_tx(|tx| {
            let id = enqueue::insert(tx, &draft, &session, sig.as_ref(), Some(&predicted), now)?;
            with(tx, id)?;
            Ok(id)
        })?;
        self.overlay = overlay;
        self.overlay_add(id, now)?;
        self.has_unsure |= !draft.is_sure;
        self.outputs.push_back(Output::Views(vec![View::Outbox, View::Scope(draft.home)]));
        self.event(Event::Kick { lane: draft.tap.body.lane(), tapped: true }, now);
        Ok(Tapped { id, predicted })
    }

    /// Takes an act back that is not decided; it travels as a void item in its place, so that no late copy of it can
    /// ever be done. Refuses `intent.unknown`, `intent.decided{is}`, `intent.signed` (a link of a chain, or the word given
    /// at a hand-over: the other side has it).
    pub fn withdraw(&mut self, id: IntentId, now: Now) -> Result<(), SoukError> {
        let row = self.row(id)?;
        if row.is_signed_word() {
            return Err(SoukError::new("intent.signed"));
        }
        let done = self.user_tx(|tx| settle::withdraw(tx, id))?;
        if !done {
            return Err(decided(row.outcome.as_ref()));
        }
        self.outputs.push_back(Output::Views(vec![View::Outbox]));
        self.event(Event::Kick { lane: row.lane, tapped: true }, now);
        Ok(())
    }

    /// Says that a parked act is still wanted: same id, made now. Refuses `intent.unknown`, `intent.not_parked`,
    /// `sign.unavailable`.
    pub fn confirm_parked(&mut self, id: IntentId, now: Now) -> Result<(), SoukError> {
        let row = self.row(id)?;
        let clock = self.clock(now);
        let signer = Arc::clone(&self.signer);
        let done = self.user_tx(|tx| clocked::confirm(tx, id, clock, signer.as_ref()))?;
        match done {
            None => Err(SoukError::new("intent.not_parked")),
            Some(false) => Err(SoukError::new("sign.unavailable")),
            Some(true) => {
                self.outputs.push_back(Output::Views(vec![View::Outbox]));
                self.event(Event::Kick { lane: row.lane, tapped: true }, now);
                Ok(())
            }
        }
    }

    /// The user has seen an outcome. Refuses `intent.unknown`, `intent.undecided`.
    pub fn dismiss(&mut self, id: IntentId) -> Result<(), SoukError> {
        self.row(id)?;
        if !self.user_tx(|tx| settle::dismiss(tx, id))? {
            return Err(SoukError::new("intent.undecided"));
        }
        self.outputs.push_back(Output::Views(vec![View::Outbox]));
        Ok(())
    }

    /// Tries an act now. Refuses `intent.unknown`.
    pub fn retry(&mut self, id: IntentId, now: Now) -> Result<(), SoukError> {
        self.row(id)?;
        self.user_tx(|tx| settle::retry(tx, id))?;
        self.event(Event::SyncNow, now);
        Ok(())
    }

    /// Signs out and removes what belongs to the account. Refuses `signout.pending{count}` while acts are undecided.
    pub fn sign_out(&mut self, now: Now) -> Result<(), SoukError> {
        let count = self.undecided()?;
        if count > 0 {
            let refusal = Refusal::new("signout.pending").with("count", count as i64);
            return Err(refusal.into());
        }
        self.event(Event::SignOut, now);
        Ok(())
    }

    fn row(&self, id: IntentId) -> Result<crate::outbox::OutboxRow, SoukError> {
        find(&self.files()?.user, id)?.ok_or_else(|| SoukError::new("intent.unknown"))
    }
}

/// A predicted refusal as an error.
fn refuse(outcome: &OutcomeView) -> Result<(), SoukError> {
    match Outcome::from(outcome.clone()) {
        Outcome::Accepted { .. } => Ok(()),
        Outcome::Rejected { code, data } => Err(SoukError { facts: data, ..SoukError::new(code) }),
        Outcome::Expired => Err(SoukError::new("intent.expired")),
        Outcome::Withdrawn => Err(SoukError::new("intent.withdrawn")),
    }
}

fn decided(outcome: Option<&Outcome>) -> SoukError {
    let is = match outcome {
        Some(Outcome::Accepted { .. }) => "accepted",
        Some(Outcome::Rejected { .. }) => "rejected",
        Some(Outcome::Expired) => "expired",
        Some(Outcome::Withdrawn) => "withdrawn",
        None => "undecided",
    };
    SoukError { facts: Facts::none().with("is", is), ..SoukError::new("intent.decided") }
}
