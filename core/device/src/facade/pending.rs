//! What waits, what was refused, and where the device stands (spec/sync.md P18: nothing is hidden).

use souk_domain::id::IntentId;
use souk_domain::outcome::{Facts, Outcome};

use super::orders::changed_views;
use super::views::{LinkState, MeView, PendingState, PendingView, StatusView, WayOut};
use crate::clock::Now;
use crate::error::{SoukError, StoreResult};
use crate::host::DeviceHost;
use crate::outbox::{self, Confidence, OutboxRow, RowState, Why, enqueue};
use crate::overlay::read;
use crate::store::{cache, scope};

/// A server that was heard so recently counts as there, milliseconds.
const ONLINE_MS: u64 = 120_000;

impl DeviceHost {
    /// The status line.
    pub fn status(&mut self, now: Now) -> Result<StatusView, SoukError> {
        let link = self.link_state(now);
        let is_quiet = self.is_quiet();
        let account = self.session().map(|session| session.account);
        let clock = self.clock(now);
        let files = self.files()?;
        let rows = outbox::pending(&files.user)?;
        let waiting = || rows.iter().filter(|row| row.state != RowState::Decided);
        let mut as_of = None;
        for scope in scope::followed(files)?.iter().filter(|scope| !scope.is_public()) {
            let row = scope::find(&files.user, scope)?;
            let at = row.filter(|row| row.at.micros() > 0).map(|row| row.at);
            as_of = match (as_of, at) {
                (Some(oldest), Some(at)) => Some(std::cmp::min(oldest, at)),
                (None, at) => at,
                (oldest, None) => oldest,
            };
        }
        Ok(StatusView {
            link,
            account,
            pending: waiting().count() as u64,
            needs_you: waiting().filter(|row| row.state == RowState::Parked).count() as u64,
            rejected: rows.iter().filter(|row| is_refused(row)).count() as u64,
            oldest_pending_us: waiting().map(|row| clock.at.since(row.made_at).micros().max(0)).max(),
            as_of,
            products: cache::products(&files.cache)?,
            is_quiet,
        })
    }

    pub(crate) fn link_state(&self, now: Now) -> LinkState {
        match self.link_word() {
            "new" | "closed" => LinkState::New,
            "joining" => LinkState::Joining,
            "signed_out" => LinkState::SignedOut,
            "revoked" => LinkState::Revoked,
            "old" => LinkState::Outdated,
            "paused" => LinkState::Paused,
            _ if self.heard_within(ONLINE_MS, now) => LinkState::Online,
            _ => LinkState::Offline,
        }
    }

    /// Acts that wait or were refused, oldest first; each with what can be done about it.
    pub fn pending_acts(&mut self, now: Now) -> Result<Vec<PendingView>, SoukError> {
        let clock = self.clock(now);
        let user = &self.files()?.user;
        let rows = outbox::pending(user)?;
        let views = rows.iter().map(|row| {
            let title = title_of(enqueue::kept(user, row.id)?.map(|kept| kept.copy));
            Ok(pending_view(row, title, clock.at))
        });
        Ok(views.collect::<StoreResult<_>>()?)
    }

    /// One act, decided or not. Refuses `intent.unknown`.
    pub fn pending_act(&mut self, id: IntentId, now: Now) -> Result<PendingView, SoukError> {
        let clock = self.clock(now);
        let user = &self.files()?.user;
        let row = outbox::find(user, id)?.ok_or_else(|| SoukError::new("intent.unknown"))?;
        let title = title_of(enqueue::kept(user, id)?.map(|kept| kept.copy));
        Ok(pending_view(&row, title, clock.at))
    }

    /// Who is signed in. Refuses `device.missing`.
    pub fn me(&mut self, now: Now) -> Result<MeView, SoukError> {
        let desk = self.desk(now)?;
        let account = read::account(&desk.files.user, desk.me()?)?;
        let account = account.ok_or_else(|| SoukError::new("account.unknown"))?;
        let shop = match desk.own_shop()? {
            Some(shop) => desk.shop_row(shop)?,
            None => None,
        };
        Ok(MeView { account: (&account).into(), shop: shop.map(|shop| (&shop).into()) })
    }
}

impl super::Desk<'_> {
    /// The shop for its staff.
    pub(super) fn shop_row(
        &self,
        shop: souk_domain::id::ShopId,
    ) -> StoreResult<Option<souk_domain::party::Shop>> {
        use souk_domain::rows::{Key, Row};
        let row = self.row(souk_domain::scope::EntityKind::Shop, shop.bytes(), &Key::shop(shop))?;
        Ok(match row {
            Some((Row::Shop(shop), _)) => Some(shop),
            _ => None,
        })
    }
}

/// What the tap called itself.
fn title_of(copy: Option<serde_json::Value>) -> String {
    let title = copy.as_ref().and_then(|copy| copy.get("title")).and_then(serde_json::Value::as_str);
    title.unwrap_or_default().to_owned()
}

fn is_refused(row: &OutboxRow) -> bool {
    matches!(row.outcome, Some(Outcome::Rejected { .. } | Outcome::Expired)) && !row.is_seen()
}

fn pending_view(row: &OutboxRow, title: String, now: souk_domain::time::Time) -> PendingView {
    let (state, code, facts) = state_of(row);
    PendingView {
        id: row.id,
        kind: row.kind.clone(),
        title,
        made_at: row.made_at,
        age_us: now.since(row.made_at).micros().max(0),
        state,
        sure: row.predicted.as_ref().map_or(Confidence::Unknown, |predicted| predicted.confidence),
        code,
        facts,
        attempts: row.attempts,
        again: row.is_again(),
        changed: changed_views(row),
        ways: ways_of(row, state),
    }
}

fn state_of(row: &OutboxRow) -> (PendingState, Option<String>, Facts) {
    let none = (None, Facts::none());
    let (state, (code, facts)) = match (row.state, &row.outcome) {
        (RowState::Decided, Some(Outcome::Accepted { data, .. })) => {
            (PendingState::Accepted, (None, data.clone()))
        }
        (RowState::Decided, Some(Outcome::Rejected { code, data })) => {
            (PendingState::Rejected, (Some(code.clone().into_owned()), data.clone()))
        }
        (RowState::Decided, Some(Outcome::Expired)) => {
            (PendingState::Expired, (Some("intent.expired".to_owned()), Facts::none()))
        }
        (RowState::Decided, Some(Outcome::Withdrawn) | None) => (PendingState::Withdrawn, none),
        (RowState::Parked, _) => {
            let code = match row.why {
                Some(Why::Ask) => "intent.age_unknown",
                Some(Why::Key) => "sign.key_gone",
                Some(Why::Conflict) => "intent.conflict",
                Some(Why::Refused) | None => "intent.actor",
            };
            (PendingState::NeedsYou, (Some(code.to_owned()), Facts::none()))
        }
        (RowState::Queued | RowState::Sent, _) if row.is_void() => (PendingState::Withdrawn, none),
        (RowState::Queued, _) => (PendingState::Queued, warning_of(row)),
        (RowState::Sent, _) => (PendingState::Sent, warning_of(row)),
    };
    (state, code, facts)
}

/// Why an act will probably be refused.
fn warning_of(row: &OutboxRow) -> (Option<String>, Facts) {
    match row.predicted.as_ref().and_then(|predicted| predicted.outcome.clone()).map(Outcome::from) {
        Some(Outcome::Rejected { code, data }) => (Some(code.into_owned()), data),
        _ => (None, Facts::none()),
    }
}

fn ways_of(row: &OutboxRow, state: PendingState) -> Vec<WayOut> {
    match state {
        PendingState::Queued | PendingState::Sent if row.is_signed_word() => vec![WayOut::Retry],
        PendingState::Queued | PendingState::Sent => vec![WayOut::Retry, WayOut::Withdraw],
        PendingState::NeedsYou => match row.why {
            Some(Why::Ask | Why::Key) => vec![WayOut::Confirm, WayOut::Withdraw],
            Some(Why::Conflict | Why::Refused) | None => vec![WayOut::Withdraw],
        },
        PendingState::Withdrawn if row.state != RowState::Decided => Vec::new(),
        PendingState::Accepted | PendingState::Rejected | PendingState::Expired | PendingState::Withdrawn => {
            vec![WayOut::Dismiss]
        }
    }
}
