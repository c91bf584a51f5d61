//! Secrets of an installation: the server's secret, the platform's signing keys, the keys of cursors.
//!
//! They stand in the store's settings, are made once from a seed that the caller brings, and are never printed.
//! Rules: design.md 6 (server signing keys have ids and rotate), spec/sync.md 4.6 (three cursor keys are kept).

use std::fmt;

use souk_crypto::derive;
use souk_crypto::sign::{Ed25519Key, Signer as _};
use souk_domain::context::{PlatformKey, Seal};
use souk_store::Store;

use crate::EngineError;

/// Cursor keys that are kept: the one in use and two before it.
pub const CURSOR_KEYS_MAX: usize = 3;

const SECRET: &str = "engine.secret";
const SEALS: &str = "engine.seals";
const CURSORS: &str = "engine.cursors";
/// Bytes of one entry of a list of keys: id u8, then 32 secret bytes.
const ENTRY_LEN: usize = 33;
/// Id of the first key of each list.
const FIRST_ID: u8 = 1;

/// The secrets, loaded.
pub struct Keys {
    /// Random bytes of decisions, challenges and codes derive from it.
    pub(crate) secret: [u8; 32],
    /// The platform's signing keys.
    pub(crate) seal: PlatformSeal,
    cursors: Vec<(u8, [u8; 32])>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(..)")
    }
}

/// The platform's Ed25519 keys; the last one signs.
pub struct PlatformSeal(Vec<(u8, Ed25519Key)>);

impl Seal for PlatformSeal {
    fn key_id(&self) -> u8 {
        self.0.last().map_or(0, |(id, _)| *id)
    }

    fn sign(&self, d: &[u8; 32]) -> [u8; 64] {
        self.0.last().map_or([0; 64], |(_, key)| key.sign_deterministic(d))
    }
}

impl PlatformSeal {
    /// The public halves, oldest first.
    pub fn public(&self) -> Vec<PlatformKey> {
        let public = |(id, key): &(u8, Ed25519Key)| {
            let mut bytes = [0; 32];
            // The public half of an Ed25519 key travels in 32 bytes.
            bytes.copy_from_slice(key.public_key().bytes());
            PlatformKey { id: *id, public: bytes }
        };
        self.0.iter().map(public).collect()
    }
}

impl Keys {
    /// Loads the secrets, or makes them from the seed if the store has none yet.
    pub(crate) async fn open(store: &dyn Store, seed: &[u8; 32]) -> Result<Keys, EngineError> {
        let first = |what: &str| derive(seed, "souk/setup/v1/", &[what.as_bytes()]);
        let entry = |what: &str| [[FIRST_ID].as_slice(), &first(what)].concat();
        let secret = setting(store, SECRET, || first(SECRET).to_vec()).await?;
        let seals = entries(&setting(store, SEALS, || entry(SEALS)).await?)?;
        let cursors = entries(&setting(store, CURSORS, || entry(CURSORS)).await?)?;
        Ok(Keys {
            secret: secret.try_into().map_err(|_| EngineError::Settings("the secret has another length"))?,
            seal: PlatformSeal(
                seals.into_iter().map(|(id, seed)| (id, Ed25519Key::from_seed(seed))).collect(),
            ),
            cursors,
        })
    }

    /// The cursor key in use.
    pub(crate) fn cursor_key(&self) -> (u8, &[u8; 32]) {
        // `entries` gives at least one.
        self.cursors.last().map_or((0, &[0; 32]), |(id, key)| (*id, key))
    }

    /// A cursor key by its id.
    pub(crate) fn cursor_key_of(&self, id: u8) -> Option<&[u8; 32]> {
        self.cursors.iter().find(|(known, _)| *known == id).map(|(_, key)| key)
    }
}

/// Puts a new cursor key in front and drops the oldest beyond [`CURSOR_KEYS_MAX`]; takes effect at the next open.
/// Devices whose cursors were sealed by a dropped key pull from the beginning.
pub async fn rotate_cursor_key(store: &dyn Store, key: [u8; 32]) -> Result<(), EngineError> {
    let mut keys = match store.setting(CURSORS).await? {
        Some(bytes) => entries(&bytes)?,
        None => Vec::new(),
    };
    let id = keys.last().map_or(FIRST_ID, |(id, _)| id.checked_add(1).unwrap_or(FIRST_ID));
    keys.push((id, key));
    let kept = keys.len().saturating_sub(CURSOR_KEYS_MAX);
    let bytes: Vec<u8> =
        keys.split_off(kept).iter().flat_map(|(id, key)| [[*id].as_slice(), key].concat()).collect();
    Ok(store.setting_put(CURSORS, &bytes).await?)
}

/// A setting, or its first value, written.
pub(crate) async fn setting(
    store: &dyn Store,
    name: &str,
    first: impl FnOnce() -> Vec<u8>,
) -> Result<Vec<u8>, EngineError> {
    match store.setting(name).await? {
        Some(value) => Ok(value),
        None => {
            let value = first();
            store.setting_put(name, &value).await?;
            Ok(value)
        }
    }
}

fn entries(bytes: &[u8]) -> Result<Vec<(u8, [u8; 32])>, EngineError> {
    let bad = || EngineError::Settings("a list of keys has another length");
    if bytes.is_empty() || !bytes.len().is_multiple_of(ENTRY_LEN) {
        return Err(bad());
    }
    bytes
        .chunks_exact(ENTRY_LEN)
        .map(|entry| {
            let (id, key) = entry.split_first().ok_or_else(bad)?;
            Ok((*id, key.try_into().map_err(|_| bad())?))
        })
        .collect()
}
