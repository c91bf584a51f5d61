//! The taker's side: the buyer scans the label, shows the proof, keeps the acknowledgement (spec/logistics.md 4.8).

use souk_codes::proof::{
    AckA, HandoverFlags, HandoverH, LabelFlags, LabelL, VALIDITY_STEPS_DEFAULT, Verdict, from_text, text,
};
use souk_crypto::hash::h8;
use souk_crypto::sign::sign_checked;
use souk_domain::id::Waybill;
use souk_domain::intent::Body;
use souk_domain::order::{Order, OrderState, ShipmentState};
use souk_domain::outcome::Outcome;
use souk_domain::parcel::proof::{check_acknowledgement, digest_of, frame, order_commitment};
use souk_domain::parcel::{Parcel, ParcelState};
use souk_domain::rows::Row;
use souk_domain::scope::{EntityKind, Scope};
use souk_domain::time::{Span, Time};
use souk_protocol::intent::IntentText;

use super::{
    ANSWER_PUT, KeptProof, PROOF_PUT, Side, algorithm_of, label_view, next_of, proofs_of, read_label,
    seconds, stored, take_number,
};
use crate::clock::Now;
use crate::error::{SoukError, StoreResult};
use crate::facade::Desk;
use crate::facade::requests::{HandOverRequest, TakeVerdict};
use crate::facade::views::{CodeView, LabelView};
use crate::host::DeviceHost;
use crate::outbox::{self, OutboxRow, RowState, Tap, enqueue, settle};
use crate::overlay::read;

/// Orders that a label is looked for in; more are of no living parcel.
const ORDERS_MAX: usize = 1_000;
/// Name in `counter` of the series of hand-over proofs.
const SERIES: &str = "H";

/// A label of an own parcel.
struct Mine {
    bytes: Vec<u8>,
    label: LabelL,
    order: Order,
    parcel: Option<Parcel>,
}

impl Desk<'_> {
    /// Checks a label against the own orders, column L of spec/logistics.md 4.5.
    fn my_label(&self, text: &str) -> Result<Mine, SoukError> {
        let (bytes, label) = read_label(self, text)?;
        // The server's rows, not what is pending on top: a code that has run out is shown once more.
        let user = &self.files.user;
        let scope = Scope::Account(self.me()?);
        let is_its = |order: &Order| order_commitment(order.id, &order.salt) == label.order_commitment;
        let order = read::rows(user, &scope, EntityKind::Order, ORDERS_MAX, 0)?
            .into_iter()
            .find_map(|row| match row {
                Row::Order(order) if is_its(&order) => Some(order),
                _ => None,
            })
            .ok_or_else(|| SoukError::new("label.not_mine"))?;
        let mut parcel = None;
        for id in &order.parcels {
            if let Some(Row::Parcel(row)) = read::row(user, EntityKind::Parcel, id.bytes())?
                && row.waybill.number() == label.waybill
            {
                parcel = Some(row);
            }
        }
        // A label that was printed again is another one; only the last is good.
        let is_void = |parcel: &Parcel| parcel.state == ParcelState::Cancelled || parcel.label != bytes;
        if parcel.as_ref().is_some_and(is_void) {
            return Err(SoukError::new("label.void"));
        }
        let is_here = parcel.as_ref().is_some_and(|parcel| parcel.state == ParcelState::Delivered);
        if is_here || order.shipment == ShipmentState::Delivered {
            return Err(SoukError::new("label.already_delivered"));
        }
        match (order.state, order.shipment) {
            (OrderState::Open, ShipmentState::None | ShipmentState::Shipped) => {}
            (OrderState::Created | OrderState::Open | OrderState::Completed | OrderState::Cancelled, _) => {
                return Err(SoukError::new("label.order_state"));
            }
        }
        Ok(Mine { bytes, label, order, parcel })
    }
}

impl DeviceHost {
    /// Is this my parcel? Works without a network. Refuses, in this order: `proof.slow_down{wait_ms}`, frames (`proof.*`),
    /// `label.key_unknown`, `proof.signature`, `label.not_mine`, `label.void`, `label.already_delivered`, `label.order_state`.
    pub fn read_label(&mut self, label: &str, now: Now) -> Result<LabelView, SoukError> {
        self.checked(now, |host| {
            let mine = host.desk(now)?.my_label(label)?;
            Ok(LabelView { order: Some(mine.order.id), ..label_view(&mine.label) })
        })
    }

    /// Signs the hand-over of an own parcel and answers the code to be shown. Counter, proof and the own confirmation
    /// are on the disk before it answers; either phone that meets the network closes the condition. A later code with
    /// another word takes the former word back, while it is not decided. Refuses as [`DeviceHost::read_label`],
    /// `label.already_delivered` (the server has the other word), `handover.key` (another device of this account must
    /// sign), `handover.policy` (cash on delivery not agreed), `sign.*`, `store.*`.
    pub fn show_handover(&mut self, request: &HandOverRequest, now: Now) -> Result<CodeView, SoukError> {
        self.checked(now, |host| host.show(request, now))
    }

    fn show(&mut self, request: &HandOverRequest, now: Now) -> Result<CodeView, SoukError> {
        let desk = self.desk(now)?;
        let mine = desk.my_label(&request.label)?;
        let at = desk.clock.at;
        let known = mine.parcel.as_ref().map_or(&mine.order.buyer_key, |parcel| &parcel.buyer_key);
        if *known.public_key() != self.signer().public_key() {
            return Err(SoukError::new("handover.key"));
        }
        let (bytes, handover) = self.sign_handover(&mine, request, at)?;
        let row = ProofRow {
            key: self.signer().public_key().key_id32(),
            counter: handover.counter,
            waybill: Waybill::from_number(mine.label.waybill),
            bytes: bytes.clone(),
            label: mine.bytes.clone(),
            at,
        };
        let told = self.told(row.waybill)?;
        match told {
            // One word is enough: a courier may still need a code that has not run out.
            Some(told) if told.verdict == handover.verdict => self.user_tx(|tx| row.write(tx))?,
            Some(told) if told.row.state == RowState::Decided => {
                return Err(SoukError::new("label.already_delivered"));
            }
            former => {
                let tap = confirmation(&row, &mine.order, Vec::new());
                let ready = self.prepare(tap, now)?;
                self.save(ready, now, |tx, _| {
                    if let Some(former) = &former {
                        settle::withdraw(tx, former.row.id)?;
                    }
                    row.write(tx)
                })?;
            }
        }
        let expires_at = at.plus(Span::from_secs(handover.validity_s().into()));
        Ok(CodeView { text: text(&bytes), expires_at })
    }

    fn sign_handover(
        &self,
        mine: &Mine,
        request: &HandOverRequest,
        at: Time,
    ) -> Result<(Vec<u8>, HandoverH), SoukError> {
        let key = self.signer().public_key();
        let verdict = match request.verdict {
            TakeVerdict::Accept => Verdict::Accept,
            TakeVerdict::AcceptDamaged => Verdict::AcceptDamaged,
            TakeVerdict::Refuse => Verdict::Refuse,
        };
        let takes_it = verdict != Verdict::Refuse;
        if takes_it && mine.label.flags.has(LabelFlags::COD) && !request.cod_agreed {
            return Err(SoukError::new("handover.policy"));
        }
        let flags = if request.cod_agreed { HandoverFlags::COD_AGREED } else { HandoverFlags::NONE };
        let [a, b, c, d, ..] = key.key_id();
        let handover = HandoverH {
            algorithm: algorithm_of(&key),
            verdict,
            key_id: [a, b, c, d],
            waybill: mine.label.waybill,
            time_s: seconds(at)?,
            validity: VALIDITY_STEPS_DEFAULT,
            flags,
            counter: next_of(&self.files()?.user, SERIES)?,
            bound_h8: h8(&mine.bytes),
        };
        let d = digest_of(HandoverH::LETTER, &handover.body());
        let signature =
            sign_checked(self.signer().as_ref(), &d).map_err(|error| SoukError::new(error.code()))?;
        Ok((handover.encode(&signature), handover))
    }

    /// The own word about a parcel that waits, or that the server has accepted.
    fn told(&self, waybill: Waybill) -> StoreResult<Option<Told>> {
        let rows = outbox::rows_where(&self.files()?.user, "kind = 'ConfirmHandOver'", &[])?;
        let told = rows.into_iter().rev().find_map(|row| {
            let is_alive = !row.is_void() && row.outcome.as_ref().is_none_or(Outcome::is_accepted);
            let body = IntentText::parse(&row.text).and_then(|text| text.body()).ok()?;
            match body {
                Body::ConfirmHandOver { waybill: of, proof, .. } if of == waybill && is_alive => {
                    let (handover, _) = HandoverH::decode(&proof).ok()?;
                    Some(Told { row, verdict: handover.verdict })
                }
                _ => None,
            }
        });
        Ok(told)
    }

    /// Keeps the courier's acknowledgement as evidence; it goes along with the own word, while that is not decided. Refuses,
    /// in this order: `proof.slow_down{wait_ms}`, frames (`proof.*`), `ack.cert_missing`, `ack.cert_signature`,
    /// `ack.cert_expired`, `proof.signature`, `ack.parcel`, `ack.handover`.
    pub fn keep_ack(&mut self, ack: &str, now: Now) -> Result<(), SoukError> {
        self.checked(now, |host| host.keep(ack.trim(), now))
    }

    fn keep(&mut self, ack: &str, now: Now) -> Result<(), SoukError> {
        let bytes = from_text(ack).map_err(frame)?;
        let (read, _) = AckA::decode(&bytes).map_err(frame)?;
        let waybill = Waybill::from_number(read.waybill);
        let desk = self.desk(now)?;
        let shown = proofs_of(&desk.files.user, waybill, Side::Shown)?;
        // The proof that it answers, or the last one, so that the check names what does not fit.
        let answered = shown.iter().find(|proof| h8(&proof.bytes) == read.handover_h8).or(shown.first());
        let (number, proof) = match answered {
            Some(proof) => (read.waybill, proof.clone()),
            None => (0, KeptProof::default()),
        };
        let at = desk.clock.at;
        check_acknowledgement(&bytes, number, &proof.bytes, None, at, &desk.reference_or_keys()?)?;
        let (handover, _) = HandoverH::decode(&proof.bytes).map_err(frame)?;
        let keep = |tx: &rusqlite::Connection| {
            tx.prepare_cached(ANSWER_PUT)?.execute((&proof.bytes, ack))?;
            Ok(())
        };
        let open = self.told(waybill)?.filter(|told| {
            let is_open = told.row.state != RowState::Decided;
            is_open && told.verdict == handover.verdict && proof.answer.is_empty()
        });
        // A text that may have left never changes, but an act that says more may take its place: should both be decided,
        // the proof in them is the same and counts once.
        let Some(Told { row: former, .. }) = open else { return Ok(self.user_tx(keep)?) };
        let copy = enqueue::kept(&self.files()?.user, former.id)?.map(|kept| kept.copy);
        let body = Body::ConfirmHandOver {
            waybill,
            label: proof.label.clone(),
            proof: proof.bytes.clone(),
            acknowledgement: bytes,
        };
        let tap = Tap { copy: copy.unwrap_or_default(), ..Tap::of(body) };
        let ready = self.prepare(tap, now)?;
        self.save(ready, now, |tx, _| {
            settle::withdraw(tx, former.id)?;
            keep(tx)
        })?;
        Ok(())
    }
}

/// The own word about a parcel.
struct Told {
    row: OutboxRow,
    verdict: Verdict,
}

/// The act that tells the server.
fn confirmation(row: &ProofRow, order: &Order, acknowledgement: Vec<u8>) -> Tap {
    let title = order.lines.first().map(|line| line.title.clone()).unwrap_or_default();
    let copy = serde_json::json!({"title": title, "order": order.id});
    let body = Body::ConfirmHandOver {
        waybill: row.waybill,
        label: row.label.clone(),
        proof: row.bytes.clone(),
        acknowledgement,
    };
    Tap { copy, ..Tap::of(body) }
}

/// A proof to be kept before it is shown.
struct ProofRow {
    key: [u8; 32],
    counter: u32,
    waybill: Waybill,
    bytes: Vec<u8>,
    label: Vec<u8>,
    at: Time,
}

impl ProofRow {
    fn write(&self, tx: &rusqlite::Connection) -> StoreResult<()> {
        take_number(tx, SERIES, self.counter)?;
        tx.prepare_cached(PROOF_PUT)?.execute((
            self.key.as_slice(),
            self.counter,
            Side::Shown.name(),
            stored(self.waybill),
            &self.bytes,
            &self.label,
            "",
            self.at.micros(),
        ))?;
        Ok(())
    }
}
