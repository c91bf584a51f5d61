//! Writing a code: objects in order, then the checksum.

use super::QR_BYTES_MAX;
use super::crc::crc16;
use super::error::CodeError;
use super::object::{Id, Qr};

/// A code in the making: objects of the root in the order in which they are written, without the checksum.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QrBuild {
    objects: Vec<(Id, String)>,
    /// The checksum as the source wrote it: kept when it still fits, so that lower case survives.
    crc_source: Option<String>,
}

impl QrBuild {
    /// An empty code. The first object must become 00.
    pub fn new() -> Self {
        Self::default()
    }

    /// The objects of a code that was read, unchanged.
    pub fn from_qr(qr: &Qr) -> Self {
        let objects = qr.objs.iter().filter(|obj| obj.id != Id::CRC);
        Self {
            objects: objects.map(|obj| (obj.id, qr.value(obj).to_owned())).collect(),
            crc_source: qr.get(Id::CRC).map(|crc| qr.value(crc).to_owned()),
        }
    }

    /// Adds an object at the end.
    pub fn push(&mut self, id: Id, value: impl Into<String>) -> &mut Self {
        self.objects.push((id, value.into()));
        self
    }

    /// Adds a template at the end; what cannot be written shows in [`emit`].
    pub fn push_template(&mut self, id: Id, children: &[(Id, &str)]) -> &mut Self {
        let mut value = String::new();
        for (child, text) in children {
            write_object(&mut value, *child, text);
        }
        self.push(id, value)
    }

    /// Gives an object another value in its place; adds it at the end if it is not there.
    pub fn set(&mut self, id: Id, value: impl Into<String>) -> &mut Self {
        match self.objects.iter_mut().find(|(there, _)| *there == id) {
            Some((_, old)) => *old = value.into(),
            None => self.objects.push((id, value.into())),
        }
        self
    }

    /// Takes an object out.
    pub fn remove(&mut self, id: Id) -> &mut Self {
        self.objects.retain(|(there, _)| *there != id);
        self
    }

    /// The objects as text, without a checksum.
    pub(crate) fn emit_objects(&self) -> Result<String, CodeError> {
        let mut text =
            String::with_capacity(self.objects.iter().map(|(_, value)| value.len() + 4).sum::<usize>() + 8);
        let mut at = 0;
        for (place, (id, value)) in self.objects.iter().enumerate() {
            if place == 0 && *id != Id::FORMAT {
                return Err(CodeError::BadFirst { at });
            }
            if id.0 > 99 {
                return Err(CodeError::BadId { at });
            }
            if *id == Id::CRC {
                return Err(CodeError::CrcNotLast { at });
            }
            if self.objects[..place].iter().any(|(there, _)| there == id) {
                return Err(CodeError::DuplicateId { path: (*id).into(), at });
            }
            let length = value.chars().count();
            if !(1..=99).contains(&length) {
                return Err(CodeError::BadLength { at: at + 2 });
            }
            write_object(&mut text, *id, value);
            at += length + 4;
        }
        if self.objects.is_empty() {
            return Err(CodeError::BadFirst { at: 0 });
        }
        Ok(text)
    }
}

/// Writes a code. Refuses: `qr.bad_first`, `qr.bad_id`, `qr.duplicate_id`, `qr.bad_length` (a value of 0 or more than
/// 99 characters), `qr.crc_not_last` (63 is written here and by nobody else), `qr.too_long`.
pub fn emit(qr: &QrBuild) -> Result<String, CodeError> {
    let mut text = qr.emit_objects()?;
    push_crc(&mut text, qr.crc_source.as_deref());
    if text.len() > QR_BYTES_MAX {
        return Err(CodeError::TooLong { at: QR_BYTES_MAX });
    }
    Ok(text)
}

/// Closes a text with object 63.
pub(crate) fn push_crc(text: &mut String, source: Option<&str>) {
    text.push_str("6304");
    let crc = format!("{:04X}", crc16(text.as_bytes()));
    text.push_str(source.filter(|source| source.eq_ignore_ascii_case(&crc)).unwrap_or(&crc));
}

/// Writes one object; a value whose length has not two digits makes a text that cannot be read, and is found there.
pub(crate) fn write_object(text: &mut String, id: Id, value: &str) {
    let length = value.chars().count();
    text.push_str(&format!("{id}{length:02}{value}"));
}
