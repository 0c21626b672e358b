//! How far the sums of dimensions, and the start times of series, are that are made of older data files.

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
    starts_done: Counter,
    starts_left: Gauge,
}

impl DimensionTelemetry {
    /// So many files are left.
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

    /// So many files are left whose start times are to be read.
    pub fn starts_left(&self, files: usize) {
        self.starts_left.set(i64::try_from(files).unwrap_or(i64::MAX));
    }

    /// The start times in one more file were read.
    pub fn start_made(&self) {
        self.starts_done.inc();
        if self.starts_left.get() > 0 {
            self.starts_left.dec();
        }
    }

    pub(super) fn register(registry: &mut Registry) -> Self {
        let meters = Self::default();
        let help = "Data files whose sums of a dimension were made of their rows";
        registry.register("dimension_files_made", help, meters.done.clone());
        let help = "Data files whose sums of a dimension are still to be made of their rows; \
            until there are none, scrapes that ask for dimensions are answered with 503";
        registry.register("dimension_files_left", help, meters.left.clone());
        let help = "Data files whose start times of series were made of their rows";
        registry.register("start_time_files_made", help, meters.starts_done.clone());
        let help = "Data files whose start times of series are still to be made of their rows; \
            until there are none, scrapes that ask for start times are answered with 503";
        registry.register("start_time_files_left", help, meters.starts_left.clone());
        meters
    }
}

fn of(dimension: &str) -> DimensionLabels {
    DimensionLabels { dimension: dimension.to_owned() }
}
