//! Background and symbols.

use crate::canvas::Canvas;
use crate::random::Random;
use crate::{HEIGHT, WIDTH};

/// Cells of the uneven light, down and across.
const CELLS: (usize, usize) = (12, 20);
/// Level of a dark and of a light module.
const INK: (f32, f32) = (25.0, 230.0);
/// Samples of a dot along each axis.
const SUPERSAMPLES: u32 = 3;
/// Distance of the eye in dots, for the perspective of a tilted code.
const FOCUS: f32 = 900.0;

/// Where and how a code lies; angles in radians.
pub(crate) struct Pose {
    pub(crate) centre: (f32, f32),
    pub(crate) px: f32,
    pub(crate) rotation: f32,
    pub(crate) tilt: f32,
    pub(crate) axis: f32,
}

/// Uneven grey, rectangles, lines of text.
pub(crate) fn background(random: &mut Random) -> Canvas {
    let mut canvas = Canvas::new(random.uniform(90.0, 200.0));
    let cells: Vec<f32> = (0..CELLS.0 * CELLS.1).map(|_| random.normal(18.0)).collect();
    canvas.each(|x, y, level| level + bicubic(&cells, x, y));
    for _ in 0..14 {
        let (x, y) = (random.below(WIDTH) as i32, random.below(HEIGHT) as i32);
        let (width, height) = (random.between(20, 260) as i32, random.between(8, 120) as i32);
        let level = random.between(20, 240) as f32;
        if random.coin() {
            canvas.fill(x, y, width, height, level);
        } else {
            canvas.fill(x, y, width, 2, level);
            canvas.fill(x, y + height - 2, width, 2, level);
            canvas.fill(x, y, 2, height, level);
            canvas.fill(x + width - 2, y, 2, height, level);
        }
    }
    canvas.each(|_, _, level| level.clamp(0.0, 255.0));
    for _ in 0..16 {
        write_text(&mut canvas, random);
    }
    canvas
}

/// The cells enlarged to the whole picture by cubic convolution.
fn bicubic(cells: &[f32], x: f32, y: f32) -> f32 {
    let place = |at: f32, length: u32, count: usize| (at + 0.5) * count as f32 / length as f32 - 0.5;
    let (row, column) = (place(y, HEIGHT, CELLS.0), place(x, WIDTH, CELLS.1));
    let cell = |row: i32, column: i32| {
        let row = row.clamp(0, CELLS.0 as i32 - 1) as usize;
        cells[row * CELLS.1 + column.clamp(0, CELLS.1 as i32 - 1) as usize]
    };
    let (top, left) = (row.floor(), column.floor());
    let mut sum = 0.0;
    for i in -1..=2 {
        let down = cubic(row - top - i as f32);
        for j in -1..=2 {
            sum += down * cubic(column - left - j as f32) * cell(top as i32 + i, left as i32 + j);
        }
    }
    sum
}

/// Kernel of cubic convolution with a = -0.75.
fn cubic(distance: f32) -> f32 {
    let (x, a) = (distance.abs(), -0.75);
    if x < 1.0 {
        ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a
    } else {
        0.0
    }
}

/// One line `ORDER nnnnnn` in letters of seven strokes.
fn write_text(canvas: &mut Canvas, random: &mut Random) {
    let text = format!("ORDER {:06}", random.below(1_000_000));
    let (height, stroke) = (random.between(9, 30) as i32, random.between(1, 2) as i32);
    let level = random.between(0, 90) as f32;
    let (mut x, y) = (random.below(WIDTH - 200) as i32, random.between(20, HEIGHT - 1) as i32 - height);
    let width = height * 3 / 5;
    for character in text.chars() {
        let strokes = strokes(character);
        let (half, full) = (height / 2, height);
        for (bit, (dx, dy, across, down)) in [
            (0, 0, width, stroke),
            (width - stroke, 0, stroke, half),
            (width - stroke, half, stroke, full - half),
            (0, full - stroke, width, stroke),
            (0, half, stroke, full - half),
            (0, 0, stroke, half),
            (0, half, width, stroke),
        ]
        .into_iter()
        .enumerate()
        {
            if strokes >> bit & 1 == 1 {
                canvas.fill(x + dx, y + dy, across, down, level);
            }
        }
        x += width + height / 4;
    }
}

/// Seven-segment shapes: bit 0 top, then clockwise, bit 6 the middle.
fn strokes(character: char) -> u8 {
    match character {
        '0' | 'O' | 'D' => 0x3f,
        '1' => 0x06,
        '2' => 0x5b,
        '3' => 0x4f,
        '4' => 0x66,
        '5' => 0x6d,
        '6' => 0x7d,
        '7' => 0x07,
        '8' => 0x7f,
        '9' => 0x6f,
        'E' => 0x79,
        'R' => 0x77,
        _ => 0,
    }
}

/// Draws a square of `modules` x `modules`, quiet zone included, with nine samples a dot.
pub(crate) fn place(canvas: &mut Canvas, modules: u32, pose: &Pose, is_dark: impl Fn(u32, u32) -> bool) {
    // A tilted edge comes nearer by at most f / (f - reach); the circle round the corners holds the rest.
    let reach = modules as f32 * pose.px * std::f32::consts::FRAC_1_SQRT_2;
    let radius = (reach * FOCUS / (FOCUS - reach * pose.tilt.sin()).max(1.0)).ceil() as i32 + 1;
    let (centre_x, centre_y) = (pose.centre.0.round() as i32, pose.centre.1.round() as i32);
    for y in centre_y - radius..=centre_y + radius {
        for x in centre_x - radius..=centre_x + radius {
            let Some(dot) = canvas.dot(x, y) else { continue };
            let (mut inside, mut ink) = (0u32, 0.0);
            for sample in 0..SUPERSAMPLES * SUPERSAMPLES {
                let offset = |i: u32| (i as f32 + 0.5) / SUPERSAMPLES as f32;
                let (dx, dy) = (offset(sample % SUPERSAMPLES), offset(sample / SUPERSAMPLES));
                let Some((column, row)) = pose.module(modules, x as f32 + dx, y as f32 + dy) else {
                    continue;
                };
                inside += 1;
                ink += if is_dark(column, row) { INK.0 } else { INK.1 };
            }
            let all = (SUPERSAMPLES * SUPERSAMPLES) as f32;
            *dot = (*dot * (all - inside as f32) + ink) / all;
        }
    }
}

impl Pose {
    /// The module under a point of the picture: rotation, perspective and tilt undone.
    fn module(&self, modules: u32, x: f32, y: f32) -> Option<(u32, u32)> {
        let (dx, dy) = (x - self.centre.0, y - self.centre.1);
        let (sin, cos) = self.rotation.sin_cos();
        let (ux, uy) = (dx * cos + dy * sin, dy * cos - dx * sin);
        let (axis_sin, axis_cos) = self.axis.sin_cos();
        let (along, across) = (ux * axis_cos + uy * axis_sin, uy * axis_cos - ux * axis_sin);
        let (tilt_sin, tilt_cos) = self.tilt.sin_cos();
        let depth = FOCUS * tilt_cos - along * tilt_sin;
        if depth <= 0.0 {
            return None;
        }
        let a = along * FOCUS / depth;
        let b = across * (FOCUS + a * tilt_sin) / FOCUS;
        let (px, py) = (a * axis_cos - b * axis_sin, a * axis_sin + b * axis_cos);
        let half = modules as f32 / 2.0;
        let (column, row) = (px / self.px + half, py / self.px + half);
        let inside = |at: f32| at >= 0.0 && at < modules as f32;
        (inside(column) && inside(row)).then_some((column as u32, row as u32))
    }
}
