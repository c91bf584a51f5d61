//! A cursor over the bytes of a message. It never reads past the end: that is `proof.length`.

use super::error::ProofError;

pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Offset of the next field.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], ProofError> {
        let field = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<N>());
        self.at += N;
        field.copied().ok_or(ProofError::Length { got: self.bytes.len() })
    }

    pub(super) fn u8(&mut self) -> Result<u8, ProofError> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, ProofError> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, ProofError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn i32(&mut self) -> Result<i32, ProofError> {
        self.array().map(i32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, ProofError> {
        self.array().map(u64::from_be_bytes)
    }

    /// Reads a byte that stands for one of an enumeration's values.
    pub(super) fn number<T>(
        &mut self,
        field: &'static str,
        from_number: impl Fn(u8) -> Option<T>,
    ) -> Result<T, ProofError> {
        let at = self.at;
        from_number(self.u8()?).ok_or(ProofError::Field { field, at })
    }

    /// Reads bytes that must be zero, so that a message has one form only.
    pub(super) fn zeros<const N: usize>(&mut self, field: &'static str) -> Result<(), ProofError> {
        let at = self.at;
        if self.array::<N>()? == [0; N] { Ok(()) } else { Err(ProofError::Field { field, at }) }
    }
}

/// Checks the length of a message before anything in it is looked at.
pub(super) fn exactly(message: &[u8], length: usize) -> Result<Reader<'_>, ProofError> {
    if message.len() == length {
        Ok(Reader::new(message))
    } else {
        Err(ProofError::Length { got: message.len() })
    }
}

/// Body and signature in one.
pub(super) fn signed(mut body: Vec<u8>, signature: &super::Signature) -> Vec<u8> {
    body.extend_from_slice(signature);
    body
}
