//! The head byte: version, signature algorithm and type of a message.

use super::error::ProofError;

/// The only version there is; it stands in the top two bits.
const VERSION: u8 = 1;

/// The signature algorithm of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// Ed25519, number 0: servers, desktops, phones without a hardware key.
    Ed25519,
    /// ECDSA P-256 with SHA-256, number 1: keys in a phone's hardware.
    Es256,
}

impl Algorithm {
    /// The number that travels: 0 or 1.
    pub const fn number(self) -> u8 {
        match self {
            Self::Ed25519 => 0,
            Self::Es256 => 1,
        }
    }

    /// The algorithm of a number, if there is one.
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Ed25519),
            1 => Some(Self::Es256),
            _ => None,
        }
    }
}

/// The types of messages of logistics. 9 to 11 belong to payments (spec/money.md 3.1) and have layouts of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageType {
    /// L: the printed label.
    Label,
    /// H: the taker's signature at a hand-over.
    Handover,
    /// A: the courier's acknowledgement.
    Ack,
    /// C: a custody event.
    Custody,
    /// M: the manifest of a shift.
    Manifest,
    /// K: a courier's certificate of the day.
    Cert,
    /// A with K behind it.
    AckWithCert,
    /// R: the server's receipt.
    Receipt,
}

impl MessageType {
    /// The low four bits of the head byte.
    pub const fn number(self) -> u8 {
        match self {
            Self::Label => 1,
            Self::Handover => 2,
            Self::Ack => 3,
            Self::Custody => 4,
            Self::Manifest => 5,
            Self::Cert => 6,
            Self::AckWithCert => 7,
            Self::Receipt => 8,
        }
    }

    /// The letter that goes into the digest; A with K is signed as A.
    pub const fn letter(self) -> u8 {
        match self {
            Self::Label => b'L',
            Self::Handover => b'H',
            Self::Ack | Self::AckWithCert => b'A',
            Self::Custody => b'C',
            Self::Manifest => b'M',
            Self::Cert => b'K',
            Self::Receipt => b'R',
        }
    }

    /// What a message says that it is, from its head byte alone: for a reader that takes several kinds.
    pub fn of(message: &[u8]) -> Result<Self, ProofError> {
        let head = *message.first().ok_or(ProofError::Length { got: 0 })?;
        check_version(head)?;
        let number = head & 15;
        [
            Self::Label,
            Self::Handover,
            Self::Ack,
            Self::Custody,
            Self::Manifest,
            Self::Cert,
            Self::AckWithCert,
            Self::Receipt,
        ]
        .into_iter()
        .find(|known| known.number() == number)
        .ok_or(ProofError::Type { number, at: 0 })
    }
}

/// The head byte of a message.
pub(super) const fn head(kind: MessageType, algorithm: Algorithm) -> u8 {
    VERSION << 6 | algorithm.number() << 4 | kind.number()
}

/// Checks version, type and algorithm, in this order.
pub(super) fn read_head(head: u8, kind: MessageType) -> Result<Algorithm, ProofError> {
    check_version(head)?;
    let number = head & 15;
    if number != kind.number() {
        return Err(ProofError::Type { number, at: 0 });
    }
    let number = head >> 4 & 3;
    Algorithm::from_number(number).ok_or(ProofError::Algorithm { number, at: 0 })
}

/// As [`read_head`], for messages that the platform alone signs: Ed25519 and nothing else.
pub(super) fn read_platform_head(head: u8, kind: MessageType) -> Result<(), ProofError> {
    match read_head(head, kind)? {
        Algorithm::Ed25519 => Ok(()),
        Algorithm::Es256 => Err(ProofError::Algorithm { number: Algorithm::Es256.number(), at: 0 }),
    }
}

fn check_version(head: u8) -> Result<(), ProofError> {
    match head >> 6 {
        VERSION => Ok(()),
        version => Err(ProofError::Version { version, at: 0 }),
    }
}
