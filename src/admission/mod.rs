//! The step between checked events and their commit.
//!
//! It claims the organisation's name in the archive, then gives calls without a cost the price of the
//! tables in force, then applies the cap on series and on values of dimensions: events above the cap
//! are stored under `other`. It writes no event. The caller commits
//! the batches of [`Admitted`], and then calls [`Admitted::committed`].

mod claims;

use std::sync::Arc;
use std::time::{Duration, Instant};

pub use self::claims::CLAIMED_MAX;

use self::claims::NameClaims;
use crate::archive::{Archive, ArchiveError, Committed, OfObject};
use crate::clock::Micros;
use crate::error::Kind;
use crate::event::{EventBatch, EventError, OrgId, Rejection};
use crate::price_book::{InForce, PriceBook};
use crate::pricing::{BatchPricing, PricedBatch, lacks_cost};
use crate::rollup::{CappedSeries, SeriesCap};
use crate::sql::SqlError;

/// For how long calls are priced before others get their turn.
const TURN_MAX: Duration = Duration::from_millis(2);

/// Why events are not let in.
#[derive(Debug, thiserror::Error)]
pub enum AdmissionError {
    /// The name of an organisation clashes with another's, or could not be claimed.
    #[error(transparent)]
    Claim(#[from] ArchiveError),
    /// The tables of prices cannot be read.
    #[error("cannot tell prices: {0}")]
    Prices(ArchiveError),
    /// A defect in pricing.
    #[error(transparent)]
    Pricing(#[from] EventError),
    /// It cannot be told which series organisations have.
    #[error(transparent)]
    Series(#[from] SqlError),
}

impl AdmissionError {
    /// What the caller can do about the error.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Claim(error) | Self::Prices(error) => error.kind(),
            Self::Pricing(error) => error.kind(),
            Self::Series(error) => error.kind(),
        }
    }
}

impl OfObject for AdmissionError {
    fn object(&self) -> Option<&str> {
        match self {
            Self::Claim(error) | Self::Prices(error) => error.object(),
            Self::Pricing(_) => None,
            Self::Series(error) => error.object(),
        }
    }
}

/// Lets events into one archive.
#[derive(Debug)]
pub struct Admission {
    archive: Arc<Archive>,
    claims: NameClaims,
    prices: Option<Arc<PriceBook>>,
    series: Option<Arc<SeriesCap>>,
}

/// Events as they may be stored, and the room that was given to their series. Kept until after their
/// commit: dropped before, the room would be given to others too.
#[derive(Debug)]
#[must_use = "the room of new series is given back when this is dropped"]
pub struct Admitted {
    batches: Vec<EventBatch>,
    rejections: Vec<Rejection>,
    series: Option<CappedSeries>,
}

impl Admission {
    /// Without `prices`, calls get none; without `series`, organisations may have any number of series.
    pub fn new(
        archive: Arc<Archive>,
        prices: Option<Arc<PriceBook>>,
        series: Option<Arc<SeriesCap>>,
    ) -> Self {
        Self { archive, claims: NameClaims::default(), prices, series }
    }

    /// The archive that events are let into.
    pub fn archive(&self) -> &Arc<Archive> {
        &self.archive
    }

    /// The first part of the step, alone: makes sure that an organisation's name is claimed.
    ///
    /// # Errors
    /// As [`Archive::claim_org`].
    pub async fn claim(&self, org_id: &OrgId) -> Result<(), ArchiveError> {
        self.claims.claim(&self.archive, org_id).await
    }

    /// Lets in the events of one organisation. The value that a key is `bound` to, with the attribute of
    /// its dimension, was chosen by an operator: it is kept, however many values there are.
    ///
    /// # Errors
    /// Conflict, if the name of the organisation clashes with another's; Unavailable or Corrupt, if
    /// it cannot be claimed or its series cannot be told.
    pub async fn admit(
        &self,
        org_id: &OrgId,
        batch: EventBatch,
        bound: Option<(&str, &str)>,
        now: Micros,
    ) -> Result<Admitted, AdmissionError> {
        self.claim(org_id).await?;
        let PricedBatch { batch, rejections } = self.price(batch).await?;
        let batches = if batch.is_empty() { Vec::new() } else { vec![batch] };
        let admitted = self.cap(batches, bound, now).await?;
        Ok(Admitted { rejections, ..admitted })
    }

    /// The prices that are in force; none if calls get none.
    ///
    /// # Errors
    /// Unavailable or Corrupt, if the tables cannot be read.
    pub async fn prices(&self) -> Result<Option<Arc<InForce>>, AdmissionError> {
        match &self.prices {
            None => Ok(None),
            Some(prices) => prices.current().await.map(Some).map_err(AdmissionError::Prices),
        }
    }

    async fn price(&self, batch: EventBatch) -> Result<PricedBatch, AdmissionError> {
        if self.prices.is_some()
            && lacks_cost(&batch)?
            && let Some(in_force) = self.prices().await?
        {
            let mut pricing = BatchPricing::new(&batch, in_force.prices())?;
            loop {
                let began = Instant::now();
                if pricing.price_until(|| began.elapsed() >= TURN_MAX) {
                    return Ok(pricing.finish()?);
                }
                // Other requests get on meanwhile, and this one may be given up.
                tokio::task::yield_now().await;
            }
        }
        Ok(PricedBatch { batch, rejections: Vec::new() })
    }

    /// Lets in events of organisations whose names were claimed, and whose calls were priced, before, as
    /// a job does that must know earlier which rows it refuses.
    ///
    /// # Errors
    /// Unavailable or Corrupt, if it cannot be told which series there are.
    pub async fn admit_claimed(
        &self,
        batches: Vec<EventBatch>,
        now: Micros,
    ) -> Result<Admitted, AdmissionError> {
        self.cap(batches, None, now).await
    }

    async fn cap(
        &self,
        batches: Vec<EventBatch>,
        bound: Option<(&str, &str)>,
        now: Micros,
    ) -> Result<Admitted, AdmissionError> {
        let Some(cap) = &self.series else {
            return Ok(Admitted { batches, rejections: Vec::new(), series: None });
        };
        // Boxed: it is many times the size of the futures around it.
        let (batches, series) = Box::pin(cap.admit(batches, bound, &self.archive, now)).await?;
        Ok(Admitted { batches, rejections: Vec::new(), series: Some(series) })
    }
}

impl Admitted {
    /// The events to commit; after the first call there are none.
    pub fn take_batches(&mut self) -> Vec<EventBatch> {
        std::mem::take(&mut self.batches)
    }

    /// The events that are not let in, since their counts contradict each other; after the first call
    /// there are none.
    pub fn take_rejections(&mut self) -> Vec<Rejection> {
        std::mem::take(&mut self.rejections)
    }

    /// The events were committed: their series are in the table now.
    pub fn committed(self, outcome: &Committed) {
        if let Some(series) = self.series {
            series.committed(outcome);
        }
    }
}
