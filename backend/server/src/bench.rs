//! `souk bench`: figures as one JSON object (design.md 9). A bench prints, it asserts nothing.

mod cpu;
pub mod orders;
pub mod scan;
pub mod transfers;
