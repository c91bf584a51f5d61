//! Lines of text in a zone: the largest size that fits, words moved to the next line where they must.

use super::font::{ADVANCE, COLUMNS, LINE, ROWS, glyph};
use crate::raster::Raster;

/// Scales of the font: letters of 40, 32 and 24 dots.
pub(super) const SCALES: &[u32] = &[5, 4, 3];
/// Scales of the route code, which fills its zone.
pub(super) const SCALES_HUGE: &[u32] = &[14, 12, 10, 8, 6, 4];
/// Scales of marks that do not fit otherwise: letters of 24 and 16 dots.
pub(super) const SCALES_MARKS: &[u32] = &[3, 2];

/// A rectangle in dots.
#[derive(Debug, Clone, Copy)]
pub(super) struct Zone {
    pub(super) x: u32,
    pub(super) y: u32,
    width: u32,
    height: u32,
}

impl Zone {
    pub(super) const fn new(x: u32, y: u32, width: u32, height: u32) -> Self {
        Self { x, y, width, height }
    }

    /// Letters in a line; the gap behind the last one need not fit.
    const fn columns(&self, scale: u32) -> usize {
        ((self.width + (ADVANCE - COLUMNS) * scale) / (ADVANCE * scale)) as usize
    }

    /// Lines; the gap below the last one need not fit.
    const fn lines(&self, scale: u32) -> usize {
        ((self.height + (LINE - ROWS) * scale) / (LINE * scale)) as usize
    }
}

/// What happens to a text that does not fit at the smallest size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// It is cut, the last letters becoming dots.
    Cut,
    /// Nothing is drawn.
    Whole,
}

/// Draws lines into a zone at the first of the scales at which they fit; false when [`Fit::Whole`] was asked for and
/// none is small enough.
pub(super) fn draw(raster: &mut Raster, zone: Zone, lines: &[String], scales: &[u32], fit: Fit) -> bool {
    for scale in scales {
        let wrapped = wrap(lines, zone.columns(*scale));
        if wrapped.len() <= zone.lines(*scale) {
            draw_lines(raster, zone, &wrapped, *scale);
            return true;
        }
    }
    let Some(scale) = scales.last().filter(|_| fit != Fit::Whole) else { return false };
    let mut wrapped = wrap(lines, zone.columns(*scale));
    wrapped.truncate(zone.lines(*scale));
    if let Some(last) = wrapped.last_mut() {
        let keep = last.chars().count().min(zone.columns(*scale).saturating_sub(2));
        *last = last.chars().take(keep).chain("..".chars()).collect();
    }
    draw_lines(raster, zone, &wrapped, *scale);
    true
}

/// Breaks lines at blanks, and inside a word only where it is longer than a line.
fn wrap(lines: &[String], columns: usize) -> Vec<String> {
    let mut wrapped = Vec::new();
    for line in lines.iter().filter(|line| !line.trim().is_empty()) {
        let mut current = String::new();
        for word in line.split_whitespace() {
            let word: Vec<char> = word.chars().collect();
            for piece in word.chunks(columns.max(1)) {
                let used = current.chars().count();
                if used > 0 && used + 1 + piece.len() > columns {
                    wrapped.push(std::mem::take(&mut current));
                } else if used > 0 {
                    current.push(' ');
                }
                current.extend(piece);
            }
        }
        wrapped.push(current);
    }
    wrapped
}

fn draw_lines(raster: &mut Raster, zone: Zone, lines: &[String], scale: u32) {
    for (row, line) in (0..).zip(lines) {
        for (column, character) in (0..).zip(line.chars()) {
            let (x, y) = (zone.x + column * ADVANCE * scale, zone.y + row * LINE * scale);
            draw_letter(raster, x, y, character, scale);
        }
    }
}

fn draw_letter(raster: &mut Raster, x: u32, y: u32, character: char, scale: u32) {
    for (row, bits) in (0..).zip(glyph(character)) {
        for column in (0..COLUMNS).filter(|column| bits >> (COLUMNS - 1 - column) & 1 == 1) {
            raster.blacken(x + column * scale, y + row * scale, scale, scale);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapping() {
        let wrapped = |line: &str, columns| wrap(&[line.to_owned()], columns).join("|");
        assert_eq!(wrapped("12 Long Street", 14), "12 Long Street");
        assert_eq!(wrapped("12 Long Street", 13), "12 Long|Street");
        assert_eq!(wrapped("  a   b ", 5), "a b");
        assert_eq!(wrapped("abcdefgh", 3), "abc|def|gh");
        assert_eq!(wrapped("ab cdefg", 3), "ab|cde|fg");
        assert_eq!(wrapped(" ", 3), "");
        assert_eq!(wrapped("a b", 0), "a|b", "a zone too narrow for one letter");
    }

    #[test]
    fn sizes_and_cuts() {
        let zone = Zone::new(0, 0, 60, 60);
        assert_eq!((zone.columns(3), zone.lines(3), zone.columns(5), zone.lines(5)), (3, 2, 2, 1));
        let drawn = |text: &str, fit| {
            let mut raster = Raster::new(60, 60).expect("small");
            let fits = draw(&mut raster, zone, &[text.to_owned()], SCALES, fit);
            (fits, raster.luma().contains(&0))
        };
        assert_eq!(drawn("abc def", Fit::Whole), (true, true));
        assert_eq!(drawn("abc def g", Fit::Whole), (false, false));
        assert_eq!(drawn("abc def g", Fit::Cut), (true, true));
        assert_eq!(drawn("", Fit::Whole), (true, false));
    }
}
