//! Costs of rolling windows, with the instant at which they may change: until then nobody adds them up again.

use std::sync::Arc;

use crate::clock::Micros;

/// A cost up to an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CostUntil {
    /// In units of 10⁻¹² dollars.
    pub cost: i128,
    /// The first later instant that may have another cost; [`Micros::MAX`] if none has.
    pub changes: Micros,
}

impl CostUntil {
    /// One that no later instant changes.
    pub fn for_ever(cost: i128) -> Self {
        Self { cost, changes: Micros::MAX }
    }
}

/// The costs of several windows that end at the same instant.
#[derive(Debug)]
pub struct WindowCosts {
    costs: Arc<[i128]>,
    from: Micros,
    changes: Micros,
}

impl WindowCosts {
    /// Of windows that end at `now`; `None` if one of them is not known. If they are what `last` has,
    /// its memory is shared.
    pub fn of(
        windows: impl Iterator<Item = Option<CostUntil>>,
        now: Micros,
        last: Option<&Self>,
    ) -> Option<Self> {
        let mut changes = Micros::MAX;
        let costs = windows.map(|window| {
            let window = window?;
            changes = changes.min(window.changes);
            Some(window.cost)
        });
        let costs: Vec<_> = costs.collect::<Option<_>>()?;
        let same = last.map(|last| &last.costs).filter(|last| ***last == *costs);
        let costs = same.cloned().unwrap_or_else(|| costs.into());
        Some(Self { costs, from: now, changes })
    }

    /// Those of windows that end at `now`, if these are the same.
    pub fn at(&self, now: Micros) -> Option<&Arc<[i128]>> {
        (self.from..self.changes).contains(&now).then_some(&self.costs)
    }
}
