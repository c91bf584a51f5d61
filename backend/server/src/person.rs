//! `souk buyer|seller|courier`: a person's terminal over a real device core (design.md 9). Everything works without
//! the server; what was done waits in the outbox and says so.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::{Value, json};
use souk_codes::qr::{Ground, Symbol};
use souk_device::facade::requests::{
    AttemptRequest, DeliverRequest, HandOverRequest, LineRequest, MakeLabelRequest, OpenShopRequest,
    OrdersRequest, PayRequest, PlaceOrderRequest, PutProductRequest, SearchRequest, TakeVerdict,
};
use souk_device::runtime::Device;
use souk_domain::id::{IntentId, OfferId, OrderId};
use souk_domain::money::{Currency, Money};
use souk_domain::order::PayMethod;
use souk_protocol::views::ShippingView;

use crate::failure::Failure;
use crate::people;

/// A terminal waits so long for the server before it says what is still pending.
const SYNC_MS: u64 = 4_000;

/// Where the device lives and whom it talks to.
#[derive(Debug, Args)]
pub struct Place {
    /// Folder of the device's files.
    #[arg(long, global = true, default_value = "souk-person")]
    data: PathBuf,
    /// The server.
    #[arg(long, global = true, env = "SOUK_SERVER", default_value = "http://127.0.0.1:4700")]
    server: String,
    /// Makes no request at all.
    #[arg(long, global = true)]
    offline: bool,
}

/// `souk buyer …`
#[derive(Debug, Args)]
pub struct BuyerArgs {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    verb: BuyerVerb,
}

#[derive(Debug, Subcommand)]
enum BuyerVerb {
    /// Signs up or in.
    Join(Join),
    /// What is signed in, pending and refused.
    Status,
    /// Searches the catalogue on the device.
    Search {
        /// Words.
        text: String,
    },
    /// Orders an offer.
    Buy {
        /// The offer.
        offer: OfferId,
        /// How many.
        #[arg(long, default_value_t = 1)]
        quantity: u32,
        /// Who receives.
        #[arg(long, default_value = "Souk Buyer")]
        name: String,
    },
    /// Pays an order, by its id or by the picture of its code.
    Pay {
        /// The order.
        order: Option<OrderId>,
        /// Picture of a payment code.
        #[arg(long)]
        scan: Option<PathBuf>,
    },
    /// The orders.
    Orders,
    /// One order.
    Order {
        /// Which.
        order: OrderId,
    },
    /// Shows the payment code of an order, in the terminal and as PNG.
    PayCode {
        /// Which.
        order: OrderId,
        /// File for the picture.
        #[arg(long)]
        png: Option<PathBuf>,
    },
    /// Reads the picture of a parcel's label and says whether the parcel is mine.
    Scan {
        /// The picture.
        file: PathBuf,
    },
    /// Takes a parcel: reads its label and shows the signed hand-over code, in the terminal and as PNG.
    Show {
        /// Picture of the label.
        label: PathBuf,
        /// File for the picture of the code.
        #[arg(long)]
        png: Option<PathBuf>,
        /// Refuses the parcel.
        #[arg(long)]
        refuse: bool,
    },
    /// Confirms that an order has come: the escrow is released.
    Confirm {
        /// Which.
        order: OrderId,
    },
    /// Ends an unpaid order.
    Cancel {
        /// Which.
        order: OrderId,
    },
    /// Asks for the money back before shipping.
    Refund {
        /// Which.
        order: OrderId,
        /// Why.
        #[arg(default_value = "")]
        reason: String,
    },
    /// Takes back what is not decided yet.
    Withdraw {
        /// The act.
        act: IntentId,
    },
    /// What waits for the server, and what it refused.
    Pending,
    /// Sends and fetches.
    Sync,
}

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
    /// Signs up or in.
    Join(Join),
    /// What is signed in, pending and refused.
    Status,
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
        courier: Option<souk_domain::id::AccountId>,
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
        courier: Option<souk_domain::id::AccountId>,
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
    /// What waits for the server, and what it refused.
    Pending,
    /// Sends and fetches.
    Sync,
}

/// `souk courier …`
#[derive(Debug, Args)]
pub struct CourierArgs {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    verb: CourierVerb,
}

#[derive(Debug, Subcommand)]
enum CourierVerb {
    /// Signs up or in.
    Join(Join),
    /// What is signed in, pending and refused.
    Status,
    /// Opens a shift.
    OpenShift {
        /// Hours that the certificate lasts.
        #[arg(default_value_t = 12)]
        hours: u8,
    },
    /// The round.
    Stops,
    /// Reads the picture of a label and says whether the parcel is on the round.
    Scan {
        /// The picture.
        file: PathBuf,
    },
    /// Loads a parcel: by the picture of its label.
    Load {
        /// The picture.
        file: PathBuf,
    },
    /// Sets out with a parcel.
    Out {
        /// Picture of the label.
        file: PathBuf,
    },
    /// Hands a parcel over: picture of the label, picture of the buyer's code. Shows the acknowledgement.
    Deliver {
        /// Picture of the label.
        label: PathBuf,
        /// Picture of the buyer's code.
        code: PathBuf,
        /// File for the picture of the acknowledgement.
        #[arg(long)]
        png: Option<PathBuf>,
    },
    /// Records a failed attempt.
    Attempt {
        /// Picture of the label.
        file: PathBuf,
        /// Reason, e.g. `consignee_not_home`.
        #[arg(default_value = "consignee_not_home")]
        reason: String,
    },
    /// Ends the shift.
    CloseShift,
    /// What waits for the server, and what it refused.
    Pending,
    /// Sends and fetches.
    Sync,
}

#[derive(Debug, Args)]
struct Join {
    /// E-mail address or phone number.
    contact: String,
    /// Name of the account, used when it is new.
    #[arg(long, default_value = "Newcomer")]
    name: String,
}

/// Opens the device, lets it fetch what it can, does one thing, lets it send, and closes.
async fn with_device(
    place: &Place,
    work: impl AsyncFnOnce(&Device) -> Result<Value, Failure>,
) -> Result<Value, Failure> {
    let server = (!place.offline).then_some(place.server.as_str());
    let device = people::open(&place.data, server).await?;
    device.set_foreground(true).await?;
    if server.is_some() && people::is_signed_in(&device).await? {
        device.sync_now(SYNC_MS).await?;
    }
    let done = work(&device).await;
    let mut left = 0;
    if done.is_ok() && server.is_some() {
        left = device.sync_now(SYNC_MS).await?.left;
    }
    device.close().await?;
    let mut done = done?;
    if let Some(members) = done.as_object_mut() {
        members.insert("undecided".to_owned(), left.into());
    }
    Ok(done)
}

fn value(view: &impl Serialize) -> Result<Value, Failure> {
    serde_json::to_value(view).map_err(|error| Failure::new("program.json", error.to_string()))
}

fn scan(file: &PathBuf) -> Result<String, Failure> {
    let bytes = std::fs::read(file)
        .map_err(|error| Failure::new("scan.file", format!("{}: {error}", file.display())))?;
    people::read_png(&bytes)
}

/// Shows a code in the terminal, on stderr, and writes its picture.
#[allow(clippy::print_stderr, reason = "the code is for eyes and cameras, the answer for programs")]
fn show(symbol: &Symbol, png: Option<&PathBuf>, picture: Vec<u8>) -> Result<(), Failure> {
    eprintln!("{}", symbol.terminal(Ground::Dark));
    match png {
        Some(path) => Ok(std::fs::write(path, picture)?),
        None => Ok(()),
    }
}

async fn join(device: &Device, join: &Join, as_courier: bool) -> Result<Value, Failure> {
    people::sign_in(device, &join.contact, &join.name, as_courier).await?;
    device.sync_now(SYNC_MS).await?;
    status(device).await
}

async fn status(device: &Device) -> Result<Value, Failure> {
    value(&device.call(|host, now| host.status(now)).await?)
}

async fn pending(device: &Device) -> Result<Value, Failure> {
    Ok(json!({"acts": device.call(|host, now| host.pending_acts(now)).await?}))
}

async fn sync(device: &Device) -> Result<Value, Failure> {
    value(&device.sync_now(SYNC_MS).await?)
}

const ALL: OrdersRequest = OrdersRequest { offset: 0, limit: 50 };

/// Does what a buyer asks for; answers one JSON object.
pub async fn buyer(args: BuyerArgs) -> Result<Value, Failure> {
    let BuyerArgs { place, verb } = args;
    with_device(&place, async |device| match verb {
        BuyerVerb::Join(who) => join(device, &who, false).await,
        BuyerVerb::Status => status(device).await,
        BuyerVerb::Pending => pending(device).await,
        BuyerVerb::Sync => sync(device).await,
        BuyerVerb::Search { text } => {
            let request = SearchRequest { text, ..SearchRequest::default() };
            value(&device.call(move |host, _| host.search(&request)).await?)
        }
        BuyerVerb::Buy { offer, quantity, name } => {
            let request = PlaceOrderRequest {
                lines: vec![LineRequest { offer, quantity }],
                address: Some(people::example_address(&name)),
                ..PlaceOrderRequest::default()
            };
            value(&device.call(move |host, now| host.place_order(&request, now)).await?)
        }
        BuyerVerb::Pay { order, scan: Some(file) } => {
            let _ = order;
            let text = scan(&file)?;
            value(&device.call(move |host, now| host.pay_by_code(&text, now)).await?)
        }
        BuyerVerb::Pay { order: Some(order), scan: None } => {
            let request = PayRequest { order, method: PayMethod::Mandate };
            value(&device.call(move |host, now| host.pay(request, now)).await?)
        }
        BuyerVerb::Pay { order: None, scan: None } => Err(Failure::new("pay.what", "an order or a picture")),
        BuyerVerb::Orders => value(&device.call(|host, now| host.orders(ALL, now)).await?),
        BuyerVerb::Order { order } => value(&device.call(move |host, now| host.order(order, now)).await?),
        BuyerVerb::PayCode { order, png } => {
            let code = device.pay_code(order).await?;
            let symbol =
                Symbol::of_pay_code(&code.code).map_err(|error| Failure::new(error.code(), "code"))?;
            show(&symbol, png.as_ref(), people::pay_code_png(&code.code)?)?;
            value(&code)
        }
        BuyerVerb::Scan { file } => {
            let label = scan(&file)?;
            value(&device.call(move |host, now| host.read_label(&label, now)).await?)
        }
        BuyerVerb::Show { label, png, refuse } => {
            let verdict = if refuse { TakeVerdict::Refuse } else { TakeVerdict::Accept };
            let request = HandOverRequest { label: scan(&label)?, verdict, cod_agreed: false };
            let code = device.call(move |host, now| host.show_handover(&request, now)).await?;
            let symbol =
                Symbol::of_message(&code.text).map_err(|error| Failure::new(error.code(), "code"))?;
            show(&symbol, png.as_ref(), people::message_png(&code.text)?)?;
            value(&code)
        }
        BuyerVerb::Confirm { order } => {
            value(&device.call(move |host, now| host.confirm_receipt(order, now)).await?)
        }
        BuyerVerb::Cancel { order } => {
            value(&device.call(move |host, now| host.cancel_order(order, now)).await?)
        }
        BuyerVerb::Refund { order, reason } => {
            value(&device.call(move |host, now| host.open_case(order, &reason, now)).await?)
        }
        BuyerVerb::Withdraw { act } => {
            device.call(move |host, now| host.withdraw(act, now)).await?;
            Ok(json!({"withdrawn": act}))
        }
    })
    .await
}

/// Does what a seller asks for; answers one JSON object.
pub async fn seller(args: SellerArgs) -> Result<Value, Failure> {
    let SellerArgs { place, verb } = args;
    let amount = |text: &str, currency: &str| {
        let currency = Currency::from_code(currency).map_err(|error| Failure::new(error.code(), currency))?;
        Money::parse(text, currency).map_err(|error| Failure::new(error.code(), text))
    };
    with_device(&place, async |device| match verb {
        SellerVerb::Join(who) => join(device, &who, false).await,
        SellerVerb::Status => status(device).await,
        SellerVerb::Pending => pending(device).await,
        SellerVerb::Sync => sync(device).await,
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
            value(&device.call(move |host, now| host.open_shop(&request, now)).await?)
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
            value(&device.call(move |host, now| host.put_product(&request, now)).await?)
        }
        SellerVerb::Stock { offer, units } => {
            value(&device.call(move |host, now| host.set_stock(offer, units, None, now)).await?)
        }
        SellerVerb::Products => {
            Ok(json!({"rows": device.call(|host, now| host.own_products(ALL, now)).await?}))
        }
        SellerVerb::Orders => value(&device.call(|host, now| host.shop_orders(ALL, now)).await?),
        SellerVerb::Order { order } => {
            value(&device.call(move |host, now| host.shop_order(order, now)).await?)
        }
        SellerVerb::Label { order, weight_g, png, courier } => {
            label(device, order, weight_g, courier, &png).await
        }
        SellerVerb::Ship { order } => value(&device.call(move |host, now| host.ship(order, now)).await?),
        SellerVerb::Refund { order } => {
            value(&device.call(move |host, now| host.refund_order(order, now)).await?)
        }
        SellerVerb::Balance => value(&device.balance().await?),
    })
    .await
}

/// Makes a label unless there is one, waits for the platform's signature, writes the picture.
async fn label(
    device: &Device,
    order: OrderId,
    weight_g: u32,
    courier: Option<souk_domain::id::AccountId>,
    png: &PathBuf,
) -> Result<Value, Failure> {
    if device.call(move |host, now| host.labels(order, now)).await.is_err() {
        let request = MakeLabelRequest { order, weight_g, courier };
        device.call(move |host, now| host.make_label(request, now)).await?;
        device.sync_now(SYNC_MS).await?;
    }
    let prints = device.call(move |host, now| host.labels(order, now)).await?;
    let Some(print) = prints.first() else { return Err(Failure::new("label.unknown", "no label")) };
    std::fs::write(png, people::label_png(print)?)?;
    Ok(json!({"number": print.number, "text": print.text, "png": png.display().to_string()}))
}

/// Does what a courier asks for; answers one JSON object.
pub async fn courier(args: CourierArgs) -> Result<Value, Failure> {
    let CourierArgs { place, verb } = args;
    with_device(&place, async |device| match verb {
        CourierVerb::Join(who) => join(device, &who, true).await,
        CourierVerb::Status => status(device).await,
        CourierVerb::Pending => pending(device).await,
        CourierVerb::Sync => sync(device).await,
        CourierVerb::OpenShift { hours } => {
            value(&device.call(move |host, now| host.open_shift(hours, now)).await?)
        }
        CourierVerb::Stops => Ok(json!({"stops": device.call(|host, now| host.stops(now)).await?})),
        CourierVerb::Scan { file } => {
            let label = scan(&file)?;
            value(&device.call(move |host, now| host.scan_parcel(&label, now)).await?)
        }
        CourierVerb::Load { file } => {
            let label = scan(&file)?;
            value(&device.call(move |host, now| host.load_parcel(&label, None, now)).await?)
        }
        CourierVerb::Out { file } => {
            let label = scan(&file)?;
            value(&device.call(move |host, now| host.out_for_delivery(&label, None, now)).await?)
        }
        CourierVerb::Deliver { label, code, png } => {
            let request = DeliverRequest { parcel: scan(&label)?, handover: scan(&code)?, fix: None };
            let saved = device.call(move |host, now| host.deliver(&request, now)).await?;
            if let Some(text) = &saved.ack {
                let symbol = Symbol::of_message(text).map_err(|error| Failure::new(error.code(), "code"))?;
                show(&symbol, png.as_ref(), people::message_png(text)?)?;
            }
            value(&saved)
        }
        CourierVerb::Attempt { file, reason } => {
            let request = AttemptRequest { parcel: scan(&file)?, reason, fix: None };
            value(&device.call(move |host, now| host.record_attempt(&request, now)).await?)
        }
        CourierVerb::CloseShift => value(&device.call(|host, now| host.close_shift(now)).await?),
    })
    .await
}
