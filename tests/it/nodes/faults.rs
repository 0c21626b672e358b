//! Nodes that die, stop, or end while they work.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::questions::OF_ROWS;
use super::{Cluster, ask, ask_alone, error, filled, filled_bucket, rows};
use crate::support::poll;
use crate::support::process::{Done, Server, program};
use crate::support::random::Random;

/// Half a minute of silence, and some for a busy machine.
const SILENCE: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(80));

/// How long a node may take to notice something on a busy machine.
const ENDS_WITHIN: Duration = Duration::from_secs(60);

/// An error, or the right answer.
fn assert_whole(archive: &Path, question: &str, done: &Done) {
    match done.status {
        0 => assert_eq!(rows(done), rows(&ask_alone(archive, question)), "{question}"),
        _ => assert!(error(done).contains("node"), "it does not tell of a node: {done:?}"),
    }
}

#[test]
fn a_node_that_is_killed_at_any_time_costs_no_row_on_s3() {
    let (archive, _folder) = filled_bucket();
    let mut random = Random(11);
    for question in OF_ROWS {
        let mut cluster = Cluster::start(&archive, 3);
        let after = Duration::from_millis(random.below(900));
        let mut killed: Server = cluster.nodes.remove(0);
        let nodes = format!("{},{}", killed.url(""), cluster.urls());
        std::thread::scope(|scope| {
            let asked = scope.spawn(|| ask(&archive, question, &nodes, &cluster.secret, &[]));
            std::thread::sleep(after);
            killed.kill();
            assert_whole(&archive, question, &asked.join().unwrap());
        });
    }
}

#[test]
fn a_node_that_stops_at_any_time_costs_no_row_on_s3() {
    let (archive, _folder) = filled_bucket();
    let cluster = Cluster::start(&archive, 3);
    let (urls, secret) = (cluster.urls(), cluster.secret.as_path());
    std::thread::scope(|scope| {
        let asked = OF_ROWS.map(|question| {
            let (archive, urls) = (archive.as_path(), urls.as_str());
            let asked = scope.spawn(move || (question, ask(archive, question, urls, secret, &[])));
            // When the node stops, some have an answer, and the last has just begun.
            std::thread::sleep(Duration::from_millis(100));
            asked
        });
        cluster.nodes[1].halt(true);
        for asked in asked {
            let (question, done) = asked.join().unwrap();
            assert_whole(&archive, question, &done);
        }
    });
    cluster.nodes[1].halt(false);
}

#[test]
fn a_node_that_stands_still_is_an_error_that_names_it() {
    let folder = filled();
    let cluster = Cluster::start(folder.path(), 3);
    let halted = cluster.nodes[1].url("");
    let done = cluster.ask(folder.path(), OF_ROWS[0]);
    assert_eq!(done.status, 0, "{done:?}");
    cluster.nodes[1].halt(true);
    let began = Instant::now();
    let (archive, urls, secret) = (folder.path(), cluster.urls(), cluster.secret.as_path());
    std::thread::scope(|scope| {
        let asked = OF_ROWS.map(|question| {
            let urls = urls.as_str();
            scope.spawn(move || (question, ask(archive, question, urls, secret, &[])))
        });
        for asked in asked {
            let (question, done) = asked.join().unwrap();
            assert_eq!(done.status, 1, "{question}: {done:?}");
            assert!(error(&done).contains(&halted), "{question}: {done:?}");
            assert!(error(&done).contains("did not answer for 30 seconds"), "{done:?}");
        }
    });
    let waited = began.elapsed();
    assert!((SILENCE.0..SILENCE.1).contains(&waited), "{waited:?}");
    cluster.nodes[1].halt(false);
    let done = cluster.ask(folder.path(), OF_ROWS[0]);
    assert_eq!(rows(&done), rows(&ask_alone(folder.path(), OF_ROWS[0])));
}

#[test]
fn a_node_ends_cleanly_at_a_signal() {
    let folder = filled();
    let mut cluster = Cluster::start(folder.path(), 1);
    assert_eq!(cluster.ask(folder.path(), OF_ROWS[0]).status, 0);
    cluster.nodes[0].terminate();
    assert!(cluster.nodes[0].wait().success(), "{}", cluster.nodes[0].stderr());
}

/// Ticks of processor time that a process has used.
fn ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, rest) = stat.rsplit_once(") ").unwrap();
    let fields: Vec<_> = rest.split(' ').collect();
    fields[11..13].iter().map(|field| field.parse::<u64>().unwrap()).sum()
}

/// A question that keeps nodes busy for long.
const LONG: &str = "SELECT count(*) FROM events a, events b, events c, events d
     WHERE a.input_tokens + b.input_tokens + c.input_tokens + d.input_tokens = 177 AND a.source <> d.source";

/// A coordinator that asks it.
fn long_question(archive: &Path, cluster: &Cluster) -> Child {
    let mut command = program();
    command.arg("--archive").arg(archive).args(["sql", "-c", LONG, "--nodes"]);
    command.arg(cluster.urls()).arg("--node-token-file").arg(&cluster.secret);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn wait_until_it_works(node: &Server) {
    let before = ticks(node.pid());
    poll(ENDS_WITHIN, "the node works", || (ticks(node.pid()) > before + 150).then_some(()));
}

#[test]
fn a_node_that_stops_in_the_middle_is_an_error_that_names_it() {
    let folder = filled();
    let cluster = Cluster::start(folder.path(), 2);
    let coordinator = long_question(folder.path(), &cluster);
    wait_until_it_works(&cluster.nodes[0]);
    cluster.nodes[0].halt(true);
    let began = Instant::now();
    let done = coordinator.wait_with_output().unwrap();
    let words = String::from_utf8(done.stderr).unwrap();
    assert!(!done.status.success(), "{words}");
    assert!(words.contains(&cluster.nodes[0].url("")), "{words}");
    assert!(words.contains("did not answer for 30 seconds"), "{words}");
    assert!(began.elapsed() < SILENCE.1, "{:?}", began.elapsed());
    cluster.nodes[0].halt(false);
}

#[test]
fn the_work_on_a_node_ends_with_its_coordinator() {
    let folder = filled();
    let cluster = Cluster::start(folder.path(), 1);
    let pid = cluster.nodes[0].pid();
    let mut coordinator = long_question(folder.path(), &cluster);
    wait_until_it_works(&cluster.nodes[0]);
    // A node that computes still says that it is there.
    std::thread::sleep(SILENCE.1 / 2);
    assert!(coordinator.try_wait().unwrap().is_none(), "it gave the node up, or it was too easy");
    coordinator.kill().unwrap();
    coordinator.wait().unwrap();
    poll(ENDS_WITHIN, "the node rests", || {
        let before = ticks(pid);
        std::thread::sleep(Duration::from_secs(1));
        (ticks(pid) < before + 5).then_some(())
    });
    let done = cluster.ask(folder.path(), OF_ROWS[2]);
    assert_eq!(rows(&done), rows(&ask_alone(folder.path(), OF_ROWS[2])), "{done:?}");
}
