//! The Souk payment code: a merchant-presented EMV code whose payee is ours and that the payee's side has signed.
//!
//! Not for: digests, keys, clocks; whoever holds those checks `signature` over `signing_bytes`. Rules: spec/money.md
//! 2.5. Always: nothing in a code that is read lies outside the signature but the signature itself and the checksum;
//! what [`PayFields::unsigned`] accepts, [`PayCode::read`] reads.

mod read;
mod write;

pub use read::{PayCode, check, is_ours};
pub use write::{PayCodeDraft, ascii_text};

/// What stands in front of [`PayCode::signing_bytes`] when the digest is made (spec/money.md 2.5).
pub const SIGNING_PREFIX: &[u8] = b"souk/pay/v1/S";
/// The GUID of our templates when the operator sets no other.
pub const GUID_DEFAULT: &str = "org.souk.pay";
/// Longest GUID: with it the payee template has 98 of the 99 characters it may have.
pub const GUID_LEN_MAX: usize = 12;
/// Key ids of servers are 1 to this.
pub const SERVER_KEY_ID_MAX: u8 = 0x7f;
/// The key id that says: the payee's own device key.
pub const DEVICE_KEY_ID: u8 = 0x80;
/// Latest expiry that has eight digits, in minutes since 1970.
pub const EXPIRY_MINUTES_MAX: u32 = 99_999_999;

/// What a payment code says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayFields {
    /// GUID of the operator, reverse domain, at most 12 characters: [`GUID_DEFAULT`] if there is no other.
    pub guid: String,
    /// Payee account id.
    pub payee: [u8; 16],
    /// What is paid: an order, or whatever the payer types into a static code.
    pub order: Option<PayOrder>,
    /// 01 to 7F a server key, 80 the payee's own device.
    pub key_id: u8,
    /// Merchant category, four digits.
    pub mcc: u16,
    /// Currency, ISO 4217 number.
    pub currency: u16,
    /// Amount as decimal text, `23.72`; a code for an order must have one.
    pub amount: Option<String>,
    /// Country, two capital letters.
    pub country: String,
    /// Merchant name, printable ASCII, at most 25 characters ([`ascii_text`] makes one).
    pub merchant_name: String,
    /// City, printable ASCII, at most 15 characters.
    pub city: String,
    /// Name and city in the payee's own script.
    pub language: Option<PayLanguage>,
}

/// The order that a dynamic code pays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayOrder {
    /// Order id.
    pub order: [u8; 16],
    /// Random.
    pub nonce: [u8; 6],
    /// Good through this minute since 1970, at most [`EXPIRY_MINUTES_MAX`].
    pub expiry_minutes: u32,
}

/// Name and city in another script (object 64), any Unicode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayLanguage {
    /// ISO 639, two letters.
    pub language: String,
    /// Merchant name, at most 25 characters.
    pub name: String,
    /// City, at most 15 characters.
    pub city: Option<String>,
}

#[cfg(test)]
mod tests;
