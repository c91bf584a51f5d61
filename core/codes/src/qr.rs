//! QR symbols: a text as modules, as a picture, and as characters in a terminal.
//!
//! The encoder is the `qrcode` crate; the segments are chosen here, so that a label of 154 characters is V6-M and never
//! anything else. Rules: spec/logistics.md 4.2 (messages), spec/money.md 2.1 (payment codes).

use std::ops::RangeInclusive;

use qrcode::bits::Bits;
use qrcode::types::QrError;
use qrcode::{Color, EcLevel, QrCode, Version};

use crate::base45;
use crate::emv::CodeError;
use crate::raster::{Raster, RasterError};

/// White modules round a symbol (ISO/IEC 18004).
pub const QUIET_MODULES: u32 = 4;
/// The symbol of L, H and A: 41 x 41 modules, 154 characters at level M.
pub const MESSAGE_VERSION: u8 = 6;
/// Characters that a V6-M symbol holds in alphanumeric mode.
pub const MESSAGE_V6_CHARACTERS: usize = 154;
/// ECI assignment number of UTF-8.
const ECI_UTF8: u32 = 26;

/// How much of a symbol may be damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorLevel {
    /// 7 %.
    L,
    /// 15 %: what Souk shows and prints.
    M,
    /// 25 %.
    Q,
    /// 30 %.
    H,
}

/// How characters are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The 45 characters of base45, 5.5 bits each.
    Alphanumeric,
    /// UTF-8 bytes; with anything but printable ASCII, ECI 26 goes in front.
    Byte,
}

/// The ground of a terminal, so that a symbol is dark on light for a camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    /// Light letters on a dark ground.
    Dark,
    /// Dark letters on a light ground.
    Light,
}

/// The modules of a symbol, without the quiet zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbol {
    version: u8,
    width: u32,
    dark: Vec<bool>,
}

impl Symbol {
    /// The symbol of a scanned message (`SK1:…`): alphanumeric, level M, version 6, or the next that holds it.
    pub fn of_message(text: &str) -> Result<Self, CodeError> {
        Self::new(text, Mode::Alphanumeric, ErrorLevel::M, MESSAGE_VERSION..=40)
    }

    /// The symbol of a payment code: bytes, level M, the smallest version that holds it.
    pub fn of_pay_code(text: &str) -> Result<Self, CodeError> {
        Self::new(text, Mode::Byte, ErrorLevel::M, 1..=40)
    }

    /// A symbol of the first of these versions that holds the text. Refuses: `qr.empty`; `qr.bad_text` for a
    /// character that the mode does not have; `qr.too_long`, `at` = characters that came.
    pub fn new(
        text: &str,
        mode: Mode,
        level: ErrorLevel,
        versions: RangeInclusive<u8>,
    ) -> Result<Self, CodeError> {
        if text.is_empty() {
            return Err(CodeError::Empty);
        }
        if mode == Mode::Alphanumeric
            && let Some(at) = text.chars().position(|c| !base45::is_in_alphabet(c))
        {
            return Err(CodeError::BadText { at });
        }
        let level = match level {
            ErrorLevel::L => EcLevel::L,
            ErrorLevel::M => EcLevel::M,
            ErrorLevel::Q => EcLevel::Q,
            ErrorLevel::H => EcLevel::H,
        };
        let too_long = CodeError::TooLong { at: text.chars().count() };
        let versions = (*versions.start()).max(1)..=(*versions.end()).min(40);
        for version in versions {
            if let Ok(code) = encode(text, mode, level, version) {
                return Ok(Self {
                    version,
                    width: code.width() as u32,
                    dark: code.to_colors().into_iter().map(|color| color == Color::Dark).collect(),
                });
            }
        }
        Err(too_long)
    }

    /// The version, 1 to 40.
    pub const fn version(&self) -> u8 {
        self.version
    }

    /// Modules on an edge.
    pub const fn width(&self) -> u32 {
        self.width
    }

    /// Whether a module is dark; outside the symbol everything is light.
    pub fn is_dark(&self, x: u32, y: u32) -> bool {
        let inside = x < self.width && y < self.width;
        inside && self.dark.get((y * self.width + x) as usize).copied().unwrap_or(false)
    }

    /// Draws the modules without a quiet zone, the left upper corner at (x, y).
    pub fn draw(&self, into: &mut Raster, x: u32, y: u32, module_px: u32) {
        for row in 0..self.width {
            for column in (0..self.width).filter(|column| self.is_dark(*column, row)) {
                into.blacken(x + column * module_px, y + row * module_px, module_px, module_px);
            }
        }
    }

    /// The symbol with its quiet zone as a picture. Refuses an edge beyond [`crate::raster::EDGE_MAX`].
    pub fn raster(&self, module_px: u32) -> Result<Raster, RasterError> {
        let edge = (self.width + 2 * QUIET_MODULES).saturating_mul(module_px);
        let mut raster = Raster::new(edge, edge)?;
        self.draw(&mut raster, QUIET_MODULES * module_px, QUIET_MODULES * module_px, module_px);
        Ok(raster)
    }

    /// The symbol with its quiet zone as a PNG file.
    pub fn png(&self, module_px: u32) -> Result<Vec<u8>, RasterError> {
        self.raster(module_px)?.png()
    }

    /// The symbol with its quiet zone as lines of half blocks, two modules above each other in one character.
    pub fn terminal(&self, ground: Ground) -> String {
        let edge = self.width + 2 * QUIET_MODULES;
        let inked = |x: u32, y: u32| {
            if y >= edge {
                return false; // the lower half of the last line lies outside
            }
            let dark = self.is_dark(x.wrapping_sub(QUIET_MODULES), y.wrapping_sub(QUIET_MODULES));
            match ground {
                Ground::Dark => !dark,
                Ground::Light => dark,
            }
        };
        let mut lines = String::with_capacity((edge * edge / 2 * 3) as usize);
        for y in (0..edge).step_by(2) {
            for x in 0..edge {
                lines.push(match (inked(x, y), inked(x, y + 1)) {
                    (true, true) => '█',
                    (true, false) => '▀',
                    (false, true) => '▄',
                    (false, false) => ' ',
                });
            }
            lines.push('\n');
        }
        lines
    }
}

fn encode(text: &str, mode: Mode, level: EcLevel, version: u8) -> Result<QrCode, QrError> {
    let mut bits = Bits::new(Version::Normal(i16::from(version)));
    match mode {
        Mode::Alphanumeric => bits.push_alphanumeric_data(text.as_bytes())?,
        Mode::Byte => {
            if text.chars().any(|c| !matches!(c, ' '..='~')) {
                bits.push_eci_designator(ECI_UTF8)?;
            }
            bits.push_byte_data(text.as_bytes())?;
        }
    }
    bits.push_terminator(level)?;
    QrCode::with_bits(bits, level)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(characters: usize, level: ErrorLevel) -> Option<u8> {
        Symbol::new(&"A".repeat(characters), Mode::Alphanumeric, level, 1..=40)
            .ok()
            .map(|symbol| symbol.version())
    }

    /// Characters that the versions used in the spec hold (ISO/IEC 18004 table 7; spec/logistics.md 4.2, money.md 3.2).
    #[test]
    fn capacities() {
        assert_eq!(version(MESSAGE_V6_CHARACTERS, ErrorLevel::M), Some(6));
        assert_eq!(version(MESSAGE_V6_CHARACTERS + 1, ErrorLevel::M), Some(7));
        assert_eq!(version(366, ErrorLevel::M), Some(11));
        assert_eq!(version(367, ErrorLevel::M), Some(12));
        assert_eq!((version(154, ErrorLevel::L), version(154, ErrorLevel::Q)), (Some(5), Some(8)));
        assert_eq!(version(4_296, ErrorLevel::L), Some(40));
        assert_eq!(version(4_297, ErrorLevel::L), None);
        assert_eq!(version(1_852, ErrorLevel::H), Some(40));
        let fixed = |n: usize| Symbol::new(&"A".repeat(n), Mode::Alphanumeric, ErrorLevel::M, 6..=6);
        assert_eq!(fixed(154).map(|symbol| symbol.width()), Ok(41));
        assert_eq!(fixed(155), Err(CodeError::TooLong { at: 155 }));
        assert_eq!(Symbol::of_message("SK1:A").map(|symbol| symbol.version()), Ok(6));
    }

    /// S1 is 316 characters: V11 at level L, V13 at level M.
    #[test]
    fn payment_code() {
        let s1 = include_str!("paycode/vectors/s1.txt").trim_ascii_end();
        let at_l = Symbol::new(s1, Mode::Byte, ErrorLevel::L, 1..=40).expect("fits");
        let at_m = Symbol::of_pay_code(s1).expect("fits");
        assert_eq!((at_l.version(), at_l.width()), (11, 61));
        assert_eq!((at_m.version(), at_m.width()), (13, 69));
        assert!(Symbol::of_pay_code("모란 상회").is_ok());
    }

    #[test]
    fn refused() {
        assert_eq!(Symbol::of_message(""), Err(CodeError::Empty));
        assert_eq!(Symbol::of_message("SK1:a"), Err(CodeError::BadText { at: 4 }));
        assert_eq!(Symbol::of_message("é"), Err(CodeError::BadText { at: 0 }));
        let long = "x".repeat(2_332);
        assert_eq!(Symbol::of_pay_code(&long), Err(CodeError::TooLong { at: 2_332 }));
        assert!(Symbol::of_pay_code(&long[1..]).is_ok());
    }

    #[test]
    fn picture() {
        let symbol = Symbol::of_message("SK1:A").expect("fits");
        let raster = symbol.raster(3).expect("small");
        assert_eq!((raster.width(), raster.height()), (49 * 3, 49 * 3));
        let dot = |x: usize, y: usize| raster.luma()[y * 147 + x];
        assert_eq!((dot(11, 11), dot(12, 12), dot(14, 14), dot(15, 15)), (255, 0, 0, 255), "finder pattern");
        assert!(symbol.raster(168).is_err() && symbol.raster(0).is_err());
        assert_eq!(symbol.png(1).expect("writes"), symbol.png(1).expect("writes"));
    }

    #[test]
    fn terminal() {
        let symbol = Symbol::new("SOUK", Mode::Alphanumeric, ErrorLevel::L, 1..=1).expect("fits");
        let light = symbol.terminal(Ground::Light);
        let dark = symbol.terminal(Ground::Dark);
        let lines: Vec<&str> = light.lines().collect();
        assert_eq!((lines.len(), lines[0].chars().count()), (15, 29));
        assert!(lines[2].starts_with("    █▀▀▀▀▀█ ") && lines[2].ends_with(" █▀▀▀▀▀█    "));
        assert!(dark.lines().next().is_some_and(|line| line.chars().all(|c| c == '█')));
    }
}
