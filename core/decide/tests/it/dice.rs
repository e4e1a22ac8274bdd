//! Draws in a row from one seed: the same seed, the same draws, in every build.

use litfass_types::Seed;

pub(crate) struct Dice {
    seed: Seed,
    thrown: u64,
}

impl Dice {
    pub(crate) const fn new(seed: u64, purpose: u64) -> Self {
        Self { seed: Seed(seed).derive(purpose), thrown: 0 }
    }

    /// 0 … n−1.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.thrown += 1;
        self.seed.derive(self.thrown).below(n)
    }

    pub(crate) fn count(&mut self, n: usize) -> usize {
        usize::try_from(self.below(n as u64)).unwrap()
    }

    pub(crate) fn small(&mut self, n: u32) -> u32 {
        u32::try_from(self.below(u64::from(n))).unwrap()
    }

    pub(crate) fn signed(&mut self, n: u64) -> i64 {
        i64::try_from(self.below(n)).unwrap()
    }

    pub(crate) fn percent(&mut self, n: u64) -> bool {
        self.below(100) < n
    }

    pub(crate) fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.count(of.len())].clone()
    }

    /// Uniform in −1 … 1, in thousandths.
    pub(crate) fn weight(&mut self) -> f32 {
        f32::from(i16::try_from(self.signed(2_001) - 1_000).unwrap()) / 1_000.0
    }

    /// Some of them, in their order.
    pub(crate) fn some_of<T: Clone>(&mut self, of: &[T], percent: u64) -> Vec<T> {
        of.iter().filter(|_| self.percent(percent)).cloned().collect()
    }
}
