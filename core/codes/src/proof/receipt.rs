//! R, the server's receipt for a device's custody events up to a sequence number (56 + 64 = 120 bytes).

use super::bytes::{exactly, signed};
use super::error::ProofError;
use super::head::{Algorithm, MessageType, head, read_platform_head};
use super::{SIGNATURE_LEN, Signature};

/// R: signed by the platform (spec/logistics.md 4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptR {
    /// Which platform key signed.
    pub key_id: u8,
    /// First 8 bytes of the device's key id.
    pub device_key_id: [u8; 8],
    /// Epoch of the device.
    pub device_epoch: u16,
    /// Highest sequence number up to which nothing is missing.
    pub contiguous_seq: u32,
    /// Server time, microseconds since 1970.
    pub server_time_us: u64,
    /// Rolling hash over the event ids up to that number.
    pub rolling_hash: [u8; 32],
}

impl ReceiptR {
    /// Bytes that are signed.
    pub const BODY_LEN: usize = 56;
    /// Bytes of the whole message.
    pub const LEN: usize = Self::BODY_LEN + SIGNATURE_LEN;
    /// Letter of the digest.
    pub const LETTER: u8 = MessageType::Receipt.letter();

    /// The signed bytes.
    pub fn body(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(Self::LEN);
        body.extend([head(MessageType::Receipt, Algorithm::Ed25519), self.key_id]);
        body.extend(self.device_key_id);
        body.extend(self.device_epoch.to_be_bytes());
        body.extend(self.contiguous_seq.to_be_bytes());
        body.extend(self.server_time_us.to_be_bytes());
        body.extend(self.rolling_hash);
        body
    }

    /// The whole message.
    pub fn encode(&self, signature: &Signature) -> Vec<u8> {
        signed(self.body(), signature)
    }

    /// Reads a receipt. Refuses: `proof.length`, `proof.version`, `proof.type`, `proof.alg`.
    pub fn decode(message: &[u8]) -> Result<(Self, Signature), ProofError> {
        let mut read = exactly(message, Self::LEN)?;
        read_platform_head(read.u8()?, MessageType::Receipt)?;
        let receipt = Self {
            key_id: read.u8()?,
            device_key_id: read.array()?,
            device_epoch: read.u16()?,
            contiguous_seq: read.u32()?,
            server_time_us: read.u64()?,
            rolling_hash: read.array()?,
        };
        Ok((receipt, read.array()?))
    }
}
