//! `souk buyer …`

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use souk_codes::qr::Symbol;
use souk_device::facade::requests::{
    HandOverRequest, LineRequest, OrdersRequest, PayRequest, PlaceOrderRequest, SearchRequest, TakeVerdict,
};
use souk_device::facade::views::{OrderDetail, OrdersPage, PendingState, SavedView};
use souk_device::runtime::Device;
use souk_domain::id::{OfferId, OrderId};
use souk_domain::money::Money;
use souk_domain::order::PayMethod;
use souk_protocol::views::OrderWord;

use super::picture::{Kind, scan, show};
use super::{ALL, Done, Own, Place, Role, SYNC_MS, done, own, with_device};
use crate::failure::Failure;
use crate::people;

/// A payment takes a moment at the rail; a terminal looks so often ...
const PAID_LOOKS: usize = 3;
/// ... and waits so long each time before it says that the order waits for its money.
const PAID_LOOK_AGAIN: Duration = Duration::from_millis(700);

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
    /// What stands in escrow for my orders, what went to the shops, what came back.
    Balance,
    #[command(flatten)]
    Own(Own),
}

/// Does what a buyer asks for; answers one JSON object.
pub async fn buyer(args: BuyerArgs) -> Result<Value, Failure> {
    let BuyerArgs { place, verb } = args;
    match verb {
        BuyerVerb::Own(verb) => own(&place, Role::Buyer, verb).await,
        verb => with_device(&place, Role::Buyer, async |device| trade(device, verb).await).await,
    }
}

async fn trade(device: &Device, verb: BuyerVerb) -> Result<Done, Failure> {
    match verb {
        BuyerVerb::Search { text } => {
            let request = SearchRequest { text, ..SearchRequest::default() };
            done(&device.call(move |host, _| host.search(&request)).await?)
        }
        BuyerVerb::Buy { offer, quantity, name } => {
            let request = PlaceOrderRequest {
                lines: vec![LineRequest { offer, quantity }],
                address: Some(people::example_address(&name)),
                ..PlaceOrderRequest::default()
            };
            let placed = device.call(move |host, now| host.place_order(&request, now)).await?;
            let about = placed.orders.iter().map(|order| order.order).collect();
            Ok(Done { value: super::value(&placed)?, about })
        }
        BuyerVerb::Pay { scan: Some(file), .. } => {
            let code = scan(&file, Kind::PayCode)?;
            pay_by_code(device, &code.text).await.map_err(|failure| code.explain(failure))
        }
        BuyerVerb::Pay { order: Some(order), scan: None } => {
            let request = PayRequest { order, method: PayMethod::Mandate };
            let saved = device.call(move |host, now| host.pay(request, now)).await?;
            paid(device, order, saved).await
        }
        BuyerVerb::Pay { order: None, scan: None } => Err(Failure::new("pay.what", "an order or a picture")),
        BuyerVerb::Orders => done(&device.call(|host, now| host.orders(ALL, now)).await?),
        BuyerVerb::Order { order } => {
            Done::about(&device.call(move |host, now| host.order(order, now)).await?, order)
        }
        BuyerVerb::PayCode { order, png } => {
            let code = device.pay_code(order).await?;
            let symbol =
                Symbol::of_pay_code(&code.code).map_err(|error| Failure::new(error.code(), "code"))?;
            show(&symbol, png.as_ref(), people::pay_code_png(&code.code)?)?;
            done(&code)
        }
        BuyerVerb::Scan { file } => {
            let label = scan(&file, Kind::Label)?;
            let text = label.text.clone();
            let read = device.call(move |host, now| host.read_label(&text, now)).await;
            done(&read.map_err(|error| label.explain(error.into()))?)
        }
        BuyerVerb::Show { label, png, refuse } => show_handover(device, label, png, refuse).await,
        BuyerVerb::Confirm { order } => {
            Done::about(&device.call(move |host, now| host.confirm_receipt(order, now)).await?, order)
        }
        BuyerVerb::Cancel { order } => {
            Done::about(&device.call(move |host, now| host.cancel_order(order, now)).await?, order)
        }
        BuyerVerb::Refund { order, reason } => {
            Done::about(&device.call(move |host, now| host.open_case(order, &reason, now)).await?, order)
        }
        BuyerVerb::Balance => balance(device).await,
        BuyerVerb::Own(_) => Err(Failure::new("program.verb", "not an act of trade")),
    }
}

async fn show_handover(
    device: &Device,
    label: PathBuf,
    png: Option<PathBuf>,
    refuse: bool,
) -> Result<Done, Failure> {
    let verdict = if refuse { TakeVerdict::Refuse } else { TakeVerdict::Accept };
    let label = scan(&label, Kind::Label)?;
    let request = HandOverRequest { label: label.text.clone(), verdict, cod_agreed: false };
    let code = device.call(move |host, now| host.show_handover(&request, now)).await;
    let code = code.map_err(|error| label.explain(error.into()))?;
    let symbol = Symbol::of_message(&code.text).map_err(|error| Failure::new(error.code(), "code"))?;
    show(&symbol, png.as_ref(), people::message_png(&code.text)?)?;
    done(&code)
}

/// Pays the order that a code names. A code of an own order that owes nothing is refused with what is true of the
/// order (`order.already_paid`, `order.closed`), not as a stranger's.
async fn pay_by_code(device: &Device, text: &str) -> Result<Done, Failure> {
    let code = text.to_owned();
    let payee = device.call(move |host, now| host.read_pay_code(&code, now)).await?;
    if let (true, false, Some(order)) = (payee.is_verified, payee.is_own_order, payee.order) {
        match device.call(move |host, now| host.order(order, now)).await {
            Ok(detail) => {
                if let Some(code) = why_not_pay(&detail) {
                    return Err(Failure::refused(&code, souk_domain::outcome::Facts::none()));
                }
            }
            Err(error) if error.code == "order.unknown" => {}
            Err(error) => return Err(error.into()),
        }
    }
    let code = text.to_owned();
    let saved = device.call(move |host, now| host.pay_by_code(&code, now)).await?;
    match payee.order {
        Some(order) => paid(device, order, saved).await,
        None => done(&saved),
    }
}

/// Why an order cannot be paid, as the rules say.
fn why_not_pay(order: &OrderDetail) -> Option<String> {
    order.actions.iter().find(|action| action.what == "pay").and_then(|action| action.why.clone())
}

/// Waits a moment for the rail, so that the order's line says *paid* where it is.
async fn paid(device: &Device, order: OrderId, saved: SavedView) -> Result<Done, Failure> {
    let act = saved.id;
    if !device.is_online() {
        return Done::about(&saved, order);
    }
    device.sync_now(SYNC_MS).await?;
    let state = device.call(move |host, now| host.pending_act(act, now)).await?.state;
    let mut changes = device.topics().orders;
    for _ in 0..PAID_LOOKS {
        let word = device.call(move |host, now| host.order(order, now)).await.map(|order| order.row.word);
        let waits = matches!(word, Ok(OrderWord::AwaitingPayment | OrderWord::PartPaid));
        if state != PendingState::Accepted || !waits {
            break;
        }
        // A change or the end of the wait: in both cases one look more.
        let _ = tokio::time::timeout(PAID_LOOK_AGAIN, changes.changed()).await;
        device.sync_now(SYNC_MS).await?;
    }
    Done::about(&saved, order)
}

/// Sums over the device's orders, one a currency.
#[derive(Clone, Copy)]
struct Sums {
    to_pay: Money,
    in_escrow: Money,
    released: Money,
    refunded: Money,
}

impl Sums {
    fn zero(of: &OrderDetail) -> Sums {
        let zero = Money::zero(of.row.total.currency);
        Sums { to_pay: zero, in_escrow: zero, released: zero, refunded: zero }
    }

    fn with(self, order: &OrderDetail) -> Result<Sums, Failure> {
        let failed = |error: souk_domain::money::MoneyError| Failure::new(error.code(), "a sum does not fit");
        let owes = matches!(order.row.word, OrderWord::AwaitingPayment | OrderWord::PartPaid);
        let to_pay = if owes { order.row.total } else { Money::zero(order.row.total.currency) };
        Ok(Sums {
            to_pay: self.to_pay.add(to_pay).map_err(failed)?,
            in_escrow: self.in_escrow.add(order.held).map_err(failed)?,
            released: self.released.add(order.released).map_err(failed)?,
            refunded: self.refunded.add(order.refunded).map_err(failed)?,
        })
    }
}

/// What stands in escrow for this account, what went to the shops and what came back, from the device's own rows.
async fn balance(device: &Device) -> Result<Done, Failure> {
    let mut sums: std::collections::BTreeMap<&'static str, Sums> = std::collections::BTreeMap::new();
    let mut count = 0usize;
    loop {
        let request = OrdersRequest { offset: count, limit: ALL.limit };
        let page: OrdersPage = device.call(move |host, now| host.orders(request, now)).await?;
        for row in &page.rows {
            let id = row.id;
            let order = device.call(move |host, now| host.order(id, now)).await?;
            let currency = order.row.total.currency.code();
            let sum = sums.get(currency).copied().unwrap_or_else(|| Sums::zero(&order));
            sums.insert(currency, sum.with(&order)?);
        }
        count += page.rows.len();
        if !page.more || page.rows.is_empty() {
            break;
        }
    }
    let balances: Vec<Value> = sums
        .into_iter()
        .map(|(currency, sum)| {
            json!({
                "currency": currency, "to_pay": sum.to_pay, "in_escrow": sum.in_escrow,
                "released": sum.released, "refunded": sum.refunded,
            })
        })
        .collect();
    Ok(json!({"orders": count, "balances": balances}).into())
}
