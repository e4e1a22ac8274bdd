//! Hashes that are part of the specification, and randomness as a value.
//!
//! The **feature hash** is XXH64 (Yann Collet's specification) with seed 42 over UTF-8 bytes. With that seed it equals Spark
//! SQL's `xxhash64(text)` and Python's `xxhash.xxh64_intdigest(text, 42)`; `docs/specs/feature-hash.md` lists test vectors.

/// The seed that Spark SQL's `xxhash64` uses.
pub const FEATURE_HASH_SEED: u64 = 42;

const P1: u64 = 0x9E37_79B1_85EB_CA87;
const P2: u64 = 0xC2B2_AE3D_27D4_EB4F;
const P3: u64 = 0x1656_67B1_9E37_79F9;
const P4: u64 = 0x85EB_CA77_C2B2_AE63;
const P5: u64 = 0x27D4_EB2F_1656_67C5;

const fn round(lane: u64, input: u64) -> u64 {
    lane.wrapping_add(input.wrapping_mul(P2)).rotate_left(31).wrapping_mul(P1)
}

const fn merge(hash: u64, lane: u64) -> u64 {
    (hash ^ round(0, lane)).wrapping_mul(P1).wrapping_add(P4)
}

const fn avalanche(mut hash: u64) -> u64 {
    hash = (hash ^ hash >> 33).wrapping_mul(P2);
    hash = (hash ^ hash >> 29).wrapping_mul(P3);
    hash ^ hash >> 32
}

fn word(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

fn stripes(seed: u64, blocks: &[[u8; 32]]) -> u64 {
    let mut lanes = [seed.wrapping_add(P1).wrapping_add(P2), seed.wrapping_add(P2), seed, seed.wrapping_sub(P1)];
    for block in blocks {
        for (lane, bytes) in lanes.iter_mut().zip(block.as_chunks::<8>().0) {
            *lane = round(*lane, u64::from_le_bytes(*bytes));
        }
    }
    let [a, b, c, d] = lanes;
    let sum =
        a.rotate_left(1).wrapping_add(b.rotate_left(7)).wrapping_add(c.rotate_left(12)).wrapping_add(d.rotate_left(18));
    lanes.into_iter().fold(sum, merge)
}

/// XXH64 of `bytes`.
#[must_use]
pub fn xxh64(bytes: &[u8], seed: u64) -> u64 {
    let (blocks, rest) = bytes.as_chunks::<32>();
    let start = if blocks.is_empty() { seed.wrapping_add(P5) } else { stripes(seed, blocks) };
    let mut hash = start.wrapping_add(bytes.len() as u64);
    let (words, rest) = rest.as_chunks::<8>();
    for w in words {
        hash = (hash ^ round(0, u64::from_le_bytes(*w))).rotate_left(27).wrapping_mul(P1).wrapping_add(P4);
    }
    let (half, rest) = rest.split_at(rest.len() & 4);
    if !half.is_empty() {
        hash = (hash ^ word(half).wrapping_mul(P1)).rotate_left(23).wrapping_mul(P2).wrapping_add(P3);
    }
    for byte in rest {
        hash = (hash ^ u64::from(*byte).wrapping_mul(P5)).rotate_left(11).wrapping_mul(P1);
    }
    avalanche(hash)
}

/// XXH64, seed 42, of the sixteen bytes a ‖ b (little endian): the hash of a crossed feature from the hashes of its halves.
#[must_use]
pub const fn hash_pair(a: u64, b: u64) -> u64 {
    let start = FEATURE_HASH_SEED.wrapping_add(P5).wrapping_add(16);
    let first = (start ^ round(0, a)).rotate_left(27).wrapping_mul(P1).wrapping_add(P4);
    let second = (first ^ round(0, b)).rotate_left(27).wrapping_mul(P1).wrapping_add(P4);
    avalanche(second)
}

/// Randomness as an argument: every draw is a pure function of the seed and of what is drawn.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Seed(pub u64);

impl Seed {
    /// An independent seed for a named purpose or a numbered thing.
    #[must_use]
    pub const fn derive(self, what: u64) -> Self {
        Self(hash_pair(self.0, what))
    }

    /// Uniform in 0 … n−1, or 0 where n is 0. The bias is below n / 2⁶⁴.
    #[must_use]
    pub fn below(self, n: u64) -> u64 {
        let wide = u128::from(avalanche(self.0)) * u128::from(n);
        u64::try_from(wide >> 64).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xxh64_gives_the_published_vectors() {
        assert_eq!(xxh64(b"", 0), 0xEF46_DB37_51D8_E999);
        assert_eq!(xxh64(b"a", 0), 0xD24E_C4F1_A98C_6E5B);
        assert_eq!(xxh64(b"abc", 0), 0x44BC_2CF5_AD77_0999);
        assert_eq!(xxh64(b"Nobody inspects the spammish repetition", 0), 0xFBCE_A83C_8A37_8BF1);
    }

    #[test]
    fn a_pair_hashes_like_its_sixteen_bytes() {
        let mut bytes = 7_u64.to_le_bytes().to_vec();
        bytes.extend(u64::MAX.to_le_bytes());
        assert_eq!(hash_pair(7, u64::MAX), xxh64(&bytes, FEATURE_HASH_SEED));
    }
}
