//! Of several records of one call in a request, the one that tells most of it, whichever comes first.
//!
//! Two instrumentations of one program each have a record, of which one may lack the tokens. A request
//! is read as if no call had two; only where a better record follows on another is it read again.

use std::collections::HashMap;
use std::hash::BuildHasher as _;

use foldhash::fast::FixedState;

use crate::ingest::call::Call;

/// Calls that are remembered at least. Records of one call are sent close to each other.
const CALLS: usize = 1 << 16;

/// The instrumentation that providers' libraries have in them. Those around it add up what a stream
/// tells on its way.
const OF_PROVIDER: &str = "com.anthropic.sdk";

/// How much a record tells: the greater the more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Telling {
    usage: UsageTold,
    by_provider: bool,
    values: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum UsageTold {
    Odd,
    No,
    Yes,
}

/// The calls that records tell of.
#[derive(Debug, Default)]
pub(super) struct CallRecords {
    newer: BestRecords,
    older: BestRecords,
    /// The records that tell less than another one of the same call.
    worse: Vec<usize>,
    /// Whether one of them came before the other one.
    is_late: bool,
}

/// By a hash of the id of a call: the record that tells most of it.
type BestRecords = HashMap<u64, (usize, Telling), FixedState>;

impl CallRecords {
    /// Takes the call that a record tells of.
    pub(super) fn add(&mut self, index: usize, call: &Call<'_>) {
        let id = FixedState::default().hash_one(call.event_id.as_deref());
        let telling = Telling::of(call);
        let known = self.newer.get(&id).or_else(|| self.older.get(&id)).copied();
        match known {
            Some((_, best)) if best >= telling => self.worse.push(index),
            Some((earlier, _)) => {
                self.worse.push(earlier);
                self.is_late = true;
                self.put(id, (index, telling));
            }
            None => self.put(id, (index, telling)),
        }
    }

    fn put(&mut self, id: u64, record: (usize, Telling)) {
        if self.newer.len() >= CALLS {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(id, record);
    }

    /// The records to pass over when the request is read again; none if it need not be.
    pub(super) fn passed(mut self) -> Option<Vec<usize>> {
        self.worse.sort_unstable();
        self.is_late.then_some(self.worse)
    }
}

impl Telling {
    fn of(call: &Call<'_>) -> Self {
        let usage = match &call.usage {
            usage if usage.is_odd() => UsageTold::Odd,
            usage if usage.is_some() => UsageTold::Yes,
            _ => UsageTold::No,
        };
        let source = call.source.as_deref().unwrap_or_default();
        let values = u16::try_from(call.values()).unwrap_or(u16::MAX);
        Self { usage, by_provider: source.starts_with(OF_PROVIDER), values }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::tokens::{TokenCount, Usage};

    fn call(id: &str, source: &'static str, input: Option<i64>) -> Call<'static> {
        let usage = Usage { input: input.map(TokenCount::Known), ..Usage::default() };
        let (event_id, source) = (Some(id.to_owned().into()), Some(source.into()));
        Call { event_id, source, usage, ..Call::default() }
    }

    fn passed(calls: &[Call<'_>]) -> Option<Vec<usize>> {
        let mut records = CallRecords::default();
        calls.iter().enumerate().for_each(|(index, call)| records.add(index, call));
        records.passed()
    }

    #[test]
    fn the_record_that_tells_most_is_taken() {
        let [none, usage] = [call("a", "s", None), call("a", "s", Some(5))];
        let (zero, other) = (call("a", "s", Some(0)), call("b", "s", None));
        let odd = Usage { input: Some(TokenCount::Odd("x".into())), ..Usage::default() };
        let odd = Call { usage: odd, ..none.clone() };
        let library = call("a", "com.anthropic.sdk.python", Some(5));
        let more = Call { model: Some("m".into()), ..usage.clone() };
        for (worse, better) in
            [(&none, &usage), (&zero, &usage), (&odd, &none), (&more, &library), (&usage, &more)]
        {
            let calls = [worse.clone(), other.clone(), better.clone()];
            assert_eq!(passed(&calls), Some(vec![0]), "{worse:?}");
            assert_eq!(passed(&[better.clone(), other.clone(), worse.clone()]), None, "{worse:?}");
        }
        assert_eq!(passed(&[usage.clone(), usage.clone()]), None);
        assert_eq!(
            passed(&[none.clone(), usage.clone(), none, more, usage]),
            Some(vec![0, 1, 2, 4])
        );
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut records = CallRecords::default();
        for number in 0..5 * CALLS {
            records.add(number, &call(&number.to_string(), "s", None));
            assert!(records.newer.len() <= CALLS && records.older.len() <= CALLS);
        }
        let first_known = 3 * CALLS;
        for number in [first_known, 0] {
            records.add(5 * CALLS, &call(&number.to_string(), "s", Some(1)));
        }
        assert_eq!(records.passed(), Some(vec![first_known]));
    }
}
