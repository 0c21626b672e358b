//! The messages of Prometheus' protobuf exposition, read by another's decoder.

use std::collections::BTreeMap;

use prost::Message;

/// `io.prometheus.client.MetricFamily`.
#[derive(Clone, PartialEq, Message)]
pub struct MetricFamily {
    #[prost(string, optional, tag = "1")]
    pub name: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub help: Option<String>,
    #[prost(enumeration = "MetricType", optional, tag = "3")]
    pub kind: Option<i32>,
    #[prost(message, repeated, tag = "4")]
    pub metrics: Vec<Metric>,
    #[prost(string, optional, tag = "5")]
    pub unit: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
pub enum MetricType {
    Counter = 0,
    Gauge = 1,
}

#[derive(Clone, PartialEq, Message)]
pub struct Metric {
    #[prost(message, repeated, tag = "1")]
    pub labels: Vec<LabelPair>,
    #[prost(message, optional, tag = "2")]
    pub gauge: Option<Gauge>,
    #[prost(message, optional, tag = "3")]
    pub counter: Option<Counter>,
}

#[derive(Clone, PartialEq, Message)]
pub struct LabelPair {
    #[prost(string, optional, tag = "1")]
    pub name: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub value: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Gauge {
    #[prost(double, optional, tag = "1")]
    pub value: Option<f64>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Counter {
    #[prost(double, optional, tag = "1")]
    pub value: Option<f64>,
    #[prost(message, optional, tag = "3")]
    pub created: Option<Timestamp>,
}

/// `google.protobuf.Timestamp`.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Timestamp {
    #[prost(int64, optional, tag = "1")]
    pub seconds: Option<i64>,
    #[prost(int32, optional, tag = "2")]
    pub nanos: Option<i32>,
}

/// A sample, however it was sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
    /// In microseconds.
    pub created: Option<i64>,
}

/// Reads a body. The decoder's own encoder must write the same bytes.
pub fn families(body: &[u8]) -> Vec<MetricFamily> {
    let (mut left, mut families, mut again) = (body, Vec::new(), Vec::new());
    while !left.is_empty() {
        let family = MetricFamily::decode_length_delimited(&mut left).unwrap();
        family.encode_length_delimited(&mut again).unwrap();
        families.push(family);
    }
    assert!(again == body, "it is written otherwise");
    families
}

/// The samples of a body of protobuf, in order. Labels must be in the order of their names.
pub fn samples(body: &[u8]) -> Vec<Sample> {
    families(body).iter().flat_map(of_family).collect()
}

fn of_family(family: &MetricFamily) -> Vec<Sample> {
    let sample = |metric: &Metric| {
        let pairs = metric.labels.iter();
        let pairs = pairs.map(|pair| (pair.name.clone().unwrap(), pair.value.clone().unwrap()));
        let pairs: Vec<_> = pairs.collect();
        assert!(pairs.is_sorted_by(|one, next| one.0 < next.0), "{pairs:?}");
        let (value, created) = match (&metric.counter, &metric.gauge, family.kind()) {
            (Some(counter), None, MetricType::Counter) => (counter.value, counter.created),
            (None, Some(gauge), MetricType::Gauge) => (gauge.value, None),
            _ => panic!("{metric:?} in {:?}", family.name),
        };
        let micros = |time: Timestamp| {
            time.seconds.unwrap() * 1_000_000 + i64::from(time.nanos.unwrap()) / 1_000
        };
        let (name, labels) = (family.name.clone().unwrap(), pairs.into_iter().collect());
        Sample { name, labels, value: value.unwrap(), created: created.map(micros) }
    };
    family.metrics.iter().map(sample).collect()
}

/// The samples of a body of text, in order; lines `_created` of OpenMetrics belong to those before.
pub fn samples_of_text(body: &str) -> Vec<Sample> {
    let mut samples: Vec<Sample> = Vec::new();
    for line in body.lines().filter(|line| !line.starts_with('#')) {
        let (name, rest) = line.split_once('{').unwrap();
        let (labels, value) = labels(rest);
        match name.strip_suffix("_created") {
            Some(family) => {
                let counter = samples.last_mut().unwrap();
                assert_eq!((&counter.name, &counter.labels), (&format!("{family}_total"), &labels));
                counter.created = Some(micros(value));
            }
            None => samples.push(Sample {
                name: name.to_owned(),
                labels,
                value: value.parse().unwrap(),
                created: None,
            }),
        }
    }
    samples
}

/// Decimal seconds as microseconds.
fn micros(seconds: &str) -> i64 {
    let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
    format!("{whole}{fraction:0<6}").parse().unwrap()
}

/// The labels after an opening bracket, and the value.
fn labels(mut rest: &str) -> (BTreeMap<String, String>, &str) {
    let mut labels = BTreeMap::new();
    while let Some((name, quoted)) = rest.split_once("=\"").filter(|_| !rest.starts_with('}')) {
        let (mut value, mut chars) = (String::new(), quoted.char_indices());
        let end = loop {
            match chars.next().unwrap() {
                (at, '"') => break at,
                (_, '\\') => value.push(match chars.next().unwrap().1 {
                    'n' => '\n',
                    escaped => escaped,
                }),
                (_, char) => value.push(char),
            }
        };
        labels.insert(name.to_owned(), value);
        rest = &quoted[end + 1..];
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
    (labels, rest.strip_prefix("} ").unwrap())
}
