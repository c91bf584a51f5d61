//! Who this device is: its registrations, tokens, epoch, and the generation of the server's data it knows.

use rusqlite::{Connection, OptionalExtension, Row};
use serde::{Deserialize, Serialize};
use souk_domain::id::{AccountId, DeviceId};
use souk_domain::party::DeviceKey;
use souk_domain::time::Time;
use souk_protocol::auth::{RegisterResponse, ServerKey, TokenResponse};

use super::meta;
use crate::clock::Contact;
use crate::error::{StoreError, StoreResult};

/// A registration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Session {
    /// Number of the registration of this installation, from 1.
    pub reg: i64,
    /// The account that is signed in.
    pub account: AccountId,
    /// The device.
    pub device: DeviceId,
    /// Its public key.
    pub key: DeviceKey,
    /// Epoch of its streams.
    pub epoch: u32,
    /// Whether it may act.
    pub state: RegState,
}

/// Whether a registration may act.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RegState {
    /// Signed in.
    Active,
    /// The tokens have ended, or the user signed out: what is queued waits for a new sign-in.
    SignedOut,
    /// Cut off by the server.
    Revoked,
}

impl RegState {
    fn name(self) -> &'static str {
        match self {
            RegState::Active => "active",
            RegState::SignedOut => "signed_out",
            RegState::Revoked => "revoked",
        }
    }

    fn from_name(name: &str) -> Option<RegState> {
        [RegState::Active, RegState::SignedOut, RegState::Revoked]
            .into_iter()
            .find(|state| state.name() == name)
    }
}

/// The tokens of the live registration.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tokens {
    /// Opens requests.
    pub(crate) access: String,
    /// Until then, by the server's clock.
    pub(crate) access_until: Time,
    /// Gives new ones.
    pub(crate) refresh: String,
}

// Tokens never reach a log.
impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").field("access_until", &self.access_until).finish_non_exhaustive()
    }
}

impl From<&TokenResponse> for Tokens {
    fn from(tokens: &TokenResponse) -> Tokens {
        Tokens {
            access: tokens.access.clone(),
            access_until: tokens.access_until,
            refresh: tokens.refresh.clone(),
        }
    }
}

const LAST: &str = "SELECT reg, account, device, key, epoch, state FROM device ORDER BY reg DESC LIMIT 1";
const BY_DEVICE: &str = "SELECT reg FROM device WHERE device = ?1";
const INSERT: &str = "INSERT INTO device(account, device, key, epoch, registered_at, state)
    VALUES (?1, ?2, ?3, ?4, ?5, 'active')";
const AGAIN: &str = "UPDATE device SET epoch = max(epoch, ?2), key = ?3, state = 'active' WHERE reg = ?1";
const SET_STATE: &str = "UPDATE device SET state = ?2 WHERE reg = ?1";
const SET_EPOCH: &str = "UPDATE device SET epoch = ?2 WHERE reg = ?1";

const TOKENS: &str = "tokens";
const CONTACT: &str = "contact";
const SERVER_KEYS: &str = "server_keys";
/// Generation of the server's data.
pub(crate) const GENERATION: &str = "gen";
/// Set while a new epoch is asked for.
pub(crate) const EPOCH_WANTED: &str = "epoch_wanted";
/// Seed of the software key.
const SEED: &str = "seed";

/// Columns as SQLite gives them.
type Raw = (i64, Vec<u8>, Vec<u8>, String, u32, String);

fn read(row: &Row) -> rusqlite::Result<Raw> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
}

/// The live registration.
pub(crate) fn session(user: &Connection) -> StoreResult<Option<Session>> {
    let Some((reg, account, device, key, epoch, state)) =
        user.prepare_cached(LAST)?.query_row([], read).optional()?
    else {
        return Ok(None);
    };
    let bad = |what| StoreError::Form { table: "device", what };
    let id = |bytes: Vec<u8>| <[u8; 16]>::try_from(bytes).map_err(|_| bad("id"));
    Ok(Some(Session {
        reg,
        account: AccountId::from_bytes(id(account)?).map_err(|_| bad("account"))?,
        device: DeviceId::from_bytes(id(device)?).map_err(|_| bad("device"))?,
        key: serde_json::from_value(serde_json::Value::String(key)).map_err(|_| bad("key"))?,
        epoch,
        state: RegState::from_name(&state).ok_or(bad("state"))?,
    }))
}

/// Keeps a registration with its tokens; answers its number. The same device again keeps its number.
pub(crate) fn register(user: &Connection, key: &DeviceKey, answer: &RegisterResponse) -> StoreResult<i64> {
    let key = serde_json::to_value(key).map_err(|_| StoreError::Form { table: "device", what: "key" })?;
    let key = key.as_str().unwrap_or_default().to_owned();
    let device = answer.device.bytes().as_slice();
    let known: Option<i64> =
        user.prepare_cached(BY_DEVICE)?.query_row([device], |row| row.get(0)).optional()?;
    let reg = match known {
        Some(reg) => {
            user.prepare_cached(AGAIN)?.execute((reg, answer.epoch, &key))?;
            reg
        }
        None => {
            let account = answer.account.bytes().as_slice();
            let at = answer.tokens.now.micros();
            user.prepare_cached(INSERT)?.execute((account, device, &key, answer.epoch, at))?;
            user.last_insert_rowid()
        }
    };
    put_tokens(user, &Tokens::from(&answer.tokens))?;
    meta::put_json(user, SERVER_KEYS, &answer.server_keys)?;
    Ok(reg)
}

/// Marks the live registration.
pub(crate) fn set_state(user: &Connection, reg: i64, state: RegState) -> StoreResult<()> {
    user.prepare_cached(SET_STATE)?.execute((reg, state.name()))?;
    if state != RegState::Active {
        meta::delete(user, TOKENS)?;
    }
    Ok(())
}

/// Writes the epoch of a registration.
pub(crate) fn set_epoch(user: &Connection, reg: i64, epoch: u32) -> StoreResult<()> {
    user.prepare_cached(SET_EPOCH)?.execute((reg, epoch))?;
    Ok(())
}

/// The tokens, while signed in.
pub(crate) fn tokens(user: &Connection) -> StoreResult<Option<Tokens>> {
    meta::json(user, TOKENS)
}

/// Writes new tokens.
pub(crate) fn put_tokens(user: &Connection, tokens: &Tokens) -> StoreResult<()> {
    meta::put_json(user, TOKENS, tokens)
}

/// When the server was last heard.
pub(crate) fn contact(user: &Connection) -> StoreResult<Option<Contact>> {
    meta::json(user, CONTACT)
}

/// Notes that the server was heard.
pub(crate) fn put_contact(user: &Connection, contact: &Contact) -> StoreResult<()> {
    meta::put_json(user, CONTACT, contact)
}

/// Public keys of the platform that came with the registration.
pub(crate) fn server_keys(user: &Connection) -> StoreResult<Vec<ServerKey>> {
    Ok(meta::json(user, SERVER_KEYS)?.unwrap_or_default())
}

/// The seed of the software key, if this device has one.
pub(crate) fn seed(user: &Connection) -> StoreResult<Option<[u8; 32]>> {
    let Some(bytes) = meta::bytes(user, SEED)? else { return Ok(None) };
    bytes.try_into().map(Some).map_err(|_| StoreError::Form { table: "meta", what: SEED })
}

/// Keeps the seed of the software key.
pub(crate) fn put_seed(user: &Connection, seed: &[u8; 32]) -> StoreResult<()> {
    meta::put_bytes(user, SEED, seed)
}
