//! K, the certificate that the platform gives a courier, hub, station, locker or counter for a shift (143 bytes).

use super::bytes::{exactly, signed};
use super::error::ProofError;
use super::head::{Algorithm, MessageType, head, read_platform_head};
use super::key::PublicKey;
use super::numbers::numbered;
use super::{SIGNATURE_LEN, Signature};

/// Longest life of a certificate in hours: short, so that no revocation list has to be carried.
pub const CERT_HOURS_MAX: u8 = 24;

numbered! {
    /// Whom a certificate is for (top three bits of offset 14).
    CertRole {
        Courier = 0 "courier",
        Hub = 1 "hub",
        Station = 2 "station",
        Locker = 3 "locker",
        Counter = 4 "counter",
    }
}

/// K: signed by the platform (spec/logistics.md 4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertK {
    /// Which platform key signed.
    pub key_id: u8,
    /// Whose key this is.
    pub party: [u8; 8],
    /// Good until this second since 1970, inclusive.
    pub not_after_s: u32,
    /// Whom it is for.
    pub role: CertRole,
    /// Hours valid, 1 to 24, counted back from `not_after_s`. Any other number is refused by every reader.
    pub hours: u8,
    /// The holder's key.
    pub public_key: PublicKey,
}

impl CertK {
    /// Bytes that are signed.
    pub const BODY_LEN: usize = 79;
    /// Bytes of the whole message.
    pub const LEN: usize = Self::BODY_LEN + SIGNATURE_LEN;
    /// Letter of the digest.
    pub const LETTER: u8 = MessageType::Cert.letter();

    /// First second in which it is good.
    pub const fn not_before_s(&self) -> u32 {
        self.not_after_s.saturating_sub(self.hours as u32 * 3_600)
    }

    /// The signed bytes.
    pub fn body(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(Self::LEN);
        body.extend([head(MessageType::Cert, Algorithm::Ed25519), self.key_id]);
        body.extend(self.party);
        body.extend(self.not_after_s.to_be_bytes());
        body.push(self.role.number() << 5 | self.hours & 31);
        body.extend(self.public_key.cert_bytes());
        body
    }

    /// The whole message.
    pub fn encode(&self, signature: &Signature) -> Vec<u8> {
        signed(self.body(), signature)
    }

    /// Reads a certificate. Refuses: `proof.length`, `proof.version`, `proof.type`, `proof.alg`, `proof.field`.
    pub fn decode(message: &[u8]) -> Result<(Self, Signature), ProofError> {
        let mut read = exactly(message, Self::LEN)?;
        read_platform_head(read.u8()?, MessageType::Cert)?;
        let key_id = read.u8()?;
        let party = read.array()?;
        let not_after_s = read.u32()?;
        let at = read.at();
        let role_and_hours = read.u8()?;
        let role =
            CertRole::from_number(role_and_hours >> 5).ok_or(ProofError::Field { field: "role", at })?;
        let hours = role_and_hours & 31;
        if !(1..=CERT_HOURS_MAX).contains(&hours) {
            return Err(ProofError::Field { field: "hours", at });
        }
        let public_key = PublicKey::from_cert_bytes(read.array()?);
        Ok((Self { key_id, party, not_after_s, role, hours, public_key }, read.array()?))
    }
}
