//! What the demo's market starts with: shops with products, couriers, and words that buyers search for.

use std::path::Path;

use souk_domain::id::AccountId;
use souk_domain::money::{Currency, Money};
use souk_domain::party::AccountRoles;
use souk_engine::Engine;
use souk_testkit::market::{ProductPlan, market as generated};

use super::DemoArgs;
use crate::failure::Failure;
use crate::seeding::{Seeder, ShopPlan};
use crate::{clock, import, market, progress, store_at};

/// Written once the market is in the store, so that a second start goes on with it.
const SEEDED: &str = "seeded";
/// Begins a line of that file that names a courier's account.
const COURIER: &str = "courier ";

/// The market of the demo.
#[derive(Debug)]
pub(super) struct Plan {
    /// Shops.
    pub(super) sellers: Vec<Seller>,
    /// What buyers search for.
    pub(super) words: Vec<String>,
    couriers: usize,
}

/// A shop with its products.
#[derive(Debug)]
pub(super) struct Seller {
    /// Who signs in with it owns the shop.
    pub(super) contact: String,
    shop: ShopPlan,
    products: Vec<ProductPlan>,
}

impl Plan {
    /// Products of all shops.
    pub(super) fn products(&self) -> usize {
        self.sellers.iter().map(|seller| seller.products.len()).sum()
    }

    /// Names of the shops.
    pub(super) fn shops(&self) -> Vec<String> {
        self.sellers.iter().map(|seller| seller.shop.name.clone()).collect()
    }
}

/// Name of a courier.
pub(super) fn courier_name(number: usize) -> String {
    format!("Courier {}", number + 1)
}

/// Contact of a courier.
pub(super) fn courier_contact(number: usize) -> String {
    format!("courier{number}@demo.souk.invalid")
}

/// Generated, or read from Icecat sheets.
pub(super) fn plan(args: &DemoArgs) -> Result<Plan, Failure> {
    let sellers = args.sellers.max(1);
    let mut plans = generated(args.seed, sellers, args.products);
    let mut words: Vec<String> =
        ["이어폰", "쌀", "충전기", "머그컵", "수건", "공책", "사과", "커피", "earphones", "kettle", "socks"]
            .map(str::to_owned)
            .to_vec();
    let mut currency = Currency::KRW;
    if let Some(path) = &args.data {
        currency = Currency::USD;
        let mut sheets: Vec<ProductPlan> =
            import::icecat(path)?.plans.into_iter().map(|(_, plan)| plan).collect();
        words =
            ["toner", "notebook", "cable", "lcd", "usb", "printer", "keyboard"].map(str::to_owned).to_vec();
        for plan in &mut plans {
            plan.products.clear();
            plan.shipping = Money::new(500, currency);
            plan.free_from = Money::new(10_000, currency);
        }
        for (number, product) in sheets.drain(..).enumerate() {
            plans[number % sellers].products.push(product);
        }
    }
    let couriers = args.couriers.max(1);
    let seller = |(number, plan): (usize, souk_testkit::market::SellerPlan)| {
        let contact = format!("seller{number}@demo.souk.invalid");
        let shop = ShopPlan {
            contact: contact.clone(),
            name: plan.name,
            city: plan.city,
            currency,
            shipping: plan.shipping,
            free_from: Some(plan.free_from),
            courier: Some(courier_contact(number % couriers)),
        };
        Seller { contact, shop, products: plan.products }
    };
    Ok(Plan { sellers: plans.into_iter().enumerate().map(seller).collect(), words, couriers })
}

/// Fills the store once. Answers the accounts of the couriers, as far as the folder names them.
pub(super) async fn seed(folder: &Path, plan: &Plan) -> Result<Vec<AccountId>, Failure> {
    let marker = folder.join(SEEDED);
    if let Ok(text) = std::fs::read_to_string(&marker) {
        return Ok(text.lines().filter_map(|line| line.strip_prefix(COURIER)?.parse().ok()).collect());
    }
    let store = store_at::open(&store_at::in_folder(folder))?;
    let mut engine = Engine::open(store, market::engine_config()?).await?;
    let mut seeder = Seeder::new(&mut engine, clock::now());
    let mut couriers = Vec::new();
    for number in 0..plan.couriers {
        let roles = AccountRoles { courier: true, operator: false };
        couriers.push(seeder.account(&courier_contact(number), &courier_name(number), roles).await?);
    }
    let bar = progress::bar(plan.products() as u64, "products");
    for seller in &plan.sellers {
        let shop = seeder.shop(&seller.shop).await?;
        seeder.products(&seller.contact, shop, &seller.products, |done| bar.inc(done)).await?;
    }
    bar.finish_and_clear();
    let named: String = couriers.iter().map(|account| format!("{COURIER}{account}\n")).collect();
    std::fs::write(marker, format!("the market is in souk.db\n{named}"))?;
    Ok(couriers)
}
