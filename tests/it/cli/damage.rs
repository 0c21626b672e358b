//! Tests of damage on the disk, and of other programs' tables: a clear refusal, never a smaller
//! number.

use std::path::{Path, PathBuf};

use tempfile::{TempDir, tempdir};

use crate::support::archive::{data_files, log_entries};
use crate::support::foreign::as_older;
use crate::support::process::{Server, key, tokenlake};
use crate::support::random::Random;
use crate::support::{client, events};

/// An archive of a few commits, sound, and a key to it.
fn sound() -> (TempDir, String) {
    let folder = tempdir().unwrap();
    let key = key(folder.path(), "acme");
    let server = Server::start(folder.path());
    for start in [0, 100, 200] {
        events::send(&server, &key, start..start + 100);
    }
    drop(server);
    let done = tokenlake(folder.path(), &["verify"]);
    assert_eq!(done.status, 0, "{done:?}");
    (folder, key)
}

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

/// `verify` fails and names the file.
fn assert_found(archive: &Path, damaged: &Path, what: &str) {
    let done = tokenlake(archive, &["verify"]);
    assert_eq!(done.status, 1, "{what}: {done:?}");
    let said = done.stdout + &done.stderr;
    assert!(said.contains(name(damaged)), "{what}: {said}");
}

/// A scrape by a new server is a 503 that names the file, and no number.
fn assert_not_shown(archive: &Path, key: &str, damaged: &Path) {
    let server = Server::start(archive);
    let answer = client::get(&server.url("/metrics"), key);
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(answer.text().contains(name(damaged)), "{}", answer.text());
}

/// A new server does not start.
fn assert_not_served(archive: &Path, words: &[&str]) {
    let done = tokenlake(archive, &["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!((done.status, done.stdout.as_str()), (1, ""), "{done:?}");
    assert_eq!(done.stderr.lines().count(), 1, "{done:?}");
    for word in words {
        assert!(done.stderr.contains(word), "{word}: {done:?}");
    }
}

#[test]
fn any_changed_byte_of_a_data_file_is_found() {
    let (folder, key) = sound();
    let file = data_files(folder.path())[1].clone();
    let bytes = std::fs::read(&file).unwrap();
    let mut random = Random(7);
    let mut places = vec![0, bytes.len() - 1, bytes.len() - 5];
    places.extend((0..12).map(|_| usize::try_from(random.below(bytes.len() as u64)).unwrap()));
    for place in places {
        let mut damaged = bytes.clone();
        damaged[place] ^= 1 << random.below(8);
        std::fs::write(&file, damaged).unwrap();
        assert_found(folder.path(), &file, &format!("byte {place}"));
    }
    assert_not_shown(folder.path(), &key, &file);
    std::fs::write(&file, bytes).unwrap();
    assert_eq!(tokenlake(folder.path(), &["verify"]).status, 0);
}

/// Events that do not compress, so that their file is read in parts.
fn incompressible(count: u32) -> String {
    let mut random = Random(3);
    let mut lines = String::new();
    for id in 0..count {
        let noise: Vec<_> = (0..8).map(|_| format!("{:016x}", random.below(u64::MAX))).collect();
        let extra = format!(r#""attributes":{{"noise":"{}"}},"#, noise.concat());
        lines.push_str(&events::event(&id.to_string()).replacen('{', &format!("{{{extra}"), 1));
        lines.push('\n');
    }
    lines
}

#[test]
fn a_changed_byte_that_no_number_rests_on_is_found_too() {
    let folder = tempdir().unwrap();
    let key = key(folder.path(), "acme");
    let server = Server::start(folder.path());
    let url = server.url("/v1/events");
    let answer = client::post(&url, &key, "application/x-ndjson", incompressible(6_000));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let file = data_files(folder.path())[0].clone();
    let bytes = std::fs::read(&file).unwrap();
    assert!(bytes.len() > 400_000, "{} bytes are read at once", bytes.len());
    for tenth in 0..10 {
        let mut damaged = bytes.clone();
        damaged[bytes.len() / 10 * tenth + 9] ^= 1;
        std::fs::write(&file, damaged).unwrap();
        assert_found(folder.path(), &file, &format!("tenth {tenth}"));
    }
    std::fs::write(&file, bytes).unwrap();
    assert_eq!(tokenlake(folder.path(), &["verify"]).status, 0);
}

#[test]
fn a_deleted_or_cut_data_file_is_found() {
    let (folder, key) = sound();
    let file = data_files(folder.path())[2].clone();
    let bytes = std::fs::read(&file).unwrap();
    for length in [0, 8, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&file, &bytes[..length]).unwrap();
        assert_found(folder.path(), &file, &format!("cut to {length}"));
    }
    assert_not_shown(folder.path(), &key, &file);
    std::fs::remove_file(&file).unwrap();
    assert_found(folder.path(), &file, "deleted");
    assert_not_shown(folder.path(), &key, &file);
}

#[test]
fn a_cut_log_entry_is_found() {
    for newest in [false, true] {
        let (folder, _) = sound();
        let entries = log_entries(folder.path());
        let entry: &PathBuf = if newest { entries.last().unwrap() } else { &entries[2] };
        let bytes = std::fs::read(entry).unwrap();
        for length in [0, 1, bytes.len() / 3, bytes.len() / 2, bytes.len() - 2] {
            std::fs::write(entry, &bytes[..length]).unwrap();
            assert_found(folder.path(), entry, &format!("cut to {length} of {}", bytes.len()));
            assert_not_served(folder.path(), &[name(entry)]);
        }
    }
}

#[test]
fn a_missing_log_entry_is_found() {
    let (folder, _) = sound();
    let entry = log_entries(folder.path())[2].clone();
    std::fs::remove_file(&entry).unwrap();
    assert_found(folder.path(), &entry, "deleted");
    assert_not_served(folder.path(), &[name(&entry)]);
}

#[test]
fn a_running_server_that_meets_a_damaged_entry_answers_503() {
    let (folder, key) = sound();
    let server = Server::start(folder.path());
    assert_eq!(events::counted(&server, &key, "acme"), 300);
    let entries = log_entries(folder.path());
    let next = entries[0].with_file_name(format!("{:020}.json", entries.len()));
    std::fs::write(&next, "{\"add\":{").unwrap();
    let answer = client::get(&server.url("/metrics"), &key);
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(answer.text().contains(name(&next)), "{}", answer.text());
}

#[test]
fn a_table_that_is_not_tokenlakes_or_of_a_newer_one_is_refused() {
    let ours = r#""tokenlake.format":"1""#;
    for (theirs, words) in [
        (r#""other.format":"1""#, ["not a tokenlake archive", "--archive"]),
        (r#""tokenlake.format":"3""#, ["newer", "upgrade"]),
    ] {
        let (folder, _) = sound();
        let first = log_entries(folder.path())[0].clone();
        let entry = as_older(&std::fs::read_to_string(&first).unwrap());
        assert!(entry.contains(ours), "{entry}");
        std::fs::write(&first, entry.replace(ours, theirs)).unwrap();
        let before = log_entries(folder.path()).len();
        assert_not_served(folder.path(), &words);
        let done = tokenlake(folder.path(), &["verify"]);
        assert_eq!((done.status, done.stdout.as_str()), (1, ""), "{done:?}");
        assert_eq!(log_entries(folder.path()).len(), before);
    }
}

#[test]
fn a_list_lacks_no_damaged_budget_in_silence() {
    let folder = tempdir().unwrap();
    for org in ["acme", "beta"] {
        let args = ["budget", "set", "all", "--org", org, "--amount", "1", "--period", "month"];
        let more = ["--threshold", "50", "--webhook", "http://127.0.0.1:9/", "--webhook-allow"];
        let done = tokenlake(folder.path(), &[&args[..], &more, &["127.0.0.1:9"]].concat());
        assert_eq!(done.status, 0, "{done:?}");
    }
    let edition = "budgets/set/org=beta/budget=all/0000000001.json";
    std::fs::write(folder.path().join(edition), "{}").unwrap();
    for format in ["table", "json"] {
        let done = tokenlake(folder.path(), &["budget", "list", "--format", format]);
        assert!(done.status == 1 && done.stdout.contains("acme"), "{done:?}");
        assert!(done.stderr.contains(&format!("error: {edition}")), "{done:?}");
    }
}
