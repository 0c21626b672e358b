//! The place of an archive, with two servers on it and an operator's jobs.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt as _;
use object_store::ObjectStore;
use serde_json::Value;
use tokenlake::access::{NewKey, Scopes};
use tokenlake::app::App;
use tokenlake::clock::{Clock as _, SystemClock};
use tokenlake::event::OrgId;
use tokenlake::maintain;
use tokenlake::maintain::compact::CompactSettings;
use tokenlake::rollup::Rollup;
use tokenlake::sql::{Console, Engine, FormWriter, RowFormat};
use tokenlake::telemetry::Telemetry;
use tokio::runtime::Runtime;

use crate::support::lake::{self, retention, settings};
use crate::support::process::{Server, key_with, tokenlake};
use crate::support::store::memory;

/// An archive and two servers on it.
pub struct Place {
    pub urls: [String; 2],
    kind: Kind,
}

enum Kind {
    /// Nobody but this process can reach it.
    Memory { runtime: Runtime, store: Arc<dyn ObjectStore>, app: Arc<App> },
    /// The program, as it is installed.
    Program { archive: PathBuf, _servers: [Server; 2] },
}

impl Place {
    pub fn memory() -> Self {
        let (runtime, store) = (Runtime::new().unwrap(), memory());
        let [one, other] = [0, 1].map(|_| runtime.block_on(serve(&store)));
        let kind = Kind::Memory { runtime, store, app: one.1 };
        Self { urls: [one.0, other.0], kind }
    }

    pub fn of_program(archive: &Path) -> Self {
        // Each request waits for its commit, and they come one after the other.
        let environment = vec![("TOKENLAKE_COMMIT_INTERVAL", "20ms".to_owned())];
        let servers = [(); 2].map(|()| Server::start_in(&environment, archive, &["serve"]));
        let urls = servers.each_ref().map(|server| server.url(""));
        Self { urls, kind: Kind::Program { archive: archive.to_owned(), _servers: servers } }
    }

    /// Makes a key with these scopes.
    pub fn key(&self, org: &str, scopes: &[&str]) -> String {
        match &self.kind {
            Kind::Program { archive, .. } => {
                key_with(archive, org, &["--scope", &scopes.join(",")])
            }
            Kind::Memory { runtime, app, .. } => {
                let new = NewKey {
                    org_id: OrgId::parse(org).unwrap(),
                    scopes: Scopes::or_usual(
                        scopes.iter().map(|name| name.parse().unwrap()).collect(),
                    ),
                    name: None,
                    expires_at_us: None,
                    bound: None,
                };
                runtime.block_on(app.keys().create(new)).unwrap().reveal().to_owned()
            }
        }
    }

    /// Revokes the one key of an organisation.
    pub fn revoke(&self, org: &str) {
        match &self.kind {
            Kind::Program { archive, .. } => {
                let listed = tokenlake(archive, &["key", "list"]).stdout;
                let line = listed.lines().find(|line| line.contains(org)).unwrap();
                let id = line.split_whitespace().next().unwrap();
                assert_eq!(tokenlake(archive, &["key", "revoke", id]).status, 0);
            }
            Kind::Memory { runtime, app, .. } => runtime.block_on(async {
                let listed = app.keys().list().await.unwrap();
                let key =
                    listed.iter().find(|key| key.record.as_ref().unwrap().org_id == org).unwrap();
                app.keys().revoke(&key.id).await.unwrap();
            }),
        }
    }

    /// The one row that a query gives.
    pub fn sql(&self, query: &str) -> Value {
        match &self.kind {
            Kind::Program { archive, .. } => {
                let done = tokenlake(archive, &["sql", "--format", "ndjson", "-c", query]);
                assert_eq!(done.status, 0, "{done:?}");
                serde_json::from_str(&done.stdout).unwrap()
            }
            Kind::Memory { runtime, store, app } => runtime.block_on(async {
                let snapshot = app.archive().newest().await.unwrap();
                let files: Vec<_> = snapshot.files().cloned().collect();
                let console = Console::new(store.clone()).unwrap();
                let answer = console.query(&files, None, query).await.unwrap();
                let batches: Vec<_> = answer.batches.try_collect().await.unwrap();
                let mut form = FormWriter::new(RowFormat::Ndjson, answer.schema);
                let mut text = Vec::new();
                for batch in &batches {
                    form.rows(&mut text, batch).unwrap();
                }
                serde_json::from_slice(&text).unwrap()
            }),
        }
    }

    /// Merges files; gives how many rewrites it took.
    pub fn compact(&self) -> u64 {
        match &self.kind {
            Kind::Program { .. } => self.job(&["compact"])["rewrites"].as_u64().unwrap(),
            Kind::Memory { runtime, app, .. } => {
                let grace = Duration::from_secs(86_400);
                let mut compactor =
                    app.compactor(CompactSettings { grace, ..CompactSettings::default() });
                runtime.block_on(compactor.compact(0, drop)).unwrap() as u64
            }
        }
    }

    /// Expires events; gives how many.
    pub fn expire(&self, days: u64) -> u64 {
        match &self.kind {
            Kind::Program { .. } => {
                let done = self.job(&["expire", "--older-than", &format!("{days}d")]);
                done["events"].as_u64().unwrap()
            }
            Kind::Memory { runtime, app, .. } => {
                runtime.block_on(app.expire(retention(days))).unwrap().events
            }
        }
    }

    /// Finds no difference; gives how many events there are.
    pub fn verify(&self) -> u64 {
        match &self.kind {
            Kind::Program { archive, .. } => {
                let done = tokenlake(archive, &["verify"]);
                assert_eq!(done.status, 0, "{done:?}");
                let count = done.stdout.split_whitespace().nth(1);
                count.unwrap().parse().unwrap()
            }
            Kind::Memory { runtime, store, app } => {
                let engine = Arc::new(Engine::new(store.clone()).unwrap());
                let rollup = Rollup::new(engine.clone(), None, 1 << 20, Telemetry::new());
                let (rollup, now) = (Arc::new(rollup), SystemClock.now());
                let work = maintain::verify(app.archive(), &engine, &rollup, now, None, |_, _| ());
                let report = runtime.block_on(work).unwrap();
                assert_eq!(report.differences, [""; 0]);
                report.events
            }
        }
    }

    /// What a job that works says on stdout.
    fn job(&self, args: &[&str]) -> Value {
        let Kind::Program { archive, .. } = &self.kind else { unreachable!() };
        let done = tokenlake(archive, args);
        assert_eq!(done.status, 0, "{done:?}");
        serde_json::from_str(&done.stdout).unwrap()
    }
}

/// A server in this process, and its address.
async fn serve(store: &Arc<dyn ObjectStore>) -> (String, Arc<App>) {
    let opened = App::open(store.clone(), Arc::new(SystemClock), Telemetry::new(), settings());
    let app = Arc::new(opened.await.unwrap());
    (lake::serve(app.clone()).await, app)
}
