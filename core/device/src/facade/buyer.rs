//! The buyer's calls (spec/mobile.md 2.13).

use std::collections::BTreeMap;

use souk_domain::catalogue::{Card, OfferState};
use souk_domain::id::{OfferId, OrderId, ProductId, ShopId};
use souk_domain::intent::{Body, PlaceOrder, ShortPolicy, WantedLine};
use souk_domain::money::Money;
use souk_domain::order::{LINES_MAX, OrderState, PayMethod, RailId};
use souk_domain::outcome::{Fact, Facts, Outcome, Refusal};
use souk_domain::party::CartLine;
use souk_domain::rows::{Key, Row};
use souk_domain::scope::{EntityKind, Scope};
use souk_protocol::views::{address_bin, order_word};

use super::orders::Viewer;
use super::requests::{LineRequest, OrdersRequest, PayRequest, PlaceOrderRequest, SearchRequest};
use super::views::{
    CartLineRow, CartShop, CartView, CategoryView, OrderDetail, OrdersPage, PayeeView, PlacedOrder,
    PlacedView, ProductDetail, ProductPage, ProductRow, QuoteView, SavedView, ShopQuote,
};
use super::{Desk, PAGE_ROWS_MAX, SEARCH_ROWS_DEFAULT, SEARCH_ROWS_MAX};
use crate::clock::Now;
use crate::error::{SoukError, StoreError, StoreResult};
use crate::host::{DeviceHost, Tapped};
use crate::outbox::{Confidence, Predicted, Tap};
use crate::search::{self, Page, Rid, SearchError};
use crate::store::cache;

impl DeviceHost {
    /// Products that a text finds, or the shelf in its order. Works without a network. Refuses `search.empty`,
    /// `search.unfinished`, `search.too_long`, `search.too_many_words`.
    pub fn search(&mut self, request: &SearchRequest) -> Result<ProductPage, SoukError> {
        let cache = &self.files()?.cache;
        let limit = match request.limit {
            0 => SEARCH_ROWS_DEFAULT,
            asked => asked.min(SEARCH_ROWS_MAX),
        };
        let category = request.category.as_str();
        let (rids, next, corrected) = if request.text.trim().is_empty() {
            let rids = cache::page(cache, request.after.unwrap_or(i64::MIN), category, limit)?;
            let next = if rids.len() == limit { rids.last().copied() } else { None };
            (rids, next, None)
        } else {
            let text_of = |rid| cache::text_at(cache, rid, category);
            match request.after {
                None => {
                    let answer =
                        search::search_text(cache, &request.text, limit, text_of).map_err(search_error)?;
                    let corrected = answer.corrected.map(|query| query.to_string());
                    (answer.hits.rids, answer.hits.next, corrected)
                }
                Some(after) => {
                    let query =
                        souk_text::Query::parse(&request.text).map_err(|error| search_error(error.into()))?;
                    let page = Page { after: Some(Rid(after)), limit };
                    let hits = search::search(cache, &query, page, text_of).map_err(StoreError::from)?;
                    (hits.rids, hits.next, None)
                }
            }
        };
        let mut rows = Vec::with_capacity(rids.len());
        for rid in rids {
            if let Some(card) = cache::card_at(cache, rid)? {
                let shop_name = cache::shop_card(cache, card.shop)?.map(|shop| shop.name);
                rows.push(product_row(&card, rid.0, shop_name.unwrap_or_default()));
            }
        }
        Ok(ProductPage { rows, next: next.map(|rid| rid.0), corrected })
    }

    /// Categories that have live products.
    pub fn categories(&mut self) -> Result<Vec<CategoryView>, SoukError> {
        let found = cache::categories(&self.files()?.cache)?;
        Ok(found.into_iter().map(|(category, products)| CategoryView { category, products }).collect())
    }

    /// One product. Refuses `product.unknown`.
    pub fn product(&mut self, id: ProductId, now: Now) -> Result<ProductDetail, SoukError> {
        let desk = self.desk(now)?;
        let cache = &desk.files.cache;
        let card = cache::card(cache, id)?.ok_or_else(|| SoukError::new("product.unknown"))?;
        let shop = cache::shop_card(cache, card.shop)?;
        let in_cart = match desk.session {
            Some(_) => desk.cart_line(card.offer)?.map_or(0, |line| line.quantity),
            None => 0,
        };
        let name = shop.as_ref().map(|shop| shop.name.clone()).unwrap_or_default();
        Ok(ProductDetail {
            row: product_row(&card, card.rid, name),
            titles: card.titles.clone(),
            quantity: card.quantity.into(),
            shipping: shop.map(|shop| shop.shipping.into()),
            in_cart,
        })
    }

    /// The cart, by shops.
    pub fn cart(&mut self, now: Now) -> Result<CartView, SoukError> {
        let desk = self.desk(now)?;
        let scope = Scope::Account(desk.me()?);
        let pick = |row| match row {
            Row::CartLine(line) => Some(line),
            _ => None,
        };
        let rank = |line: &CartLine| line.at.micros();
        let lines = desk.list(&scope, EntityKind::CartLine, (0, PAGE_ROWS_MAX), pick, rank)?;
        let mut shops: BTreeMap<ShopId, CartShop> = BTreeMap::new();
        for (line, pending) in lines.into_iter().filter(|(line, _)| line.quantity > 0) {
            let Some(card) = cache::card_of_offer(&desk.files.cache, line.offer)? else { continue };
            let name = desk.shop_name(card.shop)?;
            let zero = Money::new(0, card.price.currency);
            let shop = shops.entry(card.shop).or_insert(CartShop {
                shop: card.shop,
                name,
                lines: Vec::new(),
                goods: Some(zero),
            });
            let amount = card.price.mul(i64::from(line.quantity)).ok();
            shop.goods = shop.goods.zip(amount).and_then(|(sum, amount)| sum.add(amount).ok());
            shop.lines.push(CartLineRow {
                offer: line.offer,
                title: card.title,
                quantity: line.quantity,
                seen: line.seen,
                price: card.price,
                is_live: card.state == OfferState::Live,
                pending,
            });
        }
        Ok(CartView { shops: shops.into_values().collect() })
    }

    /// Writes a cart line; 0 removes it. Refuses `offer.gone`, `offer.quantity`, and what [`DeviceHost::tap`] refuses.
    pub fn set_cart_line(&mut self, line: LineRequest, now: Now) -> Result<SavedView, SoukError> {
        let card = self.card_of(line.offer)?;
        let body = Body::SetCartLine { offer: line.offer, quantity: line.quantity, seen: card.price };
        let copy = serde_json::json!({"title": card.title, "quantity": line.quantity});
        Ok(saved_view(self.tap(Tap { copy, ..Tap::of(body) }, now)?))
    }

    /// What orders would come to, one a shop. Nothing is written.
    pub fn quote(&mut self, request: &PlaceOrderRequest, now: Now) -> Result<QuoteView, SoukError> {
        let by_shop = self.by_shop(&request.lines)?;
        let desk = self.desk(now)?;
        let mut shops = Vec::new();
        for (shop, lines) in by_shop {
            let predicted = desk.predict_body(Body::PlaceOrder(wanted(shop, &lines, request)), Vec::new())?;
            let (total, code, facts) = expected(&predicted);
            let name = desk.shop_name(shop)?;
            shops.push(ShopQuote { shop, name, total, sure: predicted.confidence, code, facts });
        }
        Ok(QuoteView { shops })
    }

    /// Places one order a shop and takes the lines out of the cart. Saved on this device before it answers; decided
    /// when the server has it. Refuses `order.lines`, `offer.gone`, `addr.required{field}`, and what
    /// [`DeviceHost::tap`] refuses. Orders of shops before the refused one stay placed.
    pub fn place_order(&mut self, request: &PlaceOrderRequest, now: Now) -> Result<PlacedView, SoukError> {
        let by_shop = self.by_shop(&request.lines)?;
        let mut orders = Vec::new();
        for (shop, lines) in &by_shop {
            orders.push(self.place_at(*shop, lines, request, now)?);
        }
        for line in &request.lines {
            let desk = self.desk(now)?;
            if desk.cart_line(line.offer)?.is_some_and(|line| line.quantity > 0) {
                self.set_cart_line(LineRequest { offer: line.offer, quantity: 0 }, now)?;
            }
        }
        Ok(PlacedView { orders })
    }

    fn place_at(
        &mut self,
        shop: ShopId,
        lines: &[(LineRequest, Card)],
        request: &PlaceOrderRequest,
        now: Now,
    ) -> Result<PlacedOrder, SoukError> {
        let bin = match &request.address {
            Some(address) => address_bin(self.random()?, address)?,
            None => Vec::new(),
        };
        let body = Body::PlaceOrder(wanted(shop, lines, request));
        // Never dearer than what the screen shows, unless the user agrees to more.
        let shown = self.desk(now)?.predict_body(body.clone(), bin.clone())?;
        let max_total = request.max_total.or(expected(&shown).0);
        let titles: Vec<&str> = lines.iter().map(|(_, card)| card.title.as_str()).collect();
        let copy = serde_json::json!({
            "title": titles.first().copied().unwrap_or_default(),
            "lines": lines.iter().map(|(line, card)| serde_json::json!({
                "title": card.title, "offer": line.offer, "quantity": line.quantity, "price": card.price,
            })).collect::<Vec<_>>(),
            "shop": shop,
            "max_total": max_total,
        });
        let tapped = self.tap(Tap { bin, max_total, copy, ..Tap::of(body) }, now)?;
        let order = OrderId::from_bytes(*tapped.id.bytes()).map_err(|_| Refusal::new("id.form"))?;
        let (total, warning, _) = expected(&tapped.predicted);
        Ok(PlacedOrder { order, shop, total, sure: tapped.predicted.confidence, warning })
    }

    /// Lines by shop, each with its card. Refuses `order.lines{limit}`, `offer.gone{lines}`.
    fn by_shop(
        &self,
        lines: &[LineRequest],
    ) -> Result<BTreeMap<ShopId, Vec<(LineRequest, Card)>>, SoukError> {
        if lines.is_empty() || lines.len() > LINES_MAX {
            return Err(Refusal::new("order.lines").with("limit", LINES_MAX as i64).into());
        }
        let mut shops: BTreeMap<ShopId, Vec<(LineRequest, Card)>> = BTreeMap::new();
        for line in lines {
            let card = self.card_of(line.offer)?;
            shops.entry(card.shop).or_default().push((*line, card));
        }
        Ok(shops)
    }

    fn card_of(&self, offer: OfferId) -> Result<Card, SoukError> {
        let gone = || {
            let line = Facts::none().with_text("offer", offer);
            SoukError::from(Refusal::new("offer.gone").with("lines", vec![line]))
        };
        cache::card_of_offer(&self.files()?.cache, offer)?.ok_or_else(gone)
    }

    /// Orders, newest first.
    pub fn orders(&mut self, request: OrdersRequest, now: Now) -> Result<OrdersPage, SoukError> {
        self.desk(now)?.orders(Viewer::Buyer, request)
    }

    /// One order. Refuses `order.unknown`.
    pub fn order(&mut self, id: OrderId, now: Now) -> Result<OrderDetail, SoukError> {
        self.desk(now)?.order_detail(id, Viewer::Buyer)
    }

    /// Asks the rail for the money of an order. Refuses what a sure prediction refuses (`order.closed`,
    /// `order.already_paid`, `pay.in_progress`) and what [`DeviceHost::tap`] refuses.
    pub fn pay(&mut self, request: PayRequest, now: Now) -> Result<SavedView, SoukError> {
        let rail = RailId::new(RailId::SANDBOX).ok_or_else(|| SoukError::new("pay.method"))?;
        let body = Body::PayStart { order: request.order, rail, method: request.method };
        self.about_order(request.order, body, now)
    }

    /// Reads a payment code and checks it: the platform's signature, and what the order owes. Refuses the codes of
    /// strict EMV and of our profile (`qr.*`).
    pub fn read_pay_code(&mut self, text: &str, now: Now) -> Result<PayeeView, SoukError> {
        let desk = self.desk(now)?;
        let guid =
            desk.reference.map_or(souk_codes::paycode::GUID_DEFAULT, |reference| reference.emv_guid.as_str());
        let code = souk_codes::paycode::PayCode::read_with_guid(text.trim(), guid)
            .map_err(|error| SoukError::new(error.code()))?;
        let d =
            souk_crypto::hash::sha256(&[souk_codes::paycode::SIGNING_PREFIX, &code.signing_bytes].concat());
        let minutes = u32::try_from(desk.clock.at.minutes()).unwrap_or(u32::MAX);
        let is_verified = !code.is_expired(minutes)
            && desk
                .platform_key(code.fields.key_id)
                .is_some_and(|key| key.verify(&d, &code.signature).is_ok());
        let currency = souk_domain::money::Currency::from_numeric(code.fields.currency).ok();
        let amount = code
            .fields
            .amount
            .as_deref()
            .zip(currency)
            .and_then(|(amount, currency)| Money::parse(amount, currency).ok());
        let order = code.fields.order.as_ref().and_then(|order| OrderId::from_bytes(order.order).ok());
        let owed = match order {
            Some(id) => desk.order(id)?.filter(|(order, _)| {
                Some(order.buyer) == desk.session.map(|session| session.account)
                    && order.state == OrderState::Created
            }),
            None => None,
        };
        Ok(PayeeView {
            name: code.fields.merchant_name.clone(),
            order,
            amount,
            is_verified,
            is_own_order: owed.is_some_and(|(order, _)| Some(order.total) == amount),
        })
    }

    /// Pays the order that a code names. Refuses `qr.unverified` (the signature does not hold, or it has expired),
    /// `order.unknown` (not this account's, or another amount), and what [`DeviceHost::pay`] refuses.
    pub fn pay_by_code(&mut self, text: &str, now: Now) -> Result<SavedView, SoukError> {
        let payee = self.read_pay_code(text, now)?;
        if !payee.is_verified {
            return Err(SoukError::new("qr.unverified"));
        }
        match payee.order {
            Some(order) if payee.is_own_order => {
                self.pay(PayRequest { order, method: PayMethod::Mandate }, now)
            }
            _ => Err(SoukError::new("order.unknown")),
        }
    }

    /// The buyer has what was ordered: releases the escrow.
    pub fn confirm_receipt(&mut self, order: OrderId, now: Now) -> Result<SavedView, SoukError> {
        self.about_order(order, Body::Confirm { order }, now)
    }

    /// Ends an order that is not paid.
    pub fn cancel_order(&mut self, order: OrderId, now: Now) -> Result<SavedView, SoukError> {
        self.about_order(order, Body::CancelOrder { order }, now)
    }

    /// Asks for the money back before shipping.
    pub fn open_case(&mut self, order: OrderId, reason: &str, now: Now) -> Result<SavedView, SoukError> {
        self.about_order(order, Body::OpenCase { order, reason: reason.to_owned() }, now)
    }

    /// Saves an act on an order; its copy names the order by its first line.
    pub(super) fn about_order(
        &mut self,
        order: OrderId,
        body: Body,
        now: Now,
    ) -> Result<SavedView, SoukError> {
        let desk = self.desk(now)?;
        let title = match desk.order(order)? {
            Some((row, _)) => {
                let word = order_word(&row, &[]).name();
                let first = row.lines.first().map(|line| line.title.clone()).unwrap_or_default();
                serde_json::json!({"title": first, "order": order, "was": word})
            }
            None => serde_json::json!({"order": order}),
        };
        Ok(saved_view(self.tap(Tap { copy: title, ..Tap::of(body) }, now)?))
    }
}

impl Desk<'_> {
    /// A line of the own cart.
    fn cart_line(&self, offer: OfferId) -> StoreResult<Option<CartLine>> {
        let Some(session) = self.session else { return Ok(None) };
        let key = Key::cart_line(session.account, offer);
        Ok(match self.row(EntityKind::CartLine, offer.bytes(), &key)? {
            Some((Row::CartLine(line), _)) => Some(line),
            _ => None,
        })
    }

    /// A key of the platform: from reference data, or from the registration before that has come.
    pub(crate) fn platform_key(&self, id: u8) -> Option<souk_crypto::sign::PublicKey> {
        let of_reference = self.reference.and_then(|reference| reference.platform_key(id).copied());
        let key = of_reference.or_else(|| {
            let keys = crate::store::session::server_keys(&self.files.user).ok()?;
            keys.into_iter().find(|key| key.id == id).map(|key| key.public)
        })?;
        souk_crypto::sign::PublicKey::from_bytes(souk_crypto::sign::Alg::Ed25519, &key).ok()
    }
}

fn search_error(error: SearchError) -> SoukError {
    match error {
        SearchError::Text(error) => SoukError::new(error.code()),
        SearchError::Store(error) => StoreError::from(error).into(),
    }
}

fn product_row(card: &Card, rank: i64, shop_name: String) -> ProductRow {
    ProductRow {
        rank,
        product: card.product,
        offer: card.offer,
        shop: card.shop,
        shop_name,
        title: card.title.clone(),
        brand: card.brand.clone(),
        category: card.category.clone(),
        price: card.price,
        band: card.band,
        is_live: card.state == OfferState::Live,
    }
}

fn wanted(shop: ShopId, lines: &[(LineRequest, Card)], request: &PlaceOrderRequest) -> PlaceOrder {
    let line = |(line, card): &(LineRequest, Card)| WantedLine {
        offer: line.offer,
        quantity: line.quantity,
        seen: card.price.minor,
    };
    PlaceOrder {
        shop,
        lines: lines.iter().map(line).collect(),
        policy: if request.partial { ShortPolicy::Partial } else { ShortPolicy::AllOrNothing },
        note: request.note.clone(),
    }
}

/// Total, code and facts of a prediction.
fn expected(predicted: &Predicted) -> (Option<Money>, Option<String>, Facts) {
    match predicted.outcome.clone().map(Outcome::from) {
        Some(Outcome::Accepted { data, .. }) => {
            let total = match data.get("total") {
                Some(Fact::Money(total)) => Some(*total),
                _ => None,
            };
            (total, None, data)
        }
        Some(outcome) => {
            let code = outcome.code().map(str::to_owned);
            let facts = match outcome {
                Outcome::Rejected { data, .. } => data,
                Outcome::Accepted { .. } | Outcome::Expired | Outcome::Withdrawn => Facts::none(),
            };
            (None, code, facts)
        }
        None => (None, None, Facts::none()),
    }
}

/// A saved tap as callers see it.
pub(super) fn saved_view(tapped: Tapped) -> SavedView {
    let (_, warning, facts) = expected(&tapped.predicted);
    let sure: Confidence = tapped.predicted.confidence;
    SavedView { id: tapped.id, sure, warning, facts }
}
