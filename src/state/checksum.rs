//! The checksum of a run of bytes, CRC-64/NVME. It is fast enough to cover all bytes. The checksums of two adjacent
//! runs can be joined to the checksum of both without reading the bytes again.

use crc_fast::CrcAlgorithm;

/// The checksum of no bytes.
pub const EMPTY: u64 = 0;

/// The checksum of `bytes`.
pub fn of(bytes: &[u8]) -> u64 {
    crc_fast::checksum(CrcAlgorithm::Crc64Nvme, bytes)
}

/// The checksum of two adjacent runs. `length` is the number of bytes of the second run.
///
/// `crc_fast` can join checksums too, with matrices, in 50 µs. This function takes about 1 µs, and it runs for every
/// batch.
pub fn join(first: u64, second: u64, length: u64) -> u64 {
    // Appending n bytes multiplies the polynomial of the bytes before them by x^8n.
    let mut power = ONE;
    let mut rest = length;
    let mut index = 3;
    while rest != 0 {
        if rest & 1 == 1 {
            power = multiply(POWERS[index % POWERS.len()], power);
        }
        rest >>= 1;
        index += 1;
    }
    multiply(power, first) ^ second
}

/// The polynomial of CRC-64/NVME, reflected: the highest bit is the coefficient of x^0.
const POLYNOMIAL: u64 = 0x9a6c_9329_ac4b_c9b5;

/// x^0.
const ONE: u64 = 1 << 63;

/// x^(2^n) for each n. A length of 64 bits times eight would need n up to 66, but lengths of that size do not occur.
const POWERS: [u64; 64] = {
    let mut powers = [ONE >> 1; 64];
    let mut index = 1;
    while index < 64 {
        powers[index] = multiply(powers[index - 1], powers[index - 1]);
        index += 1;
    }
    powers
};

/// The product of two polynomials, modulo [`POLYNOMIAL`].
const fn multiply(a: u64, mut b: u64) -> u64 {
    let (mut product, mut bit) = (0, ONE);
    while bit != 0 {
        if a & bit != 0 {
            product ^= b;
        }
        b = if b & 1 == 1 { (b >> 1) ^ POLYNOMIAL } else { b >> 1 };
        bit >>= 1;
    }
    product
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_catalogue() {
        // The check value of CRC-64/NVME. Journals hold these checksums, so another algorithm would make all journals
        // useless.
        assert_eq!(of(b"123456789"), 0xae8b_1486_0a79_9888);
        assert_eq!(of(b""), EMPTY);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(1), ..ProptestConfig::default() })]

        #[test]
        fn checksums_of_neighbours_are_joined_to_the_checksum_of_both(
            bytes in prop::collection::vec(any::<u8>(), 0..5000), at in any::<prop::sample::Index>(),
        ) {
            let (first, second) = bytes.split_at(at.index(bytes.len() + 1));
            prop_assert_eq!(join(of(first), of(second), second.len() as u64), of(&bytes));
        }

        #[test]
        fn long_ones_are_joined_as_the_library_joins_them(a in any::<u64>(), b in any::<u64>(), length in 0u64..1 << 50) {
            prop_assert_eq!(join(a, b, length), crc_fast::checksum_combine(CrcAlgorithm::Crc64Nvme, a, b, length));
        }
    }
}
