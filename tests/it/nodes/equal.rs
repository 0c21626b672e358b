//! One coordinator and three nodes answer as one process does.

use std::path::Path;

use super::questions::{APPROXIMATE, OF_ROWS, all};
use super::{Cluster, SPREAD, ask_alone, error, filled, filled_bucket, rows};
use crate::support::archive::data_files;

/// How many answers of nodes differ in more than the order of rows.
fn compare(archive: &Path, cluster: &Cluster, questions: impl Iterator<Item = &'static str>) {
    let mut spread = 0;
    for question in questions {
        let (found, expected) = (cluster.ask(archive, question), ask_alone(archive, question));
        assert_eq!(found.status, expected.status, "{question}: {found:?} {expected:?}");
        assert_eq!(rows(&found), rows(&expected), "{question}");
        assert_eq!(error(&found), error(&expected), "{question}");
        spread += usize::from(found.stderr.contains(SPREAD));
    }
    assert!(spread >= OF_ROWS.len(), "{spread} questions ran on nodes");
}

#[test]
fn three_nodes_answer_all_questions_as_one_process_does() {
    let folder = filled();
    let cluster = Cluster::start(folder.path(), 3);
    compare(folder.path(), &cluster, all());
    for question in OF_ROWS {
        let done = cluster.ask(folder.path(), question);
        assert!(done.stderr.contains(SPREAD), "{question} runs in one process");
    }
}

#[test]
fn three_nodes_answer_as_one_process_does_on_s3() {
    let (archive, _folder) = filled_bucket();
    let cluster = Cluster::start(&archive, 3);
    compare(&archive, &cluster, all());
}

#[test]
fn an_approximation_is_near_the_exact_answer_on_nodes_too() {
    let folder = filled();
    let cluster = Cluster::start(folder.path(), 3);
    let found = cluster.ask(folder.path(), APPROXIMATE);
    assert!(found.stderr.contains(SPREAD), "{found:?}");
    for done in [found, ask_alone(folder.path(), APPROXIMATE)] {
        let median: f64 = done.stdout.lines().next_back().unwrap().parse().unwrap();
        assert!((4.5..=5.5).contains(&median), "{done:?}");
    }
}

#[test]
fn a_damaged_file_is_found_on_a_node_and_told_as_in_one_process() {
    let folder = filled();
    let cluster = Cluster::start(folder.path(), 3);
    let damaged = data_files(folder.path())[3].clone();
    let sound = std::fs::read(&damaged).unwrap();
    let mut bytes = sound.clone();
    // Within the columns, which come first.
    bytes[60] ^= 4;
    std::fs::write(&damaged, bytes).unwrap();
    let name = damaged.file_name().unwrap().to_str().unwrap();
    for question in [OF_ROWS[0], OF_ROWS[2], OF_ROWS[8]] {
        let (found, expected) =
            (cluster.ask(folder.path(), question), ask_alone(folder.path(), question));
        assert!(found.stderr.contains(SPREAD), "{found:?}");
        assert_eq!((found.status, expected.status), (1, 1), "{found:?} {expected:?}");
        assert_eq!(error(&found), error(&expected), "{question}");
        assert!(error(&found).contains(name), "{found:?}");
    }
    std::fs::write(&damaged, sound).unwrap();
    compare(folder.path(), &cluster, OF_ROWS.into_iter());
}

#[test]
fn a_node_that_has_too_little_memory_says_so() {
    let folder = filled();
    let mut cluster = Cluster::start(folder.path(), 0);
    cluster.nodes.push(super::node(folder.path(), &cluster.secret, &["--memory", "4KiB"]));
    let question = "SELECT event_id, count(*) FROM events GROUP BY event_id";
    let done = cluster.ask(folder.path(), question);
    assert_eq!(done.status, 1, "{done:?}");
    assert!(error(&done).contains("more memory"), "{done:?}");
}
