//! The default engine, pure Rust: two readers, each on the frame as it is and on filtered copies of it.
//!
//! The readers fill each other's gaps (rxing's port of ZXing-C++ fails under steep tilt, quircs under shadow), the
//! filters those of both (noise, blur, dark screens). The order is by yield a microsecond, measured on the frame set.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use rxing::common::HybridBinarizer;
use rxing::multi::MultipleBarcodeReader as _;
use rxing::qrcode::cpp_port::QrReader;
use rxing::{BarcodeFormat, BinaryBitmap, DecodeHints, Luma8Source};

use super::filter::{self, Picture, View};
use super::{Corner, Found, ScanEngine, Symbology, Verdict, Want, YPlane};

/// Dots up to which a frame is also tried at twice its size; a larger one has its codes large enough.
const DOUBLE_PIXELS_MAX: usize = 2_100_000;

/// One attempt: which reader on which picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Plain,
    Half,
    Quircs,
    Smooth,
    QuircsSharp,
    Sharp,
    Inverted,
    Double,
    DoubleSharp,
}

/// What is tried after [`Stage::Plain`], in this order.
const OTHERS: [Stage; 8] = [
    Stage::Half,
    Stage::Quircs,
    Stage::Smooth,
    Stage::QuircsSharp,
    Stage::Sharp,
    Stage::Inverted,
    Stage::Double,
    Stage::DoubleSharp,
];

/// The default scan engine. Keep one for a camera's life: its buffers grow to the frame's size once.
///
/// The readers are libraries that may panic on odd frames. Each attempt is caught at this border, which needs a build
/// that unwinds; the reader is then made anew, the attempt counts as *nothing found* and as a fault.
#[derive(Default)]
pub struct Cascade {
    quircs: quircs::Quirc,
    packed: Vec<u8>,
    half: Picture,
    smooth: Picture,
    sharp: Picture,
    other: Picture,
    other_sharp: Picture,
    next: usize,
    plain_is_due_later: bool,
    faults: u64,
}

impl std::fmt::Debug for Cascade {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cascade")
            .field("next", &self.next)
            .field("faults", &self.faults)
            .finish_non_exhaustive()
    }
}

impl Cascade {
    /// A new engine.
    pub fn new() -> Self {
        Self::default()
    }

    /// How often a reader panicked and was caught.
    pub const fn faults(&self) -> u64 {
        self.faults
    }

    fn run(&mut self, y: &YPlane<'_>, want: &Want<'_>, out: &mut Vec<Found>) {
        let started = Instant::now();
        let out_of_time = |budget_us: u64| started.elapsed().as_micros() >= u128::from(budget_us);
        let crop = y.crop();
        let packed = std::mem::take(&mut self.packed); // lent to the stages, given back below
        let packed = pack(y, packed);
        let luma = y.contiguous().unwrap_or(&packed);
        let full = View { luma, width: crop.width as usize, height: crop.height as usize };
        let mut search = Search { want, origin: (crop.x as i32, crop.y as i32), out, done: false };
        (self.smooth.width, self.sharp.width) = (0, 0); // those of the frame before

        let mut attempts = 0;
        if !self.plain_is_due_later {
            self.attempt(Stage::Plain, full, &mut search);
            attempts += 1;
        }
        let mut others = 0;
        while others < OTHERS.len() && !search.done {
            if attempts > 0 && want.budget_us.is_some_and(out_of_time) {
                break;
            }
            self.attempt(OTHERS[(self.next + others) % OTHERS.len()], full, &mut search);
            others += 1;
            attempts += 1;
        }
        // A frame whose budget ended goes on in the next one; however small the budget, every attempt has its turn.
        self.plain_is_due_later = others == 0 && !search.done;
        self.next = if search.done { 0 } else { (self.next + others) % OTHERS.len() };
        self.packed = packed;
    }

    fn attempt(&mut self, stage: Stage, full: View<'_>, search: &mut Search<'_, '_>) {
        let caught = catch_unwind(AssertUnwindSafe(|| self.stage(stage, full, search)));
        if caught.is_err() {
            self.faults += 1;
            self.quircs = quircs::Quirc::default();
            tracing::warn!(?stage, width = full.width, height = full.height, "a code reader panicked");
        }
    }

    fn stage(&mut self, stage: Stage, full: View<'_>, search: &mut Search<'_, '_>) {
        match stage {
            Stage::Plain => read_rxing(full, Scale::Same, search),
            Stage::Half => {
                filter::halve(full, &mut self.half);
                read_rxing(self.half.view(), Scale::Half, search);
            }
            Stage::Quircs => read_quircs(&mut self.quircs, full, search),
            Stage::Smooth => {
                self.make_smooth(full);
                read_rxing(self.smooth.view(), Scale::Same, search);
            }
            Stage::QuircsSharp => {
                self.make_sharp(full);
                read_quircs(&mut self.quircs, self.sharp.view(), search);
            }
            Stage::Sharp => {
                self.make_sharp(full);
                read_rxing(self.sharp.view(), Scale::Same, search);
            }
            Stage::Inverted => {
                filter::invert(full, &mut self.other);
                read_rxing(self.other.view(), Scale::Same, search);
            }
            Stage::Double | Stage::DoubleSharp if full.luma.len() > DOUBLE_PIXELS_MAX => {}
            Stage::Double => {
                filter::double(full, &mut self.other);
                read_rxing(self.other.view(), Scale::Double, search);
            }
            Stage::DoubleSharp => {
                filter::double(full, &mut self.other);
                filter::sharpen_double(self.other.view(), &mut self.other_sharp);
                read_rxing(self.other_sharp.view(), Scale::Double, search);
            }
        }
    }

    fn make_smooth(&mut self, full: View<'_>) {
        if self.smooth.width == 0 {
            filter::smooth(full, &mut self.smooth);
        }
    }

    fn make_sharp(&mut self, full: View<'_>) {
        if self.sharp.width == 0 {
            self.make_smooth(full);
            filter::sharpen(self.smooth.view(), &mut self.sharp);
        }
    }
}

impl ScanEngine for Cascade {
    fn scan(&mut self, y: &YPlane<'_>, want: &Want<'_>, out: &mut Vec<Found>) {
        self.run(y, want, out);
    }
}

/// Compacts padded rows into the kept buffer; a frame without padding is not copied.
fn pack(y: &YPlane<'_>, mut packed: Vec<u8>) -> Vec<u8> {
    if y.contiguous().is_none() {
        packed.clear();
        y.rows().for_each(|row| packed.extend_from_slice(row));
    }
    packed
}

/// How the picture that was read compares with the frame.
#[derive(Clone, Copy)]
enum Scale {
    Half,
    Same,
    Double,
}

/// What was asked, and what has been found so far.
struct Search<'a, 'b> {
    want: &'a Want<'b>,
    origin: (i32, i32),
    out: &'a mut Vec<Found>,
    done: bool,
}

impl Search<'_, '_> {
    fn add(&mut self, text: &str, corners: [(f32, f32); 4], scale: Scale) {
        let wanted = self.want.prefix.is_none_or(|prefix| text.starts_with(prefix));
        if text.is_empty() || !wanted || self.out.iter().any(|found| found.text == text) {
            return;
        }
        let verdict = match self.want.verifier {
            None => Verdict::Unchecked,
            Some(verify) if verify(text) => Verdict::Accepted,
            Some(_) => Verdict::Refused,
        };
        self.done |= verdict != Verdict::Refused;
        let corners = corners.map(|(x, y)| {
            let factor = match scale {
                Scale::Half => 2.0,
                Scale::Same => 1.0,
                Scale::Double => 0.5,
            };
            Corner { x: self.origin.0 + (x * factor) as i32, y: self.origin.1 + (y * factor) as i32 }
        });
        self.out.push(Found { text: text.to_owned(), symbology: Symbology::Qr, corners, verdict });
    }
}

fn read_rxing(picture: View<'_>, scale: Scale, search: &mut Search<'_, '_>) {
    let (Ok(width), Ok(height)) = (u32::try_from(picture.width), u32::try_from(picture.height)) else {
        return;
    };
    let Ok(source) = Luma8Source::new_with_slice(picture.luma, width, height) else { return };
    let hints = DecodeHints {
        TryHarder: Some(true),
        PossibleFormats: Some([BarcodeFormat::QR_CODE].into_iter().collect()),
        ..DecodeHints::default()
    };
    let mut bitmap = BinaryBitmap::new(HybridBinarizer::new(source));
    let Ok(codes) = QrReader.decode_multiple_with_hints(&mut bitmap, &hints) else { return };
    for code in codes {
        let mut corners = [(0.0, 0.0); 4];
        for (corner, point) in corners.iter_mut().zip(code.getPoints()) {
            *corner = (point.x, point.y);
        }
        search.add(code.getText(), corners, scale);
    }
}

fn read_quircs(reader: &mut quircs::Quirc, picture: View<'_>, search: &mut Search<'_, '_>) {
    for code in reader.identify(picture.width, picture.height, picture.luma).flatten() {
        let Ok(data) = code.decode() else { continue };
        let corners = code.corners.map(|corner| (corner.x as f32, corner.y as f32));
        if let Ok(text) = std::str::from_utf8(&data.payload) {
            search.add(text, corners, Scale::Same);
        }
    }
}
