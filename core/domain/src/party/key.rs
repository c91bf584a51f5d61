//! A device's public key as rows keep it.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use souk_crypto::sign::{Alg, PublicKey};

use crate::id::{hex, unhex};

/// A public key with its text form `ed25519:<hex>` or `es256:<hex>`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeviceKey(PublicKey);

impl DeviceKey {
    /// Wraps a checked key.
    pub fn new(key: PublicKey) -> DeviceKey {
        DeviceKey(key)
    }

    /// The key.
    pub fn public_key(&self) -> &PublicKey {
        &self.0
    }

    /// First 8 bytes of SHA-256 of the travelling form.
    pub fn id(&self) -> [u8; 8] {
        self.0.key_id()
    }

    /// SHA-256 of the travelling form: the database key.
    pub fn id32(&self) -> [u8; 32] {
        self.0.key_id32()
    }
}

impl Serialize for DeviceKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let name = match self.0.alg() {
            Alg::Ed25519 => "ed25519",
            Alg::Es256 => "es256",
        };
        serializer.collect_str(&format_args!("{name}:{}", hex(self.0.bytes())))
    }
}

impl<'de> Deserialize<'de> for DeviceKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<DeviceKey, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bad = || serde::de::Error::custom("not a public key");
        let (name, digits) = text.split_once(':').ok_or_else(bad)?;
        let alg = match name {
            "ed25519" => Alg::Ed25519,
            "es256" => Alg::Es256,
            _ => return Err(bad()),
        };
        let bytes = unhex(digits).map_err(serde::de::Error::custom)?;
        PublicKey::from_bytes(alg, &bytes).map(DeviceKey).map_err(|_| bad())
    }
}
