//! Products, offers and stock for a shop's staff; cards for everybody.

use serde::{Deserialize, Serialize};
use souk_domain::catalogue::{Card, Offer, OfferState, Product, QuantityRule, ShopCard, TaxRule, Variant};
use souk_domain::id::{OfferId, ProductId, ShopId, VariantId};
use souk_domain::money::{Currency, Money, Ppm};
use souk_domain::num::Rounding;
use souk_domain::party::{ShopState, TokenHash};
use souk_domain::stock::{Band, Stock};
use souk_domain::time::Time;

use super::{ShippingView, is_default};

/// How tax is reckoned.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TaxView {
    /// Rate in millionths; 0 = exempt.
    pub ppm: Ppm,
    /// True when prices contain the tax.
    pub inclusive: bool,
    /// Rounding of the place's law.
    pub rounding: Rounding,
}

impl From<TaxRule> for TaxView {
    fn from(rule: TaxRule) -> TaxView {
        TaxView { ppm: rule.rate, inclusive: rule.inclusive, rounding: rule.rounding }
    }
}

impl From<TaxView> for TaxRule {
    fn from(view: TaxView) -> TaxRule {
        TaxRule { rate: view.ppm, inclusive: view.inclusive, rounding: view.rounding }
    }
}

/// Smallest, step and largest quantity of one order line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct QuantityView {
    /// At least this many.
    pub min: u32,
    /// In steps of.
    pub step: u32,
    /// At most this many.
    pub max: u32,
}

impl From<QuantityRule> for QuantityView {
    fn from(rule: QuantityRule) -> QuantityView {
        QuantityView { min: rule.min, step: rule.step, max: rule.max }
    }
}

impl From<QuantityView> for QuantityRule {
    fn from(view: QuantityView) -> QuantityRule {
        QuantityRule { min: view.min, step: view.step, max: view.max }
    }
}

/// A product with all its facts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ProductView {
    /// The product.
    pub id: ProductId,
    /// The shop that added it.
    pub shop: ShopId,
    /// Category key.
    pub category: String,
    /// Brand.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub brand: String,
    /// Manufacturer's part number.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub mpn: String,
    /// Title in the seller's language.
    pub title: String,
    /// Titles in other languages: `[language, text]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub titles: Vec<(String, String)>,
    /// Plain text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Attributes: `[key, value]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<(String, String)>,
    /// SHA-256 of the main picture, hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<TokenHash>,
    /// Its variants.
    pub variants: Vec<VariantView>,
    /// When it was last changed.
    pub updated_at: Time,
}

/// A variant of a product.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct VariantView {
    /// The variant.
    pub id: VariantId,
    /// Option values: `[name, value]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<(String, String)>,
    /// GTINs as 14 digits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gtins: Vec<String>,
    /// Weight in grams; 0 = unknown.
    #[serde(default, skip_serializing_if = "is_default")]
    pub weight_g: u32,
}

impl From<&Product> for ProductView {
    fn from(product: &Product) -> ProductView {
        ProductView {
            id: product.id,
            shop: product.shop,
            category: product.category.clone(),
            brand: product.brand.clone(),
            mpn: product.mpn.clone(),
            title: product.title.clone(),
            titles: product.titles.clone(),
            description: product.description.clone(),
            attributes: product.attributes.clone(),
            image: product.image,
            variants: product
                .variants
                .iter()
                .map(|variant| VariantView {
                    id: variant.id,
                    options: variant.options.clone(),
                    gtins: variant.gtins.clone(),
                    weight_g: variant.weight_g,
                })
                .collect(),
            updated_at: product.updated_at,
        }
    }
}

impl From<ProductView> for Product {
    fn from(view: ProductView) -> Product {
        Product {
            id: view.id,
            shop: view.shop,
            category: view.category,
            brand: view.brand,
            mpn: view.mpn,
            title: view.title,
            titles: view.titles,
            description: view.description,
            attributes: view.attributes,
            image: view.image,
            variants: view
                .variants
                .into_iter()
                .map(|variant| Variant {
                    id: variant.id,
                    options: variant.options,
                    gtins: variant.gtins,
                    weight_g: variant.weight_g,
                })
                .collect(),
            updated_at: view.updated_at,
        }
    }
}

/// An offer, for the shop's staff.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OfferView {
    /// The offer.
    pub id: OfferId,
    /// Who sells.
    pub shop: ShopId,
    /// The seller's own name of it.
    pub sku: String,
    /// What is sold.
    pub product: ProductId,
    /// Which variant of it.
    pub variant: VariantId,
    /// Title.
    pub title: String,
    /// Unit price.
    pub price: Money,
    /// Tax on it.
    pub tax: TaxView,
    /// Quantity rule.
    pub quantity: QuantityView,
    /// Whether it can be bought.
    pub state: OfferState,
    /// Rises with each change of price or state.
    pub revision: u32,
}

impl From<&Offer> for OfferView {
    fn from(offer: &Offer) -> OfferView {
        OfferView {
            id: offer.id,
            shop: offer.shop,
            sku: offer.sku.clone(),
            product: offer.product,
            variant: offer.variant,
            title: offer.title.clone(),
            price: offer.price,
            tax: offer.tax.into(),
            quantity: offer.quantity.into(),
            state: offer.state,
            revision: offer.revision,
        }
    }
}

impl From<OfferView> for Offer {
    fn from(view: OfferView) -> Offer {
        Offer {
            id: view.id,
            shop: view.shop,
            sku: view.sku,
            product: view.product,
            variant: view.variant,
            title: view.title,
            price: view.price,
            tax: view.tax.into(),
            quantity: view.quantity.into(),
            state: view.state,
            revision: view.revision,
        }
    }
}

/// Stock of an offer, for the shop's staff.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StockView {
    /// The offer.
    pub id: OfferId,
    /// Whose.
    pub shop: ShopId,
    /// Units in the place.
    pub on_hand: u32,
    /// Unpaid holds.
    pub reserved: u32,
    /// Paid, not handed over.
    pub committed: u32,
    /// Lent to tills.
    #[serde(default, skip_serializing_if = "is_default")]
    pub allotted: u32,
    /// Kept back.
    #[serde(default, skip_serializing_if = "is_default")]
    pub safety: u32,
    /// Units that can be promised now; follows from the rest.
    pub available: u32,
    /// Units that left with a sale.
    pub sold: u64,
    /// Units that ever came in.
    pub received: u64,
    /// Units that came back.
    #[serde(default, skip_serializing_if = "is_default")]
    pub returned: u64,
    /// Units written off.
    #[serde(default, skip_serializing_if = "is_default")]
    pub lost: u64,
    /// Rises with each absolute write by the seller.
    pub revision: u32,
}

impl From<&Stock> for StockView {
    fn from(stock: &Stock) -> StockView {
        StockView {
            id: stock.offer,
            shop: stock.shop,
            on_hand: stock.on_hand,
            reserved: stock.reserved,
            committed: stock.committed,
            allotted: stock.allotted,
            safety: stock.safety,
            available: stock.available(),
            sold: stock.sold,
            received: stock.received,
            returned: stock.returned,
            lost: stock.lost,
            revision: stock.revision,
        }
    }
}

impl From<StockView> for Stock {
    fn from(view: StockView) -> Stock {
        Stock {
            offer: view.id,
            shop: view.shop,
            on_hand: view.on_hand,
            reserved: view.reserved,
            committed: view.committed,
            allotted: view.allotted,
            safety: view.safety,
            sold: view.sold,
            received: view.received,
            returned: view.returned,
            lost: view.lost,
            revision: view.revision,
        }
    }
}

/// A product of the public catalogue with the offer that is shown on it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CardView {
    /// The product.
    pub id: ProductId,
    /// Place in the order of the shelf; smaller is shown first.
    pub rid: i64,
    /// Category key.
    pub category: String,
    /// Brand.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub brand: String,
    /// Title.
    pub title: String,
    /// Titles in other languages: `[language, text]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub titles: Vec<(String, String)>,
    /// SHA-256 of the main picture, hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<TokenHash>,
    /// The offer shown.
    pub offer: OfferId,
    /// Its variant.
    pub variant: VariantId,
    /// Its seller.
    pub shop: ShopId,
    /// Unit price.
    pub price: Money,
    /// Tax on it.
    pub tax: TaxView,
    /// Quantity rule.
    pub quantity: QuantityView,
    /// How many are left: a hint, never a promise.
    pub band: Band,
    /// Whether it can be bought.
    pub state: OfferState,
    /// Revision of the offer that this shows.
    pub revision: u32,
}

impl From<&Card> for CardView {
    fn from(card: &Card) -> CardView {
        CardView {
            id: card.product,
            rid: card.rid,
            category: card.category.clone(),
            brand: card.brand.clone(),
            title: card.title.clone(),
            titles: card.titles.clone(),
            image: card.image,
            offer: card.offer,
            variant: card.variant,
            shop: card.shop,
            price: card.price,
            tax: card.tax.into(),
            quantity: card.quantity.into(),
            band: card.band,
            state: card.state,
            revision: card.revision,
        }
    }
}

impl From<CardView> for Card {
    fn from(view: CardView) -> Card {
        Card {
            product: view.id,
            rid: view.rid,
            category: view.category,
            brand: view.brand,
            title: view.title,
            titles: view.titles,
            image: view.image,
            offer: view.offer,
            variant: view.variant,
            shop: view.shop,
            price: view.price,
            tax: view.tax.into(),
            quantity: view.quantity.into(),
            band: view.band,
            state: view.state,
            revision: view.revision,
        }
    }
}

/// A shop as the public sees it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ShopCardView {
    /// The shop.
    pub id: ShopId,
    /// Name.
    pub name: String,
    /// City.
    pub city: String,
    /// ISO 3166 alpha-2 country.
    pub country: String,
    /// Currency.
    pub currency: Currency,
    /// Shipping rate.
    pub shipping: ShippingView,
    /// Whether it takes orders.
    pub state: ShopState,
}

impl From<&ShopCard> for ShopCardView {
    fn from(card: &ShopCard) -> ShopCardView {
        ShopCardView {
            id: card.id,
            name: card.name.clone(),
            city: card.city.clone(),
            country: card.country.clone(),
            currency: card.currency,
            shipping: card.shipping.into(),
            state: card.state,
        }
    }
}

impl From<ShopCardView> for ShopCard {
    fn from(view: ShopCardView) -> ShopCard {
        ShopCard {
            id: view.id,
            name: view.name,
            city: view.city,
            country: view.country,
            currency: view.currency,
            shipping: view.shipping.into(),
            state: view.state,
        }
    }
}
