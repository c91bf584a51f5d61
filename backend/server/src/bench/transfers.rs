//! `souk bench transfers`: durable transfers of the store alone.

use std::time::Duration;

use clap::Args;
use serde::Serialize;
use souk_store::bench::{TransfersAsk, transfers};

use super::cpu;
use crate::failure::Failure;
use crate::store_at;

/// Options of `souk bench transfers`.
#[derive(Debug, Args)]
pub struct TransfersArgs {
    /// An empty store.
    #[arg(long)]
    store: String,
    /// Transfers of one commit.
    #[arg(long, default_value_t = 1_000)]
    in_flight: u32,
    /// Buckets that each commit spreads over.
    #[arg(long, default_value_t = 64)]
    buckets: u16,
    /// For how long.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
}

/// What it prints.
#[derive(Debug, Serialize)]
pub struct Report {
    per_s: u64,
    cpu_us_per_op: u64,
    p50_us: u64,
    p99_us: u64,
    fsyncs: u64,
    ops: u64,
}

/// Runs it.
pub async fn run(args: TransfersArgs) -> Result<Report, Failure> {
    let store = store_at::open(&args.store)?;
    store.take_over().await?;
    let ask = TransfersAsk {
        batch: args.in_flight,
        buckets: args.buckets,
        span: Duration::from_secs(args.seconds),
        ..TransfersAsk::default()
    };
    let before = cpu::process_us("self")?;
    let report = transfers(store.as_ref(), &ask)
        .await
        .map_err(|error| Failure::new("bench.transfers", error.to_string()))?;
    let cpu_us = cpu::process_us("self")?.saturating_sub(before);
    Ok(Report {
        per_s: report.per_s,
        cpu_us_per_op: cpu_us / report.ops.max(1),
        p50_us: report.p50_us,
        p99_us: report.p99_us,
        fsyncs: report.fsyncs,
        ops: report.ops,
    })
}
