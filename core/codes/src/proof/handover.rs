//! H, the hand-over: shown by the one who takes the parcel (32 + 64 = 96 bytes, 148 characters).

use super::bytes::{exactly, signed};
use super::error::ProofError;
use super::head::{Algorithm, MessageType, head, read_head};
use super::numbers::{flags, numbered};
use super::{SIGNATURE_LEN, Signature};

/// Seconds of one step of [`HandoverH::validity`].
pub const VALIDITY_STEP_S: u32 = 15;
/// Steps when nothing else is wished: 60 s.
pub const VALIDITY_STEPS_DEFAULT: u8 = 4;
/// Most steps, 300 s: a proof shown longer than that is a photo.
pub const VALIDITY_STEPS_MAX: u8 = 20;
/// Most hours of a delegation (verdict [`Verdict::Delegate`]).
pub const DELEGATE_HOURS_MAX: u8 = 72;

flags! {
    /// Flags of a hand-over (offset 19).
    HandoverFlags(u8) {
        /// The label was not scanned, so H names no label.
        UNBOUND = 0,
        /// Signed by a delegate.
        BY_DELEGATE = 1,
        /// The phone's lock checked its user.
        USER_CHECKED = 2,
        /// Cash on delivery agreed.
        COD_AGREED = 3,
        /// Pieces of the shipment are missing.
        PIECES_MISSING = 4,
        /// This phone is within 300 m of the address.
        NEAR_ADDRESS = 5,
    }
}

numbered! {
    /// What the taker says (offset 1).
    Verdict {
        Accept = 1 "accept",
        AcceptDamaged = 2 "accept_damaged",
        Refuse = 3 "refuse",
        Delegate = 4 "delegate",
    }
}

/// H: signed by the taker's device (spec/logistics.md 4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandoverH {
    /// Algorithm of the taker's key.
    pub algorithm: Algorithm,
    /// What the taker says.
    pub verdict: Verdict,
    /// First 4 bytes of the taker's key id.
    pub key_id: [u8; 4],
    /// Waybill number.
    pub waybill: u64,
    /// Time of signing, seconds since 1970.
    pub time_s: u32,
    /// How long it is good: steps of 15 s, 1 to 20; hours, 1 to 72, for [`Verdict::Delegate`].
    /// A message with any other number is refused by every reader.
    pub validity: u8,
    /// Circumstances.
    pub flags: HandoverFlags,
    /// Counter of this key, one more each time, stored before H is shown.
    pub counter: u32,
    /// First 8 bytes of SHA-256 of the label's 100 bytes; zeros when unbound; the delegate's key for a delegation.
    pub bound_h8: [u8; 8],
}

impl HandoverH {
    /// Bytes that are signed.
    pub const BODY_LEN: usize = 32;
    /// Bytes of the whole message.
    pub const LEN: usize = Self::BODY_LEN + SIGNATURE_LEN;
    /// Letter of the digest.
    pub const LETTER: u8 = MessageType::Handover.letter();

    /// How long it is good, in seconds.
    pub const fn validity_s(&self) -> u32 {
        match self.verdict {
            Verdict::Delegate => self.validity as u32 * 3_600,
            Verdict::Accept | Verdict::AcceptDamaged | Verdict::Refuse => {
                self.validity as u32 * VALIDITY_STEP_S
            }
        }
    }

    /// The signed bytes.
    pub fn body(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(Self::LEN);
        body.extend([head(MessageType::Handover, self.algorithm), self.verdict.number()]);
        body.extend(self.key_id);
        body.extend(self.waybill.to_be_bytes());
        body.extend(self.time_s.to_be_bytes());
        body.extend([self.validity, self.flags.0]);
        body.extend(self.counter.to_be_bytes());
        body.extend(self.bound_h8);
        body
    }

    /// The whole message.
    pub fn encode(&self, signature: &Signature) -> Vec<u8> {
        signed(self.body(), signature)
    }

    /// Reads a hand-over. Refuses: `proof.length`, `proof.version`, `proof.type`, `proof.alg`, `proof.field`.
    pub fn decode(message: &[u8]) -> Result<(Self, Signature), ProofError> {
        let mut read = exactly(message, Self::LEN)?;
        let handover = Self {
            algorithm: read_head(read.u8()?, MessageType::Handover)?,
            verdict: read.number("verdict", Verdict::from_number)?,
            key_id: read.array()?,
            waybill: read.u64()?,
            time_s: read.u32()?,
            validity: read.u8()?,
            flags: HandoverFlags(read.u8()?),
            counter: read.u32()?,
            bound_h8: read.array()?,
        };
        let validity_max = match handover.verdict {
            Verdict::Delegate => DELEGATE_HOURS_MAX,
            Verdict::Accept | Verdict::AcceptDamaged | Verdict::Refuse => VALIDITY_STEPS_MAX,
        };
        if !(1..=validity_max).contains(&handover.validity) {
            return Err(ProofError::Field { field: "validity", at: 18 });
        }
        Ok((handover, read.array()?))
    }
}
