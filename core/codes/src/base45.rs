//! Base45 (RFC 9285): bytes as text of the QR alphanumeric alphabet, three characters for two bytes.
//!
//! Rules: RFC 9285, spec/logistics.md 2. A blank is data here: nothing is trimmed or folded.

/// The 45 characters, by value.
pub const ALPHABET: &[u8; 45] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";

/// A text that is not base45; `at` counts bytes from the start of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Base45Error {
    /// A character outside the alphabet.
    #[error("character {at} is not in the base45 alphabet")]
    Character {
        /// Offset in bytes.
        at: usize,
    },
    /// One character is left over at the end.
    #[error("a single character is left over at {at}")]
    Single {
        /// Offset in bytes.
        at: usize,
    },
    /// A triple above 65535 or a closing pair above 255.
    #[error("the group at {at} stands for no bytes")]
    Overflow {
        /// Offset of the group in bytes.
        at: usize,
    },
}

impl Base45Error {
    /// The stable code: `id.base45` for all three.
    pub const fn code(&self) -> &'static str {
        "id.base45"
    }

    /// Offset of the character or group, in bytes.
    pub const fn at(&self) -> usize {
        match self {
            Self::Character { at } | Self::Single { at } | Self::Overflow { at } => *at,
        }
    }
}

/// How many characters `bytes` bytes take.
pub const fn encoded_len(bytes: usize) -> usize {
    bytes / 2 * 3 + bytes % 2 * 2
}

/// Whether a character is one of the 45, which are also those of a QR symbol's alphanumeric mode.
pub fn is_in_alphabet(character: char) -> bool {
    u8::try_from(character).ok().and_then(digit).is_some()
}

/// Writes bytes as base45.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(encoded_len(bytes.len()));
    for pair in bytes.chunks(2) {
        let (value, digits) = match pair {
            [high, low] => (usize::from(*high) * 256 + usize::from(*low), 3),
            [last] => (usize::from(*last), 2),
            _ => continue,
        };
        let mut rest = value;
        for _ in 0..digits {
            text.push(char::from(ALPHABET[rest % 45]));
            rest /= 45;
        }
    }
    text
}

/// Reads base45; the first thing wrong from the left is the answer.
pub fn decode(text: &str) -> Result<Vec<u8>, Base45Error> {
    let mut bytes = Vec::with_capacity(text.len() / 3 * 2 + 1);
    for (group, characters) in text.as_bytes().chunks(3).enumerate() {
        let at = group * 3;
        let mut value = 0u32;
        let mut weight = 1u32;
        for (offset, character) in characters.iter().enumerate() {
            let digit = digit(*character).ok_or(Base45Error::Character { at: at + offset })?;
            value += digit * weight;
            weight *= 45;
        }
        match characters.len() {
            3 => {
                let pair = u16::try_from(value).map_err(|_| Base45Error::Overflow { at })?;
                bytes.extend_from_slice(&pair.to_be_bytes());
            }
            2 => bytes.push(u8::try_from(value).map_err(|_| Base45Error::Overflow { at })?),
            _ => return Err(Base45Error::Single { at }),
        }
    }
    Ok(bytes)
}

fn digit(character: u8) -> Option<u32> {
    Some(u32::from(match character {
        b'0'..=b'9' => character - b'0',
        b'A'..=b'Z' => character - b'A' + 10,
        b' ' => 36,
        b'$' => 37,
        b'%' => 38,
        b'*' => 39,
        b'+' => 40,
        b'-' => 41,
        b'.' => 42,
        b'/' => 43,
        b':' => 44,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 9285 section 4 and spec/logistics.md 2.
    #[test]
    fn published_vectors() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"AB", "BB8"),
            (b"Hello!!", "%69 VD92EX0"),
            (b"base-45", "UJCLQE7W581"),
            (b"ietf!", "QED8WEX0"),
            (&[0xff, 0xff], "FGW"),
        ] {
            assert_eq!(encode(bytes), text);
            assert_eq!(decode(text).as_deref(), Ok(bytes));
        }
    }

    #[test]
    fn malformed() {
        for (text, error) in [
            ("GGW", Base45Error::Overflow { at: 0 }),
            (":::", Base45Error::Overflow { at: 0 }),
            ("BB8::", Base45Error::Overflow { at: 3 }),
            ("BB8A", Base45Error::Single { at: 3 }),
            ("BB8bb8", Base45Error::Character { at: 3 }),
            ("BBä", Base45Error::Character { at: 2 }),
        ] {
            assert_eq!(decode(text), Err(error), "{text}");
            assert_eq!(error.code(), "id.base45");
        }
    }

    proptest! {
        #[test]
        fn round_trip(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let text = encode(&bytes);
            prop_assert_eq!(text.len(), encoded_len(bytes.len()));
            prop_assert_eq!(decode(&text), Ok(bytes));
        }

        #[test]
        fn what_is_read_is_written_again(text in "[0-9A-Z $%*+./:-]{0,40}") {
            if let Ok(bytes) = decode(&text) {
                prop_assert_eq!(encode(&bytes), text);
            }
        }

        #[test]
        fn no_text_panics(text in ".{0,60}") {
            let _ = decode(&text);
        }
    }
}
