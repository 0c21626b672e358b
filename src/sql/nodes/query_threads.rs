//! The threads on which a process runs its share of queries.
//!
//! Some operators compute for a minute before another task has its turn on their thread. Connections have
//! other threads, which answer pings meanwhile, so that a process that is busy is not taken for one that
//! is gone.

use std::io;

use tokio::runtime::{Builder, Handle, Runtime};

use crate::processors;

/// Threads for queries: one for each processor.
#[derive(Debug)]
pub(super) struct QueryThreads {
    handle: Handle,
    /// Taken by the end.
    runtime: Option<Runtime>,
}

impl QueryThreads {
    /// Starts them.
    ///
    /// # Errors
    /// If the system has no more threads.
    pub(super) fn start() -> io::Result<Self> {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(processors::count()).thread_name("query").enable_all();
        let runtime = builder.build()?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    /// Where tasks are started that run on them.
    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }
}

/// Nobody waits for what is still computed.
impl Drop for QueryThreads {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
