//! Spreads a query over nodes, if its plan can be told to them.
//!
//! A query is planned as in one process, answers from partials and all. Then the engine cuts the plan
//! into stages. What reads files, and what follows up to the last merge, runs on nodes. A plan with a part
//! that nodes would not run as this process does runs here, whole.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::tree_node::{Transformed, TreeNode as _, TreeNodeRecursion};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::context::QueryPlanner;
use datafusion::execution::session_state::SessionState;
use datafusion::execution::{SessionStateBuilder, TaskContext};
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_expr::Partitioning;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::{ExecutionPlan, displayable};
use datafusion::prelude::SessionConfig;
use datafusion_distributed::{
    DistributedConfig, DistributedExec, DistributedExt as _, DistributedLeafExec,
    NetworkBoundaryExt as _, SessionStateBuilderExt as _, WorkerResolver,
};
use futures::future::try_join_all;
use url::Url;

use super::codec::{NodeCodec, scan_config};
use super::dial::{NodeTrust, NodeUrl};
use super::engine::PLAN_BYTES_MAX;
use super::heads::{HELLO, NodeSecret};
use super::lines::{NodeLines, QueryLines};
use super::query_threads::QueryThreads;
use super::share_top::ShareTop;
use super::shares;
use crate::archive::ArchiveMark;
use crate::sql::foreign_scan::ForeignExec;
use crate::sql::presummed_table::PartialsExec;

/// Parts of plans that pass values within their process, beside the rows.
const WITHIN_PROCESS: [&str; 3] = ["RecursiveQueryExec", "WorkTableExec", "ScalarSubqueryExec"];

/// The nodes over which a process spreads its queries.
#[derive(Debug)]
pub struct Nodes {
    nodes: Vec<NodeUrl>,
    lines: Arc<NodeLines>,
    threads: QueryThreads,
}

impl Nodes {
    /// These nodes, of which none is asked yet. Connections to them are of the calling runtime.
    ///
    /// # Errors
    /// If the system has no threads for queries.
    pub fn new(nodes: Vec<NodeUrl>, secret: NodeSecret, trust: NodeTrust) -> io::Result<Self> {
        let lines = Arc::new(NodeLines::new(secret, trust));
        Ok(Self { nodes, lines, threads: QueryThreads::start()? })
    }
}

impl WorkerResolver for NodeUrls {
    fn get_urls(&self) -> Result<Vec<Url>> {
        Ok(self.0.clone())
    }
}

/// The addresses of nodes, for the engine.
struct NodeUrls(Vec<Url>);

/// The nodes for one query, and the archive that it is about.
#[derive(Debug, Clone, Copy)]
pub struct Spread<'a> {
    /// The nodes.
    pub nodes: &'a Nodes,
    /// What nodes recognise the archive by.
    pub mark: ArchiveMark,
}

impl Spread<'_> {
    fn lines(&self, codec: &NodeCodec) -> QueryLines {
        QueryLines { lines: self.nodes.lines.clone(), mark: self.mark, codec: codec.clone() }
    }

    /// Asks each node whether it is there, and of this program and archive.
    ///
    /// # Errors
    /// The first that is not, as an error of a query.
    pub(in crate::sql) async fn hello(&self, codec: &NodeCodec) -> Result<()> {
        use datafusion_distributed::ChannelResolver as _;
        let asked = self.nodes.nodes.iter().map(|node| async move {
            let lines = self.lines(codec);
            let mut client = lines.get_worker_client_for_url(node.url()).await?;
            client.get_worker_info(HELLO).await.map(drop)
        });
        try_join_all(asked).await.map(drop)
    }

    /// The same plan spread over the nodes, and what it runs in; `None` if it is to run here.
    ///
    /// # Errors
    /// Only for a defect.
    pub(in crate::sql) async fn plan(
        &self,
        plan: &Arc<dyn ExecutionPlan>,
        state: &SessionState,
        codec: &NodeCodec,
    ) -> Result<Option<(Arc<dyn ExecutionPlan>, Arc<TaskContext>)>> {
        if !can_be_spread(plan)? {
            return Ok(None);
        }
        let config = self.config(state.config().clone(), codec)?;
        let state = SessionStateBuilder::new_from_existing(state.clone())
            .with_config(config)
            .with_query_planner(Arc::new(PlannedAlready(plan.clone())))
            .with_distributed_planner()
            .build();
        let nothing = LogicalPlanBuilder::empty(false).build()?;
        let spread = state.query_planner().create_physical_plan(&nothing, &state).await?;
        if !spread.is::<DistributedExec>() || !divides_by_columns(&spread)? {
            return Ok(None);
        }
        let context = state.task_ctx();
        match arrives(&spread, codec, &context) {
            Ok(()) => {
                tracing::debug!("a query is spread over nodes");
                let threads = self.nodes.threads.handle().clone();
                Ok(Some((Arc::new(ShareTop { share: spread, threads }), context)))
            }
            Err(reason) => {
                tracing::debug!(%reason, "a query runs in one process");
                Ok(None)
            }
        }
    }

    fn config(&self, config: SessionConfig, codec: &NodeCodec) -> Result<SessionConfig> {
        let urls: Vec<_> = self.nodes.nodes.iter().map(|node| node.url().clone()).collect();
        // A plan of one share is not spread at all, so a single node gets two.
        let shares = urls.len().max(2);
        config
            .with_distributed_option_extension(DistributedConfig::default())
            .with_distributed_worker_resolver(NodeUrls(urls))
            .with_distributed_channel_resolver(self.lines(codec))
            .with_distributed_user_codec(codec.clone())
            .with_distributed_desired_task_count_handler(shares::wanted)
            .with_distributed_scale_up_leaf_node_handler(shares::shared)
            .with_distributed_max_tasks_per_stage(shares)?
            .with_distributed_metrics_collection(false)
    }
}

/// Gives the engine a plan that is made already.
#[derive(Debug)]
struct PlannedAlready(Arc<dyn ExecutionPlan>);

#[async_trait]
impl QueryPlanner for PlannedAlready {
    async fn create_physical_plan(
        &self,
        _: &LogicalPlan,
        _: &dyn Session,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self.0.clone())
    }
}

/// True if the plan has a scan of ours, and all of it can run in several processes.
fn can_be_spread(plan: &Arc<dyn ExecutionPlan>) -> Result<bool> {
    let (mut scans, mut fits) = (false, true);
    plan.apply(|node| {
        scans |=
            scan_config(node).is_some() || node.is::<PartialsExec>() || node.is::<ForeignExec>();
        fits &= !WITHIN_PROCESS.contains(&node.name());
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(scans && fits)
}

/// True if rows are divided by columns alone. The engine tells functions in divisions by their names.
fn divides_by_columns(plan: &Arc<dyn ExecutionPlan>) -> Result<bool> {
    let mut fits = true;
    plan.apply(|node| {
        let divided = node.downcast_ref::<RepartitionExec>().map(RepartitionExec::partitioning);
        if let Some(Partitioning::Hash(exprs, _)) = divided {
            fits &= exprs.iter().all(|expr| expr.is::<Column>());
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(fits)
}

/// Checks that each stage is the same plan once it has been written and read.
fn arrives(plan: &Arc<dyn ExecutionPlan>, codec: &NodeCodec, context: &TaskContext) -> Result<()> {
    let mut stages = Vec::new();
    plan.apply(|node| {
        if !node.is_network_boundary() {
            return Ok(TreeNodeRecursion::Continue);
        }
        stages.extend(node.children().into_iter().cloned());
        Ok(TreeNodeRecursion::Jump)
    })?;
    for stage in stages {
        let first_share = |node: Arc<dyn ExecutionPlan>| {
            let leaf = node.downcast_ref::<DistributedLeafExec>();
            Ok(match leaf.and_then(|leaf| leaf.variants().first().cloned()) {
                Some(share) => Transformed::yes(share),
                None => Transformed::no(node),
            })
        };
        let sent = stage.transform_up(first_share)?.data;
        let written = codec.written(sent.clone())?;
        // Of the stage's other shares, some may be larger.
        if written.len() > PLAN_BYTES_MAX / 2 {
            let words = format!("its plan has {} bytes", written.len());
            return Err(DataFusionError::NotImplemented(words));
        }
        let arrived = codec.read(&written, context)?;
        let shown = |plan: &Arc<dyn ExecutionPlan>| {
            displayable(plan.as_ref()).set_show_schema(true).indent(true).to_string()
        };
        let (sent, arrived) = (shown(&sent), shown(&arrived));
        if sent != arrived {
            let words = format!("it would arrive as another plan:\n{sent}\n{arrived}");
            return Err(DataFusionError::NotImplemented(words));
        }
    }
    Ok(())
}
