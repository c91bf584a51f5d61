//! The Y plane of a camera frame, borrowed as the camera gives it: rows may be padded.

use super::ScanError;

/// Longest side in dots.
pub const EDGE_MAX: u32 = 8_192;
/// Most dots: a photo of 36 megapixels.
pub const PIXELS_MAX: u64 = 36_000_000;

/// A rectangle of a frame, in dots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crop {
    /// First column.
    pub x: u32,
    /// First row.
    pub y: u32,
    /// Columns, at least 1.
    pub width: u32,
    /// Rows, at least 1.
    pub height: u32,
}

/// Brightness, one byte a dot, with the length checked.
#[derive(Debug, Clone, Copy)]
pub struct YPlane<'a> {
    data: &'a [u8],
    width: u32,
    height: u32,
    stride: u32,
    crop: Crop,
}

impl<'a> YPlane<'a> {
    /// A frame whose rows begin `stride` bytes apart. Refuses `scan.frame` (also for a last row that is cut off) and
    /// `scan.too_large`.
    pub fn new(data: &'a [u8], width: u32, height: u32, stride: u32) -> Result<Self, ScanError> {
        let wrong = ScanError::Frame { width, height, stride, bytes: data.len() };
        if width == 0 || height == 0 || stride < width {
            return Err(wrong);
        }
        if width > EDGE_MAX || height > EDGE_MAX || u64::from(width) * u64::from(height) > PIXELS_MAX {
            return Err(ScanError::TooLarge);
        }
        let needed = u64::from(stride) * u64::from(height - 1) + u64::from(width);
        if (data.len() as u64) < needed {
            return Err(wrong);
        }
        Ok(Self { data, width, height, stride, crop: Crop { x: 0, y: 0, width, height } })
    }

    /// The same frame, of which only a rectangle is looked at. Refuses `scan.frame` when it does not lie inside.
    pub fn cropped(self, crop: Crop) -> Result<Self, ScanError> {
        let fits = |from: u32, length: u32, all: u32| {
            length > 0 && from.checked_add(length).is_some_and(|end| end <= all)
        };
        if fits(crop.x, crop.width, self.width) && fits(crop.y, crop.height, self.height) {
            return Ok(Self { crop, ..self });
        }
        let Self { data, width, height, stride, .. } = self;
        Err(ScanError::Frame { width, height, stride, bytes: data.len() })
    }

    /// The rectangle that is looked at.
    pub const fn crop(&self) -> Crop {
        self.crop
    }

    /// The middle of the rectangle, half as wide and half as high (at least one dot).
    pub fn centre(&self) -> Crop {
        let Crop { x, y, width, height } = self.crop;
        let (inner_width, inner_height) = ((width / 2).max(1), (height / 2).max(1));
        Crop {
            x: x + (width - inner_width) / 2,
            y: y + (height - inner_height) / 2,
            width: inner_width,
            height: inner_height,
        }
    }

    /// The rows of the rectangle, from top to bottom.
    pub fn rows(&self) -> impl Iterator<Item = &'a [u8]> {
        let Self { data, stride, crop, .. } = *self;
        (crop.y..crop.y + crop.height).filter_map(move |row| {
            let start = row as usize * stride as usize + crop.x as usize;
            data.get(start..start + crop.width as usize)
        })
    }

    /// The rectangle as one slice, when its rows follow each other without a gap.
    pub fn contiguous(&self) -> Option<&'a [u8]> {
        let Crop { x, y, width, height } = self.crop;
        if self.stride != width && height > 1 {
            return None;
        }
        let start = y as usize * self.stride as usize + x as usize;
        self.data.get(start..start + width as usize * height as usize)
    }

    /// Mean brightness over a sixteenth of the rows.
    pub fn mean(&self) -> u8 {
        let (mut sum, mut dots) = (0u64, 0u64);
        for row in self.rows().step_by(16) {
            sum += row.iter().map(|dot| u64::from(*dot)).sum::<u64>();
            dots += row.len() as u64;
        }
        (sum / dots.max(1)) as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(result: Result<YPlane<'_>, ScanError>) -> Result<Crop, &'static str> {
        result.map(|plane| plane.crop()).map_err(|error| error.code())
    }

    #[test]
    fn sizes() {
        let data = [7; 26];
        assert!(code(YPlane::new(&data, 6, 3, 10)).is_ok(), "the last row needs no padding: 2 x 10 + 6");
        assert_eq!(code(YPlane::new(&data[..25], 6, 3, 10)), Err("scan.frame"));
        assert_eq!(code(YPlane::new(&data, 0, 3, 10)), Err("scan.frame"));
        assert_eq!(code(YPlane::new(&data, 6, 0, 10)), Err("scan.frame"));
        assert_eq!(code(YPlane::new(&data, 6, 3, 5)), Err("scan.frame"));
        assert_eq!(code(YPlane::new(&data, u32::MAX, u32::MAX, u32::MAX)), Err("scan.too_large"));
        let line = vec![0; EDGE_MAX as usize + 1];
        assert!(code(YPlane::new(&line, EDGE_MAX, 1, EDGE_MAX)).is_ok());
        assert_eq!(code(YPlane::new(&line, EDGE_MAX + 1, 1, EDGE_MAX + 1)), Err("scan.too_large"));
        let large = vec![0; PIXELS_MAX as usize + 6_000];
        assert!(code(YPlane::new(&large, 6_000, 6_000, 6_000)).is_ok());
        assert_eq!(code(YPlane::new(&large, 6_000, 6_001, 6_000)), Err("scan.too_large"));
    }

    #[test]
    fn crops_and_rows() {
        let data: Vec<u8> = (0..40).collect();
        let plane = YPlane::new(&data, 8, 4, 10).expect("fits");
        assert_eq!(plane.contiguous(), None);
        let crop = |x, y, width, height| plane.cropped(Crop { x, y, width, height });
        let inner = crop(2, 1, 3, 2).expect("inside");
        assert_eq!(inner.rows().collect::<Vec<_>>(), [[12, 13, 14], [22, 23, 24]]);
        assert_eq!(crop(2, 1, 3, 1).expect("inside").contiguous(), Some(&[12, 13, 14][..]));
        assert_eq!(plane.centre(), Crop { x: 2, y: 1, width: 4, height: 2 });
        assert_eq!(inner.mean(), 13);
        for (x, y, width, height) in [(6, 0, 3, 1), (0, 3, 1, 2), (0, 0, 0, 1), (u32::MAX, 0, 2, 1)] {
            assert_eq!(code(crop(x, y, width, height)), Err("scan.frame"));
        }
        let whole = YPlane::new(&data, 10, 4, 10).expect("fits");
        assert_eq!(whole.contiguous(), Some(&data[..]));
        let rows = whole.cropped(Crop { x: 0, y: 1, width: 10, height: 2 }).expect("inside");
        assert_eq!(rows.contiguous(), Some(&data[10..30]));
    }
}
