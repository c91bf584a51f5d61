//! A picture from a file: decoded to brightness, transparent parts on white paper.

use std::io::Cursor;

use image::{DynamicImage, ImageReader, Limits};

use super::{EDGE_MAX, PIXELS_MAX, ScanError, YPlane};

/// Largest file that is decoded.
pub const IMAGE_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Most bytes a dot takes while a file is decoded: four channels of 16 bits.
const DECODED_BYTES_A_PIXEL_MAX: u64 = 8;

/// Brightness of a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LumaImage {
    width: u32,
    height: u32,
    luma: Vec<u8>,
}

impl LumaImage {
    /// Decodes a PNG file. Refuses `scan.too_large` and `scan.image`.
    pub fn read(file: &[u8]) -> Result<Self, ScanError> {
        if file.len() > IMAGE_BYTES_MAX {
            return Err(ScanError::TooLarge);
        }
        let mut reader = ImageReader::new(Cursor::new(file))
            .with_guessed_format()
            .map_err(|error| ScanError::Image(error.into()))?;
        let mut limits = Limits::default();
        limits.max_image_width = Some(EDGE_MAX);
        limits.max_image_height = Some(EDGE_MAX);
        limits.max_alloc = Some(PIXELS_MAX * DECODED_BYTES_A_PIXEL_MAX);
        reader.limits(limits);
        let picture = reader.decode().map_err(|error| match error {
            image::ImageError::Limits(_) => ScanError::TooLarge,
            other => ScanError::Image(other),
        })?;
        let (width, height) = (picture.width(), picture.height());
        let luma =
            if picture.color().has_alpha() { on_white(&picture) } else { picture.into_luma8().into_raw() };
        let image = Self { width, height, luma };
        YPlane::new(&image.luma, width, height, width)?; // the limits of a frame hold for a file as well
        Ok(image)
    }

    /// The picture as a frame.
    pub fn plane(&self) -> Result<YPlane<'_>, ScanError> {
        YPlane::new(&self.luma, self.width, self.height, self.width)
    }
}

fn on_white(picture: &DynamicImage) -> Vec<u8> {
    let dots = picture.to_luma_alpha8();
    dots.pixels()
        .map(|dot| {
            let [luma, alpha] = dot.0.map(u32::from);
            ((luma * alpha + 255 * (255 - alpha)) / 255) as u8
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(picture: DynamicImage) -> Vec<u8> {
        let mut file = Cursor::new(Vec::new());
        picture.write_to(&mut file, image::ImageFormat::Png).expect("writes");
        file.into_inner()
    }

    #[test]
    fn transparent_is_white() {
        let mut picture = image::GrayAlphaImage::new(3, 1);
        picture.put_pixel(0, 0, image::LumaA([0, 0]));
        picture.put_pixel(1, 0, image::LumaA([0, 255]));
        picture.put_pixel(2, 0, image::LumaA([100, 255]));
        let image = LumaImage::read(&png(picture.into())).expect("reads");
        assert_eq!(image.luma, [255, 0, 100]);
        assert_eq!(image.plane().map(|plane| plane.crop().width).ok(), Some(3));
    }

    #[test]
    fn refused() {
        let code = |file: &[u8]| LumaImage::read(file).map_err(|error| error.code()).err();
        let good = png(DynamicImage::new_luma8(20, 20));
        assert_eq!(code(&good), None);
        assert_eq!(code(&good[..good.len() / 2]), Some("scan.image"));
        assert_eq!(code(b"not a picture"), Some("scan.image"));
        assert_eq!(code(b""), Some("scan.image"));
        assert_eq!(code(&vec![0; IMAGE_BYTES_MAX + 1]), Some("scan.too_large"));
        assert_eq!(code(&png(DynamicImage::new_luma8(EDGE_MAX, 1))), None);
        assert_eq!(code(&png(DynamicImage::new_luma8(EDGE_MAX + 1, 1))), Some("scan.too_large"));
    }
}
