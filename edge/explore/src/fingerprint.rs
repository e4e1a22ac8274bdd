//! 128 bits that stand for a state: two independent lanes of multiply and fold. With a hundred million states a collision is
//! less likely than 10⁻²².

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

pub(crate) type Print = u128;
pub(crate) type Prints = HashSet<Print, BuildHasherDefault<AsIs>>;

const KEYS: [u64; 2] = [0x9E37_79B9_7F4A_7C15, 0xD6E8_FEB8_6659_FD93];
const SALT: u64 = 0xA076_1D64_78BD_642F;

fn fold(x: u64, key: u64) -> u64 {
    let wide = u128::from(x) * u128::from(key);
    let half = |n: u128| u64::try_from(n & u128::from(u64::MAX)).unwrap_or(0);
    half(wide) ^ half(wide >> 64)
}

struct Lanes([u64; 2]);

impl Hasher for Lanes {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.write_u64(u64::from_le_bytes(*word)));
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            self.write_u64(u64::from_le_bytes(last));
        }
    }

    fn write_u64(&mut self, word: u64) {
        let [a, b] = self.0;
        self.0 = [fold(a ^ word ^ SALT, KEYS[0]), fold(b.rotate_left(23) ^ word, KEYS[1]).wrapping_add(a)];
    }

    fn finish(&self) -> u64 {
        self.0[0]
    }
}

pub(crate) fn print(of: &impl Hash) -> Print {
    let mut lanes = Lanes(KEYS);
    of.hash(&mut lanes);
    lanes.write_u64(SALT);
    let [a, b] = lanes.0;
    u128::from(a) << 64 | u128::from(b)
}

/// A value with its print, shared between the states that have it.
#[derive(Debug)]
pub(crate) struct Printed<T>(Arc<(T, Print)>);

impl<T> Clone for Printed<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Deref for Printed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.0
    }
}

impl<T: Hash> Printed<T> {
    pub(crate) fn new(value: T) -> Self {
        let print = print(&value);
        Self(Arc::new((value, print)))
    }

    pub(crate) fn print(&self) -> Print {
        self.0.1
    }

    pub(crate) fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<T: Hash + Clone> Printed<T> {
    pub(crate) fn edit<R>(&mut self, change: impl FnOnce(&mut T) -> R) -> R {
        let mut value = self.0.0.clone();
        let result = change(&mut value);
        *self = Self::new(value);
        result
    }
}

/// A print is a hash already.
#[derive(Default)]
pub(crate) struct AsIs(u64);

impl Hasher for AsIs {
    fn write(&mut self, bytes: &[u8]) {
        bytes.first_chunk::<8>().into_iter().for_each(|word| self.0 ^= u64::from_le_bytes(*word));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_have_prints_that_share_nothing() {
        let prints: Prints = (0..100_000_u64).map(|n| print(&(n / 300, n % 300))).collect();
        assert_eq!(prints.len(), 100_000);
        let halves: HashSet<u64> = prints.iter().map(|print| u64::try_from(print >> 64).unwrap()).collect();
        assert_eq!(halves.len(), 100_000);
    }
}
