//! L, the label: what the platform signs about one parcel, printed as QR (36 + 64 = 100 bytes, 154 characters).

use super::bytes::{exactly, signed};
use super::error::ProofError;
use super::head::{Algorithm, MessageType, head, read_platform_head};
use super::numbers::{flags, numbered};
use super::{SIGNATURE_LEN, Signature};

/// Day 0 of [`LabelL::day`], 2020-01-01, in days since 1970-01-01.
pub const DAY_ZERO_UNIX_DAYS: u32 = 18_262;

flags! {
    /// Flags of a label (offset 18).
    LabelFlags(u16) {
        /// Cash on delivery.
        COD = 0,
        /// The taker's age must be checked.
        AGE_CHECK = 1,
        /// Fragile.
        FRAGILE = 4,
        /// Keep cold.
        COLD = 5,
        /// Dangerous goods.
        DANGEROUS_GOODS = 6,
        /// A parcel on its way back.
        RETURN_PARCEL = 7,
        /// Never leave unattended: no safe place, no neighbour.
        NEVER_UNATTENDED = 8,
        /// A parcel of a test; money never moves for it.
        TEST = 9,
    }
}

numbered! {
    /// The weakest evidence that may close this parcel (bits 2-3 of the flags).
    MinimumLevel {
        Any = 0 "any",
        E2 = 1 "e2",
        E3 = 2 "e3",
        E4 = 3 "e4",
    }
}

impl LabelFlags {
    /// The weakest evidence that is enough for this parcel.
    pub const fn minimum_level(self) -> MinimumLevel {
        match (self.0 >> 2) & 3 {
            0 => MinimumLevel::Any,
            1 => MinimumLevel::E2,
            2 => MinimumLevel::E3,
            _ => MinimumLevel::E4,
        }
    }

    /// The same flags with another minimum level.
    pub const fn with_minimum_level(self, level: MinimumLevel) -> Self {
        Self(self.0 & !12 | (level.number() as u16) << 2)
    }
}

/// L: signed by the platform, printed on the parcel (spec/logistics.md 4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelL {
    /// Which platform key signed.
    pub key_id: u8,
    /// Waybill number.
    pub waybill: u64,
    /// Transfer centre, branch, courier area: numbers of the route table, 0 = none.
    pub route: [u16; 3],
    /// Day of printing, days since 2020-01-01.
    pub day: u16,
    /// What to mind.
    pub flags: LabelFlags,
    /// This piece, from 1.
    pub piece: u8,
    /// Pieces of the shipment, at least `piece`.
    pub pieces: u8,
    /// Weight in units of 10 g, rounded up.
    pub weight_10g: u16,
    /// First 8 bytes of the order commitment ([`super::ORDER_COMMITMENT_PREFIX`]).
    pub order_commitment: [u8; 8],
    /// Random.
    pub nonce: [u8; 4],
}

impl LabelL {
    /// Bytes that are signed.
    pub const BODY_LEN: usize = 36;
    /// Bytes of the whole message. 154 characters fill a V6-M symbol exactly: no byte may be added.
    pub const LEN: usize = Self::BODY_LEN + SIGNATURE_LEN;
    /// Letter of the digest.
    pub const LETTER: u8 = MessageType::Label.letter();

    /// The signed bytes.
    pub fn body(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(Self::LEN);
        body.push(head(MessageType::Label, Algorithm::Ed25519));
        body.push(self.key_id);
        body.extend(self.waybill.to_be_bytes());
        for part in self.route {
            body.extend(part.to_be_bytes());
        }
        body.extend(self.day.to_be_bytes());
        body.extend(self.flags.0.to_be_bytes());
        body.extend([self.piece, self.pieces]);
        body.extend(self.weight_10g.to_be_bytes());
        body.extend(self.order_commitment);
        body.extend(self.nonce);
        body
    }

    /// The whole message.
    pub fn encode(&self, signature: &Signature) -> Vec<u8> {
        signed(self.body(), signature)
    }

    /// Reads a label. Refuses: `proof.length`, `proof.version`, `proof.type`, `proof.alg`, `proof.field`.
    pub fn decode(message: &[u8]) -> Result<(Self, Signature), ProofError> {
        let mut read = exactly(message, Self::LEN)?;
        read_platform_head(read.u8()?, MessageType::Label)?;
        let label = Self {
            key_id: read.u8()?,
            waybill: read.u64()?,
            route: [read.u16()?, read.u16()?, read.u16()?],
            day: read.u16()?,
            flags: LabelFlags(read.u16()?),
            piece: read.u8()?,
            pieces: read.u8()?,
            weight_10g: read.u16()?,
            order_commitment: read.array()?,
            nonce: read.array()?,
        };
        if label.piece == 0 || label.piece > label.pieces {
            return Err(ProofError::Field { field: "piece", at: 20 });
        }
        Ok((label, read.array()?))
    }
}
