//! `souk replay online-retail`: a year of real invoices as orders paid, released and refunded (spec/money.md 10.1).
//!
//! Not for: live trade. Ids and buckets derive from the data, so that two runs give the same state hash.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use flate2::read::GzDecoder;
use serde::Deserialize;
use souk_crypto::hash::digest;
use souk_domain::context::{FeePlan, Policies, Reference};
use souk_domain::id::{Bucket, DerivedId, OrderId, ShopId, form_d, form_u};
use souk_domain::intent::ServerAct;
use souk_domain::ledger::postings::{Release, ReleasedLine};
use souk_domain::ledger::{CapturedRates, PLATFORM};
use souk_domain::money::{Bp, Currency, Money, Ppm};
use souk_domain::num::{Rounding, he, share_between};
use souk_domain::replay::{HistoricAct, HistoricFact};
use souk_domain::time::{Span, Time};
use souk_engine::{Answer, Ask, Engine, EngineConfig, Mutants};
use souk_store::Store;

use crate::failure::Failure;
use crate::ledger_check;
use crate::progress;

/// Acts of one group commit.
const BATCH: usize = 1_000;
/// From payment to release: delivered with E1 on the third day, then 7 days (spec/money.md 4.4).
const RELEASE_AFTER: Span = Span::from_days(10);
/// From release to the end of the reserve.
const RESERVE: Span = Span::from_days(1);
/// Name of the data file in its folder.
const FILE: &str = "online-retail-541909.csv.gz";

/// What the replay prints.
#[derive(Debug, serde::Serialize)]
pub struct Report {
    lines: u64,
    orders: u64,
    refunds: u64,
    control_total_minor: i64,
    ledger_sum_minor: i64,
    state_hash: String,
    transfers: u64,
    transfers_per_s: u64,
    by_posting_minor: BTreeMap<String, i64>,
    balances_minor: BTreeMap<u16, i64>,
}

/// A line of the file.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CsvLine {
    #[serde(rename = "InvoiceNo")]
    invoice: String,
    #[serde(rename = "StockCode")]
    stock_code: String,
    quantity: i64,
    #[serde(rename = "InvoiceDate")]
    date: String,
    #[serde(rename = "UnitPrice")]
    price: String,
    #[serde(rename = "CustomerID")]
    customer: String,
    country: String,
}

/// What a line is (the table of spec/money.md 10.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Class {
    Sale,
    Free,
    Stock,
    Refund,
    Entry,
}

/// A line, read.
#[derive(Debug)]
struct ReadLine {
    class: Class,
    stock_code: String,
    quantity: i64,
    /// Thousandths of a pound.
    price: i64,
    /// Pence, signed like the price.
    amount: i64,
    customer: String,
    country: String,
}

/// A sale line that refunds may take from.
#[derive(Debug)]
struct Sale {
    order: usize,
    quantity: i64,
    amount: i64,
    taken: i64,
    from_escrow: i64,
    after_release: i64,
    released: i64,
}

/// An order with its sale lines.
#[derive(Debug)]
struct Sold {
    id: OrderId,
    seller: ShopId,
    sales: Vec<usize>,
    is_released: bool,
}

#[derive(Clone, Copy, Debug)]
enum Due {
    Release(usize),
    Reserve { order: usize, share: i64 },
}

/// Runs the replay on an empty store.
pub async fn online_retail(data: &Path, store: Arc<dyn Store>) -> Result<Report, Failure> {
    let invoices = read(data)?;
    let mut replay = Replay::open(store.clone()).await?;
    let bar = progress::bar(invoices.len() as u64, "invoices");
    for (invoice, at, lines) in &invoices {
        replay.fire(*at).await?;
        replay.invoice(invoice, *at, lines).await?;
        bar.inc(1);
    }
    replay.fire(Time::from_micros(i64::MAX)).await?;
    replay.flush().await?;
    bar.finish_and_clear();
    let seconds = replay.started.elapsed().as_micros().max(1);
    let checked = ledger_check::verify(store.as_ref()).await?;
    let per_s = u128::from(checked.transfers) * 1_000_000 / seconds;
    Ok(Report {
        lines: replay.lines,
        orders: replay.orders,
        refunds: replay.refunds,
        control_total_minor: replay.control_total,
        ledger_sum_minor: checked.sum_minor.values().sum(),
        state_hash: checked.state_hash,
        transfers: checked.transfers,
        transfers_per_s: u64::try_from(per_s).unwrap_or(u64::MAX),
        by_posting_minor: checked.by_posting_minor,
        balances_minor: checked.balances_minor,
    })
}

type Invoice = (String, Time, Vec<ReadLine>);

/// Invoices in the order of their first line, each with the time of that line.
fn read(data: &Path) -> Result<Vec<Invoice>, Failure> {
    let path = data.join(FILE);
    let file = File::open(&path)
        .map_err(|error| Failure::new("replay.data", format!("{}: {error}", path.display())))?;
    let mut reader = csv::Reader::from_reader(GzDecoder::new(file));
    let mut invoices: Vec<Invoice> = Vec::new();
    let mut place: HashMap<String, usize> = HashMap::new();
    for (number, line) in reader.deserialize::<CsvLine>().enumerate() {
        let bad = |what: String| Failure::new("replay.line", format!("line {}: {what}", number + 2));
        let line = line.map_err(|error| bad(error.to_string()))?;
        let at = time_of(&line.date).ok_or_else(|| bad(format!("no date: {}", line.date)))?;
        let invoice = line.invoice.clone();
        let read = read_line(line).ok_or_else(|| bad("no price".to_owned()))?;
        match place.get(&invoice) {
            Some(index) => invoices[*index].2.push(read),
            None => {
                place.insert(invoice.clone(), invoices.len());
                invoices.push((invoice, at, vec![read]));
            }
        }
    }
    Ok(invoices)
}

fn read_line(line: CsvLine) -> Option<ReadLine> {
    let price = thousandths(&line.price)?;
    let amount = he(i128::from(line.quantity.abs()) * i128::from(price), 10).ok()?;
    let class = match (line.invoice.as_bytes().first(), line.quantity > 0, price > 0) {
        (Some(b'A'), ..) => Class::Entry,
        (Some(b'C'), ..) => Class::Refund,
        (_, true, true) => Class::Sale,
        (_, true, false) => Class::Free,
        (_, false, _) => Class::Stock,
    };
    Some(ReadLine {
        class,
        stock_code: line.stock_code,
        quantity: line.quantity,
        price,
        amount,
        customer: line.customer.split('.').next().unwrap_or("").to_owned(),
        country: line.country,
    })
}

/// `-11062.06` as thousandths.
fn thousandths(text: &str) -> Option<i64> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let part = part.trim_end_matches('0');
    if part.len() > 3 {
        return None;
    }
    let part: i64 =
        if part.is_empty() { 0 } else { part.parse::<i64>().ok()? * 10i64.pow(3 - part.len() as u32) };
    Some(sign * (whole.parse::<i64>().ok()? * 1000 + part))
}

/// `2010-12-01 08:26:00` in UTC.
fn time_of(text: &str) -> Option<Time> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute) = (number(11..13)?, number(14..16)?);
    // Days from civil, for years after 1970 (Howard Hinnant's algorithm).
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted / 400;
    let year_of_era = shifted - era * 400;
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    Some(Time::from_secs(days * 86_400 + hour * 3_600 + minute * 60))
}

struct Replay {
    engine: Engine,
    started: Instant,
    queue: Vec<Ask>,
    sellers: BTreeMap<String, ShopId>,
    sales: Vec<Sale>,
    sold: Vec<Sold>,
    index: HashMap<(String, String, String, i64), Vec<usize>>,
    timers: BTreeMap<(Time, u64), Due>,
    timers_made: u64,
    rates: CapturedRates,
    last_at: Time,
    lines: u64,
    orders: u64,
    refunds: u64,
    control_total: i64,
}

fn gbp(minor: i64) -> Money {
    Money::new(minor, Currency::GBP)
}

impl Replay {
    async fn open(store: Arc<dyn Store>) -> Result<Replay, Failure> {
        let fee_plan = FeePlan { version: 1, commission: Bp(500), commission_tax: Ppm(200_000) };
        let reference = Reference {
            version: 1,
            policies: Policies::DEFAULT,
            fee_plan,
            platform_keys: Vec::new(),
            emv_guid: "org.souk.pay".to_owned(),
        };
        let config = EngineConfig { reference, seed: [0; 32], mutants: Mutants::NONE };
        let engine = Engine::open(store, config).await?;
        Ok(Replay {
            engine,
            started: Instant::now(),
            queue: Vec::new(),
            sellers: BTreeMap::new(),
            sales: Vec::new(),
            sold: Vec::new(),
            index: HashMap::new(),
            timers: BTreeMap::new(),
            timers_made: 0,
            rates: CapturedRates {
                commission: fee_plan.commission,
                service_fee: Bp(0),
                tax: fee_plan.commission_tax,
                tax_rounding: Rounding::HalfEven,
            },
            last_at: Time::default(),
            lines: 0,
            orders: 0,
            refunds: 0,
            control_total: 0,
        })
    }

    /// The seller of a country: a bucket of its own, by the hash of its name, the next free one if two meet.
    fn seller(&mut self, country: &str) -> Result<ShopId, Failure> {
        if let Some(seller) = self.sellers.get(country) {
            return Ok(*seller);
        }
        let hash = digest("souk/replay/seller/v1/", &[country.as_bytes()]);
        let mut number = u16::from_be_bytes([hash[0], hash[1]]) >> 6;
        while self.sellers.values().any(|seller| seller.bucket().number() == number) {
            number = (number + 1) % souk_domain::id::BUCKETS;
        }
        let bucket = Bucket::new(number).map_err(|error| Failure::new("replay.id", error.to_string()))?;
        let mut random = [0; 9];
        random.copy_from_slice(&hash[2..11]);
        let seller = ShopId::from_bytes(form_u(0, bucket, random))
            .map_err(|error| Failure::new("replay.id", error.to_string()))?;
        self.sellers.insert(country.to_owned(), seller);
        Ok(seller)
    }

    /// Puts an act into the queue; its id derives from the data.
    async fn act(
        &mut self,
        seller: ShopId,
        at: Time,
        name: &[&[u8]],
        what: HistoricFact,
    ) -> Result<(), Failure> {
        let hash = digest("souk/replay/v1/", name);
        let id = DerivedId::from_bytes(form_d(seller.bucket(), &hash))
            .map_err(|error| Failure::new("replay.id", error.to_string()))?;
        self.queue
            .push(Ask::Server { id: id.into(), act: ServerAct::Historic(HistoricAct { seller, at, what }) });
        self.last_at = self.last_at.max(at);
        if self.queue.len() >= BATCH { self.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> Result<(), Failure> {
        let asks = std::mem::take(&mut self.queue);
        if asks.is_empty() {
            return Ok(());
        }
        for answer in self.engine.decide_batch(asks, self.last_at).await {
            match answer {
                Answer::Server(outcome)
                    if outcome.is_accepted() || outcome.code() == Some("replay.adjustment") => {}
                other => return Err(Failure::new("replay.act", format!("{other:?}"))),
            }
        }
        Ok(())
    }

    fn timer(&mut self, due: Time, what: Due) {
        self.timers_made += 1;
        self.timers.insert((due, self.timers_made), what);
    }

    /// Timers due at or before a time fire first, by (due, creation).
    async fn fire(&mut self, until: Time) -> Result<(), Failure> {
        while let Some(((due, _), _)) = self.timers.first_key_value() {
            if *due > until {
                break;
            }
            let Some(((due, made), what)) = self.timers.pop_first() else { break };
            let name = made.to_be_bytes();
            match what {
                Due::Release(order) => self.release(order, due, &name).await?,
                Due::Reserve { order, share } => {
                    let seller = self.sold[order].seller;
                    let what = HistoricFact::Available { share: gbp(share) };
                    self.act(seller, due, &[b"reserve", &name], what).await?;
                }
            }
        }
        Ok(())
    }

    async fn release(&mut self, order: usize, due: Time, name: &[u8]) -> Result<(), Failure> {
        let sold = &mut self.sold[order];
        sold.is_released = true;
        let (id, seller) = (sold.id, sold.seller);
        let mut amounts = Vec::with_capacity(sold.sales.len());
        let mut lines = Vec::with_capacity(sold.sales.len());
        for sale in &sold.sales {
            let sale = &mut self.sales[*sale];
            sale.released = sale.amount - sale.from_escrow;
            let amount = gbp(sale.released);
            let fees = self.rates.of(amount).map_err(|error| Failure::new(error.code(), "fees"))?;
            amounts.push(amount);
            lines.push(ReleasedLine { amount, fees });
        }
        let of = Release { order: id, seller, courier: None, authority: PLATFORM, lines: &lines };
        let share = of.seller_share().map_err(|error| Failure::new(error.code(), "share"))?.minor;
        self.act(seller, due, &[b"release", name], HistoricFact::Released { order: id, lines: amounts })
            .await?;
        self.timer(due.plus(RESERVE), Due::Reserve { order, share });
        Ok(())
    }

    async fn invoice(&mut self, invoice: &str, at: Time, lines: &[ReadLine]) -> Result<(), Failure> {
        self.lines += lines.len() as u64;
        self.control_total +=
            lines.iter().filter(|line| line.quantity > 0).map(|line| line.amount).sum::<i64>();
        if lines.iter().any(|line| matches!(line.class, Class::Sale | Class::Free)) {
            self.order(invoice, at, lines).await?;
        }
        if lines.iter().any(|line| line.class == Class::Refund) {
            self.refunds += 1;
        }
        for (number, line) in lines.iter().enumerate() {
            let number = (number as u64).to_be_bytes();
            match line.class {
                Class::Refund => self.refund(invoice, at, line, &number).await?,
                Class::Entry => {
                    let seller = self.seller(&line.country)?;
                    self.act(seller, at, &[b"entry", invoice.as_bytes(), &number], HistoricFact::Adjustment)
                        .await?;
                }
                Class::Sale | Class::Free | Class::Stock => {}
            }
        }
        Ok(())
    }

    async fn order(&mut self, invoice: &str, at: Time, lines: &[ReadLine]) -> Result<(), Failure> {
        let seller = self.seller(&lines[0].country)?;
        let hash = digest("souk/replay/order/v1/", &[invoice.as_bytes()]);
        let mut random = [0; 9];
        random.copy_from_slice(&hash[..9]);
        let ms = u64::try_from(at.millis()).unwrap_or(0);
        let id = OrderId::from_bytes(form_u(ms, seller.bucket(), random))
            .map_err(|error| Failure::new("replay.id", error.to_string()))?;
        let order = self.sold.len();
        let mut sold = Sold { id, seller, sales: Vec::new(), is_released: false };
        let mut total = 0;
        for line in lines.iter().filter(|line| line.class == Class::Sale) {
            if !line.customer.is_empty() {
                let key = (line.customer.clone(), line.stock_code.clone(), line.country.clone(), line.price);
                self.index.entry(key).or_default().push(self.sales.len());
            }
            sold.sales.push(self.sales.len());
            total += line.amount;
            self.sales.push(Sale {
                order,
                quantity: line.quantity,
                amount: line.amount,
                taken: 0,
                from_escrow: 0,
                after_release: 0,
                released: 0,
            });
        }
        self.sold.push(sold);
        self.orders += 1;
        let what = HistoricFact::Captured { order: id, amount: gbp(total) };
        self.act(seller, at, &[b"order", invoice.as_bytes()], what).await?;
        if total > 0 {
            self.timer(at.plus(RELEASE_AFTER), Due::Release(order));
        }
        Ok(())
    }

    /// Takes earlier sale lines of the same customer, code, country and price, newest first; the rest is P12.
    async fn refund(
        &mut self,
        invoice: &str,
        at: Time,
        line: &ReadLine,
        number: &[u8],
    ) -> Result<(), Failure> {
        let seller = self.seller(&line.country)?;
        let key = (line.customer.clone(), line.stock_code.clone(), line.country.clone(), line.price);
        let matching: Vec<usize> =
            self.index.get(&key).map(|sales| sales.iter().rev().copied().collect()).unwrap_or_default();
        let (mut units, mut left) = (line.quantity.abs(), line.amount);
        for (step, index) in matching.into_iter().enumerate() {
            let sale = &mut self.sales[index];
            let take = units.min(sale.quantity - sale.taken);
            if take == 0 {
                continue;
            }
            let part = share_between(sale.amount, sale.taken, sale.taken + take, sale.quantity)
                .map_err(|error| Failure::new(error.code(), "share"))?
                .min(left);
            sale.taken += take;
            units -= take;
            left -= part;
            if part == 0 {
                continue;
            }
            let sold = &self.sold[sale.order];
            let what = if sold.is_released {
                let before = sale.after_release;
                sale.after_release += part;
                HistoricFact::RefundedAfterRelease {
                    amount: gbp(part),
                    before: gbp(before),
                    released: gbp(sale.released),
                }
            } else {
                sale.from_escrow += part;
                HistoricFact::RefundedFromEscrow { order: sold.id, amount: gbp(part) }
            };
            let step = (step as u64).to_be_bytes();
            self.act(seller, at, &[b"refund", invoice.as_bytes(), number, &step], what).await?;
        }
        if left > 0 {
            let what = HistoricFact::CreditNote { amount: gbp(left) };
            self.act(seller, at, &[b"credit", invoice.as_bytes(), number], what).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_and_dates() {
        assert_eq!(thousandths("2.55"), Some(2550));
        assert_eq!(thousandths("0.001"), Some(1));
        assert_eq!(thousandths("-11062.06"), Some(-11_062_060));
        assert_eq!(thousandths("649.5"), Some(649_500));
        assert_eq!(thousandths("x"), None);
        assert_eq!(time_of("2010-12-01 08:26:00"), Some(Time::from_secs(1_291_191_960)));
        assert_eq!(time_of("2012-02-29 00:00:00"), Some(Time::from_secs(1_330_473_600)));
        assert_eq!(time_of("12/1/2010 8:26"), None);
    }
}
