//! Clients of the API: each act is one signed text that is sent until it is answered, and every answer is kept.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use souk_domain::id::{Bucket, IntentId, OrderId, ShopId};
use souk_domain::intent::{Body, PlaceOrder, ShortPolicy, WantedLine};
use souk_domain::order::{PayMethod, RailId};
use souk_protocol::sync::SignedText;
use souk_protocol::views::address_bin;
use souk_server::api::ApiClient;
use souk_server::bench::orders::Wanted;
use souk_server::failure::Failure;
use souk_server::people::example_address;
use souk_testkit::market::Seeded;
use tokio::sync::{RwLock, RwLockWriteGuard, watch};
use tokio::time::{Instant, timeout};

/// Time between two looks at something that takes a moment.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Nobody waits longer for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What the driver and those who trade tell each other.
pub(crate) struct Pulse {
    answers: watch::Sender<u64>,
    closing: watch::Sender<bool>,
    ended: watch::Sender<bool>,
    /// Held by the driver while it asks again: what is answered then would have to be asked again in turn.
    gate: RwLock<()>,
}

impl Pulse {
    pub(crate) fn new() -> Arc<Pulse> {
        Arc::new(Pulse {
            answers: watch::Sender::new(0),
            closing: watch::Sender::new(false),
            ended: watch::Sender::new(false),
            gate: RwLock::default(),
        })
    }

    /// Waits for so many more answers, or for some time.
    pub(crate) async fn wait(&self, more: u64, at_most: Duration) {
        let mut answers = self.answers.subscribe();
        let until = *answers.borrow() + more;
        // Slow is no failure here: the life ends all the same.
        let _ = timeout(at_most, answers.wait_for(|answers| *answers >= until)).await;
    }

    /// Nobody sends anything over the API as long as this is held.
    pub(crate) async fn hold(&self) -> RwLockWriteGuard<'_, ()> {
        self.gate.write().await
    }

    /// Answers that clients of the API have had.
    pub(crate) fn answers(&self) -> u64 {
        *self.answers.borrow()
    }

    /// No new orders; what is under way is carried through.
    pub(crate) fn close(&self) {
        self.closing.send_replace(true);
    }

    pub(crate) fn is_closing(&self) -> bool {
        *self.closing.borrow()
    }

    /// Nobody buys any more.
    pub(crate) fn end(&self) {
        self.ended.send_replace(true);
    }

    pub(crate) fn is_ended(&self) -> bool {
        *self.ended.borrow()
    }
}

/// What a client was told: the text that it sent and the outcome that came back.
pub(crate) struct Told {
    pub(crate) id: IntentId,
    kind: &'static str,
    text: SignedText,
    pub(crate) outcome: Value,
}

/// A client of the API.
pub(crate) struct Direct {
    pub(crate) contact: String,
    /// To be written for new texts, read for all else.
    pub(crate) client: RwLock<ApiClient>,
    shop: Option<ShopId>,
    told: Mutex<Vec<Arc<Told>>>,
    asked_again: Mutex<usize>,
    doing: Mutex<String>,
    pulse: Arc<Pulse>,
}

impl Direct {
    /// Signs up or in.
    pub(crate) async fn register(url: &str, contact: &str, pulse: &Arc<Pulse>) -> Arc<Direct> {
        let client = ApiClient::register(url, contact, "Direct").await.unwrap();
        Arc::new(Direct {
            contact: contact.to_owned(),
            shop: client.shop,
            client: RwLock::new(client),
            told: Mutex::default(),
            asked_again: Mutex::default(),
            doing: Mutex::default(),
            pulse: Arc::clone(pulse),
        })
    }

    pub(crate) fn shop(&self) -> Option<ShopId> {
        self.shop
    }

    /// What it does now.
    pub(crate) fn doing(&self) -> String {
        self.doing.lock().unwrap().clone()
    }

    /// All that it was told.
    pub(crate) fn told(&self) -> Vec<Arc<Told>> {
        self.told.lock().unwrap().clone()
    }

    /// Does one act: the same text again and again until an outcome comes, which must be *accepted*.
    pub(crate) async fn act(&self, bucket: Bucket, body: &Body, bin: Vec<u8>) -> (IntentId, Value) {
        *self.doing.lock().unwrap() = format!("{body:?}");
        let (id, text) = self.client.write().await.text(bucket, body, bin, None).unwrap();
        let kind = body.kind();
        let wait = Wait::new(&self.contact);
        let outcome = loop {
            let passed = self.pulse.gate.read().await;
            let answer = self.client.read().await.send(kind, &text).await;
            drop(passed);
            if let Some(outcome) = wait.look(answer, |_| true).await {
                break outcome;
            }
        };
        assert_eq!(outcome["is"], "accepted", "{}: {body:?}: {outcome}", self.contact);
        self.told.lock().unwrap().push(Arc::new(Told { id, kind, text, outcome: outcome.clone() }));
        self.pulse.answers.send_modify(|answers| *answers += 1);
        (id, outcome)
    }

    /// Waits until an order has come to a state.
    pub(crate) async fn order_is(&self, order: OrderId, state: &str) -> Value {
        *self.doing.lock().unwrap() = format!("waits until {order} is {state}");
        let path = format!("/v1/orders/{order}");
        let wait = Wait::new(&path);
        loop {
            let answer = self.client.read().await.get::<Value>(&path).await;
            if let Some(order) = wait.look(answer, |view| view["order"]["state"] == state).await {
                return order["order"].clone();
            }
        }
    }

    /// Sends every text again, those that are new since the last time or all, and compares what comes.
    pub(crate) async fn ask_again(&self, from_the_beginning: bool) {
        let told = self.told();
        let from = if from_the_beginning { 0 } else { *self.asked_again.lock().unwrap() };
        *self.asked_again.lock().unwrap() = told.len();
        for told in &told[from..] {
            let client = self.client.read().await;
            let again = client.send(told.kind, &told.text).await.unwrap();
            let (again, before) = (again.to_string(), told.outcome.to_string());
            assert_eq!(again, before, "{}: another outcome of {} {}", self.contact, told.kind, told.id);
            if told.kind == "PlaceOrder" {
                let order: Value = client.get(&format!("/v1/orders/{}", told.id)).await.unwrap();
                assert_eq!(order["order"]["id"], told.id.to_string(), "{order}");
            }
        }
    }
}

/// Asking until what comes is what is waited for.
struct Wait<'a> {
    what: &'a str,
    until: Instant,
}

impl Wait<'_> {
    fn new(what: &str) -> Wait<'_> {
        Wait { what, until: Instant::now() + PATIENCE }
    }

    /// The answer if it is the one; else some time passes. A server that dies or is about to start is waited for as
    /// well; any other refusal is a failure.
    async fn look(&self, answer: Result<Value, Failure>, is_it: impl Fn(&Value) -> bool) -> Option<Value> {
        match &answer {
            Ok(value) if is_it(value) => return Some(value.clone()),
            Ok(_) => {}
            Err(error) if error.code == "api.http" || error.message.starts_with("503") => {}
            Err(error) => panic!("{}: {error}", self.what),
        }
        assert!(Instant::now() < self.until, "{}: waited in vain, last {answer:?}", self.what);
        tokio::time::sleep(LOOK_AGAIN).await;
        None
    }
}

/// How a trade goes.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// Never paid: it waits for the end of its pay window.
    Abandoned,
    /// Ended before it is paid.
    Cancelled,
    /// Paid; the buyer wants the money back before anything was sent.
    TakenBack,
    /// Paid; the shop gives the money back.
    GivenBack,
    /// Paid, sent, confirmed: released.
    Released,
}

const WAYS: [Way; 5] = [Way::Abandoned, Way::Cancelled, Way::TakenBack, Way::GivenBack, Way::Released];

/// A buyer: one trade after the other, each way once and then by chance, until the market closes.
pub(crate) async fn buyer(buyer: Arc<Direct>, seller: Arc<Direct>, offers: Vec<Wanted>, mut random: Seeded) {
    let mut first = WAYS.iter();
    loop {
        let way = match first.next() {
            Some(way) => *way,
            None if buyer.pulse.is_closing() => break,
            None if random.chance(400) => Way::Released,
            None => *random.pick(&WAYS),
        };
        let wanted = *random.pick(&offers);
        trade(&buyer, &seller, way, wanted, 1 + random.below(3) as u32).await;
    }
    *buyer.doing.lock().unwrap() = "nothing more".to_owned();
}

async fn trade(buyer: &Direct, seller: &Direct, way: Way, wanted: Wanted, quantity: u32) {
    let place = Body::PlaceOrder(PlaceOrder {
        shop: wanted.shop,
        lines: vec![WantedLine { offer: wanted.offer, quantity, seen: wanted.price.minor }],
        policy: ShortPolicy::AllOrNothing,
        note: String::new(),
    });
    let address = address_bin([7; 16], &example_address("Kim Minji")).unwrap();
    let (id, _) = buyer.act(wanted.shop.bucket(), &place, address).await;
    let order = OrderId::from_bytes(*id.bytes()).unwrap();
    let bucket = order.bucket();
    match way {
        Way::Abandoned => return,
        Way::Cancelled => {
            buyer.act(bucket, &Body::CancelOrder { order }, Vec::new()).await;
            buyer.order_is(order, "CANCELLED").await;
            return;
        }
        Way::TakenBack | Way::GivenBack | Way::Released => {}
    }
    let rail = RailId::new(RailId::SANDBOX).unwrap();
    buyer.act(bucket, &Body::PayStart { order, rail, method: PayMethod::Mandate }, Vec::new()).await;
    let paid = buyer.order_is(order, "OPEN").await;
    assert_eq!(paid["paid"], paid["total"], "{paid}");
    match way {
        Way::Abandoned | Way::Cancelled => {}
        Way::TakenBack => {
            let case = Body::OpenCase { order, reason: "changed my mind".to_owned() };
            buyer.act(bucket, &case, Vec::new()).await;
        }
        Way::GivenBack => {
            seller.act(bucket, &Body::RefundOrder { order }, Vec::new()).await;
        }
        Way::Released => {
            seller.act(bucket, &Body::Ship { order }, Vec::new()).await;
            buyer.act(bucket, &Body::Confirm { order }, Vec::new()).await;
        }
    }
    buyer.order_is(order, "COMPLETED").await;
}
