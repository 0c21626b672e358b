//! The real program: a server that is killed when the test ends, and commands.

use std::fmt::Display;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::poll;

/// A cold start over a large archive on a busy machine.
const START_MAX: Duration = Duration::from_secs(120);
/// The server gives requests under way 20 seconds.
const STOP_MAX: Duration = Duration::from_secs(30);

/// Settings of storage for all programs of this process.
static ENVIRONMENT: OnceLock<Vec<(&'static str, String)>> = OnceLock::new();

/// Gives all programs started from here on settings of storage.
pub fn set_environment(environment: Vec<(&'static str, String)>) {
    ENVIRONMENT.set(environment).expect("it is set once");
}

/// The program with none of the caller's own settings.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tokenlake"));
    let ours = |name: &str| name.starts_with("TOKENLAKE_") || name == "RUST_LOG";
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(ours)) {
        command.env_remove(name);
    }
    command.envs(ENVIRONMENT.get().into_iter().flatten().cloned());
    command
}

/// Settings of single programs, over those of all.
pub type Environment = Vec<(&'static str, String)>;

/// What a command that ended left behind.
#[derive(Debug)]
pub struct Done {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Runs a command to its end.
pub fn run(command: &mut Command) -> Done {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let [stdout, stderr] =
        [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    let status = output.status;
    let code = status.code().unwrap_or_else(|| panic!("{status}; {stdout:?}; {stderr:?}"));
    Done { status: code, stdout, stderr }
}

/// Runs a command of the program on an archive.
pub fn tokenlake(archive: &Path, args: &[&str]) -> Done {
    tokenlake_in(&Environment::new(), archive, args)
}

/// The same with settings of its own.
pub fn tokenlake_in(environment: &Environment, archive: &Path, args: &[&str]) -> Done {
    let mut command = program();
    command.envs(environment.iter().cloned());
    run(command.arg("--archive").arg(archive).args(args))
}

/// Makes an access key with all scopes.
pub fn key(archive: &Path, org: &str) -> String {
    key_with(archive, org, &[])
}

/// Makes an access key.
pub fn key_with(archive: &Path, org: &str, more: &[&str]) -> String {
    let done = tokenlake(archive, &[&["key", "create", "--org", org], more].concat());
    assert_eq!(done.status, 0, "{done:?}");
    done.stdout.trim_end().to_owned()
}

/// A running server. It is killed when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    url: String,
    stdout: Receiver<String>,
    stderr: Arc<Mutex<String>>,
}

impl Server {
    /// Starts `tokenlake serve` on a free port, and waits until it answers.
    pub fn start(archive: &Path) -> Self {
        Self::start_with(archive, &["serve"])
    }

    /// Starts a command that serves, with `args` after the address.
    pub fn start_with(archive: &Path, args: &[&str]) -> Self {
        Self::start_in(&Environment::new(), archive, args)
    }

    /// The same with settings of its own.
    pub fn start_in(environment: &Environment, archive: &Path, args: &[&str]) -> Self {
        let mut command = program();
        command.envs(environment.iter().cloned());
        command.arg("--archive").arg(archive).args(args).args(["--listen", "127.0.0.1:0"]);
        Self::start_command(command)
    }

    /// Starts any command that serves.
    pub fn start_command(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = lines(child.stdout.take().unwrap(), Arc::default());
        let stderr: Arc<Mutex<String>> = Arc::default();
        let notes = lines(child.stderr.take().unwrap(), stderr.clone());
        let mut server = Self { child, url: String::new(), stdout, stderr };
        server.url = server.wait_for(&notes, "listening on ");
        server
    }

    fn wait_for(&self, notes: &Receiver<String>, start: &str) -> String {
        while let Ok(line) = notes.recv_timeout(START_MAX) {
            if let Some(rest) = line.strip_prefix(start) {
                return rest.to_owned();
            }
        }
        panic!("it does not listen: {}", self.stderr());
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// The number of its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The host and port.
    pub fn address(&self) -> &str {
        self.url.split_once("://").unwrap().1
    }

    /// The next line on stdout.
    pub fn stdout_line(&self) -> String {
        self.stdout.recv_timeout(START_MAX).expect("a line on stdout")
    }

    /// What it has said so far.
    pub fn stderr(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    /// Asks it to stop, without waiting.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Halts it where it stands, or lets it go on.
    pub fn halt(&self, halted: bool) {
        halt(self.child.id(), halted);
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        send_signal(self.child.id(), signal);
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        poll(STOP_MAX, "the server ends", || self.child.try_wait().unwrap())
    }

    /// SIGKILL, now.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Halts a process where it stands, or lets it go on. It may do something more until each of its
/// threads has stopped, which is waited for.
pub fn halt(pid: u32, halted: bool) {
    send_signal(pid, if halted { Signal::STOP } else { Signal::CONT });
    let is_stopped = |thread: std::io::Result<std::fs::DirEntry>| {
        let stat = thread.and_then(|thread| std::fs::read_to_string(thread.path().join("stat")));
        // Its state comes after its name, which is in brackets. A thread may end meanwhile.
        stat.is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T')))
    };
    poll(STOP_MAX, "each thread stops", || {
        let mut threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        (!halted || threads.all(is_stopped)).then_some(())
    });
}

fn send_signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid.try_into().unwrap()).unwrap(), signal).unwrap();
}

/// The lines of a stream, as they come; `kept` holds them all. It is read to its end, so that the
/// program never waits for its reader.
pub fn lines(
    stream: impl std::io::Read + Send + 'static,
    kept: Arc<Mutex<String>>,
) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            kept.lock().unwrap().push_str(&format!("{line}\n"));
            // Nobody may be listening any more.
            let _ = sender.send(line);
        }
    });
    receiver
}

/// True if a program is there; otherwise the test is passed over, or fails where
/// `TOKENLAKE_TEST_REAL=1` says that it must be there.
pub fn installed(name: &str) -> bool {
    let is_there = found(name);
    if !is_there {
        needed(name);
    }
    is_there
}

/// True if a program is there that not every machine can be given; otherwise the test is passed
/// over.
pub fn optional(name: &str) -> bool {
    found(name) || passed_over(format_args!("{name} is not installed"))
}

/// Passes a test over for want of something that `tests/setup` installs, or fails where
/// `TOKENLAKE_TEST_REAL=1` says that it must be there.
pub fn needed(what: impl Display) {
    let needed = std::env::var("TOKENLAKE_TEST_REAL").is_ok_and(|value| value == "1");
    assert!(!needed, "{what} is not installed");
    passed_over(format_args!("{what} is not installed"));
}

fn found(name: &str) -> bool {
    Command::new(name).arg("--version").output().is_ok()
}

/// Says why a test does nothing.
pub fn passed_over(why: impl Display) -> bool {
    eprintln!("passed over: {why}");
    false
}
