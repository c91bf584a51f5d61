//! `souk seller …`

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use souk_device::facade::requests::{MakeLabelRequest, OpenShopRequest, PutProductRequest};
use souk_device::facade::views::PrintView;
use souk_device::runtime::Device;
use souk_domain::id::{AccountId, OfferId, OrderId};
use souk_domain::money::{Currency, Money, MoneyError};
use souk_protocol::views::ShippingView;

use super::{ALL, Done, Own, Place, Role, done, own, picture, send, with_device};
use crate::failure::Failure;
use crate::people;

/// `souk seller …`
#[derive(Debug, Args)]
pub struct SellerArgs {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    verb: SellerVerb,
}

#[derive(Debug, Subcommand)]
enum SellerVerb {
    /// Opens a shop.
    OpenShop {
        /// Its name.
        name: String,
        /// Its town.
        #[arg(long, default_value = "Seoul")]
        city: String,
        /// What it sells in.
        #[arg(long, default_value = "KRW")]
        currency: String,
        /// Flat shipping rate, decimal.
        #[arg(long, default_value = "3000")]
        shipping: String,
        /// Account of the courier that parcels go to.
        #[arg(long)]
        courier: Option<AccountId>,
    },
    /// Adds or changes a product.
    Put {
        /// The seller's name of it.
        sku: String,
        /// Title.
        title: String,
        /// Price, decimal.
        price: String,
        /// Units.
        #[arg(long, default_value_t = 10)]
        stock: u32,
        /// Currency of the price.
        #[arg(long, default_value = "KRW")]
        currency: String,
    },
    /// Says how many units are there.
    Stock {
        /// The offer.
        offer: OfferId,
        /// Units.
        units: u32,
    },
    /// The shop's products.
    Products,
    /// The shop's orders.
    Orders,
    /// One order.
    Order {
        /// Which.
        order: OrderId,
    },
    /// Makes the label of an order, or prints it if it is made: as PNG.
    Label {
        /// Which order.
        order: OrderId,
        /// Weight in grams.
        #[arg(long, default_value_t = 500)]
        weight_g: u32,
        /// File for the picture.
        #[arg(long, default_value = "label.png")]
        png: PathBuf,
        /// Account of the courier.
        #[arg(long)]
        courier: Option<AccountId>,
    },
    /// Says that an order is on its way where no scan will come.
    Ship {
        /// Which.
        order: OrderId,
    },
    /// Gives the money of an order back.
    Refund {
        /// Which.
        order: OrderId,
    },
    /// In escrow, in reserve, available, owed.
    Balance,
    #[command(flatten)]
    Own(Own),
}

/// Does what a seller asks for; answers one JSON object.
pub async fn seller(args: SellerArgs) -> Result<Value, Failure> {
    let SellerArgs { place, verb } = args;
    match verb {
        SellerVerb::Own(verb) => own(&place, Role::Seller, verb).await,
        verb => with_device(&place, Role::Seller, async |device| trade(device, verb).await).await,
    }
}

/// A decimal amount as it was typed; a refusal says what is wrong with it.
fn amount(text: &str, currency: &str) -> Result<Money, Failure> {
    let currency = Currency::from_code(currency)
        .map_err(|error| Failure::new(error.code(), format!("{currency}: no currency that is known here")))?;
    Money::parse(text, currency).map_err(|error| {
        let message = match (error, currency.exponent()) {
            (MoneyError::Precision, 0) => format!("{text}: {currency} has no decimals"),
            (MoneyError::Precision, decimals) => format!("{text}: {currency} has {decimals} decimals"),
            _ => Failure::refused(error.code(), souk_domain::outcome::Facts::none()).about(text).message,
        };
        Failure::new(error.code(), message)
    })
}

async fn trade(device: &Device, verb: SellerVerb) -> Result<Done, Failure> {
    match verb {
        SellerVerb::OpenShop { name, city, currency, shipping, courier } => {
            let flat = amount(&shipping, &currency)?;
            let request = OpenShopRequest {
                name,
                city,
                country: "KR".to_owned(),
                currency: flat.currency,
                shipping: ShippingView { flat, free_from: None },
                courier,
            };
            done(&device.call(move |host, now| host.open_shop(&request, now)).await?)
        }
        SellerVerb::Put { sku, title, price, stock, currency } => {
            let request = PutProductRequest {
                sku,
                title,
                titles: Vec::new(),
                category: String::new(),
                brand: String::new(),
                description: String::new(),
                price: amount(&price, &currency)?,
                tax_ppm: 0,
                stock: Some(stock),
                weight_g: 0,
            };
            done(&device.call(move |host, now| host.put_product(&request, now)).await?)
        }
        SellerVerb::Stock { offer, units } => {
            done(&device.call(move |host, now| host.set_stock(offer, units, None, now)).await?)
        }
        SellerVerb::Products => {
            Ok(json!({"rows": device.call(|host, now| host.own_products(ALL, now)).await?}).into())
        }
        SellerVerb::Orders => done(&device.call(|host, now| host.shop_orders(ALL, now)).await?),
        SellerVerb::Order { order } => {
            Done::about(&device.call(move |host, now| host.shop_order(order, now)).await?, order)
        }
        SellerVerb::Label { order, weight_g, png, courier } => {
            label(device, MakeLabelRequest { order, weight_g, courier }, &png).await
        }
        SellerVerb::Ship { order } => {
            Done::about(&device.call(move |host, now| host.ship(order, now)).await?, order)
        }
        SellerVerb::Refund { order } => {
            Done::about(&device.call(move |host, now| host.refund_order(order, now)).await?, order)
        }
        SellerVerb::Balance => done(&device.balance().await?),
        SellerVerb::Own(_) => Err(Failure::new("program.verb", "not an act of trade")),
    }
}

/// Makes a label unless there is one, waits for the platform's signature, writes the picture. Without the server there
/// is no label yet: `number` and `png` are null then.
async fn label(device: &Device, request: MakeLabelRequest, png: &Path) -> Result<Done, Failure> {
    let order = request.order;
    let prints = match prints_of(device, order).await? {
        prints if prints.is_empty() => {
            device.call(move |host, now| host.make_label(request, now)).await?;
            send(device).await?;
            prints_of(device, order).await?
        }
        prints => prints,
    };
    let value = match prints.first() {
        Some(print) => {
            picture::write(png, people::label_png(print)?)?;
            json!({"number": print.number, "text": print.text, "png": png.display().to_string()})
        }
        None => json!({"number": null, "text": null, "png": null}),
    };
    Ok(Done { value, about: vec![order] })
}

/// Labels that are made. Refuses `role.none`, `order.unknown`.
async fn prints_of(device: &Device, order: OrderId) -> Result<Vec<PrintView>, Failure> {
    match device.call(move |host, now| host.labels(order, now)).await {
        Err(error) if error.code == "label.unknown" => Ok(Vec::new()),
        prints => Ok(prints?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_that_are_none() {
        for (text, currency, told) in [
            ("12.345", "KRW", "money.precision: 12.345: KRW has no decimals"),
            ("12.345", "USD", "money.precision: 12.345: USD has 2 decimals"),
            ("abc", "KRW", "money.format: abc: not an amount"),
            ("1", "XXY", "money.currency: XXY: no currency that is known here"),
        ] {
            assert_eq!(amount(text, currency).unwrap_err().to_string(), told);
        }
        assert_eq!(amount("29000", "KRW"), Ok(Money::new(29_000, Currency::KRW)));
    }
}
