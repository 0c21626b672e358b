//! Limits on what one organisation may use at a time, so that some is left for others.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::{HttpError, plain};
use crate::event::OrgId;
use crate::per_org::OrgShares;
use crate::telemetry::{Count, Level, Telemetry};

/// How long a request waits for memory.
const MEMORY_WAIT: Duration = Duration::from_secs(1);

/// The requests of one kind that are under way.
#[derive(Debug)]
pub(super) struct Turns {
    shares: OrgShares,
    telemetry: Telemetry,
}

/// The right to one request; dropping it ends the request.
#[derive(Debug)]
pub(super) struct Turn {
    _permit: OwnedSemaphorePermit,
}

impl Turns {
    /// Up to `requests_max` for each organisation.
    pub(super) fn new(requests_max: usize, telemetry: Telemetry) -> Self {
        Self { shares: OrgShares::new(requests_max), telemetry }
    }

    /// Begins a request without waiting, so that it keeps no connection busy.
    pub(super) fn begin(&self, org_id: &OrgId) -> Result<Turn, HttpError> {
        if let Ok(permit) = self.shares.of(org_id).try_acquire_owned() {
            return Ok(Turn { _permit: permit });
        }
        self.telemetry.overload.turned_away.inc();
        let message = format!(
            "{} requests of the organisation are under way (--max-requests-per-org); try again in a second",
            self.shares.permits_max()
        );
        Err(plain(StatusCode::SERVICE_UNAVAILABLE, &message))
    }
}

/// Memory of one kind, half of which one organisation may use.
#[derive(Debug)]
pub(super) struct Memory {
    /// One permit for each KiB.
    all: Arc<Semaphore>,
    /// What one organisation may use.
    share_kib: usize,
    shares: OrgShares,
    use_of: Use,
}

/// The purpose of memory: how it is counted, and the error if there is none left.
#[derive(Debug, Clone)]
pub(super) struct Use {
    /// Reserved memory, in bytes.
    pub(super) reserved: Level,
    /// Requests refused for lack of memory.
    pub(super) refused: Count,
    /// The error text of such a request.
    pub(super) full: String,
}

/// Reserved memory, which dropping this releases.
#[derive(Debug)]
pub(super) struct Reserved {
    bytes: usize,
    reserved: Level,
    permits: [OwnedSemaphorePermit; 2],
}

impl Memory {
    /// A budget of `kib_max`, half of it for each organisation.
    pub(super) fn new(kib_max: usize, use_of: Use) -> Self {
        let kib_max = kib_max.clamp(2, Semaphore::MAX_PERMITS);
        let (all, share_kib) = (Arc::new(Semaphore::new(kib_max)), kib_max / 2);
        Self { all, share_kib, shares: OrgShares::new(share_kib), use_of }
    }

    /// Reserves memory for `bytes`. More than the organisation's share counts as the whole share.
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
            // The organisation's own share comes first: a request that waits there blocks no
            // others.
            let own = self.shares.of(org_id).acquire_many_owned(permits).await.ok()?;
            Some([own, self.all.clone().acquire_many_owned(permits).await.ok()?])
        };
        if let Ok(Some(permits)) = tokio::time::timeout(MEMORY_WAIT, work).await {
            return Ok(self.reserved(permits));
        }
        self.use_of.refused.inc();
        Err(plain(StatusCode::SERVICE_UNAVAILABLE, &self.use_of.full))
    }

    /// As [`Memory::reserve`] without waiting; `None` if there is none left.
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
    /// The size in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Releases all but `bytes`.
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

/// Beyond this many threads, more would be decoded than is committed in the same time, and each
/// thread needs memory in which a body's rows grow.
const DECODERS_PER_ORG_MAX: usize = 4;
/// The most threads that decode bodies, on any machine.
pub const DECODERS_MAX: usize = DECODERS_PER_ORG_MAX + 1;

/// The threads that decode bodies: for one organisation as many as there are processors, up to a
/// limit, and one more for the others. More would leave no time for scrapes.
#[derive(Debug)]
pub(super) struct Decoders {
    all: Arc<Semaphore>,
    shares: OrgShares,
}

/// The right to one thread: a permit of the organisation's share and one of all.
pub(super) type DecoderTurn = [OwnedSemaphorePermit; 2];

impl Decoders {
    /// The number for this machine.
    pub(super) fn new() -> Self {
        let processors = crate::processors::count();
        let per_org = processors.min(DECODERS_PER_ORG_MAX);
        Self { all: Arc::new(Semaphore::new(per_org + 1)), shares: OrgShares::new(per_org) }
    }

    /// Waits for a thread, which is free again when the result is dropped.
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
