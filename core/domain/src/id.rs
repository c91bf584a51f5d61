//! Typed ids that carry their bucket (spec/scale.md 2).
//!
//! Each type knows its form; nothing guesses a form from bytes. Ids are made from random bytes or counters that
//! the caller passes in: nothing here reads a clock or randomness.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Buckets of an installation, for its whole life (spec/scale.md 2).
pub const BUCKETS: u16 = 1024;

/// The unit of ownership, of moving and of every local commit: 0..1023.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Bucket(u16);

impl Bucket {
    /// Holds the public scopes and reference data.
    pub const PUBLIC: Bucket = Bucket(0);

    /// Checks the range.
    pub fn new(number: u16) -> Result<Bucket, IdError> {
        if number < BUCKETS { Ok(Bucket(number)) } else { Err(IdError::Bucket) }
    }

    /// The number, 0..1023.
    pub fn number(self) -> u16 {
        self.0
    }
}

impl TryFrom<u16> for Bucket {
    type Error = IdError;
    fn try_from(number: u16) -> Result<Bucket, IdError> {
        Bucket::new(number)
    }
}

impl From<Bucket> for u16 {
    fn from(bucket: Bucket) -> u16 {
        bucket.0
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why bytes or text are not an id. Codes `id.form`, `id.bucket`, `id.hex`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum IdError {
    /// Version or variant bits do not fit the form.
    #[error("id.form")]
    Form,
    /// The bucket is above 1023.
    #[error("id.bucket")]
    Bucket,
    /// Not 32 lower-case hex digits.
    #[error("id.hex")]
    Hex,
}

/// How the bits of a 16-byte id are laid out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// UUIDv7 with the bucket in bits 52-61: whatever is minted on a device or by the server.
    U,
    /// Bucket u16, then 14 bytes of a hash: derived ids.
    D,
    /// Eight zero bytes, bucket u16, counter u48: catalogue ids.
    C,
    /// 16 bytes without routing meaning: devices, installs, keys.
    Raw,
}

impl Form {
    /// The bucket that bytes of this form carry; `Raw` carries none.
    fn bucket(self, bytes: &[u8; 16]) -> Result<Option<Bucket>, IdError> {
        match self {
            Form::U => {
                if bytes[6] >> 4 != 7 || bytes[8] >> 6 != 2 {
                    return Err(IdError::Form);
                }
                Ok(Some(Bucket((u16::from(bytes[6] & 0x0f) << 6) | u16::from(bytes[7] >> 2))))
            }
            Form::D => Bucket::new(u16::from_be_bytes([bytes[0], bytes[1]])).map(Some),
            Form::C => {
                if bytes[..8] != [0; 8] {
                    return Err(IdError::Form);
                }
                Bucket::new(u16::from_be_bytes([bytes[8], bytes[9]])).map(Some)
            }
            Form::Raw => Ok(None),
        }
    }
}

/// Bytes of form U: 48 bits of unix milliseconds, the bucket, 66 bits from `random`.
pub fn form_u(unix_ms: u64, bucket: Bucket, random: [u8; 9]) -> [u8; 16] {
    let mut b = [0u8; 16];
    b[..6].copy_from_slice(&unix_ms.to_be_bytes()[2..]);
    b[6] = 0x70 | (bucket.0 >> 6) as u8;
    b[7] = ((bucket.0 & 0x3f) << 2) as u8 | (random[8] & 3);
    b[8..].copy_from_slice(&random[..8]);
    b[8] = 0x80 | (b[8] & 0x3f);
    b
}

/// Bytes of form D: the bucket and the first 14 bytes of a SHA-256.
pub fn form_d(bucket: Bucket, hash: &[u8; 32]) -> [u8; 16] {
    let mut b = [0u8; 16];
    b[..2].copy_from_slice(&bucket.0.to_be_bytes());
    b[2..].copy_from_slice(&hash[..14]);
    b
}

/// Bytes of form C: the bucket and a counter below 2^48.
pub fn form_c(bucket: Bucket, counter: u64) -> [u8; 16] {
    let mut b = [0u8; 16];
    b[8..10].copy_from_slice(&bucket.0.to_be_bytes());
    b[10..].copy_from_slice(&counter.to_be_bytes()[2..]);
    b
}

/// 32 lower-case hex digits.
pub fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The bytes of an even number of lower-case hex digits.
pub fn unhex(text: &str) -> Result<Vec<u8>, IdError> {
    let digit = |c: u8| match c {
        b'0'..=b'9' => Ok(c - b'0'),
        b'a'..=b'f' => Ok(c - b'a' + 10),
        _ => Err(IdError::Hex),
    };
    if !text.len().is_multiple_of(2) {
        return Err(IdError::Hex);
    }
    text.as_bytes().chunks(2).map(|pair| Ok(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

/// Declares one id type: its name, form and meaning.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $form:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// The layout of this id.
            pub const FORM: Form = Form::$form;

            /// Checks the form of 16 bytes.
            pub fn from_bytes(bytes: [u8; 16]) -> Result<$name, IdError> {
                Form::$form.bucket(&bytes)?;
                Ok($name(bytes))
            }

            /// The 16 bytes.
            pub fn bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), hex(&self.0))
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<$name, IdError> {
                let bytes: [u8; 16] = unhex(text)?.try_into().map_err(|_| IdError::Hex)?;
                $name::from_bytes(bytes)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

/// Declares an id type that carries its bucket.
macro_rules! bucket_id {
    ($(#[$doc:meta])* $name:ident, $form:ident) => {
        id!($(#[$doc])* $name, $form);

        impl $name {
            /// The bucket that the id carries.
            pub fn bucket(&self) -> Bucket {
                match Form::$form.bucket(&self.0) {
                    Ok(Some(bucket)) => bucket,
                    // The constructor has checked the form.
                    _ => Bucket(0),
                }
            }
        }
    };
}

bucket_id!(
    /// An account of a person or an organisation.
    AccountId, U
);
bucket_id!(
    /// A shop.
    ShopId, U
);
bucket_id!(
    /// One act of a user, minted on the device at the tap; derived ids of the server's own acts are [`DerivedId`]s.
    IntentId, U
);
bucket_id!(
    /// An order: the id of its PlaceOrder intent, in the shop's bucket.
    OrderId, U
);
bucket_id!(
    /// A parcel, in the shop's bucket.
    ParcelId, U
);
bucket_id!(
    /// A courier's shift, in the courier's bucket.
    ShiftId, U
);
bucket_id!(
    /// A case (refund request), in the order's bucket: the id of its OpenCase intent.
    CaseId, U
);
bucket_id!(
    /// A payment attempt, in the order's bucket: the id of its PayStart intent.
    PaymentId, U
);
bucket_id!(
    /// An id derived from a hash: server-made intents, rail operations, refunds, ledger accounts, transfers.
    DerivedId, D
);
bucket_id!(
    /// A product (master record).
    ProductId, C
);
bucket_id!(
    /// A variant of a product.
    VariantId, C
);
bucket_id!(
    /// A seller's offer on a variant.
    OfferId, C
);
id!(
    /// A registered device. No routing meaning: its row lies in its account's bucket.
    DeviceId, Raw
);

impl DerivedId {
    /// The id of a hash in a bucket: [`form_d`], which fits by construction.
    pub fn derived(bucket: Bucket, hash: &[u8; 32]) -> DerivedId {
        DerivedId(form_d(bucket, hash))
    }
}

/// Any intent id: minted on a device (form U) or derived by the server (form D).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum AnyIntentId {
    /// Minted on a device.
    Minted(IntentId),
    /// Derived: hand-off, rail fact, timer.
    Derived(DerivedId),
}

impl AnyIntentId {
    /// The 16 bytes.
    pub fn bytes(&self) -> &[u8; 16] {
        match self {
            AnyIntentId::Minted(id) => id.bytes(),
            AnyIntentId::Derived(id) => id.bytes(),
        }
    }

    /// The bucket that the id carries.
    pub fn bucket(&self) -> Bucket {
        match self {
            AnyIntentId::Minted(id) => id.bucket(),
            AnyIntentId::Derived(id) => id.bucket(),
        }
    }
}

impl From<IntentId> for AnyIntentId {
    fn from(id: IntentId) -> AnyIntentId {
        AnyIntentId::Minted(id)
    }
}

impl From<DerivedId> for AnyIntentId {
    fn from(id: DerivedId) -> AnyIntentId {
        AnyIntentId::Derived(id)
    }
}

/// A Souk waybill number: 4 bits kind 3, 10 bits bucket, 50 bits serial (form W; spec/logistics.md 2.3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Waybill(u64);

impl Waybill {
    /// Makes a Souk number; only the low 50 bits of the serial are used.
    pub fn souk(bucket: Bucket, serial: u64) -> Waybill {
        Waybill(3 << 60 | u64::from(bucket.0) << 50 | (serial & ((1 << 50) - 1)))
    }

    /// Any number as it stands in a scanned message; the kind is not checked (other kinds belong to carriers).
    pub fn from_number(number: u64) -> Waybill {
        Waybill(number)
    }

    /// The number as it stands in scanned messages.
    pub fn number(self) -> u64 {
        self.0
    }

    /// The bucket, if it is a Souk number.
    pub fn bucket(self) -> Option<Bucket> {
        (self.0 >> 60 == 3).then_some(Bucket(((self.0 >> 50) & 1023) as u16))
    }
}

impl Serialize for Waybill {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:016x}", self.0))
    }
}

impl<'de> Deserialize<'de> for Waybill {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Waybill, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = unhex(&text).map_err(serde::de::Error::custom)?;
        let bytes: [u8; 8] = bytes.try_into().map_err(|_| serde::de::Error::custom(IdError::Hex))?;
        Ok(Waybill(u64::from_be_bytes(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of spec/scale.md 2.
    #[test]
    fn vectors_of_the_forms() {
        let bucket_of_u = |text: &str| text.parse::<IntentId>().map(|id| id.bucket().number());
        assert_eq!(bucket_of_u("01a20320a20076858b22334455667788"), Ok(417));
        assert_eq!(bucket_of_u("018f3c2a5b007abc8def0123456789ab"), Ok(687));
        assert_eq!(bucket_of_u("018f3c2a5b004abc8def0123456789ab"), Err(IdError::Form));
        assert_eq!(bucket_of_u("018F3c2a5b007abc8def0123456789ab"), Err(IdError::Hex));
        let offer: OfferId = "000000000000000001a1000000000042".parse().unwrap();
        assert_eq!(offer.bucket().number(), 417);
        assert_eq!("00000000000000000400000000000042".parse::<OfferId>(), Err(IdError::Bucket));
        assert_eq!("02af000102030405060708090a0b0c0d".parse::<DerivedId>().unwrap().bucket().number(), 687);
        assert_eq!("0400000102030405060708090a0b0c0d".parse::<DerivedId>(), Err(IdError::Bucket));
        assert_eq!(Waybill::from_number(0x3684000000000007).bucket(), Bucket::new(417).ok());
        assert_eq!(Waybill::souk(Bucket(417), 7).number(), 0x3684000000000007);
        assert_eq!(Waybill::from_number(0x1025B5814F426F15).bucket(), None);
    }

    #[test]
    fn every_bucket_survives_each_form() {
        for number in 0..BUCKETS {
            let bucket = Bucket(number);
            assert_eq!(
                IntentId::from_bytes(form_u(1_795_348_800_123, bucket, [0xff; 9])).unwrap().bucket(),
                bucket
            );
            assert_eq!(IntentId::from_bytes(form_u(0, bucket, [0; 9])).unwrap().bucket(), bucket);
            assert_eq!(DerivedId::from_bytes(form_d(bucket, &[0xee; 32])).unwrap().bucket(), bucket);
            assert_eq!(OfferId::from_bytes(form_c(bucket, (1 << 48) - 1)).unwrap().bucket(), bucket);
        }
        assert_eq!(Bucket::new(BUCKETS), Err(IdError::Bucket));
    }
}
