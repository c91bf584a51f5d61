//! Why a code was refused, and what is odd about one that was not.

use super::object::Id;

/// An object's place in the tree, written `62` or `62.09`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path {
    /// Object of the root.
    pub root: Id,
    /// Object inside it.
    pub sub: Option<Id>,
}

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.sub {
            None => write!(f, "{}", self.root),
            Some(sub) => write!(f, "{}.{sub}", self.root),
        }
    }
}

impl From<Id> for Path {
    fn from(root: Id) -> Self {
        Self { root, sub: None }
    }
}

/// A code that is refused. `at` counts characters; for a text that is not UTF-8, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // `at` and `path` mean the same in all variants
pub enum CodeError {
    /// Nothing was given.
    #[error("the code is empty")]
    Empty,
    /// Not UTF-8, or a character that the symbol's mode does not have.
    #[error("the text is damaged at {at}")]
    BadText { at: usize },
    /// Longer than the level, or a symbol, allows.
    #[error("the code is longer than {at}")]
    TooLong { at: usize },
    /// An id that is not two digits.
    #[error("no object id at {at}")]
    BadId { at: usize },
    /// A length that is not 01 to 99.
    #[error("no object length at {at}")]
    BadLength { at: usize },
    /// Fewer characters than the object needs.
    #[error("the object at {at} is cut off")]
    Truncated { at: usize },
    /// An id twice on one level.
    #[error("object {path} occurs twice")]
    DuplicateId { path: Path, at: usize },
    /// The first object is not 00.
    #[error("the code does not begin with object 00")]
    BadFirst { at: usize },
    /// There is no object 63.
    #[error("there is no checksum")]
    CrcMissing { at: usize },
    /// Object 63 is not the last one.
    #[error("the checksum is not at the end")]
    CrcNotLast { at: usize },
    /// The checksum is not four hexadecimal digits.
    #[error("the checksum is not four hexadecimal digits")]
    CrcFormat { at: usize },
    /// The checksum is that of another text.
    #[error("the checksum does not fit the text")]
    CrcMismatch { at: usize },
    /// A value breaks its format.
    #[error("the value of object {path} breaks its format")]
    Format { path: Path, at: usize },
    /// A template that does not consist of objects.
    #[error("template {path} does not consist of objects")]
    BadTemplate { path: Path, at: usize },
    /// A template without a GUID.
    #[error("template {path} has no identifier 00")]
    NoGuid { path: Path, at: usize },
    /// A mandatory object is missing.
    #[error("object {path} is missing")]
    Missing { path: Path, at: usize },
    /// Objects 55, 56 and 57 disagree.
    #[error("objects 55, 56 and 57 disagree")]
    Conflict { at: usize },
    /// Something that the profile requires is missing.
    #[error("the profile requires {field}")]
    ProfileMissing { field: &'static str, at: usize },
    /// Something breaks the profile's format.
    #[error("{field} breaks the profile's format")]
    ProfileFormat { field: &'static str, at: usize },
    /// The signature does not fit; told by whoever holds the keys.
    #[error("the signature does not fit the code")]
    BadSignature,
    /// The code is past its expiry; told by whoever has a clock.
    #[error("the code has expired")]
    Expired,
    /// No key of that id; told by whoever holds the keys.
    #[error("the key of the signature is not known")]
    KeyUnknown,
}

impl CodeError {
    /// The stable code (spec/money.md 2.3).
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Empty => "qr.empty",
            Self::BadText { .. } => "qr.bad_text",
            Self::TooLong { .. } => "qr.too_long",
            Self::BadId { .. } => "qr.bad_id",
            Self::BadLength { .. } => "qr.bad_length",
            Self::Truncated { .. } => "qr.truncated",
            Self::DuplicateId { .. } => "qr.duplicate_id",
            Self::BadFirst { .. } => "qr.bad_first",
            Self::CrcMissing { .. } => "qr.crc_missing",
            Self::CrcNotLast { .. } => "qr.crc_not_last",
            Self::CrcFormat { .. } => "qr.crc_format",
            Self::CrcMismatch { .. } => "qr.crc_mismatch",
            Self::Format { .. } => "qr.format",
            Self::BadTemplate { .. } => "qr.bad_template",
            Self::NoGuid { .. } => "qr.no_guid",
            Self::Missing { .. } => "qr.missing",
            Self::Conflict { .. } => "qr.conflict",
            Self::ProfileMissing { .. } => "qr.profile_missing",
            Self::ProfileFormat { .. } => "qr.profile_format",
            Self::BadSignature => "qr.bad_signature",
            Self::Expired => "qr.expired",
            Self::KeyUnknown => "qr.key_unknown",
        }
    }

    /// Where it is wrong, in characters from the start.
    pub const fn at(&self) -> usize {
        match self {
            Self::BadText { at }
            | Self::TooLong { at }
            | Self::BadId { at }
            | Self::BadLength { at }
            | Self::Truncated { at }
            | Self::DuplicateId { at, .. }
            | Self::BadFirst { at }
            | Self::CrcMissing { at }
            | Self::CrcNotLast { at }
            | Self::CrcFormat { at }
            | Self::CrcMismatch { at }
            | Self::Format { at, .. }
            | Self::BadTemplate { at, .. }
            | Self::NoGuid { at, .. }
            | Self::Missing { at, .. }
            | Self::Conflict { at }
            | Self::ProfileMissing { at, .. }
            | Self::ProfileFormat { at, .. } => *at,
            Self::Empty | Self::BadSignature | Self::Expired | Self::KeyUnknown => 0,
        }
    }
}

/// Something odd that is no reason to refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Warning {
    /// What is odd.
    pub kind: WarningKind,
    /// The object.
    pub path: Path,
    /// Its offset in characters.
    pub at: usize,
}

/// What is odd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WarningKind {
    /// An object of a template's id that does not consist of objects; it is kept as a plain value.
    NotATemplate,
    /// The checksum is written in lower case.
    CrcCase,
    /// An id that EMVCo reserves for the future.
    RfuUsed,
    /// The amount has more decimals than its currency.
    AmountPrecision,
}

impl WarningKind {
    /// The stable name.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotATemplate => "not_a_template",
            Self::CrcCase => "crc_case",
            Self::RfuUsed => "rfu_used",
            Self::AmountPrecision => "amount_precision",
        }
    }
}
