//! What the demo shows: one line a step of a trade, and a summary at the end.

use std::collections::BTreeMap;
use std::time::Instant;

use serde::Serialize;
use souk_domain::id::OrderId;
use souk_domain::money::Money;
use souk_protocol::views::OrderWord;
use tokio::sync::mpsc;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns of a terminal that name and state of a line take.
const WHO_COLUMNS: usize = 24;
const STATE_COLUMNS: usize = 16;

/// What a line is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum About {
    /// An order.
    Order(OrderId),
    /// A parcel, by its number: couriers know no orders.
    Parcel(String),
}

impl From<OrderId> for About {
    fn from(order: OrderId) -> About {
        About::Order(order)
    }
}

impl From<&str> for About {
    fn from(parcel: &str) -> About {
        About::Parcel(parcel.to_owned())
    }
}

/// Something that happened, as a device core has seen it.
#[derive(Clone, Debug)]
pub(super) enum Told {
    /// A step of a trade.
    Step {
        /// What it is about.
        about: About,
        /// Who tells, e.g. `buyer Kim`.
        who: String,
        /// State of the order, as that device shows it.
        state: &'static str,
        /// What, in words.
        what: String,
    },
    /// Which order a parcel carries.
    Carries {
        /// The order.
        order: OrderId,
        /// The parcel's number.
        parcel: String,
    },
    /// Something that belongs to no trade.
    Note {
        /// Who tells.
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
    carried: BTreeMap<String, OrderId>,
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
        let report = Report {
            told,
            trades,
            started: Instant::now(),
            short: BTreeMap::new(),
            carried: BTreeMap::new(),
            summary,
        };
        (teller, report)
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
        match told {
            Told::Step { about: About::Order(order), who, state, what } => {
                let trade = self.number(*order);
                self.line(&trade, who, state, what);
            }
            Told::Step { about: About::Parcel(parcel), who, state, what } => {
                match self.carried.get(parcel).copied() {
                    Some(order) => {
                        let trade = self.number(order);
                        self.line(&trade, who, state, what);
                    }
                    // A trade between people at terminals: no bot knows its order.
                    None => self.line("#-", who, state, &format!("{what} (parcel {parcel})")),
                }
            }
            Told::Carries { order, parcel } => {
                self.carried.insert(parcel.clone(), *order);
            }
            Told::Note { who, what } => self.line("", who, "", what),
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
                let what = format!("{total}: seller {seller}, courier {courier}, platform and tax {fees}");
                let trade = self.number(*order);
                self.line(&trade, "ESCROW", OrderWord::Released.name(), &what);
            }
            Told::Refunded { order, amount } => {
                self.summary.refunded += 1;
                let trade = self.number(*order);
                self.line(
                    &trade,
                    "ESCROW",
                    OrderWord::Refunded.name(),
                    &format!("{amount}: back to the buyer"),
                );
            }
        }
    }

    /// The short number of a trade in this run.
    fn number(&mut self, order: OrderId) -> String {
        let next = self.short.len() + 1;
        let number = *self.short.entry(order).or_insert(next);
        self.summary.orders = self.short.len() as u64;
        format!("#{number}")
    }

    fn line(&self, trade: &str, who: &str, state: &str, what: &str) {
        let at = self.started.elapsed();
        let who = column(who, WHO_COLUMNS);
        let state = column(&state.replace('_', " "), STATE_COLUMNS);
        line_out(&format!(
            "{:>4}.{}s  {trade:<5} {who} {state} {what}",
            at.as_secs(),
            at.subsec_millis() / 100
        ));
    }
}

/// A text in exactly so many columns of a terminal; Hangul takes two a sign.
fn column(text: &str, columns: usize) -> String {
    let mut width = text.width();
    let mut cut = text.to_owned();
    if width > columns {
        cut.clear();
        width = 1; // the sign of the cut
        for sign in text.chars() {
            let more = sign.width().unwrap_or(0);
            if width + more > columns {
                break;
            }
            width += more;
            cut.push(sign);
        }
        cut.push('…');
    }
    cut + &" ".repeat(columns - width)
}

/// Lines of the demo go to stderr, so that the summary stands alone on stdout.
#[allow(clippy::print_stderr, reason = "the demo's own screen")]
pub(super) fn line_out(line: &str) {
    eprintln!("{line}");
}

/// Said once the stop has begun.
pub(super) fn stopping() {
    line_out("stopping: bots, backend, rail");
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr;

    use super::column;

    #[test]
    fn columns_are_as_wide_as_they_are_shown() {
        for (text, expected) in [
            ("", "      "),
            ("shop A", "shop A"),
            ("shop AB", "shop …"),
            ("서울", "서울  "),
            ("서울역", "서울역"),
            ("서울역 앞", "서울… "),
        ] {
            let shown = column(text, 6);
            assert_eq!(shown, expected, "{text}");
            assert_eq!(shown.width(), 6, "{text}");
        }
    }
}
