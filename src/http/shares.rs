//! What one organisation may have of something at a time, so that there is some left for others.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::{HttpError, plain};
use crate::event::OrgId;
use crate::telemetry::{Count, Level, Telemetry};

/// How long a request waits for memory.
const MEMORY_WAIT: Duration = Duration::from_secs(1);

/// So much for each organisation.
#[derive(Debug)]
struct Shares {
    permits_max: usize,
    orgs: Mutex<HashMap<OrgId, Arc<Semaphore>>>,
}

impl Shares {
    fn new(permits_max: usize) -> Self {
        Self { permits_max: permits_max.clamp(1, Semaphore::MAX_PERMITS), orgs: Mutex::default() }
    }

    /// The share of an organisation. What nobody holds is forgotten.
    fn of(&self, org_id: &OrgId) -> Arc<Semaphore> {
        let mut orgs = self.orgs.lock();
        if let Some(share) = orgs.get(org_id) {
            return share.clone();
        }
        orgs.retain(|_, share| Arc::strong_count(share) > 1);
        let share = Arc::new(Semaphore::new(self.permits_max));
        orgs.insert(org_id.clone(), share.clone());
        share
    }
}

/// Requests of one kind that are under way.
#[derive(Debug)]
pub(super) struct Turns {
    shares: Shares,
    telemetry: Telemetry,
}

/// One of them; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _permit: OwnedSemaphorePermit,
}

impl Turns {
    /// Up to `requests_max` for each organisation.
    pub(super) fn new(requests_max: usize, telemetry: Telemetry) -> Self {
        Self { shares: Shares::new(requests_max), telemetry }
    }

    /// Lets a request begin; it does not wait, so that it keeps no connection busy.
    pub(super) fn begin(&self, org_id: &OrgId) -> Result<Turn, HttpError> {
        if let Ok(permit) = self.shares.of(org_id).try_acquire_owned() {
            return Ok(Turn { _permit: permit });
        }
        self.telemetry.overload.turned_away.inc();
        let message = format!(
            "{} requests of the organisation are under way (--max-requests-per-org); try again in a second",
            self.shares.permits_max
        );
        Err(plain(StatusCode::SERVICE_UNAVAILABLE, &message))
    }
}

/// Memory of one kind, of which one organisation may have half.
#[derive(Debug)]
pub(super) struct Memory {
    /// One permit for each KiB.
    all: Arc<Semaphore>,
    /// What one organisation may have.
    share_kib: usize,
    shares: Shares,
    use_of: Use,
}

/// What memory is for: how it is counted, and what those are told for whom there is none.
#[derive(Debug, Clone)]
pub(super) struct Use {
    /// What is reserved, in bytes.
    pub(super) reserved: Level,
    /// Who was told that there is none.
    pub(super) refused: Count,
    /// What they are told.
    pub(super) full: String,
}

/// Some of it, which is given back when this is dropped.
#[derive(Debug)]
pub(super) struct Reserved {
    bytes: usize,
    reserved: Level,
    permits: [OwnedSemaphorePermit; 2],
}

impl Memory {
    /// So many KiB.
    pub(super) fn new(kib_max: usize, use_of: Use) -> Self {
        let kib_max = kib_max.clamp(2, Semaphore::MAX_PERMITS);
        let (all, share_kib) = (Arc::new(Semaphore::new(kib_max)), kib_max / 2);
        Self { all, share_kib, shares: Shares::new(share_kib), use_of }
    }

    /// Memory for `bytes`; what is more than may be had is reserved as all that may.
    ///
    /// # Errors
    /// 503 after a short wait.
    pub(super) async fn reserve(
        &self,
        org_id: &OrgId,
        bytes: usize,
    ) -> Result<Reserved, HttpError> {
        let permits = self.permits(bytes);
        let work = async {
            // Its own share comes first: who waits there stands in nobody's way.
            let own = self.shares.of(org_id).acquire_many_owned(permits).await.ok()?;
            Some([own, self.all.clone().acquire_many_owned(permits).await.ok()?])
        };
        if let Ok(Some(permits)) = tokio::time::timeout(MEMORY_WAIT, work).await {
            return Ok(self.reserved(permits));
        }
        self.use_of.refused.inc();
        Err(plain(StatusCode::SERVICE_UNAVAILABLE, &self.use_of.full))
    }

    /// The same without waiting; `None` if there is none.
    pub(super) fn try_reserve(&self, org_id: &OrgId, bytes: usize) -> Option<Reserved> {
        let permits = self.permits(bytes);
        let own = self.shares.of(org_id).try_acquire_many_owned(permits).ok()?;
        let of_all = self.all.clone().try_acquire_many_owned(permits).ok()?;
        Some(self.reserved([own, of_all]))
    }

    fn permits(&self, bytes: usize) -> u32 {
        u32::try_from(bytes.div_ceil(1024).min(self.share_kib)).unwrap_or(u32::MAX)
    }

    fn reserved(&self, permits: [OwnedSemaphorePermit; 2]) -> Reserved {
        let [own, _] = &permits;
        let (bytes, reserved) = (own.num_permits() * 1024, self.use_of.reserved.clone());
        reserved.add(bytes);
        Reserved { bytes, reserved, permits }
    }
}

impl Reserved {
    /// How much it is.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Gives back all but `bytes`.
    pub(super) fn shrink(&mut self, bytes: usize) {
        let spare_kib = self.bytes.saturating_sub(bytes) / 1024;
        for permits in &mut self.permits {
            drop(permits.split(spare_kib));
        }
        self.bytes -= spare_kib * 1024;
        self.reserved.sub(spare_kib * 1024);
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.reserved.sub(self.bytes);
    }
}

/// More threads would decode more at once than is committed in the same time, and each has memory in
/// which a body's rows grow.
const DECODERS_PER_ORG_MAX: usize = 4;
/// Threads that decode bodies, on any machine.
pub const DECODERS_MAX: usize = DECODERS_PER_ORG_MAX + 1;

/// Threads that decode bodies: as many for one organisation as there are processors, up to a bound,
/// and one more for another. More would leave no time to those that scrape.
#[derive(Debug)]
pub(super) struct Decoders {
    all: Arc<Semaphore>,
    shares: Shares,
}

/// One of them: a part of the organisation's and one of all.
pub(super) type DecoderTurn = [OwnedSemaphorePermit; 2];

impl Decoders {
    /// Those of this machine.
    pub(super) fn new() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let per_org = processors.min(DECODERS_PER_ORG_MAX);
        Self { all: Arc::new(Semaphore::new(per_org + 1)), shares: Shares::new(per_org) }
    }

    /// Waits for one; it is free again when what is given is dropped.
    pub(super) async fn turn(&self, org_id: &OrgId) -> Option<DecoderTurn> {
        let own = self.shares.of(org_id).acquire_owned().await.ok()?;
        Some([own, self.all.clone().acquire_owned().await.ok()?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn org(name: &str) -> OrgId {
        OrgId::parse(name).unwrap()
    }

    #[test]
    fn one_organisation_does_not_take_the_turns_of_another() {
        let turns = Turns::new(2, Telemetry::new());
        let held = [turns.begin(&org("a")).unwrap(), turns.begin(&org("a")).unwrap()];
        assert!(turns.begin(&org("a")).unwrap_err().is_unavailable());
        let other = turns.begin(&org("b")).unwrap();
        drop(held);
        assert!(turns.begin(&org("a")).is_ok());
        drop(other);
        assert_eq!(turns.telemetry.overload.turned_away.get(), 1);
        let _ = turns.begin(&org("c"));
        assert_eq!(turns.shares.orgs.lock().len(), 1, "what nobody holds is forgotten");
    }

    #[tokio::test]
    async fn one_organisation_leaves_a_thread_to_another() {
        let decoders = Decoders::new();
        let mut held = Vec::new();
        while decoders.shares.of(&org("a")).available_permits() > 0 {
            held.push(decoders.turn(&org("a")).await.unwrap());
        }
        assert_eq!(decoders.all.available_permits(), 1);
        assert!(decoders.turn(&org("b")).await.is_some());
    }

    fn use_of(telemetry: &Telemetry) -> Use {
        let overload = &telemetry.overload;
        Use {
            reserved: overload.reserved_bytes.clone(),
            refused: overload.without_memory.clone(),
            full: "full".to_owned(),
        }
    }

    #[tokio::test]
    async fn one_organisation_leaves_half_of_the_memory_to_others() {
        let telemetry = Telemetry::new();
        let memory = Memory::new(8, use_of(&telemetry));
        let held = memory.reserve(&org("a"), 100 << 10).await.unwrap();
        assert_eq!(memory.all.available_permits(), 4);
        let [a, b] = ["a", "b"].map(org);
        let (more, other) = tokio::join!(memory.reserve(&a, 1), memory.reserve(&b, 4 << 10));
        assert!(more.unwrap_err().is_unavailable());
        assert!(other.is_ok());
        assert!(memory.try_reserve(&b, 1).is_none());
        drop(other);
        drop(memory.try_reserve(&b, 1).unwrap());
        let mut held = held;
        held.shrink(2_000);
        assert_eq!((memory.all.available_permits(), held.bytes), (6, 2_048));
        drop(held);
        assert!(memory.reserve(&org("a"), 1).await.is_ok());
        assert_eq!(memory.all.available_permits(), 8);
        assert_eq!(telemetry.overload.without_memory.get(), 1);
        assert!(telemetry.encode().unwrap().contains("request_reserved_bytes 0\n"));
    }
}
