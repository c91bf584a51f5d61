//! Canonical JSON: RFC 8785 (JCS) restricted to integers, so that one meaning has one text and one hash.
//!
//! Rules: spec/sync.md 3.3. UTF-8, no blanks, members sorted by UTF-16 code units, shortest escapes, integers with
//! |n| <= 2^53 - 1 only, no floats, no `null` (absent instead), no duplicate names, depth <= [`DEPTH_MAX`].
//! Always: `canonical(parse(x)) = x` for every `x` that is canonical; nothing here panics on any text.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

#[cfg(test)]
pub(crate) mod tests;

/// Deepest nesting of arrays and objects; the outermost counts as 1. Deeper bodies than ours hide attacks on stacks.
pub const DEPTH_MAX: usize = 8;

/// Largest integer, either sign: 2^53 - 1, which every JSON reader holds exactly.
pub const INTEGER_MAX: i64 = (1 << 53) - 1;

/// Why a text or value has no canonical form, and the byte at which reading (or writing) stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{fault} at byte {at}")]
pub struct CanonError {
    /// What is wrong.
    pub fault: CanonFault,
    /// Byte of the text; of the canonical text when writing.
    pub at: usize,
}

/// What is wrong with a text or value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CanonFault {
    /// Not JSON, or more than one value.
    #[error("not JSON")]
    Syntax,
    /// A number with a fraction, an exponent or the sign of zero.
    #[error("a number that is no integer")]
    Float,
    /// An integer above 2^53 - 1.
    #[error("an integer above 2^53 - 1")]
    Range,
    /// `null`.
    #[error("null")]
    Null,
    /// One name twice in an object.
    #[error("a name stands twice")]
    Duplicate,
    /// Nested deeper than [`DEPTH_MAX`].
    #[error("nested too deep")]
    Depth,
    /// Good JSON in another than its canonical form: blanks, order of members, escapes.
    #[error("not in canonical form")]
    Form,
}

/// Reads any JSON text of our subset; blanks, order and escapes are free.
pub fn parse(text: &str) -> Result<Value, CanonError> {
    let fault = Cell::new(CanonFault::Syntax);
    let mut reader = serde_json::Deserializer::from_str(text);
    Strict { level: 1, fault: &fault }
        .deserialize(&mut reader)
        .and_then(|value| reader.end().map(|()| value))
        .map_err(|error| CanonError { fault: fault.get(), at: offset(text, error.line(), error.column()) })
}

/// Reads a text that must be its own canonical form.
pub fn parse_canonical(text: &str) -> Result<Value, CanonError> {
    let value = parse(text)?;
    let canonical = canonical(&value)?;
    if canonical == text {
        return Ok(value);
    }
    let at = canonical.bytes().zip(text.bytes()).take_while(|(a, b)| a == b).count();
    Err(CanonError { fault: CanonFault::Form, at })
}

/// Whether a text is its own canonical form.
pub fn is_canonical(text: &str) -> bool {
    parse_canonical(text).is_ok()
}

/// The canonical text of a value. Refuses floats, `null`, integers above 2^53 - 1, and depth.
pub fn canonical(value: &Value) -> Result<String, CanonError> {
    let mut out = String::new();
    write(&mut out, value, 1)?;
    Ok(out)
}

fn write(out: &mut String, value: &Value, level: usize) -> Result<(), CanonError> {
    let stop = |out: &String, fault| Err(CanonError { fault, at: out.len() });
    match value {
        Value::Null => return stop(out, CanonFault::Null),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) => match number.as_i64() {
            Some(integer) if integer.unsigned_abs() <= INTEGER_MAX.unsigned_abs() => {
                out.push_str(&integer.to_string());
            }
            None if number.is_f64() => return stop(out, CanonFault::Float),
            _ => return stop(out, CanonFault::Range),
        },
        Value::String(text) => write_text(out, text),
        Value::Array(_) | Value::Object(_) if level > DEPTH_MAX => return stop(out, CanonFault::Depth),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write(out, item, level + 1)?;
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut members: Vec<(&String, &Value)> = members.iter().collect();
            members.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            out.push('{');
            for (i, (name, value)) in members.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_text(out, name);
                out.push(':');
                write(out, value, level + 1)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

/// A string with the shortest escapes (RFC 8785, 3.2.2.2).
fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Byte of a 1-based line and column, as `serde_json` counts them.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    (before + column.saturating_sub(1)).min(text.len())
}

/// Reads one value; the reason of a refusal is left in `fault`, because the reader's own error only has a text.
#[derive(Clone, Copy)]
struct Strict<'f> {
    level: usize,
    fault: &'f Cell<CanonFault>,
}

impl Strict<'_> {
    fn stop<T, E: serde::de::Error>(&self, fault: CanonFault) -> Result<T, E> {
        self.fault.set(fault);
        Err(E::custom(fault))
    }

    fn inner<E: serde::de::Error>(&self) -> Result<Self, E> {
        if self.level > DEPTH_MAX {
            return self.stop(CanonFault::Depth);
        }
        Ok(Strict { level: self.level + 1, fault: self.fault })
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON with integers only")
    }

    fn visit_bool<E: serde::de::Error>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E: serde::de::Error>(self, integer: i64) -> Result<Value, E> {
        if integer.unsigned_abs() > INTEGER_MAX.unsigned_abs() {
            return self.stop(CanonFault::Range);
        }
        Ok(Value::Number(Number::from(integer)))
    }

    fn visit_u64<E: serde::de::Error>(self, integer: u64) -> Result<Value, E> {
        match i64::try_from(integer) {
            Ok(integer) => self.visit_i64(integer),
            Err(_) => self.stop(CanonFault::Range),
        }
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Value, E> {
        self.stop(CanonFault::Float)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Value, E> {
        self.stop(CanonFault::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut members = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            if members.contains_key(&name) {
                return self.stop(CanonFault::Duplicate);
            }
            members.insert(name, map.next_value_seed(inner)?);
        }
        Ok(Value::Object(members))
    }
}
