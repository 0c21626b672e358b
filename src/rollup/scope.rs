//! Whose usage is added up, and of which cells: an organisation's, that of a part of it, or that of all
//! parts that a dimension makes of it.

use std::ops::Bound;
use std::sync::Arc;

use crate::event::{Dimension, OrgId};
use crate::sql::{CellKind, part_of, parts_bounds};

/// Names in a range.
pub type Bounds<'a> = (Bound<&'a str>, Bound<&'a str>);

/// Whose usage, and of which cells.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UsageScope {
    /// The organisation.
    pub org_id: OrgId,
    /// The cells.
    pub kind: CellKind,
    /// The first name in cells, and the first that is none of it any longer; `None` for the one alone.
    from: Arc<str>,
    to: Option<Arc<str>>,
    key: Arc<str>,
}

impl UsageScope {
    /// An organisation.
    pub fn org(org_id: &OrgId) -> Self {
        let name: Arc<str> = org_id.as_str().into();
        let (kind, to) = (CellKind::Core, None);
        Self { kind, from: name.clone(), to, key: name, org_id: org_id.clone() }
    }

    /// The corrections of an organisation.
    pub fn corrections(org_id: &OrgId) -> Self {
        let (kind, from) = (CellKind::Corrections, org_id.as_str().into());
        let key = format!("corrections {org_id}").into();
        Self { kind, from, to: None, key, org_id: org_id.clone() }
    }

    /// When the series of an organisation began.
    pub fn starts(org_id: &OrgId) -> Self {
        let (kind, from) = (CellKind::Days, org_id.as_str().into());
        let key = format!("starts {org_id}").into();
        Self { kind, from, to: None, key, org_id: org_id.clone() }
    }

    /// The part of an organisation that has a value of a dimension.
    pub fn part(org_id: &OrgId, dimension: &Arc<Dimension>, value: &str) -> Self {
        let part: Arc<str> = part_of(org_id.as_str(), value).into();
        Self::of(org_id, dimension, part, None)
    }

    /// All parts that a dimension makes of an organisation, one by one.
    pub fn parts(org_id: &OrgId, dimension: &Arc<Dimension>) -> Self {
        let [from, to] = parts_bounds(org_id.as_str()).map(Arc::from);
        Self::of(org_id, dimension, from, Some(to))
    }

    fn of(
        org_id: &OrgId,
        dimension: &Arc<Dimension>,
        from: Arc<str>,
        to: Option<Arc<str>>,
    ) -> Self {
        let kind = CellKind::of(dimension);
        // No organisation has a blank in its name, and no version has one.
        let which = if to.is_some() { "parts" } else { "part" };
        let key = format!("{which} {} {from}", kind.totals_version()).into();
        Self { org_id: org_id.clone(), kind, from, to, key }
    }

    /// Tells it from all others.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The name of the one whose cells they are; `None` of several.
    pub fn one(&self) -> Option<&Arc<str>> {
        self.to.is_none().then_some(&self.from)
    }

    /// True if its cells tell hours, so that there is a cost of the last 24.
    pub fn has_window(&self) -> bool {
        self.kind != CellKind::Days
    }

    /// The names in cells that belong to it.
    pub fn bounds(&self) -> Bounds<'_> {
        match &self.to {
            None => (Bound::Included(&self.from), Bound::Included(&self.from)),
            Some(to) => (Bound::Included(&self.from), Bound::Excluded(to)),
        }
    }
}
