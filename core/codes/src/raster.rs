//! A grey picture: what symbols and labels are drawn into, and its PNG form.
//!
//! Always: the same drawing gives the same bytes; no dates, no random ids.

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder as _};

/// Longest edge of a picture in dots: four times a large label, far below what exhausts a phone.
pub const EDGE_MAX: u32 = 8_192;

/// Why a picture could not be made.
#[derive(Debug, thiserror::Error)]
pub enum RasterError {
    /// An edge of 0 or more than [`EDGE_MAX`] dots.
    #[error("a picture of {width} x {height} dots cannot be made")]
    Size {
        /// Dots from left to right.
        width: u32,
        /// Dots from top to bottom.
        height: u32,
    },
    /// The PNG encoder failed.
    #[error("the picture cannot be written as PNG")]
    Png(#[source] image::ImageError),
}

impl RasterError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Size { .. } => "image.size",
            Self::Png(_) => "image.png",
        }
    }
}

/// A picture of one byte a dot: 0 black, 255 white; rows from top to bottom without padding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raster {
    width: u32,
    height: u32,
    luma: Vec<u8>,
}

impl Raster {
    /// A white picture.
    pub fn new(width: u32, height: u32) -> Result<Self, RasterError> {
        let edges = 1..=EDGE_MAX;
        if !edges.contains(&width) || !edges.contains(&height) {
            return Err(RasterError::Size { width, height });
        }
        Ok(Self { width, height, luma: vec![255; width as usize * height as usize] })
    }

    /// Dots from left to right.
    pub const fn width(&self) -> u32 {
        self.width
    }

    /// Dots from top to bottom.
    pub const fn height(&self) -> u32 {
        self.height
    }

    /// The dots, row by row.
    pub fn luma(&self) -> &[u8] {
        &self.luma
    }

    /// Blackens a rectangle; what lies outside the picture is left out.
    pub fn blacken(&mut self, x: u32, y: u32, width: u32, height: u32) {
        let (right, bottom) =
            (x.saturating_add(width).min(self.width), y.saturating_add(height).min(self.height));
        for row in y..bottom {
            let start = row as usize * self.width as usize;
            if let Some(dots) = self.luma.get_mut(start + x.min(right) as usize..start + right as usize) {
                dots.fill(0);
            }
        }
    }

    /// The picture as a PNG file, 8-bit grey.
    pub fn png(&self) -> Result<Vec<u8>, RasterError> {
        let mut file = Vec::new();
        PngEncoder::new_with_quality(&mut file, CompressionType::Default, FilterType::NoFilter)
            .write_image(&self.luma, self.width, self.height, ExtendedColorType::L8)
            .map_err(RasterError::Png)?;
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges() {
        assert!(Raster::new(EDGE_MAX, 1).is_ok());
        for (width, height) in [(0, 1), (1, 0), (EDGE_MAX + 1, 1), (1, EDGE_MAX + 1)] {
            assert_eq!(Raster::new(width, height).map_err(|e| e.code()).err(), Some("image.size"));
        }
    }

    #[test]
    fn drawing_stays_inside() {
        let mut raster = Raster::new(4, 3).expect("small");
        raster.blacken(3, 2, 10, 10);
        raster.blacken(9, 0, 1, 1);
        raster.blacken(0, 0, 1, u32::MAX);
        assert_eq!(raster.luma(), [0, 255, 255, 255, 0, 255, 255, 255, 0, 255, 255, 0]);
        assert!(raster.png().expect("writes").starts_with(b"\x89PNG"));
    }
}
