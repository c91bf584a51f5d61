//! Checking scanned messages: what phone and server do with the same code (spec/logistics.md 4.1, 4.5).
//!
//! Not for: layouts (`souk_codes::proof`). Always: the checks run in the order of the spec's table, and the first
//! that fails is the answer.

use souk_codes::proof::{
    AckA, CertK, CustodyC, EVENT_ID_PREFIX, HandoverFlags, HandoverH, LabelL, ORDER_COMMITMENT_PREFIX,
    PARTY_PREFIX, ProofError, SIGNING_PREFIX,
};
use souk_crypto::hash::{Sha256, first, h8, sha256};
use souk_crypto::sign::{Alg, PublicKey};

use crate::context::Reference;
use crate::id::{AccountId, OrderId};
use crate::outcome::Refusal;
use crate::party::DeviceKey;
use crate::time::{Span, Time};

/// What honest clocks may differ (spec/logistics.md 4.6).
pub const CLOCK_TOLERANCE: Span = Span::from_secs(600);

/// The 32 bytes that are signed: SHA-256 of the prefix, the letter of the type and the body.
pub fn digest_of(letter: u8, body: &[u8]) -> [u8; 32] {
    hash_of(&[SIGNING_PREFIX, &[letter], body])
}

/// The id of a custody event: SHA-256 over its 160 body bytes.
pub fn event_id(body: &[u8]) -> [u8; 32] {
    hash_of(&[EVENT_ID_PREFIX, body])
}

/// The party of an account in scanned messages.
pub fn party_of(account: AccountId) -> [u8; 8] {
    first(&hash_of(&[PARTY_PREFIX, account.bytes()]))
}

/// Binds a label to an order without naming it.
pub fn order_commitment(order: OrderId, salt: &[u8; 16]) -> [u8; 8] {
    first(&hash_of(&[ORDER_COMMITMENT_PREFIX, order.bytes(), salt]))
}

fn hash_of(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finish()
}

/// The refusal of a broken frame.
pub fn frame(error: ProofError) -> Refusal {
    Refusal::new(error.code())
}

/// A platform key by its id.
fn platform_key(id: u8, reference: &Reference, code: &'static str) -> Result<PublicKey, Refusal> {
    let bytes = reference.platform_key(id).ok_or(Refusal::new(code))?;
    PublicKey::from_bytes(Alg::Ed25519, bytes).map_err(|_| Refusal::new(code))
}

/// Reads a label and checks the platform's signature. Refuses: frames, `label.key_unknown`, `proof.signature`.
pub fn check_label(bytes: &[u8], reference: &Reference) -> Result<LabelL, Refusal> {
    let (label, signature) = LabelL::decode(bytes).map_err(frame)?;
    let key = platform_key(label.key_id, reference, "label.key_unknown")?;
    key.verify(&digest_of(LabelL::LETTER, &label.body()), &signature)
        .map_err(|_| Refusal::new("proof.signature"))?;
    Ok(label)
}

/// Reads a courier's certificate and checks the platform's signature. Refuses: `ack.cert_missing`,
/// `ack.cert_signature`.
pub fn check_certificate(bytes: &[u8], reference: &Reference) -> Result<(CertK, PublicKey), Refusal> {
    let (cert, signature) = CertK::decode(bytes).map_err(|_| Refusal::new("ack.cert_missing"))?;
    let bad = || Refusal::new("ack.cert_signature");
    let key = platform_key(cert.key_id, reference, "ack.cert_signature")?;
    key.verify(&digest_of(CertK::LETTER, &cert.body()), &signature).map_err(|_| bad())?;
    let holder = public_key(&cert.public_key).ok_or_else(bad)?;
    Ok((cert, holder))
}

/// A key as codes carry it, for checking.
pub fn public_key(key: &souk_codes::proof::PublicKey) -> Option<PublicKey> {
    let alg = match key {
        souk_codes::proof::PublicKey::Ed25519(_) => Alg::Ed25519,
        souk_codes::proof::PublicKey::P256(_) => Alg::Es256,
    };
    PublicKey::from_bytes(alg, &key.travel_bytes()).ok()
}

/// What a hand-over is checked against.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The number of the parcel in hand.
    pub waybill: u64,
    /// The label's 100 bytes.
    pub label: &'a [u8],
    /// The key of the buyer's device.
    pub key: &'a DeviceKey,
}

/// Reads a hand-over and checks it, columns H 1-9 of spec/logistics.md 4.5. Refuses: frames, `handover.key`,
/// `proof.signature`, `handover.parcel`, `handover.label`.
pub fn check_handover(bytes: &[u8], expected: &Expected) -> Result<HandoverH, Refusal> {
    let (handover, signature) = HandoverH::decode(bytes).map_err(frame)?;
    if handover.key_id != expected.key.id()[..4] {
        return Err(Refusal::new("handover.key"));
    }
    let d = digest_of(HandoverH::LETTER, &handover.body());
    expected.key.public_key().verify(&d, &signature).map_err(|_| Refusal::new("proof.signature"))?;
    if handover.waybill != expected.waybill {
        return Err(Refusal::new("handover.parcel"));
    }
    let is_unbound = handover.flags.has(HandoverFlags::UNBOUND);
    let bound = if is_unbound { [0; 8] } else { h8(expected.label) };
    if handover.bound_h8 != bound {
        return Err(Refusal::new("handover.label"));
    }
    Ok(handover)
}

/// Whether a hand-over was made about now. Refuses: `handover.early`, `handover.late`.
pub fn check_handover_time(handover: &HandoverH, now: Time) -> Result<(), Refusal> {
    let made_at = Time::from_secs(handover.time_s.into());
    if now < made_at.minus(CLOCK_TOLERANCE) {
        return Err(Refusal::new("handover.early"));
    }
    let good_until = made_at.plus(Span::from_secs(handover.validity_s().into())).plus(CLOCK_TOLERANCE);
    if now > good_until {
        return Err(Refusal::new("handover.late"));
    }
    Ok(())
}

/// Reads an acknowledgement and checks it against the hand-over that was shown, column A of spec/logistics.md 4.5.
pub fn check_acknowledgement(
    bytes: &[u8],
    waybill: u64,
    handover: &[u8],
    certificate: Option<&[u8]>,
    now: Time,
    reference: &Reference,
) -> Result<AckA, Refusal> {
    let (ack, signature) = AckA::decode(bytes).map_err(frame)?;
    let (cert, key) = match (&ack.certificate, certificate) {
        (Some(signed), _) => check_certificate(&signed.cert.encode(&signed.signature), reference)?,
        (None, Some(bytes)) => check_certificate(bytes, reference)?,
        (None, None) => return Err(Refusal::new("ack.cert_missing")),
    };
    if now > Time::from_secs(cert.not_after_s.into()).plus(CLOCK_TOLERANCE) {
        return Err(Refusal::new("ack.cert_expired"));
    }
    key.verify(&digest_of(AckA::LETTER, &ack.body()), &signature)
        .map_err(|_| Refusal::new("proof.signature"))?;
    if ack.waybill != waybill {
        return Err(Refusal::new("ack.parcel"));
    }
    if ack.handover_h8 != h8(handover) {
        return Err(Refusal::new("ack.handover"));
    }
    Ok(ack)
}

/// A custody event with its certificate and evidence, as they lie in an intent's `bin`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CustodyBin {
    /// C, 224 bytes.
    pub event: Vec<u8>,
    /// K, 143 bytes.
    pub certificate: Vec<u8>,
    /// Hand-over H, photo, or nothing.
    pub evidence: Vec<u8>,
}

impl CustodyBin {
    /// C || K || evidence.
    pub fn encode(&self) -> Vec<u8> {
        [self.event.as_slice(), &self.certificate, &self.evidence].concat()
    }

    /// Cuts the three parts. Refuses: `custody.length`.
    pub fn decode(bin: &[u8]) -> Result<CustodyBin, Refusal> {
        let short = || Refusal::new("custody.length");
        let (event, rest) = bin.split_at_checked(CustodyC::LEN).ok_or_else(short)?;
        let (certificate, evidence) = rest.split_at_checked(CertK::LEN).ok_or_else(short)?;
        Ok(CustodyBin {
            event: event.to_vec(),
            certificate: certificate.to_vec(),
            evidence: evidence.to_vec(),
        })
    }
}

/// SHA-256 of evidence bytes as C carries it; zeros for none.
pub fn evidence_hash(evidence: &[u8]) -> [u8; 32] {
    if evidence.is_empty() { [0; 32] } else { sha256(evidence) }
}
