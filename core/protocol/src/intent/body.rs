//! Bodies by kind: the one place that knows the names of their members.
//!
//! Always: `read(kind, write(body)) = body` for every kind that a user may send.

use serde_json::{Map, Value};
use souk_domain::catalogue::put_product::ProductFacts;
use souk_domain::catalogue::{CheckedProduct, QuantityRule, TaxRule};
use souk_domain::intent::{Body, OpenShop, PlaceOrder, PutProduct, ShortPolicy, WantedLine};
use souk_domain::outcome::Refusal;
use souk_domain::party::{CheckoutLine, Shipping};

use super::fields::{Fields, Members, form};

/// Reads the body of a kind; every member must be known.
pub(super) fn read(kind: &str, body: Map<String, Value>) -> Result<Body, Refusal> {
    let mut f = Fields::new("body".to_owned(), body);
    let body = match kind {
        "OpenShop" => Body::OpenShop(read_open_shop(&mut f)?),
        "PutProduct" => Body::PutProduct(Box::new(read_put_product(&mut f)?)),
        "SetOfferState" => Body::SetOfferState { offer: f.read("offer")?, state: f.read("state")? },
        "SetPrice" => Body::SetPrice { offer: f.read("offer")?, price: f.read("price")? },
        "SetStock" => Body::SetStock {
            offer: f.read("offer")?,
            on_hand: f.read("on_hand")?,
            base_revision: f.maybe("base")?,
        },
        "SetCartLine" => {
            Body::SetCartLine { offer: f.read("offer")?, quantity: f.read("q")?, seen: f.read("seen")? }
        }
        "PutCheckout" => Body::PutCheckout {
            checkout: f.read("checkout")?,
            lines: f.list("lines")?.into_iter().map(read_checkout_line).collect::<Result<_, _>>()?,
        },
        "PlaceOrder" => Body::PlaceOrder(PlaceOrder {
            shop: f.read("shop")?,
            lines: f.list("lines")?.into_iter().map(read_wanted_line).collect::<Result<_, _>>()?,
            policy: read_policy(&mut f)?,
            note: f.or_default("note")?,
        }),
        "PayStart" => {
            Body::PayStart { order: f.read("order")?, rail: f.read("rail")?, method: f.read("method")? }
        }
        "CancelOrder" => Body::CancelOrder { order: f.read("order")? },
        "OpenCase" => Body::OpenCase { order: f.read("order")?, reason: f.read("reason")? },
        "RefundOrder" => Body::RefundOrder { order: f.read("order")? },
        "Confirm" => Body::Confirm { order: f.read("order")? },
        "MakeLabels" => Body::MakeLabels {
            order: f.read("order")?,
            weight_g: f.read("weight_g")?,
            courier: f.maybe("courier")?,
        },
        "Ship" => Body::Ship { order: f.read("order")? },
        "OpenShift" => Body::OpenShift { hours: f.read("hours")? },
        "CloseShift" => Body::CloseShift { shift: f.read("shift")? },
        "AppendCustody" => Body::AppendCustody { waybill: f.read("waybill")? },
        "ConfirmHandOver" => Body::ConfirmHandOver {
            waybill: f.read("waybill")?,
            label: f.bytes("label")?,
            proof: f.bytes("proof")?,
            acknowledgement: f.bytes("ack")?,
        },
        _ => return Err(Refusal::new("intent.kind").with("kind", kind)),
    };
    f.end()?;
    Ok(body)
}

/// Writes the body of a kind; acts of the server have no text: `intent.kind`.
pub(super) fn write(body: &Body) -> Result<Map<String, Value>, Refusal> {
    let mut m = Members::new();
    match body {
        Body::OpenShop(shop) => write_open_shop(&mut m, shop)?,
        Body::PutProduct(put) => write_put_product(&mut m, put)?,
        Body::SetOfferState { offer, state } => {
            m.put("offer", offer)?;
            m.put("state", state)?;
        }
        Body::SetPrice { offer, price } => {
            m.put("offer", offer)?;
            m.put("price", price)?;
        }
        Body::SetStock { offer, on_hand, base_revision } => {
            m.put("offer", offer)?;
            m.put("on_hand", on_hand)?;
            m.put_some("base", base_revision.as_ref())?;
        }
        Body::SetCartLine { offer, quantity, seen } => {
            m.put("offer", offer)?;
            m.put("q", quantity)?;
            m.put("seen", seen)?;
        }
        Body::PutCheckout { checkout, lines } => {
            m.put("checkout", checkout)?;
            m.put("lines", &lines.iter().map(write_checkout_line).collect::<Result<Vec<_>, _>>()?)?;
        }
        Body::PlaceOrder(place) => {
            m.put("shop", &place.shop)?;
            m.put("lines", &place.lines.iter().map(write_wanted_line).collect::<Result<Vec<_>, _>>()?)?;
            m.put("policy", policy_name(place.policy))?;
            m.put_unless("note", &place.note)?;
        }
        Body::PayStart { order, rail, method } => {
            m.put("order", order)?;
            m.put("rail", rail)?;
            m.put("method", method)?;
        }
        Body::CancelOrder { order }
        | Body::RefundOrder { order }
        | Body::Confirm { order }
        | Body::Ship { order } => m.put("order", order)?,
        Body::OpenCase { order, reason } => {
            m.put("order", order)?;
            m.put("reason", reason)?;
        }
        Body::MakeLabels { order, weight_g, courier } => {
            m.put("order", order)?;
            m.put("weight_g", weight_g)?;
            m.put_some("courier", courier.as_ref())?;
        }
        Body::OpenShift { hours } => m.put("hours", hours)?,
        Body::CloseShift { shift } => m.put("shift", shift)?,
        Body::AppendCustody { waybill } => m.put("waybill", waybill)?,
        Body::ConfirmHandOver { waybill, label, proof, acknowledgement } => {
            m.put("waybill", waybill)?;
            m.put_bytes("label", label)?;
            m.put_bytes("proof", proof)?;
            m.put_bytes("ack", acknowledgement)?;
        }
        Body::Server(act) => return Err(Refusal::new("intent.kind").with("kind", act.kind())),
    }
    Ok(m.done())
}

fn read_open_shop(f: &mut Fields) -> Result<OpenShop, Refusal> {
    Ok(OpenShop {
        name: f.read("name")?,
        city: f.read("city")?,
        country: f.read("country")?,
        currency: f.read("currency")?,
        shipping: read_shipping(f.nested("shipping")?.ok_or_else(|| form("body.shipping"))?)?,
        courier: f.maybe("courier")?,
    })
}

fn write_open_shop(m: &mut Members, shop: &OpenShop) -> Result<(), Refusal> {
    m.put("name", &shop.name)?;
    m.put("city", &shop.city)?;
    m.put("country", &shop.country)?;
    m.put("currency", &shop.currency)?;
    let mut shipping = Members::new();
    shipping.put("flat", &shop.shipping.flat)?;
    shipping.put_some("free_from", shop.shipping.free_from.as_ref())?;
    m.put("shipping", &shipping.done())?;
    m.put_some("courier", shop.courier.as_ref())
}

fn read_shipping(mut f: Fields) -> Result<Shipping, Refusal> {
    let shipping = Shipping { flat: f.read("flat")?, free_from: f.maybe("free_from")? };
    f.end()?;
    Ok(shipping)
}

fn read_put_product(f: &mut Fields) -> Result<PutProduct, Refusal> {
    Ok(PutProduct {
        shop: f.read("shop")?,
        sku: f.read("sku")?,
        product: CheckedProduct::new(ProductFacts {
            title: f.read("title")?,
            titles: f.or_default("titles")?,
            category: f.read("category")?,
            brand: f.or_default("brand")?,
            mpn: f.or_default("mpn")?,
            description: f.or_default("description")?,
            attributes: f.or_default("attributes")?,
            gtins: f.or_default("gtins")?,
            weight_g: f.or_default("weight_g")?,
            image: f.maybe("image")?,
        })?,
        price: f.read("price")?,
        tax: read_tax(f.nested("tax")?.ok_or_else(|| form("body.tax"))?)?,
        quantity: f.nested("quantity")?.map_or(Ok(QuantityRule::ANY), read_quantity)?,
        stock: f.maybe("stock")?,
    })
}

fn write_put_product(m: &mut Members, put: &PutProduct) -> Result<(), Refusal> {
    let facts = put.product.facts();
    m.put("shop", &put.shop)?;
    m.put("sku", &put.sku)?;
    m.put("title", &facts.title)?;
    m.put_unless("titles", &facts.titles)?;
    m.put("category", &facts.category)?;
    m.put_unless("brand", &facts.brand)?;
    m.put_unless("mpn", &facts.mpn)?;
    m.put_unless("description", &facts.description)?;
    m.put_unless("attributes", &facts.attributes)?;
    m.put_unless("gtins", &facts.gtins)?;
    m.put_unless("weight_g", &facts.weight_g)?;
    m.put_some("image", facts.image.as_ref())?;
    m.put("price", &put.price)?;
    let mut tax = Members::new();
    tax.put("ppm", &put.tax.rate)?;
    tax.put("inclusive", &put.tax.inclusive)?;
    tax.put("rounding", &put.tax.rounding)?;
    m.put("tax", &tax.done())?;
    if put.quantity != QuantityRule::ANY {
        let mut quantity = Members::new();
        quantity.put("min", &put.quantity.min)?;
        quantity.put("step", &put.quantity.step)?;
        quantity.put("max", &put.quantity.max)?;
        m.put("quantity", &quantity.done())?;
    }
    m.put_some("stock", put.stock.as_ref())
}

fn read_tax(mut f: Fields) -> Result<TaxRule, Refusal> {
    let tax =
        TaxRule { rate: f.read("ppm")?, inclusive: f.read("inclusive")?, rounding: f.read("rounding")? };
    f.end()?;
    Ok(tax)
}

fn read_quantity(mut f: Fields) -> Result<QuantityRule, Refusal> {
    let rule = QuantityRule { min: f.read("min")?, step: f.read("step")?, max: f.read("max")? };
    f.end()?;
    Ok(rule)
}

fn read_checkout_line(mut f: Fields) -> Result<CheckoutLine, Refusal> {
    let line = CheckoutLine { offer: f.read("offer")?, quantity: f.read("q")? };
    f.end()?;
    Ok(line)
}

fn write_checkout_line(line: &CheckoutLine) -> Result<Map<String, Value>, Refusal> {
    let mut m = Members::new();
    m.put("offer", &line.offer)?;
    m.put("q", &line.quantity)?;
    Ok(m.done())
}

fn read_wanted_line(mut f: Fields) -> Result<WantedLine, Refusal> {
    let line = WantedLine { offer: f.read("offer")?, quantity: f.read("q")?, seen: f.read("seen")? };
    f.end()?;
    Ok(line)
}

fn write_wanted_line(line: &WantedLine) -> Result<Map<String, Value>, Refusal> {
    let mut m = Members::new();
    m.put("offer", &line.offer)?;
    m.put("q", &line.quantity)?;
    m.put("seen", &line.seen)?;
    Ok(m.done())
}

fn read_policy(f: &mut Fields) -> Result<ShortPolicy, Refusal> {
    match f.read::<String>("policy")?.as_str() {
        "all_or_nothing" => Ok(ShortPolicy::AllOrNothing),
        "partial" => Ok(ShortPolicy::Partial),
        _ => Err(form("body.policy")),
    }
}

fn policy_name(policy: ShortPolicy) -> &'static str {
    match policy {
        ShortPolicy::AllOrNothing => "all_or_nothing",
        ShortPolicy::Partial => "partial",
    }
}
