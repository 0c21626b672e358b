//! Divides a cost by weights, so that the shares add up to it exactly.

use arrow::datatypes::i256;

/// The shares of a cost by weights that are not negative: each is the exact share rounded toward 0, and
/// what is left goes, unit by unit, to those with the largest remainders, of equal ones to the first.
/// Without any weight the last one has all of it.
pub(super) fn shares(cost: i128, weights: &[i128]) -> Vec<i128> {
    let total = weights.iter().fold(0_i128, |sum, weight| sum.saturating_add(*weight));
    let mut shares = vec![0; weights.len()];
    if total <= 0 {
        if let Some(last) = shares.last_mut() {
            *last = cost;
        }
        return shares;
    }
    let (amount, sign) = (cost.abs(), cost.signum());
    let mut remainders = Vec::with_capacity(weights.len());
    for (at, (share, weight)) in shares.iter_mut().zip(weights).enumerate() {
        let (whole, rest) = divided(amount, *weight, total);
        *share = whole;
        remainders.push((std::cmp::Reverse(rest), at));
    }
    let mut left = amount - shares.iter().sum::<i128>();
    remainders.sort_unstable();
    // Fewer are left than there are remainders.
    for (_, at) in remainders {
        if left == 0 {
            break;
        }
        if let Some(share) = shares.get_mut(at) {
            *share += 1;
            left -= 1;
        }
    }
    shares.iter().map(|share| share * sign).collect()
}

/// `amount` · `weight` / `total`, and the remainder; `weight` is at most `total`.
fn divided(amount: i128, weight: i128, total: i128) -> (i128, i128) {
    if let Some(product) = amount.checked_mul(weight) {
        return (product / total, product % total);
    }
    let [amount, weight, total] = [amount, weight, total].map(i256::from_i128);
    // Two numbers of 127 bits have a product of 254.
    let product = amount.wrapping_mul(weight);
    let whole = product.checked_div(total).and_then(i256::to_i128).unwrap_or_default();
    let rest = product.checked_rem(total).and_then(i256::to_i128).unwrap_or_default();
    (whole, rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_left_goes_to_the_largest_remainders() {
        assert_eq!(shares(10, &[1, 1, 1]), [4, 3, 3]);
        assert_eq!(shares(-10, &[1, 1, 1]), [-4, -3, -3]);
        assert_eq!(shares(10, &[0, 5, 6]), [0, 5, 5]);
        assert_eq!(shares(2, &[1, 3, 3]), [0, 1, 1]);
        assert_eq!(shares(7, &[0, 0]), [0, 7]);
        assert_eq!(shares(0, &[3, 4]), [0, 0]);
    }

    proptest! {
        #[test]
        fn shares_add_up_and_are_within_a_unit_of_the_exact_ones(
            cost in -(1_i128 << 90)..1 << 90,
            weights in prop::collection::vec(0_i128..1 << 110, 1..7),
        ) {
            let found = shares(cost, &weights);
            prop_assert_eq!(found.iter().sum::<i128>(), cost);
            let total = weights.iter().sum::<i128>();
            prop_assume!(total > 0);
            for (share, weight) in found.iter().zip(&weights) {
                let (whole, rest) = divided(cost.abs(), *weight, total);
                prop_assert!(rest >= 0 && rest < total);
                prop_assert!((whole..=whole + 1).contains(&share.abs()), "{} {}", share, whole);
                prop_assert!(*weight > 0 || *share == 0);
            }
        }
    }
}
