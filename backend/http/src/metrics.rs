//! What `/metrics` shows, in the text form of Prometheus. Counts only; no ids, no names, no money of anybody.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use souk_store::{StoreError, StoreStats};

use crate::app::App;
use crate::error::ApiError;
use crate::limiter::Counter;
use crate::routes::ROUTES;

/// Upper bounds of the histogram of times, microseconds: one read, one commit, a full batch, a slow client, trouble.
const BOUNDS_US: [u64; 6] = [1_000, 5_000, 25_000, 100_000, 500_000, 2_500_000];
/// Outbox rows that are counted, at most.
const OUTBOX_COUNTED_MAX: usize = 10_000;

/// Counts of requests since the start.
#[derive(Debug)]
pub(crate) struct Metrics {
    by_status: Mutex<BTreeMap<(Option<Counter>, u16), u64>>,
    times: Vec<Times>,
}

#[derive(Debug, Default)]
struct Times {
    buckets: [AtomicU64; BOUNDS_US.len()],
    count: AtomicU64,
    sum_us: AtomicU64,
}

impl Metrics {
    pub(crate) fn new() -> Metrics {
        Metrics { by_status: Mutex::default(), times: ROUTES.iter().map(|_| Times::default()).collect() }
    }

    /// Counts an answer; none = no route.
    pub(crate) fn count(&self, route: Option<Counter>, status: u16, micros: u64) {
        *self.by_status.lock().unwrap_or_else(PoisonError::into_inner).entry((route, status)).or_default() +=
            1;
        let Some(times) = route.and_then(|at| self.times.get(at)) else { return };
        for (bucket, _) in times.buckets.iter().zip(BOUNDS_US).filter(|(_, bound)| micros <= *bound) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        times.count.fetch_add(1, Ordering::Relaxed);
        times.sum_us.fetch_add(micros, Ordering::Relaxed);
    }

    fn write(&self, page: &mut Page) {
        page.head("souk_http_requests_total", "counter", "Answers by route and status.");
        for ((route, status), count) in self.by_status.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let labels = format!("{},status=\"{status}\"", labels(*route));
            page.line("souk_http_requests_total", &labels, *count);
        }
        let name = "souk_http_request_duration_seconds";
        page.head(name, "histogram", "Time from the request to the head of its answer.");
        for (at, times) in self.times.iter().enumerate() {
            let count = times.count.load(Ordering::Relaxed);
            if count == 0 {
                continue;
            }
            let labels = labels(Some(at));
            for (bucket, bound) in times.buckets.iter().zip(BOUNDS_US) {
                let labels = format!("{labels},le=\"{}\"", seconds(bound));
                page.line(&format!("{name}_bucket"), &labels, bucket.load(Ordering::Relaxed));
            }
            page.line(&format!("{name}_bucket"), &format!("{labels},le=\"+Inf\""), count);
            let sum = seconds(times.sum_us.load(Ordering::Relaxed));
            page.line(&format!("{name}_sum"), &labels, sum);
            page.line(&format!("{name}_count"), &labels, count);
        }
    }
}

/// Labels of a route: its path in the table, never the path that somebody asked for.
fn labels(route: Option<Counter>) -> String {
    match route.and_then(|at| ROUTES.get(at)) {
        Some(route) => format!("method=\"{}\",route=\"{}\"", route.method.name(), route.path),
        None => "method=\"\",route=\"\"".to_owned(),
    }
}

/// Microseconds as seconds with six decimals.
fn seconds(micros: u64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

#[derive(Debug, Default)]
struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn line(&mut self, name: &str, labels: &str, value: impl std::fmt::Display) {
        let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl std::fmt::Display) {
        self.head(name, kind, help);
        self.line(name, "", value);
    }
}

/// The page.
pub(crate) async fn page(app: &App) -> Result<String, ApiError> {
    let now = app.now();
    let (overdue, pending, stats) = app
        .read(move |reader| async move {
            let overdue = reader.blockers_overdue(now).await?.len();
            let pending = reader.store().outbox_pending(OUTBOX_COUNTED_MAX).await?.len();
            let stats: Result<StoreStats, StoreError> = reader.store().stats().await;
            Ok((overdue, pending, stats?))
        })
        .await?;
    let mut page = Page::default();
    app.metrics().write(&mut page);
    page.one("souk_live_streams", "gauge", "Streams of hints that are open.", app.streams().count());
    let engine = app.reader().metrics();
    for (name, help, counter) in [
        ("commits", "Durable transactions.", &engine.commits),
        ("decided", "Intents and acts decided for the first time.", &engine.decided),
        ("repeated", "Ids that were known already.", &engine.repeated),
        ("conflicts", "Ids that came again with another text: an alarm.", &engine.conflicts),
        ("forks", "Positions that were not the next of their stream.", &engine.forks),
        ("races", "Commits that were decided again.", &engine.races),
        ("store_failures", "Failures of the store: an alarm.", &engine.failures),
        ("tripwires", "Bugs of rules that were caught: an alarm.", &engine.tripwires),
    ] {
        let value = counter.load(Ordering::Relaxed);
        page.one(&format!("souk_engine_{name}_total"), "counter", help, value);
    }
    let help = "Delivered orders whose settlement is past its time: an alarm.";
    page.one("souk_settlement_overdue", "gauge", help, overdue);
    page.one("souk_outbox_pending", "gauge", "Outbox rows that have not left, counted up to 10000.", pending);
    page.one("souk_generation", "gauge", "Generation of the data.", app.reader().generation());
    page.head("souk_store_rows", "gauge", "Rows by kind.");
    for (kind, rows) in &stats.rows {
        page.line("souk_store_rows", &format!("kind=\"{kind:?}\""), rows);
    }
    page.one("souk_ledger_transfers", "gauge", "Transfers of the ledger.", stats.transfers);
    page.one("souk_store_file_bytes", "gauge", "Bytes of the main file.", stats.file_bytes);
    page.one("souk_store_wal_bytes", "gauge", "Bytes of the log.", stats.wal_bytes);
    Ok(page.0)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn counts_in_prometheus_text() {
        let metrics = Metrics::new();
        let at = ROUTES.iter().position(|route| route.path == "/healthz").unwrap();
        metrics.count(Some(at), 200, 900);
        metrics.count(Some(at), 200, 6_000);
        metrics.count(None, 404, 0);
        let mut page = Page::default();
        metrics.write(&mut page);
        expect![[r##"
            # HELP souk_http_requests_total Answers by route and status.
            # TYPE souk_http_requests_total counter
            souk_http_requests_total{method="",route="",status="404"} 1
            souk_http_requests_total{method="GET",route="/healthz",status="200"} 2
            # HELP souk_http_request_duration_seconds Time from the request to the head of its answer.
            # TYPE souk_http_request_duration_seconds histogram
            souk_http_request_duration_seconds_bucket{method="GET",route="/healthz",le="0.001000"} 1
            souk_http_request_duration_seconds_bucket{method="GET",route="/healthz",le="0.005000"} 1
            souk_http_request_duration_seconds_bucket{method="GET",route="/healthz",le="0.025000"} 2
            souk_http_request_duration_seconds_bucket{method="GET",route="/healthz",le="0.100000"} 2
            souk_http_request_duration_seconds_bucket{method="GET",route="/healthz",le="0.500000"} 2
            souk_http_request_duration_seconds_bucket{method="GET",route="/healthz",le="2.500000"} 2
            souk_http_request_duration_seconds_bucket{method="GET",route="/healthz",le="+Inf"} 2
            souk_http_request_duration_seconds_sum{method="GET",route="/healthz"} 0.006900
            souk_http_request_duration_seconds_count{method="GET",route="/healthz"} 2
        "##]]
        .assert_eq(&page.0);
    }
}
