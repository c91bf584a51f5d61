//! What a newcomer is told: commands that work as they stand, with the program's path, the backend's address and a
//! folder for the device.

use std::path::{Path, PathBuf};

use souk_domain::id::AccountId;

use super::door::Doors;
use super::report::line_out;
use super::start::Plan;

/// Bots look for this word too: whoever sells at a terminal puts it into a title.
pub(super) const WORD_BY_HAND: &str = "handmade";

/// Makes commands.
#[derive(Clone, Debug)]
pub(super) struct Guide {
    program: String,
    url: String,
    folder: PathBuf,
}

impl Guide {
    /// For a demo in a folder.
    pub(super) fn new(program: &Path, url: &str, folder: &Path) -> Guide {
        Guide { program: quoted(&program.to_string_lossy()), url: quoted(url), folder: folder.to_owned() }
    }

    /// A courier at a terminal writes its account into this file, and the next label of a bot's shop is for it.
    pub(super) fn next_courier(&self) -> PathBuf {
        self.folder.join("next-courier")
    }

    /// The command that opens the door to a parcel.
    pub(super) fn open_door(&self, doors: &Doors, number: &str) -> String {
        let (bell, code) = (path(&doors.bell(number)), path(&doors.code(number)));
        self.command("buyer", "me", &format!("--offline show {bell} --png {code}"))
    }

    fn command(&self, role: &str, data: &str, verb: &str) -> String {
        format!("{} {role} --server {} --data {data} {verb}", self.program, self.url)
    }

    /// Shown at the start.
    pub(super) fn banner(&self, plan: &Plan, couriers: &[AccountId], doors: &Doors) {
        line_out(&format!(
            "Souk demo: {} products of {} shops, backend at {}.\n\
             Ctrl-C stops everything; the next start goes on with the data.\n\n\
             data    {}\n\
             labels  {}  (pictures of printed labels, PARCEL.png)\n\
             doors   {}  (pictures that people show each other at the door)\n\n\
             Take part from another terminal. Answers are JSON; OFFER, ORDER, ACCOUNT and PARCEL stand in them;\n\
             in names of pictures PARCEL is the parcel's number without its last sign.\n",
            plan.products(),
            plan.sellers.len(),
            self.url,
            self.folder.display(),
            doors.labels.display(),
            doors.door.display(),
        ));
        self.buyer(plan, doors);
        self.seller(couriers, doors);
        self.courier(doors);
    }

    fn buyer(&self, plan: &Plan, doors: &Doors) {
        let word = plan.words.first().map_or("", String::as_str);
        let (bell, code) = (path(&doors.door.join("PARCEL.label.png")), path(&doors.door.join("PARCEL.png")));
        line_out(
            "Buyer: search, buy, pay. A courier then rings; its line here has the command that opens the door.",
        );
        for verb in [
            "join you@example.com --name You".to_owned(),
            format!("search {}", quoted(word)),
            "buy OFFER --name You".to_owned(),
            "pay-code ORDER --png pay.png".to_owned(),
            "pay --scan pay.png".to_owned(),
            "order ORDER".to_owned(),
            format!("--offline show {bell} --png {code}"),
            "sync".to_owned(),
        ] {
            line_out(&format!("  {}", self.command("buyer", "me", &verb)));
        }
    }

    fn seller(&self, couriers: &[AccountId], doors: &Doors) {
        let courier = couriers.first().map_or_else(|| "ACCOUNT".to_owned(), ToString::to_string);
        line_out(&format!(
            "\nSeller: bots look for \"{WORD_BY_HAND}\", pay, and the courier fetches any label it finds in labels."
        ));
        for verb in [
            "join shop@example.com --name Shopkeeper".to_owned(),
            format!("open-shop 'Corner shop' --courier {courier}"),
            format!("put A-1 '{WORD_BY_HAND} mug' 19000 --stock 5"),
            "orders".to_owned(),
            format!("label ORDER --png {}", path(&doors.labels.join("ORDER.png"))),
            "balance".to_owned(),
        ] {
            line_out(&format!("  {}", self.command("seller", "my-shop", &verb)));
        }
    }

    fn courier(&self, doors: &Doors) {
        let label = path(&doors.labels.join("PARCEL.png"));
        let [bell, code, ack] =
            ["PARCEL.label.png", "PARCEL.png", "PARCEL.ack.png"].map(|name| path(&doors.door.join(name)));
        let command = |verb: &str| self.command("courier", "my-round", verb);
        line_out(
            "\nCourier: ask for a parcel (echo), fetch it, ring by showing its label (cp), scan the buyer's code.",
        );
        for line in [
            command("join courier@example.com --name Carla"),
            command("open-shift"),
            format!("echo ACCOUNT > {}", path(&self.next_courier())),
            command("stops"),
            command(&format!("load {label}")),
            command(&format!("out {label}")),
            format!("cp {label} {bell}"),
            command(&format!("deliver {label} {code} --png {ack}")),
        ] {
            line_out(&format!("  {line}"));
        }
        line_out("");
    }
}

fn path(path: &Path) -> String {
    quoted(&path.to_string_lossy())
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    let is_plain = |sign: char| sign.is_alphanumeric() || "/._-:@=+,%".contains(sign);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_reach_the_program_as_they_are() {
        for (word, expected) in [
            ("/opt/souk/souk", "/opt/souk/souk"),
            ("http://127.0.0.1:4700", "http://127.0.0.1:4700"),
            ("이어폰", "이어폰"),
            ("", "''"),
            ("my market", "'my market'"),
            ("$HOME*", "'$HOME*'"),
            ("Kim's", r"'Kim'\''s'"),
        ] {
            assert_eq!(quoted(word), expected);
        }
    }
}
