//! A real Alertmanager.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::process::lines;
use super::prometheus::listening;

const START_MAX: Duration = Duration::from_secs(30);
/// Debian's name, so that `apt-get install` is enough.
pub const PROGRAM: &str = "prometheus-alertmanager";

/// A running Alertmanager. It is killed when dropped.
#[derive(Debug)]
pub struct Alertmanager {
    child: Child,
    address: String,
}

impl Alertmanager {
    /// Starts it with `alertmanager.yml` in `folder`, where it also keeps its data.
    pub fn start(folder: &Path) -> Self {
        let mut child = Command::new(PROGRAM)
            .arg(format!("--config.file={}", folder.join("alertmanager.yml").display()))
            .arg(format!("--storage.path={}", folder.join("alertmanager").display()))
            .args(["--web.listen-address=127.0.0.1:0", "--cluster.listen-address="])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let kept: Arc<Mutex<String>> = Arc::default();
        let notes = lines(child.stderr.take().unwrap(), kept.clone());
        let mut started = Self { child, address: String::new() };
        while let Ok(line) = notes.recv_timeout(START_MAX) {
            if let Some(address) = listening(&line) {
                started.address = address.to_owned();
                return started;
            }
        }
        panic!("alertmanager does not listen: {}", kept.lock().unwrap());
    }

    /// Its host and port.
    pub fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
