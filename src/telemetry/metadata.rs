//! Counters of event metadata that is not stored as sent.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

/// Metadata that was replaced, cut or left out, by reason.
#[derive(Clone, Debug)]
pub struct MetadataTelemetry(Family<ReasonLabels, Counter>);

impl MetadataTelemetry {
    /// Counts `times` changes. `reason` is one of a few fixed texts, never a client's.
    pub fn mended(&self, reason: &'static str, times: u64) {
        self.0.get_or_create(&ReasonLabels { reason }).inc_by(times);
    }

    pub(super) fn register(registry: &mut Registry) -> Self {
        let mended = Family::default();
        let help =
            "Metadata of events that was replaced, cut or left out, so that it cost no event";
        registry.register("metadata_mended", help, mended.clone());
        Self(mended)
    }
}
