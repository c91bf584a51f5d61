//! C, the custody event: one signed link in a parcel's chain (160 + 64 = 224 bytes), stored and uploaded, not shown.

use super::bytes::{Reader, signed};
use super::error::ProofError;
use super::head::{Algorithm, MessageType, head, read_head};
use super::numbers::{EventKind, EvidenceType, Reason, flags};
use super::{SIGNATURE_LEN, Signature};

/// Latitude or longitude that says: no position.
const NO_POSITION: i32 = i32::MIN;
/// Accuracy that says: not known.
const NO_ACCURACY: u16 = u16::MAX;

flags! {
    /// Flags of a custody event (offset 2).
    CustodyFlags(u16) {
        /// The parcel was not on the manifest.
        PROVISIONAL = 0,
        /// The event before this one is not known to the device.
        PREV_UNKNOWN = 1,
        /// The wall clock was moved since the last contact.
        CLOCK_MOVED = 2,
        /// Keyed in by hand.
        KEYED_IN = 3,
        /// Cash on delivery taken.
        COD_TAKEN = 4,
    }
}

/// Where the device was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fix {
    /// Latitude in 1e-7 degree.
    pub latitude_e7: i32,
    /// Longitude in 1e-7 degree.
    pub longitude_e7: i32,
    /// Accuracy in metres, if known.
    pub accuracy_m: Option<u16>,
    /// Age of the position in seconds.
    pub age_s: u16,
}

/// C: signed by the party that writes it (spec/logistics.md 4.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustodyC {
    /// Algorithm of the signer's key.
    pub algorithm: Algorithm,
    /// What happened.
    pub kind: EventKind,
    /// Circumstances.
    pub flags: CustodyFlags,
    /// Waybill number.
    pub waybill: u64,
    /// Place in this parcel's chain, from 0.
    pub index: u16,
    /// Why, if there is a reason.
    pub reason: Option<Reason>,
    /// What it leans on.
    pub evidence: EvidenceType,
    /// Party that gives the parcel away; zeros for none.
    pub giver_party: [u8; 8],
    /// Party that takes it; zeros for none.
    pub taker_party: [u8; 8],
    /// First 8 bytes of the signer's key id.
    pub signer_key_id: [u8; 8],
    /// Epoch of the device.
    pub device_epoch: u16,
    /// Number of the delivery attempt.
    pub attempt: u16,
    /// Sequence number on the device.
    pub device_seq: u32,
    /// Wall clock, microseconds since 1970.
    pub wall_time_us: u64,
    /// Milliseconds since the device was started.
    pub boot_ms: u64,
    /// Random at each start of the device.
    pub boot_id: u32,
    /// Latitude in 1e-7 degree; `i32::MIN` for none. See [`CustodyC::fix`].
    pub latitude_e7: i32,
    /// Longitude in 1e-7 degree; `i32::MIN` for none.
    pub longitude_e7: i32,
    /// Accuracy in metres; 65535 for unknown.
    pub accuracy_m: u16,
    /// Age of the position in seconds.
    pub fix_age_s: u16,
    /// The device's estimate of the server's time, microseconds; 0 for none.
    pub server_time_us: u64,
    /// Hub, station or locker; zeros for none.
    pub node: [u8; 8],
    /// SHA-256 of the evidence, zeros for none; for `void` and `resolve` the event that is meant.
    pub evidence_hash: [u8; 32],
    /// Id of the event before this one; SHA-256 of the label's 100 bytes at index 0.
    pub prev: [u8; 32],
}

impl CustodyC {
    /// Bytes that are signed, and that the event id is made of.
    pub const BODY_LEN: usize = 160;
    /// Bytes of the whole message.
    pub const LEN: usize = Self::BODY_LEN + SIGNATURE_LEN;
    /// Letter of the digest.
    pub const LETTER: u8 = MessageType::Custody.letter();

    /// Where the device was, if it knew.
    pub fn fix(&self) -> Option<Fix> {
        if self.latitude_e7 == NO_POSITION || self.longitude_e7 == NO_POSITION {
            return None;
        }
        Some(Fix {
            latitude_e7: self.latitude_e7,
            longitude_e7: self.longitude_e7,
            accuracy_m: (self.accuracy_m != NO_ACCURACY).then_some(self.accuracy_m),
            age_s: self.fix_age_s,
        })
    }

    /// The same event at a place, or without one.
    pub fn with_fix(mut self, fix: Option<Fix>) -> Self {
        let none = Fix { latitude_e7: NO_POSITION, longitude_e7: NO_POSITION, accuracy_m: None, age_s: 0 };
        let fix = fix.unwrap_or(none);
        self.latitude_e7 = fix.latitude_e7;
        self.longitude_e7 = fix.longitude_e7;
        self.accuracy_m = fix.accuracy_m.unwrap_or(NO_ACCURACY);
        self.fix_age_s = fix.age_s;
        self
    }

    /// The signed bytes.
    pub fn body(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(Self::LEN);
        body.extend([head(MessageType::Custody, self.algorithm), self.kind.number()]);
        body.extend(self.flags.0.to_be_bytes());
        body.extend(self.waybill.to_be_bytes());
        body.extend(self.index.to_be_bytes());
        body.extend([self.reason.map_or(0, Reason::number), self.evidence.number()]);
        body.extend(self.giver_party);
        body.extend(self.taker_party);
        body.extend(self.signer_key_id);
        body.extend(self.device_epoch.to_be_bytes());
        body.extend(self.attempt.to_be_bytes());
        body.extend(self.device_seq.to_be_bytes());
        body.extend(self.wall_time_us.to_be_bytes());
        body.extend(self.boot_ms.to_be_bytes());
        body.extend(self.boot_id.to_be_bytes());
        body.extend(self.latitude_e7.to_be_bytes());
        body.extend(self.longitude_e7.to_be_bytes());
        body.extend(self.accuracy_m.to_be_bytes());
        body.extend(self.fix_age_s.to_be_bytes());
        body.extend(self.server_time_us.to_be_bytes());
        body.extend(self.node);
        body.extend(self.evidence_hash);
        body.extend(self.prev);
        body
    }

    /// The whole message.
    pub fn encode(&self, signature: &Signature) -> Vec<u8> {
        signed(self.body(), signature)
    }

    /// Reads an event. Refuses: `custody.length`, `proof.version`, `proof.type`, `proof.alg`, `proof.field`.
    pub fn decode(message: &[u8]) -> Result<(Self, Signature), ProofError> {
        if message.len() != Self::LEN {
            return Err(ProofError::CustodyLength { got: message.len() });
        }
        let mut read = Reader::new(message);
        let event = Self {
            algorithm: read_head(read.u8()?, MessageType::Custody)?,
            kind: read.number("kind", EventKind::from_number)?,
            flags: CustodyFlags(read.u16()?),
            waybill: read.u64()?,
            index: read.u16()?,
            reason: read.number("reason", |number| match number {
                0 => Some(None),
                other => Reason::from_number(other).map(Some),
            })?,
            evidence: read.number("evidence", EvidenceType::from_number)?,
            giver_party: read.array()?,
            taker_party: read.array()?,
            signer_key_id: read.array()?,
            device_epoch: read.u16()?,
            attempt: read.u16()?,
            device_seq: read.u32()?,
            wall_time_us: read.u64()?,
            boot_ms: read.u64()?,
            boot_id: read.u32()?,
            latitude_e7: read.i32()?,
            longitude_e7: read.i32()?,
            accuracy_m: read.u16()?,
            fix_age_s: read.u16()?,
            server_time_us: read.u64()?,
            node: read.array()?,
            evidence_hash: read.array()?,
            prev: read.array()?,
        };
        Ok((event, read.array()?))
    }
}
