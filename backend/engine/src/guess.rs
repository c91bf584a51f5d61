//! The rows that a decision will most likely ask for, so that a batch reads them in one go.
//!
//! Always: only a guess. What is missing is loaded when the rule asks for it; what is too much does no harm.

use souk_domain::context::Actor;
use souk_domain::id::{OrderId, ParcelId, PaymentId, ShiftId, ShopId};
use souk_domain::intent::{Body, Intent, ServerAct};
use souk_domain::rows::{Key, key};

use crate::Ask;
use crate::prepared::{Prepared, What};

/// Keys for a whole ask.
pub(crate) fn keys(ask: &Ask) -> Vec<Key> {
    let mut keys = Vec::new();
    match ask {
        Ask::Push(push) => {
            for item in &push.items {
                of_item(item, Some(push.epoch), &push.actor, &mut keys);
            }
        }
        Ask::Direct(direct) => of_item(&direct.item, None, &direct.actor, &mut keys),
        Ask::Server { id, act } => {
            if act.is_stored() {
                keys.push(Key::intent_row(None, *id));
            }
            of_act(act, &mut keys);
        }
        Ask::Deliver(outbox) => {
            keys.push(Key::outbox(outbox.bucket, outbox.seq));
            keys.push(Key::owner(outbox.bucket));
        }
    }
    keys
}

fn of_item(item: &Prepared, epoch: Option<u32>, actor: &Actor, keys: &mut Vec<Key>) {
    let Actor::User { account, device, .. } = actor else { return };
    keys.push(Key::device(*account, *device));
    let Some(id) = item.id else { return };
    keys.push(Key::intent_row(Some(*account), id.into()));
    keys.push(Key::owner(id.bucket()));
    if let (Some(place), Some(epoch)) = (item.place, epoch) {
        keys.push(Key::stream_of(place.bucket, *device, epoch, place.lane));
    }
    let What::Text(text) = &item.what else { return };
    if let Ok(mint) = &text.mint {
        keys.push(Key::device(*account, mint.device));
        keys.push(Key::minted_of(id.bucket(), mint.device, mint.epoch, mint.dev_seq));
    }
    if let Ok(intent) = &text.intent {
        keys.extend(named(intent));
        of_body(intent, actor, keys);
    }
}

/// The key of the row that an accepted intent makes under its own id: another account may have it already.
pub(crate) fn named(intent: &Intent) -> Option<Key> {
    let id = *intent.id.bytes();
    match &intent.body {
        Body::OpenShop(_) => ShopId::from_bytes(id).ok().map(Key::shop),
        Body::PlaceOrder(_) => OrderId::from_bytes(id).ok().map(Key::order),
        Body::PayStart { .. } => PaymentId::from_bytes(id).ok().map(Key::payment),
        Body::MakeLabels { .. } => ParcelId::from_bytes(id).ok().map(Key::parcel),
        Body::OpenShift { .. } => ShiftId::from_bytes(id).ok().map(Key::shift),
        Body::PutProduct(_)
        | Body::SetOfferState { .. }
        | Body::SetPrice { .. }
        | Body::SetStock { .. }
        | Body::SetCartLine { .. }
        | Body::PutCheckout { .. }
        | Body::CancelOrder { .. }
        | Body::OpenCase { .. }
        | Body::RefundOrder { .. }
        | Body::Confirm { .. }
        | Body::Ship { .. }
        | Body::CloseShift { .. }
        | Body::AppendCustody { .. }
        | Body::ConfirmHandOver { .. }
        | Body::Server(_) => None,
    }
}

fn of_body(intent: &Intent, actor: &Actor, keys: &mut Vec<Key>) {
    let Some(account) = actor.account() else { return };
    match &intent.body {
        Body::OpenShop(_) => keys.push(Key::account(account)),
        Body::PutProduct(put) => keys.extend([Key::shop(put.shop), Key::sku_of(put.shop, &put.sku)]),
        Body::SetOfferState { offer, .. } | Body::SetPrice { offer, .. } | Body::SetStock { offer, .. } => {
            keys.extend([Key::offer(*offer), Key::stock(*offer)]);
        }
        Body::SetCartLine { offer, .. } => keys.push(Key::cart_line(account, *offer)),
        Body::PutCheckout { checkout, .. } => keys.push(Key::checkout(account, *checkout)),
        Body::PlaceOrder(place) => {
            keys.push(Key::shop(place.shop));
            for line in &place.lines {
                keys.extend([Key::offer(line.offer), Key::stock(line.offer)]);
            }
        }
        Body::PayStart { order, .. }
        | Body::CancelOrder { order }
        | Body::OpenCase { order, .. }
        | Body::RefundOrder { order }
        | Body::Confirm { order }
        | Body::Ship { order }
        | Body::MakeLabels { order, .. } => keys.extend([Key::order(*order), Key::blocker(*order)]),
        Body::OpenShift { .. } => keys.extend([Key::account(account), Key::route(account)]),
        Body::CloseShift { shift } => keys.extend([Key::shift(*shift), Key::route(account)]),
        Body::AppendCustody { waybill } | Body::ConfirmHandOver { waybill, .. } => {
            keys.extend(waybill.bucket().map(|bucket| Key::waybill(bucket, *waybill)));
        }
        Body::Server(act) => of_act(act, keys),
    }
}

fn of_act(act: &ServerAct, keys: &mut Vec<Key>) {
    keys.push(Key::owner(act.bucket()));
    match act {
        ServerAct::ClaimContact { contact_hash, .. } => keys.push(Key::contact_claim(contact_hash)),
        ServerAct::EnrolDevice(enrol) => {
            keys.extend([Key::account(enrol.account), Key::device(enrol.account, enrol.device)]);
        }
        ServerAct::IssueTokens(tokens) => keys.push(Key::device(tokens.account, tokens.device)),
        ServerAct::RotateTokens { used, tokens } => keys.extend([
            Key::device(tokens.account, tokens.device),
            Key::token(tokens.account.bucket(), &used.0),
        ]),
        ServerAct::RevokeDevice { account, device } | ServerAct::RaiseEpoch { account, device, .. } => {
            keys.push(Key::device(*account, *device));
        }
        ServerAct::RailFact(fact) => keys.push(Key::payment(fact.payment)),
        ServerAct::RailProgress { op, .. } => keys.push(Key::rail_op(*op)),
        ServerAct::Timeout(timer) => {
            keys.push(Key::timer_of(timer));
            if let Ok(order) = OrderId::from_bytes(timer.entity) {
                keys.extend([Key::order(order), Key::blocker(order)]);
            }
        }
        ServerAct::HandedOff { to, from, seq, .. } => keys.push(Key::inbox_of(*to, *from, *seq)),
        ServerAct::OutboxDone { bucket, seqs } => {
            keys.extend(seqs.iter().map(|seq| Key::outbox(*bucket, *seq)));
        }
        ServerAct::Historic(_) => {}
    }
}

/// The bucket in which a contact's claim stands, for making the act.
pub(crate) fn contact_bucket(contact_hash: &[u8; 32]) -> souk_domain::id::Bucket {
    key::contact_bucket(contact_hash)
}
