//! The printed label as one picture: the QR of L and the texts that people read.
//!
//! What stands in L (piece, weight, flags, waybill) is taken from L itself, so that paper and code cannot differ.
//! Names and phones must come masked. Rules: spec/logistics.md 3.4. Not there yet: GS1-128 (its zone stays white), PDF,
//! ZPL; a character outside printable ASCII is drawn as a box. Always: equal input gives equal bytes.

mod font;
mod texts;

use crate::emv::CodeError;
use crate::proof::{LabelFlags, LabelL, ProofError};
use crate::qr::{QUIET_MODULES, Symbol};
use crate::raster::{Raster, RasterError};
use crate::{proof, waybill};

use texts::{Fit, SCALES, SCALES_HUGE, SCALES_MARKS, Zone, draw};

/// Dots of one QR module: V6 is 205 dots wide, 245 with its quiet zone.
const MODULE_PX: u32 = 5;
/// Most characters of one field, all lines together; more cannot be read on any label.
pub const FIELD_CHARACTERS_MAX: usize = 1_000;

/// Why a label could not be drawn.
#[derive(Debug, thiserror::Error)]
pub enum LabelError {
    /// A field that every label must have.
    #[error("the label has no {field}")]
    FieldMissing {
        /// Name of the field.
        field: &'static str,
    },
    /// A field that does not fit at the smallest size.
    #[error("the {field} is too long for the label")]
    TextTooLong {
        /// Name of the field.
        field: &'static str,
    },
    /// The message is not a label.
    #[error("the message is not a label")]
    Message(#[source] ProofError),
    /// The symbol could not be made.
    #[error("the QR symbol cannot be made")]
    Symbol(#[source] CodeError),
    /// The picture could not be made.
    #[error("the picture cannot be made")]
    Picture(#[source] RasterError),
}

impl LabelError {
    /// The stable code; that of the message, symbol or picture where one of these is the cause.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::FieldMissing { .. } => "label.field_missing",
            Self::TextTooLong { .. } => "label.text_too_long",
            Self::Message(error) => error.code(),
            Self::Symbol(error) => error.code(),
            Self::Picture(error) => error.code(),
        }
    }
}

/// The paper, printed at 203 dpi (8 dots a millimetre).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paper {
    /// 100 x 150 mm, 799 x 1199 dots.
    Mm100x150,
    /// 76 x 130 mm, 607 x 1039 dots.
    Mm76x130,
}

/// What a label says beside L.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabelTexts {
    /// Route code, three parts of at most 5 characters, `539-031-01`; `None` prints `???`.
    pub route: Option<String>,
    /// Where the bag goes.
    pub bag: String,
    /// Recipient: masked name, address, masked phone; at least one line.
    pub to: Vec<String>,
    /// Sender; at least one line.
    pub from: Vec<String>,
    /// Cash on delivery as people read it, `23.72 EUR`; must be there when L has the flag.
    pub cod: Option<String>,
    /// Promised day as people read it.
    pub promised_day: Option<String>,
    /// The seller's own area.
    pub custom: Vec<String>,
}

/// Where everything stands: x, y, width, height in dots.
struct Zones {
    size: (u32, u32),
    route: Zone,
    bag: Zone,
    to: Zone,
    qr: Zone,
    from: Zone,
    flags: Zone,
    number: Zone,
    custom: Zone,
}

impl Paper {
    const fn zones(self) -> Zones {
        match self {
            Self::Mm100x150 => Zones {
                size: (799, 1199),
                route: Zone::new(16, 16, 767, 150),
                bag: Zone::new(16, 170, 767, 50),
                to: Zone::new(16, 230, 520, 250),
                qr: Zone::new(548, 230, 245, 245),
                from: Zone::new(16, 490, 520, 110),
                flags: Zone::new(548, 490, 235, 110),
                number: Zone::new(47, 884, 704, 40),
                custom: Zone::new(16, 940, 767, 240),
            },
            Self::Mm76x130 => Zones {
                size: (607, 1039),
                route: Zone::new(12, 12, 583, 120),
                bag: Zone::new(12, 134, 583, 40),
                to: Zone::new(12, 180, 340, 240),
                qr: Zone::new(355, 180, 245, 245),
                from: Zone::new(12, 430, 583, 90),
                flags: Zone::new(12, 756, 583, 60),
                number: Zone::new(39, 716, 528, 34),
                custom: Zone::new(12, 820, 583, 205),
            },
        }
    }
}

/// Draws a label from the 100 bytes of L and the texts. Refuses: `label.field_missing`, `label.text_too_long` (a
/// recipient or sender that does not fit at 24 dots, marks at 16; the rest is cut), the codes of [`LabelL::decode`].
pub fn render(message: &[u8], texts: &LabelTexts, paper: Paper) -> Result<Raster, LabelError> {
    let (label, _) = LabelL::decode(message).map_err(LabelError::Message)?;
    check(&label, texts)?;
    let symbol = Symbol::of_message(&proof::text(message)).map_err(LabelError::Symbol)?;
    let zones = paper.zones();
    let mut raster = Raster::new(zones.size.0, zones.size.1).map_err(LabelError::Picture)?;
    let quiet = QUIET_MODULES * MODULE_PX;
    symbol.draw(&mut raster, zones.qr.x + quiet, zones.qr.y + quiet, MODULE_PX);

    let route = vec![texts.route.clone().unwrap_or_else(|| "???".to_owned())];
    let number = vec![waybill::text(label.waybill)];
    draw(&mut raster, zones.route, &route, SCALES_HUGE, Fit::Cut);
    draw(&mut raster, zones.bag, std::slice::from_ref(&texts.bag), SCALES, Fit::Cut);
    draw(&mut raster, zones.number, &number, SCALES, Fit::Cut);
    draw(&mut raster, zones.custom, &texts.custom, SCALES, Fit::Cut);
    for (lines, zone, field) in [(&texts.to, zones.to, "recipient"), (&texts.from, zones.from, "sender")] {
        if !draw(&mut raster, zone, lines, SCALES, Fit::Whole) {
            return Err(LabelError::TextTooLong { field });
        }
    }
    let marks = marks(&label, texts);
    let in_one = [marks.join(" / ")];
    let drawn = draw(&mut raster, zones.flags, &marks, SCALES, Fit::Whole)
        || draw(&mut raster, zones.flags, &in_one, SCALES_MARKS, Fit::Whole);
    if !drawn {
        return Err(LabelError::TextTooLong { field: "marks" }); // a warning is never cut off
    }
    Ok(raster)
}

/// As [`render`], as a PNG file.
pub fn png(message: &[u8], texts: &LabelTexts, paper: Paper) -> Result<Vec<u8>, LabelError> {
    render(message, texts, paper)?.png().map_err(LabelError::Picture)
}

/// Whether all characters of a text are in the label's font; the others are drawn as boxes.
pub fn is_printable(text: &str) -> bool {
    text.chars().all(font::has_glyph)
}

fn check(label: &LabelL, texts: &LabelTexts) -> Result<(), LabelError> {
    for (lines, field) in [(&texts.to, "recipient"), (&texts.from, "sender")] {
        if lines.iter().all(|line| line.trim().is_empty()) {
            return Err(LabelError::FieldMissing { field });
        }
    }
    if label.flags.has(LabelFlags::COD) && texts.cod.is_none() {
        return Err(LabelError::FieldMissing { field: "cash on delivery" });
    }
    for (lines, field) in [(&texts.to, "recipient"), (&texts.from, "sender"), (&texts.custom, "custom area")]
    {
        if lines.iter().map(|line| line.chars().count()).sum::<usize>() > FIELD_CHARACTERS_MAX {
            return Err(LabelError::TextTooLong { field });
        }
    }
    Ok(())
}

/// Piece, weight, cash, day and what to mind, each a line.
fn marks(label: &LabelL, texts: &LabelTexts) -> Vec<String> {
    let (kilograms, rest) = (label.weight_10g / 100, label.weight_10g % 100);
    let mut lines = vec![format!("{}/{} {kilograms}.{rest:02} kg", label.piece, label.pieces)];
    lines.extend(texts.cod.iter().map(|cod| format!("COD {cod}")));
    lines.extend(texts.promised_day.clone());
    for (flag, word) in [
        (LabelFlags::AGE_CHECK, "AGE CHECK"),
        (LabelFlags::FRAGILE, "FRAGILE"),
        (LabelFlags::COLD, "KEEP COLD"),
        (LabelFlags::DANGEROUS_GOODS, "DANGEROUS GOODS"),
        (LabelFlags::RETURN_PARCEL, "RETURN"),
        (LabelFlags::TEST, "TEST"),
    ] {
        if label.flags.has(flag) {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests;
