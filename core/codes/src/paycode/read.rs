//! Reading a payment code: the fields, what is signed, and the signature.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{DEVICE_KEY_ID, GUID_DEFAULT, PayFields, PayLanguage, PayOrder, SERVER_KEY_ID_MAX};
use crate::emv::{CodeError, Id, Initiation, Level, Mpm, Obj, Qr, parse};

/// A payment code as it was read; nobody has checked its signature yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayCode {
    /// What it says.
    pub fields: PayFields,
    /// What is signed: `D = SHA-256(SIGNING_PREFIX || these bytes)`.
    pub signing_bytes: Vec<u8>,
    /// Ed25519, or r||s of the payee's device.
    pub signature: [u8; 64],
}

impl PayCode {
    /// Reads a code of the default GUID. Refuses with the codes of strict EMV, then `qr.profile_missing` and
    /// `qr.profile_format`.
    pub fn read(text: &str) -> Result<Self, CodeError> {
        Self::read_with_guid(text, GUID_DEFAULT)
    }

    /// As [`PayCode::read`], for an operator with a GUID of its own.
    pub fn read_with_guid(text: &str, guid: &str) -> Result<Self, CodeError> {
        extract(&parse(text, Level::EmvStrict)?, guid)
    }

    /// Whether the code has expired: it is good through its minute; a static code never expires.
    pub fn is_expired(&self, now_minutes: u32) -> bool {
        self.fields.order.as_ref().is_some_and(|order| now_minutes > order.expiry_minutes)
    }
}

/// The rules of the profile over a code that strict EMV has accepted.
pub fn check(qr: &Qr) -> Result<(), CodeError> {
    extract(qr, GUID_DEFAULT).map(|_| ())
}

/// Whether a payee template carries our default GUID.
pub fn is_ours(qr: &Qr) -> bool {
    qr.objs.iter().any(|obj| obj.id.is_account_template() && qr.guid(obj) == Some(GUID_DEFAULT))
}

fn extract(qr: &Qr, guid: &str) -> Result<PayCode, CodeError> {
    let end = qr.get(Id::CRC).map_or(0, |crc| crc.at);
    let ours = |obj: &&Obj| qr.guid(obj) == Some(guid);
    let mut payees = qr.objs.iter().filter(|obj| obj.id.is_account_template()).filter(ours);
    let payee = payees.next().ok_or(CodeError::ProfileMissing { field: "payee", at: end })?;
    if let Some(second) = payees.next() {
        return Err(CodeError::ProfileFormat { field: "second payee", at: second.at });
    }
    let signature = signature(qr, guid, end)?;
    let mpm = Mpm::new(qr);
    let initiation = mpm.initiation().ok_or(CodeError::ProfileMissing { field: "initiation", at: end })?;
    let is_static = initiation == Initiation::Static;
    let order = if is_static { None } else { Some(read_order(qr, payee)?) };
    check_children(payee, if is_static { &[0, 1, 5] } else { &[0, 1, 2, 3, 4, 5] })?;
    let amount = mpm.amount().map(str::to_owned);
    if order.is_some() && amount.is_none() {
        return Err(CodeError::ProfileMissing { field: "amount", at: end });
    }
    let required = |field: &'static str, value: Option<&str>| {
        value.map(str::to_owned).ok_or(CodeError::ProfileMissing { field, at: end })
    };
    let fields = PayFields {
        guid: guid.to_owned(),
        payee: bytes(qr, payee, 1, "payee account")?,
        order,
        key_id: read_key_id(qr, payee)?,
        mcc: number(mpm.mcc()).ok_or(CodeError::ProfileMissing { field: "category", at: end })?,
        currency: mpm.currency().ok_or(CodeError::ProfileMissing { field: "currency", at: end })?,
        amount,
        country: required("country", mpm.country())?,
        merchant_name: required("merchant name", mpm.merchant_name())?,
        city: required("city", mpm.city())?,
        language: mpm.language().map(|language| PayLanguage {
            language: language.language.to_owned(),
            name: language.name.to_owned(),
            city: language.city.map(str::to_owned),
        }),
    };
    Ok(PayCode { fields, signing_bytes: signing_bytes(qr, guid), signature })
}

fn is_signature(qr: &Qr, guid: &str, obj: &Obj) -> bool {
    obj.id.is_unreserved_template() && qr.guid(obj) == Some(guid)
}

/// All objects of the root in order, without the checksum and our own templates of 80-99.
fn signing_bytes(qr: &Qr, guid: &str) -> Vec<u8> {
    let signed = qr.objs.iter().filter(|obj| obj.id != Id::CRC && !is_signature(qr, guid, obj));
    signed.flat_map(|obj| qr.raw(obj).bytes()).collect()
}

/// The two halves. They stand last, side by side, the lower id first: the signature cannot say where it stands itself.
fn signature(qr: &Qr, guid: &str, end: usize) -> Result<[u8; 64], CodeError> {
    let mut halves = qr.objs.iter().enumerate().filter(|(_, obj)| is_signature(qr, guid, obj));
    let (Some((_, first)), Some((place, second))) = (halves.next(), halves.next()) else {
        return Err(CodeError::ProfileMissing { field: "signature", at: end });
    };
    let wrong = |obj: &Obj| CodeError::ProfileFormat { field: "signature", at: obj.at };
    if let Some((_, third)) = halves.next() {
        return Err(wrong(third));
    }
    if place + 2 != qr.objs.len() || first.id > second.id || second.at != first.at + half_raw_len(qr, first) {
        return Err(wrong(first));
    }
    let mut text = String::with_capacity(86);
    for half in [first, second] {
        check_children(half, &[0, 1])?;
        let value = half.child(Id(1)).map(|child| qr.value(child)).unwrap_or_default();
        if value.len() != 43 {
            return Err(wrong(half));
        }
        text.push_str(value);
    }
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| wrong(first))?;
    bytes.try_into().map_err(|_| wrong(first))
}

fn half_raw_len(qr: &Qr, half: &Obj) -> usize {
    qr.raw(half).chars().count()
}

/// A template of ours holds these objects in this order and no others.
fn check_children(template: &Obj, ids: &[u8]) -> Result<(), CodeError> {
    let children = template.children.as_deref().unwrap_or_default();
    for (place, id) in ids.iter().enumerate() {
        match children.get(place) {
            Some(child) if child.id.0 == *id => {}
            Some(child) => return Err(CodeError::ProfileFormat { field: "template", at: child.at }),
            None => return Err(CodeError::ProfileMissing { field: "template", at: template.at }),
        }
    }
    match children.get(ids.len()) {
        Some(extra) => Err(CodeError::ProfileFormat { field: "template", at: extra.at }),
        None => Ok(()),
    }
}

fn read_order(qr: &Qr, payee: &Obj) -> Result<PayOrder, CodeError> {
    let expiry = child(payee, 4, "expiry")?;
    let text = qr.value(expiry);
    let eight = text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit());
    let wrong = CodeError::ProfileFormat { field: "expiry", at: expiry.at };
    Ok(PayOrder {
        order: bytes(qr, payee, 2, "order")?,
        nonce: bytes(qr, payee, 3, "nonce")?,
        expiry_minutes: if eight { text.parse().map_err(|_| wrong)? } else { return Err(wrong) },
    })
}

fn read_key_id(qr: &Qr, payee: &Obj) -> Result<u8, CodeError> {
    let obj = child(payee, 5, "key id")?;
    let text = qr.value(obj);
    let hex = text.len() == 2 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'A'..=b'F'));
    let number = if hex { u8::from_str_radix(text, 16).ok() } else { None };
    number
        .filter(|id| matches!(*id, 1..=SERVER_KEY_ID_MAX | DEVICE_KEY_ID))
        .ok_or(CodeError::ProfileFormat { field: "key id", at: obj.at })
}

fn child<'a>(template: &'a Obj, id: u8, field: &'static str) -> Result<&'a Obj, CodeError> {
    template.child(Id(id)).ok_or(CodeError::ProfileMissing { field, at: template.at })
}

/// Base64url without padding, in its one form.
fn bytes<const N: usize>(qr: &Qr, template: &Obj, id: u8, field: &'static str) -> Result<[u8; N], CodeError> {
    let obj = child(template, id, field)?;
    let decoded = URL_SAFE_NO_PAD.decode(qr.value(obj)).ok();
    decoded.and_then(|bytes| bytes.try_into().ok()).ok_or(CodeError::ProfileFormat { field, at: obj.at })
}

fn number(text: Option<&str>) -> Option<u16> {
    text.filter(|text| text.bytes().all(|b| b.is_ascii_digit())).and_then(|text| text.parse().ok())
}
