//! Orders as their buyer and their shop see them.
//!
//! The address is not here: it is a row of its own, erasable, and asked for apart.

use serde::{Deserialize, Serialize};
use souk_domain::id::{
    AccountId, CaseId, DerivedId, OfferId, OrderId, ParcelId, PaymentId, ProductId, ShopId,
};
use souk_domain::money::{Bp, Currency, Money, Ppm};
use souk_domain::order::{
    Case, CaseState, Fees, Fund, Line, LineKind, Order, OrderState, Refund, RefundCause, RefundState,
    ReleaseClock, Settlement, ShipmentState,
};
use souk_domain::outcome::Refusal;
use souk_domain::party::DeviceKey;
use souk_domain::time::Time;

use super::{OrderWord, Side, TaxView, bad_row, is_default, minor, order_word};

/// An order.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OrderView {
    /// The order: the id of its PlaceOrder intent.
    pub id: OrderId,
    /// Who sells.
    pub shop: ShopId,
    /// Name of the shop at placement.
    pub shop_name: String,
    /// Who buys.
    pub buyer: AccountId,
    /// The key of the device that placed it: it signs the hand-over.
    pub buyer_key: DeviceKey,
    /// The word for people; follows from the rest.
    pub word: OrderWord,
    /// Order axis.
    pub state: OrderState,
    /// Fund axis; follows from the amounts.
    pub fund: Fund,
    /// Shipment axis.
    pub shipment: ShipmentState,
    /// Goods and shipping.
    pub lines: Vec<LineView>,
    /// What the buyer owes: the sum of the lines.
    pub total: Money,
    /// Tax inside the total.
    pub tax: Money,
    /// Captured so far.
    pub paid: Money,
    /// Released so far.
    pub released: Money,
    /// Taken out of escrow towards the buyer so far.
    pub refunded: Money,
    /// Arrived, but does not complete the sum yet.
    pub unapplied: Money,
    /// When it was placed.
    pub placed_at: Time,
    /// When it last changed.
    pub updated_at: Time,
    /// When it ends unpaid.
    pub pay_by: Time,
    /// Generation of the pay timer.
    pub pay_generation: u32,
    /// When it must be shipped, once paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ship_by: Option<Time>,
    /// True once the ship deadline has passed without a scan.
    #[serde(default, skip_serializing_if = "is_default")]
    pub overdue: bool,
    /// The running payment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<PaymentId>,
    /// When the money was captured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid_at: Option<Time>,
    /// Parcels made for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parcels: Vec<ParcelId>,
    /// Binds labels to this order; both sides need it to check a label without a network.
    #[serde(with = "souk_domain::bytes")]
    pub salt: [u8; 16],
    /// When the money is released without anybody asking.
    pub clock: ClockView,
    /// An open or former refund request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<CaseView>,
    /// Money on its way back, or gone back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refunds: Vec<RefundView>,
    /// Version of the policies that it keeps for life.
    pub policy_version: u32,
    /// The buyer's words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Rates frozen at placement; the shop's alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fees: Option<FeesView>,
    /// The seller's share after release; the shop's alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settlement: Option<SettlementView>,
}

/// A line of an order.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LineView {
    /// Goods or shipping.
    #[serde(flatten)]
    pub kind: LineKindView,
    /// Title at placement.
    pub title: String,
    /// Units.
    pub q: u32,
    /// Unit price at placement.
    pub unit: Money,
    /// What the buyer pays for the line, tax included.
    pub amount: Money,
    /// Tax within the amount.
    pub tax: Money,
    /// The rule that gave it.
    pub tax_rule: TaxView,
    /// Captured.
    pub paid: Money,
    /// Released.
    pub released: Money,
    /// Refunded.
    pub refunded: Money,
    /// Commission taken at release; the shop's alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commission: Option<Money>,
    /// Tax on the commission; the shop's alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commission_tax: Option<Money>,
}

/// What a line is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum LineKindView {
    /// Units of an offer.
    Goods {
        /// The offer.
        offer: OfferId,
        /// Its product.
        product: ProductId,
    },
    /// Shipping.
    Shipping,
}

/// Rates frozen at placement.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FeesView {
    /// Version of the fee plan.
    pub plan_version: u32,
    /// Commission on goods, basis points.
    pub commission_bp: Bp,
    /// Tax on the commission, millionths.
    pub commission_tax_ppm: Ppm,
    /// Who gets the shipping line at release; absent = the seller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub courier: Option<AccountId>,
}

/// The release clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum ClockView {
    /// Not started.
    Idle,
    /// Runs.
    Running {
        /// Fires here.
        due: Time,
        /// Generation of its timer.
        generation: u32,
    },
    /// Stands still.
    Frozen {
        /// What was left, microseconds.
        left_us: i64,
        /// Generation of the next timer.
        generation: u32,
    },
    /// Has fired or is not needed any more.
    Done,
}

/// A refund request before shipping.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CaseView {
    /// The case.
    pub id: CaseId,
    /// Where it stands.
    pub state: CaseState,
    /// The buyer's words.
    pub reason: String,
    /// When it was opened.
    pub opened_at: Time,
    /// When silence counts as consent.
    pub answer_by: Time,
    /// Generation of its timer.
    pub generation: u32,
}

/// Money on its way back to the buyer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RefundView {
    /// The refund.
    pub id: DerivedId,
    /// How much.
    pub amount: Money,
    /// Whether it has left.
    pub state: RefundState,
    /// Why.
    pub cause: RefundCause,
}

/// The seller's share after release.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum SettlementView {
    /// Waits for the end of the reserve.
    Pending {
        /// Until then.
        until: Time,
        /// The seller's net share.
        amount: Money,
    },
    /// Waits for the seller's payout.
    Available {
        /// The seller's net share.
        amount: Money,
    },
}

impl OrderView {
    /// What a side may see of an order.
    pub fn of(order: &Order, side: Side) -> OrderView {
        let money = |minor| Money::new(minor, order.currency);
        let is_seller = side == Side::Seller;
        OrderView {
            id: order.id,
            shop: order.shop,
            shop_name: order.shop_name.clone(),
            buyer: order.buyer,
            buyer_key: order.buyer_key.clone(),
            word: order_word(order, &[]),
            state: order.state,
            fund: order.fund(),
            shipment: order.shipment,
            lines: order.lines.iter().map(|line| LineView::of(line, order.currency, side)).collect(),
            total: order.total,
            tax: order.tax,
            paid: money(order.paid),
            released: money(order.released),
            refunded: money(order.refunded),
            unapplied: money(order.unapplied),
            placed_at: order.placed_at,
            updated_at: order.updated_at,
            pay_by: order.pay_by,
            pay_generation: order.pay_generation,
            ship_by: order.ship_by,
            overdue: order.overdue,
            payment: order.payment,
            paid_at: order.paid_at,
            parcels: order.parcels.clone(),
            salt: order.salt,
            clock: order.clock.into(),
            case: order.case.as_ref().map(CaseView::from),
            refunds: order.refunds.iter().map(|refund| RefundView::of(refund, order.currency)).collect(),
            policy_version: order.policy_version,
            note: order.note.clone(),
            fees: is_seller.then(|| order.fees.into()),
            settlement: order
                .settlement
                .filter(|_| is_seller)
                .map(|settlement| SettlementView::of(settlement, order.currency)),
        }
    }
}

impl LineView {
    fn of(line: &Line, currency: Currency, side: Side) -> LineView {
        let money = |minor| Money::new(minor, currency);
        let is_seller = side == Side::Seller;
        LineView {
            kind: match line.kind {
                LineKind::Goods { offer, product } => LineKindView::Goods { offer, product },
                LineKind::Shipping => LineKindView::Shipping,
            },
            title: line.title.clone(),
            q: line.quantity,
            unit: money(line.unit),
            amount: money(line.amount),
            tax: money(line.tax),
            tax_rule: line.tax_rule.into(),
            paid: money(line.paid),
            released: money(line.released),
            refunded: money(line.refunded),
            commission: is_seller.then(|| money(line.commission)),
            commission_tax: is_seller.then(|| money(line.commission_tax)),
        }
    }

    fn into_line(self, currency: Currency) -> Result<Line, Refusal> {
        let of = |amount: Money, field| minor(amount, currency, "order", field);
        let or_none = |amount: Option<Money>, field| amount.map_or(Ok(0), |amount| of(amount, field));
        Ok(Line {
            kind: match self.kind {
                LineKindView::Goods { offer, product } => LineKind::Goods { offer, product },
                LineKindView::Shipping => LineKind::Shipping,
            },
            title: self.title,
            quantity: self.q,
            unit: of(self.unit, "lines.unit")?,
            amount: of(self.amount, "lines.amount")?,
            tax: of(self.tax, "lines.tax")?,
            tax_rule: self.tax_rule.into(),
            paid: of(self.paid, "lines.paid")?,
            released: of(self.released, "lines.released")?,
            refunded: of(self.refunded, "lines.refunded")?,
            commission: or_none(self.commission, "lines.commission")?,
            commission_tax: or_none(self.commission_tax, "lines.commission_tax")?,
        })
    }
}

/// What the side could not see comes back neutral: no fees, no settlement.
impl TryFrom<OrderView> for Order {
    type Error = Refusal;
    fn try_from(view: OrderView) -> Result<Order, Refusal> {
        let currency = view.total.currency;
        let of = |amount: Money, field| minor(amount, currency, "order", field);
        let lines = view.lines.into_iter().map(|line| line.into_line(currency)).collect::<Result<_, _>>()?;
        let refunds = view.refunds.into_iter().map(|refund| {
            // Each in the currency in which it goes back.
            let money = refund.amount;
            let foreign = (money.currency != currency).then_some(money.currency);
            Ok(Refund {
                id: refund.id,
                amount: money.minor,
                foreign,
                state: refund.state,
                cause: refund.cause,
            })
        });
        let refunds = refunds.collect::<Result<_, Refusal>>()?;
        let settlement =
            view.settlement.map(|settlement| settlement.into_settlement(currency)).transpose()?;
        let order = Order {
            id: view.id,
            shop: view.shop,
            shop_name: view.shop_name,
            buyer: view.buyer,
            buyer_key: view.buyer_key,
            placed_at: view.placed_at,
            updated_at: view.updated_at,
            currency,
            lines,
            total: view.total,
            tax: view.tax,
            state: view.state,
            shipment: view.shipment,
            paid: of(view.paid, "paid")?,
            released: of(view.released, "released")?,
            refunded: of(view.refunded, "refunded")?,
            unapplied: of(view.unapplied, "unapplied")?,
            fees: view.fees.unwrap_or_default().into(),
            policy_version: view.policy_version,
            pay_by: view.pay_by,
            pay_generation: view.pay_generation,
            ship_by: view.ship_by,
            overdue: view.overdue,
            payment: view.payment,
            paid_at: view.paid_at,
            parcels: view.parcels,
            salt: view.salt,
            clock: view.clock.into(),
            case: view.case.map(Case::from),
            refunds,
            settlement,
            note: view.note,
        };
        if of(order.tax, "tax").is_err() || !order.is_sound() {
            return Err(bad_row("order", "amounts"));
        }
        Ok(order)
    }
}

/// No commission, and shipping paid to the seller.
impl Default for FeesView {
    fn default() -> FeesView {
        FeesView { plan_version: 0, commission_bp: Bp(0), commission_tax_ppm: Ppm(0), courier: None }
    }
}

impl From<Fees> for FeesView {
    fn from(fees: Fees) -> FeesView {
        FeesView {
            plan_version: fees.plan_version,
            commission_bp: fees.commission,
            commission_tax_ppm: fees.commission_tax,
            courier: fees.courier,
        }
    }
}

impl From<FeesView> for Fees {
    fn from(view: FeesView) -> Fees {
        Fees {
            plan_version: view.plan_version,
            commission: view.commission_bp,
            commission_tax: view.commission_tax_ppm,
            courier: view.courier,
        }
    }
}

impl From<ReleaseClock> for ClockView {
    fn from(clock: ReleaseClock) -> ClockView {
        match clock {
            ReleaseClock::Idle => ClockView::Idle,
            ReleaseClock::Running { due, generation } => ClockView::Running { due, generation },
            ReleaseClock::Frozen { left_us, generation } => ClockView::Frozen { left_us, generation },
            ReleaseClock::Done => ClockView::Done,
        }
    }
}

impl From<ClockView> for ReleaseClock {
    fn from(view: ClockView) -> ReleaseClock {
        match view {
            ClockView::Idle => ReleaseClock::Idle,
            ClockView::Running { due, generation } => ReleaseClock::Running { due, generation },
            ClockView::Frozen { left_us, generation } => ReleaseClock::Frozen { left_us, generation },
            ClockView::Done => ReleaseClock::Done,
        }
    }
}

impl From<&Case> for CaseView {
    fn from(case: &Case) -> CaseView {
        CaseView {
            id: case.id,
            state: case.state,
            reason: case.reason.clone(),
            opened_at: case.opened_at,
            answer_by: case.answer_by,
            generation: case.generation,
        }
    }
}

impl From<CaseView> for Case {
    fn from(view: CaseView) -> Case {
        Case {
            id: view.id,
            state: view.state,
            reason: view.reason,
            opened_at: view.opened_at,
            answer_by: view.answer_by,
            generation: view.generation,
        }
    }
}

impl RefundView {
    fn of(refund: &Refund, currency: Currency) -> RefundView {
        RefundView { id: refund.id, amount: refund.money(currency), state: refund.state, cause: refund.cause }
    }
}

impl SettlementView {
    fn of(settlement: Settlement, currency: Currency) -> SettlementView {
        let money = |minor| Money::new(minor, currency);
        match settlement {
            Settlement::Pending { until, amount } => SettlementView::Pending { until, amount: money(amount) },
            Settlement::Available { amount } => SettlementView::Available { amount: money(amount) },
        }
    }

    fn into_settlement(self, currency: Currency) -> Result<Settlement, Refusal> {
        let of = |amount: Money| minor(amount, currency, "order", "settlement");
        Ok(match self {
            SettlementView::Pending { until, amount } => Settlement::Pending { until, amount: of(amount)? },
            SettlementView::Available { amount } => Settlement::Available { amount: of(amount)? },
        })
    }
}
