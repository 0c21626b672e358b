//! A server that is killed and started again, and whose store goes away for a while, as a program tells
//! of its calls: what is lost is what an exporter has given up, and nothing counts twice.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::collector::RunningCollector;
use super::place::{PYTHON, ProducerPlace};
use super::python::write_telemetry;
use crate::support::environment::number;
use crate::support::poll;
use crate::support::process::{Server, program, tokenlake};
use crate::support::tools::installed_tool;

/// How long the store is away; `TOKENLAKE_TEST_OUTAGE` sets another number of seconds.
const AWAY_SECONDS: u64 = 10;
/// How much longer the program tells of calls.
const BESIDES_SECONDS: u64 = 12;
const STEP: Duration = Duration::from_secs(2);
const START_MAX: Duration = Duration::from_secs(60);
/// The collector waits 30 seconds at most between two tries.
const ARRIVE_MAX: Duration = Duration::from_secs(90);

type Ids = BTreeSet<String>;

fn away() -> u64 {
    number("TOKENLAKE_TEST_OUTAGE").unwrap_or(AWAY_SECONDS)
}

/// The ids of all calls that are there, each of which is there once.
fn counted(archive: &Path) -> Ids {
    let query = "select event_id from events";
    let done = tokenlake(archive, &["sql", "--format", "csv", "-c", query]);
    assert_eq!(done.status, 0, "{done:?}");
    let ids: Vec<_> = done.stdout.lines().skip(1).map(str::to_owned).collect();
    let all: Ids = ids.iter().cloned().collect();
    assert_eq!(all.len(), ids.len(), "a call is there twice");
    all
}

/// Starts a program that tells of calls, each with an id of its own.
fn start_telling(place: &ProducerPlace, mut teller: Command) -> Child {
    place.copy("outage.py");
    let seconds = (away() + BESIDES_SECONDS).to_string();
    teller.args(["outage.py", &seconds]).stdin(Stdio::null()).stdout(Stdio::piped());
    teller.spawn().unwrap()
}

/// Kills the server, takes its store away for a while, and stops it; each time it is started again.
fn trouble(place: &mut ProducerPlace) {
    let (archive, address) = (place.archive.path(), place.server.address().to_owned());
    let start = || {
        let mut command = program();
        command.arg("--archive").arg(archive).args(["serve", "--listen", &address]);
        Server::start_command(command)
    };
    place.server.kill();
    place.server = start();
    std::thread::sleep(STEP);
    let elsewhere = archive.with_extension("away");
    fs::rename(archive, &elsewhere).unwrap();
    std::thread::sleep(Duration::from_secs(away()));
    fs::rename(&elsewhere, archive).unwrap();
    std::thread::sleep(STEP);
    place.server.terminate();
    place.server.wait();
    place.server = start();
}

/// The ids of the calls that a program told of, and of those that its exporter has given up.
fn told(teller: Child) -> [Ids; 2] {
    let said = teller.wait_with_output().unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    let last = said.lines().last().unwrap_or_default();
    let made: usize = last.strip_prefix("made ").expect(&said).parse().unwrap();
    let given_up = said.lines().filter_map(|line| line.strip_prefix("given up "));
    [
        (0..made).map(|number| format!("call-{number}")).collect(),
        given_up.flat_map(|ids| ids.split(' ').map(str::to_owned)).collect(),
    ]
}

/// Goes through all of it with a program.
fn go_through(place: &mut ProducerPlace, teller: Command) -> [Ids; 2] {
    let teller = start_telling(place, teller);
    let archive = place.archive.path().to_owned();
    poll(START_MAX, "there are calls", || (!counted(&archive).is_empty()).then_some(()));
    trouble(place);
    let [made, given_up] = told(teller);
    // What a collector has may be on its way.
    poll(ARRIVE_MAX, "what was not given up arrives", || {
        let counted = counted(&archive);
        made.difference(&given_up).all(|id| counted.contains(id)).then_some(())
    });
    assert!(counted(&archive).is_subset(&made));
    let done = tokenlake(&archive, &["verify"]);
    assert_eq!(done.status, 0, "{done:?}");
    [made, given_up]
}

#[test]
fn what_an_exporter_has_not_given_up_is_there_once() {
    let Some(python) = installed_tool(PYTHON) else { return };
    let mut place = ProducerPlace::start();
    write_telemetry(&place, &[], "http");
    let teller = place.program("OpenTelemetry", &place.server.url(""), &python);
    let [made, given_up] = go_through(&mut place, teller);
    eprintln!("{} calls, {} given up", made.len(), given_up.len());
    assert!(given_up.len() < made.len());
}

#[test]
fn a_collector_gives_nothing_up() {
    let mut place = ProducerPlace::start();
    let Some(collector) = RunningCollector::start(&place, &place.server.url("")) else { return };
    let teller = collector.program(&place, &[]);
    let [made, given_up] = go_through(&mut place, teller);
    eprintln!("{} calls", made.len());
    assert_eq!(given_up, Ids::new());
}
