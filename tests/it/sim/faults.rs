//! The faults of requests. Each is drawn from the history's seed, the process and the request, so
//! that it does not depend on the order of the process's requests.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use crate::stores::{Op, Verb};
use crate::support::random::Random;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// 503 SlowDown, or no connection: nothing happens.
    Refused,
    /// It happens; an error is the answer.
    AnswerLost,
    /// It happens, the answer is lost, and the store's own retry finds the object.
    FoundOwn,
    /// An error is the answer, and it happens so much later.
    Late(Duration),
    /// A read gives half of the bytes, then an error.
    BrokenOff,
    /// The way there takes seconds.
    SlowThere,
    /// The way back does.
    SlowBack,
}

/// How a request fares.
#[derive(Debug, Clone, Copy)]
pub struct Fate {
    pub there: Duration,
    pub back: Duration,
    pub fault: Option<Fault>,
}

/// The fates of the requests of one process.
#[derive(Debug)]
pub struct Fates {
    seed: u64,
    asked: Mutex<HashMap<(Verb, String), u64>>,
}

impl Fates {
    pub fn new(seed: u64) -> Self {
        Self { seed, asked: Mutex::default() }
    }

    /// The fate of the next request of this kind, of which so many in a thousand fail.
    pub fn next(&self, op: &Op, failing: u64) -> Fate {
        let kind = (op.verb, kind_of(op.path.as_ref()));
        let mut seed = hash(self.seed, &format!("{kind:?}"));
        let mut asked = self.asked.lock().unwrap();
        let asked = asked.entry(kind).or_default();
        *asked += 1;
        seed = seed.wrapping_add(asked.wrapping_mul(0x2545_F491_4F6C_DD1D));
        let mut random = Random(seed);
        let fault = (random.below(1_000) < failing).then(|| fault(op, &mut random));
        let (mut there, mut back) = (way(&mut random), way(&mut random));
        let slow = Duration::from_millis(1_000 + random.below(12_000));
        match fault {
            Some(Fault::SlowThere) => there = slow,
            Some(Fault::SlowBack) => back = slow,
            // Half of all lost answers are waited for.
            Some(Fault::AnswerLost) if random.below(2) == 0 => back = slow,
            _ => {}
        }
        Fate { there, back, fault }
    }
}

fn way(random: &mut Random) -> Duration {
    let most = if random.below(20) == 0 { 400 } else { 12 };
    Duration::from_millis(random.below(most))
}

fn fault(op: &Op, random: &mut Random) -> Fault {
    let late = match random.below(6) {
        0 => 60_000,
        1 | 2 => 9_000,
        _ => 600,
    };
    let late = Duration::from_millis(random.below(late));
    let dice = random.below(100);
    match op.verb {
        Verb::Put | Verb::Delete => match dice {
            0..25 => Fault::Refused,
            25..45 => Fault::AnswerLost,
            45..60 if op.verb == Verb::Put => Fault::FoundOwn,
            45..80 => Fault::Late(late),
            80..90 => Fault::SlowThere,
            _ => Fault::SlowBack,
        },
        _ => match dice {
            0..40 => Fault::Refused,
            40..70 => Fault::BrokenOff,
            70..85 => Fault::SlowThere,
            _ => Fault::SlowBack,
        },
    }
}

/// A path without what is random in it.
fn kind_of(path: &str) -> String {
    let folder = path.split('/').next().unwrap_or_default();
    match folder {
        "events" if path.contains("_delta_log") => path.to_owned(),
        "events" => path.rsplit_once('/').map_or(path, |(folder, _)| folder).to_owned(),
        "checkpoints" => {
            let version = path.rsplit('/').next().and_then(|name| name.get(..20));
            let version = version.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
            format!("{folder}/{}", version.unwrap_or_default())
        }
        _ => folder.to_owned(),
    }
}

/// FNV-1a.
fn hash(seed: u64, text: &str) -> u64 {
    let start = seed ^ 0xcbf2_9ce4_8422_2325;
    text.bytes().fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
