//! The processes of a run: backend and rail, each at an address that outlives it, and the market they start with.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use souk_domain::money::Currency;
use souk_engine::Engine;
use souk_server::processes::Running;
use souk_server::seeding::{Seeder, ShopPlan};
use souk_server::{clock, market, store_at};
use souk_store::Store;
use souk_testkit::market::{Seeded, market as generated};
use tokio::process::Command;

const SOUK: &str = env!("CARGO_BIN_EXE_souk");
/// The shop that is run over the API.
pub(crate) const DIRECT_SELLER: &str = "seller-direct@kill.souk.invalid";
/// The shop that is run on a device.
pub(crate) const DEVICE_SELLER: &str = "seller-device@kill.souk.invalid";
/// Who carries for it.
pub(crate) const COURIER: &str = "courier@kill.souk.invalid";
/// Units of each product: nobody goes without.
const STOCK: u32 = 10_000;
/// Products of both shops.
const PRODUCTS: usize = 40;
/// Ports below the range that systems give to outgoing connections, so that nobody takes one between two lives.
const PORTS: std::ops::Range<u64> = 12_000..30_000;
/// More intents than a bucket has in any run.
pub(crate) const ALL: usize = 1_000_000;

/// Where everything stands.
pub(crate) struct Site {
    folder: tempfile::TempDir,
    backend: String,
    rail: String,
    /// Root of the API.
    pub(crate) url: String,
    /// Acts that the market was made with.
    pub(crate) seeded: BTreeSet<[u8; 16]>,
}

impl Site {
    /// A folder with a seeded market and two addresses.
    pub(crate) async fn new(seed: u64) -> Site {
        let folder = tempfile::tempdir().unwrap();
        let (backend, rail) = (free_address(), free_address());
        let url = format!("http://{backend}");
        let mut site = Site { folder, backend, rail, url, seeded: BTreeSet::new() };
        fill(site.store(), seed).await;
        let store = site.store();
        for bucket in store.buckets_in_use().await.unwrap() {
            site.seeded.extend(store.intents(bucket, ALL).await.unwrap().iter().map(|row| row.id));
        }
        site
    }

    /// Folder of the backend's files.
    pub(crate) fn data(&self) -> &Path {
        self.folder.path()
    }

    /// Folder of a device.
    pub(crate) fn device(&self, name: &str) -> PathBuf {
        self.data().join("people").join(name)
    }

    /// The backend's store; nobody else may have it open.
    pub(crate) fn store(&self) -> Arc<dyn Store> {
        store_at::open(&store_at::in_folder(self.data())).unwrap()
    }

    fn serve_arguments(&self) -> Vec<String> {
        let (folder, rail) = (self.data().display().to_string(), self.rail_url());
        ["serve", "--listen", &self.backend, "--data", &folder, "--sandbox", "--rail", &rail]
            .into_iter()
            .chain(["--rate-factor", "100000"])
            .map(str::to_owned)
            .collect()
    }

    /// Starts the backend and waits until it listens.
    pub(crate) async fn serve(&self) -> Running {
        let arguments = self.serve_arguments();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        Running::start(Path::new(SOUK), &arguments).await.unwrap()
    }

    /// Starts the backend and kills it after a moment, wherever it is by then.
    pub(crate) async fn serve_and_kill(&self, after: Duration) {
        let mut child = Command::new(SOUK)
            .args(self.serve_arguments())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        tokio::time::sleep(after).await;
        assert_eq!(child.try_wait().unwrap(), None, "the backend has ended by itself");
        child.kill().await.unwrap();
    }

    /// Root of the rail.
    pub(crate) fn rail_url(&self) -> String {
        format!("http://{}", self.rail)
    }

    /// Starts the rail; its webhooks go to the backend.
    pub(crate) async fn rail(&self) -> Running {
        let folder = self.data().join("rail").display().to_string();
        let webhook = format!("{}/v1/rails/sandbox/webhook", self.url);
        let arguments =
            ["sandbox-rail", "--listen", &self.rail, "--data", &folder, "--webhook", webhook.as_str()];
        Running::start(Path::new(SOUK), &arguments).await.unwrap()
    }

    /// `souk ledger verify`.
    pub(crate) async fn verify_ledger(&self) -> Value {
        let store = store_at::in_folder(self.data());
        let output = Command::new(SOUK).args(["ledger", "verify", "--store", &store]).output().await.unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "ledger verify: {text}");
        serde_json::from_str(&text).unwrap()
    }
}

async fn fill(store: Arc<dyn Store>, seed: u64) {
    let mut engine = Engine::open(store, market::engine_config().unwrap()).await.unwrap();
    let mut seeder = Seeder::new(&mut engine, clock::now());
    let sellers = [(DIRECT_SELLER, None), (DEVICE_SELLER, Some(COURIER.to_owned()))];
    for (mut plan, (contact, courier)) in generated(seed, 2, PRODUCTS).into_iter().zip(sellers) {
        let shop = ShopPlan {
            contact: contact.to_owned(),
            name: plan.name,
            city: plan.city,
            currency: Currency::KRW,
            shipping: plan.shipping,
            free_from: None,
            courier,
        };
        let shop = seeder.shop(&shop).await.unwrap();
        for product in &mut plan.products {
            product.stock = STOCK;
        }
        seeder.products(contact, shop, &plan.products, |_| {}).await.unwrap();
    }
}

/// An address that nobody has now.
fn free_address() -> String {
    let mut random = Seeded::new(u64::from_be_bytes(souk_crypto::random::array().unwrap()));
    loop {
        let address = format!("127.0.0.1:{}", PORTS.start + random.below(PORTS.end - PORTS.start));
        if std::net::TcpListener::bind(&address).is_ok() {
            return address;
        }
    }
}
