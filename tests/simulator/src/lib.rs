#![doc = include_str!("../README.md")]

pub mod campaign;
pub mod clock;
pub mod disk;
pub mod faults;
pub mod net;
pub mod queue;
pub mod regressions;
pub mod report;
pub mod rng;
pub mod run;
pub mod sim;
pub mod toy;
pub mod trace;
pub mod vfs;
pub mod world;
pub mod worlds;
