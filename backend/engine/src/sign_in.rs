//! Registration and tokens, as pure steps: each gives the act to decide next, and takes its answer (spec/sync.md 5,
//! 12.1; spec/market.md 2.2).
//!
//! Not for: sending codes, HTTP. Random bytes are passed in. Always: secrets leave as texts once and are kept as
//! hashes; a challenge is good for one key and two minutes; a repeated registration gives the same device.

use std::borrow::Cow;
use std::collections::BTreeMap;

use souk_crypto::{derive, hash::sha256, hmac};
use souk_domain::id::{AccountId, Bucket, DerivedId, DeviceId, form_u};
use souk_domain::intent::{EnrolDevice, ServerAct, Tokens};
use souk_domain::outcome::{Fact, Facts, Outcome, Refusal};
use souk_domain::party::{AccountRoles, DeviceKey, TokenHash};
use souk_domain::rows::key::contact_hash;
use souk_domain::time::{Span, Time};
use souk_protocol::auth::{
    CHALLENGE_S, RegisterRequest, RegisterResponse, ServerKey, TokenResponse, canonical_contact, parse_token,
    token_text,
};
use souk_protocol::limits::{CODE_DIGITS, CODE_PER_HOUR_MAX};

use crate::{Ask, EngineError, Reader, guess};

/// An access token is good for this long.
pub const ACCESS_LIFE: Span = Span::from_minutes(15);
/// A refresh token is good for this long.
pub const REFRESH_LIFE: Span = Span::from_days(90);
/// A sign-in code is good for this long.
pub const CODE_LIFE: Span = Span::from_minutes(10);
/// Tries of one code.
pub const CODE_TRIES_MAX: u32 = 5;
/// Contacts with a live code, at most: what memory an attacker may take.
pub const CODES_LIVE_MAX: usize = 100_000;

const HOUR: Span = Span::from_hours(1);
/// Codes that are over are swept out after this.
const SWEEP_AFTER: Span = Span::from_minutes(1);

/// Sign-in codes that are out: in memory, because a user can always ask for another.
#[derive(Debug, Default)]
pub struct CodeDesk {
    codes: BTreeMap<[u8; 32], LiveCode>,
    /// When those that are over were last swept out.
    swept_at: Time,
}

#[derive(Debug)]
struct LiveCode {
    /// HMAC of the code under the server's secret.
    mac: [u8; 32],
    until: Time,
    tries: u32,
    sent_at: Vec<Time>,
}

impl CodeDesk {
    /// A code for a contact, to be sent to it; none if too many were sent within the hour. `random` = any 64 random
    /// bits. Whether there is one must not be seen by the asker.
    pub fn issue(
        &mut self,
        reader: &Reader,
        contact: &str,
        now: Time,
        random: u64,
    ) -> Result<Option<String>, Refusal> {
        let hash = contact_hash(&canonical_contact(contact)?);
        if now.since(self.swept_at) >= SWEEP_AFTER {
            self.sweep(now);
        }
        if self.codes.len() >= CODES_LIVE_MAX && !self.codes.contains_key(&hash) {
            return Ok(None);
        }
        let code = format!("{:0width$}", random % 10u64.pow(CODE_DIGITS as u32), width = CODE_DIGITS);
        let live = self.codes.entry(hash).or_insert(LiveCode {
            mac: [0; 32],
            until: now,
            tries: 0,
            sent_at: Vec::new(),
        });
        live.sent_at.retain(|at| *at > now.minus(HOUR));
        if live.sent_at.len() >= CODE_PER_HOUR_MAX as usize {
            return Ok(None);
        }
        live.sent_at.push(now);
        live.mac = reader.code_mac(&hash, &code);
        (live.until, live.tries) = (now.plus(CODE_LIFE), 0);
        Ok(Some(code))
    }

    /// Whether the code proves the contact; it may be used again until it ends, because answers get lost.
    /// Refuses `auth.code` (wrong, too old, too many tries, none sent).
    pub fn prove(&mut self, reader: &Reader, contact: &str, code: &str, now: Time) -> Result<(), Refusal> {
        let hash = contact_hash(&canonical_contact(contact)?);
        let no = || Refusal::new("auth.code");
        let live = self.codes.get_mut(&hash).ok_or_else(no)?;
        if now > live.until || live.tries >= CODE_TRIES_MAX {
            return Err(no());
        }
        live.tries += 1;
        hmac::verify(&reader.shared.keys.secret, &code_bytes(&hash, code), &live.mac).map_err(|_| no())?;
        live.tries = 0;
        Ok(())
    }

    fn sweep(&mut self, now: Time) {
        self.swept_at = now;
        self.codes.retain(|_, live| {
            live.until >= now || live.sent_at.last().is_some_and(|at| *at > now.minus(HOUR))
        });
    }
}

fn code_bytes(contact: &[u8; 32], code: &str) -> Vec<u8> {
    [b"souk/code/v1/".as_slice(), contact, code.as_bytes()].concat()
}

/// A registration that is under way.
#[derive(Clone, Debug)]
pub struct Registration {
    contact: Option<[u8; 32]>,
    account: AccountId,
    device: DeviceId,
    key: DeviceKey,
    name: String,
    label: String,
    roles: AccountRoles,
    replaces: Option<DeviceId>,
}

/// A pair of new tokens: what is stored, and what the device gets.
#[derive(Clone)]
pub struct NewTokens {
    hashes: Tokens,
    response: TokenResponse,
}

impl Reader {
    fn code_mac(&self, contact: &[u8; 32], code: &str) -> [u8; 32] {
        hmac::sha256(&self.shared.keys.secret, &code_bytes(contact, code))
    }

    /// A challenge for a key: when it ends (8 bytes), and 24 bytes that only we can make of it and the key.
    pub fn challenge(&self, key: &DeviceKey, now: Time) -> ([u8; 32], Time) {
        let until = now.plus(Span::from_secs(CHALLENGE_S));
        (self.challenge_until(key, until.micros()), until)
    }

    fn challenge_until(&self, key: &DeviceKey, until_us: i64) -> [u8; 32] {
        let until = until_us.to_be_bytes();
        let proof =
            derive(&self.shared.keys.secret, "souk/challenge/v1/", &[&until, key.public_key().bytes()]);
        let mut challenge = [0; 32];
        challenge[..8].copy_from_slice(&until);
        challenge[8..].copy_from_slice(&proof[..24]);
        challenge
    }

    fn check_challenge(&self, challenge: &[u8; 32], key: &DeviceKey, now: Time) -> Result<Time, Refusal> {
        let mut until = [0; 8];
        until.copy_from_slice(&challenge[..8]);
        let until_us = i64::from_be_bytes(until);
        if self.challenge_until(key, until_us) != *challenge || now.micros() > until_us {
            return Err(Refusal::new("auth.challenge"));
        }
        Ok(Time::from_micros(until_us))
    }

    /// Begins a registration: form, signature, challenge, in this order; the code has been proven by [`CodeDesk`].
    /// `roles` is what a new account is approved as, decided by the operator's settings.
    /// Refuses `auth.contact`, `auth.code`, `request.too_large`, `auth.signature`, `auth.challenge`.
    pub fn register(
        &self,
        request: &RegisterRequest,
        roles: AccountRoles,
        now: Time,
    ) -> Result<Registration, Refusal> {
        request.check()?;
        let until = self.check_challenge(&request.challenge, &request.key, now)?;
        let label = format!("{} {}", request.platform, request.model).trim().to_owned();
        // Ids derive from the challenge, so that a repeat after a lost answer registers nothing twice.
        let bytes = |what: &str| {
            derive(&self.shared.keys.secret, "souk/register/v1/", &[what.as_bytes(), &request.challenge])
        };
        let device = device_id(bytes("device"))?;
        let account = account_id(bytes("account"), until)?;
        Ok(Registration {
            contact: Some(contact_hash(&canonical_contact(&request.contact)?)),
            account,
            device,
            key: request.key.clone(),
            name: request.name.clone(),
            label,
            roles,
            replaces: request.replaces,
        })
    }

    /// New tokens for a device, from 64 random bytes.
    pub fn tokens(&self, account: AccountId, device: DeviceId, now: Time, random: &[u8; 64]) -> NewTokens {
        let (mut access, mut refresh) = ([0; 32], [0; 32]);
        access.copy_from_slice(&random[..32]);
        refresh.copy_from_slice(&random[32..]);
        let (access_until, refresh_until) = (now.plus(ACCESS_LIFE), now.plus(REFRESH_LIFE));
        NewTokens {
            hashes: Tokens {
                account,
                device,
                access: TokenHash(sha256(&access)),
                access_until,
                refresh: TokenHash(sha256(&refresh)),
                refresh_until,
            },
            response: TokenResponse {
                access: token_text(account.bucket(), &access),
                access_until,
                refresh: token_text(account.bucket(), &refresh),
                refresh_until,
                now,
            },
        }
    }

    /// A refresh token was used: the act that gives new tokens for its device. Refuses `token.unknown`.
    pub async fn rotation(
        &self,
        refresh: &str,
        now: Time,
        random: &[u8; 64],
    ) -> Result<(NewTokens, Ask), EngineError> {
        let (bucket, secret) = parse_token(refresh)?;
        let used = TokenHash(sha256(&secret));
        let token: souk_domain::party::Token = self
            .row(souk_domain::rows::Key::token(bucket, &used.0))
            .await?
            .ok_or_else(|| Refusal::new("token.unknown"))?;
        let tokens = self.tokens(token.account, token.device, now, random);
        let ask = act(ServerAct::RotateTokens { used, tokens: tokens.hashes }, &tokens.hashes.refresh.0);
        Ok((tokens, ask))
    }

    /// What a registered device is answered.
    pub fn registered(
        &self,
        registration: &Registration,
        epoch: u32,
        tokens: NewTokens,
        shop: Option<souk_domain::id::ShopId>,
    ) -> RegisterResponse {
        let key = |key: &souk_domain::context::PlatformKey| ServerKey { id: key.id, public: key.public };
        RegisterResponse {
            account: registration.account,
            device: registration.device,
            epoch,
            tokens: tokens.response,
            generation: self.generation(),
            shop,
            server_keys: self.reference().platform_keys.iter().map(key).collect(),
        }
    }
}

impl Registration {
    /// A registration without a contact: the operator's own devices, tests, replays.
    pub fn trusted(
        account: AccountId,
        device: DeviceId,
        key: DeviceKey,
        name: &str,
        roles: AccountRoles,
    ) -> Registration {
        Registration {
            contact: None,
            account,
            device,
            key,
            name: name.to_owned(),
            label: String::new(),
            roles,
            replaces: None,
        }
    }

    /// The account: that of the contact once [`Registration::claimed`] has seen the answer.
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// The device.
    pub fn device(&self) -> DeviceId {
        self.device
    }

    /// First act: gives the contact to the new account, or tells whose it is; none without a contact.
    pub fn claim(&self) -> Option<Ask> {
        let contact_hash = self.contact?;
        let bucket = guess::contact_bucket(&contact_hash);
        let claim = ServerAct::ClaimContact { bucket, contact_hash, account: self.account };
        Some(act(claim, self.device.bytes()))
    }

    /// Takes the answer to [`Registration::claim`].
    pub fn claimed(&mut self, outcome: &Outcome) -> Result<(), Refusal> {
        let text = facts_of(outcome)?.text("account").map(str::to_owned);
        self.account = text.and_then(|text| text.parse().ok()).ok_or(Refusal::new("account.unknown"))?;
        Ok(())
    }

    /// Second act: registers the device, opening the account if it is new.
    pub fn enrol(&self) -> Ask {
        let enrol = EnrolDevice {
            account: self.account,
            name: self.name.clone(),
            roles: self.roles,
            device: self.device,
            key: self.key.clone(),
            label: self.label.clone(),
            replaces: self.replaces,
        };
        act(ServerAct::EnrolDevice(enrol), self.device.bytes())
    }

    /// Takes the answer to [`Registration::enrol`]: the device's epoch.
    pub fn enrolled(&self, outcome: &Outcome) -> Result<u32, Refusal> {
        epoch_of(outcome)
    }
}

impl std::fmt::Debug for NewTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NewTokens(..)")
    }
}

impl NewTokens {
    /// Third act of a registration: makes them good.
    pub fn issue(&self) -> Ask {
        act(ServerAct::IssueTokens(self.hashes), &self.hashes.access.0)
    }

    /// What the device gets, once the act is accepted. Refuses what the rule refused, and `token.reused` when a
    /// spent refresh token was used: the device is cut off then.
    pub fn given(self, outcome: &Outcome) -> Result<TokenResponse, Refusal> {
        if facts_of(outcome)?.get("reused") == Some(&Fact::Flag(true)) {
            return Err(Refusal::new("token.reused"));
        }
        Ok(self.response)
    }
}

/// Cuts a device off.
pub fn revoke(account: AccountId, device: DeviceId) -> Ask {
    act(ServerAct::RevokeDevice { account, device }, device.bytes())
}

/// Raises a device's epoch above what both sides know; [`epoch_of`] reads the answer.
pub fn raise_epoch(account: AccountId, device: DeviceId, have: u32) -> Ask {
    act(ServerAct::RaiseEpoch { account, device, have }, device.bytes())
}

/// The epoch in an outcome of [`raise_epoch`] or [`Registration::enrol`].
pub fn epoch_of(outcome: &Outcome) -> Result<u32, Refusal> {
    let epoch = facts_of(outcome)?.int("epoch").and_then(|epoch| u32::try_from(epoch).ok());
    epoch.ok_or(Refusal::new("device.epoch"))
}

/// Facts of an accepted outcome; a refusal gives its code.
fn facts_of(outcome: &Outcome) -> Result<&Facts, Refusal> {
    match outcome {
        Outcome::Accepted { data, .. } => Ok(data),
        Outcome::Rejected { code: Cow::Borrowed(code), data } => Err(Refusal { code, facts: data.clone() }),
        // Read back from a row: acts of this module are not stored, so this is some other act.
        Outcome::Rejected { code: Cow::Owned(_), .. } | Outcome::Expired | Outcome::Withdrawn => {
            Err(Refusal::new("intent.kind"))
        }
    }
}

/// An act of the server. Its id tells acts apart in logs; these acts say the same twice and are not stored by it.
fn act(act: ServerAct, about: &[u8]) -> Ask {
    let hash = souk_crypto::hash::digest("souk/act/v1/", &[act.kind().as_bytes(), about]);
    Ask::Server { id: DerivedId::derived(act.bucket(), &hash).into(), act }
}

fn device_id(bytes: [u8; 32]) -> Result<DeviceId, Refusal> {
    DeviceId::from_bytes(souk_crypto::hash::first(&bytes)).map_err(|_| Refusal::new("id.form"))
}

/// A new account's id, in a bucket by chance.
fn account_id(bytes: [u8; 32], now: Time) -> Result<AccountId, Refusal> {
    let bad = |_| Refusal::new("id.form");
    let bucket = Bucket::new(u16::from_be_bytes([bytes[0], bytes[1]]) >> 6).map_err(bad)?;
    let mut random = [0; 9];
    random.copy_from_slice(&bytes[2..11]);
    let unix_ms = u64::try_from(now.millis()).unwrap_or_default();
    AccountId::from_bytes(form_u(unix_ms, bucket, random)).map_err(bad)
}
