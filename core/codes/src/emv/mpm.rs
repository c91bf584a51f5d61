//! What a code says, in names: a read-only view over its objects.

use super::object::{Id, Obj, Qr};

/// How often a code may be paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Initiation {
    /// The same code for many payments (11).
    Static,
    /// A code for one payment (12).
    Dynamic,
}

/// One of the payees a code names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payee<'a> {
    /// 02 to 51.
    pub id: Id,
    /// The scheme, for a payee in a template.
    pub guid: Option<&'a str>,
    /// The whole value.
    pub value: &'a str,
}

/// What the payer is asked about a tip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tip<'a> {
    /// The payer is asked (01).
    Ask,
    /// A fixed amount, decimal text (02).
    Fixed(&'a str),
    /// A percentage, decimal text (03).
    Percent(&'a str),
}

/// Name and city in another language (64).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Language<'a> {
    /// ISO 639, two letters.
    pub language: &'a str,
    /// Merchant name.
    pub name: &'a str,
    /// City, if given.
    pub city: Option<&'a str>,
}

/// A view over a code of any level; what is missing is `None`.
#[derive(Debug, Clone, Copy)]
pub struct Mpm<'a> {
    qr: &'a Qr,
}

impl<'a> Mpm<'a> {
    /// The view of a code.
    pub const fn new(qr: &'a Qr) -> Self {
        Self { qr }
    }

    /// Static or dynamic.
    pub fn initiation(&self) -> Option<Initiation> {
        match self.text(Id::INITIATION)? {
            "11" => Some(Initiation::Static),
            "12" => Some(Initiation::Dynamic),
            _ => None,
        }
    }

    /// The payees, in source order.
    pub fn payees(&self) -> impl Iterator<Item = Payee<'a>> {
        let qr = self.qr;
        let accounts =
            qr.objs.iter().filter(|obj| obj.id.is_primitive_account() || obj.id.is_account_template());
        accounts.map(move |obj| Payee { id: obj.id, guid: qr.guid(obj), value: qr.value(obj) })
    }

    /// Merchant category code.
    pub fn mcc(&self) -> Option<&'a str> {
        self.text(Id::MCC)
    }

    /// Currency, ISO 4217 number.
    pub fn currency(&self) -> Option<u16> {
        let number = self.text(Id::CURRENCY)?;
        (number.len() == 3 && number.bytes().all(|b| b.is_ascii_digit())).then(|| number.parse().ok())?
    }

    /// Amount as decimal text; its conversion to money refuses what the currency cannot hold.
    pub fn amount(&self) -> Option<&'a str> {
        self.text(Id::AMOUNT)
    }

    /// What the payer is asked about a tip.
    pub fn tip(&self) -> Option<Tip<'a>> {
        match self.text(Id::TIP)? {
            "01" => Some(Tip::Ask),
            "02" => self.text(Id::TIP_FIXED).map(Tip::Fixed),
            "03" => self.text(Id::TIP_PERCENT).map(Tip::Percent),
            _ => None,
        }
    }

    /// Country, two letters.
    pub fn country(&self) -> Option<&'a str> {
        self.text(Id::COUNTRY)
    }

    /// Merchant name.
    pub fn merchant_name(&self) -> Option<&'a str> {
        self.text(Id::NAME)
    }

    /// City.
    pub fn city(&self) -> Option<&'a str> {
        self.text(Id::CITY)
    }

    /// Postcode.
    pub fn postcode(&self) -> Option<&'a str> {
        self.text(Id::POSTCODE)
    }

    /// Additional data (62): 1 bill, 2 mobile, 3 store, 4 loyalty, 5 reference, 6 customer, 7 terminal, 8 purpose,
    /// 9 what to ask for; `***` = ask the payer.
    pub fn extra(&self, sub: u8) -> Option<&'a str> {
        self.sub_text(Id::EXTRA, Id(sub))
    }

    /// Name and city in another language.
    pub fn language(&self) -> Option<Language<'a>> {
        Some(Language {
            language: self.sub_text(Id::LANGUAGE, Id(0))?,
            name: self.sub_text(Id::LANGUAGE, Id(1))?,
            city: self.sub_text(Id::LANGUAGE, Id(2)),
        })
    }

    fn text(&self, id: Id) -> Option<&'a str> {
        self.qr.get(id).map(|obj| self.qr.value(obj))
    }

    fn sub_text(&self, root: Id, sub: Id) -> Option<&'a str> {
        let child: &'a Obj = self.qr.get(root)?.child(sub)?;
        Some(self.qr.value(child))
    }
}
