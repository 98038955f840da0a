//! The random numbers of torch's generator on the CPU, which watermarks are made of.

use rand_mt::Mt as Mersenne;

/// Torch's generator after `manual_seed`: a Mersenne Twister, which takes the lower half of the seed.
pub(super) struct TorchGenerator(Mersenne);

impl TorchGenerator {
    pub(super) fn seeded(seed: u64) -> Self {
        Self(Mersenne::new(seed as u32))
    }

    /// The first `count` numbers of `torch.randperm(length)`, into `permutation`, which is emptied first.
    pub(super) fn permutation(&mut self, length: usize, count: usize, permutation: &mut Vec<u32>) {
        permutation.clear();
        permutation.extend(0..length as u32);
        for i in 0..count.min(length.saturating_sub(1)) {
            let other = i + self.0.next_u32() as usize % (length - i);
            permutation.swap(i, other);
        }
        permutation.truncate(count);
    }

    /// `torch.randint(0, 2, (length,))`
    pub(super) fn coin_flips(&mut self, length: usize) -> Vec<bool> {
        (0..length).map(|_| self.0.next_u32() % 2 == 1).collect()
    }
}
