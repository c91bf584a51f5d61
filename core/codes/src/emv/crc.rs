//! The checksum of object 63: CRC-16, polynomial 0x1021, start 0xFFFF, not reflected, no final xor.

const TABLE: [u16; 256] = table();

const fn table() -> [u16; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
}

/// The checksum of a text's UTF-8 bytes; for a code, of everything up to and including `6304`.
pub fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xffff, |crc, byte| crc << 8 ^ TABLE[usize::from((crc >> 8) as u8 ^ byte)])
}

#[cfg(test)]
mod tests {
    /// The catalogue's check value of CRC-16/IBM-3740 (the same parameters).
    #[test]
    fn check_value() {
        assert_eq!(super::crc16(b"123456789"), 0x29b1);
        assert_eq!(super::crc16(b""), 0xffff);
    }
}
