//! How well an engine reads: found, misread and time for each kind of frame (`souk bench scan`).

use serde::Serialize;

use super::{ScanEngine, ScanError, Want, YPlane};

/// A frame whose content is known.
#[derive(Debug, Clone, Copy)]
pub struct ScanCase<'a> {
    /// Kind of frame; scores are kept for each.
    pub kind: &'a str,
    /// Brightness, rows without padding.
    pub luma: &'a [u8],
    /// Dots from left to right.
    pub width: u32,
    /// Dots from top to bottom.
    pub height: u32,
    /// The text to be found; `None` for a frame without a code.
    pub text: Option<&'a str>,
    /// Texts of other codes in the frame; to find them is no error.
    pub decoys: &'a [String],
}

/// The score of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KindScore {
    /// Kind of frame.
    pub kind: String,
    /// Frames seen.
    pub frames: u32,
    /// Frames whose text was found.
    pub found: u32,
    /// Frames in which a text was read that no code in them holds.
    pub misread: u32,
    /// Half of the frames took at most this long, in microseconds.
    pub p50_us: u64,
    /// Nineteen of twenty frames took at most this long.
    pub p95_us: u64,
}

/// The score of all frames, and of each kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ScanReport {
    /// Frames seen.
    pub frames: u32,
    /// Frames whose text was found.
    pub found: u32,
    /// Frames in which a text was read that no code in them holds.
    pub misread: u32,
    /// Half of all frames took at most this long, in microseconds.
    pub p50_us: u64,
    /// Nineteen of twenty frames took at most this long.
    pub p95_us: u64,
    /// Scores in the order in which the kinds came.
    pub kinds: Vec<KindScore>,
}

struct Tally {
    kind: String,
    found: u32,
    misread: u32,
    times_us: Vec<u64>,
}

/// An engine's run over many frames; frames are added one by one, so that none has to be kept.
#[derive(Default)]
pub struct Measurement {
    tallies: Vec<Tally>,
}

impl Measurement {
    /// Scans one frame as a caller does who can verify: the scan goes on until the right text or the end. `now_us` is
    /// the clock, of CPU time for a bench. Refuses what [`YPlane::new`] refuses.
    pub fn add(
        &mut self,
        engine: &mut dyn ScanEngine,
        case: &ScanCase<'_>,
        now_us: &mut dyn FnMut() -> u64,
    ) -> Result<(), ScanError> {
        let plane = YPlane::new(case.luma, case.width, case.height, case.width)?;
        let is_it = |text: &str| case.text == Some(text);
        let want = Want { verifier: Some(&is_it), ..Want::default() };
        let mut found = Vec::new();
        let started_us = now_us();
        engine.scan(&plane, &want, &mut found);
        let time_us = now_us().saturating_sub(started_us);
        let known = |text: &String| is_it(text) || case.decoys.contains(text);
        let tally = self.tally(case.kind);
        tally.times_us.push(time_us);
        tally.found += u32::from(found.iter().any(|found| is_it(&found.text)));
        tally.misread += u32::from(!found.iter().all(|found| known(&found.text)));
        Ok(())
    }

    /// The scores.
    pub fn report(self) -> ScanReport {
        let mut all: Vec<u64> = Vec::new();
        let mut kinds = Vec::new();
        for mut tally in self.tallies {
            tally.times_us.sort_unstable();
            all.extend(&tally.times_us);
            kinds.push(KindScore {
                kind: tally.kind,
                frames: tally.times_us.len() as u32,
                found: tally.found,
                misread: tally.misread,
                p50_us: percentile(&tally.times_us, 50),
                p95_us: percentile(&tally.times_us, 95),
            });
        }
        all.sort_unstable();
        ScanReport {
            frames: all.len() as u32,
            found: kinds.iter().map(|kind| kind.found).sum(),
            misread: kinds.iter().map(|kind| kind.misread).sum(),
            p50_us: percentile(&all, 50),
            p95_us: percentile(&all, 95),
            kinds,
        }
    }

    fn tally(&mut self, kind: &str) -> &mut Tally {
        let place = self.tallies.iter().position(|tally| tally.kind == kind).unwrap_or_else(|| {
            self.tallies.push(Tally { kind: kind.to_owned(), found: 0, misread: 0, times_us: Vec::new() });
            self.tallies.len() - 1
        });
        &mut self.tallies[place]
    }
}

/// The smallest time that so many of a hundred do not exceed; 0 for none at all.
fn percentile(sorted: &[u64], of_hundred: usize) -> u64 {
    let rank = (sorted.len() * of_hundred).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::{Corner, Found, Symbology, Verdict};

    #[test]
    fn percentiles() {
        let times: Vec<u64> = (1..=20).collect();
        assert_eq!((percentile(&times, 50), percentile(&times, 95)), (10, 19));
        assert_eq!((percentile(&[7], 50), percentile(&[7], 95), percentile(&[], 50)), (7, 7, 0));
    }

    struct Fake(&'static str);

    impl ScanEngine for Fake {
        fn scan(&mut self, _: &YPlane<'_>, _: &Want<'_>, out: &mut Vec<Found>) {
            let corners = [Corner { x: 0, y: 0 }; 4];
            let verdict = Verdict::Accepted;
            out.push(Found { text: self.0.to_owned(), symbology: Symbology::Qr, corners, verdict });
        }
    }

    #[test]
    fn found_decoy_and_misread() {
        let decoys = ["decoy".to_owned()];
        let mut clock = (0..).step_by(5);
        let mut now_us = || clock.next().unwrap_or(0);
        let mut measurement = Measurement::default();
        let case =
            ScanCase { kind: "a", luma: &[0; 4], width: 2, height: 2, text: Some("x"), decoys: &decoys };
        let empty = ScanCase { kind: "none", text: None, ..case };
        for (text, case) in [("x", case), ("decoy", case), ("wrong", case), ("wrong", empty)] {
            measurement.add(&mut Fake(text), &case, &mut now_us).expect("fits");
        }
        let report = measurement.report();
        assert_eq!((report.frames, report.found, report.misread), (4, 1, 2));
        let a = KindScore { kind: "a".to_owned(), frames: 3, found: 1, misread: 1, p50_us: 5, p95_us: 5 };
        assert_eq!(report.kinds[0], a);
    }
}
