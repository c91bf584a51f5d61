//! The overlay: pending acts, replayed by the same `decide` over what this device may see (spec/sync.md 7).
//!
//! Not for: writing. Nothing here touches a row of the server (I7). Always: recomputed from nothing, the overlay is
//! the same as built act by act (I8); a prediction is as sure as the worst row that it used.

use std::collections::BTreeMap;

use souk_domain::context::{Actor, Context, Reference};
use souk_domain::decide::{Step, decide};
use souk_domain::id::IntentId;
use souk_domain::intent::{Body, Intent};
use souk_domain::outcome::Outcome;
use souk_domain::party::AccountRoles;
use souk_domain::rows::{Key, Row, Rows};
use souk_domain::time::Time;
use souk_protocol::feed::row_of;
use souk_protocol::intent::IntentText;
use souk_protocol::outcome::OutcomeView;
use souk_protocol::sync::Put;

mod fill;
pub(crate) mod read;

use crate::error::{StoreError, StoreResult};
use crate::outbox::{self, Confidence, OutboxRow, Predicted, RowState};
use crate::store::DeviceFiles;
use crate::store::session::Session;
use fill::Filler;

/// Rounds of loading that one decision may ask for: the longest chain of rows that name each other is far shorter.
const ROUNDS_MAX: usize = 32;

/// A row as a pending act would leave it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Changed {
    /// The row; none = it would be gone.
    pub(crate) row: Option<Row>,
    /// As sure as the act.
    pub(crate) confidence: Confidence,
    /// The acts that touched it, in order.
    pub(crate) by: Vec<IntentId>,
    /// When the last of them was tapped, or decided. A replay decides at the time of now, so that `updated_at` of the
    /// row moves with each; this does not.
    pub(crate) at: Time,
}

/// Effects of pending acts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Overlay {
    changed: BTreeMap<Key, Changed>,
    /// Acts whose effect this device cannot know, by what they are about: they are pending all the same.
    without_effect: BTreeMap<Key, Vec<IntentId>>,
}

/// Who decides, and with what.
pub(crate) struct Seat<'f> {
    pub(crate) files: &'f DeviceFiles,
    pub(crate) session: &'f Session,
    pub(crate) reference: Option<&'f Reference>,
    pub(crate) roles: AccountRoles,
}

impl<'f> Seat<'f> {
    fn actor(&self) -> Actor {
        Actor::User {
            account: self.session.account,
            device: self.session.device,
            key: self.session.key.clone(),
            roles: self.roles,
        }
    }
}

/// What deciding an act on this device has come to.
struct Tried {
    outcome: Option<Outcome>,
    confidence: Confidence,
    writes: Vec<(Key, Option<Row>)>,
}

impl Overlay {
    /// All pending acts replayed from nothing.
    pub(crate) fn replay(seat: &Seat, now: Time) -> StoreResult<Overlay> {
        let mut overlay = Overlay::default();
        for row in outbox::overlaid(&seat.files.user)? {
            overlay.add(seat, &row, now)?;
        }
        Ok(overlay)
    }

    /// One more act.
    pub(crate) fn add(&mut self, seat: &Seat, row: &OutboxRow, now: Time) -> StoreResult<()> {
        let intent = IntentText::parse(&row.text).and_then(|text| text.intent(row.bin.clone()));
        let Ok(intent) = intent else { return Ok(()) };
        // What is decided is replayed at its own time.
        let (now, at) = match (&row.state, &row.outcome) {
            (RowState::Decided, Some(Outcome::Accepted { at, .. })) => (*at, *at),
            _ => (now, row.made_at),
        };
        let tried = self.try_out(seat, &intent, now)?;
        if !tried.outcome.as_ref().is_some_and(Outcome::is_accepted) {
            if let Some(key) = subject(&intent.body) {
                self.without_effect.entry(key).or_default().push(row.id);
            }
            return Ok(());
        }
        for (key, row_after) in tried.writes {
            let changed = self.changed.entry(key).or_insert(Changed {
                row: None,
                confidence: Confidence::Sure,
                by: Vec::new(),
                at,
            });
            changed.row = row_after;
            changed.at = changed.at.max(at);
            changed.confidence = changed.confidence.max(tried.confidence);
            changed.by.push(row.id);
        }
        Ok(())
    }

    /// What an act would come to on top of all that is pending.
    pub(crate) fn predict(&self, seat: &Seat, intent: &Intent, now: Time) -> StoreResult<Predicted> {
        let tried = self.try_out(seat, intent, now)?;
        let outcome = tried.outcome.as_ref().map(OutcomeView::from);
        Ok(Predicted { confidence: tried.confidence, outcome })
    }

    /// The row that stands under a key once all pending acts are done, if one of them touches it.
    pub(crate) fn changed(&self, key: &Key) -> Option<&Changed> {
        self.changed.get(key)
    }

    /// How sure the row under a key is, and which acts wait for it; none = it is as the server has it.
    pub(crate) fn mark(&self, key: &Key) -> Option<(Confidence, Vec<IntentId>)> {
        let unknown = self.without_effect.get(key);
        let changed = self.changed.get(key);
        let sure = match (changed, unknown) {
            (None, None) => return None,
            (_, Some(_)) => Confidence::Unknown,
            (Some(changed), None) => changed.confidence,
        };
        let acts = changed.iter().flat_map(|changed| &changed.by).chain(unknown.into_iter().flatten());
        Some((sure, acts.copied().collect()))
    }

    /// All rows that pending acts touch.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Key, &Changed)> {
        self.changed.iter()
    }

    /// Decides an act on a working set of its own, so that every row it reads is seen.
    fn try_out(&self, seat: &Seat, intent: &Intent, now: Time) -> StoreResult<Tried> {
        let unknown = Tried { outcome: None, confidence: Confidence::Unknown, writes: Vec::new() };
        let Some(reference) = seat.reference else { return Ok(unknown) };
        let actor = seat.actor();
        let random = souk_crypto::hash::sha256(intent.id.bytes());
        let ctx = Context { now, actor: &actor, reference, random, seal: None };
        let mut filler = Filler::new(seat, intent);
        let mut confidence = Confidence::Sure;
        let mut rows = Rows::new();
        for _ in 0..ROUNDS_MAX {
            match decide(intent, &ctx, &mut rows) {
                Step::Done(outcome) => {
                    let writes = writes_of(&mut rows);
                    return Ok(Tried { outcome: Some(outcome), confidence, writes });
                }
                Step::Unknown => return Ok(unknown),
                Step::Missing(keys) => {
                    for key in keys {
                        let Some(filled) = self.load(&mut filler, &key)? else { return Ok(unknown) };
                        confidence = confidence.max(filled.1);
                        let version = u64::from(filled.0.is_some());
                        rows.load(key, version, filled.0);
                    }
                }
            }
        }
        Ok(unknown)
    }

    /// A row with the pending acts on top; none = this device cannot know it.
    fn load(&self, filler: &mut Filler, key: &Key) -> StoreResult<Option<(Option<Row>, Confidence)>> {
        if let Some(changed) = self.changed.get(key) {
            return Ok(Some((changed.row.clone(), changed.confidence)));
        }
        filler.fill(key)
    }
}

/// The row that an act is about, for acts whose effect is not known.
fn subject(body: &Body) -> Option<Key> {
    match body {
        Body::SetOfferState { offer, .. } | Body::SetPrice { offer, .. } => Some(Key::offer(*offer)),
        Body::SetStock { offer, .. } => Some(Key::stock(*offer)),
        Body::PayStart { order, .. }
        | Body::CancelOrder { order }
        | Body::OpenCase { order, .. }
        | Body::RefundOrder { order }
        | Body::Confirm { order }
        | Body::MakeLabels { order, .. }
        | Body::Ship { order } => Some(Key::order(*order)),
        Body::CloseShift { shift } => Some(Key::shift(*shift)),
        Body::OpenShop(_)
        | Body::PutProduct(_)
        | Body::SetCartLine { .. }
        | Body::PutCheckout { .. }
        | Body::PlaceOrder(_)
        | Body::OpenShift { .. }
        | Body::AppendCustody { .. }
        | Body::ConfirmHandOver { .. }
        | Body::Server(_) => None,
    }
}

/// What a decision wrote.
fn writes_of(rows: &mut Rows) -> Vec<(Key, Option<Row>)> {
    let changes = rows.staged_changes();
    rows.keep();
    changes
        .into_iter()
        .filter_map(|(before, after)| {
            let key = after.as_ref().or(before.as_ref()).map(Row::key)?;
            Some((key, after))
        })
        .collect()
}

/// What a private row is sorted and filtered by.
pub(crate) fn sort_keys(put: &Put) -> StoreResult<(i64, String)> {
    let row = row_of(put.entity, put.id, put.row.clone()).map_err(StoreError::Row)?;
    Ok(souk_protocol::feed::sort_keys(&row))
}
