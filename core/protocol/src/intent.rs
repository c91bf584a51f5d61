//! The text of an intent: one canonical JSON object, made at the tap, that **is** the intent — hashed, signed, sent,
//! stored and shown as evidence in exactly these bytes.
//!
//! Not for: deciding, lanes' streams, signatures themselves (`souk_crypto`). Rules: spec/sync.md 3.1-3.4. Always:
//! what [`IntentText::compose`] writes, [`IntentText::parse`] reads back; a text that is not its own canonical form
//! is refused, so one meaning has one hash.

use serde_json::{Map, Value};
use souk_crypto::hash::{digest, sha256};
use souk_domain::bookkeeping::Lane;
use souk_domain::id::{AccountId, Bucket, DeviceId, IntentId, hex, unhex};
use souk_domain::intent::{Body, Intent};
use souk_domain::money::Money;
use souk_domain::outcome::Refusal;
use souk_domain::time::{Span, Time};

use crate::canon;
use crate::limits::{BIN_BYTES_MAX, TEXT_BYTES_MAX, TEXT_LARGE_BYTES_MAX};
use crate::views::address_of_bin;

mod body;
mod fields;
#[cfg(test)]
mod tests;

use fields::{Fields, Members, form};

/// Version of the object, in its member `v`.
pub const TEXT_VERSION: i64 = 1;
/// `made_err_ms` of a device that does not know the server's time.
pub const ERR_UNKNOWN_MS: i64 = -1;

/// Whether a kind is one that a user may send.
pub fn is_kind(kind: &str) -> bool {
    // A body without members is of no kind's form, so that every known kind says so.
    !matches!(body::read(kind, Map::new()), Err(refusal) if refusal.code == "intent.kind")
}

/// What a device mints with an intent; never changed, never renumbered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mint {
    /// Its id.
    pub id: IntentId,
    /// The account that is signed in. Rights never come from here.
    pub account: AccountId,
    /// The device that minted it.
    pub device: DeviceId,
    /// Its epoch.
    pub epoch: u32,
    /// Its number: one series a device, gaps allowed.
    pub dev_seq: u64,
    /// Server-time estimate at the tap.
    pub made_at: Time,
    /// Error of the estimate in milliseconds; [`ERR_UNKNOWN_MS`] = unknown.
    pub made_err_ms: i64,
    /// Not to be done after this; at most `made_at` + [`life`]`.max`.
    pub not_after: Time,
    /// The most that it may charge; for whatever can charge.
    pub max_total: Option<Money>,
}

/// A text as it was read: its envelope, and its body still as JSON.
///
/// The two halves are apart so that a body that is refused can be stored with its id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IntentText {
    /// What was minted.
    pub mint: Mint,
    /// Kind name, as [`Body::kind`].
    pub kind: String,
    /// The body's members.
    pub body: Map<String, Value>,
    /// Bytes beside the text.
    pub bin: Option<BinRef>,
}

/// What a text says of the bytes beside it: custody event, or whatever must be erasable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BinRef {
    /// SHA-256 of the bytes.
    pub sha256: [u8; 32],
    /// Their number, 1..=[`BIN_BYTES_MAX`].
    pub len: usize,
}

impl BinRef {
    /// What a text says of these bytes; nothing for no bytes. Refuses `intent.too_large{field, limit, size}`.
    pub fn of(bin: &[u8]) -> Result<Option<BinRef>, Refusal> {
        if bin.is_empty() {
            return Ok(None);
        }
        if bin.len() > BIN_BYTES_MAX {
            return Err(too_large("bin", BIN_BYTES_MAX, bin.len()));
        }
        Ok(Some(BinRef { sha256: sha256(bin), len: bin.len() }))
    }
}

/// How long an intent may wait to be decided (spec/sync.md 3.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Life {
    /// What a device writes into `not_after` when the user says nothing.
    pub default: Span,
    /// The longest; a text with more is refused.
    pub max: Span,
}

/// How long an intent of this kind may wait: by lane, and for Confirm 30 days.
pub fn life(body: &Body) -> Life {
    let month = Span::from_days(30);
    match body.lane() {
        Lane::Money => Life {
            default: Span::from_minutes(15),
            max: if matches!(body, Body::Confirm { .. }) { month } else { Span::from_hours(96) },
        },
        Lane::Order => Life { default: Span::from_hours(24), max: Span::from_days(7) },
        Lane::Courier | Lane::Chat => Life { default: month, max: month },
        Lane::Bulk => Life { default: Span::from_days(7), max: month },
    }
}

/// The longest text of a kind, bytes.
pub fn text_bytes_max(kind: &str) -> usize {
    if matches!(kind, "PlaceOrder" | "PutProduct") { TEXT_LARGE_BYTES_MAX } else { TEXT_BYTES_MAX }
}

/// SHA-256 of `souk/body/v1/` and the text: what outcomes, voids and signatures name.
pub fn hash(text: &str) -> [u8; 32] {
    digest("souk/body/v1/", &[text.as_bytes()])
}

/// D, the 32 bytes that the device signs: over id, hash, number and epoch (spec/sync.md 3.1).
pub fn signed_digest(id: IntentId, hash: &[u8; 32], dev_seq: u64, epoch: u32) -> [u8; 32] {
    digest("souk/intent/v1/", &[id.bytes(), hash, &dev_seq.to_be_bytes(), &epoch.to_be_bytes()])
}

/// The id in a text that cannot be read otherwise, so that its sender learns which one was refused.
pub fn peek_id(text: &str) -> Option<IntentId> {
    if text.len() > TEXT_LARGE_BYTES_MAX {
        return None;
    }
    serde_json::from_str::<Value>(text).ok()?.get("id")?.as_str()?.parse().ok()
}

impl IntentText {
    /// A text to be made. Refuses `intent.kind` for acts of the server, `intent.too_large`, `money.range`.
    pub fn of(mint: Mint, body: &Body, bin: &[u8]) -> Result<IntentText, Refusal> {
        let text = IntentText {
            mint,
            kind: body.kind().to_owned(),
            body: body::write(body)?,
            bin: BinRef::of(bin)?,
        };
        text.check(body)?;
        Ok(text)
    }

    /// The canonical text. Refuses `intent.form` for numbers above 2^53 - 1, `intent.too_large{limit, size}`.
    pub fn compose(&self) -> Result<String, Refusal> {
        let mint = &self.mint;
        let mut members = Members::new();
        members.put("v", &TEXT_VERSION)?;
        members.put("id", &mint.id)?;
        members.put("kind", &self.kind)?;
        members.put("body", &self.body)?;
        members.put("account", &mint.account)?;
        members.put("device", &mint.device)?;
        members.put("epoch", &mint.epoch)?;
        members.put("dev_seq", &mint.dev_seq)?;
        members.put("made_at", &mint.made_at)?;
        members.put("made_err_ms", &mint.made_err_ms)?;
        members.put("not_after", &mint.not_after)?;
        members.put_some("max_total", mint.max_total.as_ref())?;
        if let Some(bin) = &self.bin {
            members.put("bin", &serde_json::json!({"sha256": hex(&bin.sha256), "len": bin.len}))?;
        }
        let text = canon::canonical(&Value::Object(members.done()))
            .map_err(|error| form("text").with("at", error.at as i64))?;
        let limit = text_bytes_max(&self.kind);
        if text.len() > limit {
            return Err(too_large("text", limit, text.len()));
        }
        Ok(text)
    }

    /// Reads envelope and members of the body. Refuses `intent.form{field, at?}` and `intent.too_large{limit, size}`.
    pub fn parse(text: &str) -> Result<IntentText, Refusal> {
        if text.len() > TEXT_LARGE_BYTES_MAX {
            return Err(too_large("text", TEXT_LARGE_BYTES_MAX, text.len()));
        }
        let value = canon::parse_canonical(text).map_err(|error| form("text").with("at", error.at as i64))?;
        let mut fields = Fields::of(String::new(), value)?;
        if fields.read::<i64>("v")? != TEXT_VERSION {
            return Err(form("v"));
        }
        let mint = Mint {
            id: fields.read("id")?,
            account: fields.read("account")?,
            device: fields.read("device")?,
            epoch: fields.read("epoch")?,
            dev_seq: fields.read("dev_seq")?,
            made_at: fields.read("made_at")?,
            made_err_ms: fields.read("made_err_ms")?,
            not_after: fields.read("not_after")?,
            max_total: fields.maybe("max_total")?,
        };
        if mint.made_at.micros() < 0 {
            return Err(form("made_at"));
        }
        if mint.made_err_ms < ERR_UNKNOWN_MS {
            return Err(form("made_err_ms"));
        }
        if mint.max_total.is_some_and(|total| total.minor < 0) {
            return Err(form("max_total"));
        }
        let kind: String = fields.read("kind")?;
        let body = fields.read("body")?;
        let bin = fields.nested("bin")?.map(bin_ref).transpose()?;
        fields.end()?;
        let limit = text_bytes_max(&kind);
        if text.len() > limit {
            return Err(too_large("text", limit, text.len()));
        }
        Ok(IntentText { mint, kind, body, bin })
    }

    /// The body as the rules read it. Refuses `intent.kind{kind}`, `intent.form{field}` (unknown members too), and
    /// the codes of the kind's own fields (`gtin.check`, `offer.title`, `product.too_large` …).
    pub fn body(&self) -> Result<Body, Refusal> {
        let body = body::read(&self.kind, self.body.clone())?;
        self.check(&body)?;
        Ok(body)
    }

    /// The intent as the rules read it, with the bytes that came beside it. Refuses what [`IntentText::body`]
    /// refuses, `intent.form{field: bin}` when the bytes are not those of the text, `addr.form` and
    /// `addr.required{field}` for an address that is none, `intent.bucket{bucket}` when the id does not carry the
    /// bucket of the row that it acts on.
    pub fn intent(&self, bin: Vec<u8>) -> Result<Intent, Refusal> {
        let body = self.body()?;
        if BinRef::of(&bin)? != self.bin {
            return Err(form("bin"));
        }
        if !bin.is_empty() && matches!(body, Body::PlaceOrder(_) | Body::PutCheckout { .. }) {
            address_of_bin(&bin)?;
        }
        let id = self.mint.id.into();
        if bucket(&body, &self.mint) != Some(self.mint.id.bucket()) {
            return Err(
                Refusal::new("intent.bucket").with("bucket", i64::from(self.mint.id.bucket().number()))
            );
        }
        Ok(Intent {
            id,
            made_at: self.mint.made_at,
            not_after: self.mint.not_after,
            max_total: self.mint.max_total,
            body,
            bin,
        })
    }

    /// D of this text; `text` must be the bytes that it was read from or composed to.
    pub fn signed_digest(&self, text: &str) -> [u8; 32] {
        signed_digest(self.mint.id, &hash(text), self.mint.dev_seq, self.mint.epoch)
    }

    /// What hangs on the kind: the life span, and whether it may have bytes beside it.
    fn check(&self, body: &Body) -> Result<(), Refusal> {
        let mint = &self.mint;
        if mint.not_after < mint.made_at || mint.not_after > mint.made_at.plus(life(body).max) {
            return Err(form("not_after"));
        }
        if self.bin.is_some() && !may_have_bin(body) {
            return Err(form("bin"));
        }
        Ok(())
    }
}

/// The bucket that the id must carry: that of the row it acts on. What acts on the account itself may not be put
/// into another bucket by its id.
fn bucket(body: &Body, mint: &Mint) -> Option<Bucket> {
    let home = mint.account.bucket();
    match body {
        Body::OpenShop(_) | Body::SetCartLine { .. } | Body::PutCheckout { .. } | Body::OpenShift { .. } => {
            Some(home)
        }
        Body::CloseShift { shift } => (shift.bucket() == home).then_some(home),
        other => other.bucket(mint.id.into()),
    }
}

/// Address of an order or checkout, custody event: no other kind has bytes beside its text.
fn may_have_bin(body: &Body) -> bool {
    matches!(body, Body::PlaceOrder(_) | Body::PutCheckout { .. } | Body::AppendCustody { .. })
}

fn bin_ref(mut fields: Fields) -> Result<BinRef, Refusal> {
    let digits: String = fields.read("sha256")?;
    let sha256 =
        unhex(&digits).ok().and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| form("bin.sha256"))?;
    let len: usize = fields.read("len")?;
    fields.end()?;
    match len {
        0 => Err(form("bin.len")),
        1..=BIN_BYTES_MAX => Ok(BinRef { sha256, len }),
        _ => Err(too_large("bin", BIN_BYTES_MAX, len)),
    }
}

fn too_large(field: &'static str, limit: usize, size: usize) -> Refusal {
    Refusal::new("intent.too_large")
        .with("field", field)
        .with("limit", limit as i64)
        .with("size", i64::try_from(size).unwrap_or(i64::MAX))
}
