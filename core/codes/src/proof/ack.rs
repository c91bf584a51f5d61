//! A, the acknowledgement that the courier shows to the buyer (98 bytes, 151 characters; 241 with K behind it).

use super::bytes::{Reader, signed};
use super::cert::CertK;
use super::error::ProofError;
use super::head::{Algorithm, MessageType, head, read_head};
use super::numbers::numbered;
use super::{SIGNATURE_LEN, Signature};

numbered! {
    /// What the courier says (offset 1).
    AckVerdict {
        Delivered = 1 "delivered",
        AttemptRecorded = 2 "attempt_recorded",
        TakenBack = 3 "taken_back",
        PickedUp = 4 "picked_up",
    }
}

/// A certificate with its signature, as it travels behind an acknowledgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCert {
    /// The certificate.
    pub cert: CertK,
    /// The platform's signature over its body, not yet checked.
    pub signature: Signature,
}

/// A: signed by the courier's device (spec/logistics.md 4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AckA {
    /// Algorithm of the courier's key.
    pub algorithm: Algorithm,
    /// What the courier says.
    pub verdict: AckVerdict,
    /// The courier's party.
    pub courier_party: [u8; 8],
    /// Waybill number.
    pub waybill: u64,
    /// First 8 bytes of SHA-256 of the hand-over's 96 bytes.
    pub handover_h8: [u8; 8],
    /// Time of signing, seconds since 1970.
    pub time_s: u32,
    /// Sequence number of the custody event on the courier's device.
    pub device_seq: u32,
    /// Today's certificate, for a buyer who has not got it. The head byte says whether it is there, so it is signed.
    pub certificate: Option<SignedCert>,
}

impl AckA {
    /// Bytes that are signed.
    pub const BODY_LEN: usize = 34;
    /// Bytes without a certificate.
    pub const LEN: usize = Self::BODY_LEN + SIGNATURE_LEN;
    /// Bytes with a certificate: 366 characters, which fill a V11-M symbol exactly.
    pub const LEN_WITH_CERT: usize = Self::LEN + CertK::LEN;
    /// Letter of the digest, with a certificate or without.
    pub const LETTER: u8 = MessageType::Ack.letter();

    /// The signed bytes.
    pub fn body(&self) -> Vec<u8> {
        let kind = match self.certificate {
            Some(_) => MessageType::AckWithCert,
            None => MessageType::Ack,
        };
        let mut body = Vec::with_capacity(Self::LEN_WITH_CERT);
        body.extend([head(kind, self.algorithm), self.verdict.number()]);
        body.extend(self.courier_party);
        body.extend(self.waybill.to_be_bytes());
        body.extend(self.handover_h8);
        body.extend(self.time_s.to_be_bytes());
        body.extend(self.device_seq.to_be_bytes());
        body
    }

    /// The whole message, with the certificate if there is one.
    pub fn encode(&self, signature: &Signature) -> Vec<u8> {
        let mut message = signed(self.body(), signature);
        if let Some(SignedCert { cert, signature }) = &self.certificate {
            message.extend(cert.encode(signature));
        }
        message
    }

    /// Reads an acknowledgement of either length. Refuses: `proof.length`, `proof.version`, `proof.type`,
    /// `proof.alg`, `proof.field`.
    pub fn decode(message: &[u8]) -> Result<(Self, Signature), ProofError> {
        let kind = match message.len() {
            Self::LEN => MessageType::Ack,
            Self::LEN_WITH_CERT => MessageType::AckWithCert,
            got => return Err(ProofError::Length { got }),
        };
        let mut read = Reader::new(message);
        let mut ack = Self {
            algorithm: read_head(read.u8()?, kind)?,
            verdict: read.number("verdict", AckVerdict::from_number)?,
            courier_party: read.array()?,
            waybill: read.u64()?,
            handover_h8: read.array()?,
            time_s: read.u32()?,
            device_seq: read.u32()?,
            certificate: None,
        };
        let ack_signature = read.array()?;
        if kind == MessageType::AckWithCert {
            let behind = message.get(Self::LEN..).unwrap_or_default();
            let (cert, signature) = CertK::decode(behind).map_err(|error| error.shifted(Self::LEN))?;
            ack.certificate = Some(SignedCert { cert, signature });
        }
        Ok((ack, ack_signature))
    }
}
