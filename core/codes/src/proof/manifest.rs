//! M, the manifest: what a courier's phone must know to verify hand-overs of a shift without a network.

use super::bytes::{Reader, signed};
use super::error::ProofError;
use super::head::{Algorithm, MessageType, head, read_platform_head};
use super::key::PublicKey;
use super::{SIGNATURE_LEN, Signature};

/// Most parcels of a shift; with [`MANIFEST_VOIDS_MAX`] it bounds a manifest at 35,912 bytes.
pub const MANIFEST_PARCELS_MAX: usize = 250;
/// Most void labels a manifest carries.
pub const MANIFEST_VOIDS_MAX: usize = 600;

const HEADER_LEN: usize = 48;
const PARCEL_LEN: usize = 124;
const VOID_LEN: usize = 8;
/// Stands in place of the buyer's key algorithm when the buyer has no app.
const NO_APP: u8 = 255;

/// The first 48 bytes, without the counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestHeader {
    /// Which platform key signed.
    pub key_id: u8,
    /// Version within the shift; must not go back.
    pub version: u16,
    /// Shift.
    pub shift_id: u64,
    /// The courier's party.
    pub courier_party: [u8; 8],
    /// Good from this second since 1970.
    pub valid_from_s: u32,
    /// Good until this second since 1970.
    pub valid_to_s: u32,
    /// Reserved, kept as it came.
    pub flags: u16,
    /// First 8 bytes of SHA-256 of the stop list.
    pub stop_list_h8: [u8; 8],
}

/// One parcel of a manifest (124 bytes).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestParcel {
    /// Waybill number.
    pub waybill: u64,
    /// First 8 bytes of SHA-256 of the label's 100 bytes.
    pub label_h8: [u8; 8],
    /// The buyer's key; `None` for a buyer without the app.
    pub buyer_key: Option<PublicKey>,
    /// Policy of the hand-over.
    pub policy: u16,
    /// Number of the stop.
    pub stop: u16,
    /// Index of the next custody event.
    pub next_index: u16,
    /// Highest counter of the buyer's key that the server knows.
    pub handover_counter: u32,
    /// Id of the last custody event, or SHA-256 of the label when there is none.
    pub chain_tip: [u8; 32],
}

/// M: signed by the platform (spec/logistics.md 4.4). Parcels and void labels are sorted and occur once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestM {
    /// The header.
    pub header: ManifestHeader,
    parcels: Vec<ManifestParcel>,
    voids: Vec<[u8; 8]>,
}

impl ManifestM {
    /// Letter of the digest.
    pub const LETTER: u8 = MessageType::Manifest.letter();

    /// A manifest of parcels and void labels in any order. Refuses: `manifest.too_large`; `proof.field` when a
    /// waybill occurs twice. A void label that occurs twice is kept once.
    pub fn new(
        header: ManifestHeader,
        mut parcels: Vec<ManifestParcel>,
        mut voids: Vec<[u8; 8]>,
    ) -> Result<Self, ProofError> {
        parcels.sort_by_key(|parcel| parcel.waybill);
        voids.sort_unstable();
        voids.dedup();
        check_counts(parcels.len(), voids.len())?;
        let manifest = Self { header, parcels, voids };
        manifest.check_order()?;
        Ok(manifest)
    }

    /// The parcels, by waybill.
    pub fn parcels(&self) -> &[ManifestParcel] {
        &self.parcels
    }

    /// The void labels (first 8 bytes of their hashes), sorted.
    pub fn voids(&self) -> &[[u8; 8]] {
        &self.voids
    }

    /// The parcel of a waybill, if it is on the manifest.
    pub fn parcel(&self, waybill: u64) -> Option<&ManifestParcel> {
        let place = self.parcels.binary_search_by_key(&waybill, |parcel| parcel.waybill).ok()?;
        self.parcels.get(place)
    }

    /// Whether a label was made void.
    pub fn is_void(&self, label_h8: &[u8; 8]) -> bool {
        self.voids.binary_search(label_h8).is_ok()
    }

    /// Bytes of a manifest of so many parcels and void labels, signature included.
    pub const fn encoded_len(parcels: usize, voids: usize) -> usize {
        HEADER_LEN + parcels * PARCEL_LEN + voids * VOID_LEN + SIGNATURE_LEN
    }

    /// The signed bytes.
    pub fn body(&self) -> Vec<u8> {
        let header = &self.header;
        let mut body = Vec::with_capacity(Self::encoded_len(self.parcels.len(), self.voids.len()));
        body.extend([head(MessageType::Manifest, Algorithm::Ed25519), header.key_id]);
        body.extend(header.version.to_be_bytes());
        body.extend(header.shift_id.to_be_bytes());
        body.extend(header.courier_party);
        body.extend(header.valid_from_s.to_be_bytes());
        body.extend(header.valid_to_s.to_be_bytes());
        body.extend((self.parcels.len() as u16).to_be_bytes()); // bounded by the constructor
        body.extend((self.voids.len() as u16).to_be_bytes());
        body.extend(header.flags.to_be_bytes());
        body.extend([0; 6]);
        body.extend(header.stop_list_h8);
        for parcel in &self.parcels {
            parcel.write(&mut body);
        }
        for void in &self.voids {
            body.extend(void);
        }
        body
    }

    /// The whole message.
    pub fn encode(&self, signature: &Signature) -> Vec<u8> {
        signed(self.body(), signature)
    }

    /// Reads a manifest. Refuses: `proof.length`, `proof.version`, `proof.type`, `proof.alg`, `manifest.too_large`,
    /// `proof.field` (not sorted, or a key that is none).
    pub fn decode(message: &[u8]) -> Result<(Self, Signature), ProofError> {
        if message.len() < Self::encoded_len(0, 0) {
            return Err(ProofError::Length { got: message.len() });
        }
        let mut read = Reader::new(message);
        read_platform_head(read.u8()?, MessageType::Manifest)?;
        let key_id = read.u8()?;
        let version = read.u16()?;
        let shift_id = read.u64()?;
        let courier_party = read.array()?;
        let valid_from_s = read.u32()?;
        let valid_to_s = read.u32()?;
        let (parcels, voids) = (usize::from(read.u16()?), usize::from(read.u16()?));
        check_counts(parcels, voids)?;
        if message.len() != Self::encoded_len(parcels, voids) {
            return Err(ProofError::Length { got: message.len() });
        }
        let flags = read.u16()?;
        read.zeros::<6>("reserved")?;
        let stop_list_h8 = read.array()?;
        let header = ManifestHeader {
            key_id,
            version,
            shift_id,
            courier_party,
            valid_from_s,
            valid_to_s,
            flags,
            stop_list_h8,
        };
        let parcels = (0..parcels).map(|_| ManifestParcel::read(&mut read)).collect::<Result<_, _>>()?;
        let voids = (0..voids).map(|_| read.array()).collect::<Result<_, _>>()?;
        let manifest = Self { header, parcels, voids };
        manifest.check_order()?;
        Ok((manifest, read.array()?))
    }

    fn check_order(&self) -> Result<(), ProofError> {
        if let Some(i) = self.parcels.windows(2).position(|pair| pair[0].waybill >= pair[1].waybill) {
            return Err(ProofError::Field { field: "waybill", at: HEADER_LEN + (i + 1) * PARCEL_LEN });
        }
        if let Some(i) = self.voids.windows(2).position(|pair| pair[0] >= pair[1]) {
            let voids_at = HEADER_LEN + self.parcels.len() * PARCEL_LEN;
            return Err(ProofError::Field { field: "void", at: voids_at + (i + 1) * VOID_LEN });
        }
        Ok(())
    }
}

impl ManifestParcel {
    fn write(&self, body: &mut Vec<u8>) {
        body.extend(self.waybill.to_be_bytes());
        body.extend(self.label_h8);
        let mut key = [0; 65];
        let algorithm = match &self.buyer_key {
            None => NO_APP,
            Some(PublicKey::Ed25519(bytes)) => {
                key[..32].copy_from_slice(bytes);
                Algorithm::Ed25519.number()
            }
            Some(PublicKey::P256(point)) => {
                key[0] = 4;
                key[1..].copy_from_slice(point);
                Algorithm::Es256.number()
            }
        };
        body.push(algorithm);
        body.extend(key);
        body.extend(self.policy.to_be_bytes());
        body.extend(self.stop.to_be_bytes());
        body.extend(self.next_index.to_be_bytes());
        body.extend(self.handover_counter.to_be_bytes());
        body.extend(self.chain_tip);
    }

    fn read(read: &mut Reader<'_>) -> Result<Self, ProofError> {
        let waybill = read.u64()?;
        let label_h8 = read.array()?;
        let at = read.at();
        let algorithm = read.u8()?;
        let key: [u8; 65] = read.array()?;
        let wrong = ProofError::Field { field: "buyer_key", at };
        let buyer_key = if algorithm == NO_APP {
            if key != [0; 65] {
                return Err(wrong);
            }
            None
        } else {
            let (key, padding) = match Algorithm::from_number(algorithm).ok_or(wrong)? {
                Algorithm::Ed25519 => key.split_at(32),
                Algorithm::Es256 => key.split_at(65),
            };
            if padding.iter().any(|byte| *byte != 0) {
                return Err(wrong);
            }
            Some(PublicKey::from_travel_bytes(key).ok_or(wrong)?)
        };
        Ok(Self {
            waybill,
            label_h8,
            buyer_key,
            policy: read.u16()?,
            stop: read.u16()?,
            next_index: read.u16()?,
            handover_counter: read.u32()?,
            chain_tip: read.array()?,
        })
    }
}

fn check_counts(parcels: usize, voids: usize) -> Result<(), ProofError> {
    if parcels > MANIFEST_PARCELS_MAX || voids > MANIFEST_VOIDS_MAX {
        return Err(ProofError::ManifestTooLarge { parcels, voids });
    }
    Ok(())
}
