use proptest::prelude::*;

use super::*;

/// A rate of so many dollars.
fn usd(text: &str) -> Rate {
    Rate::parse(text).unwrap()
}

fn flat(kind: TokenKind, rate: &str) -> (TokenKind, Schedule) {
    (kind, Schedule { base: usd(rate), tiers: Vec::new() })
}

fn cost(sheet: &Sheet, counts: &[(TokenKind, i64)]) -> Result<i128, NoPrice> {
    let counts =
        counts.iter().fold(Counts::default(), |all, (kind, count)| all.with(*kind, *count));
    sheet.cost(&counts, &[])
}

#[test]
fn a_rate_is_an_exact_decimal() {
    assert_eq!(usd("0.15").units(), 150_000_000_000);
    assert_eq!(usd("1e-12").units(), 1);
    for (text, error) in [
        ("0.0000000000001", InvalidRate::TooFine),
        ("-1", InvalidRate::Negative),
        ("1000000", InvalidRate::TooLarge),
        ("1e40", InvalidRate::TooLarge),
        ("NaN", InvalidRate::NotDecimal),
    ] {
        assert_eq!(Rate::parse(text), Err(error), "{text}");
    }
}

#[test]
fn a_kind_without_a_rate_has_that_of_what_it_is_part_of() {
    let input =
        Sheet::new(vec![flat(TokenKind::Input, "2"), flat(TokenKind::Output, "8")], Vec::new());
    let counts = [
        (TokenKind::Input, 100),
        (TokenKind::CachedInput, 30),
        (TokenKind::CacheWrite, 20),
        (TokenKind::CacheWrite1h, 10),
        (TokenKind::Output, 50),
        (TokenKind::Reasoning, 40),
        (TokenKind::OutputAudio, 40),
    ];
    assert_eq!(cost(&input, &counts), Ok(600_000_000));
    let written =
        Sheet::new(vec![flat(TokenKind::Input, "2"), flat(TokenKind::CacheWrite, "3")], Vec::new());
    assert_eq!(cost(&written, counts.get(..4).unwrap()), Ok(220_000_000));
}

#[test]
fn what_has_no_rate_at_all_has_no_price() {
    let input = Sheet::new(vec![flat(TokenKind::Input, "2")], Vec::new());
    assert_eq!(cost(&input, &[(TokenKind::Output, 1)]), Err(NoPrice::NoRate(TokenKind::Output)));
    let audio = Sheet::new(vec![flat(TokenKind::InputAudio, "2")], Vec::new());
    let both = [(TokenKind::Input, 2), (TokenKind::InputAudio, 2)];
    assert_eq!(cost(&audio, &both), Ok(4_000_000));
    let text = [(TokenKind::Input, 3), (TokenKind::InputAudio, 2)];
    assert_eq!(cost(&audio, &text), Err(NoPrice::NoRate(TokenKind::Input)));
}

#[test]
fn parts_that_share_tokens_are_told_apart_only_by_the_call() {
    let sheet = Sheet::new(
        vec![
            flat(TokenKind::Input, "4"),
            flat(TokenKind::CachedInput, "0.4"),
            flat(TokenKind::InputAudio, "32"),
        ],
        Vec::new(),
    );
    let apart = [(TokenKind::Input, 10), (TokenKind::CachedInput, 4), (TokenKind::InputAudio, 6)];
    assert_eq!(cost(&sheet, &apart), Ok(193_600_000));
    let shared = [(TokenKind::Input, 10), (TokenKind::CachedInput, 6), (TokenKind::InputAudio, 6)];
    assert_eq!(cost(&sheet, &shared), Err(NoPrice::Overlap(TokenKind::Input)));
    let told = Sheet::new(
        vec![
            flat(TokenKind::Input, "4"),
            flat(TokenKind::CachedInput, "0.4"),
            flat(TokenKind::InputAudio, "32"),
            flat(TokenKind::CachedAudio, "1"),
        ],
        Vec::new(),
    );
    let counts = [shared.as_slice(), &[(TokenKind::CachedAudio, 5)]].concat();
    // 3 of text that is not cached, 1 of text that is, 1 of audio that is not, 5 of audio that is.
    assert_eq!(cost(&told, &counts), Ok(12_000_000 + 400_000 + 32_000_000 + 5_000_000));
}

#[test]
fn the_tier_is_that_of_all_input_for_all_tokens() {
    let schedule = |base, tier| Schedule { base: usd(base), tiers: vec![(200_001, usd(tier))] };
    let tokens = vec![
        (TokenKind::Input, schedule("1.25", "2.5")),
        (TokenKind::Output, schedule("10", "15")),
    ];
    let sheet = Sheet::new(tokens, Vec::new());
    let below = [(TokenKind::Input, 200_000), (TokenKind::Output, 1_000)];
    assert_eq!(cost(&sheet, &below), Ok(260_000_000_000));
    // Cached tokens count.
    let above = [
        (TokenKind::Input, 200_001),
        (TokenKind::CachedInput, 200_000),
        (TokenKind::Output, 1_000),
    ];
    assert_eq!(cost(&sheet, &above), Ok(515_002_500_000));
}

#[test]
fn units_are_priced_by_their_amount_and_rounded_with_the_tokens() {
    let hour = (BilledUnit::AudioSeconds, UnitRate::new(usd("1"), 3_600).unwrap());
    let sheet = Sheet::new(vec![flat(TokenKind::Input, "0.000001")], vec![hour]);
    let counts = Counts::default().with(TokenKind::Input, 222_222);
    let second = [(BilledUnit::AudioSeconds, Quantity::whole(1))];
    // 1/3600 dollars and 222222 · 10^-12: 277999999.9999… of the smallest unit.
    assert_eq!(sheet.cost(&counts, &second), Ok(278_000_000));
    assert_eq!(sheet.cost(&counts, &[]), Ok(222_222));
    let search = [(BilledUnit::WebSearches, Quantity::whole(1))];
    assert_eq!(sheet.cost(&counts, &search), Err(NoPrice::NoUnitRate(BilledUnit::WebSearches)));
    let none = [(BilledUnit::WebSearches, Quantity::whole(0))];
    assert_eq!(sheet.cost(&counts, &none), Ok(222_222));
    let audio = Sheet::new(Vec::new(), vec![hour]);
    let nothing = Counts::default();
    assert_eq!(audio.cost(&nothing, &[]), Err(NoPrice::Unmeasured(BilledUnit::AudioSeconds)));
    assert_eq!(audio.cost(&counts, &second), Err(NoPrice::NoRate(TokenKind::Input)));
    let request = (BilledUnit::Requests, UnitRate::new(usd("5"), 1_000).unwrap());
    assert_eq!(Sheet::new(Vec::new(), vec![request]).cost(&nothing, &[]), Ok(5_000_000_000));
    assert_eq!(UnitRate::new(usd("5"), 7), None);
}

#[test]
fn a_cost_that_the_archive_cannot_hold_is_none() {
    let sheet = Sheet::new(vec![flat(TokenKind::Input, "999999.999999999999")], Vec::new());
    let cost = |tokens| cost(&sheet, &[(TokenKind::Input, tokens)]);
    assert_eq!(cost(1_000_000), Ok(COST_MAX - 1));
    assert_eq!(cost(1_000_001), Err(NoPrice::TooLarge));
    assert_eq!(cost(1_000_000_000_000), Err(NoPrice::TooLarge));
    let unit = UnitRate::new(usd("999999"), 1).unwrap();
    let sheet = Sheet::new(vec![flat(TokenKind::Input, "1")], vec![(BilledUnit::Pages, unit)]);
    let many = Quantity::parse("1e15").unwrap();
    assert_eq!(
        sheet.cost(&Counts::default(), &[(BilledUnit::Pages, many)]),
        Err(NoPrice::TooLarge)
    );
}

#[test]
fn a_half_goes_to_the_even_neighbour() {
    for (sum, quotient) in [(5, 0), (15, 2), (25, 2), (24, 2), (26, 3), (0, 0), (35, 4)] {
        assert_eq!(rounded(sum, 10), quotient, "{sum}");
    }
    let sheet = Sheet::new(vec![flat(TokenKind::Input, "0.0000005")], Vec::new());
    let costs: Vec<_> =
        (0..6).map(|tokens| cost(&sheet, &[(TokenKind::Input, tokens)]).unwrap()).collect();
    assert_eq!(costs, [0, 0, 1, 2, 2, 2]);
}

/// A fraction in lowest terms: the oracle has no other arithmetic.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Fraction(i128, i128);

impl Fraction {
    fn new(over: i128, under: i128) -> Self {
        let (mut one, mut other) = (over, under);
        while other != 0 {
            (one, other) = (other, one % other);
        }
        Self(over / one.max(1), under / one.max(1))
    }

    fn plus(self, other: Self) -> Self {
        let over = self.0 * other.1 + other.0 * self.1;
        Self::new(over, self.1 * other.1)
    }

    /// The nearest whole number, found by distance and not by a remainder.
    fn nearest(self) -> i128 {
        let below = self.0 / self.1;
        let distance = |whole: i128| (self.0 - whole * self.1).abs();
        match distance(below).cmp(&distance(below + 1)) {
            std::cmp::Ordering::Less => below,
            std::cmp::Ordering::Greater => below + 1,
            std::cmp::Ordering::Equal => below + below.rem_euclid(2),
        }
    }
}

/// Tokens of each leaf: of the input the uncached, read, written for 5 minutes and for an hour, and
/// audio; of the output the plain and the reasoning.
type SevenLeaves = [i64; 7];

fn counts(leaves: SevenLeaves) -> Counts {
    let [plain, read, written, written_1h, audio, output, reasoning] = leaves;
    Counts::default()
        .with(TokenKind::Input, plain + read + written + written_1h + audio)
        .with(TokenKind::CachedInput, read)
        .with(TokenKind::CacheWrite, written + written_1h)
        .with(TokenKind::CacheWrite1h, written_1h)
        .with(TokenKind::InputAudio, audio)
        .with(TokenKind::Output, output + reasoning)
        .with(TokenKind::Reasoning, reasoning)
}

const LEAVES: [TokenKind; 7] = [
    TokenKind::Input,
    TokenKind::CachedInput,
    TokenKind::CacheWrite,
    TokenKind::CacheWrite1h,
    TokenKind::InputAudio,
    TokenKind::Output,
    TokenKind::Reasoning,
];

fn rates() -> impl Strategy<Value = [i128; 7]> {
    prop::array::uniform7(prop_oneof![0_i128..10, 0_i128..100_000_000_000_000])
}

fn priced(rates: [i128; 7], order: &[usize]) -> Sheet {
    let tokens = order.iter().map(|at| {
        (LEAVES[*at], Schedule { base: Rate::of(rates[*at]).unwrap(), tiers: Vec::new() })
    });
    Sheet::new(tokens.collect(), Vec::new())
}

proptest! {
    #[test]
    fn a_cost_is_the_exact_sum_of_its_leaves_rounded_once(
        leaves in prop::array::uniform7(0_i64..10_000_000), rates in rates(),
        seconds in 0_i64..100_000_000, hour in 0_i128..10_000_000_000_000,
    ) {
        let sheet = priced(rates, &[0, 1, 2, 3, 4, 5, 6]);
        let mut exact = Fraction(0, 1);
        for (leaf, rate) in leaves.into_iter().zip(rates) {
            exact = exact.plus(Fraction::new(i128::from(leaf) * rate, 1_000_000));
        }
        prop_assert_eq!(sheet.cost(&counts(leaves), &[]), Ok(exact.nearest()));

        let unit = UnitRate::new(Rate::of(hour).unwrap(), 3_600).unwrap();
        let sheet = Sheet::new(sheet.tokens, vec![(BilledUnit::AudioSeconds, unit)]);
        let told = [(BilledUnit::AudioSeconds, Quantity(i128::from(seconds)))];
        let exact = exact.plus(Fraction::new(i128::from(seconds) * hour, 3_600_000_000));
        prop_assert_eq!(sheet.cost(&counts(leaves), &told), Ok(exact.nearest()));
    }

    #[test]
    fn a_million_times_the_tokens_is_the_exact_price(
        leaves in prop::array::uniform7(0_i64..100), rates in rates(), times in 1_i64..50,
    ) {
        let sheet = priced(rates, &[0, 1, 2, 3, 4, 5, 6]);
        let cost = |times: i64| sheet.cost(&counts(leaves.map(|leaf| leaf * times)), &[]);
        let million = cost(1_000_000);
        prop_assume!(million.is_ok() && cost(1_000_000 * times).is_ok());
        prop_assert_eq!(cost(1_000_000 * times), million.map(|cost| cost * i128::from(times)));
        // One call and its parts differ by less than one unit a part.
        let apart = cost(1).unwrap() * i128::from(times);
        prop_assert!((cost(times).unwrap() - apart).abs() <= i128::from(times) / 2 + 1);
    }

    #[test]
    fn leaves_add_up_in_any_order(
        leaves in prop::array::uniform7(0_i64..100), rates in rates(),
        order in Just(vec![0, 1, 2, 3, 4, 5, 6]).prop_shuffle(),
    ) {
        let leaves = leaves.map(|leaf| leaf * 1_000_000);
        let whole = priced(rates, &order).cost(&counts(leaves), &[]);
        prop_assert_eq!(&whole, &priced(rates, &[0, 1, 2, 3, 4, 5, 6]).cost(&counts(leaves), &[]));
        let mut sum = 0;
        for at in 0..7 {
            let mut only = [0; 7];
            only[at] = leaves[at];
            sum += priced(rates, &order).cost(&counts(only), &[]).unwrap();
        }
        prop_assert_eq!(whole, Ok(sum));
    }

    #[test]
    fn any_counts_are_answered(
        tokens in prop::array::uniform14(0_i64..=1_000_000_000_000), rates in rates(),
        order in prop::sample::subsequence(vec![0, 1, 2, 3, 4, 5, 6], 1..7),
    ) {
        let mut counts = Counts::default();
        for (kind, tokens) in TokenKind::ALL.into_iter().zip(tokens) {
            counts.set(kind, tokens);
        }
        if counts.check().is_ok() {
            let cost = priced(rates, &order).cost(&counts, &[]);
            prop_assert!(cost.is_err() || (0..COST_MAX).contains(&cost.unwrap()));
        }
    }
}
