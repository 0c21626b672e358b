//! The random numbers of one event: the same on every machine, and independent of every other
//! event.

/// The step of SplitMix64 (Steele, Lea and Flood 2014), which also separates streams.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// 2^(n/8) in 65536ths.
const EIGHTHS: [u64; 8] = [65_536, 71_468, 77_936, 84_990, 92_682, 101_070, 110_218, 120_194];

/// A stream of random numbers.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    /// Stream `number` of a seed.
    pub(super) fn new(seed: u64, number: u64) -> Self {
        Self(mix(mix(seed.wrapping_add(STEP)).wrapping_add(number)))
    }

    /// Any number.
    pub(super) fn any(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mix(self.0)
    }

    /// A number below `end`. All are about equally likely, because `end` is far below 2^64.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.any() % end.max(1)
    }

    /// True in `percent` of 100 cases.
    pub(super) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// A number with an approximately normal logarithm: half are above `median`, one in six above
    /// three times as much, and few above forty times.
    pub(super) fn log_normal(&mut self, median: u64) -> u64 {
        // The number of set bits of a random word is a sample of the normal distribution: 32 ± 4 of
        // 64.
        let eighths = u64::from(self.any().count_ones()) * 3;
        // Between the steps of three eighths, numbers are spread evenly.
        let spread = self.below(EIGHTHS[3] - EIGHTHS[0]) + EIGHTHS[0];
        let whole = median.saturating_mul(1 << (eighths / 8)) / (1 << 12);
        let part = EIGHTHS.get((eighths % 8) as usize).copied().unwrap_or(EIGHTHS[0]);
        whole.saturating_mul(part) / (1 << 16) * spread / (1 << 16)
    }
}

fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_normal_numbers_lie_around_the_median() {
        let mut random = Random::new(1, 0);
        let mut numbers: Vec<_> = (0..100_000).map(|_| random.log_normal(1_000)).collect();
        numbers.sort_unstable();
        assert!((900..1_250).contains(&numbers[50_000]), "{}", numbers[50_000]);
        assert!((2_200..4_000).contains(&numbers[84_000]), "{}", numbers[84_000]);
        assert!((300..450).contains(&numbers[16_000]), "{}", numbers[16_000]);
        assert!(numbers[99_999] < 1_000_000, "{}", numbers[99_999]);
        numbers.dedup();
        assert!(numbers.len() > 5_000, "only {} different numbers", numbers.len());
    }

    #[test]
    fn streams_differ_and_repeat() {
        let of = |seed, number| Random::new(seed, number).any();
        assert_eq!(of(1, 2), of(1, 2));
        assert_ne!(of(1, 2), of(1, 3));
        assert_ne!(of(1, 2), of(2, 1));
    }
}
