//! `souk buyer|seller|courier`: a person's terminal over a real device core (design.md 9). Everything works without
//! the server; what was done waits in the outbox and says so.
//!
//! Always: what the server has refused is an error of the command that asked for it, also when the device had saved
//! it; what is not decided is never told as done; an answer without the server says that it is one.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::{Value, json};
use souk_device::facade::requests::OrdersRequest;
use souk_device::facade::views::{LinkState, PendingState, PendingView};
use souk_device::runtime::Device;
use souk_domain::id::{IntentId, OrderId};

use crate::failure::Failure;
use crate::{people, tell};

mod buyer;
mod courier;
mod outcome;
mod picture;
mod seller;
mod words;

pub use buyer::{BuyerArgs, buyer};
pub use courier::{CourierArgs, courier};
pub use seller::{SellerArgs, seller};

use outcome::Heard;

/// A terminal waits so long for the server before it says what is still pending.
const SYNC_MS: u64 = 4_000;

/// Where the device lives and whom it talks to.
#[derive(Debug, Args)]
struct Place {
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

/// What everybody can do.
#[derive(Debug, Subcommand)]
enum Own {
    /// Signs up or in.
    Join {
        /// E-mail address or phone number.
        contact: String,
        /// Name of the account, used when it is new.
        #[arg(long, default_value = "Newcomer")]
        name: String,
    },
    /// What is signed in, pending and refused.
    Status,
    /// Acts that wait for the server's decision, and those that it refused.
    Pending,
    /// Sends and fetches.
    Sync,
    /// Takes back what is not decided yet.
    Withdraw {
        /// The act.
        act: IntentId,
    },
    /// Says that an act which waited too long is still wanted.
    Still {
        /// The act.
        act: IntentId,
    },
    /// Puts a refused act away.
    Dismiss {
        /// The act.
        act: IntentId,
    },
}

/// Who sits at the terminal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Role {
    Buyer,
    Seller,
    Courier,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Role::Buyer => "buyer",
            Role::Seller => "seller",
            Role::Courier => "courier",
        }
    }

    fn signed_out(self) -> Failure {
        let message = format!("sign in first: souk {} join you@example.com", self.name());
        Failure::new("auth.signed_out", message)
    }
}

/// What a command has done: its answer, and the orders that it is about.
struct Done {
    value: Value,
    about: Vec<OrderId>,
}

impl From<Value> for Done {
    fn from(value: Value) -> Done {
        Done { value, about: Vec::new() }
    }
}

impl Done {
    fn about(view: &impl Serialize, order: OrderId) -> Result<Done, Failure> {
        Ok(Done { value: value(view)?, about: vec![order] })
    }
}

fn done(view: &impl Serialize) -> Result<Done, Failure> {
    value(view).map(Done::from)
}

fn value(view: &impl Serialize) -> Result<Value, Failure> {
    serde_json::to_value(view).map_err(|error| Failure::new("program.json", error.to_string()))
}

/// Opens the device, lets it fetch what it can, does one thing, lets it send, and says what the server made of it.
/// Refuses `auth.signed_out` without making any file.
async fn with_device(
    place: &Place,
    role: Role,
    work: impl AsyncFnOnce(&Device) -> Result<Done, Failure>,
) -> Result<Value, Failure> {
    if !people::is_there(&place.data) {
        return Err(role.signed_out());
    }
    let server = (!place.offline).then_some(place.server.as_str());
    let device = people::open(&place.data, server).await?;
    let answer = if people::is_signed_in(&device).await? {
        at_work(&device, place, role, work).await
    } else {
        Err(role.signed_out())
    };
    let closed = device.close().await;
    let answer = answer?;
    closed?;
    Ok(answer)
}

async fn at_work(
    device: &Device,
    place: &Place,
    role: Role,
    work: impl AsyncFnOnce(&Device) -> Result<Done, Failure>,
) -> Result<Value, Failure> {
    device.set_foreground(true).await?;
    let before: BTreeMap<IntentId, PendingState> =
        acts(device).await?.into_iter().map(|act| (act.id, act.state)).collect();
    if !place.offline {
        device.sync_now(SYNC_MS).await?;
        if !device.is_online() {
            let status = status_of(device).await?;
            tell(&words::no_answer(&place.server, role, &status));
        }
    }
    let done = work(device).await;
    let has_acted = acts(device).await?.iter().any(|act| !before.contains_key(&act.id));
    if has_acted {
        send(device).await?;
    }
    let heard = Heard::of(acts(device).await?, &before, undecided(device).await?, device.is_online());
    heard.earlier.iter().for_each(|act| tell(&words::earlier(act)));
    let about = done.as_ref().map(|done| done.about.clone()).unwrap_or_default();
    let accepted = heard.accepted();
    let answer = heard.answer(done.map(|done| done.value))?;
    for order in about {
        if let Some(line) = words::order_line(device, role, order).await? {
            tell(&line);
        }
    }
    if let Some(line) = words::offer_line(&answer) {
        tell(&line);
    }
    if let Some(line) = words::undecided_line(&answer) {
        tell(&line);
    }
    // It was told; what is seen may leave the device.
    for act in accepted {
        device.call(move |host, _| host.dismiss(act)).await?;
    }
    Ok(answer)
}

/// Sends what was done, and waits for its outcome. A server that has not answered is not waited for again.
async fn send(device: &Device) -> Result<(), Failure> {
    if device.is_online() {
        device.sync_now(SYNC_MS).await?;
    }
    Ok(())
}

async fn acts(device: &Device) -> Result<Vec<PendingView>, Failure> {
    Ok(device.call(|host, now| host.pending_acts(now)).await?)
}

async fn undecided(device: &Device) -> Result<u64, Failure> {
    Ok(device.call(|host, _| host.undecided()).await?)
}

async fn status_of(device: &Device) -> Result<souk_device::facade::views::StatusView, Failure> {
    let mut status = device.call(|host, now| host.status(now)).await?;
    // The device remembers having heard the server; whether it does now, this process knows.
    if status.link == LinkState::Online && !device.is_online() {
        status.link = LinkState::Offline;
    }
    Ok(status)
}

/// Signs in, making the device if need be.
async fn join(place: &Place, contact: &str, name: &str, is_courier: bool) -> Result<Value, Failure> {
    if place.offline {
        return Err(Failure::new("net.offline", "signing in needs the server"));
    }
    let device = people::open(&place.data, Some(&place.server)).await?;
    let joined = async {
        device.set_foreground(true).await?;
        people::sign_in(&device, contact, name, is_courier).await?;
        device.sync_now(SYNC_MS).await?;
        let mut status = words::with_times(value(&status_of(&device).await?)?);
        if let Some(members) = status.as_object_mut() {
            members.insert("online".to_owned(), device.is_online().into());
            members.insert("undecided".to_owned(), undecided(&device).await?.into());
        }
        Ok::<Value, Failure>(status)
    };
    let joined = joined.await.map_err(|failure| match failure.code.as_str() {
        "net.offline" => failure.about(&place.server),
        _ => failure,
    });
    let closed = device.close().await;
    let joined = joined?;
    closed?;
    Ok(joined)
}

/// Does what everybody can do.
async fn own(place: &Place, role: Role, verb: Own) -> Result<Value, Failure> {
    match verb {
        Own::Join { contact, name } => join(place, &contact, &name, role == Role::Courier).await,
        Own::Status => with_device(place, role, async |device| done(&status_of(device).await?)).await,
        Own::Pending => with_device(place, role, async |device| pending(device).await).await,
        Own::Sync => with_device(place, role, async |device| sync(device, place).await).await,
        Own::Withdraw { act } => {
            with_device(place, role, async |device| {
                device.call(move |host, now| host.withdraw(act, now)).await?;
                send(device).await?;
                withdrawn(&device.call(move |host, now| host.pending_act(act, now)).await?)
            })
            .await
        }
        Own::Still { act } => {
            with_device(place, role, async |device| {
                device.call(move |host, now| host.confirm_parked(act, now)).await?;
                send(device).await?;
                let view = device.call(move |host, now| host.pending_act(act, now)).await?;
                match outcome::refusal(&view) {
                    Some(refused) => Err(refused),
                    None => Ok(outcome::act_json(&view).into()),
                }
            })
            .await
        }
        Own::Dismiss { act } => {
            with_device(place, role, async |device| {
                device.call(move |host, _| host.dismiss(act)).await?;
                Ok(json!({"dismissed": act}).into())
            })
            .await
        }
    }
}

/// Everything was sent and fetched before; a synchronisation that reached nobody is none. Refuses `net.offline`.
async fn sync(device: &Device, place: &Place) -> Result<Done, Failure> {
    if device.is_online() {
        return done(&device.sync_now(SYNC_MS).await?);
    }
    let facts = souk_domain::outcome::Facts::none();
    let facts = facts.with("undecided", i64::try_from(undecided(device).await?).unwrap_or(i64::MAX));
    Err(Failure::refused("net.offline", facts).about(&place.server))
}

/// What waits and what was refused; what was accepted has been told.
async fn pending(device: &Device) -> Result<Done, Failure> {
    let acts = acts(device).await?;
    let open = acts.iter().filter(|act| match act.state {
        PendingState::Accepted => false,
        PendingState::Queued
        | PendingState::Sent
        | PendingState::NeedsYou
        | PendingState::Rejected
        | PendingState::Expired
        | PendingState::Withdrawn => true,
    });
    Ok(json!({"acts": open.map(outcome::act_json).collect::<Vec<_>>()}).into())
}

/// A withdrawal that came too late is told as what it is.
fn withdrawn(act: &PendingView) -> Result<Done, Failure> {
    match act.state {
        PendingState::Accepted => {
            let facts = souk_domain::outcome::Facts::none().with("is", "accepted");
            Err(Failure::refused("intent.decided", facts))
        }
        PendingState::Rejected | PendingState::Expired => Err(outcome::refusal(act)
            .unwrap_or_else(|| Failure::new("intent.decided", "the act was decided already"))),
        PendingState::Queued | PendingState::Sent | PendingState::NeedsYou | PendingState::Withdrawn => {
            Ok(json!({"withdrawn": act.id, "state": outcome::state_word(act.state)}).into())
        }
    }
}

const ALL: OrdersRequest = OrdersRequest { offset: 0, limit: 50 };
