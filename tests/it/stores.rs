//! Store wrappers for tests: one records every request, another makes requests fail as storage
//! does.
//!
//! Both see the caller's requests to the store that they wrap: wrap the archive's store to see
//! paths as the archive writes them. Wrappers nest.

mod hooked;
mod switched;
#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore, PutMode, PutOptions};

use hooked::{Hook, Hooked};
pub use switched::{Switch, SwitchedStore, SwitchingStore, copy_of};

/// What a request does. A rename is a copy and a delete, as on S3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// A put of a whole object.
    Put,
    /// The start of an upload in parts, and its end, which makes the object.
    PutMultipart,
    CompleteMultipart,
    Get,
    Head,
    /// Several ranges of one object in one call.
    GetRanges,
    /// One object; a bulk delete counts each.
    Delete,
    List,
    ListWithDelimiter,
    /// The path is the target's.
    Copy,
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Op {
    pub verb: Verb,
    /// The object, or the prefix of a listing.
    pub path: Path,
    /// The byte ranges asked for; none is the whole object.
    pub ranges: Vec<GetRange>,
}

impl Op {
    fn new(verb: Verb, path: &Path) -> Self {
        Self { verb, path: path.clone(), ranges: Vec::new() }
    }

    fn list(verb: Verb, prefix: Option<&Path>) -> Self {
        Self::new(verb, prefix.unwrap_or(&Path::ROOT))
    }

    fn get(path: &Path, options: &GetOptions) -> Self {
        let verb = if options.head { Verb::Head } else { Verb::Get };
        Self { verb, path: path.clone(), ranges: options.range.iter().cloned().collect() }
    }

    fn get_ranges(path: &Path, ranges: &[Range<u64>]) -> Self {
        let ranges = ranges.iter().cloned().map(GetRange::Bounded).collect();
        Self { verb: Verb::GetRanges, path: path.clone(), ranges }
    }

    /// Whether it changes the store.
    pub fn is_write(&self) -> bool {
        use Verb::{CompleteMultipart, Copy, Delete, Put};
        matches!(self.verb, Put | CompleteMultipart | Delete | Copy)
    }
}

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing happens; an error is the answer.
    FailBefore,
    /// It happens; an error is the answer.
    FailAfter,
    /// It happens, the answer is lost, and the store's own retry finds the object: AlreadyExists.
    ExistsAfter,
    /// It happens after this time.
    Delay(Duration),
    /// It happens at once; the answer comes after this time.
    SlowAnswer(Duration),
    /// The process dies before it happens: this request and all later ones fail.
    CrashBefore,
    /// The process dies after it happened: this request and all later ones fail.
    CrashAfter,
    /// A read gives half of the bytes.
    Truncate,
    /// A read gives the right number of bytes, the one in the middle flipped.
    Damage,
}

/// Records every request.
pub type CountingStore = Hooked<Recorder>;

#[derive(Debug, Default)]
pub struct Recorder(Mutex<Vec<Op>>);

impl Hook for Recorder {
    fn meet(&self, op: &Op) -> Option<Fault> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(op.clone());
        None
    }
}

impl CountingStore {
    pub fn new(inner: Arc<dyn ObjectStore>) -> Arc<Self> {
        Arc::new(Self::with_hook(inner, Recorder::default()))
    }

    /// The requests since the last call, in the order in which they were made.
    pub fn take(&self) -> Vec<Op> {
        std::mem::take(&mut *self.hook().0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Fails the requests that a closure chooses.
pub type FaultyStore = Hooked<Faults>;

type Choose = dyn Fn(&Op) -> Option<Fault> + Send + Sync;

pub struct Faults {
    choose: Box<Choose>,
    crashed: AtomicBool,
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Faults {{ crashed: {:?} }}", self.crashed)
    }
}

impl Hook for Faults {
    fn meet(&self, op: &Op) -> Option<Fault> {
        if self.crashed.load(Ordering::SeqCst) {
            return Some(Fault::CrashBefore);
        }
        let fault = (self.choose)(op);
        if matches!(fault, Some(Fault::CrashBefore | Fault::CrashAfter)) {
            self.crashed.store(true, Ordering::SeqCst);
        }
        fault
    }
}

impl FaultyStore {
    /// Asks `choose` about every request, in the order in which they are made.
    pub fn new(
        inner: Arc<dyn ObjectStore>,
        choose: impl Fn(&Op) -> Option<Fault> + Send + Sync + 'static,
    ) -> Arc<Self> {
        let faults = Faults { choose: Box::new(choose), crashed: AtomicBool::new(false) };
        Arc::new(Self::with_hook(inner, faults))
    }

    /// Whether a crash was reached; a loop over "crash at write n" ends where it is not.
    pub fn crashed(&self) -> bool {
        self.hook().crashed.load(Ordering::SeqCst)
    }
}

/// Replaces objects that a put wants to be new, as some gateways do.
pub type LenientStore = Hooked<Lenient>;

#[derive(Debug)]
pub struct Lenient;

impl Hook for Lenient {
    fn meet(&self, _: &Op) -> Option<Fault> {
        None
    }

    fn put_options(&self, asked: PutOptions) -> PutOptions {
        PutOptions { mode: PutMode::Overwrite, ..asked }
    }
}

impl LenientStore {
    pub fn new(inner: Arc<dyn ObjectStore>) -> Arc<Self> {
        Arc::new(Self::with_hook(inner, Lenient))
    }
}

/// Lists objects as so much older than they are.
pub type AgedStore = Hooked<Aged>;

#[derive(Debug)]
pub struct Aged(Duration);

impl Hook for Aged {
    fn meet(&self, _: &Op) -> Option<Fault> {
        None
    }

    fn listed(&self, found: ObjectMeta) -> ObjectMeta {
        ObjectMeta { last_modified: found.last_modified - self.0, ..found }
    }
}

impl AgedStore {
    pub fn new(inner: Arc<dyn ObjectStore>, by: Duration) -> Arc<Self> {
        Arc::new(Self::with_hook(inner, Aged(by)))
    }
}

/// Chooses `fault` for the write number `n` (from 0) and nothing else.
pub fn at_write(n: usize, fault: Fault) -> impl Fn(&Op) -> Option<Fault> + Send + Sync {
    let writes = AtomicUsize::new(0);
    move |op| (op.is_write() && writes.fetch_add(1, Ordering::SeqCst) == n).then_some(fault)
}
