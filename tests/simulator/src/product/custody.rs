//! What a courier's phone signs at the parcel, and what the buyer's phone signs at the door: real messages with real
//! signatures (spec/logistics.md 4).

use std::sync::Arc;

use souk_codes::proof::{
    Algorithm, CustodyC, CustodyFlags, EventKind, EvidenceType, Fix, HandoverFlags, HandoverH, Verdict,
};
use souk_crypto::hash::h8;
use souk_crypto::sign::{SignError, Signer};
use souk_domain::id::AccountId;
use souk_domain::parcel::proof::{CustodyBin, digest_of, event_id, evidence_hash, party_of};
use souk_domain::parcel::{ParcelState, Stop};
use souk_domain::time::Time;

use super::market::HOME;

/// Where a chain stands: index of the next link, and the id of the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tip {
    pub(super) index: u16,
    pub(super) prev: [u8; 32],
}

/// The courier's phone signs an event behind the tip that it knows. No time of the server is claimed, so the server's
/// own counts.
pub(super) fn event(
    courier: AccountId,
    signer: &Arc<dyn Signer>,
    stop: &Stop,
    (kind, evidence): (EventKind, &[u8]),
    tip: Tip,
    certificate: &[u8],
) -> Result<CustodyBin, SignError> {
    let event = CustodyC {
        algorithm: Algorithm::Ed25519,
        kind,
        flags: CustodyFlags::NONE,
        waybill: stop.waybill.number(),
        index: tip.index,
        reason: None,
        evidence: if evidence.is_empty() { EvidenceType::None } else { EvidenceType::HandoverBound },
        giver_party: [0; 8],
        taker_party: party_of(courier),
        signer_key_id: signer.public_key().key_id(),
        device_epoch: 1,
        attempt: 0,
        device_seq: u32::from(tip.index) + 1,
        wall_time_us: 0,
        boot_ms: 1_000,
        boot_id: 1,
        latitude_e7: 0,
        longitude_e7: 0,
        accuracy_m: 0,
        fix_age_s: 0,
        server_time_us: 0,
        node: [0; 8],
        evidence_hash: evidence_hash(evidence),
        prev: tip.prev,
    }
    .with_fix(Some(Fix { latitude_e7: HOME.0, longitude_e7: HOME.1, accuracy_m: Some(20), age_s: 5 }));
    let signature = signer.sign(&digest_of(CustodyC::LETTER, &event.body()))?;
    let event = event.encode(&signature);
    Ok(CustodyBin { event, certificate: certificate.to_vec(), evidence: evidence.to_vec() })
}

/// The tip behind an event.
pub(super) fn tip_behind(bin: &CustodyBin) -> Option<Tip> {
    let (event, _) = CustodyC::decode(&bin.event).ok()?;
    Some(Tip { index: event.index + 1, prev: event_id(&event.body()) })
}

/// The buyer's phone signs that it has the parcel.
pub(super) fn handover(
    signer: &Arc<dyn Signer>,
    waybill: u64,
    label: &[u8],
    counter: u32,
    now: Time,
) -> Result<Vec<u8>, SignError> {
    let key_id = signer.public_key().key_id();
    let handover = HandoverH {
        algorithm: Algorithm::Ed25519,
        verdict: Verdict::Accept,
        key_id: [key_id[0], key_id[1], key_id[2], key_id[3]],
        waybill,
        time_s: u32::try_from(now.secs()).unwrap_or(u32::MAX),
        validity: 20,
        flags: HandoverFlags::NONE,
        counter,
        bound_h8: h8(label),
    };
    let signature = signer.sign(&digest_of(HandoverH::LETTER, &handover.body()))?;
    Ok(handover.encode(&signature))
}

/// What a parcel is after an event, as far as the courier who signed it knows.
pub(super) fn state_behind(bin: &CustodyBin) -> Option<ParcelState> {
    let (event, _) = CustodyC::decode(&bin.event).ok()?;
    souk_domain::parcel::fold::target(event.kind)
}
