//! Seeds that once failed: run first, always (spec/sync.md 10.6).
//!
//! One a line: world, seed, profile, and what it was in words. `#` begins a comment.

use crate::faults::Profile;

/// The list of the repository.
pub const LIST: &str = include_str!("../regressions.txt");

/// A seed that once failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Regression<'a> {
    /// Name of the scenario.
    pub world: &'a str,
    /// The seed.
    pub seed: u64,
    /// The profile it failed in.
    pub profile: Profile,
    /// What it was.
    pub what: &'a str,
}

/// A line that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the regressions: expected `world seed profile what it was`, found `{text}`")]
pub struct BadLine {
    /// Counted from 1.
    pub line: usize,
    /// The line.
    pub text: String,
}

/// Reads a list.
pub fn parse(list: &str) -> Result<Vec<Regression<'_>>, BadLine> {
    let lines = list.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
    lines
        .filter(|(_, text)| !text.is_empty() && !text.starts_with('#'))
        .map(|(line, text)| parse_line(text).ok_or_else(|| BadLine { line, text: text.to_owned() }))
        .collect()
}

fn parse_line(text: &str) -> Option<Regression<'_>> {
    let (world, rest) = text.split_once(' ')?;
    let (seed, rest) = rest.trim_start().split_once(' ')?;
    let (profile, what) = rest.trim_start().split_once(' ')?;
    Some(Regression {
        world,
        seed: seed.parse().ok()?,
        profile: Profile::by_name(profile)?,
        what: what.trim(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_the_repository_is_readable() {
        parse(LIST).unwrap();
    }

    #[test]
    fn lines() {
        let read = parse("# comment\n\n toy  17 short  lost an order \n").unwrap();
        assert_eq!(read.len(), 1);
        assert_eq!((read[0].world, read[0].seed, read[0].profile.name), ("toy", 17, "short"));
        assert_eq!(read[0].what, "lost an order");
        for wrong in ["toy", "toy 1", "toy 1 short", "toy x short a", "toy 1 calm a"] {
            let text = wrong.to_owned();
            assert_eq!(parse(&format!("\n{wrong}")), Err(BadLine { line: 2, text }));
        }
    }
}
