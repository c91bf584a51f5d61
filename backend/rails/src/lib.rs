#![doc = include_str!("../README.md")]

pub mod http;
pub mod rail;
pub mod retry;
pub mod sandbox;
pub mod webhook;
