//! Writing a payment code in two steps: first what is signed, then the signature into it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::read::PayCode;
use super::{DEVICE_KEY_ID, EXPIRY_MINUTES_MAX, GUID_LEN_MAX, PayFields, SERVER_KEY_ID_MAX};
use crate::emv::{CodeError, Id, QrBuild, push_crc, write_object};

/// Characters of one half of the signature.
const HALF_LEN: usize = 43;

/// A payment code without its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayCodeDraft {
    guid: String,
    signed: String,
}

impl PayCodeDraft {
    /// What is signed: `D = SHA-256(SIGNING_PREFIX || these bytes)`.
    pub fn signing_bytes(&self) -> &[u8] {
        self.signed.as_bytes()
    }

    /// The whole text.
    pub fn sign(&self, signature: &[u8; 64]) -> String {
        let signature = URL_SAFE_NO_PAD.encode(signature);
        let (first, second) = signature.split_at(HALF_LEN);
        let mut text = self.signed.clone();
        for (id, half) in [(Id(80), first), (Id(81), second)] {
            let mut value = String::new();
            write_object(&mut value, Id(0), &self.guid);
            write_object(&mut value, Id(1), half);
            write_object(&mut text, id, &value);
        }
        push_crc(&mut text, None);
        text
    }
}

impl PayFields {
    /// The code without its signature. Refuses whatever [`PayCode::read`] would refuse, with the same code; `at` is
    /// the place in the text that would have been made.
    pub fn unsigned(&self) -> Result<PayCodeDraft, CodeError> {
        self.check_ranges()?;
        let mut build = QrBuild::new();
        build.push(Id::FORMAT, "01");
        build.push(Id::INITIATION, if self.order.is_none() { "11" } else { "12" });
        self.push_payee(&mut build);
        build.push(Id::MCC, format!("{:04}", self.mcc));
        build.push(Id::CURRENCY, format!("{:03}", self.currency));
        if let Some(amount) = &self.amount {
            build.push(Id::AMOUNT, amount.as_str());
        }
        build.push(Id::COUNTRY, self.country.as_str());
        build.push(Id::NAME, self.merchant_name.as_str());
        build.push(Id::CITY, self.city.as_str());
        if let Some(language) = &self.language {
            let mut children = vec![(Id(0), language.language.as_str()), (Id(1), language.name.as_str())];
            children.extend(language.city.as_deref().map(|city| (Id(2), city)));
            build.push_template(Id::LANGUAGE, &children);
        }
        let draft = PayCodeDraft { guid: self.guid.clone(), signed: build.emit_objects()? };
        // Read back what will be shown: a value that a reader takes for something else is found here, not at the till.
        let read = PayCode::read_with_guid(&draft.sign(&[0; 64]), &self.guid)?;
        if read.fields != *self {
            return Err(CodeError::ProfileFormat { field: "fields", at: 0 });
        }
        Ok(draft)
    }

    fn check_ranges(&self) -> Result<(), CodeError> {
        let wrong = |field| Err(CodeError::ProfileFormat { field, at: 0 });
        if self.guid.is_empty() || self.guid.chars().count() > GUID_LEN_MAX {
            return wrong("guid");
        }
        if self.key_id == 0 || (self.key_id > SERVER_KEY_ID_MAX && self.key_id != DEVICE_KEY_ID) {
            return wrong("key id");
        }
        if self.mcc > 9_999 {
            return wrong("category");
        }
        if self.currency > 999 {
            return wrong("currency");
        }
        match &self.order {
            Some(order) if order.expiry_minutes > EXPIRY_MINUTES_MAX => wrong("expiry"),
            _ => Ok(()),
        }
    }

    fn push_payee(&self, build: &mut QrBuild) {
        let payee = URL_SAFE_NO_PAD.encode(self.payee);
        let key_id = format!("{:02X}", self.key_id);
        let order = self.order.as_ref().map(|order| {
            let (id, nonce) = (URL_SAFE_NO_PAD.encode(order.order), URL_SAFE_NO_PAD.encode(order.nonce));
            [id, nonce, format!("{:08}", order.expiry_minutes)]
        });
        let mut children = vec![(Id(0), self.guid.as_str()), (Id(1), payee.as_str())];
        if let Some([id, nonce, expiry]) = &order {
            children.extend([(Id(2), id.as_str()), (Id(3), nonce.as_str()), (Id(4), expiry.as_str())]);
        }
        children.push((Id(5), key_id.as_str()));
        build.push_template(Id(26), &children);
    }
}

/// Makes a text that merchant name and city may hold: printable ASCII, no blanks at the ends, at most `longest`
/// characters; `fallback` when nothing is left. The name in its own script goes into [`PayFields::language`].
pub fn ascii_text(text: &str, longest: usize, fallback: &str) -> String {
    let printable: String = text.chars().filter(|c| matches!(c, ' '..='~')).collect();
    let words: Vec<&str> = printable.split(' ').filter(|word| !word.is_empty()).collect();
    let cut: String = words.join(" ").chars().take(longest).collect();
    let cut = cut.trim_end();
    if cut.chars().any(|c| c.is_ascii_alphanumeric()) { cut.to_owned() } else { fallback.to_owned() }
}
