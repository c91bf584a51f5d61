//! `kill -9` at any time loses nothing that was acknowledged: real processes, real HTTP, real files, seeded.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use souk_domain::id::OrderId;
use souk_domain::intent::{Body, PlaceOrder, ShortPolicy, WantedLine};
use souk_domain::money::Currency;
use souk_domain::order::{PayMethod, RailId};
use souk_engine::Engine;
use souk_protocol::sync::SignedText;
use souk_protocol::views::{AddressView, address_bin};
use souk_server::api::ApiClient;
use souk_server::bench::orders::{Wanted, offers};
use souk_server::processes::Running;
use souk_server::seeding::{Seeder, ShopPlan};
use souk_server::{clock, ledger_check, market, store_at};
use souk_testkit::market::{Seeded, market as generated};

const SOUK: &str = env!("CARGO_BIN_EXE_souk");
const SELLER: &str = "seller@kill.souk.invalid";
/// Kills of one run. `SOUK_KILLS` asks for more.
const KILLS: usize = 6;

/// What a client was told: the text that it sent and the outcome that came back.
struct Told {
    order: OrderId,
    place: SignedText,
    outcome: Value,
}

fn free_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

async fn seed(data: &Path) {
    let store = store_at::open(&store_at::in_folder(data)).unwrap();
    let mut engine = Engine::open(store, market::engine_config().unwrap()).await.unwrap();
    let plan = generated(3, 1, 40).pop().unwrap();
    let mut seeder = Seeder::new(&mut engine, clock::now());
    let shop = seeder
        .shop(&ShopPlan {
            contact: SELLER.to_owned(),
            name: plan.name,
            city: plan.city,
            currency: Currency::KRW,
            shipping: plan.shipping,
            free_from: None,
            courier: None,
        })
        .await
        .unwrap();
    seeder.products(SELLER, shop, &plan.products, |_| {}).await.unwrap();
}

async fn serve(data: &Path, address: &str, rail: &str) -> Running {
    let folder = data.display().to_string();
    let arguments = [
        "serve",
        "--listen",
        address,
        "--data",
        &folder,
        "--sandbox",
        "--rail",
        rail,
        "--rate-factor",
        "100000",
    ];
    Running::start(Path::new(SOUK), &arguments).await.unwrap()
}

fn order_text(client: &mut ApiClient, wanted: Wanted) -> (OrderId, SignedText) {
    let body = Body::PlaceOrder(PlaceOrder {
        shop: wanted.shop,
        lines: vec![WantedLine { offer: wanted.offer, quantity: 1, seen: wanted.price.minor }],
        policy: ShortPolicy::AllOrNothing,
        note: String::new(),
    });
    let address = AddressView {
        name: "Kim".to_owned(),
        lines: vec!["Sejong-daero 110".to_owned()],
        city: "Seoul".to_owned(),
        postcode: "04524".to_owned(),
        country: "KR".to_owned(),
        ..AddressView::default()
    };
    let bin = address_bin([7; 16], &address).unwrap();
    let (id, text) = client.text(wanted.shop.bucket(), &body, bin, None).unwrap();
    (OrderId::from_bytes(*id.bytes()).unwrap(), text)
}

/// Orders and payments until the server dies under the client's hands.
async fn trade(client: &mut ApiClient, offers: &[Wanted], random: &mut Seeded) -> Vec<Told> {
    let mut told = Vec::new();
    loop {
        let wanted = *random.pick(offers);
        let (order, place) = order_text(client, wanted);
        let Ok(outcome) = client.send("PlaceOrder", &place).await else { return told };
        let is_accepted = outcome["is"] == "accepted";
        told.push(Told { order, place, outcome });
        if is_accepted {
            let rail = RailId::new(RailId::SANDBOX).unwrap();
            let pay = Body::PayStart { order, rail, method: PayMethod::Mandate };
            if client.decide(order.bucket(), &pay).await.is_err() {
                return told;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost() {
    let kills = std::env::var("SOUK_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS);
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    seed(data).await;
    let rail_folder = data.join("rail").display().to_string();
    let rail =
        Running::start(Path::new(SOUK), &["sandbox-rail", "--listen", "127.0.0.1:0", "--data", &rail_folder])
            .await
            .unwrap();
    let address = free_address();
    let mut told: Vec<Told> = Vec::new();
    for seed in 0..kills as u64 {
        let server = serve(data, &address, &rail.url).await;
        let mut random = Seeded::new(seed);
        let contact = format!("buyer{seed}@kill.souk.invalid");
        let mut client = ApiClient::register(&server.url, &contact, "Buyer").await.unwrap();
        let offers = offers(&client).await.unwrap();
        let lives = Duration::from_millis(50 + random.below(900));
        let (more, ()) = tokio::join!(trade(&mut client, &offers, &mut random), async {
            tokio::time::sleep(lives).await;
            server.kill().await.unwrap();
        });
        // After the restart every outcome that was given is given again, bit for bit.
        let server = serve(data, &address, &rail.url).await;
        for told in &more {
            let again = client.send("PlaceOrder", &told.place).await.unwrap();
            assert_eq!(again, told.outcome, "seed {seed}: another outcome for {}", told.order);
            if told.outcome["is"] == "accepted" {
                let order: Value = client.get(&format!("/v1/orders/{}", told.order)).await.unwrap();
                assert!(order.is_object(), "seed {seed}: {} is gone", told.order);
            }
        }
        told.extend(more);
        if seed % 2 == 0 { server.stop().await.unwrap() } else { server.kill().await.unwrap() }
    }
    assert!(told.len() > kills, "the clients hardly traded: {}", told.len());
    let store = store_at::open(&store_at::in_folder(data)).unwrap();
    let checked = ledger_check::verify(store.as_ref()).await.unwrap();
    assert!(checked.ok, "{checked:?}");
    eprintln!("{}", json!({"kills": kills, "acknowledged": told.len(), "transfers": checked.transfers}));
    rail.stop().await.unwrap();
}
