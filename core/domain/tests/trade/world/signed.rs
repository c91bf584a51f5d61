//! What phones sign: hand-overs of buyers, custody events of couriers.

use souk_codes::proof::{
    Algorithm, CustodyC, CustodyFlags, EventKind, EvidenceType, Fix, HandoverFlags, HandoverH, Reason,
    Verdict,
};
use souk_crypto::hash::{h8, sha256};
use souk_crypto::sign::Signer;
use souk_domain::intent::Body;
use souk_domain::outcome::Outcome;
use souk_domain::parcel::Parcel;
use souk_domain::parcel::proof::{CustodyBin, digest_of, event_id, evidence_hash, party_of};
use souk_domain::rows::Key;
use souk_domain::time::Time;

use super::{COURIER, HOME, World};

/// A custody event to be signed.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) who: usize,
    pub(crate) index: u16,
    pub(crate) prev: [u8; 32],
    pub(crate) kind: EventKind,
    pub(crate) proof: EvidenceType,
    pub(crate) evidence: Vec<u8>,
    /// The device's estimate of the server's time; none = it has none.
    pub(crate) at: Option<Time>,
    pub(crate) place: Option<(i32, i32)>,
}

/// A signed event with its evidence, ready to be uploaded.
#[derive(Clone, Debug)]
pub(crate) struct Upload {
    pub(crate) id: [u8; 32],
    pub(crate) event: Vec<u8>,
    pub(crate) evidence: Vec<u8>,
}

impl World {
    /// A parcel as it stands.
    pub(crate) fn parcel(&self, id: souk_domain::id::ParcelId) -> Parcel {
        self.one(&Key::parcel(id)).unwrap()
    }

    /// The buyer's phone signs a hand-over for the parcel, with its next counter.
    pub(crate) fn handover(&mut self, who: usize, parcel: &Parcel, verdict: Verdict) -> Vec<u8> {
        self.handover_with(who, parcel, |_| HandoverFields { verdict, ..HandoverFields::default() })
    }

    pub(crate) fn handover_with(
        &mut self,
        who: usize,
        parcel: &Parcel,
        with: impl FnOnce(Time) -> HandoverFields,
    ) -> Vec<u8> {
        let fields = with(self.now);
        let person = &mut self.people[who];
        person.counter += 1;
        let mut flags = HandoverFlags::NONE;
        if fields.is_unbound {
            flags.0 |= 1;
        }
        let handover = HandoverH {
            algorithm: Algorithm::Ed25519,
            verdict: fields.verdict,
            key_id: person.key.public_key().key_id()[..4].try_into().unwrap(),
            waybill: parcel.waybill.number(),
            time_s: fields.at.unwrap_or(self.now).secs() as u32,
            validity: 4,
            flags,
            counter: person.counter,
            bound_h8: if fields.is_unbound { [0; 8] } else { h8(&parcel.label) },
        };
        let d = digest_of(HandoverH::LETTER, &handover.body());
        handover.encode(&person.key.sign_deterministic(&d))
    }

    /// An event as the courier's phone makes it: now, at the door, without evidence.
    pub(crate) fn told(&self, index: u16, prev: [u8; 32], kind: EventKind) -> Told {
        let (proof, evidence) = (EvidenceType::None, Vec::new());
        Told { who: COURIER, index, prev, kind, proof, evidence, at: Some(self.now), place: Some(HOME) }
    }

    pub(crate) fn sign(&self, parcel: &Parcel, told: &Told) -> Upload {
        let courier = &self.people[told.who];
        let micros = |at: Time| u64::try_from(at.micros()).unwrap_or(0);
        let event = CustodyC {
            algorithm: Algorithm::Ed25519,
            kind: told.kind,
            flags: CustodyFlags::NONE,
            waybill: parcel.waybill.number(),
            index: told.index,
            reason: (told.kind == EventKind::Attempted).then_some(Reason::ConsigneeNotHome),
            evidence: told.proof,
            giver_party: [0; 8],
            taker_party: party_of(courier.account),
            signer_key_id: courier.key.public_key().key_id(),
            device_epoch: 1,
            attempt: 0,
            device_seq: u32::from(told.index) + 1,
            wall_time_us: micros(self.now),
            boot_ms: 1000,
            boot_id: 1,
            latitude_e7: 0,
            longitude_e7: 0,
            accuracy_m: 0,
            fix_age_s: 0,
            server_time_us: told.at.map_or(0, micros),
            node: [0; 8],
            evidence_hash: evidence_hash(&told.evidence),
            prev: told.prev,
        }
        .with_fix(told.place.map(|place| Fix {
            latitude_e7: place.0,
            longitude_e7: place.1,
            accuracy_m: Some(20),
            age_s: 5,
        }));
        let signature = courier.key.sign_deterministic(&digest_of(CustodyC::LETTER, &event.body()));
        Upload {
            id: event_id(&event.body()),
            event: event.encode(&signature),
            evidence: told.evidence.clone(),
        }
    }

    /// The next event of the parcel's own chain.
    pub(crate) fn scan(
        &mut self,
        parcel: &Parcel,
        kind: EventKind,
        proof: EvidenceType,
        evidence: Vec<u8>,
    ) -> Upload {
        let (index, prev) = self.chains.get(&parcel.id).copied().unwrap_or((0, sha256(&parcel.label)));
        let upload = self.sign(parcel, &Told { proof, evidence, ..self.told(index, prev, kind) });
        self.chains.insert(parcel.id, (index + 1, upload.id));
        upload
    }

    /// The next event without evidence.
    pub(crate) fn plain(&mut self, parcel: &Parcel, kind: EventKind) -> Upload {
        self.scan(parcel, kind, EvidenceType::None, Vec::new())
    }

    pub(crate) fn upload(&mut self, parcel: &Parcel, upload: &Upload, certificate: &[u8]) -> Outcome {
        self.upload_as(COURIER, parcel, upload, certificate)
    }

    pub(crate) fn upload_as(
        &mut self,
        who: usize,
        parcel: &Parcel,
        upload: &Upload,
        certificate: &[u8],
    ) -> Outcome {
        let bin = CustodyBin {
            event: upload.event.clone(),
            certificate: certificate.to_vec(),
            evidence: upload.evidence.clone(),
        };
        let id = self.mint(parcel.id.bucket());
        let body = Body::AppendCustody { waybill: parcel.waybill };
        self.decide_with(who, id, body, bin.encode(), None)
    }

    /// The whole way of a parcel, first scan to hand-over, in the order of the chain.
    pub(crate) fn journey(&mut self, who: usize, parcel: &Parcel) -> Vec<Upload> {
        let proof = self.handover(who, parcel, Verdict::Accept);
        vec![
            self.plain(parcel, EventKind::PickedUp),
            self.plain(parcel, EventKind::OutForDelivery),
            self.scan(parcel, EventKind::Delivered, EvidenceType::HandoverBound, proof),
        ]
    }

    /// The buyer's own word.
    pub(crate) fn word(&mut self, who: usize, parcel: &Parcel, proof: &[u8]) -> Outcome {
        let body = Body::ConfirmHandOver {
            waybill: parcel.waybill,
            label: parcel.label.clone(),
            proof: proof.to_vec(),
            acknowledgement: Vec::new(),
        };
        self.act(who, body).1
    }
}

/// What a hand-over says, beside what follows from person and parcel.
pub(crate) struct HandoverFields {
    pub(crate) verdict: Verdict,
    pub(crate) at: Option<Time>,
    pub(crate) is_unbound: bool,
}

impl Default for HandoverFields {
    fn default() -> HandoverFields {
        HandoverFields { verdict: Verdict::Accept, at: None, is_unbound: false }
    }
}
