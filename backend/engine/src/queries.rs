//! Queries of people and operators: an order with all around it, a shop's orders and money, the proof of the books.
//!
//! Always: a stranger learns nothing, not even that the thing exists (`order.not_party` is 404); balances come from
//! the accounts' own rows. Rights: spec/market.md 2.4; books: spec/money.md 5.3.

use std::collections::BTreeMap;

use souk_domain::bookkeeping::Owner;
use souk_domain::id::{AccountId, Bucket, OrderId, ShopId, hex};
use souk_domain::ledger::verify::{BucketSummary, Replay, StateHash, VerifyError};
use souk_domain::ledger::{Account as LedgerAccount, AccountCode, JournalHead};
use souk_domain::money::{Balance, Money};
use souk_domain::order::{Address, Blocker, Order, OrderState, Payment};
use souk_domain::outcome::Refusal;
use souk_domain::parcel::Parcel;
use souk_domain::party::{Shop, ShopRole};
use souk_domain::rights::{Action, can};
use souk_domain::rows::Key;
use souk_domain::time::Time;
use souk_protocol::courier::CourierBalanceResponse;
use souk_protocol::limits::PAGE_ROWS_MAX;
use souk_protocol::orders::{BlockerView, OrderResponse, OrdersResponse, PageQuery, PaymentView};
use souk_protocol::seller::{BalanceResponse, StatementLineView, StatementResponse};
use souk_protocol::views::{AddressView, OrderView, Side};
use souk_store::OrdersAsk;

use crate::{EngineError, Reader};

/// Transfers read in one go while a journal is gone through.
const JOURNAL_PAGE: usize = 5_000;
/// Times that a bucket is read again because somebody traded in it meanwhile.
const VERIFY_TRIES: usize = 5;
/// Blockers that a monitor gets at most.
pub const BLOCKERS_MAX: usize = 10_000;
/// Accounts of a shop whose movements its statement shows.
const STATEMENT_CODES: [AccountCode; 5] = [
    AccountCode::SellerReceivable,
    AccountCode::SellerPending,
    AccountCode::SellerAvailable,
    AccountCode::SellerReserve,
    AccountCode::SellerDeposit,
];

impl Reader {
    /// An order for its buyer or its shop's staff. Refuses `order.unknown`, `order.not_party`, `auth.forbidden`.
    pub async fn order(
        &self,
        account: AccountId,
        order: OrderId,
        now: Time,
    ) -> Result<OrderResponse, EngineError> {
        let order: Order = self.row(Key::order(order)).await?.ok_or(Refusal::new("order.unknown"))?;
        let is_buyer = order.buyer == account;
        let role = if is_buyer { None } else { self.role_in(account, order.shop).await? };
        let side = if is_buyer {
            Side::Buyer
        } else {
            can(role, Action::OrderRead)?;
            Side::Seller
        };
        let parcels: Vec<Parcel> =
            self.rows(order.parcels.iter().map(|parcel| Key::parcel(*parcel)).collect()).await?;
        let mut response = OrderResponse::of(&order, &parcels, side, now);
        if is_buyer || may_see_address(role) {
            let address: Option<Address> = self.row(Key::address(order.id)).await?;
            response.address = address.map(|address| AddressView::from(&address.to));
        }
        if let Some(payment) = order.payment {
            let payment: Option<Payment> = self.row(Key::payment(payment)).await?;
            response.payment = payment.as_ref().map(PaymentView::from);
        }
        if side == Side::Seller {
            let blocker: Option<Blocker> = self.row(Key::blocker(order.id)).await?;
            response.blocker = blocker.as_ref().map(BlockerView::from);
        }
        Ok(response)
    }

    /// A page of a shop's orders, newest first, for its staff. Refuses `order.not_party`, `auth.forbidden`,
    /// `request.form{field}`, `request.too_large{field, limit}`.
    pub async fn shop_orders(
        &self,
        account: AccountId,
        shop: ShopId,
        query: &PageQuery,
        now: Time,
    ) -> Result<OrdersResponse, EngineError> {
        self.may(account, shop, Action::OrderRead).await?;
        let limit = query.rows()?;
        let before = query.after.as_deref().map(order_place).transpose()?;
        let states = Vec::new();
        let ask = OrdersAsk { shop: Some(shop), buyer: None, states, before, limit: limit + 1 };
        let mut orders = self.store().orders(&ask).await?;
        let has_more = orders.len() > limit;
        orders.truncate(limit);
        let place = |order: &Order| format!("{}.{}", order.placed_at.micros(), order.id);
        let next = orders.last().filter(|_| has_more).map(place);
        let orders = orders.iter().map(|order| OrderView::of(order, Side::Seller)).collect();
        Ok(OrdersResponse { now, orders, next })
    }

    /// What a shop has, for its owner and its finance staff. Refuses `order.not_party`, `auth.forbidden`.
    pub async fn shop_balance(
        &self,
        account: AccountId,
        shop: ShopId,
        now: Time,
    ) -> Result<BalanceResponse, EngineError> {
        self.may(account, shop, Action::FinanceRead).await?;
        let row: Shop = self.row(Key::shop(shop)).await?.ok_or(Refusal::new("shop.unknown"))?;
        let accounts = self.store().accounts_of(shop.bucket(), shop.bytes()).await?;
        let of = |code: AccountCode| {
            let sum = accounts
                .iter()
                .filter(|account| account.code == code && account.currency == row.currency)
                .map(|account| account.balance().minor)
                .sum();
            Balance(Money::new(sum, row.currency))
        };
        Ok(BalanceResponse {
            now,
            shop,
            currency: row.currency,
            escrow: Balance(Money::new(self.held_for(shop).await?, row.currency)),
            pending: of(AccountCode::SellerPending),
            available: of(AccountCode::SellerAvailable),
            owed: of(AccountCode::SellerReceivable),
        })
    }

    /// What an account is owed as a courier, by currency. A release is posted where its order lives, so that the sum
    /// is over all buckets in use.
    pub async fn courier_balance(
        &self,
        account: AccountId,
        now: Time,
    ) -> Result<CourierBalanceResponse, EngineError> {
        let mut sums: BTreeMap<&'static str, Money> = BTreeMap::new();
        for bucket in self.store().buckets_in_use().await? {
            for found in self.store().accounts_of(bucket, account.bytes()).await? {
                if found.code == AccountCode::CourierPayable {
                    let sum = sums.entry(found.currency.code()).or_insert(Money::zero(found.currency));
                    sum.minor = sum.minor.saturating_add(found.balance().minor);
                }
            }
        }
        Ok(CourierBalanceResponse { now, account, payable: sums.into_values().map(Balance).collect() })
    }

    /// What stands in escrow for a shop's open orders, minor units.
    async fn held_for(&self, shop: ShopId) -> Result<i64, EngineError> {
        let states = vec![OrderState::Open];
        let mut ask = OrdersAsk { shop: Some(shop), buyer: None, states, before: None, limit: PAGE_ROWS_MAX };
        let mut held: i64 = 0;
        loop {
            let orders = self.store().orders(&ask).await?;
            held = orders.iter().fold(held, |sum, order| sum.saturating_add(order.held()));
            match orders.last() {
                Some(last) if orders.len() == ask.limit => ask.before = Some((last.placed_at, last.id)),
                Some(_) | None => return Ok(held),
            }
        }
    }

    /// What moved on a shop's accounts, oldest first. Refuses as [`Reader::shop_balance`], and `request.form{field}`,
    /// `request.too_large{field, limit}`.
    pub async fn shop_statement(
        &self,
        account: AccountId,
        shop: ShopId,
        query: &PageQuery,
        now: Time,
    ) -> Result<StatementResponse, EngineError> {
        self.may(account, shop, Action::FinanceRead).await?;
        let limit = query.rows()?;
        let form = |_| Refusal::new("request.form").with("field", "after");
        let after: u64 = query.after.as_deref().map_or(Ok(0), |text| text.parse().map_err(form))?;
        let accounts = self.store().accounts_of(shop.bucket(), shop.bytes()).await?;
        // By place in the journal; a transfer between two of the shop's accounts is two lines of one place.
        let mut lines: BTreeMap<u64, Vec<StatementLineView>> = BTreeMap::new();
        for account in accounts.iter().filter(|account| STATEMENT_CODES.contains(&account.code)) {
            for transfer in self.store().statement(account.id, after, limit + 1).await? {
                lines.entry(transfer.seq).or_default().extend(StatementLineView::of(&transfer, account));
            }
        }
        let next = lines.keys().nth(limit - 1).filter(|_| lines.len() > limit).map(u64::to_string);
        let lines = lines.into_values().take(limit).flatten().collect();
        Ok(StatementResponse { now, lines, next })
    }

    /// Orders that should have been settled or moved by now, with what blocks them (spec/money.md 4.5).
    pub async fn blockers_overdue(&self, now: Time) -> Result<Vec<Blocker>, EngineError> {
        Ok(self.store().blockers_due(now, BLOCKERS_MAX).await?)
    }

    /// Replays every bucket's journal from nothing and compares (spec/money.md 5.3): one summary a bucket that has
    /// one, ascending. The first contradiction is the error.
    pub async fn verify_ledger(&self) -> Result<Vec<BucketSummary>, EngineError> {
        let mut summaries = Vec::new();
        for bucket in self.store().buckets_in_use().await? {
            let (summary, _) = self.verify_bucket(bucket).await?;
            if summary.transfers > 0 {
                summaries.push(summary);
            }
        }
        Ok(summaries)
    }

    /// The hash of all balances of all buckets, each checked against its journal on the way; 64 hex digits.
    pub async fn state_hash(&self) -> Result<String, EngineError> {
        let mut state = StateHash::new();
        for bucket in self.store().buckets_in_use().await? {
            let (summary, accounts) = self.verify_bucket(bucket).await?;
            if summary.transfers == 0 {
                continue;
            }
            state.bucket(&summary.head).map_err(unproven)?;
            for account in &accounts {
                state.account(account).map_err(unproven)?;
            }
        }
        Ok(hex(&state.finish()))
    }

    /// Goes through one bucket. Rows, journal and head are read one after another: when somebody has traded in
    /// between, they are read again.
    async fn verify_bucket(
        &self,
        bucket: Bucket,
    ) -> Result<(BucketSummary, Vec<LedgerAccount>), EngineError> {
        let mut tries = 0;
        loop {
            let head = self.journal_head(bucket).await?;
            let accounts = self.store().ledger_accounts(bucket).await?;
            let found = self.replay(bucket, &accounts, &head).await?;
            match found {
                Ok(summary) => return Ok((summary, accounts)),
                Err(error) if self.journal_head(bucket).await? == head || tries == VERIFY_TRIES => {
                    return Err(unproven(error));
                }
                Err(_) => tries += 1,
            }
        }
    }

    async fn replay(
        &self,
        bucket: Bucket,
        accounts: &[LedgerAccount],
        head: &JournalHead,
    ) -> Result<Result<BucketSummary, VerifyError>, EngineError> {
        let mut replay = match Replay::new(bucket, accounts.iter().copied()) {
            Ok(replay) => replay,
            Err(error) => return Ok(Err(error)),
        };
        let mut after = 0;
        loop {
            let page = self.store().transfers(bucket, after, JOURNAL_PAGE).await?;
            for transfer in page.iter().filter(|transfer| transfer.seq <= head.seq) {
                if let Err(error) = replay.apply(transfer) {
                    return Ok(Err(error));
                }
                after = transfer.seq;
            }
            if page.len() < JOURNAL_PAGE || after >= head.seq {
                return Ok(replay.finish(head));
            }
        }
    }

    async fn journal_head(&self, bucket: Bucket) -> Result<JournalHead, EngineError> {
        let owner: Option<Owner> = self.row(Key::owner(bucket)).await?;
        Ok(owner.map_or_else(|| JournalHead::empty(bucket), |owner| owner.journal))
    }
}

/// Whoever packs sees where it goes.
fn may_see_address(role: Option<ShopRole>) -> bool {
    can(role, Action::OrderShip).is_ok()
}

fn unproven(error: VerifyError) -> EngineError {
    tracing::error!(%error, "the journal does not prove itself");
    EngineError::Refused(Refusal::new(error.code()).with("at", error.to_string()))
}

/// Reads `placed_at.id`.
fn order_place(text: &str) -> Result<(Time, OrderId), Refusal> {
    let place = || {
        let (at, id) = text.split_once('.')?;
        Some((Time::from_micros(at.parse().ok()?), id.parse().ok()?))
    };
    place().ok_or_else(|| Refusal::new("request.form").with("field", "after"))
}
