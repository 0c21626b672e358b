//! How far the sums of dimensions are that are made of older data files.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct DimensionLabels {
    dimension: String,
}

/// Data files by dimension: of how many the sums were made, and how many are left.
#[derive(Clone, Debug, Default)]
pub struct DimensionTelemetry {
    done: Family<DimensionLabels, Counter>,
    left: Family<DimensionLabels, Gauge>,
}

impl DimensionTelemetry {
    /// This many files are left.
    pub fn left(&self, dimension: &str, files: usize) {
        self.left.get_or_create(&of(dimension)).set(i64::try_from(files).unwrap_or(i64::MAX));
    }

    /// The sums of one more file were made.
    pub fn made(&self, dimension: &str) {
        self.done.get_or_create(&of(dimension)).inc();
        let left = self.left.get_or_create(&of(dimension)).clone();
        // Files that nobody waits for are made, too.
        if left.get() > 0 {
            left.dec();
        }
    }

    pub(super) fn register(registry: &mut Registry) -> Self {
        let meters = Self::default();
        let help = "Data files whose sums of a dimension were made of their rows";
        registry.register("dimension_files_made", help, meters.done.clone());
        let help = "Data files whose sums of a dimension are still to be made of their rows; \
            until there are none, scrapes that ask for dimensions are answered with 503";
        registry.register("dimension_files_left", help, meters.left.clone());
        meters
    }
}

fn of(dimension: &str) -> DimensionLabels {
    DimensionLabels { dimension: dimension.to_owned() }
}
