//! Scrapes: what an organisation, or a part of it, is shown.

use std::sync::Arc;

use tokio::task::JoinHandle;

use super::bound::bound_dimension;
use super::shown_tables::ShownTables;
use super::{App, AppError, BodyForm};
use crate::access::Caller;
use crate::archive::Snapshot;
use crate::clock::Micros;
use crate::event::{Dimension, OrgId};
use crate::exposition::Pieces;
use crate::rollup::{Asked, MergeTurn, Starts, UsageScope, UsageView};
use crate::sql::SqlError;

impl App {
    /// The body of a caller's scrape. It shows each event acknowledged before this call, but for the
    /// staleness that is allowed.
    ///
    /// # Errors
    /// Unavailable or Corrupt, never an incomplete sum; Forbidden, if the caller is bound to a dimension
    /// that no longer exists.
    pub async fn scrape(
        &self,
        caller: &Caller,
        form: BodyForm,
        now: Micros,
    ) -> Result<Pieces, AppError> {
        let tables = self.shown_tables(&caller.org_id, form).await?;
        let mut snapshot = self.snapshot_for(caller).await?;
        loop {
            let at = (&snapshot, now);
            let tried = match is_plain(caller, form, &snapshot) {
                true => self.plain_body(&caller.org_id, form, &tables, at).await,
                false => Box::pin(self.body_of_parts(caller, form, &tables, at)).await,
            };
            match tried {
                Ok(Some(body)) => return Ok(body),
                // A newer version was at hand, which may hold corrections.
                Ok(None) => snapshot = Box::pin(self.archive.newest()).await?,
                Err(error) => match Box::pin(self.archive.newer(&snapshot, &error)).await? {
                    Some(newest) => snapshot = newest,
                    None => return Err(error),
                },
            }
        }
    }

    /// The body of a whole organisation, without dimensions, corrections and start times; `None` if the
    /// version that is shown, which may be newer than `snapshot`, may hold corrections.
    async fn plain_body(
        &self,
        org_id: &OrgId,
        form: BodyForm,
        tables: &ShownTables,
        (snapshot, now): (&Arc<Snapshot>, Micros),
    ) -> Result<Option<Pieces>, AppError> {
        // A large body that is not cached is rendered on another thread.
        let render = |view: &UsageView<'_>| {
            let view = &tables.on(view);
            match self.bodies.known(org_id, None, view, form) {
                _ if view.lacks_corrections => None,
                Some(body) => Some(Ok(body)),
                None if view.is_large() => None,
                None => Some(self.bodies.body(org_id, None, view, form)),
            }
        };
        let known = self.rollup.show_known(org_id, snapshot, now, render);
        if let Some(body) = known.flatten() {
            return body.map(Some).map_err(|error| failed(&error));
        }
        let turn = self.rollup.turn(org_id.as_str()).await;
        let work = self.add_up(turn, org_id.clone(), form, tables.clone(), (snapshot.clone(), now));
        let body = work.await.map_err(|error| AppError::Internal(error.to_string()))??;
        body.transpose().map_err(|error| failed(&error))
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
    ) -> JoinHandle<Result<Option<std::io::Result<Pieces>>, SqlError>> {
        let (rollup, bodies) = (self.rollup.clone(), self.bodies.clone());
        tokio::spawn(async move {
            let asked = org_id.clone();
            let render = move |view: &UsageView<'_>| {
                let view = &tables.on(view);
                (!view.lacks_corrections).then(|| bodies.body(&asked, None, view, form))
            };
            rollup.show(turn, &org_id, &snapshot, now, render).await
        })
    }

    /// The body of all that a caller asks for, and of its corrections; `None` as of
    /// [`App::plain_body`].
    async fn body_of_parts(
        &self,
        caller: &Caller,
        form: BodyForm,
        tables: &ShownTables,
        (snapshot, now): (&Arc<Snapshot>, Micros),
    ) -> Result<Option<Pieces>, AppError> {
        let org_id = &caller.org_id;
        let value = caller.bound.as_ref().map(|bound| bound.to_string().into());
        let asked = asked(caller, form, snapshot)?;
        let render = |view: &UsageView<'_>| match view.lacks_corrections {
            true => None,
            false => self.bodies.known(org_id, value.as_ref(), &tables.on(view), form),
        };
        let known = self.rollup.show_known_asked(&asked, snapshot, now, render);
        if let Some(body) = known.flatten() {
            return Ok(Some(body));
        }
        let (rollup, bodies) = (self.rollup.clone(), self.bodies.clone());
        let (of, at, tables) = (org_id.clone(), snapshot.clone(), tables.clone());
        let work = tokio::spawn(async move {
            let render = move |view: &UsageView<'_>| {
                let view = &tables.on(view);
                (!view.lacks_corrections).then(|| bodies.body(&of, value.as_ref(), view, form))
            };
            rollup.show_asked(asked, &at, now, render).await
        });
        let body = work.await.map_err(|error| AppError::Internal(error.to_string()))??;
        body.transpose().map_err(|error| failed(&error))
    }
}

/// True if a caller's scrape at `snapshot` shows a whole organisation and nothing further.
fn is_plain(caller: &Caller, form: BodyForm, snapshot: &Snapshot) -> bool {
    caller.bound.is_none()
        && !form.collect.has_dimensions()
        && form.starts() == Starts::Unasked
        && !snapshot.table().may_hold_corrections()
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
    let parts = dimensions.into_iter().map(|dimension| UsageScope::parts(org_id, dimension));
    let dimensions = parts.map(Arc::new).collect();
    Ok(Asked { dimensions, starts, ..Asked::of_org(org_id, snapshot) })
}

fn failed(error: &std::io::Error) -> AppError {
    AppError::Internal(error.to_string())
}
