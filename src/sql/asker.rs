//! Who asks, and so what there is: all organisations, one of them, or a part of one.

use std::sync::Arc;

use datafusion::logical_expr::{Expr, col, lit};
use serde::{Deserialize, Serialize};

use super::dimension_function::dimension_function;
use super::partial_row::{part_of, parts_bounds};
use crate::event::{Dimension, Dimensions};

/// The part of an organisation that has a value of a dimension.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoundPart {
    /// The dimension.
    pub dimension: Arc<Dimension>,
    /// The value.
    pub value: Arc<str>,
}

/// Who asks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asker {
    /// The organisation whose rows there are; `None` for all.
    pub org_id: Option<Arc<str>>,
    /// The part of it; `None` for all of it.
    pub bound: Option<BoundPart>,
    /// The dimensions of the archive.
    pub dimensions: Dimensions,
}

/// Whose rows are behind a wall.
#[derive(Debug, Clone)]
pub(super) struct Own {
    pub(super) org_id: Arc<str>,
    pub(super) bound: Option<BoundPart>,
}

impl Asker {
    /// One who sees an organisation, or all, in an archive without dimensions.
    pub fn of_org(org_id: Option<&str>) -> Self {
        Self { org_id: org_id.map(Arc::from), ..Self::default() }
    }

    /// The dimensions that there are for this one.
    pub(super) fn shown(&self) -> Vec<Arc<Dimension>> {
        match &self.bound {
            Some(bound) => vec![bound.dimension.clone()],
            None => self.dimensions.iter().cloned().collect(),
        }
    }
}

impl Own {
    /// What is true of its events.
    pub(super) fn events(&self) -> Expr {
        let own = col("org_id").eq(lit(&*self.org_id));
        let Some(BoundPart { dimension, value }) = &self.bound else { return own };
        let told = vec![col("attributes"), lit(&*dimension.attribute)];
        own.and(dimension_function().call(told).eq(lit(&**value)))
    }

    /// What is true of its cells of dimensions.
    pub(super) fn parts(&self) -> Expr {
        if let Some(bound) = &self.bound {
            return col("org_id").eq(lit(part_of(&self.org_id, &bound.value)));
        }
        let [from, to] = parts_bounds(&self.org_id);
        col("org_id").gt_eq(lit(from)).and(col("org_id").lt(lit(to)))
    }
}
