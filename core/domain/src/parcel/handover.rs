//! ConfirmHandOver: the buyer's side of a hand-over that was made without a network (spec/logistics.md 4.8 step 6).
//!
//! Either phone that meets the network closes the condition: this is the buyer's own confirmation and counts as E3;
//! the courier's event adds place and courier, or comes first. Money moves once.

use souk_codes::proof::{EventKind, Verdict};
use souk_crypto::hash::digest;

use super::custody::{parcel_of, take_link, use_counter};
use super::proof::{Expected, check_acknowledgement, check_handover, check_label};
use super::{Level, Link, ParcelState};
use crate::context::Context;
use crate::id::Waybill;
use crate::intent::Intent;
use crate::outcome::{Facts, Refusal};
use crate::party::TokenHash;
use crate::rows::{Rows, Stop as Halt};
use crate::time::{Span, Time};

/// A proof knows whole seconds: it stands behind what happened within its second.
const LAST_OF_SECOND: Span = Span::from_micros(999_999);

/// Takes the buyer's proof in. Refuses: frames, `label.key_unknown`, `proof.signature`, `label.not_mine`,
/// `label.void`, `handover.key`, `handover.parcel`, `handover.label`, `handover.replay`, `handover.policy`,
/// `ack.*`.
pub fn confirm_hand_over(
    intent: &Intent,
    waybill: Waybill,
    label: &[u8],
    proof: &[u8],
    acknowledgement: &[u8],
    ctx: &Context,
    rows: &mut Rows,
) -> Result<Facts, Halt> {
    let read = check_label(label, ctx.reference)?;
    let parcel = parcel_of(waybill, "label.not_mine", rows)?;
    if ctx.actor.account() != Some(parcel.buyer) || parcel.label != label || read.waybill != waybill.number()
    {
        return Err(Refusal::new("label.not_mine").into());
    }
    if parcel.state == ParcelState::Cancelled {
        return Err(Refusal::new("label.void").into());
    }
    let expected = Expected { waybill: waybill.number(), label, key: &parcel.buyer_key };
    let handover = check_handover(proof, &expected)?;
    if !use_counter(&handover, proof, &parcel, rows)? {
        return Err(Refusal::new("handover.replay").into());
    }
    let kind = match handover.verdict {
        Verdict::Accept | Verdict::AcceptDamaged => EventKind::Delivered,
        Verdict::Refuse => EventKind::Refused,
        Verdict::Delegate => return Err(Refusal::new("handover.policy").into()),
    };
    let made_at = Time::from_secs(handover.time_s.into()).min(ctx.now);
    if !acknowledgement.is_empty() {
        match check_acknowledgement(acknowledgement, waybill.number(), proof, None, made_at, ctx.reference) {
            Ok(_) => {}
            // The buyer may hold today's certificate apart from it: the courier's own event brings it.
            Err(refusal) if refusal.code == "ack.cert_missing" => {}
            Err(refusal) => return Err(refusal.into()),
        }
    }
    let link = Link {
        index: None,
        id: TokenHash(digest("souk/word/v1/", &[&proof[..proof.len().min(32)]])),
        prev: TokenHash([0; 32]),
        kind: kind.number(),
        reason: 0,
        at: made_at.plus(LAST_OF_SECOND).min(ctx.now),
        level: Level::E3,
        damaged: handover.verdict == Verdict::AcceptDamaged,
        // It is the buyer's own confirmation, whenever it comes.
        stale: false,
    };
    take_link(intent, parcel, link, Vec::new(), ctx, rows)
}
