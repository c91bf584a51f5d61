//! `souk bench scan`: how many of the generated camera frames are read, and how fast (spec/logistics.md 13).

use clap::Args;
use souk_device::scan::{Cascade, Measurement, ScanCase, ScanReport};
use souk_frames::{FRAMES_A_KIND, HEIGHT, Kind, WIDTH, qr_frame};

use super::cpu;
use crate::failure::Failure;
use crate::progress;

/// Options of `souk bench scan`.
#[derive(Debug, Args)]
pub struct ScanArgs {
    /// Frames of each kind, at most 25.
    #[arg(long, default_value_t = FRAMES_A_KIND)]
    frames: u32,
}

/// Runs it on one thread; times are CPU times.
pub fn run(args: &ScanArgs) -> Result<ScanReport, Failure> {
    let frames = args.frames.min(FRAMES_A_KIND);
    let bar = progress::bar(u64::from(frames) * Kind::ALL.len() as u64, "frames");
    let mut engine = Cascade::default();
    let mut measurement = Measurement::default();
    let mut now_us = || cpu::thread_ns() / 1_000;
    for kind in Kind::ALL {
        for index in 0..frames {
            let frame = qr_frame(kind, index).map_err(|error| Failure::new(error.code(), "frame"))?;
            let case = ScanCase {
                kind: kind.name(),
                luma: &frame.luma,
                width: WIDTH,
                height: HEIGHT,
                text: frame.text.as_deref(),
                decoys: &frame.decoys,
            };
            measurement
                .add(&mut engine, &case, &mut now_us)
                .map_err(|error| Failure::new(error.code(), "scan"))?;
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    Ok(measurement.report())
}
