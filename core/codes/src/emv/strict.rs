//! Every rule of EMVCo MPM 1.1: steps 5 to 7 of spec/money.md 2.3.

use super::error::{CodeError, Path, Warning, WarningKind};
use super::object::{Id, Obj, Qr};

/// Longest GUID of a template, in characters.
const GUID_LEN_MAX: usize = 32;
/// Longest amount, in characters.
const AMOUNT_LEN_MAX: usize = 13;

/// Checks formats in payload order, then missing objects by id, then the tip.
pub(super) fn check(qr: &mut Qr) -> Result<(), CodeError> {
    let mut warnings = Vec::new();
    for obj in &qr.objs {
        check_object(qr, obj, &mut warnings)?;
    }
    check_missing(qr)?;
    check_tip(qr)?;
    if let Some(warning) = amount_precision(qr) {
        warnings.push(warning);
    }
    qr.warnings.extend(warnings);
    Ok(())
}

fn check_object(qr: &Qr, obj: &Obj, warnings: &mut Vec<Warning>) -> Result<(), CodeError> {
    let value = qr.value(obj);
    let path = Path::from(obj.id);
    let good = match obj.id.0 {
        0 => value == "01",
        1 => matches!(value, "11" | "12"),
        2..=25 => is_ans(value, 99),
        26..=51 => return check_guid_template(qr, obj, path, true),
        52 => is_digits(value, 4),
        53 => is_digits(value, 3),
        54 | 56 => amount_is_good(value),
        55 => matches!(value, "01" | "02" | "03"),
        57 => percent_is_good(value),
        58 => value.len() == 2 && value.bytes().all(|b| b.is_ascii_uppercase()),
        59 => is_ans(value, 25),
        60 => is_ans(value, 15),
        61 => is_ans(value, 10),
        62 => return check_extra(qr, obj, warnings),
        63 => true,
        64 => return check_language(qr, obj, warnings),
        65..=79 => {
            warnings.push(Warning { kind: WarningKind::RfuUsed, path, at: obj.at });
            true
        }
        _ => return check_guid_template(qr, obj, path, false),
    };
    if good { Ok(()) } else { Err(CodeError::Format { path, at: obj.at }) }
}

/// The children of a template, or the refusal when there are none.
fn children(obj: &Obj, path: Path) -> Result<&[Obj], CodeError> {
    obj.children.as_deref().ok_or(CodeError::BadTemplate { path, at: obj.at })
}

/// A template that names its owner in 00. Payee templates hold printable ASCII, the unreserved ones any text.
fn check_guid_template(qr: &Qr, obj: &Obj, path: Path, ascii: bool) -> Result<(), CodeError> {
    let children = children(obj, path)?;
    if !children.iter().any(|child| child.id == Id(0)) {
        return Err(CodeError::NoGuid { path, at: obj.at });
    }
    for (place, child) in children.iter().enumerate() {
        let path = Path { root: path.root, sub: Some(child.id) };
        check_unique(&children[..place], child, path)?;
        let value = qr.value(child);
        let limit = if child.id == Id(0) { GUID_LEN_MAX } else { 99 };
        let good = value.chars().count() <= limit && (!ascii || is_ans(value, 99));
        if !good {
            return Err(CodeError::Format { path, at: child.at });
        }
    }
    Ok(())
}

fn check_unique(before: &[Obj], child: &Obj, path: Path) -> Result<(), CodeError> {
    if before.iter().any(|other| other.id == child.id) {
        return Err(CodeError::DuplicateId { path, at: child.at });
    }
    Ok(())
}

/// 62: 01-08 plain, 09 which data to ask for, 50-99 templates, the rest reserved.
fn check_extra(qr: &Qr, obj: &Obj, warnings: &mut Vec<Warning>) -> Result<(), CodeError> {
    let children = children(obj, obj.id.into())?;
    for (place, child) in children.iter().enumerate() {
        let path = Path { root: obj.id, sub: Some(child.id) };
        check_unique(&children[..place], child, path)?;
        let value = qr.value(child);
        let good = match child.id.0 {
            1..=8 => is_ans(value, 25),
            9 => {
                let letters = value.as_bytes();
                letters.iter().enumerate().all(|(i, b)| b"AME".contains(b) && !letters[..i].contains(b))
            }
            50..=99 => {
                check_guid_template(qr, child, path, false)?;
                true
            }
            _ => {
                warnings.push(Warning { kind: WarningKind::RfuUsed, path, at: child.at });
                true
            }
        };
        if !good {
            return Err(CodeError::Format { path, at: child.at });
        }
    }
    Ok(())
}

/// 64: language, name, city; any Unicode.
fn check_language(qr: &Qr, obj: &Obj, warnings: &mut Vec<Warning>) -> Result<(), CodeError> {
    let children = children(obj, obj.id.into())?;
    for (place, child) in children.iter().enumerate() {
        let path = Path { root: obj.id, sub: Some(child.id) };
        check_unique(&children[..place], child, path)?;
        let value = qr.value(child);
        let good = match child.id.0 {
            0 => value.len() == 2 && value.bytes().all(|b| b.is_ascii_alphabetic()),
            1 => value.chars().count() <= 25,
            2 => value.chars().count() <= 15,
            _ => {
                warnings.push(Warning { kind: WarningKind::RfuUsed, path, at: child.at });
                true
            }
        };
        if !good {
            return Err(CodeError::Format { path, at: child.at });
        }
    }
    Ok(())
}

/// What every code must have, lowest id first.
fn check_missing(qr: &Qr) -> Result<(), CodeError> {
    let at = qr.get(Id::CRC).map_or(0, |crc| crc.at);
    let has_account = qr.objs.iter().any(|obj| obj.id.is_primitive_account() || obj.id.is_account_template());
    if !has_account {
        return Err(CodeError::Missing { path: Id(2).into(), at });
    }
    for id in [Id::MCC, Id::CURRENCY, Id::COUNTRY, Id::NAME, Id::CITY] {
        if qr.get(id).is_none() {
            return Err(CodeError::Missing { path: id.into(), at });
        }
    }
    if let Some(language) = qr.get(Id::LANGUAGE) {
        for sub in [Id(0), Id(1)] {
            if language.child(sub).is_none() {
                return Err(CodeError::Missing { path: Path { root: Id::LANGUAGE, sub: Some(sub) }, at });
            }
        }
    }
    Ok(())
}

/// 56 only and always with 55 = 02, 57 only and always with 55 = 03.
fn check_tip(qr: &Qr) -> Result<(), CodeError> {
    let tip = qr.get(Id::TIP);
    let kind = tip.map(|tip| qr.value(tip));
    for (id, belongs_to) in [(Id::TIP_FIXED, "02"), (Id::TIP_PERCENT, "03")] {
        let wanted = kind == Some(belongs_to);
        match (qr.get(id), tip) {
            (Some(obj), _) if !wanted => return Err(CodeError::Conflict { at: obj.at }),
            (None, Some(tip)) if wanted => return Err(CodeError::Conflict { at: tip.at }),
            _ => {}
        }
    }
    Ok(())
}

fn amount_precision(qr: &Qr) -> Option<Warning> {
    let amount = qr.get(Id::AMOUNT)?;
    let (_, decimals) = qr.value(amount).split_once('.')?;
    let exponent = currency_exponent(qr.value(qr.get(Id::CURRENCY)?));
    (decimals.len() > exponent).then_some(Warning {
        kind: WarningKind::AmountPrecision,
        path: Id::AMOUNT.into(),
        at: amount.at,
    })
}

/// Decimals of a currency by its ISO 4217 number, for the warning alone; money itself is `souk-domain`'s.
fn currency_exponent(number: &str) -> usize {
    match number {
        "108" | "152" | "174" | "262" | "324" | "352" | "392" | "410" | "548" | "600" | "646" | "704"
        | "800" | "940" | "950" | "952" | "953" => 0,
        "048" | "368" | "400" | "414" | "434" | "512" | "788" => 3,
        "927" | "990" => 4,
        _ => 2,
    }
}

/// Digits with at most one point, at most 13 characters, a digit in front, not zero.
fn amount_is_good(value: &str) -> bool {
    value.len() <= AMOUNT_LEN_MAX
        && decimal(value).is_some_and(|(whole, part)| has_value(whole) || has_value(part))
}

/// 00.01 to 99.99.
fn percent_is_good(value: &str) -> bool {
    decimal(value).is_some_and(|(whole, part)| {
        whole.len() <= 2 && part.len() <= 2 && (has_value(whole) || has_value(part))
    })
}

/// Splits at the point; nothing but digits on both sides, at least one in front.
fn decimal(value: &str) -> Option<(&str, &str)> {
    let (whole, part) = value.split_once('.').unwrap_or((value, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    (!whole.is_empty() && digits(whole) && digits(part)).then_some((whole, part))
}

fn has_value(digits: &str) -> bool {
    digits.bytes().any(|b| b != b'0')
}

fn is_digits(value: &str, length: usize) -> bool {
    value.len() == length && value.bytes().all(|b| b.is_ascii_digit())
}

/// Printable ASCII of at most `longest` characters.
fn is_ans(value: &str, longest: usize) -> bool {
    value.len() <= longest && value.bytes().all(|b| matches!(b, b' '..=b'~'))
}
