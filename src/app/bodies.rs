//! Rendered scrapes. A template is rendered once per version of the table, and the whole body once
//! per value of the gauge. All requests for the same body share its bytes, even if it is too large
//! for the cache and only its current readers hold it.

use std::io::{Error, Write as _};
use std::sync::Arc;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use parking_lot::Mutex;
use zstd::stream::write::Encoder as ZstdEncoder;

use crate::byte_lru::ByteLru;
use crate::event::OrgId;
use crate::exposition::{Coding, Collect, Growing, MetricsFormat, Pieces, Template, WeakPieces};
use crate::rollup::{PartView, Starts, UsageView};

/// zstd's fastest level; gzip uses its fastest too.
const ZSTD_LEVEL: i32 = 1;
/// Memory of an entry in addition to its texts.
const ENTRY_BYTES: usize = 256;

/// The form of a scrape's answer, as the client requested it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BodyForm {
    /// Which families to show.
    pub collect: Collect,
    /// The format.
    pub format: MetricsFormat,
    /// The compression.
    pub coding: Coding,
}

impl BodyForm {
    /// Whether it shows when series began.
    pub fn starts(self) -> Starts {
        match self.format {
            _ if !self.collect.has_series() => Starts::Unasked,
            MetricsFormat::Protobuf => Starts::IfKnown,
            MetricsFormat::OpenMetrics100 if self.collect.has_created() => Starts::Wanted,
            MetricsFormat::OpenMetrics100 | MetricsFormat::Text004 | MetricsFormat::Text100 => {
                Starts::Unasked
            }
        }
    }
}

/// Whose body it is, by organisation and the part that its key is bound to, and in which form.
type Whose = (OrgId, Option<Arc<str>>, BodyForm);

#[derive(Debug, Clone)]
struct Rendered {
    version: u64,
    /// Whether it was known when series began, which is found out at any version.
    has_starts: bool,
    rolling_costs: RollingCosts,
    /// `None` if the cache has no room for it.
    template: Option<Arc<Template>>,
    body: Body,
}

/// The gauges that change with the time.
#[derive(Debug, Clone)]
struct RollingCosts {
    whole: i128,
    /// Of each dimension, the costs of its parts.
    parts: Box<[Arc<[i128]>]>,
    /// Of which parts: those of a version are made once.
    dimensions: Box<[Arc<[PartView]>]>,
}

impl RollingCosts {
    fn of(view: &UsageView<'_>) -> Self {
        let dimensions = view.dimensions.iter().map(|dimension| dimension.parts.clone());
        let dimensions = dimensions.collect();
        Self { whole: view.rolling_cost, parts: costs_of(view).cloned().collect(), dimensions }
    }

    fn are_of(&self, view: &UsageView<'_>) -> bool {
        // Costs that did not change share their memory.
        let same = |(a, b): (&Arc<[i128]>, &Arc<[i128]>)| Arc::ptr_eq(a, b) || a == b;
        self.whole == view.rolling_cost
            && self.parts.len() == view.dimensions.len()
            && self.parts.iter().zip(costs_of(view)).all(same)
    }

    fn are_of_dimensions(&self, view: &UsageView<'_>) -> bool {
        let shown = view.dimensions.iter().map(|dimension| &dimension.parts);
        self.dimensions.len() == view.dimensions.len()
            && self.dimensions.iter().zip(shown).all(|(known, shown)| Arc::ptr_eq(known, shown))
    }
}

fn costs_of<'a>(view: &'a UsageView<'_>) -> impl Iterator<Item = &'a Arc<[i128]>> {
    view.dimensions.iter().map(|dimension| &dimension.rolling_costs)
}

#[derive(Debug, Clone)]
enum Body {
    Kept(Pieces),
    /// Not kept by the cache; alive while a reader holds it.
    Read(WeakPieces),
}

impl Rendered {
    /// Whether it differs from one that shows this view by the gauges at most.
    fn is_of(&self, view: &UsageView<'_>) -> bool {
        self.version == view.archive_version
            && self.has_starts == view.starts.is_some()
            && self.rolling_costs.are_of_dimensions(view)
    }

    /// The body, if it shows this view.
    fn body(&self, view: &UsageView<'_>) -> Option<Pieces> {
        if !self.is_of(view) || !self.rolling_costs.are_of(view) {
            return None;
        }
        match &self.body {
            Body::Kept(body) => Some(body.clone()),
            Body::Read(body) => body.upgrade(),
        }
    }
}

/// Bodies by organisation and form, limited in bytes.
#[derive(Debug)]
pub struct Bodies {
    bytes_max: usize,
    rendered: Mutex<ByteLru<Whose, Rendered>>,
}

impl Bodies {
    /// An empty cache that may hold `bytes_max`.
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes_max, rendered: Mutex::new(ByteLru::new(bytes_max)) }
    }

    /// The body that shows `view`, if it is cached or still being read.
    pub fn known(
        &self,
        org_id: &OrgId,
        part: Option<&Arc<str>>,
        view: &UsageView<'_>,
        form: BodyForm,
    ) -> Option<Pieces> {
        let mut rendered = self.rendered.lock();
        let known = rendered.get_mut(&(org_id.clone(), part.cloned(), form))?;
        known.body(view)
    }

    /// The body that shows `view`.
    ///
    /// # Errors
    /// The compressor's error; none is known to occur.
    pub fn body(
        &self,
        org_id: &OrgId,
        part: Option<&Arc<str>>,
        view: &UsageView<'_>,
        form: BodyForm,
    ) -> Result<Pieces, Error> {
        let key = (org_id.clone(), part.cloned(), form);
        let known = self.rendered.lock().get_mut(&key).cloned();
        if let Some(body) = known.as_ref().and_then(|known| known.body(view)) {
            return Ok(body);
        }
        // With thousands of series, rendering takes time. The lock is released so that other
        // organisations do not wait.
        let template = known.filter(|known| known.is_of(view)).and_then(|known| known.template);
        let template =
            template.unwrap_or_else(|| Arc::new(Template::new(view, form.collect, form.format)));
        let body = encode(template.body(view), form.coding)?;
        let (rendered, bytes) = self.kept(view, template, &body);
        self.rendered.lock().put(key, rendered, bytes);
        Ok(body)
    }

    /// What the cache has room for, and how much memory that takes.
    fn kept(
        &self,
        view: &UsageView<'_>,
        template: Arc<Template>,
        body: &Pieces,
    ) -> (Rendered, usize) {
        let (version, rolling_costs) = (view.archive_version, RollingCosts::of(view));
        let costs = rolling_costs.parts.iter().map(|costs| size_of_val(&**costs));
        let alone = body.bytes() + ENTRY_BYTES + costs.sum::<usize>();
        let whole = template.bytes() + alone;
        let (template, body, bytes) = if whole <= self.bytes_max {
            (Some(template), Body::Kept(body.clone()), whole)
        } else if alone <= self.bytes_max {
            (None, Body::Kept(body.clone()), alone)
        } else {
            (None, Body::Read(body.downgrade()), ENTRY_BYTES)
        };
        let has_starts = view.starts.is_some();
        (Rendered { version, has_starts, rolling_costs, template, body }, bytes)
    }
}

fn encode(plain: Pieces, coding: Coding) -> Result<Pieces, Error> {
    let mut pieces = plain.iter();
    let packed = match (coding, pieces.next().filter(|_| pieces.len() == 0)) {
        (Coding::Identity, _) => return Ok(plain),
        (Coding::Gzip, Some(plain)) => {
            let packed = Vec::with_capacity(plain.len() / 4);
            let mut encoder = GzEncoder::new(packed, Compression::fast());
            encoder.write_all(plain)?;
            encoder.finish()?
        }
        (Coding::Zstd, Some(plain)) => zstd::bulk::compress(plain, ZSTD_LEVEL)?,
        (Coding::Gzip, None) => {
            let mut encoder = GzEncoder::new(Growing::default(), Compression::fast());
            plain.iter().try_for_each(|piece| encoder.write_all(piece))?;
            return Ok(encoder.finish()?.take().into_iter().collect());
        }
        (Coding::Zstd, None) => {
            let mut encoder = ZstdEncoder::new(Growing::default(), ZSTD_LEVEL)?;
            encoder.set_pledged_src_size(u64::try_from(plain.bytes()).ok())?;
            plain.iter().try_for_each(|piece| encoder.write_all(piece))?;
            return Ok(encoder.finish()?.take().into_iter().collect());
        }
    };
    Ok(Bytes::from(packed).into())
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;
    use crate::rollup::{SeriesMap, SeriesTotals};
    use crate::sql::FurtherSums;

    const COLLECT: [&str; 2] = ["core", "tokens"];

    fn series(count: usize) -> SeriesMap {
        let series = (0..count).map(|n| {
            (
                ("p".into(), format!("model-{n}").into()),
                SeriesTotals { requests: 7, ..SeriesTotals::default() },
            )
        });
        series.collect()
    }

    fn view(series: &SeriesMap, archive_version: u64, rolling_cost: i128) -> UsageView<'_> {
        UsageView { rolling_cost, ..UsageView::of("acme", series, archive_version) }
    }

    fn form(coding: Coding) -> BodyForm {
        let collect = Collect::parse(COLLECT.into_iter()).unwrap();
        BodyForm { collect, format: MetricsFormat::Text004, coding }
    }

    #[test]
    fn a_body_of_many_pieces_reads_back_in_each_coding() {
        let (org, series) = (OrgId::parse("acme").unwrap(), series(2_000));
        let bodies = Bodies::new(64 << 20);
        let body = |coding| bodies.body(&org, None, &view(&series, 1, 5), form(coding)).unwrap();
        let plain = body(Coding::Identity);
        assert!(plain.iter().len() > 8, "{}", plain.iter().len());
        let plain = Vec::from(plain);
        let [gzip, zstd] = [Coding::Gzip, Coding::Zstd].map(|coding| Vec::from(body(coding)));
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(&*gzip).read_to_end(&mut unpacked).unwrap();
        assert!(unpacked == plain);
        assert!(zstd::bulk::decompress(&zstd, plain.len()).unwrap() == plain);
    }

    #[test]
    fn what_was_rendered_without_start_times_is_rendered_again_once_they_are_known() {
        let (org, series) = (OrgId::parse("acme").unwrap(), series(3));
        let bodies = Bodies::new(1 << 20);
        let form = BodyForm { format: MetricsFormat::Protobuf, ..form(Coding::Identity) };
        let started = series.iter().map(|(name, totals)| {
            let first_ingested = Some(1_732_370_000_123_456);
            let further = FurtherSums { first_ingested, ..FurtherSums::default() };
            (name.clone(), SeriesTotals { further: Some(Box::new(further)), ..totals.clone() })
        });
        let started = started.collect::<SeriesMap>();
        let without = view(&series, 1, 5);
        let with = UsageView { starts: Some(&started), ..without };
        let first = bodies.body(&org, None, &without, form).unwrap();
        assert!(bodies.known(&org, None, &with, form).is_none());
        let second = bodies.body(&org, None, &with, form).unwrap();
        assert!(second.bytes() > first.bytes());
        assert_eq!(bodies.known(&org, None, &with, form), Some(second));
    }

    #[test]
    fn what_is_too_large_to_be_kept_is_shared_by_those_who_read_it() {
        let (org, series) = (OrgId::parse("acme").unwrap(), series(2_000));
        let (bodies, plain) = (Bodies::new(100_000), form(Coding::Identity));
        let body =
            |version, cost| bodies.body(&org, None, &view(&series, version, cost), plain).unwrap();
        let known = |version| bodies.known(&org, None, &view(&series, version, 5), plain);
        let first = body(1, 5);
        assert_eq!(body(1, 5).place(), first.place(), "it is the same");
        assert_eq!(known(1).map(|known| known.place()), Some(first.place()));
        assert!(known(2).is_none());
        assert_ne!(body(1, 6).place(), first.place(), "the gauge has moved");
        drop(body(1, 5));
        assert!(known(1).is_none(), "nobody reads it");
        // Compressed, the body fits, but without its template.
        let packed = form(Coding::Gzip);
        let first = bodies.body(&org, None, &view(&series, 1, 5), packed).unwrap().place();
        let again = bodies.known(&org, None, &view(&series, 1, 5), packed).unwrap();
        assert_eq!(again.place(), first);
        assert!(bodies.rendered.lock().bytes() < 100_000);
    }
}
