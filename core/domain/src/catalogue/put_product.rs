//! PutProduct: adds or changes a product with its offer, by (shop, sku).

use serde::{Deserialize, Serialize};

use super::card::{offer_rows, show_offer};
use super::offer::check_price;
use super::{
    ATTRIBUTE_CHARS_MAX, ATTRIBUTES_MAX, DESCRIPTION_CHARS_MAX, GTINS_MAX, Offer, OfferState, Product,
    SKU_CHARS_MAX, Sku, TAX_RATE_MAX, TITLE_CHARS_MAX, Variant,
};
use crate::bookkeeping::Owner;
use crate::context::Context;
use crate::id::{OfferId, ProductId, VariantId, form_c};
use crate::intent::PutProduct;
use crate::order::LINE_QUANTITY_MAX;
use crate::outcome::{Facts, Refusal};
use crate::rights::{Action, shop_for};
use crate::rows::{Key, Rows, Stop};
use crate::stock::Stock;

/// The facts of a product as a seller gives them.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ProductFacts {
    /// Title in the seller's language.
    pub title: String,
    /// Titles in other languages: (BCP 47 language, text).
    pub titles: Vec<(String, String)>,
    /// Category key.
    pub category: String,
    /// Brand, empty if none.
    pub brand: String,
    /// Manufacturer's part number, empty if none.
    pub mpn: String,
    /// Plain text.
    pub description: String,
    /// Attributes by key.
    pub attributes: Vec<(String, String)>,
    /// GTINs, 8, 12, 13 or 14 digits.
    pub gtins: Vec<String>,
    /// Weight in grams, 0 = unknown.
    pub weight_g: u32,
    /// SHA-256 of the main picture.
    pub image: Option<crate::party::TokenHash>,
}

/// Facts that keep to the limits of the catalogue: only [`CheckedProduct::new`] makes them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckedProduct(ProductFacts);

impl CheckedProduct {
    /// Checks the limits. Refuses `offer.title`, `product.too_large{field, limit}`, `gtin.length`, `gtin.check`.
    pub fn new(mut facts: ProductFacts) -> Result<CheckedProduct, Refusal> {
        let titles = std::iter::once(&facts.title).chain(facts.titles.iter().map(|(_, title)| title));
        for title in titles {
            if title.trim().is_empty() || title.chars().count() > TITLE_CHARS_MAX {
                return Err(Refusal::new("offer.title").with("limit", TITLE_CHARS_MAX as i64));
            }
        }
        let too_large = |field: &'static str, limit: usize| {
            Err(Refusal::new("product.too_large").with("field", field).with("limit", limit as i64))
        };
        if facts.description.chars().count() > DESCRIPTION_CHARS_MAX {
            return too_large("description", DESCRIPTION_CHARS_MAX);
        }
        if facts.attributes.len() > ATTRIBUTES_MAX {
            return too_large("attributes", ATTRIBUTES_MAX);
        }
        if facts.attributes.iter().any(|(_, value)| value.chars().count() > ATTRIBUTE_CHARS_MAX) {
            return too_large("attribute", ATTRIBUTE_CHARS_MAX);
        }
        if facts.gtins.len() > GTINS_MAX {
            return too_large("gtins", GTINS_MAX);
        }
        for gtin in &mut facts.gtins {
            *gtin = gtin_14(gtin)?;
        }
        facts.attributes.sort();
        Ok(CheckedProduct(facts))
    }

    /// The facts.
    pub fn facts(&self) -> &ProductFacts {
        &self.0
    }
}

/// A GTIN of 8, 12, 13 or 14 digits as 14 digits (spec/market.md 3.3; check: spec/logistics.md 2).
/// Refuses `gtin.length{maybe?}` and `gtin.check`.
pub fn gtin_14(text: &str) -> Result<String, Refusal> {
    let is_digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !is_digits || !matches!(text.len(), 8 | 12 | 13 | 14) {
        let refusal = Refusal::new("gtin.length").with("gtin", text);
        // Spreadsheets eat leading zeros: eleven digits that pass with one in front are named.
        let maybe = format!("0{text}");
        return Err(if is_digits && text.len() == 11 && has_gtin_check(&maybe) {
            refusal.with("maybe", maybe)
        } else {
            refusal
        });
    }
    if !has_gtin_check(text) {
        return Err(Refusal::new("gtin.check").with("gtin", text));
    }
    Ok(format!("{text:0>14}"))
}

/// Mod 10 with weights 3, 1 from the right, check digit last.
fn has_gtin_check(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(i, b)| u32::from(b - b'0') * if i % 2 == 0 { 1 } else { 3 })
        .sum();
    sum.is_multiple_of(10)
}

/// Adds or changes a product with its offer and, if it says so, its stock; the (shop, sku) names it, so the same
/// again changes nothing. Refuses: `offer.sku`, `price.bad`, `money.currency`, `offer.tax`, `offer.quantity`,
/// `stock.range`.
pub fn put_product(put: &PutProduct, ctx: &Context, rows: &mut Rows) -> Result<Facts, Stop> {
    let (shop_key, sku_key) = (Key::shop(put.shop), Key::sku_of(put.shop, &put.sku));
    let owner_key = Key::owner(put.shop.bucket());
    rows.need([&shop_key, &sku_key, &owner_key])?;
    let shop = shop_for(put.shop, Action::CatalogueWrite, ctx, rows)?;
    if put.sku.is_empty() || put.sku.chars().count() > SKU_CHARS_MAX {
        return Err(Refusal::new("offer.sku").with("limit", SKU_CHARS_MAX as i64).into());
    }
    check_price(put.price, shop.currency)?;
    if !(0..=TAX_RATE_MAX.0).contains(&put.tax.rate.0) {
        return Err(Refusal::new("offer.tax").with("limit", TAX_RATE_MAX.0).into());
    }
    if !put.quantity.is_sound() {
        return Err(Refusal::new("offer.quantity").with("max", LINE_QUANTITY_MAX).into());
    }
    match rows.find::<Sku>(&sku_key)?.map(|sku| sku.offer) {
        Some(offer) => update(put, offer, ctx, rows),
        None => create(put, ctx, rows),
    }
}

fn create(put: &PutProduct, ctx: &Context, rows: &mut Rows) -> Result<Facts, Stop> {
    let bucket = put.shop.bucket();
    let mut owner: Owner = rows.get::<Owner>(&Key::owner(bucket), "store.owner")?.clone();
    let first = owner.catalogue_seq + 1;
    owner.catalogue_seq += 3;
    rows.put(owner)?;
    let bad = |_| Refusal::new("id.form");
    let product_id = ProductId::from_bytes(form_c(bucket, first)).map_err(bad)?;
    let variant_id = VariantId::from_bytes(form_c(bucket, first + 1)).map_err(bad)?;
    let offer_id = OfferId::from_bytes(form_c(bucket, first + 2)).map_err(bad)?;
    let product = product_of(put, product_id, variant_id, ctx);
    let offer = Offer {
        id: offer_id,
        shop: put.shop,
        sku: put.sku.clone(),
        product: product_id,
        variant: variant_id,
        title: product.title.clone(),
        price: put.price,
        tax: put.tax,
        quantity: put.quantity,
        state: OfferState::Live,
        revision: 1,
    };
    let mut stock = Stock::empty(offer_id, put.shop);
    if let Some(units) = put.stock {
        stock = stock.set(units).map_err(|_| Refusal::new("stock.range"))?;
    }
    show_offer(&offer, &product, &stock, ctx, rows)?;
    rows.put_new(product);
    rows.put_new(stock);
    rows.put_new(offer);
    rows.put(Sku { shop: put.shop, sku: put.sku.clone(), offer: offer_id })?;
    Ok(Facts::none().with_text("product", product_id).with_text("offer", offer_id).with("created", true))
}

fn update(put: &PutProduct, offer: OfferId, ctx: &Context, rows: &mut Rows) -> Result<Facts, Stop> {
    let (offer, product, stock) = offer_rows(offer, rows)?;
    let variant = offer.variant;
    let mut changed = product_of(put, product.id, variant, ctx);
    changed.updated_at = product.updated_at;
    let new_stock = match put.stock {
        Some(units) if units != stock.on_hand => {
            stock.set(units).map_err(|_| Refusal::new("stock.range").with("reserved", stock.reserved))?
        }
        Some(_) | None => stock.clone(),
    };
    let new_offer = Offer {
        title: changed.title.clone(),
        price: put.price,
        tax: put.tax,
        quantity: put.quantity,
        ..offer.clone()
    };
    let facts =
        Facts::none().with_text("product", product.id).with_text("offer", offer.id).with("created", false);
    if new_offer == offer && changed == product && new_stock == stock {
        return Ok(facts.with("changed", false));
    }
    changed.updated_at = ctx.now;
    let new_offer = Offer { revision: offer.revision + 1, ..new_offer };
    show_offer(&new_offer, &changed, &new_stock, ctx, rows)?;
    rows.put(changed)?;
    rows.put(new_stock)?;
    rows.put(new_offer)?;
    Ok(facts.with("changed", true))
}

fn product_of(put: &PutProduct, id: ProductId, variant: VariantId, ctx: &Context) -> Product {
    let facts = put.product.facts().clone();
    Product {
        id,
        shop: put.shop,
        category: facts.category,
        brand: facts.brand,
        mpn: facts.mpn,
        title: facts.title,
        titles: facts.titles,
        description: facts.description,
        attributes: facts.attributes,
        image: facts.image,
        variants: vec![Variant {
            id: variant,
            options: Vec::new(),
            gtins: facts.gtins,
            weight_g: facts.weight_g,
        }],
        updated_at: ctx.now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of spec/market.md 3.3.
    #[test]
    fn gtins() {
        for good in ["4006381333931", "036000291452", "96385074"] {
            assert_eq!(gtin_14(good).map(|gtin| gtin.len()), Ok(14), "{good}");
        }
        for (bad, code) in [
            ("4006381333932", "gtin.check"),
            ("85896333746", "gtin.length"),
            ("", "gtin.length"),
            ("40063813339x1", "gtin.length"),
        ] {
            assert_eq!(gtin_14(bad).map_err(|refusal| refusal.code), Err(code), "{bad}");
        }
        let maybe = gtin_14("85896333746").unwrap_err();
        assert_eq!(maybe.facts.text("maybe"), Some("085896333746"));
    }

    #[test]
    fn limits_at_the_edge() {
        let of = |title: usize, description: usize, attributes: usize| {
            CheckedProduct::new(ProductFacts {
                title: "가".repeat(title),
                description: "x".repeat(description),
                attributes: (0..attributes).map(|i| (format!("k{i}"), String::new())).collect(),
                ..ProductFacts::default()
            })
            .map(|_| ())
            .map_err(|refusal| refusal.code)
        };
        assert_eq!(of(TITLE_CHARS_MAX, DESCRIPTION_CHARS_MAX, ATTRIBUTES_MAX), Ok(()));
        assert_eq!(of(TITLE_CHARS_MAX + 1, 0, 0), Err("offer.title"));
        assert_eq!(of(0, 0, 0), Err("offer.title"));
        assert_eq!(of(1, DESCRIPTION_CHARS_MAX + 1, 0), Err("product.too_large"));
        assert_eq!(of(1, 0, ATTRIBUTES_MAX + 1), Err("product.too_large"));
    }
}
