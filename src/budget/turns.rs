//! The messages that a process watches, and whose turn it is: a few of each organisation, so that the slow
//! receivers of one keep nobody else waiting, and those that were never tried before those that were.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::crossing::Crossing;

/// Messages that are tried at a time.
const TRIES_MAX: usize = 32;
/// Those of one organisation.
const TRIES_OF_ORG_MAX: usize = 4;

/// A message that is watched.
#[derive(Debug, Clone)]
pub(super) struct Watched {
    pub(super) crossing: Arc<Crossing>,
    /// Since when, in elapsed time.
    pub(super) since: Duration,
    /// The tries that were known then.
    pub(super) attempts: Option<String>,
    /// When it is tried from here, in elapsed time.
    pub(super) due: Duration,
    /// Whether the last try that failed was made here, so that its mark is not another process's.
    pub(super) is_tried_here: bool,
    pub(super) is_running: bool,
}

impl Watched {
    pub(super) fn new(crossing: Arc<Crossing>, since: Duration, due: Duration) -> Self {
        Self { crossing, since, attempts: None, due, is_tried_here: false, is_running: false }
    }

    fn was_tried(&self) -> bool {
        self.is_tried_here || self.attempts.is_some()
    }
}

/// Gives turns to messages that are due: they run until they were tried.
pub(super) fn take_turns(
    watched: &mut BTreeMap<String, Watched>,
    now: Duration,
) -> Vec<Arc<Crossing>> {
    let mut running: HashMap<String, usize> = HashMap::new();
    for one in watched.values().filter(|one| one.is_running) {
        *running.entry(one.crossing.org_id.clone()).or_default() += 1;
    }
    let left = TRIES_MAX.saturating_sub(running.values().sum());
    let due = watched.values_mut().filter(|one| !one.is_running && one.due <= now);
    let mut due: Vec<_> = due.collect();
    let of_org = |one: &Watched| running.get(&one.crossing.org_id).copied().unwrap_or(0);
    due.sort_by_key(|one| (one.was_tried(), of_org(one), one.due));
    let mut taken = Vec::new();
    for one in due {
        if taken.len() == left {
            break;
        }
        let running = running.entry(one.crossing.org_id.clone()).or_default();
        if *running < TRIES_OF_ORG_MAX {
            *running += 1;
            one.is_running = true;
            taken.push(one.crossing.clone());
        }
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::crossing::tests::crossing;

    const NOW: Duration = Duration::from_secs(100);

    fn watched(org: &str, threshold: u32) -> (String, Watched) {
        let crossing = Crossing { org_id: org.to_owned(), threshold, ..crossing() };
        let due = NOW - Duration::from_secs(threshold.into());
        (format!("{org} {threshold}"), Watched::new(Arc::new(crossing), due, due))
    }

    fn turns(all: &mut BTreeMap<String, Watched>) -> Vec<(String, u32)> {
        let taken = take_turns(all, NOW);
        taken.iter().map(|one| (one.org_id.clone(), one.threshold)).collect()
    }

    #[test]
    fn an_organisation_has_its_share_of_turns_while_others_wait_for_theirs() {
        let mut all: BTreeMap<_, _> = (2..90).map(|at| watched("evil", at)).collect();
        assert_eq!(turns(&mut all).len(), TRIES_OF_ORG_MAX);
        assert_eq!(turns(&mut all), [], "all of them run");
        all.extend([watched("victim", 1)]);
        assert_eq!(turns(&mut all), [("victim".to_owned(), 1)]);
        all.extend((0..20).map(|at| watched(&format!("more-{at}"), 1)));
        all.extend((0..20).map(|at| watched(&format!("more-{at}"), 2)));
        assert_eq!(turns(&mut all).len(), TRIES_MAX - TRIES_OF_ORG_MAX - 1);
    }

    #[test]
    fn what_was_never_tried_comes_first() {
        let mut all: BTreeMap<_, _> = (2..40).map(|at| watched(&format!("o{at}"), at)).collect();
        all.values_mut().for_each(|one| one.attempts = Some("1".to_owned()));
        all.extend([watched("new", 1)]);
        let taken = turns(&mut all);
        assert_eq!((taken.len(), &taken[0]), (TRIES_MAX, &("new".to_owned(), 1)));
        assert_eq!(taken[1], ("o39".to_owned(), 39), "then what is due for longest");
    }
}
