//! What the server has decided, as it answered it or as its restarted self shows it: fed to truth and oracle in order.

use std::collections::{BTreeMap, BTreeSet};

use souk_codes::proof::CustodyC;
use souk_domain::bookkeeping::Lane;
use souk_domain::context::Actor;
use souk_domain::id::{AccountId, AnyIntentId, Bucket, DeviceId, IntentId, OfferId, OrderId, ParcelId};
use souk_domain::intent::{Body, Intent, ServerAct};
use souk_domain::outcome::Outcome;
use souk_domain::parcel::Level;
use souk_domain::parcel::proof::{CustodyBin, event_id};
use souk_domain::time::Time;
use souk_engine::{Answer, Ask};
use souk_protocol::outcome::OutcomeView;
use souk_protocol::sync::{PushItem, PushState};

mod unknown;

use super::oracle::{Oracle, Scanned, Verdict};
use super::truth::{Sent, Truth, check_terms};
use crate::sim::Sim;
use crate::world::{Checked, Violation};

/// Refusals that stand before any rule: a device that was set back or cut off.
const BEFORE_RULES: [&str; 2] = ["device.revoked", "device.cloned"];

/// Something for the engine to decide, with what the checks must know of it.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    pub(super) ask: Ask,
    push: Option<Push>,
}

#[derive(Clone, Debug)]
struct Push {
    account: AccountId,
    device: DeviceId,
    epoch: u32,
    items: Vec<(Place, Sent)>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    bucket: Bucket,
    lane: Lane,
    pos: u64,
}

/// Device, epoch, bucket, lane.
pub(super) type Stream = (DeviceId, u32, Bucket, Lane);

/// What the checks know of a stream: acts decided in it, and the highest position.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Count {
    pub(super) decided: u64,
    pub(super) highest: u64,
}

/// A batch that was asked for and never answered.
#[derive(Clone, Debug)]
struct Unknown {
    wishes: Vec<Wish>,
    now: Time,
}

/// What was changed by the last batches and is still to be compared.
#[derive(Clone, Debug, Default)]
pub(super) struct Touched {
    pub(super) orders: BTreeSet<OrderId>,
    pub(super) offers: BTreeSet<OfferId>,
    pub(super) streams: BTreeSet<Stream>,
}

impl Touched {
    pub(super) fn is_empty(&self) -> bool {
        self.orders.is_empty() && self.offers.is_empty() && self.streams.is_empty()
    }
}

/// The record.
#[derive(Clone, Debug, Default)]
pub(super) struct Record {
    pub(super) truth: Truth,
    pub(super) oracle: Oracle,
    pub(super) touched: Touched,
    pub(super) streams: BTreeMap<Stream, Count>,
    unknown: Option<Unknown>,
    /// Batches that were found gone by a server that lived on: its log was cut, but until the next commit a power loss
    /// may take back the cut, and the batch stands after all.
    ghosts: Vec<Unknown>,
    facts: BTreeMap<AnyIntentId, bool>,
    /// Custody events of each parcel with their predecessors.
    chains: BTreeMap<ParcelId, BTreeMap<[u8; 32], [u8; 32]>>,
    /// How often something was decided about an order or an offer.
    stamps: BTreeMap<[u8; 16], u64>,
    last_now: Time,
    /// Acts of the server itself: time-outs, facts of the rail.
    pub(super) stirred: u64,
    /// The files are being made: nothing is compared.
    pub(super) is_installing: bool,
    /// A device or the server was set back: forks and epochs are lawful.
    pub(super) was_set_back: bool,
}

impl Wish {
    /// Items of a device's push.
    pub(super) fn push(actor: Actor, epoch: u32, items: Vec<PushItem>) -> Result<Wish, Violation> {
        let Actor::User { account, device, .. } = actor else {
            return Err(Violation::new("syn13", "a push without a sender"));
        };
        let mut read = Vec::with_capacity(items.len());
        for item in &items {
            let (bucket, lane, pos) = match item {
                PushItem::Intent(item) => (item.bucket, item.lane, item.pos),
                PushItem::Void(item) => (item.bucket, item.lane, item.pos),
                PushItem::Malformed(_) => (Bucket::PUBLIC, Lane::Bulk, 0),
            };
            read.push((Place { bucket, lane, pos }, Sent::read(item)?));
        }
        let push = Push { account, device, epoch, items: read };
        Ok(Wish { ask: Ask::push(actor, epoch, items), push: Some(push) })
    }

    /// An act of the server.
    pub(super) fn server(ask: Ask) -> Wish {
        Wish { ask, push: None }
    }
}

impl Record {
    /// A time that is later than that of every batch before, so that a stored row names its batch.
    pub(super) fn next_now(&mut self, now: Time) -> Time {
        let after = self.last_now.plus(souk_domain::time::Span::from_micros(1));
        self.last_now = now.max(after);
        self.last_now
    }

    /// How often something was decided about a thing.
    pub(super) fn stamp(&self, thing: &[u8; 16]) -> u64 {
        self.stamps.get(thing).copied().unwrap_or(0)
    }

    fn moved(&mut self, thing: &[u8; 16]) {
        *self.stamps.entry(*thing).or_default() += 1;
    }

    /// Nobody was answered: whether the batch stands is seen later.
    pub(super) fn unanswered(&mut self, wishes: Vec<Wish>, now: Time) {
        self.unknown = Some(Unknown { wishes, now });
    }

    /// Whether a batch has been left open.
    pub(super) fn has_unknown(&self) -> bool {
        self.unknown.is_some()
    }

    /// Something was committed behind all that is in doubt.
    pub(super) fn committed(&mut self) {
        self.ghosts.clear();
    }

    /// A batch was answered.
    pub(super) fn answered(
        &mut self,
        wishes: &[Wish],
        answers: &[Answer],
        now: Time,
        sim: &mut Sim,
    ) -> Checked {
        for (wish, answer) in wishes.iter().zip(answers) {
            match (&wish.push, answer) {
                (Some(push), Answer::Items { results, .. }) => {
                    for ((place, sent), result) in push.items.iter().zip(results) {
                        self.item(push, *place, sent, &result.state, now, sim)?;
                    }
                }
                (None, Answer::Server(outcome)) => self.server(&wish.ask, outcome, now)?,
                (_, Answer::Failed { code }) => {
                    return Err(Violation::new("tripwire", format!("{code} for {:?}", wish.ask)));
                }
                (_, Answer::Refused(_) | Answer::Later { .. } | Answer::Server(_) | Answer::Items { .. }) => {
                }
            }
        }
        Ok(())
    }

    fn item(
        &mut self,
        push: &Push,
        place: Place,
        sent: &Sent,
        state: &PushState,
        now: Time,
        sim: &mut Sim,
    ) -> Checked {
        let id = sent.id();
        match state {
            PushState::Decided { outcome } => self.decided(push, place, sent, outcome, now, sim),
            PushState::Later { .. } => Ok(()),
            PushState::Conflict => {
                Err(Violation::new("syn03", format!("ALTERED {id}: known with another text")))
            }
            PushState::Fork { last } if self.was_set_back => {
                sim.count("fork");
                sim.log(|_| format!("fork of {id} behind {last}"));
                Ok(())
            }
            PushState::Fork { last } => {
                let text = format!("fork of {id} at {place:?}: {last} is the last, and nobody was set back");
                Err(Violation::new("syn08", text))
            }
            PushState::Refused { code } if self.was_set_back && code == "intent.actor" => Ok(()),
            PushState::Refused { code } => Err(Violation::new("tripwire", format!("{code} for {sent:?}"))),
        }
    }

    fn decided(
        &mut self,
        push: &Push,
        place: Place,
        sent: &Sent,
        outcome: &OutcomeView,
        now: Time,
        sim: &mut Sim,
    ) -> Checked {
        let id = sent.id();
        let stream = (push.device, push.epoch, place.bucket, place.lane);
        self.touched.streams.insert(stream);
        let sure = match sent {
            Sent::Text(text) => self.truth.check_sent(&text.0, &text.1)?,
            Sent::Void(_) => None,
        };
        if !self.truth.decided(id, outcome)? {
            return Ok(());
        }
        if !self.is_installing {
            sim.count("decided");
        }
        sim.log(|_| format!("decided {id} {} as {}", name_of(sent), words(outcome)));
        let count = self.streams.entry(stream).or_default();
        count.decided += 1;
        if place.pos <= count.highest {
            let text = format!("{id} was decided at {place:?}, behind position {}", count.highest);
            return Err(Violation::new("syn08", text));
        }
        count.highest = place.pos;
        let Sent::Text(text) = sent else { return Ok(()) };
        if self.is_installing {
            return Ok(());
        }
        let (mint, intent) = text.as_ref();
        check_terms(intent, mint, outcome, now)?;
        let subject = subject_of(&intent.body);
        if let (Some(sure), Some(subject)) = (sure, subject)
            && self.stamp(&subject) == sure.stamp
        {
            check_prediction(id, &sure.outcome, outcome)?;
        }
        self.judge(push.account, mint.id, mint.not_after, intent, outcome, now)
    }

    /// The oracle decides the same act.
    fn judge(
        &mut self,
        who: AccountId,
        id: IntentId,
        not_after: Time,
        intent: &Intent,
        outcome: &OutcomeView,
        now: Time,
    ) -> Checked {
        if let OutcomeView::Rejected { code, .. } = outcome
            && self.was_set_back
            && BEFORE_RULES.contains(&code.as_str())
        {
            return Ok(());
        }
        if !is_judged(&intent.body) {
            return Ok(());
        }
        let expected = if now > not_after {
            Err("intent.expired")
        } else if let Body::AppendCustody { .. } | Body::ConfirmHandOver { .. } = intent.body {
            return self.scanned(intent, outcome, now);
        } else {
            let max = intent.max_total.map(|max| max.minor);
            self.oracle.act(id.into(), who, &intent.body, max, !intent.bin.is_empty(), now)
        };
        self.touch(&intent.body, id);
        compare(&format!("{id} {}", intent.body.kind()), expected, outcome, fact_of(&intent.body))
    }

    /// What a custody event has done: the chain is folded by the product, its consequences by the oracle.
    fn scanned(&mut self, intent: &Intent, outcome: &OutcomeView, now: Time) -> Checked {
        let OutcomeView::Accepted { data, .. } = outcome else {
            return match (&intent.body, self.was_set_back) {
                // A label that was made void, a counter that was used: the rule's own business.
                (Body::ConfirmHandOver { .. }, _) | (_, true) => Ok(()),
                _ => Err(Violation::new("oracle", format!("a signed scan was refused: {outcome:?}"))),
            };
        };
        let text = |name: &str| data.get(name).and_then(serde_json::Value::as_str).unwrap_or_default();
        let Ok(parcel) = text("parcel").parse::<ParcelId>() else {
            return Err(Violation::new("oracle", format!("a scan of no parcel: {outcome:?}")));
        };
        let order = self.oracle.orders.iter().find(|(_, order)| order.parcel == Some(parcel));
        let Some(order) = order.map(|(order, _)| *order) else {
            return Err(Violation::new("oracle", format!("a scan of {parcel}, which no order has")));
        };
        let chain = self.chains.entry(parcel).or_default();
        // The first scan of a parcel names no predecessor, and any number of them may.
        if matches!(intent.body, Body::AppendCustody { .. })
            && let Some((id, prev)) = link_of(&intent.bin)
            && prev != [0; 32]
        {
            chain.insert(id, prev);
        }
        let mut prevs: Vec<&[u8; 32]> = chain.values().collect();
        prevs.sort_unstable();
        let is_forked = prevs.windows(2).any(|pair| pair[0] == pair[1]);
        let on_hold = data.get("held").and_then(serde_json::Value::as_bool).unwrap_or_default();
        if is_forked && !on_hold && data.contains_key("held") {
            return Err(Violation::new("oracle", format!("a fork of {parcel} holds nothing: {outcome:?}")));
        }
        let level = match text("release_level") {
            "E4" => Level::E4,
            "E3" => Level::E3,
            "E2" => Level::E2,
            "E1" => Level::E1,
            "EC" => Level::EC,
            _ => Level::E0,
        };
        let is_again = data.get("again").is_some();
        let scan = Scanned { order, state: text("state"), level, on_hold };
        let is_void = !is_again && !data.contains_key("held");
        if !is_again && !is_void {
            let done = self.oracle.scanned(&scan, now);
            done.map_err(|code| Violation::new("oracle", format!("{code} for {scan:?}")))?;
        }
        self.touch_order(order);
        Ok(())
    }

    fn touch(&mut self, body: &Body, id: IntentId) {
        match body {
            Body::PlaceOrder(_) => {
                if let Ok(order) = OrderId::from_bytes(*id.bytes()) {
                    self.touch_order(order);
                }
            }
            Body::PayStart { order, .. }
            | Body::CancelOrder { order }
            | Body::OpenCase { order, .. }
            | Body::RefundOrder { order }
            | Body::Confirm { order }
            | Body::MakeLabels { order, .. }
            | Body::Ship { order } => self.touch_order(*order),
            Body::SetOfferState { offer, .. }
            | Body::SetPrice { offer, .. }
            | Body::SetStock { offer, .. } => {
                self.moved(offer.bytes());
                self.touched.offers.insert(*offer);
            }
            _ => {}
        }
    }

    fn touch_order(&mut self, order: OrderId) {
        self.moved(order.bytes());
        self.touched.orders.insert(order);
        let offers = self.oracle.orders.get(&order).map(|order| order.offers()).unwrap_or_default();
        for offer in offers {
            self.moved(offer.bytes());
            self.touched.offers.insert(offer);
        }
    }

    /// An act of the server was decided.
    fn server(&mut self, ask: &Ask, outcome: &Outcome, now: Time) -> Checked {
        let Ask::Server { id, act } = ask else {
            return match outcome.code() {
                None | Some("handoff.early") => Ok(()),
                Some(code) => {
                    Err(Violation::new("tripwire", format!("a hand-off was refused: {code} {ask:?}")))
                }
            };
        };
        if self.is_installing {
            return Ok(());
        }
        self.stirred += 1;
        match act {
            ServerAct::RailFact(fact) => {
                if let Some(former) = self.facts.insert(*id, outcome.is_accepted()) {
                    return match former == outcome.is_accepted() {
                        true => Ok(()),
                        false => {
                            Err(Violation::new("syn02", format!("CHANGED: a fact of the rail {fact:?}")))
                        }
                    };
                }
                let expected = self.oracle.rail(*id, fact, now);
                if let Some(order) = self.oracle.order_of(fact.payment) {
                    self.touch_order(order);
                }
                compare(&format!("{fact:?}"), expected.map(|_| None), &OutcomeView::from(outcome), "")
            }
            ServerAct::Timeout(timer) => {
                if let Some(code) = outcome.code() {
                    return Err(Violation::new("tripwire", format!("{timer:?} was refused: {code}")));
                }
                let done = self.oracle.timeout(*id, timer);
                done.map_err(|code| Violation::new("oracle", format!("{code} for {timer:?}")))?;
                if let Ok(order) = OrderId::from_bytes(timer.entity) {
                    self.touch_order(order);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

fn link_of(bin: &[u8]) -> Option<([u8; 32], [u8; 32])> {
    let bin = CustodyBin::decode(bin).ok()?;
    let (event, _) = CustodyC::decode(&bin.event).ok()?;
    Some((event_id(&event.body()), event.prev))
}

/// The order or offer that an act is about.
pub(super) fn subject_of(body: &Body) -> Option<[u8; 16]> {
    match body {
        Body::PayStart { order, .. }
        | Body::CancelOrder { order }
        | Body::OpenCase { order, .. }
        | Body::RefundOrder { order }
        | Body::Confirm { order }
        | Body::MakeLabels { order, .. }
        | Body::Ship { order } => Some(*order.bytes()),
        Body::SetOfferState { offer, .. } | Body::SetPrice { offer, .. } | Body::SetStock { offer, .. } => {
            Some(*offer.bytes())
        }
        _ => None,
    }
}

/// Whether the oracle knows the kind: shops and products are made before the first tap, shifts move no money.
fn is_judged(body: &Body) -> bool {
    !matches!(
        body,
        Body::OpenShop(_)
            | Body::PutProduct(_)
            | Body::PutCheckout { .. }
            | Body::OpenShift { .. }
            | Body::CloseShift { .. }
    )
}

/// The fact of an accepted outcome that the oracle reckons too.
fn fact_of(body: &Body) -> &'static str {
    match body {
        Body::PlaceOrder(_) => "total",
        Body::PayStart { .. } => "amount",
        Body::OpenCase { .. } | Body::RefundOrder { .. } => "refund",
        Body::Confirm { .. } => "released",
        Body::SetStock { .. } => "revision",
        _ => "",
    }
}

/// The outcome against the oracle's.
fn compare(what: &str, expected: Verdict, outcome: &OutcomeView, fact: &str) -> Checked {
    let found: Result<Option<i64>, &str> = match outcome {
        OutcomeView::Accepted { data, .. } => {
            let value = data.get(fact);
            Ok(value.and_then(|value| value.get("minor").unwrap_or(value).as_i64()))
        }
        OutcomeView::Rejected { code, .. } => Err(code.as_str()),
        OutcomeView::Expired => Err("intent.expired"),
        OutcomeView::Withdrawn => Err("withdrawn"),
    };
    if found == expected {
        return Ok(());
    }
    Err(Violation::new("oracle", format!("{what}: {found:?}, the oracle says {expected:?}")))
}

/// syn16: class and code of a sure prediction.
fn check_prediction(id: IntentId, predicted: &OutcomeView, outcome: &OutcomeView) -> Checked {
    // Neither its age nor a withdrawal is predicted.
    if matches!(outcome, OutcomeView::Expired | OutcomeView::Withdrawn) || words(predicted) == words(outcome)
    {
        return Ok(());
    }
    let text = format!("{id}: surely {}, and it came as {}", words(predicted), words(outcome));
    Err(Violation::new("syn16", text))
}

fn words(outcome: &OutcomeView) -> &str {
    match outcome {
        OutcomeView::Accepted { .. } => "accepted",
        OutcomeView::Rejected { code, .. } => code,
        OutcomeView::Expired => "expired",
        OutcomeView::Withdrawn => "withdrawn",
    }
}

fn name_of(sent: &Sent) -> &'static str {
    match sent {
        Sent::Text(text) => text.1.body.kind(),
        Sent::Void(_) => "void",
    }
}
