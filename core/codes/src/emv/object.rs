//! The list of objects of a code: ids, places and values in the one owned text.

use super::error::Warning;

/// The two digits of an object, 0 to 99.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub u8);

impl Id {
    /// Payload format indicator, always first.
    pub const FORMAT: Self = Self(0);
    /// Static or dynamic.
    pub const INITIATION: Self = Self(1);
    /// Merchant category code.
    pub const MCC: Self = Self(52);
    /// Currency, ISO 4217 number.
    pub const CURRENCY: Self = Self(53);
    /// Amount.
    pub const AMOUNT: Self = Self(54);
    /// What to do about a tip.
    pub const TIP: Self = Self(55);
    /// Fixed tip.
    pub const TIP_FIXED: Self = Self(56);
    /// Tip in percent.
    pub const TIP_PERCENT: Self = Self(57);
    /// Country.
    pub const COUNTRY: Self = Self(58);
    /// Merchant name.
    pub const NAME: Self = Self(59);
    /// City.
    pub const CITY: Self = Self(60);
    /// Postcode.
    pub const POSTCODE: Self = Self(61);
    /// Additional data.
    pub const EXTRA: Self = Self(62);
    /// Checksum, always last.
    pub const CRC: Self = Self(63);
    /// Name and city in another language.
    pub const LANGUAGE: Self = Self(64);

    /// Payee of a scheme whose value has the scheme's own form; never read as objects.
    pub(crate) const fn is_primitive_account(self) -> bool {
        matches!(self.0, 2..=25)
    }

    /// Payee in a template.
    pub(crate) const fn is_account_template(self) -> bool {
        matches!(self.0, 26..=51)
    }

    /// Template that anybody may use.
    pub(crate) const fn is_unreserved_template(self) -> bool {
        matches!(self.0, 80..=99)
    }

    /// Objects of the root that consist of objects.
    pub(super) const fn is_template(self) -> bool {
        self.is_account_template() || self.is_unreserved_template() || matches!(self.0, 62 | 64)
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:02}", self.0)
    }
}

/// A piece of the text, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// Byte behind the last one.
    pub end: usize,
}

/// One object: id, two digits of length, value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obj {
    /// The id.
    pub id: Id,
    /// Offset of the id in characters.
    pub at: usize,
    /// Id, length and value.
    pub raw: Span,
    /// The value.
    pub value: Span,
    /// The objects inside, for a template that can be walked.
    pub children: Option<Vec<Obj>>,
}

impl Obj {
    /// The object of an id inside this template.
    pub fn child(&self, id: Id) -> Option<&Obj> {
        self.children.as_deref()?.iter().find(|child| child.id == id)
    }
}

/// A code as it was read: objects in source order, nothing normalised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Qr {
    /// The whole text.
    pub text: String,
    /// The objects of the root, 00 first, 63 last.
    pub objs: Vec<Obj>,
    /// What is odd.
    pub warnings: Vec<Warning>,
}

impl Qr {
    /// The object of an id on the root.
    pub fn get(&self, id: Id) -> Option<&Obj> {
        self.objs.iter().find(|obj| obj.id == id)
    }

    /// An object's value.
    pub fn value(&self, obj: &Obj) -> &str {
        self.slice(obj.value)
    }

    /// An object's id, length and value as they stand in the text.
    pub fn raw(&self, obj: &Obj) -> &str {
        self.slice(obj.raw)
    }

    /// A template's GUID, sub-object 00.
    pub fn guid(&self, template: &Obj) -> Option<&str> {
        template.child(Id(0)).map(|guid| self.value(guid))
    }

    /// All values in source order under their paths, `26.00` for an object inside a template.
    pub fn fields(&self) -> Vec<(String, &str)> {
        let mut fields = Vec::new();
        self.add_fields("", &self.objs, &mut fields);
        fields
    }

    fn add_fields<'a>(&'a self, prefix: &str, objs: &'a [Obj], fields: &mut Vec<(String, &'a str)>) {
        for obj in objs {
            let path = format!("{prefix}{}", obj.id);
            match &obj.children {
                Some(children) => self.add_fields(&format!("{path}."), children, fields),
                None => fields.push((path, self.value(obj))),
            }
        }
    }

    fn slice(&self, span: Span) -> &str {
        self.text.get(span.start..span.end).unwrap_or_default()
    }
}
