//! The picture while it is drawn: one number a dot, not yet cut to 0-255.

use crate::{HEIGHT, WIDTH};

pub(crate) struct Canvas {
    pub(crate) dots: Vec<f32>,
}

impl Canvas {
    pub(crate) fn new(level: f32) -> Self {
        Self { dots: vec![level; (WIDTH * HEIGHT) as usize] }
    }

    pub(crate) fn dot(&mut self, x: i32, y: i32) -> Option<&mut f32> {
        let inside = (0..WIDTH as i32).contains(&x) && (0..HEIGHT as i32).contains(&y);
        if inside { self.dots.get_mut(y as usize * WIDTH as usize + x as usize) } else { None }
    }

    pub(crate) fn fill(&mut self, x: i32, y: i32, width: i32, height: i32, level: f32) {
        for row in y..y + height {
            for column in x..x + width {
                if let Some(dot) = self.dot(column, row) {
                    *dot = level;
                }
            }
        }
    }

    /// Gives each dot a new value from its place and its old value.
    pub(crate) fn each(&mut self, change: impl Fn(f32, f32, f32) -> f32) {
        for (row, dots) in (0..).zip(self.dots.chunks_mut(WIDTH as usize)) {
            let y = row as f32;
            for (column, dot) in (0..).zip(dots) {
                *dot = change(column as f32, y, *dot);
            }
        }
    }

    /// Gaussian blur; the border dots go on outside.
    pub(crate) fn blur(&mut self, sigma: f32) {
        let radius = (sigma * 3.0).ceil() as i32;
        let weights: Vec<f32> =
            (-radius..=radius).map(|i| (-((i * i) as f32) / (2.0 * sigma * sigma)).exp()).collect();
        let sum: f32 = weights.iter().sum();
        let weights: Vec<f32> = weights.iter().map(|weight| weight / sum).collect();
        let (width, height) = (WIDTH as i32, HEIGHT as i32);
        let across = self.dots.clone();
        for y in 0..height {
            for x in 0..width {
                let dot = (-radius..=radius)
                    .zip(&weights)
                    .map(|(i, weight)| across[(y * width + (x + i).clamp(0, width - 1)) as usize] * weight);
                self.dots[(y * width + x) as usize] = dot.sum();
            }
        }
        let mut down = vec![0.0; self.dots.len()];
        for y in 0..height {
            let row = &mut down[(y * width) as usize..((y + 1) * width) as usize];
            for (i, weight) in (-radius..=radius).zip(&weights) {
                let from = (y + i).clamp(0, height - 1) * width;
                for (dot, other) in row.iter_mut().zip(&self.dots[from as usize..]) {
                    *dot += other * weight;
                }
            }
        }
        self.dots = down;
    }

    /// Smears along a line of `length` dots.
    pub(crate) fn smear(&mut self, length: u32, direction: f32) {
        let (sin, cos) = direction.sin_cos();
        let (width, height) = (WIDTH as i32, HEIGHT as i32);
        let mut sum = vec![0.0; self.dots.len()];
        for tap in 0..length {
            let along = tap as f32 - (length - 1) as f32 / 2.0;
            let (dx, dy) = ((along * cos).round() as i32, (along * sin).round() as i32);
            for y in 0..height {
                let from = (y + dy).clamp(0, height - 1) * width;
                for x in 0..width {
                    sum[(y * width + x) as usize] +=
                        self.dots[(from + (x + dx).clamp(0, width - 1)) as usize];
                }
            }
        }
        self.dots = sum.into_iter().map(|dot| dot / length as f32).collect();
    }
}
