//! What the demo shows: one line a step of a trade, and a summary at the end.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use serde::Serialize;
use souk_domain::id::OrderId;
use souk_domain::money::Money;
use tokio::sync::mpsc;

use super::start::Plan;

/// Something that happened, as a device core has seen it.
#[derive(Clone, Debug)]
pub(super) enum Told {
    /// A step of a trade.
    Step {
        /// The order.
        order: OrderId,
        /// Who tells, e.g. `buyer Kim`.
        who: String,
        /// What, in words.
        what: String,
    },
    /// The seller's device shows the escrow as released.
    Released {
        /// The order.
        order: OrderId,
        /// What the buyer paid.
        total: Money,
        /// What the seller gets.
        seller: Money,
        /// What the platform keeps, tax on it included.
        fees: Money,
        /// What the courier gets.
        courier: Money,
    },
    /// The seller's device shows that the money went back.
    Refunded {
        /// The order.
        order: OrderId,
        /// How much.
        amount: Money,
    },
}

/// What a demo with `--trades` prints.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// Released trades of this run.
    released: u64,
    /// Refunded trades of this run.
    refunded: u64,
    /// Orders seen in this run.
    orders: u64,
    /// Sum of released trades by currency, minor units.
    released_minor: BTreeMap<String, i64>,
    /// Paid to sellers.
    sellers_minor: BTreeMap<String, i64>,
    /// Paid to couriers.
    couriers_minor: BTreeMap<String, i64>,
    /// Kept by the platform, tax included.
    fees_minor: BTreeMap<String, i64>,
    /// How long it took.
    seconds: u64,
}

/// Collects what is told.
pub(super) struct Report {
    told: mpsc::UnboundedReceiver<Told>,
    trades: Option<u64>,
    started: Instant,
    short: BTreeMap<OrderId, usize>,
    summary: Summary,
}

impl Report {
    /// A report that ends after so many released trades.
    pub(super) fn new(trades: Option<u64>) -> (mpsc::UnboundedSender<Told>, Report) {
        let (teller, told) = mpsc::unbounded_channel();
        let summary = Summary {
            released: 0,
            refunded: 0,
            orders: 0,
            released_minor: BTreeMap::new(),
            sellers_minor: BTreeMap::new(),
            couriers_minor: BTreeMap::new(),
            fees_minor: BTreeMap::new(),
            seconds: 0,
        };
        (teller, Report { told, trades, started: Instant::now(), short: BTreeMap::new(), summary })
    }

    /// Shows what is told until enough trades are released.
    pub(super) async fn run(mut self) -> Summary {
        while let Some(told) = self.told.recv().await {
            self.show(&told);
            if self.trades.is_some_and(|trades| self.summary.released >= trades) {
                break;
            }
        }
        self.summary.seconds = self.started.elapsed().as_secs();
        self.summary
    }

    fn show(&mut self, told: &Told) {
        let at = self.started.elapsed();
        let (order, line) = match told {
            Told::Step { order, who, what } => (order, format!("{who:<22} {what}")),
            Told::Released { order, total, seller, fees, courier } => {
                self.summary.released += 1;
                for (sums, sum) in [
                    (&mut self.summary.released_minor, total),
                    (&mut self.summary.sellers_minor, seller),
                    (&mut self.summary.couriers_minor, courier),
                    (&mut self.summary.fees_minor, fees),
                ] {
                    *sums.entry(sum.currency.code().to_owned()).or_default() += sum.minor;
                }
                let split = format!("seller {seller}, courier {courier}, platform and tax {fees}");
                (order, format!("{:<22} RELEASED {total}: {split}", "escrow"))
            }
            Told::Refunded { order, amount } => {
                self.summary.refunded += 1;
                (order, format!("{:<22} REFUNDED {amount}", "escrow"))
            }
        };
        let next = self.short.len() + 1;
        let number = *self.short.entry(*order).or_insert(next);
        self.summary.orders = self.short.len() as u64;
        line_out(&format!("{:>4}.{}s  #{number:<4} {line}", at.as_secs(), at.subsec_millis() / 100));
    }
}

/// Lines of the demo go to stderr, so that the summary stands alone on stdout.
#[allow(clippy::print_stderr, reason = "the demo's own screen")]
fn line_out(line: &str) {
    eprintln!("{line}");
}

/// What a newcomer needs to know at the start.
pub(super) fn banner(url: &str, folder: &Path, plan: &Plan) {
    line_out(&format!(
        "Souk demo: {} products of {} shops. Backend at {url}, data in {}.\n\
         Take part from another terminal:\n  \
         souk buyer --server {url} join you@example.com && souk buyer search 이어폰\n\
         Ctrl-C stops everything; the next start goes on with the data.\n",
        plan.products(),
        plan.sellers.len(),
        folder.display()
    ));
}

/// Said once the stop has begun.
pub(super) fn stopping() {
    line_out("stopping: bots, backend, rail");
}
