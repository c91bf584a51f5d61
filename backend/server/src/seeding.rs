//! Filling a store before it is served: shops with their products, decided by the engine like everything else.
//!
//! The accounts are bound to contacts, so that whoever signs in with such a contact later has the shop.

use std::collections::BTreeMap;

use souk_crypto::derive;
use souk_crypto::sign::{Ed25519Key, Signer as _};
use souk_domain::catalogue::CheckedProduct;
use souk_domain::context::Actor;
use souk_domain::id::{AccountId, Bucket, DerivedId, DeviceId, IntentId, ShopId, form_u};
use souk_domain::intent::{Body, EnrolDevice, OpenShop, PutProduct, ServerAct};
use souk_domain::money::{Currency, Money};
use souk_domain::outcome::{Fact, Outcome};
use souk_domain::party::{Account, AccountRoles, DeviceKey, Shipping};
use souk_domain::rows::Key;
use souk_domain::rows::key::contact_hash;
use souk_domain::time::{Span, Time};
use souk_engine::{Answer, Ask, Engine};
use souk_protocol::intent::{IntentText, Mint};
use souk_protocol::sync::{PushState, Sig, SignedText};
use souk_testkit::market::ProductPlan;

use crate::failure::Failure;

/// Products of one group commit.
const BATCH: usize = 500;

/// A shop to be opened.
#[derive(Clone, Debug)]
pub struct ShopPlan {
    /// Who signs in with this contact owns it.
    pub contact: String,
    /// Name of shop and account.
    pub name: String,
    /// Town.
    pub city: String,
    /// The currency it sells in.
    pub currency: Currency,
    /// Flat shipping rate.
    pub shipping: Money,
    /// Free from this sum of goods on.
    pub free_from: Option<Money>,
    /// Contact of the courier that its parcels go to.
    pub courier: Option<String>,
}

/// An account that this program acts for while it fills the store.
#[derive(Debug)]
struct Person {
    account: AccountId,
    device: DeviceId,
    key: Ed25519Key,
}

/// What became of a product.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Put {
    /// It is new.
    Created,
    /// It was changed.
    Updated,
    /// It was there, the same.
    Unchanged,
    /// It was refused.
    Refused {
        /// Stable code.
        code: String,
    },
}

/// Fills a store through an engine.
#[derive(Debug)]
pub struct Seeder<'e> {
    engine: &'e mut Engine,
    now: Time,
    minted: u64,
    people: BTreeMap<String, Person>,
}

impl<'e> Seeder<'e> {
    /// A seeder that acts at `now`.
    pub fn new(engine: &'e mut Engine, now: Time) -> Seeder<'e> {
        Seeder { engine, now, minted: 0, people: BTreeMap::new() }
    }

    async fn server(&mut self, about: &[u8], act: ServerAct) -> Result<Outcome, Failure> {
        let hash = souk_crypto::hash::digest("souk/seed/v1/", &[act.kind().as_bytes(), about]);
        let id = DerivedId::derived(act.bucket(), &hash);
        match self.engine.decide_one(Ask::Server { id: id.into(), act }, self.now).await {
            Answer::Server(outcome) => Ok(outcome),
            other => Err(Failure::new("seed.act", format!("{other:?}"))),
        }
    }

    /// The account of a contact, opened if it is new.
    pub async fn account(
        &mut self,
        contact: &str,
        name: &str,
        roles: AccountRoles,
    ) -> Result<AccountId, Failure> {
        if let Some(person) = self.people.get(contact) {
            return Ok(person.account);
        }
        let hash = contact_hash(contact);
        let bad = |error: souk_domain::id::IdError| Failure::new("seed.id", error.to_string());
        let seed = derive(&hash, "souk/seed/account/v1/", &[]);
        let bucket = Bucket::new(u16::from_be_bytes([seed[0], seed[1]]) >> 6).map_err(bad)?;
        let mut random = [0; 9];
        random.copy_from_slice(&seed[2..11]);
        let unix_ms = u64::try_from(self.now.millis()).unwrap_or_default();
        let account = AccountId::from_bytes(form_u(unix_ms, bucket, random)).map_err(bad)?;
        let claim = ServerAct::ClaimContact {
            bucket: souk_domain::rows::key::contact_bucket(&hash),
            contact_hash: hash,
            account,
        };
        let outcome = self.server(&hash, claim).await?;
        let account: AccountId = match &outcome {
            Outcome::Accepted { data, .. } => data.text("account").and_then(|text| text.parse().ok()),
            Outcome::Rejected { .. } | Outcome::Expired | Outcome::Withdrawn => None,
        }
        .ok_or_else(|| Failure::new("seed.account", format!("{outcome:?}")))?;
        let key = Ed25519Key::from_seed(derive(&hash, "souk/seed/key/v1/", &[]));
        let device =
            DeviceId::from_bytes(souk_crypto::hash::first(&derive(&hash, "souk/seed/device/v1/", &[])))
                .map_err(bad)?;
        let enrol = EnrolDevice {
            account,
            name: name.to_owned(),
            roles,
            device,
            key: DeviceKey::new(key.public_key()),
            label: "souk import".to_owned(),
            replaces: None,
        };
        let outcome = self.server(device.bytes(), ServerAct::EnrolDevice(enrol)).await?;
        if !outcome.is_accepted() {
            return Err(Failure::new("seed.device", format!("{outcome:?}")));
        }
        self.people.insert(contact.to_owned(), Person { account, device, key });
        Ok(account)
    }

    /// The shop of a contact, opened if there is none.
    pub async fn shop(&mut self, plan: &ShopPlan) -> Result<ShopId, Failure> {
        let account = self.account(&plan.contact, &plan.name, AccountRoles::default()).await?;
        let row: Option<Account> = self.engine.reader().row(Key::account(account)).await?;
        if let Some(shop) = row.and_then(|row| row.shop) {
            return Ok(shop);
        }
        let courier = match &plan.courier {
            Some(contact) => {
                let roles = AccountRoles { courier: true, operator: false };
                Some(self.account(contact, "Courier", roles).await?)
            }
            None => None,
        };
        let body = Body::OpenShop(OpenShop {
            name: plan.name.clone(),
            city: plan.city.clone(),
            country: "KR".to_owned(),
            currency: plan.currency,
            shipping: Shipping { flat: plan.shipping, free_from: plan.free_from },
            courier,
        });
        let ask = self.direct(&plan.contact, account.bucket(), &body)?;
        let answer = self.engine.decide_one(ask, self.now).await;
        match outcomes(&answer).next() {
            Some(Outcome::Accepted { data, .. }) => data
                .text("shop")
                .and_then(|text| text.parse().ok())
                .ok_or_else(|| Failure::new("seed.shop", "no shop in the outcome")),
            other => Err(Failure::new("seed.shop", format!("{other:?} {answer:?}"))),
        }
    }

    /// Puts products into a shop; one result each, in their order.
    pub async fn products(
        &mut self,
        contact: &str,
        shop: ShopId,
        plans: &[ProductPlan],
        mut tick: impl FnMut(u64),
    ) -> Result<Vec<Put>, Failure> {
        let mut results = Vec::with_capacity(plans.len());
        for plans in plans.chunks(BATCH) {
            let mut asks = Vec::with_capacity(plans.len());
            let mut at = Vec::with_capacity(plans.len());
            for plan in plans {
                match CheckedProduct::new(plan.facts.clone()) {
                    Ok(product) => {
                        let body = Body::PutProduct(Box::new(PutProduct {
                            shop,
                            sku: plan.sku.clone(),
                            product,
                            price: plan.price,
                            tax: plan.tax,
                            quantity: plan.quantity,
                            stock: Some(plan.stock),
                        }));
                        asks.push(self.direct(contact, shop.bucket(), &body)?);
                        at.push(results.len());
                        results.push(Put::Unchanged);
                    }
                    Err(refusal) => results.push(Put::Refused { code: refusal.code.to_owned() }),
                }
            }
            let answers = self.engine.decide_batch(asks, self.now).await;
            for (index, answer) in at.into_iter().zip(&answers) {
                results[index] = put_of(answer)?;
            }
            tick(plans.len() as u64);
            self.engine.relay(self.now).await?;
        }
        Ok(results)
    }

    /// An intent of a person, signed by its seeded key.
    fn direct(&mut self, contact: &str, bucket: Bucket, body: &Body) -> Result<Ask, Failure> {
        let person = self.people.get(contact).ok_or_else(|| Failure::new("seed.account", contact))?;
        self.minted += 1;
        let mut random = [0; 9];
        let hash = derive(
            person.key.public_key().bytes().try_into().unwrap_or(&[0; 32]),
            "souk/seed/id/v1/",
            &[&self.minted.to_be_bytes(), &self.now.micros().to_be_bytes()],
        );
        random.copy_from_slice(&hash[..9]);
        let unix_ms = u64::try_from(self.now.millis()).unwrap_or_default();
        let id = IntentId::from_bytes(form_u(unix_ms, bucket, random))
            .map_err(|error| Failure::new("seed.id", error.to_string()))?;
        let mint = Mint {
            id,
            account: person.account,
            device: person.device,
            epoch: 1,
            // One series a run; the engine compares numbers within streams only.
            dev_seq: u64::try_from(self.now.micros()).unwrap_or_default() / 1_000 + self.minted,
            made_at: self.now,
            made_err_ms: 0,
            not_after: self.now.plus(Span::from_hours(1)),
            max_total: None,
        };
        let refuse = |refusal: souk_domain::outcome::Refusal| {
            Failure::new(refusal.code, format!("{:?}", refusal.facts))
        };
        let text = IntentText::of(mint, body, &[]).map_err(refuse)?;
        let composed = text.compose().map_err(refuse)?;
        let signature = person.key.sign_deterministic(&text.signed_digest(&composed));
        let sig = Some(Sig::of(&person.key.public_key(), signature));
        let actor = Actor::User {
            account: person.account,
            device: person.device,
            key: DeviceKey::new(person.key.public_key()),
            roles: AccountRoles::default(),
        };
        Ok(Ask::direct(actor, SignedText { text: composed, bin: Vec::new(), sig }))
    }
}

fn outcomes(answer: &Answer) -> impl Iterator<Item = Outcome> + '_ {
    answer.results().iter().filter_map(|result| match &result.state {
        PushState::Decided { outcome } => Some(outcome.clone().into()),
        PushState::Conflict
        | PushState::Later { .. }
        | PushState::Fork { .. }
        | PushState::Refused { .. } => None,
    })
}

fn put_of(answer: &Answer) -> Result<Put, Failure> {
    let flag = |data: &souk_domain::outcome::Facts, name: &str| data.get(name) == Some(&Fact::Flag(true));
    match outcomes(answer).next() {
        Some(Outcome::Accepted { data, .. }) if flag(&data, "created") => Ok(Put::Created),
        Some(Outcome::Accepted { data, .. }) if flag(&data, "changed") => Ok(Put::Updated),
        Some(Outcome::Accepted { .. }) => Ok(Put::Unchanged),
        Some(Outcome::Rejected { code, .. }) => Ok(Put::Refused { code: code.into_owned() }),
        other => Err(Failure::new("seed.product", format!("{other:?} {answer:?}"))),
    }
}
