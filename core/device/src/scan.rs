//! Scanning: from a camera's frame or an image file to the texts of its QR codes.
//!
//! Not for: what a text means or whether its signature is good; a caller who can tell hands in a verifier. Rules:
//! spec/logistics.md 13. Always: no frame, however broken, panics through this module; nothing is kept of a frame but
//! buffers; the time is passed in, only [`Cascade`] itself looks at a clock, to keep within a budget.

mod burst;
mod cascade;
mod filter;
mod image_file;
mod measure;
mod plane;

pub use burst::{BURST_MS_MAX, Burst, BurstAnswer, DARK_MEAN, REFUSED_TEXTS_MAX, TORCH_HINT_AFTER_MS};
pub use cascade::Cascade;
pub use image_file::{IMAGE_BYTES_MAX, LumaImage};
pub use measure::{KindScore, Measurement, ScanCase, ScanReport};
pub use plane::{Crop, EDGE_MAX, PIXELS_MAX, YPlane};

/// A reader of codes. The default is [`Cascade`]; another one brings a camera library of a platform.
pub trait ScanEngine {
    /// Adds what it finds in a frame to `out`, each text once. Never fails: nothing found is nothing added.
    fn scan(&mut self, y: &YPlane<'_>, want: &Want<'_>, out: &mut Vec<Found>);
}

/// What is looked for. QR is the only symbology so far.
#[derive(Clone, Copy, Default)]
pub struct Want<'a> {
    /// Only texts that begin so, `SK1:` for messages.
    pub prefix: Option<&'a str>,
    /// No new attempt begins after this many microseconds; one that runs is not cut short, and one always runs. What
    /// there was no time for has its turn in the next frame.
    pub budget_us: Option<u64>,
    /// Whether a text is the one: its signature holds, its payee is known. The scan goes on until one is.
    pub verifier: Option<&'a dyn Fn(&str) -> bool>,
}

/// The kind of a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Symbology {
    /// QR code.
    Qr,
}

/// What the verifier said about a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// There was no verifier.
    Unchecked,
    /// It said yes.
    Accepted,
    /// It said no. Kept, so that a screen can say what is wrong with the code in front of it.
    Refused,
}

/// A corner of a symbol in dots of the whole frame; it may lie outside when the symbol is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Corner {
    /// From the left.
    pub x: i32,
    /// From the top.
    pub y: i32,
}

/// One code in a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its text; never trimmed, since a blank at the end is data.
    pub text: String,
    /// What it was.
    pub symbology: Symbology,
    /// Its corners, clockwise as the reader found them.
    pub corners: [Corner; 4],
    /// What the verifier said.
    pub verdict: Verdict,
}

/// A frame or file that cannot be scanned.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The buffer is shorter than its width, height and stride say, a side is 0, or the crop lies outside.
    #[error("a frame of {width} x {height}, {stride} a row, does not fit into {bytes} bytes")]
    Frame {
        /// Dots from left to right.
        width: u32,
        /// Dots from top to bottom.
        height: u32,
        /// Bytes from one row to the next.
        stride: u32,
        /// Bytes that came.
        bytes: usize,
    },
    /// More dots or bytes than are looked at.
    #[error("the picture is too large")]
    TooLarge,
    /// Not a picture in a format that is read.
    #[error("the file is not a picture that can be read")]
    Image(#[source] image::ImageError),
}

impl ScanError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Frame { .. } => "scan.frame",
            Self::TooLarge => "scan.too_large",
            Self::Image(_) => "scan.image",
        }
    }
}
