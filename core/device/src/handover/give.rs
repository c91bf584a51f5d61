//! The giver's side: the courier scans the taker's code (spec/logistics.md 4.5, column H; 4.8).

use souk_codes::proof::{
    AckA, AckVerdict, EventKind, EvidenceType, HandoverFlags, HandoverH, LabelFlags, LabelL, MinimumLevel,
    SignedCert, Verdict, from_text, text,
};
use souk_crypto::hash::h8;
use souk_crypto::sign::sign_checked;
use souk_domain::outcome::Refusal;
use souk_domain::parcel::Stop;
use souk_domain::parcel::proof::{Expected, check_handover, check_handover_time, digest_of, frame, party_of};

use super::chain::{Evidence, Scan, open_shift_of};
use super::{ParcelRef, Side, ack_of, algorithm_of, proof_by_counter, seconds};
use crate::clock::Now;
use crate::error::SoukError;
use crate::facade::requests::{DeliverRequest, FixRequest};
use crate::facade::views::ScanSavedView;
use crate::host::DeviceHost;

impl DeviceHost {
    /// Checks the taker's code and records the hand-over.
    pub(crate) fn take_handover(
        &mut self,
        request: &DeliverRequest,
        now: Now,
    ) -> Result<ScanSavedView, SoukError> {
        let bytes = from_text(request.handover.trim()).map_err(frame)?;
        // A broken frame is named before anything about the parcel is.
        HandoverH::decode(&bytes).map_err(frame)?;
        let desk = self.desk(now)?;
        let stop = desk.stop_of(&ParcelRef::parse(&request.parcel))?;
        let expected = Expected { waybill: stop.waybill.number(), label: &stop.label, key: &stop.buyer_key };
        let handover = check_handover(&bytes, &expected)?;
        let key = stop.buyer_key.id32();
        let seen = proof_by_counter(&desk.files.user, &key, handover.counter, Side::Taken)?;
        if let Some(seen) = seen {
            let is_same = seen.bytes.get(..HandoverH::BODY_LEN) == bytes.get(..HandoverH::BODY_LEN);
            if !is_same {
                return Err(SoukError::new("handover.replay"));
            }
            // `handover.duplicate`: the first result is shown.
            return Ok(ScanSavedView {
                waybill: stop.waybill,
                kind: kind_of(handover.verdict)?.name().to_owned(),
                again: true,
                ack: (!seen.answer.is_empty()).then_some(seen.answer),
            });
        }
        check_handover_time(&handover, desk.clock.at)?;
        check_policy(&handover, &stop, request.fix)?;
        let kind = kind_of(handover.verdict)?;
        let at = desk.clock.at;
        let ack = self.acknowledge(&stop, &handover, &bytes, kind, at, now)?;
        let is_unbound = handover.flags.has(HandoverFlags::UNBOUND);
        let evidence = Evidence {
            kind: if is_unbound { EvidenceType::HandoverUnbound } else { EvidenceType::HandoverBound },
            bytes,
            proof: Some((key, handover.counter)),
            ack: ack.clone(),
        };
        let scan = Scan { fix: request.fix, evidence: Some(evidence), ..Scan::of(kind) };
        let saved = self.append_custody(&stop, scan, now)?;
        // Another code for a parcel that is handed over already: the first result, and its acknowledgement.
        let ack = if saved.again { ack_of(&self.files()?.user, stop.waybill)? } else { Some(ack) };
        Ok(ScanSavedView { ack, ..saved })
    }

    /// A, with the certificate: the taker may never have seen it.
    fn acknowledge(
        &mut self,
        stop: &Stop,
        handover: &HandoverH,
        proof: &[u8],
        kind: EventKind,
        at: souk_domain::time::Time,
        now: Now,
    ) -> Result<String, SoukError> {
        let device_seq = self.next_custody_seq()?;
        let desk = self.desk(now)?;
        let account = desk.me()?;
        let shift = open_shift_of(&desk)?;
        let (cert, signature) = souk_codes::proof::CertK::decode(&shift.certificate).map_err(frame)?;
        let verdict = match kind {
            EventKind::Delivered => AckVerdict::Delivered,
            _ => AckVerdict::TakenBack,
        };
        let key = self.signer().public_key();
        let ack = AckA {
            algorithm: algorithm_of(&key),
            verdict,
            courier_party: party_of(account),
            waybill: handover.waybill,
            handover_h8: h8(proof),
            time_s: seconds(at)?,
            device_seq,
            certificate: Some(SignedCert { cert, signature }),
        };
        debug_assert_eq!(stop.waybill.number(), handover.waybill);
        let d = digest_of(AckA::LETTER, &ack.body());
        let signature =
            sign_checked(self.signer().as_ref(), &d).map_err(|error| SoukError::new(error.code()))?;
        Ok(text(&ack.encode(&signature)))
    }
}

/// What a verdict does to the parcel. A delegation is no hand-over.
fn kind_of(verdict: Verdict) -> Result<EventKind, Refusal> {
    match verdict {
        Verdict::Accept | Verdict::AcceptDamaged => Ok(EventKind::Delivered),
        Verdict::Refuse => Ok(EventKind::Refused),
        Verdict::Delegate => Err(Refusal::new("handover.policy")),
    }
}

/// Row 12: what the label demands of the evidence.
fn check_policy(handover: &HandoverH, stop: &Stop, fix: Option<FixRequest>) -> Result<(), SoukError> {
    let (label, _) = LabelL::decode(&stop.label).map_err(frame)?;
    let policy = || SoukError::new("handover.policy");
    let takes_it = matches!(handover.verdict, Verdict::Accept | Verdict::AcceptDamaged);
    if takes_it && label.flags.has(LabelFlags::COD) && !handover.flags.has(HandoverFlags::COD_AGREED) {
        return Err(policy());
    }
    let is_enough = match label.flags.minimum_level() {
        MinimumLevel::Any | MinimumLevel::E2 | MinimumLevel::E3 => true,
        MinimumLevel::E4 => !handover.flags.has(HandoverFlags::UNBOUND) && fix.is_some(),
    };
    if takes_it && !is_enough { Err(policy()) } else { Ok(()) }
}
