//! The times of synthetic events: every day has its busy hours, and weekends are quiet.

use crate::clock::{DAY, HOUR, Micros, SECOND};

/// The length of a slot, within which events are spread evenly.
const SLOT: Micros = 60 * SECOND;

/// The relative load of each hour of a day, in UTC.
const HOURS: [u64; 24] =
    [4, 3, 2, 2, 2, 3, 4, 6, 9, 12, 13, 13, 12, 13, 15, 16, 15, 14, 12, 10, 8, 7, 6, 5];
/// 1970-01-01 was the fifth day of a week that begins on a Sunday.
const FIRST_WEEKDAY: Micros = 4;

/// The times of a number of events, rising.
#[derive(Debug)]
pub(super) struct Calendar {
    start: Micros,
    events: u64,
    /// The sum of the loads of all slots up to and including each.
    busy: Vec<u64>,
}

/// A short span of time and the events in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimeSlot {
    start: Micros,
    /// The number of the first event.
    first: u64,
    /// The number of the first event after it.
    end: u64,
}

impl Calendar {
    /// Spreads `events` over the `days` before `until`.
    pub(super) fn new(events: u64, days: u32, until: Micros) -> Self {
        let start = until - Micros::from(days) * DAY;
        let times = std::iter::successors(Some(start), |time| Some(time + SLOT));
        let mut sum = 0;
        let busy = times.take_while(|time| *time < until).map(|time| {
            sum += busy_at(time);
            sum
        });
        Self { start, events, busy: busy.collect() }
    }

    /// The events from number `first` on, each with its slot.
    pub(super) fn events(&self, first: u64) -> impl Iterator<Item = (u64, TimeSlot)> {
        self.slots().filter(move |slot| slot.end > first).flat_map(move |slot| {
            (slot.first.max(first)..slot.end).map(move |number| (number, slot))
        })
    }

    fn slots(&self) -> impl Iterator<Item = TimeSlot> {
        let total = u128::from(self.busy.last().copied().unwrap_or(1));
        let starts = std::iter::successors(Some(self.start), |time| Some(time + SLOT));
        let mut first = 0;
        starts.zip(&self.busy).map(move |(start, busy)| {
            let end = u128::from(self.events) * u128::from(*busy) / total;
            let end = u64::try_from(end).unwrap_or(u64::MAX);
            TimeSlot { start, first: std::mem::replace(&mut first, end), end }
        })
    }
}

impl TimeSlot {
    /// The time of event `number`. For any `random`, times are in the order of numbers.
    pub(super) fn time_of(&self, number: u64, random: u64) -> Micros {
        let slot = SLOT.unsigned_abs();
        let offset =
            ((number - self.first) * slot + random % slot) / (self.end - self.first).max(1);
        self.start + Micros::try_from(offset).unwrap_or(SLOT - 1)
    }
}

fn busy_at(time: Micros) -> u64 {
    let hour = usize::try_from(time.rem_euclid(DAY) / HOUR).unwrap_or_default();
    let weekday = (time.div_euclid(DAY) + FIRST_WEEKDAY).rem_euclid(7);
    let busy = HOURS.get(hour).copied().unwrap_or(1);
    if matches!(weekday, 0 | 6) { busy } else { busy * 3 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-15T10:00:30.000007Z, a Thursday.
    const UNTIL: Micros = 1_768_471_230_000_007;

    fn times(events: u64, days: u32) -> Vec<Micros> {
        let calendar = Calendar::new(events, days, UNTIL);
        let random = |number: u64| number.wrapping_mul(0x9e37_79b9);
        calendar.events(0).map(|(number, slot)| slot.time_of(number, random(number))).collect()
    }

    #[test]
    fn all_events_happen_in_time_and_in_order() {
        for (events, days) in [(1, 1), (10, 90), (50_000, 3), (100_000, 90)] {
            let times = times(events, days);
            assert_eq!(times.len() as u64, events);
            assert!(times.is_sorted());
            assert!(times[0] >= UNTIL - Micros::from(days) * DAY);
            assert!(*times.last().unwrap() < UNTIL);
        }
    }

    #[test]
    fn a_later_start_passes_over_events_and_changes_none() {
        let calendar = Calendar::new(50_000, 3, UNTIL);
        let of = |first| calendar.events(first).map(|(number, slot)| (number, slot.start));
        let all: Vec<_> = of(0).collect();
        for first in [0, 1, 77, 25_000, 49_999, 50_000] {
            assert!(of(first).eq(all.iter().copied().skip(first as usize)), "from {first}");
        }
    }

    #[test]
    fn afternoons_of_working_days_are_busy() {
        let times = times(100_000, 90);
        let share = |keep: &dyn Fn(Micros) -> bool| times.iter().filter(|t| keep(**t)).count();
        let night = share(&|time| (1..5).contains(&(time.rem_euclid(DAY) / HOUR)));
        let day = share(&|time| (13..17).contains(&(time.rem_euclid(DAY) / HOUR)));
        assert!(day > 5 * night, "{day} by day, {night} by night");
        let weekend = share(&|time| busy_at(time) == HOURS[0] && time.rem_euclid(DAY) < HOUR);
        let workday = share(&|time| busy_at(time) == 3 * HOURS[0] && time.rem_euclid(DAY) < HOUR);
        assert!(workday > 6 * weekend, "{workday} and {weekend}");
        assert!(share(&|time| time > UNTIL - DAY) > 500);
    }
}
