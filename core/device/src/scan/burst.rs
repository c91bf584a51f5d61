//! A burst: frames of one camera session until a message verifies or the time is over.
//!
//! Every other frame is the middle of the picture at twice its size, for codes held too far away. Rules:
//! spec/logistics.md 13.

use super::filter::{self, Picture, View};
use super::{Corner, Found, ScanEngine, Verdict, Want, YPlane};

/// A burst ends after this time without a message; the user then gets a hint.
pub const BURST_MS_MAX: u64 = 1_500;
/// After so long in the dark a torch is proposed.
pub const TORCH_HINT_AFTER_MS: u64 = 500;
/// Mean brightness below which it is dark.
pub const DARK_MEAN: u8 = 40;
/// Refused texts that are remembered; more than a shelf of labels holds.
pub const REFUSED_TEXTS_MAX: usize = 64;

/// What a frame brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BurstAnswer {
    /// Nothing; more frames please.
    Nothing,
    /// Nothing, and it is too dark.
    TorchHint,
    /// A text that the verifier accepted, or any text when there is none.
    Found(Found),
    /// A new text that the verifier refused; the burst goes on.
    Refused(Found),
    /// Nothing in all this time.
    TimedOut,
}

/// State of a burst over any engine.
#[derive(Debug)]
pub struct Burst<E> {
    engine: E,
    frames: u64,
    started_ms: Option<u64>,
    dark_since_ms: Option<u64>,
    refused: Vec<String>,
    found: Vec<Found>,
    middle: Vec<u8>,
    doubled: Picture,
}

impl<E: ScanEngine> Burst<E> {
    /// A burst that has seen nothing yet.
    pub fn new(engine: E) -> Self {
        Self {
            engine,
            frames: 0,
            started_ms: None,
            dark_since_ms: None,
            refused: Vec::new(),
            found: Vec::new(),
            middle: Vec::new(),
            doubled: Picture::default(),
        }
    }

    /// The engine inside.
    pub const fn engine(&self) -> &E {
        &self.engine
    }

    /// Begins anew: the time, and which texts were refused.
    pub fn restart(&mut self) {
        (self.frames, self.started_ms, self.dark_since_ms) = (0, None, None);
        self.refused.clear();
    }

    /// Takes a frame at a time of any steady clock, in milliseconds.
    pub fn frame(&mut self, y: &YPlane<'_>, want: &Want<'_>, now_ms: u64) -> BurstAnswer {
        let started_ms = *self.started_ms.get_or_insert(now_ms);
        self.found.clear();
        let is_middle = self.frames % 2 == 1;
        self.frames += 1;
        let refused = &self.refused;
        let fresh = |text: &str| {
            let known = refused.iter().any(|old| old == text);
            !known && want.verifier.is_none_or(|verify| verify(text))
        };
        let verifier: Option<&dyn Fn(&str) -> bool> = want.verifier.map(|_| &fresh as &dyn Fn(&str) -> bool);
        let inner = Want { verifier, ..*want };
        if is_middle {
            scan_middle(&mut self.engine, y, &inner, &mut self.middle, &mut self.doubled, &mut self.found);
        } else {
            self.engine.scan(y, &inner, &mut self.found);
        }
        match self.take_found() {
            Some(answer) => answer,
            None if now_ms.saturating_sub(started_ms) >= BURST_MS_MAX => BurstAnswer::TimedOut,
            None if self.is_dark(y, now_ms) => BurstAnswer::TorchHint,
            None => BurstAnswer::Nothing,
        }
    }

    fn take_found(&mut self) -> Option<BurstAnswer> {
        let good = self.found.iter().position(|found| found.verdict != Verdict::Refused);
        if let Some(place) = good {
            return Some(BurstAnswer::Found(self.found.swap_remove(place)));
        }
        let refused = &self.refused;
        self.found.retain(|found| !refused.contains(&found.text));
        let first = self.found.first().cloned();
        for found in self.found.drain(..) {
            if self.refused.len() < REFUSED_TEXTS_MAX {
                self.refused.push(found.text);
            }
        }
        first.map(BurstAnswer::Refused)
    }

    fn is_dark(&mut self, y: &YPlane<'_>, now_ms: u64) -> bool {
        if y.mean() >= DARK_MEAN {
            self.dark_since_ms = None;
            return false;
        }
        let since_ms = *self.dark_since_ms.get_or_insert(now_ms);
        now_ms.saturating_sub(since_ms) >= TORCH_HINT_AFTER_MS
    }
}

/// Scans the middle of a frame at twice its size and moves the corners back.
fn scan_middle(
    engine: &mut impl ScanEngine,
    y: &YPlane<'_>,
    want: &Want<'_>,
    middle: &mut Vec<u8>,
    doubled: &mut Picture,
    out: &mut Vec<Found>,
) {
    let crop = y.centre();
    let Ok(inner) = y.cropped(crop) else { return };
    middle.clear();
    inner.rows().for_each(|row| middle.extend_from_slice(row));
    let view = View { luma: middle, width: crop.width as usize, height: crop.height as usize };
    filter::double(view, doubled);
    let Ok(plane) = YPlane::new(&doubled.luma, crop.width * 2, crop.height * 2, crop.width * 2) else {
        return;
    };
    engine.scan(&plane, want, out);
    for found in out {
        found.corners = found
            .corners
            .map(|corner| Corner { x: crop.x as i32 + corner.x / 2, y: crop.y as i32 + corner.y / 2 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::Symbology;

    /// Finds what it is told, and notes how wide the frames were.
    struct Fake {
        texts: Vec<&'static str>,
        widths: Vec<u32>,
    }

    impl ScanEngine for Fake {
        fn scan(&mut self, y: &YPlane<'_>, want: &Want<'_>, out: &mut Vec<Found>) {
            self.widths.push(y.crop().width);
            for text in &self.texts {
                let verdict = match want.verifier {
                    None => Verdict::Unchecked,
                    Some(verify) if verify(text) => Verdict::Accepted,
                    Some(_) => Verdict::Refused,
                };
                let corners = [Corner { x: 10, y: 20 }; 4];
                out.push(Found { text: (*text).to_owned(), symbology: Symbology::Qr, corners, verdict });
            }
        }
    }

    fn burst(texts: &[&'static str]) -> Burst<Fake> {
        Burst::new(Fake { texts: texts.to_vec(), widths: Vec::new() })
    }

    fn name(answer: &BurstAnswer) -> String {
        match answer {
            BurstAnswer::Found(found) => format!("found {}", found.text),
            BurstAnswer::Refused(found) => format!("refused {}", found.text),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn light_and_time() {
        let (dark, light) = ([DARK_MEAN - 1; 64], [DARK_MEAN; 64]);
        let mut burst = burst(&[]);
        let mut at = |luma: &[u8], now_ms| {
            let plane = YPlane::new(luma, 8, 8, 8).expect("fits");
            name(&burst.frame(&plane, &Want::default(), now_ms))
        };
        assert_eq!(at(&dark, 1_000), "Nothing");
        assert_eq!(at(&dark, 1_000 + TORCH_HINT_AFTER_MS - 1), "Nothing");
        assert_eq!(at(&dark, 1_000 + TORCH_HINT_AFTER_MS), "TorchHint");
        assert_eq!(at(&light, 1_600), "Nothing");
        assert_eq!(at(&dark, 1_700), "Nothing", "the dark begins anew");
        assert_eq!(at(&light, 1_000 + BURST_MS_MAX - 1), "Nothing");
        assert_eq!(at(&light, 1_000 + BURST_MS_MAX), "TimedOut");
        assert_eq!(burst.engine().widths, [8; 7], "4 dots of the middle, doubled");
    }

    #[test]
    fn refused_texts_are_told_once_and_not_tried_again() {
        let luma = [200; 64];
        let plane = YPlane::new(&luma, 8, 8, 8).expect("fits");
        let tried = std::cell::RefCell::new(Vec::new());
        let verify = |text: &str| {
            tried.borrow_mut().push(text.to_owned());
            text == "good"
        };
        let want = Want { verifier: Some(&verify), ..Want::default() };
        let mut burst = burst(&["bad"]);
        assert_eq!(name(&burst.frame(&plane, &want, 0)), "refused bad");
        assert_eq!(name(&burst.frame(&plane, &want, 1)), "Nothing");
        burst.engine.texts = vec!["bad", "good"];
        assert_eq!(name(&burst.frame(&plane, &want, 2)), "found good");
        assert_eq!(*tried.borrow(), ["bad", "good"]);
        burst.restart();
        burst.engine.texts = vec!["bad"];
        assert_eq!(name(&burst.frame(&plane, &want, 3)), "refused bad");
    }

    #[test]
    fn corners_of_the_middle_are_those_of_the_frame() {
        let luma = [200; 64 * 64];
        let plane = YPlane::new(&luma, 64, 64, 64).expect("fits");
        let mut burst = burst(&["x"]);
        let mut corner = || match burst.frame(&plane, &Want::default(), 0) {
            BurstAnswer::Found(found) => found.corners[0],
            other => panic!("{other:?}"),
        };
        assert_eq!((corner(), corner()), (Corner { x: 10, y: 20 }, Corner { x: 16 + 5, y: 16 + 10 }));
    }

    #[test]
    fn memory_of_refused_texts_is_bounded() {
        let luma = [200; 64];
        let plane = YPlane::new(&luma, 8, 8, 8).expect("fits");
        let no = |_: &str| false;
        let want = Want { verifier: Some(&no), ..Want::default() };
        let mut burst = burst(&[]);
        for number in 0..REFUSED_TEXTS_MAX + 5 {
            burst.engine.texts = vec![Box::leak(number.to_string().into_boxed_str())];
            assert_eq!(name(&burst.frame(&plane, &want, 0)), format!("refused {number}"));
        }
        assert_eq!(burst.refused.len(), REFUSED_TEXTS_MAX);
    }
}
