//! Queries beside the writer: who is signed in, what a device may follow, rows by key.
//!
//! Always: rights are read from the rows at the time of the query, never from a request or a token.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use souk_crypto::hash::sha256;
use souk_domain::context::{Actor, Reference, Seal};
use souk_domain::id::{AccountId, DeviceId, ShopId};
use souk_domain::outcome::Refusal;
use souk_domain::party::{Account, Device, DeviceState, Shop, ShopRole, Token, TokenKind};
use souk_domain::rights::{Action, can};
use souk_domain::rows::{Entity, Key};
use souk_domain::scope::Scope;
use souk_domain::time::Time;
use souk_protocol::auth::parse_token;
use souk_store::Store;

use crate::EngineError;
use crate::engine::{Metrics, Shared};

/// A handle for queries; cheap to copy.
#[derive(Clone)]
pub struct Reader {
    pub(crate) shared: Arc<Shared>,
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reader")
    }
}

/// A signed-in device with its account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caller {
    /// The account.
    pub account: Account,
    /// The device.
    pub device: Device,
    /// When the token that it came with ends.
    pub until: Time,
}

impl Caller {
    /// The caller as decisions know it.
    pub fn actor(&self) -> Actor {
        Actor::User {
            account: self.account.id,
            device: self.device.id,
            key: self.device.key.clone(),
            roles: self.account.roles,
        }
    }
}

impl Reader {
    /// The store.
    pub fn store(&self) -> &dyn Store {
        self.shared.store.as_ref()
    }

    /// The reference data in force.
    pub fn reference(&self) -> &Reference {
        &self.shared.reference
    }

    /// The platform's keys, for codes that change no row (spec/money.md 2.5).
    pub fn platform_seal(&self) -> &dyn Seal {
        &self.shared.keys.seal
    }

    /// Counts since the start.
    pub fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    /// Generation of the data.
    pub fn generation(&self) -> u32 {
        self.shared.generation.load(Ordering::Acquire)
    }

    /// The data went back and nobody said so (spec/sync.md 4.8): raises the generation by one, unless another query
    /// has done so since `seen` was read.
    pub(crate) async fn raise_generation(&self, seen: u32) -> Result<(), EngineError> {
        if self.generation() == seen {
            let generation = self.store().raise_generation().await?;
            self.shared.generation.fetch_max(generation, Ordering::AcqRel);
            tracing::error!(generation, "a cursor is ahead of the data: it was restored; generation raised");
        }
        Ok(())
    }

    /// A row by its key.
    pub async fn row<T: Entity>(&self, key: Key) -> Result<Option<T>, EngineError> {
        let rows = self.rows::<T>(vec![key]).await?;
        Ok(rows.into_iter().next())
    }

    /// Rows by their keys, those that are there, in the order asked.
    pub async fn rows<T: Entity>(&self, keys: Vec<Key>) -> Result<Vec<T>, EngineError> {
        let rows = self.store().prefetch(&keys).await?;
        Ok(rows.iter().filter_map(|(_, _, row)| T::from_row(row.as_ref()?).cloned()).collect())
    }

    /// Who comes with an access token. Refuses `token.unknown`, `token.expired`, `device.revoked`.
    pub async fn authenticate(&self, access: &str, now: Time) -> Result<Caller, EngineError> {
        let unknown = || Refusal::new("token.unknown");
        let (bucket, secret) = parse_token(access)?;
        let token: Token = self.row(Key::token(bucket, &sha256(&secret))).await?.ok_or_else(unknown)?;
        match token.kind {
            TokenKind::Access => {}
            TokenKind::Refresh { .. } => return Err(unknown().into()),
        }
        if now > token.expires_at {
            return Err(Refusal::new("token.expired").into());
        }
        self.caller(token.account, token.device, token.expires_at).await
    }

    /// A device in use with its account; whoever calls has made sure that it is that device which asks.
    /// Refuses `device.unknown`, `device.revoked`.
    pub async fn caller(
        &self,
        account: AccountId,
        device: DeviceId,
        until: Time,
    ) -> Result<Caller, EngineError> {
        let rows = self.store().prefetch(&[Key::account(account), Key::device(account, device)]).await?;
        let account = rows.iter().find_map(|(_, _, row)| Account::from_row(row.as_ref()?));
        let device = rows.iter().find_map(|(_, _, row)| Device::from_row(row.as_ref()?));
        let (Some(account), Some(device)) = (account, device) else {
            return Err(Refusal::new("device.unknown").into());
        };
        match device.state {
            DeviceState::Active => {}
            DeviceState::Replaced | DeviceState::Revoked => return Err(Refusal::new("device.revoked").into()),
        }
        Ok(Caller { account: account.clone(), device: device.clone(), until })
    }

    /// The role of an account in a shop.
    pub async fn role_in(&self, account: AccountId, shop: ShopId) -> Result<Option<ShopRole>, EngineError> {
        let shop: Option<Shop> = self.row(Key::shop(shop)).await?;
        Ok(shop.and_then(|shop| shop.role_of(account)))
    }

    /// Whether an account may do something in a shop. Refuses `order.not_party` (a stranger), `auth.forbidden`.
    pub async fn may(&self, account: AccountId, shop: ShopId, action: Action) -> Result<(), EngineError> {
        Ok(can(self.role_in(account, shop).await?, action)?)
    }

    /// Whether an account may follow a scope: its own, its own route, the shops whose staff it is on, and what is
    /// public.
    pub async fn may_follow(&self, account: AccountId, scope: &Scope) -> Result<bool, EngineError> {
        Ok(match scope {
            Scope::Reference | Scope::Catalogue => true,
            Scope::Account(id) | Scope::Route(id) => *id == account,
            Scope::Seller(shop) => self
                .role_in(account, *shop)
                .await?
                .is_some_and(|role| can(Some(role), Action::OrderRead).is_ok()),
        })
    }
}
