//! The fingerprint of a schema: CRC-64-AVRO of its parsing canonical form, which [`schema_reader`](super::schema_reader) makes.

/// The fingerprint of the empty text, which is also the polynomial.
const EMPTY: u64 = 0xc15d_213a_a4d7_a795;

/// The fingerprints of single bytes.
static TABLE: [u64; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut value = byte as u64;
        let mut bit = 0;
        while bit < 8 {
            value = (value >> 1) ^ (EMPTY & 0_u64.wrapping_sub(value & 1));
            bit += 1;
        }
        table[byte] = value;
        byte += 1;
    }
    table
};

/// Returns the CRC-64-AVRO of `canonical`, the parsing canonical form of a schema.
pub(super) fn fingerprint(canonical: &str) -> u64 {
    canonical.bytes().fold(EMPTY, |value, byte| (value >> 8) ^ TABLE[usize::from(value as u8 ^ byte)])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of the specification's own tests (`schema-tests.txt` of Avro).
    #[test]
    fn fingerprints_are_those_of_the_specification() {
        assert_eq!(fingerprint("\"null\"") as i64, 7_195_948_357_588_979_594);
        assert_eq!(fingerprint("\"int\"") as i64, 8_247_732_601_305_521_295);
    }
}
