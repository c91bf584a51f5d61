//! Progress of long work on stderr: a bar on a terminal, nothing where stderr is not one.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over `total` things.
pub fn bar(total: u64, what: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:>12} {bar:40} {pos}/{len} {per_sec} {eta}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(total).with_style(style).with_message(what.to_owned())
}
