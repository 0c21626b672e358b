//! What a node does for a coordinator: runs its share of plans, over the archive that it opened itself.

use std::convert::Infallible;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::session_state::SessionState;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::{ChildrenPropertiesMode, ExecutionPlan, ReplaceChildrenOptions};
use datafusion_distributed::{
    BroadcastExec, DistributedExt as _, Worker, WorkerPlanRewriteEvent,
    WorkerPlanRewriteEventResponse, WorkerPlanRewriteHandler, WorkerQueryContext,
    WorkerSessionBuilder,
};
use hyper::body::Body as HttpBody;
use object_store::ObjectStore;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::http::{HeaderMap, Request, Response};
use tonic::codegen::{Bytes, Service as _, StdError};
use tower::ServiceExt as _;
use tower::util::BoxCloneSyncService;

use super::codec::NodeCodec;
use super::dial::NodeTrust;
use super::heads::{self, NodeSecret, other_archive};
use super::lines::{NodeLines, QueryLines};
use super::query_end::QueryEnd;
use super::query_threads::QueryThreads;
use super::share_top::ShareTop;
use crate::archive::ArchiveMark;
use crate::sql::SqlError;
use crate::sql::readers::Readers;
use crate::sql::sessions::{Sessions, sessions};
use crate::sql::walled::{self, QueryBounds};

/// The share of a node's memory that each of its caches may take: one in so many.
pub const NODE_CACHE_SHARE: usize = 16;
/// The largest message that a node takes, which is a share of a plan: it has the checksums of each file.
pub(super) const PLAN_BYTES_MAX: usize = 128 << 20;

/// Answers coordinators of one archive.
pub struct NodeEngine {
    store: Arc<dyn ObjectStore>,
    secret: NodeSecret,
    worker: BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>,
    /// The archive's mark by which a coordinator was recognised last.
    known: Mutex<Option<ArchiveMark>>,
    /// What runs ends with them.
    _threads: QueryThreads,
}

impl std::fmt::Debug for NodeEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NodeEngine")
    }
}

impl NodeEngine {
    /// A node over the archive with its root at `store`, which asks other nodes that it trusts. All its
    /// queries together keep within `bounds`. Connections to those nodes are of the calling runtime.
    ///
    /// # Errors
    /// [`SqlError::Query`], for a defect, or if the system has no more threads.
    pub fn new(
        store: Arc<dyn ObjectStore>,
        secret: NodeSecret,
        trust: NodeTrust,
        bounds: QueryBounds,
    ) -> Result<Self, SqlError> {
        let failed = |error: DataFusionError| SqlError::of("start", &[], &error);
        let runtime = walled::runtime(bounds).map_err(failed)?;
        let threads = QueryThreads::start().map_err(|error| failed(error.into()))?;
        let kept_bytes_max = bounds.memory_bytes / NODE_CACHE_SHARE;
        let readers = Arc::new(Readers::new(store.clone(), kept_bytes_max, kept_bytes_max));
        let config =
            datafusion::prelude::SessionConfig::new().with_target_partitions(bounds.partitions);
        let Sessions { plain, postgres } = sessions(config, runtime.clone(), store.clone())?;
        let functions = super::functions::KnownFunctions { plain, postgres: postgres.clone() };
        let builder = NodeSessions {
            state: postgres,
            codec: NodeCodec { functions: Arc::new(functions), readers },
            lines: Arc::new(NodeLines::new(secret.clone(), trust)),
            secret: secret.clone(),
            threads: threads.handle().clone(),
        };
        let worker = Worker::from_session_builder(builder)
            .with_runtime_env(runtime)
            .with_version(heads::program_version());
        let worker = worker.into_worker_server().max_decoding_message_size(PLAN_BYTES_MAX);
        let worker = BoxCloneSyncService::new(worker);
        Ok(Self { store, secret, worker, known: Mutex::default(), _threads: threads })
    }

    /// Answers one request. One that is not of a coordinator with the same secret, program and archive is
    /// refused before anything of it is read. `knows` is called if the secret is the same.
    pub async fn answer<B>(
        &self,
        request: Request<B>,
        knows: impl FnOnce() + Send,
    ) -> Response<Body>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<StdError>,
    {
        let checked = match heads::told(request.headers(), &self.secret) {
            Ok(mark) => {
                knows();
                self.check(mark).await
            }
            Err(reason) => Err(reason),
        };
        if let Err(reason) = checked {
            tracing::warn!(%reason, "a request is refused");
            return Status::unauthenticated(reason).into_http();
        }
        let answered = match self.worker.clone().ready().await {
            Ok(worker) => QueryEnd::watch(request, |request| worker.call(request)).await,
            Err(never) => Err(never),
        };
        match answered {
            Ok(answer) => answer,
            Err(never) => match never {},
        }
    }

    async fn check(&self, mark: ArchiveMark) -> Result<(), String> {
        if *self.known.lock() == Some(mark) {
            return Ok(());
        }
        match mark.is_in(&*self.store).await {
            Ok(true) => {
                *self.known.lock() = Some(mark);
                Ok(())
            }
            Ok(false) => Err(other_archive()),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Makes the session of each share of a plan.
#[derive(Clone)]
struct NodeSessions {
    state: SessionState,
    codec: NodeCodec,
    lines: Arc<NodeLines>,
    secret: NodeSecret,
    threads: Handle,
}

impl NodeSessions {
    fn lines(&self, heads: &HeaderMap) -> Result<QueryLines> {
        let mark = heads::told(heads, &self.secret).map_err(DataFusionError::Execution)?;
        Ok(QueryLines { lines: self.lines.clone(), mark, codec: self.codec.clone() })
    }
}

#[async_trait]
impl WorkerSessionBuilder for NodeSessions {
    async fn build_session_state(&self, mut query: WorkerQueryContext) -> Result<SessionState> {
        let lines = self.lines(&query.headers)?;
        let mut config = query.builder.config().take().unwrap_or_default();
        // Settings are those of every session of this program; the engine's own are extensions.
        let mut options = self.state.config().options().as_ref().clone();
        options.extensions = std::mem::take(&mut config.options_mut().extensions);
        *config.options_mut() = options;
        let config = config
            .with_distributed_channel_resolver(lines)
            .with_distributed_user_codec(self.codec.clone())
            .with_distributed_worker_plan_rewrite_handler(NodeShares {
                end: QueryEnd::of_this_request(),
                threads: self.threads.clone(),
            });
        let state = SessionStateBuilder::new_from_existing(self.state.clone());
        Ok(state.with_config(config).build())
    }
}

/// How a node runs its shares of one query.
struct NodeShares {
    end: QueryEnd,
    threads: Handle,
}

impl WorkerPlanRewriteHandler for NodeShares {
    /// The engine looks for what divides or copies rows at the top, so that stays there.
    fn rewrite_worker_plan(
        &self,
        event: WorkerPlanRewriteEvent<'_>,
    ) -> Result<WorkerPlanRewriteEventResponse> {
        let plan = self.end.ending(event.plan)?;
        let divides = plan.is::<RepartitionExec>() || plan.is::<BroadcastExec>();
        let below = plan.children().first().map(|below| Arc::clone(below)).filter(|_| divides);
        let top = |share| -> Arc<dyn ExecutionPlan> {
            Arc::new(ShareTop { share, threads: self.threads.clone() })
        };
        let plan = match below {
            Some(below) => plan.replace_children(
                vec![top(below)],
                ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute),
            )?,
            None => top(plan),
        };
        Ok(WorkerPlanRewriteEventResponse::new(plan))
    }
}
