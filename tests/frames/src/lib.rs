#![doc = include_str!("../README.md")]

mod canvas;
mod draw;
mod kind;
mod random;

pub use kind::{FRAMES_A_KIND, Kind};

use canvas::Canvas;
use draw::{Pose, background};
use random::Random;
use souk_codes::base45;
use souk_codes::emv::CodeError;
use souk_codes::qr::{ErrorLevel, Mode, QUIET_MODULES, Symbol};

/// Dots from left to right.
pub const WIDTH: u32 = 1280;
/// Dots from top to bottom.
pub const HEIGHT: u32 = 720;
/// Seed of the set (spec/logistics.md 13.1).
pub const SEED: u64 = 20_251_122;
/// Random characters behind `SK1:` in the set's codes: with them a symbol is V7-M.
const TEXT_RANDOM_CHARACTERS: usize = 156;

/// One picture and what can be read in it.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Its kind; `None` for a frame without a code.
    pub kind: Option<Kind>,
    /// One byte a dot, rows from top to bottom, no padding.
    pub luma: Vec<u8>,
    /// The text that should be found.
    pub text: Option<String>,
    /// Texts of other codes in the picture, which may be found as well.
    pub decoys: Vec<String>,
}

/// Frame `index` of a kind, with a code of 160 random characters.
pub fn qr_frame(kind: Kind, index: u32) -> Result<Frame, CodeError> {
    let mut random = Random::new(SEED, kind.stream(index));
    let mut text = "SK1:".to_owned();
    for _ in 0..TEXT_RANDOM_CHARACTERS {
        let place = random.below(base45::ALPHABET.len() as u32) as usize;
        text.push(char::from(base45::ALPHABET[place]));
    }
    let symbol = Symbol::new(&text, Mode::Alphanumeric, ErrorLevel::M, 7..=7)?;
    draw_frame(kind, &mut random, &symbol, text)
}

/// A frame of a kind around a symbol of one's own; `stream` numbers the random choices.
pub fn frame_of(kind: Kind, stream: u64, symbol: &Symbol, text: &str) -> Result<Frame, CodeError> {
    draw_frame(kind, &mut Random::new(SEED ^ 0x5af3, stream), symbol, text.to_owned())
}

/// A frame without any code.
pub fn empty_frame(index: u32) -> Frame {
    let mut random = Random::new(SEED, u64::from(index) | 1 << 32);
    let mut canvas = background(&mut random);
    kind::finish(&mut canvas, Kind::Clean, &mut random);
    Frame { kind: None, luma: canvas.luma(), text: None, decoys: Vec::new() }
}

fn draw_frame(kind: Kind, random: &mut Random, symbol: &Symbol, text: String) -> Result<Frame, CodeError> {
    let modules = symbol.width() + 2 * QUIET_MODULES;
    let shape = kind.shape(random);
    let mut canvas = background(random);
    let edge = shape.px * modules as f32;
    let centre = centre(random, edge);
    let pose = Pose { centre, px: shape.px, rotation: shape.rotation, tilt: shape.tilt, axis: shape.axis };
    let blot = kind.blot(random, modules);
    let decoys = kind.decoys(&mut canvas, random, pose.centre, edge)?;
    draw::place(&mut canvas, modules, &pose, |x, y| match &blot {
        Some(blot) if blot.covers(x, y) => blot.dark,
        _ => symbol.is_dark(x.wrapping_sub(QUIET_MODULES), y.wrapping_sub(QUIET_MODULES)),
    });
    kind.light(&mut canvas, random, pose.centre, edge);
    kind::finish(&mut canvas, kind, random);
    Ok(Frame { kind: Some(kind), luma: canvas.luma(), text: Some(text), decoys })
}

/// A place at least three quarters of the code's edge from the border, where that fits; else the middle.
fn centre(random: &mut Random, edge: f32) -> (f32, f32) {
    let mut along = |length: u32| {
        let (low, high) = (edge * 0.75, length as f32 - edge * 0.75);
        if low < high { random.uniform(low, high) } else { length as f32 / 2.0 }
    };
    (along(WIDTH), along(HEIGHT))
}

impl Canvas {
    /// The dots as bytes.
    fn luma(&self) -> Vec<u8> {
        self.dots.iter().map(|dot| dot.clamp(0.0, 255.0) as u8).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_same_frame() {
        for kind in [Kind::Clean, Kind::Busy, Kind::Motion] {
            let (one, two) = (qr_frame(kind, 3).expect("draws"), qr_frame(kind, 3).expect("draws"));
            assert_eq!(one.luma, two.luma);
            assert_ne!(one.luma, qr_frame(kind, 4).expect("draws").luma);
            assert_eq!(one.luma.len(), (WIDTH * HEIGHT) as usize);
            assert_eq!(one.text.as_deref().map(str::len), Some(160));
        }
        assert_eq!(empty_frame(1).luma, empty_frame(1).luma);
    }

    #[test]
    fn only_busy_frames_have_decoys() {
        for kind in Kind::ALL {
            let decoys = qr_frame(kind, 0).expect("draws").decoys.len();
            assert_eq!(decoys, if kind == Kind::Busy { 3 } else { 0 }, "{kind:?}");
        }
    }
}
