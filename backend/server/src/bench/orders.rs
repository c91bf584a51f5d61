//! `souk bench orders`: whole orders over HTTP, four requests each: create, address and shipping, pay, confirm
//! (spec/market.md 19.2). Backend and rail are processes of their own; a seller ships beside the buyers, and its
//! requests count towards the CPU time of an order.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};
use souk_domain::id::{OfferId, OrderId, ShopId};
use souk_domain::intent::{Body, PlaceOrder, ShortPolicy, WantedLine};
use souk_domain::money::{Currency, Money};
use souk_domain::order::{PayMethod, RailId};
use souk_engine::Engine;
use souk_protocol::catalogue::SnapshotResponse;
use souk_protocol::sync::rows_of;
use souk_protocol::views::{AddressView, CardView, address_bin};
use souk_testkit::market::market as generated;
use tokio::sync::mpsc;

use super::cpu;
use crate::api::ApiClient;
use crate::failure::Failure;
use crate::processes;
use crate::seeding::{Seeder, ShopPlan};
use crate::{clock, market, store_at};

/// Products of the market.
const PRODUCTS: usize = 1_000;
/// Units of each product: more than any run buys.
const STOCK: u32 = 1_000_000;
/// Contact of the seller.
const SELLER: &str = "seller@bench.souk.invalid";
/// A seller looks again after this when an order is not paid yet.
const SHIP_AGAIN: Duration = Duration::from_millis(5);

/// Options of `souk bench orders`.
#[derive(Debug, Args)]
pub struct OrdersArgs {
    /// Clients that order at the same time.
    #[arg(long, default_value_t = 8)]
    in_flight: usize,
    /// For how long.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Orders before the clock starts.
    #[arg(long, default_value_t = 200)]
    warm_up: u64,
    /// Folder of the market; a new one under the system's temporary folder by default.
    #[arg(long)]
    data: Option<PathBuf>,
}

/// What it prints.
#[derive(Debug, Serialize)]
pub struct Report {
    per_s: u64,
    cpu_us_per_op: u64,
    rail_cpu_us_per_op: u64,
    p50_us: u64,
    p99_us: u64,
    confirm_p50_us: u64,
    confirm_p99_us: u64,
    ops: u64,
    clients: usize,
    seconds: u64,
}

/// One whole order as a client saw it.
struct Done {
    requests_us: [u64; 3],
    confirm_us: u64,
}

/// An offer of the public catalogue, as far as ordering it needs.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// The offer.
    pub offer: OfferId,
    /// Its shop.
    pub shop: ShopId,
    /// Its price.
    pub price: Money,
}

/// Runs it.
pub async fn run(args: OrdersArgs) -> Result<Report, Failure> {
    let temporary = std::env::temp_dir().join(format!("souk-bench-{}", std::process::id()));
    let data = args.data.clone().unwrap_or(temporary);
    std::fs::create_dir_all(&data)?;
    seed(&data).await?;
    let (rail, backend) =
        processes::market(&std::env::current_exe()?, &data, "127.0.0.1:0", &["--rate-factor", "100000"])
            .await?;
    let mut seller = ApiClient::register(&backend.url, SELLER, "Seller").await?;
    let offers = offers(&seller).await?;
    let (placed, mut to_ship) = mpsc::unbounded_channel::<(OrderId, mpsc::UnboundedSender<OrderId>)>();
    let shipping = tokio::spawn(async move {
        while let Some((order, shipped)) = to_ship.recv().await {
            loop {
                let outcome = seller.decide(order.bucket(), &Body::Ship { order }).await?;
                if outcome["is"] == "accepted" {
                    let _ = shipped.send(order);
                    break;
                }
                tokio::time::sleep(SHIP_AGAIN).await;
            }
        }
        Ok::<(), Failure>(())
    });
    let mut clients = Vec::new();
    for number in 0..args.in_flight {
        let contact = format!("buyer{number}@bench.souk.invalid");
        clients.push(ApiClient::register(&backend.url, &contact, "Buyer").await?);
    }
    let warm = Instant::now();
    let per_client = args.warm_up.div_ceil(args.in_flight.max(1) as u64);
    let (clients, _) = phase(clients, &offers, &placed, move |done, _| done >= per_client, warm).await?;
    let (cpu_before, rail_before) = (cpu::process_us(&backend.pid())?, cpu::process_us(&rail.pid())?);
    let started = Instant::now();
    let span = Duration::from_secs(args.seconds);
    let (clients, done) = phase(clients, &offers, &placed, move |_, at| at >= span, started).await?;
    let elapsed = started.elapsed();
    let cpu_us = cpu::process_us(&backend.pid())?.saturating_sub(cpu_before);
    let rail_us = cpu::process_us(&rail.pid())?.saturating_sub(rail_before);
    drop(placed);
    drop(clients);
    shipping.await.map_err(|error| Failure::new("bench.orders", error.to_string()))??;
    backend.stop().await?;
    rail.stop().await?;
    if args.data.is_none() {
        std::fs::remove_dir_all(&data)?;
    }
    Ok(report(&args, &done, elapsed, cpu_us, rail_us))
}

fn report(args: &OrdersArgs, done: &[Done], elapsed: Duration, cpu_us: u64, rail_us: u64) -> Report {
    let ops = done.len() as u64;
    let mut requests: Vec<u64> = done.iter().flat_map(|done| done.requests_us).collect();
    let mut confirms: Vec<u64> = done.iter().map(|done| done.confirm_us).collect();
    requests.sort_unstable();
    confirms.sort_unstable();
    let at =
        |sorted: &[u64], per_mille: usize| sorted.get(sorted.len() * per_mille / 1000).copied().unwrap_or(0);
    Report {
        per_s: ops * 1_000 / (elapsed.as_millis() as u64).max(1),
        cpu_us_per_op: cpu_us / ops.max(1),
        rail_cpu_us_per_op: rail_us / ops.max(1),
        p50_us: at(&requests, 500),
        p99_us: at(&requests, 990),
        confirm_p50_us: at(&confirms, 500),
        confirm_p99_us: at(&confirms, 990),
        ops,
        clients: args.in_flight,
        seconds: elapsed.as_secs(),
    }
}

/// Fills the store before it is served.
async fn seed(data: &std::path::Path) -> Result<(), Failure> {
    let store = store_at::open(&store_at::in_folder(data))?;
    let mut engine = Engine::open(store, market::engine_config()?).await?;
    let mut plans = generated(1, 1, PRODUCTS);
    let Some(plan) = plans.pop() else { return Err(Failure::new("bench.orders", "no market")) };
    let mut seeder = Seeder::new(&mut engine, clock::now());
    let shop = seeder
        .shop(&ShopPlan {
            contact: SELLER.to_owned(),
            name: plan.name,
            city: plan.city,
            currency: Currency::KRW,
            shipping: plan.shipping,
            free_from: Some(plan.free_from),
            courier: None,
        })
        .await?;
    let products: Vec<_> = plan
        .products
        .into_iter()
        .map(|mut product| {
            product.stock = STOCK;
            product
        })
        .collect();
    seeder.products(SELLER, shop, &products, |_| {}).await?;
    Ok(())
}

/// All offers of the public catalogue.
pub async fn offers(client: &ApiClient) -> Result<Vec<Wanted>, Failure> {
    let snapshot: SnapshotResponse = client.get("/v1/catalogue/snapshot").await?;
    let rows = rows_of(snapshot.page.blocks).map_err(|refusal| Failure::new(refusal.code, "snapshot"))?;
    let wanted = |put: &souk_protocol::sync::Put| {
        let mut members = put.row.clone();
        members.insert("id".to_owned(), Value::from(souk_domain::id::hex(&put.id)));
        let card: CardView = serde_json::from_value(Value::Object(members)).ok()?;
        Some(Wanted { offer: card.offer, shop: card.shop, price: card.price })
    };
    let offers: Vec<Wanted> = rows.puts.iter().filter_map(wanted).collect();
    if offers.is_empty() { Err(Failure::new("bench.orders", "an empty catalogue")) } else { Ok(offers) }
}

/// All clients order until `is_over(orders done, time passed)`.
async fn phase(
    clients: Vec<ApiClient>,
    offers: &[Wanted],
    placed: &mpsc::UnboundedSender<(OrderId, mpsc::UnboundedSender<OrderId>)>,
    is_over: impl Fn(u64, Duration) -> bool + Clone + Send + 'static,
    started: Instant,
) -> Result<(Vec<ApiClient>, Vec<Done>), Failure> {
    let mut tasks = Vec::new();
    for (number, mut client) in clients.into_iter().enumerate() {
        let (offers, placed, is_over) = (offers.to_vec(), placed.clone(), is_over.clone());
        tasks.push(tokio::spawn(async move {
            let (shipped, mut may_confirm) = mpsc::unbounded_channel();
            let mut done = Vec::new();
            let mut turn = number;
            while !is_over(done.len() as u64, started.elapsed()) {
                turn += 7;
                let wanted = offers[turn % offers.len()];
                let (order, requests_us) = place(&mut client, wanted).await?;
                let _ = placed.send((order, shipped.clone()));
                let Some(order) = may_confirm.recv().await else { break };
                let at = Instant::now();
                let outcome = client.decide(order.bucket(), &Body::Confirm { order }).await?;
                if outcome["is"] != "accepted" {
                    return Err(Failure::new("bench.confirm", outcome.to_string()));
                }
                done.push(Done { requests_us, confirm_us: at.elapsed().as_micros() as u64 });
            }
            Ok::<_, Failure>((client, done))
        }));
    }
    let mut clients = Vec::new();
    let mut all = Vec::new();
    for task in tasks {
        let (client, done) =
            task.await.map_err(|error| Failure::new("bench.orders", error.to_string()))??;
        clients.push(client);
        all.extend(done);
    }
    Ok((clients, all))
}

/// Create, address and shipping, pay.
async fn place(client: &mut ApiClient, wanted: Wanted) -> Result<(OrderId, [u64; 3]), Failure> {
    let checkout = client.mint(client.account.bucket())?;
    let mut times = [0; 3];
    let at = Instant::now();
    let lines = json!({"lines": [{"offer": wanted.offer, "q": 1}]});
    let _: Value = client.put(&format!("/v1/checkouts/{checkout}"), &lines).await?;
    times[0] = at.elapsed().as_micros() as u64;
    let address = AddressView {
        name: "Kim Minji".to_owned(),
        lines: vec!["Sejong-daero 110".to_owned()],
        city: "Seoul".to_owned(),
        postcode: "04524".to_owned(),
        country: "KR".to_owned(),
        phone: String::new(),
        place: None,
    };
    let at = Instant::now();
    let totals: Value =
        client.put(&format!("/v1/checkouts/{checkout}/delivery"), &json!({"address": address})).await?;
    times[1] = at.elapsed().as_micros() as u64;
    let total: Money = serde_json::from_value(totals["shops"][0]["total"].clone())
        .map_err(|error| Failure::new("bench.totals", format!("{error}: {totals}")))?;
    let body = Body::PlaceOrder(PlaceOrder {
        shop: wanted.shop,
        lines: vec![WantedLine { offer: wanted.offer, quantity: 1, seen: wanted.price.minor }],
        policy: ShortPolicy::AllOrNothing,
        note: String::new(),
    });
    let salt =
        souk_crypto::random::array().map_err(|error| Failure::new("program.random", error.to_string()))?;
    let bin = address_bin(salt, &address).map_err(|refusal| Failure::new(refusal.code, "address"))?;
    let (id, place) = client.text(wanted.shop.bucket(), &body, bin, Some(total))?;
    let order =
        OrderId::from_bytes(*id.bytes()).map_err(|error| Failure::new("api.id", error.to_string()))?;
    let rail = RailId::new(RailId::SANDBOX).ok_or_else(|| Failure::new("api.rail", RailId::SANDBOX))?;
    let pay = Body::PayStart { order, rail, method: PayMethod::Mandate };
    let (_, pay) = client.text(order.bucket(), &pay, Vec::new(), Some(total))?;
    let at = Instant::now();
    let placed: Value = client
        .post(&format!("/v1/checkouts/{checkout}/place"), &json!({"orders": [place], "pay": [pay]}))
        .await?;
    times[2] = at.elapsed().as_micros() as u64;
    for results in ["orders", "pay"] {
        if placed[results][0]["outcome"]["is"] != "accepted" {
            return Err(Failure::new("bench.place", placed.to_string()));
        }
    }
    Ok((order, times))
}
