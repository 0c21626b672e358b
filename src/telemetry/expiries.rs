//! Expiry times of the access keys in use.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

/// Expiry times of keys, replaced all at once. A key is named only by its id: `tokenlake key list`
/// shows whose it is.
#[derive(Clone, Debug, Default)]
pub struct KeyExpiries(Arc<Mutex<Vec<(String, i64)>>>);

impl KeyExpiries {
    /// Replaces all entries: the ids of keys, and when each expires, in seconds since 1970.
    pub fn set(&self, expiries: Vec<(String, i64)>) {
        *self.0.lock() = expiries;
    }
}

impl Collector for KeyExpiries {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut family = encoder.encode_descriptor(
            "access_key_expiry_timestamp_seconds",
            "When a recently used access key expires, by the key's id, in seconds since 1970",
            None,
            MetricType::Gauge,
        )?;
        for (id, at) in self.0.lock().iter() {
            let labels = [("key", id.as_str())];
            ConstGauge::new(*at).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
