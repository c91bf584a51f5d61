//! Cursors: how far a device has read each part of a scope, sealed, so that they are opaque to clients and bound to
//! one account, device and scope (spec/sync.md 4.6).
//!
//! Text: base64url(0x01 || key id || nonce 12 || AES-256-GCM(plain)), associated data `souk/cursor/v1/`. Plain: 0x01,
//! account 16, device 16, gen u32, schema u32, issued_at u64, scope u8 + text, parts u16, then (bucket u16, seq u64)
//! each. Public scopes use zero account and device. Nothing here chooses keys or nonces.

use souk_crypto::aead;
use souk_domain::id::Bucket;
use souk_domain::outcome::Refusal;
use souk_domain::scope::Scope;
use souk_domain::time::Time;

use crate::base64url;
use crate::limits::CURSOR_CHARS_MAX;

#[cfg(test)]
mod tests;

const FORMAT: u8 = 1;
const AAD: &[u8] = b"souk/cursor/v1/";
/// Format byte, key id and nonce in front of the sealed text.
const HEAD_LEN: usize = 14;

/// How far a device has read a scope.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cursor {
    /// The account; zero for public scopes.
    pub account: [u8; 16],
    /// The device; zero for public scopes.
    pub device: [u8; 16],
    /// Generation of the server's data.
    pub generation: u32,
    /// Version of the row set.
    pub schema: u32,
    /// When it was given out.
    pub issued_at: Time,
    /// Name of the scope.
    pub scope: String,
    /// Last sequence read of each part, in order of buckets.
    pub parts: Vec<(Bucket, u64)>,
}

impl Cursor {
    /// Whether it belongs to this scope and, unless the scope is public, to this account and device.
    pub fn is_of(&self, scope: &Scope, account: &[u8; 16], device: &[u8; 16]) -> bool {
        let owned = if scope.is_public() { (&[0; 16], &[0; 16]) } else { (account, device) };
        self.scope == scope.to_string() && (&self.account, &self.device) == owned
    }

    /// The plain form. Refuses `cursor.too_long` for a scope above 255 bytes or more than 65,535 parts.
    pub fn encode(&self) -> Result<Vec<u8>, Refusal> {
        let too_long = || Refusal::new("cursor.too_long");
        let mut plain = vec![FORMAT];
        plain.extend(self.account);
        plain.extend(self.device);
        plain.extend(self.generation.to_be_bytes());
        plain.extend(self.schema.to_be_bytes());
        plain.extend(self.issued_at.micros().to_be_bytes());
        plain.push(u8::try_from(self.scope.len()).map_err(|_| too_long())?);
        plain.extend(self.scope.as_bytes());
        plain.extend(u16::try_from(self.parts.len()).map_err(|_| too_long())?.to_be_bytes());
        for (bucket, seq) in &self.parts {
            plain.extend(bucket.number().to_be_bytes());
            plain.extend(seq.to_be_bytes());
        }
        Ok(plain)
    }

    /// Reads the plain form; nothing for anything else.
    pub fn decode(plain: &[u8]) -> Option<Cursor> {
        let mut rest = plain;
        let [FORMAT] = take::<1>(&mut rest)? else { return None };
        let (account, device) = (take(&mut rest)?, take(&mut rest)?);
        let generation = u32::from_be_bytes(take(&mut rest)?);
        let schema = u32::from_be_bytes(take(&mut rest)?);
        let issued_at = Time::from_micros(i64::from_be_bytes(take(&mut rest)?));
        let [length] = take::<1>(&mut rest)?;
        let (scope, mut rest) = rest.split_at_checked(usize::from(length))?;
        let scope = String::from_utf8(scope.to_vec()).ok()?;
        let count = u16::from_be_bytes(take(&mut rest)?);
        let mut parts = Vec::new();
        for _ in 0..count {
            let bucket = Bucket::new(u16::from_be_bytes(take(&mut rest)?)).ok()?;
            parts.push((bucket, u64::from_be_bytes(take(&mut rest)?)));
        }
        rest.is_empty().then_some(Cursor { account, device, generation, schema, issued_at, scope, parts })
    }

    /// The text for the client. The caller answers for the nonce being used once under the key.
    /// Refuses `cursor.too_long` above [`CURSOR_CHARS_MAX`].
    pub fn seal(&self, key_id: u8, key: &[u8; 32], nonce: &[u8; 12]) -> Result<String, Refusal> {
        let too_long = || Refusal::new("cursor.too_long");
        let sealed = aead::seal(key, nonce, AAD, &self.encode()?).map_err(|_| too_long())?;
        let text = base64url::encode(&[&[FORMAT, key_id], nonce.as_slice(), &sealed].concat());
        if text.len() > CURSOR_CHARS_MAX { Err(too_long()) } else { Ok(text) }
    }

    /// Opens a text with the key of its id. Refuses `scope.unknown` for what is no cursor of ours (forged, cut,
    /// too long), `cursor.key` for a key that is gone.
    pub fn open<'k>(text: &str, key: impl FnOnce(u8) -> Option<&'k [u8; 32]>) -> Result<Cursor, Refusal> {
        let unknown = || Refusal::new("scope.unknown");
        if text.len() > CURSOR_CHARS_MAX {
            return Err(unknown());
        }
        let bytes = base64url::decode(text).ok_or_else(unknown)?;
        let (head, sealed) = bytes.split_at_checked(HEAD_LEN).ok_or_else(unknown)?;
        let mut rest = head;
        let ([FORMAT, key_id], Some(nonce)) =
            (take::<2>(&mut rest).ok_or_else(unknown)?, take::<12>(&mut rest))
        else {
            return Err(unknown());
        };
        let key = key(key_id).ok_or_else(|| Refusal::new("cursor.key"))?;
        let plain = aead::open(key, &nonce, AAD, sealed).map_err(|_| unknown())?;
        Cursor::decode(&plain).ok_or_else(unknown)
    }
}

/// The next `N` bytes.
fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*bytes)
}
