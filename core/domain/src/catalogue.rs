//! Catalogue: products, their variants, offers, and the public cards made of them (spec/market.md 3).

use serde::{Deserialize, Serialize};

use crate::id::{OfferId, ProductId, ShopId, VariantId};
use crate::money::{Money, Ppm};
use crate::num::Rounding;
use crate::time::Time;

pub mod card;
pub mod offer;
pub mod put_product;

pub use put_product::CheckedProduct;

/// Longest stored title, in characters (spec/market.md 3.6).
pub const TITLE_CHARS_MAX: usize = 300;
/// Longest description, in characters (spec/market.md 3, limits).
pub const DESCRIPTION_CHARS_MAX: usize = 20_000;
/// Attributes of one product (spec/market.md 3, limits).
pub const ATTRIBUTES_MAX: usize = 200;
/// Longest attribute value, in characters (spec/market.md 3, limits).
pub const ATTRIBUTE_CHARS_MAX: usize = 8_000;
/// GTINs of one product (spec/market.md 3, limits).
pub const GTINS_MAX: usize = 200;
/// Highest rate of a tax: as much tax as price.
pub const TAX_RATE_MAX: Ppm = Ppm(1_000_000);
/// Longest SKU of a shop, in characters: fits one line of a label.
pub const SKU_CHARS_MAX: usize = 64;

/// A product: the facts, carried once; sellers hang offers on its variants.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Product {
    /// The product, minted by the server in the bucket of the shop that added it.
    pub id: ProductId,
    /// The shop that added it.
    pub shop: ShopId,
    /// Category key.
    pub category: String,
    /// Brand, empty if none.
    pub brand: String,
    /// Manufacturer's part number, empty if none.
    pub mpn: String,
    /// Title in the seller's language.
    pub title: String,
    /// Titles in other languages: (BCP 47 language, text).
    pub titles: Vec<(String, String)>,
    /// Plain text.
    pub description: String,
    /// Attributes by key, in order of keys.
    pub attributes: Vec<(String, String)>,
    /// SHA-256 of the main picture, if any.
    pub image: Option<crate::party::TokenHash>,
    /// Its variants; at least one.
    pub variants: Vec<Variant>,
    /// When it was last changed.
    pub updated_at: Time,
}

/// A variant of a product.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Variant {
    /// The variant.
    pub id: VariantId,
    /// Option values, e.g. `[("size", "XL")]`.
    pub options: Vec<(String, String)>,
    /// GTINs as 14 digits.
    pub gtins: Vec<String>,
    /// Weight in grams, 0 = unknown.
    pub weight_g: u32,
}

/// A seller's offer on a variant, with its price of the moment.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Offer {
    /// The offer, minted by the server.
    pub id: OfferId,
    /// Who sells.
    pub shop: ShopId,
    /// The seller's own name of it, unique in the shop.
    pub sku: String,
    /// What is sold.
    pub product: ProductId,
    /// Which variant of it.
    pub variant: VariantId,
    /// Title copied from the product, so that an order line needs one row.
    pub title: String,
    /// Unit price.
    pub price: Money,
    /// Tax on it.
    pub tax: TaxRule,
    /// Quantity rule.
    pub quantity: QuantityRule,
    /// Whether it can be bought.
    pub state: OfferState,
    /// Rises with each change of price or state.
    pub revision: u32,
}

/// How tax is reckoned on an offer (spec/market.md 5.3 step 6; the tax row names the rounding).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TaxRule {
    /// Rate in ppm; 0 = exempt.
    pub rate: Ppm,
    /// True when prices contain the tax.
    pub inclusive: bool,
    /// Rounding of the place's law.
    pub rounding: Rounding,
}

/// Smallest, step and largest quantity of one order line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct QuantityRule {
    /// At least this many.
    pub min: u32,
    /// In steps of.
    pub step: u32,
    /// At most this many.
    pub max: u32,
}

impl QuantityRule {
    /// Any quantity up to the limit of an order line.
    pub const ANY: QuantityRule = QuantityRule { min: 1, step: 1, max: crate::order::LINE_QUANTITY_MAX };

    /// Whether a rule makes sense: something can be bought, and not more than a line holds.
    pub fn is_sound(&self) -> bool {
        self.min > 0 && self.step > 0 && (self.min..=crate::order::LINE_QUANTITY_MAX).contains(&self.max)
    }

    /// The most that fits into what there is; 0 = nothing does.
    pub fn most_within(&self, available: u32) -> u32 {
        let most = available.min(self.max);
        if most < self.min { 0 } else { most - (most - self.min) % self.step.max(1) }
    }

    /// Whether a quantity fits.
    pub fn allows(&self, quantity: u32) -> bool {
        quantity >= self.min && quantity <= self.max && (quantity - self.min).is_multiple_of(self.step.max(1))
    }
}

/// Whether an offer can be bought.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OfferState {
    /// Can be bought.
    Live,
    /// Taken down by the seller.
    Paused,
}

/// A look-up row in the shop's bucket: which offer a SKU names.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Sku {
    /// The shop.
    pub shop: ShopId,
    /// Its own name of the offer.
    pub sku: String,
    /// The offer.
    pub offer: OfferId,
}

/// A product as the public catalogue shows it, with its offer; written by the projector alone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Card {
    /// The product.
    pub product: ProductId,
    /// Place in the order of the shelf (spec/sync.md 9.1); smaller is shown first.
    pub rid: i64,
    /// Category key.
    pub category: String,
    /// Brand.
    pub brand: String,
    /// Title.
    pub title: String,
    /// Titles in other languages.
    pub titles: Vec<(String, String)>,
    /// Main picture.
    pub image: Option<crate::party::TokenHash>,
    /// The offer shown.
    pub offer: OfferId,
    /// Its variant.
    pub variant: VariantId,
    /// Its seller.
    pub shop: ShopId,
    /// Unit price.
    pub price: Money,
    /// Tax on it.
    pub tax: TaxRule,
    /// Quantity rule.
    pub quantity: QuantityRule,
    /// How many are left, as a band: a hint, never a promise.
    pub band: crate::stock::Band,
    /// Whether it can be bought.
    pub state: OfferState,
    /// Revision of the offer that this shows; an older one never replaces a newer one.
    pub revision: u32,
}

/// A shop as the public sees it; written by the projector alone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ShopCard {
    /// The shop.
    pub id: ShopId,
    /// Name.
    pub name: String,
    /// City.
    pub city: String,
    /// ISO 3166 alpha-2 country.
    pub country: String,
    /// Currency.
    pub currency: crate::money::Currency,
    /// Shipping rate.
    pub shipping: crate::party::Shipping,
    /// Whether it takes orders.
    pub state: crate::party::ShopState,
}
