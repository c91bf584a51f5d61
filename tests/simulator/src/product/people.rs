//! What people tap: buyers order, pay, take back, cancel, ask for their money; a seller labels, ships, refunds, counts and
//! prices; a courier scans. Nobody looks at the server: everybody knows what the own device shows, and not even that well.

use souk_codes::proof::EventKind;
use souk_device::outbox::{Confidence, RowState, Tap, Why};
use souk_device::sync::Event;
use souk_domain::catalogue::OfferState;
use souk_domain::id::{IntentId, OfferId, OrderId, ShopId};
use souk_domain::intent::{Body, PlaceOrder, ShortPolicy, WantedLine};
use souk_domain::order::{AddressText, Order, OrderState, PayMethod, RailId, ShipmentState};
use souk_domain::parcel::proof::CustodyBin;
use souk_domain::parcel::{ParcelState, Shift, Stop};
use souk_domain::rows::Row;
use souk_domain::scope::{EntityKind, Scope};
use souk_domain::time::Span;
use souk_protocol::outcome::OutcomeView;

use super::custody::{self, Tip};
use super::market::{HOME, PRICE, PRICE_STEP, PRODUCTS, Part, money};
use super::record::subject_of;
use super::truth::{Sure, Tapped};
use super::views::{version_on_device, version_on_server};
use super::world::{Person, ProductWorld, is_of_medium};
use crate::disk::HostId;
use crate::sim::Sim;
use crate::world::{Checked, Violation};

/// Acts of one sitting.
const ACTS: (u64, u64) = (1, 3);

impl ProductWorld {
    /// Somebody takes the device in hand.
    pub(super) fn tap(&mut self, host: HostId, sim: &mut Sim) -> Checked {
        self.answer_questions(host, sim)?;
        let Some(person) = self.person(host).cloned() else { return Ok(()) };
        for _ in 0..sim.rng().between(ACTS.0, ACTS.1) {
            if sim.disk().is_dead(host) {
                return Ok(());
            }
            let tap = match person.part {
                Part::Buyer => self.buyer(&person, sim),
                Part::Seller => self.seller(&person, sim),
                Part::Courier => self.courier(&person, sim),
            };
            if let Some(tap) = tap {
                self.save(host, tap, sim)?;
            }
        }
        if let Some(phone) = self.phone(host)
            && sim.rng().chance(100)
        {
            phone.event(Event::SyncNow, sim);
        }
        Ok(())
    }

    /// What the device asks: to sign in again, whether an act of unknown age is still wanted.
    pub(super) fn answer_questions(&mut self, host: HostId, sim: &mut Sim) -> Checked {
        let Some(phone) = self.phone(host) else { return Ok(()) };
        if matches!(phone.core.link_word(), "new" | "signed_out" | "revoked") {
            self.sign_in(host, sim);
        }
        let Some(phone) = self.phone(host) else { return Ok(()) };
        let Ok(rows) = phone.core.outbox_rows() else { return Ok(()) };
        for row in rows.iter().filter(|row| row.state == RowState::Parked) {
            let now = phone.now(sim);
            let done = match row.why {
                Some(Why::Ask) if sim.rng().chance(600) => phone.core.confirm_parked(row.id, now),
                Some(Why::Ask) => phone.core.withdraw(row.id, now),
                why => {
                    let text = format!("{host}: {} is parked for {why:?}", row.id);
                    return Err(Violation::new("syn15", text));
                }
            };
            sim.log(|sim| format!("{} answers for {}: {done:?}", sim.name(host), row.id));
            phone.drain(sim);
        }
        Ok(())
    }

    /// A tap on the device: saved, refused, or nobody knows.
    pub(super) fn save(
        &mut self,
        host: HostId,
        tap: Tap,
        sim: &mut Sim,
    ) -> Result<Option<IntentId>, Violation> {
        let Some(phone) = self.phones.get_mut(&host).and_then(Option::as_mut) else { return Ok(None) };
        let Some(account) = phone.core.session().map(|session| session.account) else { return Ok(None) };
        let undecided = phone.core.undecided().unwrap_or(u64::MAX);
        let mut tapped = Tapped {
            host,
            account,
            body: tap.body.clone(),
            bin: tap.bin.clone(),
            max_total: tap.max_total,
            sure: None,
        };
        let kind = tap.body.kind();
        let now = phone.now(sim);
        let answer = phone.core.tap(tap, now);
        phone.drain(sim);
        sim.log(|sim| match &answer {
            Ok(saved) => {
                format!("{} taps {kind} {}: {:?}", sim.name(host), saved.id, saved.predicted.confidence)
            }
            Err(error) => format!("{} taps {kind}: {}", sim.name(host), error.code),
        });
        match answer {
            Ok(saved) => {
                if undecided == 0
                    && let (Confidence::Sure, Some(outcome)) =
                        (saved.predicted.confidence, &saved.predicted.outcome)
                {
                    tapped.sure = self.sure(host, &tapped, outcome);
                }
                sim.count(if kind == "PlaceOrder" { "orders" } else { "acts" });
                self.record.truth.saved(saved.id, tapped)?;
                Ok(Some(saved.id))
            }
            Err(error) => {
                if is_of_medium(&error.code) {
                    self.record.truth.unsure(tapped);
                }
                sim.count("taps_refused");
                Ok(None)
            }
        }
    }

    /// A sure prediction, if the device has the thing as the server has it.
    fn sure(&self, host: HostId, tapped: &Tapped, outcome: &OutcomeView) -> Option<Sure> {
        let subject = subject_of(&tapped.body)?;
        let (server, phone) = (self.server.as_ref()?, self.phones.get(&host)?.as_ref()?);
        let person = self.person(host)?;
        let (scope, kind) = match (person.part, &tapped.body) {
            (Part::Seller, Body::SetPrice { .. } | Body::SetOfferState { .. }) => {
                (Scope::Seller(self.shop?), EntityKind::Offer)
            }
            (Part::Seller, Body::SetStock { .. }) => (Scope::Seller(self.shop?), EntityKind::Stock),
            (Part::Seller, _) => (Scope::Seller(self.shop?), EntityKind::Order),
            _ => (Scope::Account(person.account), EntityKind::Order),
        };
        let mine = version_on_device(phone, &scope, kind, &subject).ok()??;
        let theirs = version_on_server(server, &scope, kind, &subject, self.shop_bucket())?;
        let sure = Sure { outcome: outcome.clone(), stamp: self.record.stamp(&subject) };
        (mine == theirs && !self.record.has_unknown()).then_some(sure)
    }

    fn rows(&mut self, host: HostId, scope: &Scope, kind: EntityKind) -> Vec<Row> {
        let Some(phone) = self.phone(host) else { return Vec::new() };
        phone.core.rows_of(scope, kind).unwrap_or_default()
    }

    /// An order that the device shows and that fits.
    fn order(
        &mut self,
        host: HostId,
        scope: &Scope,
        fits: impl Fn(&Order) -> bool,
        sim: &mut Sim,
    ) -> Option<OrderId> {
        let rows = self.rows(host, scope, EntityKind::Order);
        let orders = rows.iter().filter_map(|row| match row {
            Row::Order(order) if fits(order) => Some(order.id),
            _ => None,
        });
        sim.rng().pick(&orders.collect::<Vec<_>>()).copied()
    }

    fn offer(&self, sim: &mut Sim) -> Option<OfferId> {
        let offers: Vec<OfferId> = self.record.oracle.offers.keys().copied().collect();
        sim.rng().pick(&offers).copied()
    }

    fn buyer(&mut self, person: &Person, sim: &mut Sim) -> Option<Tap> {
        let own = Scope::Account(person.account);
        match sim.rng().below(100) {
            0..30 => self.place(person, sim),
            30..55 => {
                let order = self.unpaid(person, sim)?;
                let method = if sim.rng().chance(600) { PayMethod::Mandate } else { PayMethod::Payer };
                let rail = RailId::new(RailId::SANDBOX)?;
                Some(hurried(Body::PayStart { order, rail, method }, sim))
            }
            55..67 => {
                let at = sim.now();
                self.rail.payer_acts(at, sim.rng());
                if let Some(server) = &mut self.server {
                    server.plan(&self.rail, sim);
                }
                None
            }
            67..72 => {
                self.withdraw(person.host, sim);
                None
            }
            72..77 => {
                let order = self.unpaid(person, sim)?;
                Some(hurried(Body::CancelOrder { order }, sim))
            }
            77..82 => {
                let fits = |order: &Order| order.state == OrderState::Open;
                let order = self.order(person.host, &own, fits, sim)?;
                Some(hurried(Body::OpenCase { order, reason: "too late".to_owned() }, sim))
            }
            82..90 => {
                let fits = |order: &Order| order.state == OrderState::Open;
                let order = self.order(person.host, &own, fits, sim)?;
                Some(Tap::of(Body::Confirm { order }))
            }
            _ => {
                let (offer, quantity) = (self.offer(sim)?, sim.rng().below(4) as u32);
                Some(Tap::of(Body::SetCartLine { offer, quantity, seen: money(PRICE) }))
            }
        }
    }

    /// An order of the account that is not paid as far as anybody here knows.
    fn unpaid(&mut self, person: &Person, sim: &mut Sim) -> Option<OrderId> {
        if sim.rng().chance(500) {
            let fits = |order: &Order| order.state == OrderState::Created;
            let shown = self.order(person.host, &Scope::Account(person.account), fits, sim);
            if shown.is_some() {
                return shown;
            }
        }
        let acts = self.record.truth.acts_of(person.account);
        let placed = acts.filter_map(|(id, tapped, outcome)| {
            let may_be = !matches!(outcome, Some(OutcomeView::Rejected { .. } | OutcomeView::Expired));
            let is_order = matches!(tapped.body, Body::PlaceOrder(_));
            (is_order && may_be).then(|| OrderId::from_bytes(*id.bytes()).ok()).flatten()
        });
        let placed: Vec<OrderId> = placed.collect();
        let last = placed.len().checked_sub(1)?;
        placed.get(last.saturating_sub(sim.rng().below(3) as usize)).copied()
    }

    fn place(&mut self, person: &Person, sim: &mut Sim) -> Option<Tap> {
        let shop = self.shop?;
        let cards = self.phone(person.host)?.core.stored_rows(&Scope::Catalogue).ok()?;
        let mut lines = Vec::new();
        let mut sum = 0;
        for _ in 0..sim.rng().between(1, 2) {
            let offer = self.offer(sim)?;
            let quantity = sim.rng().between(1, 3) as u32;
            let text = offer.to_string();
            let card =
                cards.iter().find(|card| card.members.get("offer").and_then(|id| id.as_str()) == Some(&text));
            let price = card.and_then(|card| card.members.get("price")?.get("minor")?.as_i64());
            let seen = price.unwrap_or(PRICE);
            sum += seen * i64::from(quantity);
            lines.push(WantedLine { offer, quantity, seen });
        }
        let policy = if sim.rng().chance(800) { ShortPolicy::AllOrNothing } else { ShortPolicy::Partial };
        let body = Body::PlaceOrder(PlaceOrder { shop, lines, policy, note: String::new() });
        let max_total = match sim.rng().below(3) {
            0 => None,
            1 => Some(money(sum + super::market::SHIPPING)),
            _ => Some(money(sum)),
        };
        let bin = if sim.rng().chance(950) { address() } else { Vec::new() };
        Some(Tap { bin, max_total, ..hurried(body, sim) })
    }

    /// Takes back something that is still under way.
    fn withdraw(&mut self, host: HostId, sim: &mut Sim) {
        let Some(phone) = self.phone(host) else { return };
        let rows = phone.core.outbox_rows().unwrap_or_default();
        let open: Vec<IntentId> = rows.iter().filter(|row| row.outcome.is_none()).map(|row| row.id).collect();
        let Some(id) = sim.rng().pick(&open).copied() else { return };
        let done = phone.core.withdraw(id, phone.now(sim));
        sim.log(|sim| format!("{} takes {id} back: {done:?}", sim.name(host)));
        sim.count("withdrawals");
        phone.drain(sim);
    }

    fn seller(&mut self, person: &Person, sim: &mut Sim) -> Option<Tap> {
        let shop: ShopId = self.shop?;
        let scope = Scope::Seller(shop);
        let is_open =
            |order: &Order| order.state == OrderState::Open && order.shipment == ShipmentState::None;
        match sim.rng().below(100) {
            0..50 => {
                let fits = |order: &Order| is_open(order) && order.parcels.is_empty();
                let order = self.order(person.host, &scope, fits, sim)?;
                Some(Tap::of(Body::MakeLabels { order, weight_g: 1_520, courier: None }))
            }
            50..55 => {
                let order = self.order(person.host, &scope, is_open, sim)?;
                Some(Tap::of(Body::Ship { order }))
            }
            55..60 => {
                let fits = |order: &Order| order.state == OrderState::Open;
                let order = self.order(person.host, &scope, fits, sim)?;
                Some(hurried(Body::RefundOrder { order }, sim))
            }
            60..64 => {
                let order = self.order(person.host, &scope, |_| true, sim)?;
                Some(hurried(Body::CancelOrder { order }, sim))
            }
            64..80 => {
                let offer = self.offer(sim)?;
                let rows = self.rows(person.host, &scope, EntityKind::Stock);
                let seen = rows.iter().find_map(|row| match row {
                    Row::Stock(stock) if stock.offer == offer => Some(stock.revision),
                    _ => None,
                });
                let base_revision = seen.filter(|_| sim.rng().chance(500));
                let on_hand = sim.rng().below(8) as u32;
                Some(Tap::of(Body::SetStock { offer, on_hand, base_revision }))
            }
            80..93 => {
                let offer = self.offer(sim)?;
                let price = PRICE + sim.rng().below(u64::from(PRODUCTS)) as i64 * PRICE_STEP;
                Some(hurried(Body::SetPrice { offer, price: money(price) }, sim))
            }
            _ => {
                let offer = self.offer(sim)?;
                let state = if sim.rng().chance(300) { OfferState::Paused } else { OfferState::Live };
                Some(Tap::of(Body::SetOfferState { offer, state }))
            }
        }
    }

    fn courier(&mut self, person: &Person, sim: &mut Sim) -> Option<Tap> {
        let scope = Scope::Route(person.account);
        let phone = self.phone(person.host)?;
        let now = phone.core.clock(phone.now(sim)).at;
        let shifts = self.rows(person.host, &scope, EntityKind::Shift);
        let shift: Option<Shift> = shifts.iter().find_map(|row| match row {
            Row::Shift(shift) if shift.closed_at.is_none() && shift.ends_at > now => Some(shift.clone()),
            _ => None,
        });
        let Some(shift) = shift else { return Some(Tap::of(Body::OpenShift { hours: 12 })) };
        if sim.rng().chance(30) {
            return Some(Tap::of(Body::CloseShift { shift: shift.id }));
        }
        let stops = self.rows(person.host, &scope, EntityKind::Stop);
        let open = stops.iter().filter_map(|row| match row {
            Row::Stop(stop) if !stop.state.is_final() => Some(stop.clone()),
            _ => None,
        });
        let stop = sim.rng().pick(&open.collect::<Vec<_>>()).cloned()?;
        self.scan(person, &stop, &shift, sim)
    }

    /// The next scan of a parcel, behind whatever this courier has signed for it before.
    fn scan(&mut self, person: &Person, stop: &Stop, shift: &Shift, sim: &mut Sim) -> Option<Tap> {
        let (tip, last) = self.tip_of(person, stop);
        let kind = match last.unwrap_or(stop.state) {
            ParcelState::Created | ParcelState::Ready => EventKind::PickedUp,
            ParcelState::PickedUp | ParcelState::Attempted => EventKind::OutForDelivery,
            ParcelState::OutForDelivery => match sim.rng().below(100) {
                0..80 => EventKind::Delivered,
                80..90 => EventKind::Attempted,
                _ => EventKind::Refused,
            },
            ParcelState::Refused => EventKind::ReturnStarted,
            ParcelState::Returning => EventKind::Returned,
            _ => return None,
        };
        let is_at_door = kind == EventKind::Delivered && sim.rng().chance(850);
        let evidence = if is_at_door { self.handover(stop, sim).unwrap_or_default() } else { Vec::new() };
        let phone = self.phone(person.host)?;
        let signer = phone.core.signer();
        let bin =
            custody::event(person.account, signer, stop, (kind, &evidence), tip, &shift.certificate).ok()?;
        Some(Tap { bin: bin.encode(), ..Tap::of(Body::AppendCustody { waybill: stop.waybill }) })
    }

    /// Where the chain stands for this courier: behind the own last event, or as the stop says.
    fn tip_of(&self, person: &Person, stop: &Stop) -> (Tip, Option<ParcelState>) {
        let mut tip = Tip { index: stop.chain_index, prev: stop.chain_tip };
        let mut state = None;
        let acts = self.record.truth.acts_of(person.account).filter(|(_, tapped, outcome)| {
            let is_gone = matches!(outcome, Some(OutcomeView::Rejected { .. } | OutcomeView::Withdrawn));
            !is_gone && tapped.body == Body::AppendCustody { waybill: stop.waybill }
        });
        for (_, tapped, _) in acts {
            let Ok(bin) = CustodyBin::decode(&tapped.bin) else { continue };
            if let Some(own) = custody::tip_behind(&bin)
                && own.index > tip.index
            {
                (tip, state) = (own, custody::state_behind(&bin));
            }
        }
        (tip, state)
    }

    /// The buyer's phone shows its proof, with or without a network.
    fn handover(&mut self, stop: &Stop, sim: &mut Sim) -> Option<Vec<u8>> {
        let has_key =
            |phone: &super::phone::Phone| phone.core.signer().public_key() == *stop.buyer_key.public_key();
        let host = self
            .phones
            .iter()
            .find(|(_, phone)| phone.as_ref().is_some_and(has_key))
            .map(|(host, _)| *host)?;
        let counter = self.handovers.entry(host).or_default();
        *counter += 1;
        let counter = *counter;
        let phone = self.phone(host)?;
        let now = phone.core.clock(phone.now(sim)).at;
        custody::handover(phone.core.signer(), stop.waybill.number(), &stop.label, counter, now).ok()
    }
}

/// A tap that now and then may not wait for long.
fn hurried(body: Body, sim: &mut Sim) -> Tap {
    let life = sim.rng().chance(250).then(|| Span::from_secs(sim.rng().between(20, 400) as i64));
    Tap { life, ..Tap::of(body) }
}

/// The bytes beside a PlaceOrder.
fn address() -> Vec<u8> {
    let address = AddressText {
        name: "Kim".to_owned(),
        lines: vec!["110 Sejong-daero".to_owned()],
        city: "Seoul".to_owned(),
        postcode: "04524".to_owned(),
        country: "KR".to_owned(),
        place: Some(HOME),
        ..AddressText::default()
    };
    // A plain struct always has a JSON form.
    [vec![7; 16], serde_json::to_vec(&address).unwrap_or_default()].concat()
}
