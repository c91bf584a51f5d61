//! Why a message could not be read.

/// The frame of a message is broken. `at` counts characters of the text for [`ProofError::Prefix`] and
/// [`ProofError::Base45`], bytes of the message for all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The text does not begin with `SK1:`.
    #[error("not a Souk message: it does not begin with SK1:")]
    Prefix,
    /// What follows the prefix is not base45, or is longer than any message.
    #[error("the text is damaged at character {at}")]
    Base45 {
        /// Offset in the whole text, prefix included.
        at: usize,
    },
    /// A message of this kind has another length.
    #[error("{got} bytes do not make this message")]
    Length {
        /// Bytes that came.
        got: usize,
    },
    /// A custody event is not 224 bytes long.
    #[error("{got} bytes do not make a custody event")]
    CustodyLength {
        /// Bytes that came.
        got: usize,
    },
    /// A version that this program does not know.
    #[error("version {version} of this message is not known, please update")]
    Version {
        /// The version that came.
        version: u8,
        /// Offset of the head byte.
        at: usize,
    },
    /// Another kind of message than the one asked for, or one that this program does not know.
    #[error("type {number} is not the message expected here")]
    Type {
        /// The type number that came.
        number: u8,
        /// Offset of the head byte.
        at: usize,
    },
    /// A signature algorithm that this kind of message may not have.
    #[error("algorithm {number} is not allowed for this message")]
    Algorithm {
        /// The algorithm number that came.
        number: u8,
        /// Offset of the head byte.
        at: usize,
    },
    /// A field holds a value that its format does not have.
    #[error("field {field} holds a value that does not exist")]
    Field {
        /// Name of the field.
        field: &'static str,
        /// Offset of the field.
        at: usize,
    },
    /// More parcels or void labels than a manifest may carry.
    #[error("a manifest of {parcels} parcels and {voids} void labels is too large")]
    ManifestTooLarge {
        /// Parcels asked for.
        parcels: usize,
        /// Void labels asked for.
        voids: usize,
    },
}

impl ProofError {
    /// The stable code (spec/logistics.md 4.5, 5.5).
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Prefix => "proof.prefix",
            Self::Base45 { .. } => "proof.base45",
            Self::Length { .. } => "proof.length",
            Self::CustodyLength { .. } => "custody.length",
            Self::Version { .. } => "proof.version",
            Self::Type { .. } => "proof.type",
            Self::Algorithm { .. } => "proof.alg",
            Self::Field { .. } => "proof.field",
            Self::ManifestTooLarge { .. } => "manifest.too_large",
        }
    }

    /// Where it is wrong: characters of the text or bytes of the message, see the type.
    pub const fn at(&self) -> usize {
        match self {
            Self::Prefix => 0,
            Self::Base45 { at }
            | Self::Version { at, .. }
            | Self::Type { at, .. }
            | Self::Algorithm { at, .. }
            | Self::Field { at, .. } => *at,
            Self::Length { got } | Self::CustodyLength { got } => *got,
            Self::ManifestTooLarge { .. } => 28,
        }
    }

    /// The same error, `by` bytes further: for a message inside another one.
    pub(super) const fn shifted(self, by: usize) -> Self {
        match self {
            Self::Version { version, at } => Self::Version { version, at: at + by },
            Self::Type { number, at } => Self::Type { number, at: at + by },
            Self::Algorithm { number, at } => Self::Algorithm { number, at: at + by },
            Self::Field { field, at } => Self::Field { field, at: at + by },
            other => other,
        }
    }
}
