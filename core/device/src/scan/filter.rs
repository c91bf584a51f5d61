//! Pictures made from a frame to try again on: half size, smoothed, sharpened, inverted, twice the size.
//!
//! All buffers are kept from frame to frame.

/// Radius of the box that a dot is compared with when it is sharpened.
const SHARPEN_RADIUS: usize = 3;
/// The same on a picture of twice the size.
const SHARPEN_RADIUS_DOUBLE: usize = 5;
/// How much of the difference is added.
const SHARPEN_GAIN: i32 = 3;

/// A picture without padding.
#[derive(Debug, Default)]
pub(super) struct Picture {
    pub(super) luma: Vec<u8>,
    pub(super) width: usize,
    pub(super) height: usize,
}

impl Picture {
    pub(super) fn view(&self) -> View<'_> {
        View { luma: &self.luma, width: self.width, height: self.height }
    }

    fn resize(&mut self, width: usize, height: usize) {
        (self.width, self.height) = (width, height);
        self.luma.clear();
        self.luma.resize(width * height, 0);
    }
}

/// A borrowed picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) luma: &'a [u8],
    pub(super) width: usize,
    pub(super) height: usize,
}

impl<'a> View<'a> {
    fn row(&self, y: usize) -> &'a [u8] {
        self.luma.get(y * self.width..(y + 1) * self.width).unwrap_or_default()
    }
}

/// Half the size, each dot the mean of four.
pub(super) fn halve(from: View<'_>, into: &mut Picture) {
    into.resize(from.width / 2, from.height / 2);
    let width = into.width.max(1);
    for (y, row) in into.luma.chunks_exact_mut(width).enumerate() {
        let (top, bottom) = (from.row(2 * y), from.row(2 * y + 1));
        for ((dot, top), bottom) in row.iter_mut().zip(top.chunks_exact(2)).zip(bottom.chunks_exact(2)) {
            let sum: u16 = top.iter().chain(bottom).map(|dot| u16::from(*dot)).sum();
            *dot = (sum / 4) as u8;
        }
    }
}

/// Each dot the mean of nine, weighted 1 2 1; the border stays.
pub(super) fn smooth(from: View<'_>, into: &mut Picture) {
    into.resize(from.width, from.height);
    into.luma.copy_from_slice(from.luma);
    for y in 1..from.height.saturating_sub(1) {
        let rows = [from.row(y - 1), from.row(y), from.row(y + 1)];
        let columns =
            |x: usize| -> u16 { u16::from(rows[0][x]) + 2 * u16::from(rows[1][x]) + u16::from(rows[2][x]) };
        let row = &mut into.luma[y * from.width..(y + 1) * from.width];
        for (x, dot) in row.iter_mut().enumerate().take(from.width.saturating_sub(1)).skip(1) {
            *dot = ((columns(x - 1) + 2 * columns(x) + columns(x + 1)) / 16) as u8;
        }
    }
}

/// Adds the difference from the mean around each dot, so that blurred edges become steep.
pub(super) fn sharpen(from: View<'_>, into: &mut Picture) {
    sharpen_around(from, into, SHARPEN_RADIUS);
}

/// As [`sharpen`], for a picture of twice the size.
pub(super) fn sharpen_double(from: View<'_>, into: &mut Picture) {
    sharpen_around(from, into, SHARPEN_RADIUS_DOUBLE);
}

fn sharpen_around(from: View<'_>, into: &mut Picture, radius: usize) {
    into.resize(from.width, from.height);
    let mut columns = vec![0u32; from.width]; // sums of the rows around the current one
    let mut rows = 0u32;
    for y in 0..radius.min(from.height) {
        add_row(&mut columns, from.row(y));
        rows += 1;
    }
    for y in 0..from.height {
        if y + radius < from.height {
            add_row(&mut columns, from.row(y + radius));
            rows += 1;
        }
        if y > radius {
            subtract_row(&mut columns, from.row(y - radius - 1));
            rows -= 1;
        }
        let mut sum: u32 = columns.iter().take(radius).sum();
        let mut count = radius.min(from.width) as u32;
        let row = &mut into.luma[y * from.width..(y + 1) * from.width];
        for (x, (dot, old)) in row.iter_mut().zip(from.row(y)).enumerate() {
            if x + radius < from.width {
                sum += columns[x + radius];
                count += 1;
            }
            if x > radius {
                sum -= columns[x - radius - 1];
                count -= 1;
            }
            let old = i32::from(*old);
            let mean = (sum / (count * rows).max(1)) as i32;
            *dot = (old + SHARPEN_GAIN * (old - mean)).clamp(0, 255) as u8;
        }
    }
}

fn add_row(columns: &mut [u32], row: &[u8]) {
    for (column, dot) in columns.iter_mut().zip(row) {
        *column += u32::from(*dot);
    }
}

fn subtract_row(columns: &mut [u32], row: &[u8]) {
    for (column, dot) in columns.iter_mut().zip(row) {
        *column -= u32::from(*dot);
    }
}

/// White for black: codes on a dark screen.
pub(super) fn invert(from: View<'_>, into: &mut Picture) {
    into.resize(from.width, from.height);
    for (dot, old) in into.luma.iter_mut().zip(from.luma) {
        *dot = 255 - old;
    }
}

/// Twice the size, linear between the dots.
pub(super) fn double(from: View<'_>, into: &mut Picture) {
    into.resize(from.width * 2, from.height * 2);
    let width = into.width.max(1);
    for (y, row) in into.luma.chunks_exact_mut(width).enumerate() {
        // Each new dot lies a quarter of a dot from its old one: three parts of that and one of the next.
        let near = from.row(y / 2);
        let other = if y % 2 == 0 { (y / 2).saturating_sub(1) } else { (y / 2 + 1).min(from.height - 1) };
        let far = from.row(other);
        let column = |x: usize| 3 * u16::from(near[x]) + u16::from(far[x]);
        for (x, dot) in row.iter_mut().enumerate() {
            let other = if x % 2 == 0 { (x / 2).saturating_sub(1) } else { (x / 2 + 1).min(from.width - 1) };
            *dot = ((3 * column(x / 2) + column(other)) / 16) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Filter = fn(View<'_>, &mut Picture);
    const FILTERS: [Filter; 6] = [halve, smooth, sharpen, sharpen_double, invert, double];

    fn filtered(filter: Filter, luma: &[u8], width: usize) -> (Vec<u8>, usize) {
        let mut into = Picture { luma: vec![9; 50], width: 5, height: 10 };
        filter(View { luma, width, height: luma.len() / width }, &mut into);
        assert_eq!(into.luma.len(), into.width * into.height);
        (into.luma, into.width)
    }

    #[test]
    fn small_pictures() {
        assert_eq!(filtered(halve, &[0, 4, 8, 8, 9, 2, 4, 4, 8, 9], 5), (vec![2, 7], 2));
        assert_eq!(filtered(invert, &[0, 255, 100], 3).0, [255, 0, 155]);
        assert_eq!(filtered(double, &[0, 160], 2), (vec![0, 40, 120, 160, 0, 40, 120, 160], 4));
        assert_eq!(filtered(smooth, &[0, 0, 0, 0, 160, 0, 0, 0, 0], 3).0, [0, 0, 0, 0, 40, 0, 0, 0, 0]);
        assert_eq!(filtered(sharpen, &[100, 100, 120, 100, 100], 5).0, [85, 88, 168, 88, 85]);
    }

    /// A plain picture stays plain in every filter, whatever its size; no size panics.
    #[test]
    fn plain_stays_plain_at_every_size() {
        for (place, filter) in FILTERS.into_iter().enumerate() {
            for width in 1..20 {
                for height in 1..20 {
                    let (luma, _) = filtered(filter, &vec![77; width * height], width);
                    let expected = if place == 4 { 178 } else { 77 };
                    assert!(luma.iter().all(|dot| *dot == expected), "filter {place}, {width} x {height}");
                }
            }
        }
    }

    /// The sliding sums against the plain definition.
    #[test]
    fn sharpening_by_definition() {
        let (width, height) = (13usize, 11usize);
        let luma: Vec<u8> = (0..width * height).map(|i| (i * i * 31 % 251) as u8).collect();
        let (sharp, _) = filtered(sharpen, &luma, width);
        for y in 0..height {
            for x in 0..width {
                let (mut sum, mut count) = (0i32, 0);
                for row in y.saturating_sub(3)..(y + 4).min(height) {
                    for column in x.saturating_sub(3)..(x + 4).min(width) {
                        sum += i32::from(luma[row * width + column]);
                        count += 1;
                    }
                }
                let old = i32::from(luma[y * width + x]);
                let expected = (old + 3 * (old - sum / count)).clamp(0, 255) as u8;
                assert_eq!(sharp[y * width + x], expected, "{x} {y}");
            }
        }
    }
}
