//! Doors: where a courier and a buyer meet. They hold pictures of codes up to each other, as two phones would, and
//! exchange nothing else. The pictures are files in a folder, so that people at a terminal and bots meet in one way.
//!
//! At the door of a parcel: the courier shows `PARCEL.label.png` (it rings), the taker answers with the hand-over code
//! `PARCEL.png`, and the courier with the acknowledgement `PARCEL.ack.png`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::people;

/// Characters of a parcel's number without its check character, which may be one that shells read as a sign.
const STEM_LEN: usize = 14;

/// The folders with pictures.
#[derive(Clone, Debug)]
pub(super) struct Doors {
    /// Printed labels.
    pub(super) labels: PathBuf,
    /// What is shown at doors.
    pub(super) door: PathBuf,
}

impl Doors {
    /// The folders of a demo, made if they are missing.
    pub(super) fn of(folder: &Path) -> Result<Doors, Failure> {
        let doors = Doors { labels: folder.join("labels"), door: folder.join("door") };
        fs::create_dir_all(&doors.labels)?;
        fs::create_dir_all(&doors.door)?;
        Ok(doors)
    }

    /// Picture of the printed label of a parcel, by the parcel's number.
    pub(super) fn label(&self, number: &str) -> PathBuf {
        self.labels.join(format!("{}.png", stem(number)))
    }

    /// Picture of the label that the courier holds up: the bell.
    pub(super) fn bell(&self, number: &str) -> PathBuf {
        self.door.join(format!("{}.label.png", stem(number)))
    }

    /// Picture of the taker's hand-over code.
    pub(super) fn code(&self, number: &str) -> PathBuf {
        self.door.join(format!("{}.png", stem(number)))
    }

    /// Picture of the courier's acknowledgement.
    pub(super) fn ack(&self, number: &str) -> PathBuf {
        self.door.join(format!("{}.ack.png", stem(number)))
    }
}

fn stem(number: &str) -> &str {
    number.get(..STEM_LEN).unwrap_or(number)
}

/// Shows a picture. It is there whole or not at all.
pub(super) fn show(path: &Path, png: &[u8]) -> Result<(), Failure> {
    let draft = path.with_extension("draft");
    fs::write(&draft, png)?;
    Ok(fs::rename(&draft, path)?)
}

/// Scans a picture, if there is one. Refuses `scan.code` for a picture without a code, also for one half written.
pub(super) fn scan(path: &Path) -> Option<Result<String, Failure>> {
    Some(people::read_png(&fs::read(path).ok()?))
}

/// Takes a picture away; one that is gone already is gone.
pub(super) fn take_away(path: &Path) {
    let _ = fs::remove_file(path);
}

#[cfg(test)]
mod tests {
    use super::stem;

    #[test]
    fn a_stem_has_no_check_character() {
        for (number, expected) in [
            ("S01J8ZQ4N7X2K0$", "S01J8ZQ4N7X2K0"),
            ("S01J8ZQ4N7X2K0*", "S01J8ZQ4N7X2K0"),
            ("S01J8ZQ4N7X2K", "S01J8ZQ4N7X2K"),
        ] {
            assert_eq!(stem(number), expected);
        }
    }
}
