//! Whose usage is asked for, and which cells tell it.

use std::sync::Arc;

use super::error::UsageError;
use super::groups::UsageGroup;
use super::question::UsageQuestion;
use crate::archive::Snapshot;
use crate::event::{Dimension, OrgId};
use crate::rollup::UsageScope;

/// Whose usage is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhoseUsage {
    /// The organisation.
    pub org_id: OrgId,
    /// The part of it; `None` for all of it.
    pub part: Option<(Arc<Dimension>, Arc<str>)>,
}

/// Cells that are added up.
#[derive(Debug, Clone)]
pub struct CellSource {
    /// Whose, and of which kind.
    pub scope: Arc<UsageScope>,
    /// True if they are also part of the cells of the organisation, whose rest has no value of the
    /// dimension.
    pub is_of_rest: bool,
}

impl WhoseUsage {
    /// The dimensions that it can be grouped by.
    pub fn dimensions(&self, snapshot: &Snapshot) -> Vec<Arc<Dimension>> {
        match &self.part {
            Some((dimension, _)) => vec![dimension.clone()],
            None => snapshot.table().dimensions.iter().cloned().collect(),
        }
    }
}

/// The groups of a question, and the cells that answer it.
///
/// # Errors
/// [`UsageError`], if there is no such group for this one.
pub fn sources(
    whose: &WhoseUsage,
    question: &UsageQuestion,
    snapshot: &Snapshot,
) -> Result<(Vec<UsageGroup>, Vec<CellSource>), UsageError> {
    let source = |scope, is_of_rest| CellSource { scope: Arc::new(scope), is_of_rest };
    let org_id = &whose.org_id;
    let groups = question.groups(&whose.dimensions(snapshot))?;
    if let Some((dimension, value)) = &whose.part {
        // The cells of dimensions have corrections.
        return Ok((groups, vec![source(UsageScope::part(org_id, dimension, value), false)]));
    }
    let table = snapshot.table();
    let mut sources = vec![source(UsageScope::org(org_id), false)];
    if table.may_hold_corrections() {
        sources.push(source(UsageScope::corrections(org_id), false));
    }
    for group in &groups {
        if let UsageGroup::Dimension(dimension) = group {
            sources.push(source(UsageScope::parts(org_id, dimension), true));
        }
    }
    Ok((groups, sources))
}
