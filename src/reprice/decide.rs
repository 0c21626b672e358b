//! Which correction follows from an event, its earlier corrections and a price. No I/O.

/// Who gave an event that came without a cost its price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum PricedBy {
    /// A table, by an earlier reprice.
    Table,
    /// Somebody who sent a correction.
    Report,
}

/// One correction of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Correction {
    /// What it adds, in 10^-12 dollars.
    pub(super) units: i128,
    /// Its place among those that a reprice made; none if none did.
    pub(super) ordinal: Option<u32>,
    /// Who gave the event its price, if it had none before.
    pub(super) prices: Option<PricedBy>,
}

/// What all corrections of an event come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct EarlierCorrections {
    units: i128,
    next: u32,
    priced: Option<PricedBy>,
}

/// The cost that an event came with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OwnCost {
    /// In 10^-12 dollars; none if it came without.
    pub(super) units: Option<i128>,
    /// Whether a table told it.
    pub(super) is_of_table: bool,
}

/// A correction to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Difference {
    /// What it adds, in 10^-12 dollars.
    pub(super) units: i128,
    /// Its place among those that a reprice makes.
    pub(super) ordinal: u32,
    /// Whether the event has no price before it.
    pub(super) was_unpriced: bool,
}

impl EarlierCorrections {
    /// Takes in one more. The order does not matter.
    pub(super) fn add(&mut self, correction: Correction) {
        self.units = self.units.saturating_add(correction.units);
        if let Some(ordinal) = correction.ordinal {
            self.next = self.next.max(ordinal.saturating_add(1));
        }
        self.priced = self.priced.max(correction.prices);
    }
}

impl OwnCost {
    fn is_unpriced(self, earlier: &EarlierCorrections) -> bool {
        self.units.is_none() && earlier.priced.is_none()
    }

    /// Whether the event is to get the price of a table: it has none yet; or, of `all`, a table has told
    /// the one that it has.
    pub(super) fn is_due(self, earlier: &EarlierCorrections, all: bool) -> bool {
        match (self.units, earlier.priced) {
            (Some(_), _) => all && self.is_of_table,
            (None, Some(by)) => all && by == PricedBy::Table,
            (None, None) => true,
        }
    }

    /// The correction by which the event comes to cost `price`; none if it does already. An event without
    /// a price gets one, even of 0.
    pub(super) fn corrected_to(
        self,
        price: i128,
        earlier: &EarlierCorrections,
    ) -> Option<Difference> {
        let had = self.units.unwrap_or_default().saturating_add(earlier.units);
        let units = price.saturating_sub(had);
        let was_unpriced = self.is_unpriced(earlier);
        let ordinal = earlier.next;
        (units != 0 || was_unpriced).then_some(Difference { units, ordinal, was_unpriced })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn own() -> impl Strategy<Value = OwnCost> {
        (prop::option::of(0..1_000_i128), any::<bool>())
            .prop_map(|(units, told)| OwnCost { units, is_of_table: told && units.is_some() })
    }

    fn reports() -> impl Strategy<Value = Vec<Correction>> {
        let prices = prop::option::weighted(0.2, Just(PricedBy::Report));
        let one = (-500..500_i128, prices);
        let one = one.prop_map(|(units, prices)| Correction { units, ordinal: None, prices });
        prop::collection::vec(one, 0..4)
    }

    /// A reprice of one event by a table; the corrections that it has are a set by their ordinals.
    fn reprice(own: OwnCost, known: &[Correction], price: i128, all: bool) -> Option<Correction> {
        let mut earlier = EarlierCorrections::default();
        known.iter().for_each(|correction| earlier.add(*correction));
        let made = own.is_due(&earlier, all).then(|| own.corrected_to(price, &earlier))??;
        let prices = made.was_unpriced.then_some(PricedBy::Table);
        Some(Correction { units: made.units, ordinal: Some(made.ordinal), prices })
    }

    fn net(own: OwnCost, all: &[Correction]) -> i128 {
        own.units.unwrap_or_default() + all.iter().map(|one| one.units).sum::<i128>()
    }

    fn priced_later(all: &[Correction]) -> usize {
        all.iter().filter(|one| one.prices == Some(PricedBy::Table)).count()
    }

    proptest! {
        #[test]
        fn twice_is_once_and_the_last_table_decides(
            own in own(), reports in reports(), prices in prop::collection::vec(0..1_000_i128, 1..6),
        ) {
            let mut known = reports;
            let due = reprice(own, &known, i128::MAX / 2, true).is_some();
            for price in prices {
                known.extend(reprice(own, &known, price, true));
                prop_assert_eq!(reprice(own, &known, price, true), None);
                prop_assert_eq!(reprice(own, &known, price, false), None);
                if due {
                    prop_assert_eq!(net(own, &known), price);
                }
                let mut ordinals: Vec<_> = known.iter().filter_map(|one| one.ordinal).collect();
                ordinals.dedup();
                prop_assert_eq!(ordinals, (0..known.iter().filter(|one| one.ordinal.is_some()).count() as u32).collect::<Vec<_>>());
                prop_assert!(priced_later(&known) <= usize::from(own.units.is_none()));
            }
        }

        /// Runs that know the same make one id, of which the table keeps the first.
        #[test]
        fn of_runs_beside_each_other_one_counts(
            own in own(), reports in reports(), one in 0..1_000_i128, other in 0..1_000_i128, late: bool,
        ) {
            let [first, second] = [one, other].map(|price| reprice(own, &reports, price, true));
            if let (Some(first), Some(second)) = (first, second) {
                prop_assert_eq!(first.ordinal, second.ordinal);
            }
            let mut known = reports;
            known.extend(if late { second.or(first) } else { first.or(second) });
            known.extend(reprice(own, &known, other, true));
            if first.or(second).is_some() {
                prop_assert_eq!(net(own, &known), other);
            }
        }

        #[test]
        fn what_somebody_reported_stays(units in 0..1_000_i128, price in 0..1_000_i128, all: bool) {
            let own = OwnCost { units: Some(units), is_of_table: false };
            prop_assert_eq!(reprice(own, &[], price, all), None);
            let report = Correction { units, ordinal: None, prices: Some(PricedBy::Report) };
            let own = OwnCost { units: None, is_of_table: false };
            prop_assert_eq!(reprice(own, &[report], price, all), None);
        }
    }

    #[test]
    fn a_price_of_nothing_is_a_correction_of_nothing_once() {
        let own = OwnCost { units: None, is_of_table: false };
        let made = reprice(own, &[], 0, false).unwrap();
        assert_eq!((made.units, made.ordinal, made.prices), (0, Some(0), Some(PricedBy::Table)));
        assert_eq!(reprice(own, &[made], 0, true), None);
        assert_eq!(reprice(own, &[made], 5, false), None);
        assert_eq!(reprice(own, &[made], 5, true).unwrap().units, 5);
    }
}
