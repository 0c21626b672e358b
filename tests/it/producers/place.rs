//! A server with programs that are metered: where they are, whom they ask, and what was counted.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::{TempDir, tempdir};

use super::page::PageSection;
use crate::support::archive::assert_unsaid;
use crate::support::process::{Done, Server, key, run, tokenlake};
use crate::support::{client, poll};

/// Exporters send what they have when their program ends.
const SEND_MAX: Duration = Duration::from_secs(30);

/// OpenTelemetry's SDK and what goes with it.
pub const PYTHON: &str = "producers-2/bin/python";

/// A provider, a model, and its calls, tokens and dollars.
pub type CountedModel = (&'static str, &'static str, [&'static str; 3]);

pub fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/producers").join(name)
}

/// A program that is killed when this is dropped.
pub struct KilledChild(pub Child);

impl Drop for KilledChild {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A program that prints the port on which it listens.
struct Listener {
    _child: KilledChild,
    url: String,
}

impl Listener {
    fn start(name: &str, args: &[&str]) -> Self {
        let mut command = Command::new("python3");
        command.arg(script(name)).args(args).stdin(Stdio::null()).stdout(Stdio::piped());
        // Nothing is written beside the scripts.
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        let mut child = command.spawn().unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self { _child: KilledChild(child), url: format!("http://127.0.0.1:{}", port.trim()) }
    }
}

/// A server, a key of `acme`, a home for programs, and providers of models.
pub struct ProducerPlace {
    pub archive: TempDir,
    pub home: TempDir,
    pub server: Server,
    pub key: String,
    providers: Listener,
    repeater: Listener,
}

impl ProducerPlace {
    pub fn start() -> Self {
        let archive = tempdir().unwrap();
        let key = key(archive.path(), "acme");
        let server = Server::start(archive.path());
        let repeater = Listener::start("repeat.py", &[server.address()]);
        let (home, providers) = (tempdir().unwrap(), Listener::start("provider.py", &[]));
        Self { archive, home, server, key, providers, repeater }
    }

    /// Where the providers are.
    pub fn providers(&self) -> &str {
        &self.providers.url
    }

    /// The server behind something that sends it each request twice.
    pub fn repeated(&self) -> &str {
        &self.repeater.url
    }

    /// How many of Anthropic's messages were asked for: Claude Code asks for some of its own accord.
    pub fn messages(&self) -> u64 {
        client::get(&format!("{}/calls", self.providers.url), "").text().parse().unwrap()
    }

    /// A program with nothing of the caller's settings but where programs are.
    pub fn plain_program(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.env_clear().env("PATH", path).env("HOME", self.home.path());
        command.current_dir(self.home.path());
        command
    }

    /// The same after what a section has to be pasted into a shell, which has the key as `KEY`.
    pub fn program(&self, section: &str, server: &str, program: &Path) -> Command {
        let pasted = PageSection::of(section).shell(server);
        let mut command = self.plain_program(Path::new("sh"));
        command.env("KEY", &self.key);
        command.arg("-c").arg(format!("{pasted}exec \"$@\"")).arg("sh").arg(program);
        command
    }

    /// Writes a file into the home.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.home.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Copies a script into the home, where it finds what was written there.
    pub fn copy(&self, name: &str) {
        self.write(name, fs::read(script(name)).unwrap());
    }

    /// Links what npm has installed for a tool into the home.
    pub fn link_modules(&self, folder: &Path) {
        symlink(folder, self.home.path().join("node_modules")).unwrap();
    }

    /// Runs a script of the home, which gets the providers' address.
    #[track_caller]
    pub fn run_script(&self, mut program: Command, name: &str) -> Done {
        self.copy(name);
        let done = run(program.arg(name).arg(self.providers()));
        assert_eq!(done.status, 0, "{done:?}");
        done
    }

    /// Calls, tokens and dollars of a model; `-` where there are none.
    pub fn counted(&self, provider: &str, model: &str) -> [String; 3] {
        let labels = format!(r#"{{provider="{provider}",model="{model}",org_id="acme"}}"#);
        let text = client::get(&self.server.url("/metrics"), &self.key);
        ["requests", "tokens", "cost_usd"].map(|what| {
            let name = format!("llm_{what}_total{labels} ");
            let line = text.text().lines().find_map(|line| line.strip_prefix(&name));
            line.unwrap_or("-").to_owned()
        })
    }

    /// Waits until models have calls, and then for more that may come: so many calls, tokens and
    /// dollars there are of each, and no others.
    #[track_caller]
    pub fn assert_counted(&self, expected: &[(&str, &str, [&str; 3])]) {
        let counted = || {
            let counted = expected.iter().map(|(provider, model, _)| self.counted(provider, model));
            counted.collect::<Vec<_>>()
        };
        let is_there = |counted: &Vec<[String; 3]>| counted.iter().all(|model| model[0] != "-");
        poll(SEND_MAX, "the calls are counted", || is_there(&counted()).then_some(()));
        std::thread::sleep(Duration::from_secs(1));
        let wanted: Vec<_> = expected.iter().map(|(.., counts)| *counts).collect();
        assert_eq!(counted(), wanted, "{expected:?}");
        let rows = self.rows();
        let calls = expected.iter().map(|(.., counts)| counts[0].parse::<usize>().unwrap());
        assert_eq!(rows.lines().count(), calls.sum::<usize>(), "{rows}");
        assert_unsaid(self.archive.path(), &["secret that", "hello"]);
    }

    /// All rows, one a line.
    pub fn rows(&self) -> String {
        let query = ["sql", "--format", "ndjson", "-c", "select * from events"];
        tokenlake(self.archive.path(), &query).stdout
    }
}
