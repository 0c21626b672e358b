//! Rendered scrapes: what depends only on the table's version is rendered once a version, and the
//! whole body once for each value of the gauge.

use std::io::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use parking_lot::Mutex;

use crate::byte_lru::ByteLru;
use crate::event::OrgId;
use crate::exposition::{Coding, Collect, Format, Template};
use crate::rollup::UsageView;

/// Its fastest, as gzip's is.
const ZSTD_LEVEL: i32 = 1;

/// What a client asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Form {
    /// Which families.
    pub collect: Collect,
    /// In which text format.
    pub format: Format,
    /// How it is compressed.
    pub coding: Coding,
}

#[derive(Debug, Clone)]
struct Rendered {
    version: u64,
    template: Arc<Template>,
    rolling_cost: i128,
    body: Bytes,
}

/// Bodies by organisation and form, bounded in bytes.
#[derive(Debug)]
pub struct Bodies {
    rendered: Mutex<ByteLru<(OrgId, Form), Rendered>>,
}

impl Bodies {
    /// An empty cache that may hold `bytes_max`.
    pub fn new(bytes_max: usize) -> Self {
        Self { rendered: Mutex::new(ByteLru::new(bytes_max)) }
    }

    /// The body that shows `view`.
    ///
    /// # Errors
    /// What the compressor says; none is known.
    pub fn body(&self, org_id: &OrgId, view: &UsageView<'_>, form: Form) -> std::io::Result<Bytes> {
        let key = (org_id.clone(), form);
        let (version, rolling_cost) = (view.archive_version, view.rolling_cost);
        let known =
            self.rendered.lock().get_mut(&key).filter(|known| known.version == version).cloned();
        let template = match known {
            Some(known) if known.rolling_cost == rolling_cost => return Ok(known.body),
            Some(known) => known.template,
            None => Arc::new(Template::new(view, form.collect, form.format)),
        };
        // Rendering takes time with thousands of series, so other organisations do not wait for it.
        let plain = template.body(rolling_cost);
        let bytes = 2 * plain.len() + size_of::<Rendered>();
        let body = encode(plain, form)?;
        let rendered = Rendered { version, template, rolling_cost, body: body.clone() };
        self.rendered.lock().put(key, rendered, bytes);
        Ok(body)
    }
}

fn encode(plain: Vec<u8>, form: Form) -> std::io::Result<Bytes> {
    Ok(match form.coding {
        Coding::Identity => plain,
        Coding::Gzip => {
            let packed = Vec::with_capacity(plain.len() / 4);
            let mut encoder = GzEncoder::new(packed, Compression::fast());
            encoder.write_all(&plain)?;
            encoder.finish()?
        }
        Coding::Zstd => zstd::bulk::compress(&plain, ZSTD_LEVEL)?,
    }
    .into())
}
