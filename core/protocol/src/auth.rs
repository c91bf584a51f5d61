//! Devices and tokens: `/v1/devices*`, `/v1/auth/*` (spec/sync.md 5, 12.1; spec/market.md 2.2).

use serde::{Deserialize, Serialize};
use souk_crypto::hash::digest;
use souk_crypto::sign::{PublicKey, SIGNATURE_LEN};
use souk_domain::id::{AccountId, Bucket, DeviceId, ShopId};
use souk_domain::outcome::Refusal;
use souk_domain::party::{DeviceKey, DeviceState};
use souk_domain::time::Time;

use crate::limits::{CODE_DIGITS, CONTACT_CHARS_MAX, LABEL_CHARS_MAX};

#[cfg(test)]
mod tests;

/// Seconds that a challenge may be answered.
pub const CHALLENGE_S: i64 = 120;

/// `POST /v1/devices/challenge`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ChallengeRequest {
    /// The key to be registered, `ed25519:<hex>` or `es256:<hex>`.
    pub key: DeviceKey,
    /// Random id of the installation, 32 hex digits: the same install registers in its former place.
    #[serde(with = "souk_domain::bytes")]
    pub install: [u8; 16],
}

/// What the device signs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ChallengeResponse {
    /// 32 random bytes, hex.
    #[serde(with = "souk_domain::bytes")]
    pub challenge: [u8; 32],
    /// Good until then.
    pub expires_at: Time,
    /// The server's time.
    pub now: Time,
}

/// D of a registration: SHA-256(`souk/device/v1/` || challenge || key as it travels).
pub fn registration_digest(challenge: &[u8; 32], key: &PublicKey) -> [u8; 32] {
    digest("souk/device/v1/", &[challenge, key.bytes()])
}

/// `POST /v1/auth/code`: sends a code to the contact. Always answered by the same 204.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CodeRequest {
    /// E-mail address, or phone number in E.164.
    pub contact: String,
}

impl CodeRequest {
    /// The contact in its one form: lower case, no blanks around. Refuses `auth.contact`.
    pub fn canonical(&self) -> Result<String, Refusal> {
        canonical_contact(&self.contact)
    }
}

/// An e-mail address or a phone number in E.164, in lower case and without blanks around. Refuses `auth.contact`.
pub fn canonical_contact(contact: &str) -> Result<String, Refusal> {
    let contact = contact.trim().to_lowercase();
    let is_phone = contact.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit())
            && !digits.starts_with('0')
    });
    let is_mail = contact.split_once('@').is_some_and(|(user, host)| {
        !user.is_empty()
            && host.len() >= 3
            && host.contains('.')
            && !host.starts_with('.')
            && !host.ends_with('.')
            && !host.contains('@')
            && !contact.chars().any(|c| c.is_whitespace() || c.is_control())
    });
    if (is_phone || is_mail) && contact.chars().count() <= CONTACT_CHARS_MAX {
        Ok(contact)
    } else {
        Err(Refusal::new("auth.contact"))
    }
}

/// `POST /v1/devices`: registers a device, opening the account if the contact is new.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RegisterRequest {
    /// The contact that the code was sent to.
    pub contact: String,
    /// The code, 6 digits.
    pub code: String,
    /// The challenge, hex.
    #[serde(with = "souk_domain::bytes")]
    pub challenge: [u8; 32],
    /// The key.
    pub key: DeviceKey,
    /// Its signature over [`registration_digest`], base64url.
    #[serde(with = "crate::base64url")]
    pub sig: [u8; SIGNATURE_LEN],
    /// Name of the account, used when it is new.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// `android`, `ios`, `linux` …
    pub platform: String,
    /// What the device calls itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub model: String,
    /// A device of the same account whose place it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<DeviceId>,
    /// Asks to be a courier, used when the account is new; `policy.off` where the operator approves couriers himself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub as_courier: bool,
}

impl RegisterRequest {
    /// Checks lengths and the signature. Refuses `auth.contact`, `auth.code`, `request.too_large{field, limit}`,
    /// `auth.signature`.
    pub fn check(&self) -> Result<(), Refusal> {
        canonical_contact(&self.contact)?;
        if self.code.len() != CODE_DIGITS || !self.code.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Refusal::new("auth.code"));
        }
        for (field, text) in [("name", &self.name), ("platform", &self.platform), ("model", &self.model)] {
            if text.chars().count() > LABEL_CHARS_MAX {
                return Err(Refusal::new("request.too_large")
                    .with("field", field)
                    .with("limit", LABEL_CHARS_MAX as i64));
            }
        }
        let key = self.key.public_key();
        key.verify(&registration_digest(&self.challenge, key), &self.sig)
            .map_err(|_| Refusal::new("auth.signature"))
    }
}

/// A registered device with its first tokens.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RegisterResponse {
    /// The account.
    pub account: AccountId,
    /// The device.
    pub device: DeviceId,
    /// Its epoch.
    pub epoch: u32,
    /// Its tokens.
    #[serde(flatten)]
    pub tokens: TokenResponse,
    /// The generation of the server's data.
    #[serde(rename = "gen")]
    pub generation: u32,
    /// The shop of the account, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shop: Option<ShopId>,
    /// The platform's public keys, so that labels and certificates can be checked before the first pull.
    pub server_keys: Vec<ServerKey>,
}

/// A public key of the platform.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ServerKey {
    /// One byte in codes and labels, 01-7F.
    pub id: u8,
    /// Ed25519, hex.
    #[serde(with = "souk_domain::bytes")]
    pub public: [u8; 32],
}

/// `POST /v1/auth/token`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRequest {
    /// The refresh token.
    pub refresh: String,
}

/// New tokens.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenResponse {
    /// Opens requests: `Authorization: Bearer …`.
    pub access: String,
    /// Until then; 15 minutes.
    pub access_until: Time,
    /// Gives new tokens.
    pub refresh: String,
    /// Until then; 90 days.
    pub refresh_until: Time,
    /// The server's time.
    pub now: Time,
}

// Tokens never reach a log.
impl std::fmt::Debug for TokenRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenRequest")
    }
}

impl std::fmt::Debug for TokenResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenResponse").field("access_until", &self.access_until).finish_non_exhaustive()
    }
}

/// A token as it is shown: two letters of the account's bucket, a dot, 43 of the 32 secret bytes; the prefix only
/// routes, the secret is what is hashed (spec/scale.md 2).
pub fn token_text(bucket: Bucket, secret: &[u8; 32]) -> String {
    let [high, low] = (bucket.number() << 2).to_be_bytes();
    // Three base64url letters of two bytes; the first two carry their upper twelve bits.
    let letters = crate::base64url::encode(&[high << 4 | low >> 4, low << 4]);
    format!("{}.{}", &letters[..2], crate::base64url::encode(secret))
}

/// The bucket and the secret of a token. Refuses `token.unknown`.
pub fn parse_token(text: &str) -> Result<(Bucket, [u8; 32]), Refusal> {
    let parse = || {
        let (letters, secret) = text.split_once('.')?;
        let bytes = crate::base64url::decode(&format!("{letters}A"))?;
        let bits = u16::from_be_bytes(bytes.try_into().ok()?) >> 4;
        let bucket = (letters.len() == 2 && bits & 3 == 0).then(|| Bucket::new(bits >> 2).ok())??;
        Some((bucket, crate::base64url::decode(secret)?.try_into().ok()?))
    };
    parse().ok_or_else(|| Refusal::new("token.unknown"))
}

/// `GET /v1/devices`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DevicesResponse {
    /// The account's devices, the asking one too.
    pub devices: Vec<DeviceView>,
}

/// A device in the account's list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DeviceView {
    /// The device.
    pub id: DeviceId,
    /// What it calls itself.
    pub label: String,
    /// Whether it may still act.
    pub state: DeviceState,
    /// When it was registered.
    pub registered_at: Time,
}

impl From<&souk_domain::party::Device> for DeviceView {
    fn from(device: &souk_domain::party::Device) -> DeviceView {
        DeviceView {
            id: device.id,
            label: device.label.clone(),
            state: device.state,
            registered_at: device.registered_at,
        }
    }
}

/// `POST /v1/devices/me/epoch`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EpochRequest {
    /// The epoch that the device has.
    pub have: u32,
}

/// The device's new epoch: above what both sides knew.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EpochResponse {
    /// The epoch.
    pub epoch: u32,
    /// The generation of the server's data.
    #[serde(rename = "gen")]
    pub generation: u32,
    /// The server's time.
    pub now: Time,
}
