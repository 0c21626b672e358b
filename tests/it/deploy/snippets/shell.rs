//! A shell that blocks are pasted into.

use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::super::content;
use crate::support::process::lines;

/// For one block.
const BLOCK_MAX: Duration = Duration::from_secs(120);
/// What the shell says after a block.
const DONE: &str = "\u{1e}done";
/// The ports that the documents name.
const PORTS: [&str; 4] = ["9797", "9798", "9091", "9799"];

/// A running bash that ends at the first command that fails. All that it started ends with it.
pub(super) struct Shell {
    child: Child,
    input: ChildStdin,
    output: Receiver<String>,
    folder: PathBuf,
    ports: [String; 4],
}

impl Shell {
    /// Starts it in `checkout`; what commands leave elsewhere is kept below `folder`.
    pub(super) fn start(folder: &Path, checkout: &Path) -> Self {
        // All are held until each is known, so that they differ.
        let free = [(); 4].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let ports = free.map(|port| port.local_addr().unwrap().port().to_string());
        let path = std::env::var("PATH").unwrap();
        std::fs::create_dir_all(folder.join("tmp")).unwrap();
        let mut child = Command::new("bash")
            .current_dir(checkout)
            .env("PATH", format!("{}:{path}", folder.join("bin").display()))
            .env("HOME", folder)
            .env("TOKENLAKE_LISTEN", format!("127.0.0.1:{}", ports[0]))
            .env_remove("TOKENLAKE_ARCHIVE")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        let output = lines(child.stdout.take().unwrap(), std::sync::Arc::default());
        input.write_all(b"exec 2>&1; set -euo pipefail\n").unwrap();
        Self { child, input, output, folder: folder.to_owned(), ports }
    }

    /// The text with this shell's ports and temporary folder.
    pub(super) fn with_ports(&self, text: &str) -> String {
        let text = PORTS.iter().zip(&self.ports).fold(text.to_owned(), |text, (from, to)| {
            text.replace(&format!(":{from}"), &format!(":{to}"))
        });
        text.replace("/tmp/", &format!("{}/tmp/", self.folder.display()))
    }

    /// Has a shell read commands without running them.
    pub(super) fn check_syntax(&self, place: &str, commands: &str) {
        let file = self.folder.join("block.sh");
        std::fs::write(&file, commands).unwrap();
        let done = content(Command::new("bash").arg("-n").arg(&file));
        assert_eq!(done.stderr, "", "{place}");
    }

    /// Runs commands that must succeed; gives what they say.
    pub(super) fn run(&mut self, place: &str, commands: &str) -> String {
        let commands = self.with_ports(commands);
        // The input is the shell's own.
        let pasted = format!("{{\n{commands}\n}} </dev/null\nprintf '\\n{DONE}\\n'\n");
        self.input.write_all(pasted.as_bytes()).unwrap();
        let mut said = String::new();
        loop {
            match self.output.recv_timeout(BLOCK_MAX) {
                Ok(line) if line == DONE => return said,
                Ok(line) => said.push_str(&format!("{line}\n")),
                Err(RecvTimeoutError::Timeout) => panic!("{place} does not end:\n{said}"),
                Err(RecvTimeoutError::Disconnected) => panic!("{place} fails:\n{commands}\n{said}"),
            }
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let group = format!("-{}", self.child.id());
        // They may have ended by themselves.
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.child.wait();
    }
}
