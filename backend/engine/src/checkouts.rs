//! What a checkout comes to: PlaceOrder, tried shop by shop over the rows of the moment and thrown away.
//!
//! Always: the same rule that will decide the order says its prices, tax and shipping, and which lines it would refuse;
//! nothing here writes.

use std::collections::{BTreeMap, BTreeSet};

use souk_domain::context::{Actor, Context};
use souk_domain::decide::{Step, decide};
use souk_domain::id::{IntentId, OfferId, OrderId, ShopId, form_u};
use souk_domain::intent::{Body, Intent, PlaceOrder, ShortPolicy, WantedLine};
use souk_domain::money::{MINOR_MAX, Money};
use souk_domain::order::{Line, LineKind, Order};
use souk_domain::outcome::{Fact, Facts, Outcome, Refusal};
use souk_domain::party::{Checkout, CheckoutLine};
use souk_domain::rows::{Key, Rows};
use souk_domain::time::{Span, Time};
use souk_protocol::checkout::{CheckoutResponse, LineProblemView, PricedLineView, ShopTotalsView};

use crate::reader::Caller;
use crate::{EngineError, Reader};

/// Times that the rule may ask for more rows.
const ROUNDS_MAX: usize = 32;

/// What one shop's part has come to.
enum Tried {
    Placed(Box<Order>),
    /// Lines that would be refused; none named = all of them.
    Refused(String, BTreeSet<OfferId>),
}

impl Reader {
    /// An account's checkout with its totals. Refuses `checkout.unknown`.
    pub async fn checkout(
        &self,
        caller: &Caller,
        id: IntentId,
        now: Time,
    ) -> Result<CheckoutResponse, EngineError> {
        let checkout: Option<Checkout> = self.row(Key::checkout(caller.account.id, id)).await?;
        let checkout = checkout.ok_or(Refusal::new("checkout.unknown"))?;
        let keys = checkout.lines.iter().map(|line| Key::offer(line.offer)).collect();
        let offers: Vec<souk_domain::catalogue::Offer> = self.rows(keys).await?;
        let shop_of: BTreeMap<OfferId, ShopId> = offers.iter().map(|offer| (offer.id, offer.shop)).collect();
        let mut problems = Vec::new();
        let mut shops: BTreeMap<ShopId, Vec<CheckoutLine>> = BTreeMap::new();
        for line in &checkout.lines {
            match shop_of.get(&line.offer) {
                Some(shop) => shops.entry(*shop).or_default().push(*line),
                None => problems.push(LineProblemView { offer: line.offer, code: "offer.gone".to_owned() }),
            }
        }
        let actor = caller.actor();
        let mut totals = Vec::with_capacity(shops.len());
        for (shop, lines) in shops {
            totals.extend(self.shop_totals(&actor, shop, lines, now, &mut problems).await?);
        }
        Ok(CheckoutResponse { id, now, shops: totals, problems, has_address: checkout.address.is_some() })
    }

    /// Totals of the lines that one shop would take; the others become problems.
    async fn shop_totals(
        &self,
        actor: &Actor,
        shop: ShopId,
        mut lines: Vec<CheckoutLine>,
        now: Time,
        problems: &mut Vec<LineProblemView>,
    ) -> Result<Option<ShopTotalsView>, EngineError> {
        // Each round takes a line away, so there are at most as many as lines.
        while !lines.is_empty() {
            match self.try_order(actor, shop, &lines, now).await? {
                Tried::Placed(order) => return Ok(Some(totals(&order))),
                Tried::Refused(code, named) => {
                    let is_refused = |line: &CheckoutLine| named.is_empty() || named.contains(&line.offer);
                    let (refused, left): (Vec<_>, Vec<_>) = lines.iter().partition(|line| is_refused(line));
                    if refused.is_empty() {
                        return Err(EngineError::Rule("a refusal names lines that were not asked for"));
                    }
                    let problem =
                        |line: CheckoutLine| LineProblemView { offer: line.offer, code: code.clone() };
                    problems.extend(refused.into_iter().map(problem));
                    lines = left;
                }
            }
        }
        Ok(None)
    }

    /// Tries to place an order, without a trace.
    async fn try_order(
        &self,
        actor: &Actor,
        shop: ShopId,
        lines: &[CheckoutLine],
        now: Time,
    ) -> Result<Tried, EngineError> {
        let intent = intent(shop, lines, now)?;
        let context = Context { now, actor, reference: self.reference(), random: [0; 32], seal: None };
        let mut rows = Rows::new();
        for _ in 0..ROUNDS_MAX {
            match decide(&intent, &context, &mut rows) {
                Step::Missing(keys) => {
                    for (key, version, row) in self.store().prefetch(&keys).await? {
                        rows.load(key, version, row);
                    }
                }
                Step::Done(Outcome::Accepted { .. }) => {
                    let order = OrderId::from_bytes(*intent.id.bytes()).ok();
                    let order =
                        order.and_then(|id| rows.find::<Order>(&Key::order(id)).ok().flatten().cloned());
                    let order = order.ok_or(EngineError::Rule("an order was placed and is not there"))?;
                    return Ok(Tried::Placed(Box::new(order)));
                }
                Step::Done(Outcome::Rejected { code, data }) => {
                    return Ok(Tried::Refused(code.into_owned(), offers_of(&data)));
                }
                Step::Done(Outcome::Expired | Outcome::Withdrawn) | Step::Unknown => {
                    return Err(EngineError::Rule("an order that is only tried cannot end so"));
                }
            }
        }
        Err(EngineError::Rule("a rule asks for rows without end"))
    }
}

fn intent(shop: ShopId, lines: &[CheckoutLine], now: Time) -> Result<Intent, EngineError> {
    let unix_ms = u64::try_from(now.millis()).unwrap_or_default();
    let id = IntentId::from_bytes(form_u(unix_ms, shop.bucket(), [0xff; 9]));
    let wanted =
        |line: &CheckoutLine| WantedLine { offer: line.offer, quantity: line.quantity, seen: MINOR_MAX };
    Ok(Intent {
        id: id.map_err(|_| EngineError::Rule("an id that cannot be made"))?.into(),
        made_at: now,
        not_after: now.plus(Span::from_minutes(1)),
        max_total: None,
        body: Body::PlaceOrder(PlaceOrder {
            shop,
            lines: lines.iter().map(wanted).collect(),
            policy: ShortPolicy::AllOrNothing,
            note: String::new(),
        }),
        bin: Vec::new(),
    })
}

/// The offers that a refusal names.
fn offers_of(facts: &Facts) -> BTreeSet<OfferId> {
    let Some(Fact::List(lines)) = facts.get("lines") else { return BTreeSet::new() };
    lines.iter().filter_map(|line| line.text("offer")?.parse().ok()).collect()
}

fn totals(order: &Order) -> ShopTotalsView {
    let money = |minor| Money::new(minor, order.currency);
    let sum = |of: fn(&Line) -> bool| {
        money(order.lines.iter().filter(|line| of(line)).map(|line| line.amount).sum())
    };
    let priced = |line: &Line| match line.kind {
        LineKind::Goods { offer, .. } => Some(PricedLineView {
            offer,
            title: line.title.clone(),
            q: line.quantity,
            unit: money(line.unit),
            amount: money(line.amount),
        }),
        LineKind::Shipping => None,
    };
    ShopTotalsView {
        shop: order.shop,
        name: order.shop_name.clone(),
        lines: order.lines.iter().filter_map(priced).collect(),
        goods: sum(|line| matches!(line.kind, LineKind::Goods { .. })),
        shipping: sum(|line| matches!(line.kind, LineKind::Shipping)),
        tax: order.tax,
        total: order.total,
    }
}
