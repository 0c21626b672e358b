//! Programs that log the address on which they listen, as Prometheus and Alertmanager do.

use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::process::lines;

const START_MAX: Duration = Duration::from_secs(30);

/// A running program. It is killed when dropped.
#[derive(Debug)]
pub struct Listening {
    child: Child,
    /// Its host and port.
    pub address: String,
}

impl Listening {
    /// Starts it, and waits until it listens.
    pub fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let kept: Arc<Mutex<String>> = Arc::default();
        let notes = lines(child.stderr.take().unwrap(), kept.clone());
        let mut started = Self { child, address: String::new() };
        while let Ok(line) = notes.recv_timeout(START_MAX) {
            if let Some(address) = address(&line) {
                started.address = address.to_owned();
                return started;
            }
        }
        panic!("{:?} does not listen: {}", command.get_program(), kept.lock().unwrap());
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // It may have already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn address(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once(r#"msg="Listening on""#)?;
    Some(rest.split_once(" address=")?.1)
}
