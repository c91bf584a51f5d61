//! Pictures that a terminal reads and shows, and what is told about a picture of the wrong kind.

use std::path::{Path, PathBuf};

use souk_codes::proof::{self, MessageType};
use souk_codes::qr::{Ground, Symbol};

use crate::failure::Failure;
use crate::{people, tell};

/// What every EMVCo merchant code begins with: payload format indicator 01.
const PAY_CODE_BEGIN: &str = "000201";

/// What a code is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// A label of a parcel.
    Label,
    /// What a buyer shows at the door.
    HandOver,
    /// What a courier shows then.
    Ack,
    /// A payment code.
    PayCode,
    /// Another message of ours.
    Message,
    /// Nothing of ours.
    Foreign,
}

impl Kind {
    fn of(text: &str) -> Kind {
        if text.trim_start().starts_with(PAY_CODE_BEGIN) {
            return Kind::PayCode;
        }
        let Ok(bytes) = proof::from_text(text) else { return Kind::Foreign };
        match MessageType::of(&bytes) {
            Ok(MessageType::Label) => Kind::Label,
            Ok(MessageType::Handover) => Kind::HandOver,
            Ok(MessageType::Ack | MessageType::AckWithCert) => Kind::Ack,
            Ok(MessageType::Custody | MessageType::Manifest | MessageType::Cert | MessageType::Receipt) => {
                Kind::Message
            }
            Err(_) => Kind::Foreign,
        }
    }

    fn is(self) -> &'static str {
        match self {
            Kind::Label => "a label",
            Kind::HandOver => "a buyer's hand-over code",
            Kind::Ack => "a courier's acknowledgement",
            Kind::PayCode => "a payment code",
            Kind::Message => "another message of this market",
            Kind::Foreign => "no code of this market",
        }
    }

    fn needed(self) -> &'static str {
        match self {
            Kind::Label => "the parcel's label",
            Kind::HandOver => "the buyer's hand-over code",
            Kind::Ack => "the courier's acknowledgement",
            Kind::PayCode => "a payment code",
            Kind::Message | Kind::Foreign => "another code",
        }
    }
}

/// A code that was read from a file.
#[derive(Clone, Debug)]
pub(super) struct Scanned {
    file: String,
    /// Its text.
    pub(super) text: String,
    wanted: Kind,
}

impl Scanned {
    /// The refusal of a code, in words that name the file and what is wrong with it where that can be said better than
    /// the codec can; the code stays.
    pub(super) fn explain(&self, failure: Failure) -> Failure {
        let is = Kind::of(&self.text);
        let is_of_form = failure.code.starts_with("proof.") || failure.code.starts_with("qr.");
        if !is_of_form || is == self.wanted {
            return failure;
        }
        let message = format!("{}: this is {}; {} is needed", self.file, is.is(), self.wanted.needed());
        Failure { message, ..failure }
    }
}

/// Reads the code in a file. Refuses `scan.file`, `scan.image`, `scan.too_large`, `scan.code`.
pub(super) fn scan(file: &Path, wanted: Kind) -> Result<Scanned, Failure> {
    let name = file.display().to_string();
    let bytes =
        std::fs::read(file).map_err(|error| Failure::new("scan.file", error.to_string()).about(&name))?;
    let text = people::read_png(&bytes).map_err(|failure| match failure.code.as_str() {
        "scan.image" => Failure { message: format!("{name} is no readable PNG"), ..failure },
        _ => failure.about(&name),
    })?;
    Ok(Scanned { file: name, text, wanted })
}

/// Shows a code in the terminal, on stderr, and writes its picture.
pub(super) fn show(symbol: &Symbol, png: Option<&PathBuf>, picture: Vec<u8>) -> Result<(), Failure> {
    tell(&symbol.terminal(Ground::Dark));
    match png {
        Some(path) => write(path, picture),
        None => Ok(()),
    }
}

/// Writes a picture; a failure names its file.
pub(super) fn write(path: &Path, picture: Vec<u8>) -> Result<(), Failure> {
    std::fs::write(path, picture).map_err(|error| Failure::from(error).about(path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message of a kind by its head byte alone: version 1 in the top two bits, type in the low four.
    fn message(kind: u8) -> String {
        proof::text(&[0x40 | kind, 0, 0, 0])
    }

    #[test]
    fn a_wrong_kind_is_named_and_the_code_stays() {
        let told = |text: &str, wanted, code: &str| {
            let scanned = Scanned { file: "x.png".to_owned(), text: text.to_owned(), wanted };
            let failure = scanned.explain(Failure::new(code, "as it was"));
            assert_eq!(failure.code, code);
            failure.message
        };
        let label = message(MessageType::Label.number());
        let hand = message(MessageType::Handover.number());
        let wrong = "x.png: this is a label; the buyer's hand-over code is needed";
        assert_eq!(told(&label, Kind::HandOver, "proof.length"), wrong);
        assert_eq!(
            told(&label, Kind::PayCode, "qr.bad_first"),
            "x.png: this is a label; a payment code is needed"
        );
        assert_eq!(
            told(&hand, Kind::Label, "proof.type"),
            "x.png: this is a buyer's hand-over code; the parcel's label is needed"
        );
        assert_eq!(
            told("000201010212", Kind::Label, "proof.prefix"),
            "x.png: this is a payment code; the parcel's label is needed"
        );
        assert_eq!(
            told("https://example.com", Kind::PayCode, "qr.bad_first"),
            "x.png: this is no code of this market; a payment code is needed"
        );
        assert_eq!(told(&hand, Kind::HandOver, "proof.signature"), "as it was");
        assert_eq!(told(&label, Kind::HandOver, "shift.not_open"), "as it was");
    }

    #[test]
    fn files_that_are_no_pictures() {
        let place = tempfile::tempdir().unwrap();
        let junk = place.path().join("junk.png");
        std::fs::write(&junk, "junk").unwrap();
        let refused = |path: &Path| scan(path, Kind::Label).map(|_| ()).unwrap_err();
        let failure = refused(&junk);
        assert_eq!(failure.code, "scan.image");
        assert!(failure.message.ends_with("junk.png is no readable PNG"), "{failure}");
        let failure = refused(&place.path().join("none.png"));
        assert_eq!(failure.code, "scan.file");
        assert!(failure.message.contains("none.png: "), "{failure}");
    }
}
