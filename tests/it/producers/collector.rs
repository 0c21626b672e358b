//! A collector between programs and the server.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::place::{PYTHON, ProducerPlace};
use super::python::{CHATS, EMBEDDING, RESPONSE, write_telemetry};
use crate::support::poll;
use crate::support::process::run;
use crate::support::tools::installed_tool;

const START_MAX: Duration = Duration::from_secs(30);

/// A collector that runs by itself. It is stopped when dropped.
pub struct RunningCollector {
    pid_file: PathBuf,
    /// Where it takes what programs send.
    pub url: String,
}

impl RunningCollector {
    /// Starts one that sends on to a server; none where it is not installed.
    pub fn start(place: &ProducerPlace, server: &str) -> Option<Self> {
        let python = installed_tool(PYTHON)?;
        let [http, grpc] = [(); 2].map(|()| {
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            free.local_addr().unwrap().to_string()
        });
        let pid_file = place.home.path().join("collector.pid");
        let mut starter = place.program("A collector", server, &python);
        starter.env("ROTEL_OTLP_HTTP_ENDPOINT", &http).env("ROTEL_OTLP_GRPC_ENDPOINT", grpc);
        starter.env("ROTEL_PID_FILE", &pid_file);
        starter.env("ROTEL_LOG_FILE", place.home.path().join("collector.log"));
        let done = run(starter.args(["-c", "import rotel; rotel.start()"]));
        assert_eq!((done.status, done.stdout.as_str()), (0, ""), "{done:?}");
        poll(START_MAX, "the collector listens", || std::net::TcpStream::connect(&http).ok());
        Some(Self { pid_file, url: format!("http://{http}") })
    }

    /// A program that sends to it, with the page's `telemetry.py` and these of its blocks.
    pub fn program(&self, place: &ProducerPlace, pieces: &[&str]) -> Command {
        write_telemetry(place, pieces, "http");
        let mut program = place.plain_program(&installed_tool(PYTHON).unwrap());
        program.env("OTEL_EXPORTER_OTLP_ENDPOINT", &self.url);
        program
    }
}

impl Drop for RunningCollector {
    fn drop(&mut self) {
        // It may have ended by itself.
        let pid = fs::read_to_string(&self.pid_file).ok().and_then(|pid| pid.trim().parse().ok());
        if let Some(pid) = pid.and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

#[test]
fn what_a_collector_sends_on_is_counted() {
    let place = ProducerPlace::start();
    let Some(collector) = RunningCollector::start(&place, place.repeated()) else { return };
    let program = collector.program(&place, &["opentelemetry.instrumentation.openai "]);
    place.run_script(program, "openai_calls.py");
    place.assert_counted(&[CHATS, RESPONSE, EMBEDDING]);
}
