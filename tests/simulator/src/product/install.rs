//! The files that each run begins with: made once a process by the product itself, in a calm run of a few minutes.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use souk_device::outbox::Tap;
use souk_device::sync::Event;
use souk_domain::catalogue::put_product::{CheckedProduct, ProductFacts};
use souk_domain::catalogue::{Offer, QuantityRule, TaxRule};
use souk_domain::id::{AccountId, OfferId, ShopId};
use souk_domain::intent::{Body, OpenShop, PutProduct};
use souk_domain::money::{Currency, Ppm};
use souk_domain::num::Rounding;
use souk_domain::party::Shipping;
use souk_domain::rows::Key;
use souk_domain::scope::{EntityKind, Scope};
use souk_domain::stock::Stock;

use super::block_on;
use super::market::{FREE_FROM, PRICE, PRICE_STEP, PRODUCTS, Part, SEATS, SHIPPING, STOCK_AT_FIRST, money};
use super::record::{Count, Stream};
use super::truth::Truth;
use super::world::{Person, ProductWorld};
use crate::disk::{HostId, Image};
use crate::run::calm;
use crate::sim::Sim;
use crate::world::{Checked, Violation};

/// The seed of the run that makes the files.
const SEED: u64 = 417;
/// Its length, ms: sign-up, shop, products, pulls.
const SPAN_MS: u64 = 6 * 60_000;

/// The timer of a device that takes its steps of the making of the files.
pub(super) const STEP: u64 = 77;

/// Files and names that every run begins with.
#[derive(Debug)]
pub(super) struct Template {
    pub(super) images: BTreeMap<HostId, Image>,
    pub(super) people: Vec<Person>,
    pub(super) shop: ShopId,
    pub(super) offers: Vec<(Offer, Stock)>,
    pub(super) seller: AccountId,
    pub(super) truth: Truth,
    pub(super) streams: BTreeMap<Stream, Count>,
}

/// What the making of the files has come to.
pub(super) type Installed = (Vec<Person>, ShopId, Vec<(Offer, Stock)>);

static TEMPLATE: OnceLock<Result<Template, Violation>> = OnceLock::new();

/// The template, made by the first run that asks.
pub(super) fn template() -> Result<&'static Template, Violation> {
    TEMPLATE.get_or_init(make).as_ref().map_err(Clone::clone)
}

fn make() -> Result<Template, Violation> {
    let mut sim = Sim::new(SEED, false);
    let mut world = calm(ProductWorld::installing(), &mut sim, SPAN_MS)?;
    let failed = |what: &str| Violation::new("open", format!("no files to begin with: {what}"));
    let (people, shop, offers) = world.installed(&mut sim).map_err(|what| failed(&what))?;
    let seller = people.first().map(|person| person.account).ok_or_else(|| failed("no seller"))?;
    let images = sim.hosts.keys().map(|host| (*host, sim.disk().image(*host))).collect();
    let (truth, streams) = world.recorded();
    Ok(Template { images, people, shop, offers, seller, truth, streams })
}

/// Between two looks of a device at what it should do next, ms.
const STEP_MS: u64 = 10_000;

impl ProductWorld {
    /// Names of the shop, its offers and people, once the files are made; all programs have ended then.
    pub(super) fn installed(&mut self, sim: &mut Sim) -> Result<Installed, String> {
        for seat in SEATS {
            let phone = self.phone(seat.host).ok_or_else(|| format!("{} is down", seat.name))?;
            let session = phone.core.session().ok_or_else(|| format!("{} has not signed in", seat.name))?;
            let (account, host) = (session.account, seat.host);
            let (part, name) = (seat.part, seat.name);
            self.people.push(Person { host, part, name, account });
        }
        let shop = self.shop.ok_or("no shop")?;
        let phone = self.phone(SEATS[0].host).ok_or("no seller")?;
        let rows =
            phone.core.rows_of(&Scope::Seller(shop), EntityKind::Offer).map_err(|error| error.to_string())?;
        let offers: Vec<OfferId> = rows
            .iter()
            .filter_map(|row| match row {
                souk_domain::rows::Row::Offer(offer) => Some(offer.id),
                _ => None,
            })
            .collect();
        let server = self.server.as_ref().ok_or("no server")?;
        let mut sold = Vec::new();
        for offer in offers {
            let row: Option<Offer> =
                block_on(server.reader.row(Key::offer(offer))).map_err(|error| error.to_string())?;
            let stock: Option<Stock> =
                block_on(server.reader.row(Key::stock(offer))).map_err(|error| error.to_string())?;
            sold.push((row.ok_or("no offer")?, stock.ok_or("no stock")?));
        }
        if sold.len() != super::market::PRODUCTS as usize {
            return Err(format!("{} offers", sold.len()));
        }
        for seat in SEATS {
            let phone = self.phone(seat.host).ok_or("down")?;
            let seen = phone.core.stored_rows(&Scope::Catalogue).map_err(|error| error.to_string())?;
            if seen.len() <= sold.len() || phone.core.undecided() != Ok(0) {
                return Err(format!("{} has {} public rows", seat.name, seen.len()));
            }
            phone.pause(sim);
        }
        self.phones.clear();
        self.server = None;
        Ok((self.people.clone(), shop, sold))
    }

    /// The next step of somebody's way into the market: sign-up, then for the seller shop and products.
    pub(super) fn install_step(&mut self, host: HostId, sim: &mut Sim) -> Checked {
        sim.timer_after(host, STEP_MS, STEP);
        let Some(seat) = SEATS.iter().find(|seat| seat.host == host) else { return Ok(()) };
        let courier = SEATS.iter().find(|seat| seat.part == Part::Courier).map(|seat| seat.host);
        let courier = courier
            .and_then(|courier| self.phone(courier))
            .and_then(|phone| phone.core.session().map(|session| session.account));
        let (shop, has_products) = (self.shop, self.record.truth.outcomes().len() > 1);
        let Some(phone) = self.phone(host) else { return Ok(()) };
        if phone.core.session().is_none() {
            if phone.core.link_word() == "new" {
                self.sign_in(host, sim);
            }
            return Ok(());
        }
        if phone.core.undecided() != Ok(0) {
            return Ok(());
        }
        match (seat.part, shop, courier) {
            (Part::Seller, None, Some(courier)) => {
                let tapped = self.save(host, Tap::of(open_shop(courier)), sim)?;
                self.shop = tapped.and_then(|id| ShopId::from_bytes(*id.bytes()).ok());
                Ok(())
            }
            (Part::Seller, Some(shop), _) if !has_products => {
                for number in 0..PRODUCTS {
                    self.save(host, Tap::of(product(shop, number)), sim)?;
                }
                Ok(())
            }
            _ => {
                phone.event(Event::SyncNow, sim);
                phone.idle(sim);
                Ok(())
            }
        }
    }
}

fn open_shop(courier: AccountId) -> Body {
    Body::OpenShop(OpenShop {
        name: "Morning Market".to_owned(),
        city: "Seoul".to_owned(),
        country: "KR".to_owned(),
        currency: Currency::KRW,
        shipping: Shipping { flat: money(SHIPPING), free_from: Some(money(FREE_FROM)) },
        courier: Some(courier),
    })
}

fn product(shop: ShopId, number: u32) -> Body {
    let facts = ProductFacts {
        title: format!("Thing {number}"),
        category: "things".to_owned(),
        ..ProductFacts::default()
    };
    let product = CheckedProduct::new(facts).unwrap_or_else(|refusal| unreachable!("{refusal:?}"));
    Body::PutProduct(Box::new(PutProduct {
        shop,
        sku: format!("T-{number}"),
        product,
        price: money(PRICE + i64::from(number) * PRICE_STEP),
        tax: TaxRule { rate: Ppm(100_000), inclusive: true, rounding: Rounding::HalfUp },
        quantity: QuantityRule::ANY,
        stock: Some(STOCK_AT_FIRST),
    }))
}
