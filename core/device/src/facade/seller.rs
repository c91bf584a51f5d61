//! The seller's calls (spec/desktop.md 4). The balance is asked of the server: [`Device`](crate::runtime::Device).

use souk_domain::catalogue::put_product::{CheckedProduct, ProductFacts};
use souk_domain::catalogue::{Offer, OfferState, QuantityRule, TaxRule};
use souk_domain::id::{OfferId, OrderId, ShopId};
use souk_domain::intent::{Body, OpenShop, PutProduct};
use souk_domain::money::{Money, Ppm};
use souk_domain::num::Rounding;
use souk_domain::rows::{Key, Row};
use souk_domain::scope::{EntityKind, Scope};

use super::buyer::saved_view;
use super::orders::{Viewer, limit_of};
use super::requests::{MakeLabelRequest, OpenShopRequest, OrdersRequest, PutProductRequest};
use super::views::{OrderDetail, OrdersPage, OwnProductRow, PrintView, SavedView};
use crate::clock::Now;
use crate::error::SoukError;
use crate::host::DeviceHost;
use crate::outbox::Tap;

impl DeviceHost {
    /// Opens a shop; its id is the intent's id.
    pub fn open_shop(&mut self, request: &OpenShopRequest, now: Now) -> Result<SavedView, SoukError> {
        let body = Body::OpenShop(OpenShop {
            name: request.name.clone(),
            city: request.city.clone(),
            country: request.country.clone(),
            currency: request.currency,
            shipping: request.shipping.into(),
            courier: request.courier,
        });
        let copy = serde_json::json!({"title": request.name});
        Ok(saved_view(self.tap(Tap { copy, ..Tap::of(body) }, now)?))
    }

    /// The own shop, pending or decided. Refuses `role.none`.
    pub fn my_shop(&mut self, now: Now) -> Result<ShopId, SoukError> {
        self.desk(now)?.my_shop()
    }

    /// Adds or changes a product with its offer, by (shop, sku). Refuses `role.none`, the limits of the catalogue,
    /// and what [`DeviceHost::tap`] refuses.
    pub fn put_product(&mut self, request: &PutProductRequest, now: Now) -> Result<SavedView, SoukError> {
        let shop = self.desk(now)?.my_shop()?;
        let product = CheckedProduct::new(ProductFacts {
            title: request.title.clone(),
            titles: request.titles.clone(),
            category: request.category.clone(),
            brand: request.brand.clone(),
            description: request.description.clone(),
            weight_g: request.weight_g,
            ..ProductFacts::default()
        })?;
        let body = Body::PutProduct(Box::new(PutProduct {
            shop,
            sku: request.sku.clone(),
            product,
            price: request.price,
            tax: TaxRule { rate: Ppm(request.tax_ppm.into()), inclusive: true, rounding: Rounding::HalfUp },
            quantity: QuantityRule::ANY,
            stock: request.stock,
        }));
        let copy = serde_json::json!({"title": request.title, "sku": request.sku});
        Ok(saved_view(self.tap(Tap { copy, ..Tap::of(body) }, now)?))
    }

    /// Products of the own shop. Refuses `role.none`.
    pub fn own_products(
        &mut self,
        request: OrdersRequest,
        now: Now,
    ) -> Result<Vec<OwnProductRow>, SoukError> {
        let desk = self.desk(now)?;
        let scope = Scope::Seller(desk.my_shop()?);
        let pick = |row| match row {
            Row::Offer(offer) => Some(offer),
            _ => None,
        };
        let rank = |offer: &Offer| i64::from(offer.revision);
        let window = (request.offset, limit_of(request.limit));
        let mut rows = Vec::new();
        for (offer, mark) in desk.list(&scope, EntityKind::Offer, window, pick, rank)? {
            let key = Key::stock(offer.id);
            let stock = match desk.row(EntityKind::Stock, offer.id.bytes(), &key)? {
                Some((Row::Stock(stock), _)) => Some(stock),
                _ => None,
            };
            rows.push(OwnProductRow {
                offer: offer.id,
                product: offer.product,
                sku: offer.sku,
                title: offer.title,
                price: offer.price,
                on_hand: stock.as_ref().map_or(0, |stock| stock.on_hand),
                available: stock.as_ref().map_or(0, |stock| stock.available()),
                stock_revision: stock.as_ref().map_or(0, |stock| stock.revision),
                is_live: offer.state == OfferState::Live,
                pending: mark.or_else(|| desk.mark(&key)),
            });
        }
        Ok(rows)
    }

    /// Says how many units are there. `base` = the revision that the seller saw. Refuses `edit.conflict`,
    /// `stock.range`, and what [`DeviceHost::tap`] refuses.
    pub fn set_stock(
        &mut self,
        offer: OfferId,
        on_hand: u32,
        base: Option<u32>,
        now: Now,
    ) -> Result<SavedView, SoukError> {
        self.about_offer(offer, Body::SetStock { offer, on_hand, base_revision: base }, now)
    }

    /// Changes a price. Refuses `price.bad`, `money.currency`, and what [`DeviceHost::tap`] refuses.
    pub fn set_price(&mut self, offer: OfferId, price: Money, now: Now) -> Result<SavedView, SoukError> {
        self.about_offer(offer, Body::SetPrice { offer, price }, now)
    }

    /// Takes an offer down, or up again.
    pub fn set_offer_live(
        &mut self,
        offer: OfferId,
        is_live: bool,
        now: Now,
    ) -> Result<SavedView, SoukError> {
        let state = if is_live { OfferState::Live } else { OfferState::Paused };
        self.about_offer(offer, Body::SetOfferState { offer, state }, now)
    }

    fn about_offer(&mut self, offer: OfferId, body: Body, now: Now) -> Result<SavedView, SoukError> {
        let desk = self.desk(now)?;
        let title = match desk.row(EntityKind::Offer, offer.bytes(), &Key::offer(offer))? {
            Some((Row::Offer(offer), _)) => offer.title,
            _ => String::new(),
        };
        let copy = serde_json::json!({"title": title, "offer": offer});
        Ok(saved_view(self.tap(Tap { copy, ..Tap::of(body) }, now)?))
    }

    /// Orders of the own shop, newest first. Refuses `role.none`.
    pub fn shop_orders(&mut self, request: OrdersRequest, now: Now) -> Result<OrdersPage, SoukError> {
        let desk = self.desk(now)?;
        let shop = desk.my_shop()?;
        desk.orders(Viewer::Shop(shop), request)
    }

    /// One order of the own shop. Refuses `role.none`, `order.unknown`.
    pub fn shop_order(&mut self, id: OrderId, now: Now) -> Result<OrderDetail, SoukError> {
        let desk = self.desk(now)?;
        let shop = desk.my_shop()?;
        desk.order_detail(id, Viewer::Shop(shop))
    }

    /// Makes the label of an order's parcel. The platform signs it, so it is there when the server has decided.
    pub fn make_label(&mut self, request: MakeLabelRequest, now: Now) -> Result<SavedView, SoukError> {
        let MakeLabelRequest { order, weight_g, courier } = request;
        self.about_order(order, Body::MakeLabels { order, weight_g, courier }, now)
    }

    /// The labels of an order, to be printed. Refuses `order.unknown`, `label.unknown` while none is made.
    pub fn labels(&mut self, order: OrderId, now: Now) -> Result<Vec<PrintView>, SoukError> {
        let desk = self.desk(now)?;
        let shop = desk.my_shop()?;
        let (order, _) = desk.order(order)?.ok_or_else(|| SoukError::new("order.unknown"))?;
        let from = match desk.shop_row(shop)? {
            Some(shop) => vec![shop.name, format!("{} {}", shop.city, shop.country)],
            None => Vec::new(),
        };
        let id_text = order.id.to_string().to_uppercase();
        let mut labels = Vec::new();
        for id in &order.parcels {
            let Some((parcel, _)) = desk.parcel(*id)? else { continue };
            labels.push(PrintView {
                parcel: parcel.id,
                text: souk_codes::proof::text(&parcel.label),
                label: parcel.label,
                number: souk_codes::waybill::text(parcel.waybill.number()),
                from: from.clone(),
                // The address is the courier's to see; the parcel carries the order's number.
                to: vec![
                    format!("ORDER {}", &id_text[id_text.len() - 8..]),
                    "ADDRESS: SEE STOP LIST".to_owned(),
                ],
            });
        }
        if labels.is_empty() { Err(SoukError::new("label.unknown")) } else { Ok(labels) }
    }

    /// Says that an order is on its way where no scan will come. Refuses `ship.scan_expected`, `order.state`.
    pub fn ship(&mut self, order: OrderId, now: Now) -> Result<SavedView, SoukError> {
        self.about_order(order, Body::Ship { order }, now)
    }

    /// Gives the money of an order back. Refuses `order.state`, and what [`DeviceHost::tap`] refuses.
    pub fn refund_order(&mut self, order: OrderId, now: Now) -> Result<SavedView, SoukError> {
        self.about_order(order, Body::RefundOrder { order }, now)
    }
}
