//! Chance that can be repeated.

/// `SplitMix64` (Steele, Lea and Flood 2014): small, and good enough to choose among faults.
#[derive(Debug, Default)]
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// True in so many of a thousand calls.
    pub(super) fn happens(&mut self, thousandths: u16) -> bool {
        thousandths > 0 && self.next() % 1000 < u64::from(thousandths)
    }

    /// A number below `bound`; zero when that is zero.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        let bound = bound.max(1) as u64;
        usize::try_from(self.next() % bound).unwrap_or(0)
    }
}
