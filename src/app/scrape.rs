//! Scrapes: what an organisation, or a part of it, is shown.

use std::sync::Arc;

use tokio::task::JoinHandle;

use super::shown_tables::ShownTables;
use super::{App, AppError, BodyForm, bound_dimension};
use crate::access::Caller;
use crate::archive::Snapshot;
use crate::clock::Micros;
use crate::event::{Dimension, OrgId};
use crate::exposition::Pieces;
use crate::rollup::{Asked, MergeTurn, Starts, UsageScope, UsageView};
use crate::sql::SqlError;

impl App {
    /// The body of a scrape of those who may see a whole organisation, without dimensions, corrections and
    /// start times.
    ///
    /// # Errors
    /// Unavailable or Corrupt; never an incomplete sum.
    pub async fn scrape(
        &self,
        org_id: &OrgId,
        form: BodyForm,
        now: Micros,
    ) -> Result<Pieces, AppError> {
        let tables = self.shown_tables(org_id, form).await?;
        let mut snapshot = self.archive.fresh(self.settings.staleness_max).await?;
        loop {
            // A large body that is not cached is rendered on another thread.
            let render = |view: &UsageView<'_>| {
                let view = &tables.on(view);
                match self.bodies.known(org_id, None, view, form) {
                    Some(body) => Some(Ok(body)),
                    None if view.is_large() => None,
                    None => Some(self.bodies.body(org_id, None, view, form)),
                }
            };
            let known = self.rollup.show_known(org_id, &snapshot, now, render);
            if let Some(body) = known.flatten() {
                return body.map_err(|error| failed(&error));
            }
            let turn = self.rollup.turn(org_id.as_str()).await;
            let work =
                self.add_up(turn, org_id.clone(), form, tables.clone(), (snapshot.clone(), now));
            match work.await.map_err(|error| AppError::Internal(error.to_string()))? {
                Ok(body) => return body.map_err(|error| failed(&error)),
                Err(error) => match Box::pin(self.archive.newer(&snapshot, &error)).await? {
                    Some(newest) => snapshot = newest,
                    None => return Err(error.into()),
                },
            }
        }
    }

    /// Adds up the sums in a task, because the work may outlast the scrape's deadline, and later
    /// scrapes use its result. It also keeps the scrape's own future small.
    fn add_up(
        &self,
        turn: MergeTurn,
        org_id: OrgId,
        form: BodyForm,
        tables: ShownTables,
        (snapshot, now): (Arc<Snapshot>, Micros),
    ) -> JoinHandle<Result<std::io::Result<Pieces>, SqlError>> {
        let (rollup, bodies) = (self.rollup.clone(), self.bodies.clone());
        tokio::spawn(async move {
            let asked = org_id.clone();
            let render =
                move |view: &UsageView<'_>| bodies.body(&asked, None, &tables.on(view), form);
            rollup.show(turn, &org_id, &snapshot, now, render).await
        })
    }

    /// The body of a caller's scrape.
    ///
    /// # Errors
    /// As [`App::scrape`]; Forbidden, if the caller is bound to a dimension that no longer exists.
    pub async fn scrape_as(
        &self,
        caller: &Caller,
        form: BodyForm,
        now: Micros,
    ) -> Result<Pieces, AppError> {
        let corrections = self.archive.current().table().may_hold_corrections();
        let is_plain = !form.collect.has_dimensions() && form.starts() == Starts::Unasked;
        if caller.bound.is_none() && is_plain && !corrections {
            return self.scrape(&caller.org_id, form, now).await;
        }
        Box::pin(self.scrape_parts(caller, form, now)).await
    }

    async fn scrape_parts(
        &self,
        caller: &Caller,
        form: BodyForm,
        now: Micros,
    ) -> Result<Pieces, AppError> {
        let org_id = &caller.org_id;
        let tables = self.shown_tables(org_id, form).await?;
        let mut snapshot = self.archive.fresh(self.settings.staleness_max).await?;
        let value = caller.bound.as_ref().map(|bound| bound.to_string().into());
        loop {
            let asked = asked(caller, form, &snapshot)?;
            let render = |view: &UsageView<'_>| {
                self.bodies.known(org_id, value.as_ref(), &tables.on(view), form)
            };
            let known = self.rollup.show_known_asked(&asked, &snapshot, now, render);
            if let Some(body) = known.flatten() {
                return Ok(body);
            }
            let (rollup, bodies) = (self.rollup.clone(), self.bodies.clone());
            let (of, whose, at) = (org_id.clone(), value.clone(), snapshot.clone());
            let tables = tables.clone();
            let work = tokio::spawn(async move {
                let render = move |view: &UsageView<'_>| {
                    bodies.body(&of, whose.as_ref(), &tables.on(view), form)
                };
                rollup.show_asked(asked, &at, now, render).await
            });
            match work.await.map_err(|error| AppError::Internal(error.to_string()))? {
                Ok(body) => return body.map_err(|error| failed(&error)),
                Err(error) => match Box::pin(self.archive.newer(&snapshot, &error)).await? {
                    Some(newest) => snapshot = newest,
                    None => return Err(error.into()),
                },
            }
        }
    }
}

/// What a caller is shown: all of its organisation, or the part of it that its key is bound to.
fn asked(caller: &Caller, form: BodyForm, snapshot: &Snapshot) -> Result<Asked, AppError> {
    let (org_id, dimensions) = (&caller.org_id, &snapshot.table().dimensions);
    let starts = form.starts();
    if let Some(bound) = &caller.bound {
        let dimension = bound_dimension(bound, snapshot)?;
        let whole = Arc::new(UsageScope::part(org_id, &dimension, &bound.value));
        let shows_own = form.collect.has_dimensions();
        // The cells of dimensions have corrections.
        return Ok(Asked { whole, corrections: None, dimensions: Vec::new(), shows_own, starts });
    }
    let is_asked = |_: &&Arc<Dimension>| form.collect.has_dimensions();
    let mut dimensions: Vec<_> = dimensions.iter().filter(is_asked).collect();
    dimensions.sort_by(|a, b| a.name.cmp(&b.name));
    let corrections = snapshot.table().may_hold_corrections();
    let parts =
        dimensions.into_iter().map(|dimension| Arc::new(UsageScope::parts(org_id, dimension)));
    Ok(Asked {
        whole: Arc::new(UsageScope::org(org_id)),
        corrections: corrections.then(|| Arc::new(UsageScope::corrections(org_id))),
        dimensions: parts.collect(),
        shows_own: false,
        starts,
    })
}

fn failed(error: &std::io::Error) -> AppError {
    AppError::Internal(error.to_string())
}
