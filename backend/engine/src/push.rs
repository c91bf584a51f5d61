//! Items of a push and one-intent requests: what is checked before a rule runs, in its order (spec/sync.md 4.2).
//!
//! Always: what a retry cannot cure becomes a stored outcome and uses its position up, so that no item can block its
//! stream; a known id answers its one outcome whatever it is sent with.

use std::collections::BTreeMap;

use souk_domain::bookkeeping::{IntentRow, Lane, Minted, Stream};
use souk_domain::context::Actor;
use souk_domain::id::{AccountId, Bucket, DeviceId, IntentId};
use souk_domain::intent::Intent;
use souk_domain::money::{MINOR_MAX, Money};
use souk_domain::outcome::{Outcome, Refusal};
use souk_domain::party::{Device, DeviceState, TokenHash};
use souk_domain::rows::Key;
use souk_domain::scope::Scope;
use souk_domain::time::Time;
use souk_protocol::intent::Mint;
use souk_protocol::outcome::OutcomeView;
use souk_protocol::sync::{PushResult, PushState, Touch};

use crate::ask::{DirectAsk, PushAsk};
use crate::engine::{Metrics, ScopeHint};
use crate::prepared::{Place, Prepared, Text, What};
use crate::{Answer, Engine, EngineError, guess};

/// Kind name of a stored void.
const VOID_KIND: &str = "Void";

/// Who sends, as far as items need it.
#[derive(Clone, Copy)]
struct Sender<'a> {
    actor: &'a Actor,
    account: AccountId,
    device: DeviceId,
    /// Epoch of its streams; a one-intent request has none.
    epoch: u32,
}

impl Engine {
    /// Decides the items of a push. A fork leaves the rest of its stream in this request alone.
    pub(crate) async fn push(&mut self, ask: &PushAsk, now: Time) -> Result<Answer, EngineError> {
        let (sender, row) = match self.sender(&ask.actor, ask.epoch).await? {
            Ok(known) => known,
            Err(refusal) => return Ok(Answer::Refused(refusal)),
        };
        if ask.epoch < row.epoch {
            return Ok(Answer::Refused(Refusal::new("device.epoch").with("epoch", row.epoch)));
        }
        if ask.epoch > row.epoch {
            // The server's data is older than the device: it was restored.
            self.put(Device { epoch: ask.epoch, ..row })?;
            self.rows.keep();
        }
        let mut forks: BTreeMap<(Bucket, Lane), u64> = BTreeMap::new();
        let mut results = Vec::with_capacity(ask.items.len());
        let mut touched = Vec::new();
        for item in &ask.items {
            let stream = item.place.map(|place| (place.bucket, place.lane));
            let state = match stream.and_then(|stream| forks.get(&stream)) {
                Some(last) => PushState::Fork { last: *last },
                None => self.item(&sender, item, &mut touched, now).await?,
            };
            if let (PushState::Fork { last }, Some(stream)) = (&state, stream) {
                forks.insert(stream, *last);
            }
            results.push(PushResult { id: item.id, state });
        }
        Ok(Answer::Items { results, touch: touch(&sender, &touched) })
    }

    /// Decides a one-intent request: the same checks, without a stream.
    pub(crate) async fn direct(&mut self, ask: &DirectAsk, now: Time) -> Result<Answer, EngineError> {
        let sender = match self.sender(&ask.actor, 0).await? {
            Ok((sender, _)) => sender,
            Err(refusal) => return Ok(Answer::Refused(refusal)),
        };
        let mut touched = Vec::new();
        let state = self.item(&sender, &ask.item, &mut touched, now).await?;
        let results = vec![PushResult { id: ask.item.id, state }];
        Ok(Answer::Items { results, touch: touch(&sender, &touched) })
    }

    /// The sending device, which must be in use.
    async fn sender<'a>(
        &mut self,
        actor: &'a Actor,
        epoch: u32,
    ) -> Result<Result<(Sender<'a>, Device), Refusal>, EngineError> {
        let Actor::User { account, device, .. } = actor else {
            return Ok(Err(Refusal::new("auth.forbidden")));
        };
        let key = Key::device(*account, *device);
        self.load([key.clone()]).await?;
        Ok(match self.found::<Device>(&key)? {
            Some(row) if row.state == DeviceState::Active => {
                Ok((Sender { actor, account: *account, device: *device, epoch }, row.clone()))
            }
            Some(_) | None => Err(Refusal::new("device.revoked")),
        })
    }

    /// One item. A bug of a rule ends this item alone: it is refused, and its position stays free.
    async fn item(
        &mut self,
        sender: &Sender<'_>,
        item: &Prepared,
        touched: &mut Vec<ScopeHint>,
        now: Time,
    ) -> Result<PushState, EngineError> {
        match self.checked_item(sender, item, touched, now).await {
            Err(EngineError::Rule(text)) => {
                self.rows.discard();
                Metrics::count(&self.shared.metrics.tripwires);
                tracing::error!(%text, "a rule failed");
                Ok(refused("engine.rule"))
            }
            other => other,
        }
    }

    async fn checked_item(
        &mut self,
        sender: &Sender<'_>,
        item: &Prepared,
        touched: &mut Vec<ScopeHint>,
        now: Time,
    ) -> Result<PushState, EngineError> {
        // 1: what no outcome can be stored under.
        let Some(id) = item.id else { return Ok(refused("intent.form")) };
        if item.place.is_some_and(|place| place.bucket != id.bucket()) {
            return Ok(refused("intent.bucket"));
        }
        let minter = match &item.what {
            What::Text(text) => match &text.mint {
                Ok(mint) => match self.minter(sender, mint).await? {
                    Some(device) => Some(device),
                    None => return Ok(refused("intent.actor")),
                },
                Err(_) => None,
            },
            What::Void => None,
            What::Malformed => return Ok(refused("intent.form")),
        };
        let intent_key = Key::intent_row(Some(sender.account), id.into());
        let stream = self.stream(sender, item.place).await?;
        self.load([intent_key.clone()]).await?;
        // 2: a known id.
        if let Some(row) = self.found::<IntentRow>(&intent_key)?.filter(|_| !self.mutants.no_dedupe) {
            let is_same = row.hash.0 == item.hash || matches!(item.what, What::Void);
            let outcome = OutcomeView::from(&row.outcome);
            self.known(id, is_same, item.place, stream)?;
            return Ok(if is_same { PushState::Decided { outcome } } else { PushState::Conflict });
        }
        // 3: an unknown one takes the next position.
        if let (Some(place), Some(stream)) = (item.place, stream)
            && place.pos != stream.last.saturating_add(1)
            && !(self.mutants.gap_is_applied && place.pos > stream.last)
        {
            Metrics::count(&self.shared.metrics.forks);
            return Ok(PushState::Fork { last: stream.last });
        }
        // 4 to 7.
        let outcome = match &item.what {
            What::Void | What::Malformed => Outcome::Withdrawn,
            What::Text(text) => self.judge(sender, text, &item.hash, minter.as_ref(), now).await?,
        };
        let hints = self.feed(now).await?;
        if let (Some(place), Some(stream)) = (item.place, stream) {
            self.put(Stream { last: place.pos, ..stream })?;
        }
        if let What::Text(text) = &item.what
            && let Ok(mint) = &text.mint
        {
            self.mint(mint).await?;
        }
        // Only the mutant without dedupe comes here with a row; a stored outcome is never written again.
        if self.found::<IntentRow>(&intent_key)?.is_none() {
            self.put(self.intent_row(sender, id, item, &outcome, now))?;
        }
        touched.extend(hints.iter().cloned());
        self.keep(hints);
        Ok(PushState::Decided { outcome: OutcomeView::from(&outcome) })
    }

    /// The device that minted a text, if text and device are the sender's account's.
    async fn minter(&mut self, sender: &Sender<'_>, mint: &Mint) -> Result<Option<Device>, EngineError> {
        if mint.account != sender.account {
            return Ok(None);
        }
        let key = Key::device(sender.account, mint.device);
        self.load([key.clone()]).await?;
        Ok(self.found::<Device>(&key)?.cloned())
    }

    /// The stream of an item, empty if it has never been used.
    async fn stream(
        &mut self,
        sender: &Sender<'_>,
        place: Option<Place>,
    ) -> Result<Option<Stream>, EngineError> {
        let Some(Place { bucket, lane, .. }) = place else { return Ok(None) };
        let (device, epoch) = (sender.device, sender.epoch);
        let key = Key::stream_of(bucket, device, epoch, lane);
        self.load([key.clone()]).await?;
        let unused = Stream { bucket, device, epoch, lane, last: 0, reused: 0 };
        Ok(Some(self.found::<Stream>(&key)?.copied().unwrap_or(unused)))
    }

    /// A known id uses its position up if that is the next one. Without that sentence a known id in front of an
    /// unknown one makes fork after fork for ever.
    fn known(
        &mut self,
        id: IntentId,
        is_same: bool,
        place: Option<Place>,
        stream: Option<Stream>,
    ) -> Result<(), EngineError> {
        let metrics = &self.shared.metrics;
        Metrics::count(&metrics.repeated);
        if !is_same {
            Metrics::count(&metrics.conflicts);
            tracing::error!(%id, "an intent id came again with another text");
        }
        if let (Some(place), Some(stream)) = (place, stream)
            && Some(place.pos) == stream.last.checked_add(1)
            && !self.mutants.known_keeps_position
        {
            self.put(Stream { last: place.pos, reused: stream.reused + 1, ..stream })?;
            self.rows.keep();
        }
        Ok(())
    }

    /// Steps 5 and 6: stored refusals, the first that fits, then the rule.
    async fn judge(
        &mut self,
        sender: &Sender<'_>,
        text: &Text,
        hash: &[u8; 32],
        minter: Option<&Device>,
        now: Time,
    ) -> Result<Outcome, EngineError> {
        let no = |code: &'static str| Ok(Refusal::new(code).into_outcome());
        let (intent, mint, minter) = match (&text.intent, &text.mint, minter) {
            (Ok(intent), Ok(mint), Some(minter)) => (intent, mint, minter),
            (Err(refusal), ..) | (_, Err(refusal), _) => return Ok(refusal.clone().into_outcome()),
            (Ok(_), Ok(_), None) => return no("intent.form"),
        };
        if minter.state == DeviceState::Revoked {
            return no("device.revoked");
        }
        if text.sig.is_none() && intent.body.needs_signature() {
            return no("intent.signature_missing");
        }
        if text.sig.is_some() && !text.is_signed_by(hash, minter.id, &minter.key) {
            return no("intent.signature");
        }
        if intent.body.lane() == Lane::Money && self.is_cloned(mint).await? {
            return no("device.cloned");
        }
        let intent = self.mutated(intent);
        if now > intent.not_after {
            return Ok(Outcome::Expired);
        }
        if let Some(named) = guess::named(&intent) {
            self.load([named.clone()]).await?;
            if matches!(self.rows.row(&named), Ok(Some(_))) && !self.mutants.no_dedupe {
                return no("intent.id_taken");
            }
        }
        self.run(&intent, sender.actor, now).await
    }

    /// The intent, less the guards that a mutant takes out.
    fn mutated(&self, intent: &Intent) -> Intent {
        let mut intent = intent.clone();
        if self.mutants.not_after_is_ignored {
            intent.not_after = Time::from_micros(i64::MAX);
        }
        if self.mutants.max_total_is_ignored {
            intent.max_total = intent.max_total.map(|max| Money::new(MINOR_MAX, max.currency));
        }
        intent
    }

    /// Whether a minted number stands under another id already: the device's file was copied.
    async fn is_cloned(&mut self, mint: &Mint) -> Result<bool, EngineError> {
        let key = Key::minted_of(mint.id.bucket(), mint.device, mint.epoch, mint.dev_seq);
        self.load([key.clone()]).await?;
        Ok(self.found::<Minted>(&key)?.is_some_and(|row| row.id != *mint.id.bytes()))
    }

    /// Stages the minted number, unless another id has it.
    async fn mint(&mut self, mint: &Mint) -> Result<(), EngineError> {
        let Mint { id, device, epoch, dev_seq, .. } = *mint;
        let key = Key::minted_of(id.bucket(), device, epoch, dev_seq);
        self.load([key.clone()]).await?;
        if self.found::<Minted>(&key)?.is_none() {
            self.put(Minted { bucket: id.bucket(), device, epoch, dev_seq, id: *id.bytes() })?;
        }
        Ok(())
    }

    fn intent_row(
        &self,
        sender: &Sender<'_>,
        id: IntentId,
        item: &Prepared,
        outcome: &Outcome,
        now: Time,
    ) -> IntentRow {
        let text = match &item.what {
            What::Text(text) => Some(text),
            What::Void | What::Malformed => None,
        };
        let mint = text.and_then(|text| text.mint.as_ref().ok());
        IntentRow {
            bucket: id.bucket(),
            account: Some(sender.account),
            id: *id.bytes(),
            device: Some(sender.device),
            epoch: mint.map_or(sender.epoch, |mint| mint.epoch),
            dev_seq: mint.map_or(0, |mint| mint.dev_seq),
            sent: item.place.map(|place| (place.lane, place.pos)),
            kind: text.map_or_else(|| VOID_KIND.to_owned(), |text| text.kind.clone()),
            hash: TokenHash(item.hash),
            text: text.map(|text| text.text.clone()).unwrap_or_default(),
            signature: text.and_then(|text| text.sig).map(|sig| sig.s.to_vec()).unwrap_or_default(),
            outcome: outcome.clone(),
            reference_version: self.shared.reference.version,
            decided_at: now,
        }
    }
}

fn refused(code: &str) -> PushState {
    PushState::Refused { code: code.to_owned() }
}

/// The parts moved that the sender may read: one sequence a bucket, of the sender's own scope where it has one there.
fn touch(sender: &Sender<'_>, touched: &[ScopeHint]) -> Vec<Touch> {
    let mut parts: BTreeMap<Bucket, (bool, u64)> = BTreeMap::new();
    for hint in touched {
        let is_own = match &hint.scope {
            Scope::Account(account) | Scope::Route(account) => *account == sender.account,
            Scope::Seller(_) => false,
            Scope::Reference | Scope::Catalogue => continue,
        };
        let part = parts.entry(hint.bucket).or_insert((is_own, hint.seq));
        *part = (*part).max((is_own, hint.seq));
    }
    parts.into_iter().map(|(bucket, (_, seq))| Touch { bucket, seq }).collect()
}
