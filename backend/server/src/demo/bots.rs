//! The bots: each holds a real device core and acts on nothing but what that core shows.

pub(super) mod buyer;
pub(super) mod courier;
pub(super) mod seller;

use std::path::PathBuf;
use std::time::Duration;

use souk_device::error::SoukError;
use souk_device::facade::requests::OrdersRequest;
use souk_device::runtime::Device;
use souk_domain::time::Time;
use souk_protocol::views::OrderWord;
use souk_testkit::market::Seeded;
use tokio::sync::{mpsc, watch};

use super::door::Doors;
use super::guide::Guide;
use super::report::{About, Told};
use crate::failure::Failure;
use crate::people;

/// Shortest rest between two acts at a human pace.
const REST_MIN_MS: u64 = 700;
/// What is added to it by chance.
const REST_MORE_MS: u64 = 1_800;
/// Orders that a bot looks at.
const ORDERS_SEEN: usize = 100;

/// What all bots share.
pub(super) struct Stage {
    /// The backend.
    pub(super) url: String,
    /// Where the devices live.
    pub(super) folder: PathBuf,
    /// Where people meet.
    pub(super) doors: Doors,
    /// What people at a terminal are told.
    pub(super) guide: Guide,
    /// Where bots tell what they do.
    pub(super) told: mpsc::UnboundedSender<Told>,
    /// True once the demo stops.
    pub(super) stopped: watch::Receiver<bool>,
    /// How fast the bots live.
    pub(super) pace: u32,
    /// When this run began; what was last changed before is no news.
    pub(super) started: Time,
    /// Names of the bots' shops.
    pub(super) shops: Vec<String>,
}

/// Who a bot signs in as.
struct Person {
    contact: String,
    name: String,
    is_courier: bool,
}

impl Stage {
    fn tell(&self, about: impl Into<About>, who: &str, state: &'static str, what: impl Into<String>) {
        let step = Told::Step { about: about.into(), who: who.to_owned(), state, what: what.into() };
        let _ = self.told.send(step);
    }

    fn is_over(&self) -> bool {
        *self.stopped.borrow()
    }

    /// A rest of some seconds at pace 1; false once the demo stops.
    async fn rest(&self, random: &mut Seeded) -> bool {
        let rest = Duration::from_millis((REST_MIN_MS + random.below(REST_MORE_MS)) / u64::from(self.pace));
        let mut stopped = self.stopped.clone();
        tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => false,
            () = tokio::time::sleep(rest) => true,
        }
    }

    /// The same device where there is no network.
    async fn device_offline(&self, person: &Person) -> Result<Device, Failure> {
        people::open(&self.home(person), None).await
    }

    fn home(&self, person: &Person) -> PathBuf {
        self.folder.join(person.contact.split('@').next().unwrap_or(&person.contact))
    }

    /// The device of a person, in a folder named after the contact.
    async fn device(&self, person: &Person) -> Result<Device, Failure> {
        let device = people::open(&self.home(person), Some(&self.url)).await?;
        if !people::is_signed_in(&device).await? {
            people::sign_in(&device, &person.contact, &person.name, person.is_courier).await?;
        }
        device.set_foreground(true).await?;
        Ok(device)
    }
}

/// What the rules say no to is told and changes nothing; only a device that does not work ends the demo.
fn unless_refused<T>(done: Result<T, SoukError>) -> Result<Result<T, String>, Failure> {
    match done {
        Ok(done) => Ok(Ok(done)),
        Err(error) if error.code.starts_with("store.") || error.code.starts_with("core.") => {
            Err(error.into())
        }
        Err(error) => Ok(Err(error.code.to_string())),
    }
}

fn orders_request() -> OrdersRequest {
    OrdersRequest { offset: 0, limit: ORDERS_SEEN }
}

fn is_ended(word: OrderWord) -> bool {
    matches!(
        word,
        OrderWord::Released
            | OrderWord::Refunded
            | OrderWord::Cancelled
            | OrderWord::Refunding
            | OrderWord::PartRefunded
    )
}

/// Whether a parcel with a label is somewhere between shop and buyer.
fn has_parcel(word: OrderWord) -> bool {
    matches!(
        word,
        OrderWord::LabelMade | OrderWord::Shipped | OrderWord::OutForDelivery | OrderWord::Attempted
    )
}
