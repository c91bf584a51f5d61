//! From text to objects: steps 1 to 4 of spec/money.md 2.3, which hold at every level.

use super::crc::crc16;
use super::error::{CodeError, Path, Warning, WarningKind};
use super::object::{Id, Obj, Qr, Span};
use super::{Level, Profile, QR_BYTES_MAX, QR_CHARACTERS_MAX, strict};
use crate::paycode;

/// Reads a code. Refuses with a code of spec/money.md 2.3 and its place in characters.
pub fn parse(text: &str, level: Level) -> Result<Qr, CodeError> {
    check_size(text, level)?;
    let mut qr = Qr { text: text.to_owned(), objs: Vec::with_capacity(16), warnings: Vec::new() };
    walk_root(text, &mut qr)?;
    check_frame(&mut qr, level)?;
    match level {
        Level::Lossless => {}
        Level::EmvStrict => strict::check(&mut qr)?,
        Level::Profile(Profile::Souk) => {
            strict::check(&mut qr)?;
            paycode::check(&qr)?;
        }
        Level::Profile(Profile::Auto) => {
            strict::check(&mut qr)?;
            if paycode::is_ours(&qr) {
                paycode::check(&qr)?;
            }
        }
    }
    Ok(qr)
}

/// As [`parse`], for a line of bytes that may not be UTF-8 (`qr.bad_text` at the byte).
pub fn parse_bytes(bytes: &[u8], level: Level) -> Result<Qr, CodeError> {
    let text = std::str::from_utf8(bytes).map_err(|error| CodeError::BadText { at: error.valid_up_to() })?;
    parse(text, level)
}

fn check_size(text: &str, level: Level) -> Result<(), CodeError> {
    if text.is_empty() {
        return Err(CodeError::Empty);
    }
    if text.len() > QR_BYTES_MAX {
        return Err(CodeError::TooLong { at: QR_BYTES_MAX });
    }
    let tighter = level != Level::Lossless && text.len() > QR_CHARACTERS_MAX; // bytes: characters are never more
    if tighter && text.chars().count() > QR_CHARACTERS_MAX {
        return Err(CodeError::TooLong { at: QR_CHARACTERS_MAX });
    }
    Ok(())
}

/// A cursor that counts bytes and characters.
struct Walker<'a> {
    text: &'a str,
    byte: usize,
    end: usize,
    at: usize,
}

impl Walker<'_> {
    /// Reads one object, `ID LL value`, and moves past it.
    fn object(&mut self) -> Result<Obj, CodeError> {
        let (start, at) = (self.byte, self.at);
        let id = self.two_digits(at, CodeError::BadId { at })?;
        let length = self.two_digits(at, CodeError::BadLength { at: at + 2 })?;
        if length == 0 {
            return Err(CodeError::BadLength { at: at + 2 });
        }
        let value_start = self.byte;
        for _ in 0..length {
            let width = self.rest().chars().next().map(char::len_utf8).ok_or(CodeError::Truncated { at })?;
            self.byte += width;
        }
        self.at += usize::from(length);
        Ok(Obj {
            id: Id(id),
            at,
            raw: Span { start, end: self.byte },
            value: Span { start: value_start, end: self.byte },
            children: None,
        })
    }

    fn rest(&self) -> &str {
        self.text.get(self.byte..self.end).unwrap_or_default()
    }

    fn two_digits(&mut self, at: usize, wrong: CodeError) -> Result<u8, CodeError> {
        let mut value = 0;
        let mut characters = self.rest().chars();
        for _ in 0..2 {
            let character = characters.next().ok_or(CodeError::Truncated { at })?;
            let digit = character.to_digit(10).ok_or(wrong)?;
            value = value * 10 + digit as u8;
        }
        self.byte += 2;
        self.at += 2;
        Ok(value)
    }
}

fn walk_root(text: &str, qr: &mut Qr) -> Result<(), CodeError> {
    let mut walker = Walker { text, byte: 0, end: text.len(), at: 0 };
    let mut seen = [false; 100];
    while walker.byte < walker.end {
        let mut obj = walker.object()?;
        let (id, at) = (obj.id, obj.at);
        if std::mem::replace(&mut seen[usize::from(id.0)], true) {
            return Err(CodeError::DuplicateId { path: id.into(), at });
        }
        if id.is_template() {
            walk_template(text, &mut obj, &mut qr.warnings);
        }
        qr.objs.push(obj);
    }
    Ok(())
}

/// Walks a template of the root; one that does not walk stays a plain value with a warning.
fn walk_template(text: &str, obj: &mut Obj, warnings: &mut Vec<Warning>) {
    let Some(mut children) = walk_inside(text, obj) else {
        warnings.push(Warning { kind: WarningKind::NotATemplate, path: obj.id.into(), at: obj.at });
        return;
    };
    let nests = nested_guid(text, obj.id, &children);
    for child in &mut children {
        let is_template = (obj.id == Id::EXTRA && child.id.0 >= 50) || (nests && child.id == Id(1));
        if !is_template {
            continue;
        }
        child.children = walk_inside(text, child);
        if child.children.is_none() {
            let path = Path { root: obj.id, sub: Some(child.id) };
            warnings.push(Warning { kind: WarningKind::NotATemplate, path, at: child.at });
        }
    }
    obj.children = Some(children);
}

/// VietQR alone holds a template inside a payee template, in 01 (spec/money.md 2.4).
fn nested_guid(text: &str, id: Id, children: &[Obj]) -> bool {
    let is_vietqr = |value: &str| value.eq_ignore_ascii_case("A000000727");
    id.is_account_template()
        && children.iter().any(|child| {
            child.id == Id(0) && text.get(child.value.start..child.value.end).is_some_and(is_vietqr)
        })
}

fn walk_inside(text: &str, obj: &Obj) -> Option<Vec<Obj>> {
    let mut walker = Walker { text, byte: obj.value.start, end: obj.value.end, at: obj.at + 4 };
    let mut children = Vec::with_capacity(4);
    while walker.byte < walker.end {
        children.push(walker.object().ok()?);
    }
    Some(children)
}

/// Step 3, first and last object, and step 4, the checksum.
fn check_frame(qr: &mut Qr, level: Level) -> Result<(), CodeError> {
    if qr.objs.first().is_none_or(|first| first.id != Id::FORMAT) {
        return Err(CodeError::BadFirst { at: 0 });
    }
    let crc = match (qr.objs.last(), qr.get(Id::CRC)) {
        (Some(last), _) if last.id == Id::CRC => last,
        (_, Some(inside)) => return Err(CodeError::CrcNotLast { at: inside.at }),
        (_, None) => return Err(CodeError::CrcMissing { at: qr.text.chars().count() }),
    };
    let at = crc.at;
    let written = qr.value(crc);
    let lower_case = written.bytes().any(|b| b.is_ascii_lowercase());
    let is_hex = written.len() == 4 && written.bytes().all(|b| b.is_ascii_hexdigit());
    if !is_hex || (lower_case && level != Level::Lossless) {
        return Err(CodeError::CrcFormat { at });
    }
    let covered = qr.text.as_bytes().get(..crc.value.start).unwrap_or_default();
    if u16::from_str_radix(written, 16) != Ok(crc16(covered)) {
        return Err(CodeError::CrcMismatch { at });
    }
    if lower_case {
        qr.warnings.push(Warning { kind: WarningKind::CrcCase, path: Id::CRC.into(), at });
    }
    Ok(())
}
