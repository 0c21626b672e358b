//! The connections of a process to nodes, and what goes over them for one query.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion_distributed::grpc::{BoxCloneSyncChannel, create_worker_client};
use datafusion_distributed::{
    ChannelResolver, CoordinatorToWorkerMsg, ExecuteTaskRequest, GetWorkerInfoRequest,
    GetWorkerInfoResponse, MaybeEncoded, ProducerHead, SetPlanRequest, WorkerChannel,
    WorkerToCoordinatorMsg,
};
use futures::stream::BoxStream;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tonic::codegen::http::HeaderMap;
use tonic::transport::Channel;
use url::Url;

use super::codec::NodeCodec;
use super::dial::{NodeTrust, NodeUrl, dial};
use super::far_error::FarError;
use super::heads::NodeSecret;
use super::whole_answer::NodeRequests;
use crate::archive::ArchiveMark;

/// The connections of a process. Each is made when it is first needed, and again when it broke.
#[derive(Debug)]
pub(super) struct NodeLines {
    secret: NodeSecret,
    trust: NodeTrust,
    channels: Mutex<HashMap<NodeUrl, Channel>>,
    /// In which connections are made and served.
    runtime: Handle,
}

impl NodeLines {
    /// No connections yet. They are of the calling runtime, whichever one it is that needs them first.
    pub(super) fn new(secret: NodeSecret, trust: NodeTrust) -> Self {
        Self { secret, trust, channels: Mutex::default(), runtime: Handle::current() }
    }

    /// The connection to a node, for requests about an archive.
    ///
    /// # Errors
    /// [`FarError::Node`], which says what to do.
    pub(super) async fn to(
        &self,
        node: NodeUrl,
        mark: ArchiveMark,
    ) -> std::result::Result<NodeRequests, FarError> {
        let known = self.channels.lock().get(&node).cloned();
        let channel = match known {
            Some(channel) => channel,
            None => {
                let (to, trust) = (node.clone(), self.trust.clone());
                let made = self.runtime.spawn(async move { dial(&to, &trust).await });
                let made = made.await.unwrap_or_else(|error| Err(error.to_string()));
                let made = made.map_err(|reason| {
                    FarError::Node(format!(
                        "cannot reach the node {node}: {reason}; see whether it runs, and ask again, \
                         or ask without --nodes"
                    ))
                })?;
                self.channels.lock().entry(node.clone()).or_insert(made).clone()
            }
        };
        Ok(NodeRequests { node, channel, secret: self.secret.clone(), mark })
    }
}

/// The connections for one query.
#[derive(Clone)]
pub(super) struct QueryLines {
    pub lines: Arc<NodeLines>,
    pub mark: ArchiveMark,
    pub codec: NodeCodec,
}

#[async_trait]
impl ChannelResolver for QueryLines {
    async fn get_worker_client_for_url(&self, url: &Url) -> Result<Box<dyn WorkerChannel>> {
        let requests = self.lines.to(NodeUrl::of(url), self.mark).await;
        let requests = requests.map_err(|error| DataFusionError::Execution(error.to_text()))?;
        let client = create_worker_client(BoxCloneSyncChannel::new(requests));
        Ok(Box::new(NotedChannel { client, codec: self.codec.clone() }))
    }
}

/// A connection over which plans go as [`NodeCodec`] writes them. The engine alone would tell functions
/// by their names.
struct NotedChannel {
    client: Box<dyn WorkerChannel>,
    codec: NodeCodec,
}

#[async_trait]
impl WorkerChannel for NotedChannel {
    async fn coordinator_channel(
        &mut self,
        headers: HeaderMap,
        request: SetPlanRequest,
        messages: BoxStream<'static, CoordinatorToWorkerMsg>,
        metrics: ExecutionPlanMetricsSet,
        context: &Arc<TaskContext>,
    ) -> Result<BoxStream<'static, Result<WorkerToCoordinatorMsg>>> {
        let plan = match request.plan {
            MaybeEncoded::Decoded(plan) => MaybeEncoded::Encoded(self.codec.written(plan)?),
            written => written,
        };
        let request = SetPlanRequest { plan, ..request };
        self.client.coordinator_channel(headers, request, messages, metrics, context).await
    }

    async fn execute_task(
        &mut self,
        headers: HeaderMap,
        request: ExecuteTaskRequest,
        metrics: ExecutionPlanMetricsSet,
        context: &Arc<TaskContext>,
    ) -> Result<Vec<BoxStream<'static, Result<RecordBatch>>>> {
        let producer_head = match request.producer_head {
            ProducerHead::RepartitionExec { partitioning: MaybeEncoded::Decoded(partitioning) } => {
                let written = self.codec.written_partitioning(&partitioning)?;
                ProducerHead::RepartitionExec { partitioning: MaybeEncoded::Encoded(written) }
            }
            head => head,
        };
        let request = ExecuteTaskRequest { producer_head, ..request };
        self.client.execute_task(headers, request, metrics, context).await
    }

    async fn get_worker_info(
        &mut self,
        request: GetWorkerInfoRequest,
    ) -> Result<GetWorkerInfoResponse> {
        self.client.get_worker_info(request).await
    }
}
