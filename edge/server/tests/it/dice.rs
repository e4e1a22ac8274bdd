//! Draws in a row from one seed: the same seed, the same draws, in every build.

use litfass_types::Seed;

pub(crate) struct Dice {
    seed: Seed,
    thrown: u64,
}

impl Dice {
    pub(crate) const fn new(seed: Seed) -> Self {
        Self { seed, thrown: 0 }
    }

    /// 0 … n−1.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.thrown += 1;
        self.seed.derive(self.thrown).below(n)
    }

    pub(crate) fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    pub(crate) fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.below(of.len() as u64)).unwrap()].clone()
    }
}
