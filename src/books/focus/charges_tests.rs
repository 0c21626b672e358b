//! Tests of charges: what becomes of the cells of a day.

use proptest::prelude::*;

use super::*;
use crate::pricing::builtin;

const NOON: Micros = 1_793_664_000_000_000;

fn cell(charge: Charge, source: Option<&str>, tokens: [i128; 5], cost: i128) -> ChargeCell {
    let [input, cached, written, output, reasoning] = tokens;
    let calls = i128::from(charge == Charge::Calls);
    ChargeCell {
        org_id: "acme".into(),
        value: None,
        provider: Some("openai".into()),
        model: Some("gpt-4o-mini".into()),
        cost_source: source.map(Arc::from),
        charge,
        requests: calls,
        input_tokens: input,
        output_tokens: output,
        cached_input_tokens: cached,
        cache_write_tokens: written,
        reasoning_tokens: reasoning,
        cost,
        unpriced: if source.is_none() { calls } else { 0 },
    }
}

fn prices() -> Prices {
    Prices::new(vec![Arc::new(builtin().unwrap())])
}

/// What was consumed, cost, price of a unit, calls without a price.
type ShownCharge = (Option<(&'static str, i128)>, i128, Option<i128>, i128);

fn shown(cells: &[ChargeCell]) -> Vec<ShownCharge> {
    let prices = prices();
    let charges = charges(cells, &mut PricedRules::of(&prices), NOON);
    let shown = charges.iter().map(|charge| {
        let consumed = charge.consumed.map(|(meter, quantity)| (meter.id(), quantity));
        (consumed, charge.cost, charge.unit_price, charge.unpriced)
    });
    shown.collect()
}

#[test]
fn a_cost_is_divided_by_the_rates_of_its_rule() {
    let table = prices().tables()[0].name().to_owned();
    let source = format!("price:{table}#openai/gpt-4o-mini");
    // 9 at 0.15, 4 at 0.075 and 9 at 0.6 dollars a million.
    let found = shown(&[cell(Charge::Calls, Some(&source), [13, 4, 0, 9, 0], 7_050_000)]);
    let unit = 1_000_000_000;
    assert_eq!(
        found,
        [
            (Some(("input", 9)), 1_350_000, Some(150 * unit), 0),
            (Some(("cached_input", 4)), 300_000, Some(75 * unit), 0),
            (Some(("output", 9)), 5_400_000, Some(600 * unit), 0),
        ]
    );
}

#[test]
fn a_reported_cost_is_divided_by_list_prices_and_an_unknown_model_by_tokens() {
    let mut known = cell(Charge::Calls, Some("reported"), [10, 0, 0, 10, 0], 500);
    let found = shown(&[known.clone()]);
    assert_eq!((found[0].1, found[1].1), (100, 400));
    known.model = Some("ours".into());
    let found = shown(&[known]);
    assert_eq!((found[0].1, found[1].1), (250, 250));
    assert_eq!(found[0].2, Some(25_000_000));
}

#[test]
fn what_has_no_price_is_counted_and_costs_nothing() {
    let found = shown(&[cell(Charge::Calls, None, [5, 0, 0, 5, 0], 0)]);
    assert_eq!(found, [(Some(("input", 5)), 0, None, 1), (Some(("output", 5)), 0, None, 0)]);
    let found = shown(&[cell(Charge::Calls, None, [0; 5], 0)]);
    assert_eq!(found, [(Some(("requests", 1)), 0, None, 1)]);
    let found = shown(&[cell(Charge::Calls, Some("reported"), [0; 5], 7)]);
    assert_eq!(found, [(Some(("requests", 1)), 7, Some(7), 0)]);
}

#[test]
fn corrections_are_divided_and_late_ones_stand_alone() {
    let mut later = cell(Charge::LateCorrection, Some("reported"), [0; 5], -3);
    later.unpriced = -1;
    let found = shown(&[
        cell(Charge::Calls, None, [10, 0, 0, 10, 0], 0),
        cell(Charge::Correction, Some("reported"), [0; 5], 50),
        later,
    ]);
    assert_eq!(
        found,
        [
            (Some(("input", 10)), 10, Some(1_000_000), 0),
            (Some(("output", 10)), 40, Some(4_000_000), 0),
            (None, -3, None, 0),
        ]
    );
}

fn cells() -> impl Strategy<Value = Vec<ChargeCell>> {
    let tokens = (0_i128..100_000, 0_i128..100_000, 0_i128..100_000, 0_i128..9_000, 0_i128..9_000);
    let names = (0..3_usize, prop_oneof![Just("gpt-4o-mini"), Just("ours")], any::<bool>());
    let one = (names, tokens, 0_i128..1 << 70, any::<bool>());
    prop::collection::vec(one, 0..8).prop_map(|all| {
        let all = all.into_iter().map(|((charge, model, priced), tokens, cost, unknown)| {
            let charge = [Charge::Calls, Charge::Correction, Charge::LateCorrection][charge];
            let (input, cached, written, output, reasoning) = tokens;
            let tokens = match charge {
                Charge::Calls => {
                    [input, cached.min(input), written.min(input), output, reasoning.min(output)]
                }
                _ => [0; 5],
            };
            let is_call = charge == Charge::Calls;
            let cost = match (is_call, priced) {
                (true, true) => cost,
                (true, false) => 0,
                (false, positive) => {
                    if positive {
                        cost
                    } else {
                        -cost
                    }
                }
            };
            let source = (!is_call || priced).then_some("reported");
            let mut cell = cell(charge, source, tokens, cost);
            cell.model = (!unknown).then(|| model.into());
            cell
        });
        all.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn charges_add_up_to_costs_tokens_and_calls_without_a_price(cells in cells()) {
        let prices = prices();
        let charges = charges(&cells, &mut PricedRules::of(&prices), NOON);
        let of_model = |model: &Option<Arc<str>>| {
            let cells = cells.iter().filter(|cell| cell.model == *model);
            let charges = charges.iter().filter(|charge| charge.key.model == *model);
            let tokens = |charge: &DayCharge| match charge.consumed {
                Some((meter, quantity)) if meter != Meter::Requests => quantity,
                _ => 0,
            };
            (
                cells.clone().map(|cell| cell.cost).sum::<i128>(),
                cells.clone().map(|cell| cell.input_tokens + cell.output_tokens).sum::<i128>(),
                cells.map(|cell| cell.unpriced).sum::<i128>(),
                charges.clone().map(|charge| charge.cost).sum::<i128>(),
                charges.clone().map(tokens).sum::<i128>(),
                charges.map(|charge| charge.unpriced).sum::<i128>(),
            )
        };
        for cell in &cells {
            let (cost, tokens, unpriced, billed, consumed, counted) = of_model(&cell.model);
            prop_assert_eq!((cost, tokens, unpriced), (billed, consumed, counted));
        }
    }
}
