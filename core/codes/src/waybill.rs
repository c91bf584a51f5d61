//! The waybill number: one u64 that stands in every custody message, and its printed form.
//!
//! Rules: spec/logistics.md 2 (`souk`) and 2.3, spec/scale.md 2 (form W). The top four bits name the kind; only
//! Souk's own numbers (kind 3) carry their bucket. Texts are `S` + 13 Crockford-32 characters + one check character.

/// Characters of the printed own number, `S` and check character included.
pub const TEXT_LEN: usize = 15;
/// Buckets of an installation: ten bits (spec/scale.md 2).
pub const BUCKET_MAX: u16 = 1023;
/// Largest serial inside a bucket: 50 bits.
pub const SERIAL_MAX: u64 = (1 << 50) - 1;

const DIGITS: usize = 13;
/// Crockford's 32 digits and the five further check characters.
const CROCKFORD: &[u8; 37] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ*~$=U";

/// What a waybill number was before it was packed into 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaybillKind {
    /// GS1 serial shipping container code.
    Sscc,
    /// UPU S10 item number.
    S10,
    /// A number of this installation.
    Souk {
        /// The seller's bucket, 0 to 1023.
        bucket: u16,
        /// The serial inside the bucket.
        serial: u64,
    },
}

/// A printed number that cannot be read; `at` counts characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WaybillError {
    /// Nothing was given.
    #[error("the number is empty")]
    Empty,
    /// Not `S`, thirteen characters and a check character.
    #[error("an own number has {TEXT_LEN} characters")]
    Length {
        /// Where the text ends, or where it is too long.
        at: usize,
    },
    /// A character that Crockford's alphabet does not have at this place.
    #[error("character {at} does not belong to an own number")]
    Charset {
        /// Offset in characters.
        at: usize,
    },
    /// The check character is not that of the number.
    #[error("the check character does not fit the number")]
    CheckDigit {
        /// Offset of the check character.
        at: usize,
    },
    /// All zeros.
    #[error("zero is no waybill number")]
    Zero,
}

impl WaybillError {
    /// The stable code, `id.…` (spec/logistics.md 2).
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Empty => "id.empty",
            Self::Length { .. } => "id.length",
            Self::Charset { .. } => "id.charset",
            Self::CheckDigit { .. } => "id.check_digit",
            Self::Zero => "id.zero",
        }
    }

    /// Offset in characters.
    pub const fn at(&self) -> usize {
        match self {
            Self::Length { at } | Self::Charset { at } | Self::CheckDigit { at } => *at,
            Self::Empty | Self::Zero => 0,
        }
    }
}

/// An own number of a bucket; `None` when bucket or serial has too many bits.
pub const fn souk_number(bucket: u16, serial: u64) -> Option<u64> {
    if bucket > BUCKET_MAX || serial > SERIAL_MAX {
        return None;
    }
    Some((3 << 60) | ((bucket as u64) << 50) | serial)
}

/// The kind that the top four bits name; `None` for numbers that nobody gives out.
pub const fn kind(waybill: u64) -> Option<WaybillKind> {
    match waybill >> 60 {
        1 => Some(WaybillKind::Sscc),
        2 => Some(WaybillKind::S10),
        3 => Some(WaybillKind::Souk {
            bucket: (waybill >> 50) as u16 & BUCKET_MAX,
            serial: waybill & SERIAL_MAX,
        }),
        _ => None,
    }
}

/// The printed form: `S`, thirteen characters, check character (number modulo 37).
pub fn text(waybill: u64) -> String {
    let mut text = String::with_capacity(TEXT_LEN);
    text.push('S');
    for place in (0..DIGITS).rev() {
        text.push(char::from(CROCKFORD[(waybill >> (5 * place)) as usize & 31]));
    }
    text.push(char::from(CROCKFORD[(waybill % 37) as usize]));
    text
}

/// Reads the printed form as people type it: either case, with blanks and hyphens, `O` for 0, `I` and `L` for 1.
pub fn parse(text: &str) -> Result<u64, WaybillError> {
    let mut waybill = 0u64;
    let mut place = 0;
    let mut end = 0;
    for (at, character) in text.chars().enumerate() {
        end = at + 1;
        if character == '-' || character.is_whitespace() {
            continue;
        }
        let wrong = WaybillError::Charset { at };
        match place {
            0 if character.eq_ignore_ascii_case(&'S') => {}
            1..=DIGITS => {
                let digit = value(character).filter(|v| *v < 32).ok_or(wrong)?;
                if place == 1 && digit > 15 {
                    return Err(wrong); // 13 characters hold 65 bits; the number has 64
                }
                waybill = waybill << 5 | digit;
            }
            14 => {
                let check = value(character).ok_or(wrong)?;
                if check != waybill % 37 {
                    return Err(WaybillError::CheckDigit { at });
                }
            }
            0 => return Err(wrong),
            _ => return Err(WaybillError::Length { at }),
        }
        place += 1;
    }
    match (place, waybill) {
        (0, _) => Err(WaybillError::Empty),
        (TEXT_LEN, 0) => Err(WaybillError::Zero),
        (TEXT_LEN, _) => Ok(waybill),
        _ => Err(WaybillError::Length { at: end }),
    }
}

fn value(character: char) -> Option<u64> {
    let folded = match character.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    CROCKFORD.iter().position(|c| char::from(*c) == folded).map(|v| v as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bucket_of_an_own_number() {
        assert_eq!(kind(0x3684_0000_0000_0007), Some(WaybillKind::Souk { bucket: 417, serial: 7 }));
        assert_eq!(souk_number(417, 7), Some(0x3684_0000_0000_0007));
        assert_eq!(souk_number(BUCKET_MAX, SERIAL_MAX), Some(0x3fff_ffff_ffff_ffff));
        assert_eq!(souk_number(BUCKET_MAX + 1, 0), None);
        assert_eq!(souk_number(0, SERIAL_MAX + 1), None);
        assert_eq!(kind(0x1025_b581_4f42_6f15), Some(WaybillKind::Sscc));
        assert_eq!(kind(0x2000_06ab_43d0_7c6f), Some(WaybillKind::S10));
        assert_eq!(kind(0x4000_0000_0000_0000), None);
    }

    #[test]
    fn malformed() {
        let good = text(0x3684_0000_0000_0007);
        for (input, code, at) in [
            ("", "id.empty", 0),
            (" - ", "id.empty", 0),
            ("S", "id.length", 1),
            (&good[..14], "id.length", 14),
            (&format!("{good}0"), "id.length", 15),
            (&format!("T{}", &good[1..]), "id.charset", 0),
            (&format!("SG{}", &good[2..]), "id.charset", 1),
            (&format!("S3U{}", &good[3..]), "id.charset", 2),
            ("S00000000000000", "id.zero", 0),
        ] {
            let error = parse(input).expect_err(input);
            assert_eq!((error.code(), error.at()), (code, at), "{input}");
        }
    }

    #[test]
    fn as_people_type_it() {
        let number = 0x3041_0000_0000_0021;
        let typed = text(number).to_lowercase().replace('0', "o").replace('1', "l");
        assert_eq!(parse(&format!("{}-{} ", &typed[..5], &typed[5..])), Ok(number));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]
        #[test]
        fn round_trip(number in 1u64..) {
            prop_assert_eq!(text(number).len(), TEXT_LEN);
            prop_assert_eq!(parse(&text(number)), Ok(number));
        }
    }

    proptest! {
        #[test]
        fn one_wrong_character_is_refused(number in 1u64.., place in 1usize..15, other in 0usize..32) {
            let mut wrong = text(number).into_bytes();
            prop_assume!(wrong[place] != CROCKFORD[other]);
            wrong[place] = CROCKFORD[other];
            let wrong = String::from_utf8_lossy(&wrong).into_owned();
            prop_assert!(parse(&wrong).is_err());
        }

        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = parse(&text);
        }
    }
}
