//! A desk: everything that a read looks at, with all pending acts on top.

use souk_domain::context::Reference;
use souk_domain::id::{AccountId, IntentId, OrderId, ParcelId, ShopId, form_u};
use souk_domain::intent::{Body, Intent};
use souk_domain::order::Order;
use souk_domain::parcel::Parcel;
use souk_domain::party::AccountRoles;
use souk_domain::rows::{Key, Row};
use souk_domain::scope::{EntityKind, Scope};
use souk_domain::time::{Span, Time};

use super::views::PendingMark;
use crate::clock::Estimate;
use crate::error::{SoukError, StoreResult};
use crate::outbox::{Confidence, Predicted};
use crate::overlay::{Overlay, Seat, read};
use crate::store::session::Session;
use crate::store::{DeviceFiles, cache};

/// What a read looks at.
pub(crate) struct Desk<'h> {
    pub(crate) files: &'h DeviceFiles,
    pub(crate) session: Option<&'h Session>,
    pub(crate) reference: Option<&'h Reference>,
    pub(crate) overlay: &'h Overlay,
    pub(crate) roles: AccountRoles,
    pub(crate) clock: Estimate,
}

/// A row with its pending acts.
pub(crate) type Marked<T> = (T, Option<PendingMark>);

impl Desk<'_> {
    /// Who is signed in. Refuses `device.missing`.
    pub(crate) fn me(&self) -> Result<AccountId, SoukError> {
        self.session.map(|session| session.account).ok_or_else(|| SoukError::new("device.missing"))
    }

    /// The shop that the account owns, pending or decided.
    pub(crate) fn own_shop(&self) -> StoreResult<Option<ShopId>> {
        let Some(session) = self.session else { return Ok(None) };
        if let Some(changed) = self.overlay.changed(&Key::account(session.account))
            && let Some(Row::Account(account)) = &changed.row
        {
            return Ok(account.shop);
        }
        read::own_shop(&self.files.user, session.account)
    }

    /// Whether an order that stands here is one of the own shop's.
    pub(crate) fn is_sold_here(&self, order: OrderId) -> StoreResult<bool> {
        let key = Key::order(order);
        let row = match self.overlay.changed(&key) {
            Some(changed) => changed.row.clone(),
            None => read::row(&self.files.user, EntityKind::Order, order.bytes())?,
        };
        let account = self.session.map(|session| session.account);
        Ok(matches!(row, Some(Row::Order(order)) if Some(order.buyer) != account))
    }

    /// The own shop. Refuses `role.none`.
    pub(crate) fn my_shop(&self) -> Result<ShopId, SoukError> {
        self.own_shop()?.ok_or_else(|| SoukError::new("role.none"))
    }

    /// What an act would come to.
    pub(crate) fn predict(&self, intent: &Intent) -> StoreResult<Predicted> {
        let Some(session) = self.session else {
            return Ok(Predicted { confidence: Confidence::Unknown, outcome: None });
        };
        let seat = Seat { files: self.files, session, reference: self.reference, roles: self.roles };
        self.overlay.predict(&seat, intent, self.clock.at)
    }

    /// What a body would come to if it were tapped now; nothing is written.
    pub(crate) fn predict_body(&self, body: Body, bin: Vec<u8>) -> StoreResult<Predicted> {
        let unknown = Predicted { confidence: Confidence::Unknown, outcome: None };
        let Some(session) = self.session else { return Ok(unknown) };
        let mint = |bucket| IntentId::from_bytes(form_u(0, bucket, [0xff; 9])).ok();
        let id = mint(session.account.bucket())
            .and_then(|of_account| body.bucket(of_account.into()))
            .and_then(mint);
        let Some(id) = id else { return Ok(unknown) };
        let not_after = self.clock.at.plus(Span::from_hours(1));
        let made_at = self.clock.at;
        self.predict(&Intent { id: id.into(), made_at, not_after, max_total: None, body, bin })
    }

    /// The acts that wait for a row.
    pub(crate) fn mark(&self, key: &Key) -> Option<PendingMark> {
        let (sure, acts) = self.overlay.mark(key)?;
        Some(PendingMark { sure, acts })
    }

    /// A row with all pending acts on top.
    pub(crate) fn row(&self, kind: EntityKind, id: &[u8; 16], key: &Key) -> StoreResult<Option<Marked<Row>>> {
        let row = match self.overlay.changed(key) {
            Some(changed) => changed.row.clone(),
            None => read::row(&self.files.user, kind, id)?,
        };
        Ok(row.map(|row| (row, self.mark(key))))
    }

    /// An order.
    pub(crate) fn order(&self, id: OrderId) -> StoreResult<Option<Marked<Order>>> {
        Ok(match self.row(EntityKind::Order, id.bytes(), &Key::order(id))? {
            Some((Row::Order(order), mark)) => Some((order, mark)),
            _ => None,
        })
    }

    /// A parcel.
    pub(crate) fn parcel(&self, id: ParcelId) -> StoreResult<Option<Marked<Parcel>>> {
        Ok(match self.row(EntityKind::Parcel, id.bytes(), &Key::parcel(id))? {
            Some((Row::Parcel(parcel), mark)) => Some((parcel, mark)),
            _ => None,
        })
    }

    /// What a row is sorted by, microseconds: when it last changed; under a pending act, when that was tapped. It does
    /// not move while nothing happens.
    pub(crate) fn rank(&self, key: &Key, updated_at: Time) -> i64 {
        self.overlay.changed(key).map_or(updated_at, |changed| changed.at).micros()
    }

    /// Rows of one kind in a scope with all pending acts on top, newest first by `rank`, then by id, as the file
    /// sorts them.
    pub(crate) fn list<T>(
        &self,
        scope: &Scope,
        kind: EntityKind,
        (offset, limit): (usize, usize),
        pick: impl Fn(Row) -> Option<T>,
        rank: impl Fn(&T) -> i64,
    ) -> StoreResult<Vec<Marked<T>>> {
        // Every row that an act touches may move to the top, so that many more are read.
        let touched = self.overlay.iter().count();
        let mut rows: Vec<(Key, Marked<T>)> = Vec::new();
        for row in read::rows(&self.files.user, scope, kind, offset + limit + touched, 0)? {
            let key = row.key();
            if self.overlay.changed(&key).is_none() {
                let mark = self.mark(&key);
                rows.extend(pick(row).map(|row| (key, (row, mark))));
            }
        }
        for (key, changed) in self.overlay.iter() {
            let Some(row) = &changed.row else { continue };
            if row.scopes().iter().any(|(of, as_kind, _)| of == scope && *as_kind == kind) {
                rows.extend(pick(row.clone()).map(|row| (key.clone(), (row, self.mark(key)))));
            }
        }
        rows.sort_by(|(key_a, (a, _)), (key_b, (b, _))| (rank(b), &key_b.id).cmp(&(rank(a), &key_a.id)));
        Ok(rows.into_iter().skip(offset).take(limit).map(|(_, row)| row).collect())
    }

    /// The name of a shop, as far as it is known.
    pub(crate) fn shop_name(&self, shop: ShopId) -> StoreResult<String> {
        if let Some(card) = cache::shop_card(&self.files.cache, shop)? {
            return Ok(card.name);
        }
        Ok(match self.row(EntityKind::Shop, shop.bytes(), &Key::shop(shop))? {
            Some((Row::Shop(shop), _)) => shop.name,
            _ => String::new(),
        })
    }
}
