//! The kinds of frames (spec/logistics.md 13.1): what is random in each.

use souk_codes::emv::CodeError;
use souk_codes::qr::{ErrorLevel, Mode, QUIET_MODULES, Symbol};

use crate::canvas::Canvas;
use crate::draw::{self, Pose};
use crate::random::Random;
use crate::{HEIGHT, WIDTH};

/// Frames of each kind in the whole set.
pub const FRAMES_A_KIND: u32 = 25;

/// What makes a frame hard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // the names of the spec's table
pub enum Kind {
    Clean,
    Rotated,
    Tilt45,
    Small,
    Blur,
    Motion,
    Noise,
    Lowlight,
    Shadow,
    Damaged,
    Glare,
    Busy,
}

/// Size of a module and angles in radians.
pub(crate) struct Shape {
    pub(crate) px: f32,
    pub(crate) rotation: f32,
    pub(crate) tilt: f32,
    pub(crate) axis: f32,
}

/// A square of modules that is all dark or all light.
pub(crate) struct Blot {
    column: u32,
    row: u32,
    edge: u32,
    pub(crate) dark: bool,
}

impl Blot {
    pub(crate) fn covers(&self, x: u32, y: u32) -> bool {
        (self.column..self.column + self.edge).contains(&x) && (self.row..self.row + self.edge).contains(&y)
    }
}

impl Kind {
    /// All kinds, in the order of the spec.
    pub const ALL: [Self; 12] = [
        Self::Clean,
        Self::Rotated,
        Self::Tilt45,
        Self::Small,
        Self::Blur,
        Self::Motion,
        Self::Noise,
        Self::Lowlight,
        Self::Shadow,
        Self::Damaged,
        Self::Glare,
        Self::Busy,
    ];

    /// The name of the spec's table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Rotated => "rotated",
            Self::Tilt45 => "tilt45",
            Self::Small => "small",
            Self::Blur => "blur",
            Self::Motion => "motion",
            Self::Noise => "noise",
            Self::Lowlight => "lowlight",
            Self::Shadow => "shadow",
            Self::Damaged => "damaged",
            Self::Glare => "glare",
            Self::Busy => "busy",
        }
    }

    /// The number of the frame's random stream.
    pub(crate) fn stream(self, index: u32) -> u64 {
        (self as u64) << 16 | u64::from(index)
    }

    pub(crate) fn shape(self, random: &mut Random) -> Shape {
        let px = match self {
            Self::Small => random.uniform(1.9, 3.0),
            Self::Blur => random.uniform(4.0, 6.0),
            _ => random.uniform(4.5, 8.0),
        };
        let rotation = match self {
            Self::Rotated | Self::Tilt45 => random.angle(-180.0, 180.0),
            _ => random.angle(-12.0, 12.0),
        };
        let tilt = if self == Self::Tilt45 { random.angle(38.0, 52.0) } else { random.angle(0.0, 12.0) };
        Shape { px, rotation, tilt, axis: random.angle(0.0, 360.0) }
    }

    /// The blot of a damaged code, clear of the finder patterns.
    pub(crate) fn blot(self, random: &mut Random, modules: u32) -> Option<Blot> {
        if self != Self::Damaged {
            return None;
        }
        let edge = random.between(5, 9);
        let (first, past_column, past_row) = (13, modules - 4, modules - 12);
        Some(Blot {
            edge,
            dark: random.coin(),
            column: random.between(first, past_column - edge - 1),
            row: random.between(first, past_row - edge - 1),
        })
    }

    /// Draws other codes beside the real one and returns their texts.
    pub(crate) fn decoys(
        self,
        canvas: &mut Canvas,
        random: &mut Random,
        centre: (f32, f32),
        edge: f32,
    ) -> Result<Vec<String>, CodeError> {
        let mut texts = Vec::new();
        if self != Self::Busy {
            return Ok(texts);
        }
        for _ in 0..3 {
            let text = format!("http://x.example/{}", random.below(1_000_000_000));
            let symbol = Symbol::new(&text, Mode::Byte, ErrorLevel::L, 1..=40)?;
            let side = if random.coin() { 1.0 } else { -1.0 };
            let x = centre.0 + side * edge * random.uniform(0.95, 1.3);
            let y = centre.1 + random.uniform(-200.0, 200.0);
            let rotation = random.angle(-20.0, 20.0);
            let pose = Pose { centre: (x, y), px: 3.0, rotation, tilt: 0.0, axis: 0.0 };
            draw::place(canvas, symbol.width() + 2 * QUIET_MODULES, &pose, |x, y| {
                symbol.is_dark(x.wrapping_sub(QUIET_MODULES), y.wrapping_sub(QUIET_MODULES))
            });
            texts.push(text);
        }
        Ok(texts)
    }

    /// A lamp's reflection on the code.
    pub(crate) fn light(self, canvas: &mut Canvas, random: &mut Random, centre: (f32, f32), edge: f32) {
        if self != Self::Glare {
            return;
        }
        let radius = random.uniform(0.12, 0.20) * edge;
        let x = centre.0 + random.uniform(-0.2, 0.2) * edge;
        let y = centre.1 + random.uniform(-0.2, 0.2) * edge;
        let mut disc = Canvas::new(0.0);
        disc.each(|dx, dy, _| if (dx - x).hypot(dy - y) < radius { 190.0 } else { 0.0 });
        disc.blur(radius * 0.5);
        for (dot, light) in canvas.dots.iter_mut().zip(disc.dots) {
            *dot += light;
        }
    }
}

/// Lens, light and sensor.
pub(crate) fn finish(canvas: &mut Canvas, kind: Kind, random: &mut Random) {
    match kind {
        Kind::Blur => canvas.blur(random.uniform(1.2, 2.6)),
        Kind::Motion => canvas.smear(random.between(5, 11), random.angle(0.0, 180.0)),
        _ => canvas.blur(0.6),
    }
    let mut noise = 4.0;
    match kind {
        Kind::Noise => noise = random.uniform(20.0, 40.0),
        Kind::Lowlight => {
            let light = random.uniform(0.10, 0.22);
            canvas.each(|_, _, dot| dot * light + 10.0);
        }
        Kind::Shadow => {
            let (sin, cos) = random.angle(0.0, 360.0).sin_cos();
            canvas.each(|x, y, dot| {
                let (x, y) = (x / (WIDTH - 1) as f32 - 0.5, y / (HEIGHT - 1) as f32 - 0.5);
                dot * (0.22 + 0.78 / (1.0 + (-14.0 * (x * cos + y * sin)).exp()))
            });
        }
        _ => {}
    }
    random.add_noise(&mut canvas.dots, noise);
}
