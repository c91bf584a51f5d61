//! Orders as screens show them, for their buyer and for their shop.

use souk_domain::id::{OrderId, ShopId};
use souk_domain::intent::Body;
use souk_domain::money::Money;
use souk_domain::order::{LineKind, Order, PayMethod, RailId, ReleaseClock};
use souk_domain::outcome::Outcome;
use souk_domain::parcel::Parcel;
use souk_domain::rows::{Key, Row};
use souk_domain::scope::{EntityKind, Scope};
use souk_protocol::views::order_word;

use super::desk::Marked;
use super::requests::OrdersRequest;
use super::views::{
    ActionView, ChangedView, OrderDetail, OrderLineRow, OrderRow, OrdersPage, ParcelRow, PendingMark,
    SplitView,
};
use super::{Desk, PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX};
use crate::error::{SoukError, StoreResult};
use crate::outbox::{self, settle};

/// Who looks at an order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Viewer {
    Buyer,
    Shop(ShopId),
}

/// A page size that was asked for, within its bounds.
pub(super) fn limit_of(asked: usize) -> usize {
    if asked == 0 { PAGE_ROWS_DEFAULT } else { asked.min(PAGE_ROWS_MAX) }
}

impl Desk<'_> {
    /// Orders of a side, newest first.
    pub(super) fn orders(&self, viewer: Viewer, request: OrdersRequest) -> Result<OrdersPage, SoukError> {
        let scope = match viewer {
            Viewer::Buyer => Scope::Account(self.me()?),
            Viewer::Shop(shop) => Scope::Seller(shop),
        };
        let limit = limit_of(request.limit);
        let pick = |row| match row {
            Row::Order(order) => Some(order),
            _ => None,
        };
        let rank = |order: &Order| self.rank(&Key::order(order.id), order.updated_at);
        let mut found = self.list(&scope, EntityKind::Order, (request.offset, limit + 1), pick, rank)?;
        let more = found.len() > limit;
        found.truncate(limit);
        let rows = found.into_iter().map(|(order, mark)| self.order_row(&order, mark));
        Ok(OrdersPage { rows: rows.collect::<StoreResult<_>>()?, more })
    }

    fn order_row(&self, order: &Order, pending: Option<PendingMark>) -> StoreResult<OrderRow> {
        let parcels = self.parcels_of(order)?;
        let parcels: Vec<&Parcel> = parcels.iter().map(|(parcel, _)| parcel).collect();
        let goods: Vec<&str> = order
            .lines
            .iter()
            .filter(|line| matches!(line.kind, LineKind::Goods { .. }))
            .map(|line| line.title.as_str())
            .collect();
        let title = match goods.as_slice() {
            [] => String::new(),
            [one] => (*one).to_owned(),
            [first, rest @ ..] => format!("{first} +{}", rest.len()),
        };
        Ok(OrderRow {
            id: order.id,
            rank: self.rank(&Key::order(order.id), order.updated_at),
            title,
            shop_name: order.shop_name.clone(),
            total: order.total,
            word: order_word(order, &parcels),
            pending,
        })
    }

    fn parcels_of(&self, order: &Order) -> StoreResult<Vec<Marked<Parcel>>> {
        let mut parcels = Vec::new();
        for id in &order.parcels {
            parcels.extend(self.parcel(*id)?);
        }
        Ok(parcels)
    }

    /// One order. Refuses `order.unknown`.
    pub(super) fn order_detail(&self, id: OrderId, viewer: Viewer) -> Result<OrderDetail, SoukError> {
        let (order, mark) = self.order(id)?.ok_or_else(|| SoukError::new("order.unknown"))?;
        let is_theirs = match viewer {
            Viewer::Buyer => order.buyer == self.me()?,
            Viewer::Shop(shop) => order.shop == shop,
        };
        if !is_theirs {
            return Err(SoukError::new("order.unknown"));
        }
        let money = |minor| Money::new(minor, order.currency);
        let release_at = match order.clock {
            ReleaseClock::Running { due, .. } => Some(due),
            ReleaseClock::Idle | ReleaseClock::Frozen { .. } | ReleaseClock::Done => None,
        };
        let parcels = self.parcels_of(&order)?.into_iter().map(|(parcel, mark)| parcel_row(&parcel, mark));
        Ok(OrderDetail {
            row: self.order_row(&order, mark)?,
            shop: order.shop,
            buyer: order.buyer,
            state: order.state,
            shipment: order.shipment,
            lines: order
                .lines
                .iter()
                .map(|line| OrderLineRow {
                    title: line.title.clone(),
                    offer: match line.kind {
                        LineKind::Goods { offer, .. } => Some(offer),
                        LineKind::Shipping => None,
                    },
                    quantity: line.quantity,
                    unit: money(line.unit),
                    amount: money(line.amount),
                })
                .collect(),
            tax: order.tax,
            paid: money(order.paid),
            held: money(order.held()),
            released: money(order.released),
            refunded: money(order.refunded),
            split: match viewer {
                Viewer::Buyer => None,
                Viewer::Shop(_) => Some(split_of(&order)),
            },
            pay_by: order.pay_by,
            ship_by: order.ship_by,
            release_at,
            placed_at: order.placed_at,
            note: order.note.clone(),
            fees: match viewer {
                Viewer::Buyer => None,
                Viewer::Shop(_) => Some(order.fees.into()),
            },
            parcels: parcels.collect(),
            actions: self.actions(&order, viewer)?,
            changed: self.changed_of(id)?,
        })
    }

    /// What the rules would say to each act; a screen only draws it.
    fn actions(&self, order: &Order, viewer: Viewer) -> StoreResult<Vec<ActionView>> {
        let id = order.id;
        let acts: Vec<(&str, Body)> = match viewer {
            Viewer::Buyer => {
                let Some(rail) = RailId::new(RailId::SANDBOX) else { return Ok(Vec::new()) };
                vec![
                    ("pay", Body::PayStart { order: id, rail, method: PayMethod::Payer }),
                    ("cancel", Body::CancelOrder { order: id }),
                    ("confirm", Body::Confirm { order: id }),
                    ("open_case", Body::OpenCase { order: id, reason: String::new() }),
                ]
            }
            Viewer::Shop(_) => vec![
                ("cancel", Body::CancelOrder { order: id }),
                ("make_label", Body::MakeLabels { order: id, weight_g: 1, courier: None }),
                ("ship", Body::Ship { order: id }),
                ("refund", Body::RefundOrder { order: id }),
            ],
        };
        let mut actions = Vec::new();
        for (what, body) in acts {
            let predicted = self.predict_body(body, Vec::new())?;
            let outcome = predicted.outcome.map(Outcome::from);
            // What was done already is accepted once more and changes nothing: no button for it.
            let is_again =
                matches!(&outcome, Some(Outcome::Accepted { data, .. }) if data.get("again").is_some());
            let refused = outcome.and_then(|outcome| outcome.code().map(str::to_owned));
            let why = refused.or(is_again.then(|| "order.state".to_owned()));
            actions.push(ActionView { what: what.to_owned(), is_enabled: why.is_none(), why });
        }
        Ok(actions)
    }

    fn changed_of(&self, id: OrderId) -> StoreResult<Vec<ChangedView>> {
        let Ok(intent) = souk_domain::id::IntentId::from_bytes(*id.bytes()) else { return Ok(Vec::new()) };
        let row = outbox::find(&self.files.user, intent)?.filter(|row| !row.is_seen());
        Ok(row.map(|row| changed_views(&row)).unwrap_or_default())
    }
}

/// What came otherwise than predicted.
pub(super) fn changed_views(row: &outbox::OutboxRow) -> Vec<ChangedView> {
    settle::changed(row)
        .into_iter()
        .map(|(field, predicted, actual)| ChangedView { field, predicted, actual })
        .collect()
}

/// A parcel as screens show it.
pub(super) fn parcel_row(parcel: &Parcel, pending: Option<PendingMark>) -> ParcelRow {
    let word = |kind: u8| match souk_codes::proof::EventKind::from_number(kind) {
        Some(kind) => kind.name().to_owned(),
        None => "label_made".to_owned(),
    };
    // The buyer's proof and the courier's scan tell of one hand-over.
    let mut steps: Vec<_> = parcel.scans.clone();
    steps.dedup_by_key(|scan| (scan.kind, scan.state));
    ParcelRow {
        id: parcel.id,
        waybill: parcel.waybill,
        number: souk_codes::waybill::text(parcel.waybill.number()),
        state: parcel.state,
        level: parcel.level,
        steps: steps.iter().map(|scan| (word(scan.kind), scan.at)).collect(),
        pending,
    }
}

/// Shipping goes to the courier that the shop named, fees are what was taken of each line, the rest is the seller's.
fn split_of(order: &Order) -> SplitView {
    let money = |minor| Money::new(minor, order.currency);
    let courier: i64 = match order.fees.courier {
        Some(_) => {
            order.lines.iter().filter(|line| line.kind == LineKind::Shipping).map(|line| line.released).sum()
        }
        None => 0,
    };
    let fees: i64 = order.lines.iter().map(|line| line.commission + line.commission_tax).sum();
    SplitView { seller: money(order.released - courier - fees), courier: money(courier), fees: money(fees) }
}
