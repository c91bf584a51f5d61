//! `decide`: the one pure function that the backend uses to decide and a device uses to predict (design.md 3).
//!
//! It only dispatches; the rules stand in one file an intent. Always: same intent, context and rows give the same
//! step on every machine; a refusal leaves the rows as they were.

use crate::bookkeeping::TimerKind;
use crate::context::{Actor, Context};
use crate::intent::{Body, Intent, ServerAct};
use crate::outcome::{Facts, Outcome, Refusal};
use crate::rows::{Key, Rows, Stop};
use crate::{catalogue, order, parcel, party, replay, stock};

/// How far a decision came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// Decided. What an accepted intent wrote is staged: the caller keeps it ([`Rows::keep`]) once it has read the
    /// changes off it; a refusal has staged nothing.
    Done(Outcome),
    /// Load these rows and decide again.
    Missing(Vec<Key>),
    /// This machine cannot know: a device without the platform's seal, or without the rows.
    Unknown,
}

/// Decides one intent against the rows it needs. Same input, same outcome, on every machine.
pub fn decide(intent: &Intent, ctx: &Context, rows: &mut Rows) -> Step {
    if ctx.now > intent.not_after {
        return Step::Done(Outcome::Expired);
    }
    match rule(intent, ctx, rows) {
        Ok(data) => Step::Done(Outcome::Accepted { at: ctx.now, data }),
        Err(stop) => {
            rows.discard();
            match stop {
                Stop::Refuse(refusal) => Step::Done(refusal.into_outcome()),
                Stop::Missing(keys) => Step::Missing(keys),
                Stop::Unknown => Step::Unknown,
            }
        }
    }
}

fn rule(intent: &Intent, ctx: &Context, rows: &mut Rows) -> Result<Facts, Stop> {
    match &intent.body {
        Body::OpenShop(open) => party::open_shop::open_shop(intent, open, ctx, rows),
        Body::PutProduct(put) => catalogue::put_product::put_product(put, ctx, rows),
        Body::SetOfferState { offer, state } => catalogue::offer::set_state(*offer, *state, ctx, rows),
        Body::SetPrice { offer, price } => catalogue::offer::set_price(*offer, *price, ctx, rows),
        Body::SetStock { offer, on_hand, base_revision } => {
            stock::set::set_stock(*offer, *on_hand, *base_revision, ctx, rows)
        }
        Body::SetCartLine { offer, quantity, seen } => {
            order::cart::set_cart_line(*offer, *quantity, *seen, ctx, rows)
        }
        Body::PutCheckout { checkout, lines } => {
            order::cart::put_checkout(*checkout, lines, &intent.bin, ctx, rows)
        }
        Body::PlaceOrder(place) => order::place::place_order(intent, place, ctx, rows),
        Body::PayStart { order, rail, method } => {
            order::pay::pay_start(intent, *order, rail, *method, ctx, rows)
        }
        Body::CancelOrder { order } => order::cancel::cancel_order(intent, *order, ctx, rows),
        Body::OpenCase { order, reason } => order::refund::open_case(intent, *order, reason, ctx, rows),
        Body::RefundOrder { order } => order::refund::refund_order(intent, *order, ctx, rows),
        Body::Confirm { order } => order::confirm::confirm(intent, *order, ctx, rows),
        Body::MakeLabels { order, weight_g, courier } => {
            parcel::make_labels::make_labels(intent, *order, *weight_g, *courier, ctx, rows)
        }
        Body::Ship { order } => order::ship::ship(*order, ctx, rows),
        Body::OpenShift { hours } => parcel::shift::open_shift(intent, *hours, ctx, rows),
        Body::CloseShift { shift } => parcel::shift::close_shift(*shift, ctx, rows),
        Body::AppendCustody { waybill } => parcel::custody::append_custody(intent, *waybill, ctx, rows),
        Body::ConfirmHandOver { waybill, label, proof, acknowledgement } => {
            parcel::handover::confirm_hand_over(intent, *waybill, label, proof, acknowledgement, ctx, rows)
        }
        Body::Server(act) => {
            if *ctx.actor != Actor::Server {
                return Err(Refusal::new("intent.kind").into());
            }
            server_act(intent, act, ctx, rows)
        }
    }
}

fn server_act(intent: &Intent, act: &ServerAct, ctx: &Context, rows: &mut Rows) -> Result<Facts, Stop> {
    match act {
        ServerAct::ClaimContact { contact_hash, account, .. } => {
            party::sign_in::claim_contact(contact_hash, *account, ctx, rows)
        }
        ServerAct::EnrolDevice(enrol) => party::sign_in::enrol_device(enrol, ctx, rows),
        ServerAct::IssueTokens(tokens) => party::sign_in::issue_tokens(tokens, ctx, rows),
        ServerAct::RotateTokens { used, tokens } => party::sign_in::rotate_tokens(used, tokens, ctx, rows),
        ServerAct::RevokeDevice { account, device } => party::sign_in::revoke_device(*account, *device, rows),
        ServerAct::RaiseEpoch { account, device, have } => {
            party::sign_in::raise_epoch(*account, *device, *have, rows)
        }
        ServerAct::RailFact(fact) => order::capture::rail_fact(intent, fact, ctx, rows),
        ServerAct::RailProgress { op, state, rail_ref, next_try } => {
            order::pay::rail_progress(*op, *state, rail_ref, *next_try, ctx, rows)
        }
        // A clock that was set back between finding the timer and deciding it: it comes again.
        ServerAct::Timeout(timer) if ctx.now < timer.due => Ok(Facts::none().with("changed", false)),
        ServerAct::Timeout(timer) => {
            rows.delete(&Key::timer_of(timer))?;
            match timer.kind {
                TimerKind::PayWindow => order::timeout::pay_window(intent, timer, ctx, rows),
                TimerKind::ShipDeadline => order::timeout::ship_deadline(timer, ctx, rows),
                TimerKind::AutoCancel => order::timeout::auto_cancel(intent, timer, ctx, rows),
                TimerKind::Release => order::timeout::release(intent, timer, ctx, rows),
                TimerKind::CaseSilence => order::timeout::case_silence(intent, timer, ctx, rows),
                TimerKind::ReserveEnd => order::timeout::reserve_end(intent, timer, ctx, rows),
            }
        }
        ServerAct::HandedOff { to, from, seq, handoff } => {
            crate::handoff::take_in(*to, *from, *seq, handoff, rows)
        }
        ServerAct::OutboxDone { bucket, seqs } => crate::handoff::outbox_done(*bucket, seqs, rows),
        ServerAct::Historic(act) => replay::book(intent, act, ctx, rows),
    }
}
