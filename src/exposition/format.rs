//! The formats that are served.

/// A format of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MetricsFormat {
    /// The text-based format of Prometheus, version 0.0.4.
    Text004,
    /// The text-based format of Prometheus, version 1.0.0. It allows names in quotes, of which
    /// there are none here: the bytes are those of 0.0.4.
    Text100,
    /// OpenMetrics, version 1.0.0.
    OpenMetrics100,
    /// Messages `io.prometheus.client.MetricFamily`, each after its length.
    Protobuf,
}

impl MetricsFormat {
    /// The value of `Content-Type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text004 => "text/plain; version=0.0.4; charset=utf-8",
            Self::Text100 => "text/plain; version=1.0.0; charset=utf-8",
            Self::OpenMetrics100 => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Protobuf => {
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; \
                 encoding=delimited"
            }
        }
    }
}
