//! The question that a worker gets.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::WorkerError;
use crate::archive::{DataFile, ScanFile, Snapshot};
use crate::event::OrgId;
use crate::sql::{Asker, BoundPart, RowFormat, WireQuestion};

/// The form of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AnswerForm {
    /// Rows in a format.
    Rows(RowFormat),
    /// Messages of PostgreSQL's protocol: parameters, columns, rows.
    Wire(WireQuestion),
}

/// A query of one organisation over the files of one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Whose rows the query sees.
    pub asker: Asker,
    /// The SQL text.
    pub query: String,
    /// The form of its answer.
    pub form: AnswerForm,
    files: Vec<ScanFile>,
}

impl Question {
    /// A query over the rows that `snapshot` holds of an organisation, or of a part of it.
    pub fn new(
        org_id: &OrgId,
        bound: Option<BoundPart>,
        query: String,
        form: AnswerForm,
        snapshot: &Snapshot,
    ) -> Self {
        let files = snapshot.files().filter(|file| file.may_hold_org(org_id.as_str()));
        let files = files.map(|file| ScanFile::of(file)).collect();
        let dimensions = (*snapshot.table().dimensions).clone();
        let asker = Asker { org_id: Some(org_id.as_str().into()), bound, dimensions };
        Self { asker, query, form, files }
    }

    /// The files to read.
    pub(super) fn files(&self) -> Result<Vec<Arc<DataFile>>, WorkerError> {
        let files: Option<_> = self.files.iter().map(|file| file.file().map(Arc::new)).collect();
        files.ok_or_else(|| WorkerError::Broken("the description of a file is invalid".to_owned()))
    }
}
