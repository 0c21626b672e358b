//! Tests of inputs that are damaged, cut, empty or of another format: each is named, and no other
//! is affected.

use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::tempdir;

use super::formats::{csv, gzip, parquet, rows};
use super::{counts, done, file, line, run, summary, verified};
use crate::support::poll;
use crate::support::process::{Done, program};

fn lines(ids: std::ops::Range<usize>) -> String {
    ids.map(|id| line(id, 0) + "\n").collect()
}

#[test]
fn no_input_ends_the_others_and_each_that_is_bad_is_named() {
    let (archive, folder) = (tempdir().unwrap(), tempdir().unwrap());
    let cut = gzip(lines(10..5_000).as_bytes());
    let bad = [
        file(folder.path(), "b.ndjson.gz", ""),
        file(folder.path(), "c.parquet", ""),
        file(folder.path(), "d.parquet", "PAR1 and no more"),
        file(folder.path(), "e.json", "[{"),
        file(folder.path(), "f.ndjson.zst", [b"\x28\xb5\x2f\xfd".as_slice(), &[7; 90]].concat()),
        file(folder.path(), "g.csv", "event_id,ts,x\n1,1735689600,\"never closed\n"),
        file(folder.path(), "h.ndjson.gz", &cut[..cut.len() / 2]),
    ];
    symlink("nowhere", folder.path().join("link.ndjson")).unwrap();
    file(folder.path(), "a.ndjson", lines(0..1));
    file(folder.path(), "z.ndjson", lines(1..2));
    let all = folder.path().to_str().unwrap();
    let ran = run(archive.path(), &["--org", "acme", all, "missing.ndjson"]);
    assert_eq!((ran.status, summary(&ran)["files"].as_u64()), (1, Some(2)), "{ran:?}");
    for name in bad.iter().map(String::as_str).chain(["link.ndjson", "missing.ndjson"]) {
        let told = ran.stderr.lines().filter(|line| line.contains(name)).count();
        assert_eq!(told, 1, "{name}: {ran:?}");
    }
    assert!(ran.stderr.lines().last().unwrap().contains("9 inputs"), "{ran:?}");
    // Mended, all comes in, and nothing twice.
    let accepted = summary(&ran)["accepted"].as_u64().unwrap();
    assert!(accepted > 2, "{ran:?}");
    for name in
        bad.iter().map(String::as_str).chain([folder.path().join("link.ndjson").to_str().unwrap()])
    {
        std::fs::remove_file(name).unwrap();
    }
    file(folder.path(), "h.ndjson.gz", cut);
    let again = done(archive.path(), &["--org", "acme", all]);
    assert_eq!(again, counts(4_992, 4_992 - accepted, accepted, 0, 3));
    verified(archive.path(), 4_992);
}

#[test]
fn a_job_with_a_bad_input_is_run_again_and_stays_exact() {
    let (archive, folder) = (tempdir().unwrap(), tempdir().unwrap());
    file(folder.path(), "a.ndjson", lines(0..3_000));
    let cut = gzip(lines(3_000..9_000).as_bytes());
    let bad = file(folder.path(), "b.ndjson.gz", &cut[..cut.len() / 3]);
    file(folder.path(), "c.ndjson", lines(9_000..12_000));
    let all = folder.path().to_str().unwrap();
    let args = ["--org", "acme", "--memory", "2MiB", all];
    let first = run(archive.path(), &args);
    let read = summary(&first)["read"].as_u64().unwrap();
    assert_eq!(summary(&first), counts(read, read, 0, 0, 2), "{first:?}");
    // What is told of it is the same as often as it is asked for.
    let second = run(archive.path(), &args);
    assert_eq!((second.status, summary(&second)), (1, counts(read, 0, read, 0, 2)), "{second:?}");
    // More of it is there, under the same size and time.
    let about = std::fs::metadata(&bad).unwrap();
    let whole = file(folder.path(), "b.ndjson.gz", cut);
    let times = std::fs::FileTimes::new().set_modified(about.modified().unwrap());
    std::fs::File::options().write(true).open(whole).unwrap().set_times(times).unwrap();
    let last = done(archive.path(), &args);
    assert_eq!(last, counts(12_000, 12_000 - read, read, 0, 3));
    verified(archive.path(), 12_000);
}

#[test]
fn a_quote_that_is_not_closed_takes_no_row_with_it_in_silence() {
    let (archive, folder) = (tempdir().unwrap(), tempdir().unwrap());
    let head = "event_id,ts,model,note\n";
    let row = |id: usize| format!("{id},1735689600,\"gpt-4o\",x\n");
    // To the end of the file.
    let open =
        format!("{head}{}2,1735689600,gpt-4o,\"never\n{}", row(1), "3,1735689600,gpt-4o,x\n");
    let input = file(folder.path(), "open.csv", open);
    let ran = run(archive.path(), &["--org", "acme", &input]);
    assert_eq!((ran.status, summary(&ran)), (1, counts(1, 1, 0, 0, 0)), "{ran:?}");
    assert!(ran.stderr.contains("line 3") && ran.stderr.contains("quote"), "{ran:?}");
    // To the next quote, which leaves as many cells as there should be.
    let next = format!("{head}{}12,1735689600,\"gpt-4o,x\n{}{}", row(11), row(13), row(14));
    let input = file(folder.path(), "next.csv", next);
    let rejects = folder.path().join("rejects");
    let args = ["--org", "acme", "--rejects", rejects.to_str().unwrap(), &input];
    assert_eq!(done(archive.path(), &args), counts(3, 2, 0, 1, 1));
    let reject: Value = serde_json::from_slice(&std::fs::read(&rejects).unwrap()).unwrap();
    assert!(
        reject["line"] == 3 && reject["row"].as_str().unwrap().contains("13,1735689600"),
        "{reject}"
    );
    assert!(reject["error"].as_str().unwrap().contains("1 more line"), "{reject}");
    // Cells of several lines, and quotes in the middle of cells, are good.
    let good =
        format!("{head}21,1735689600,\"two\nlines\",\"say \"\"x\"\"\"\n22,1735689600,5\" disk,x\n");
    let input = file(folder.path(), "good.csv", good);
    assert_eq!(done(archive.path(), &["--org", "acme", &input]), counts(2, 2, 0, 0, 1));
    verified(archive.path(), 5);
}

#[test]
fn what_ends_in_the_middle_is_named_and_what_came_before_is_in() {
    let folder = tempdir().unwrap();
    let json = format!("[{},\n{},\n{}", line(1, 0), line(2, 0), &line(3, 0)[..20]);
    let parquet_bytes = {
        let path = folder.path().join("whole.parquet");
        parquet(&path, &rows(0..100));
        std::fs::read(path).unwrap()
    };
    let zstd = zstd::encode_all(lines(0..9_000).as_bytes(), 1).unwrap();
    let cases = [
        (file(folder.path(), "a.ndjson", format!("{}{}", lines(0..2), &line(3, 0)[..30])), 2),
        (file(folder.path(), "b.json", json), 2),
        (file(folder.path(), "c.json", format!("{{\"events\":[{}", line(1, 0))), 1),
        (file(folder.path(), "d.parquet", &parquet_bytes[..parquet_bytes.len() - 9]), 0),
        (file(folder.path(), "e.ndjson.zst", &zstd[..zstd.len() - 5]), 1),
    ];
    for (input, least) in cases {
        let archive = tempdir().unwrap();
        let ran = run(archive.path(), &["--org", "acme", &input]);
        assert_eq!((ran.status, summary(&ran)["files"].as_u64()), (1, Some(0)), "{ran:?}");
        assert!(summary(&ran)["accepted"].as_u64().unwrap() >= least, "{ran:?}");
        assert!(ran.stderr.starts_with("error: ") && ran.stderr.contains(&input), "{ran:?}");
    }
}

#[test]
fn what_an_input_is_instead_is_said() {
    let (archive, folder) = (tempdir().unwrap(), tempdir().unwrap());
    let wide = |text: &str| {
        [0xfeff]
            .into_iter()
            .chain(text.encode_utf16())
            .flat_map(u16::to_le_bytes)
            .collect::<Vec<_>>()
    };
    for (name, bytes, word) in [
        ("a.ndjson", wide(&line(1, 0)), "UTF-16"),
        ("a.csv", wide(&csv(0..1)), "UTF-16"),
        ("b.csv", b"PK\x03\x04\x14\0\0".to_vec(), "ZIP"),
        ("c.ndjson.gz", gzip(&gzip(line(1, 0).as_bytes())), "gzip"),
        ("d.json", b"{\0\0\0\"\0\0\0".to_vec(), "UTF-32"),
        ("e.ndjson", b"PAR1\x15\0\x15".to_vec(), "--format parquet"),
        ("f.parquet", line(1, 0).into_bytes(), "Parquet"),
        ("g.parquet", gzip(b"PAR1"), "gzip"),
        ("h.csv", b"event_id;ts;model\n1;2;3\n".to_vec(), "--delimiter ';'"),
        ("i.csv", b"event_id\tts\n1\t2\n".to_vec(), "--delimiter tab"),
        ("j.csv", b"1,1735689600,gpt-4o\n".to_vec(), "name the columns"),
        ("k.ndjson", b"\x80\x81\0\x05\n".to_vec(), "binary"),
    ] {
        let input = file(folder.path(), name, bytes);
        let ran = run(archive.path(), &["--org", "acme", &input]);
        assert_eq!((ran.status, ran.stderr.lines().count()), (1, 1), "{name}: {ran:?}");
        assert!(ran.stderr.contains(&input) && ran.stderr.contains(word), "{name}: {ran:?}");
        assert_eq!(summary(&ran), counts(0, 0, 0, 0, 0), "{name}");
    }
}

#[test]
fn compression_is_told_by_content() {
    let (archive, folder) = (tempdir().unwrap(), tempdir().unwrap());
    let zstd = |text: String| zstd::encode_all(text.as_bytes(), 1).unwrap();
    let inputs = [
        file(folder.path(), "a.ndjson", gzip(lines(0..1).as_bytes())),
        file(folder.path(), "b.csv", zstd(csv(1..2))),
        file(folder.path(), "c.json.gz", format!("[{}]", line(2, 0))),
        file(folder.path(), "d.ndjson.zst", gzip(lines(3..4).as_bytes())),
        file(folder.path(), "e.ndjson.gzip", gzip(lines(4..5).as_bytes())),
        file(folder.path(), "f.ndjson.zstd", zstd(lines(5..6))),
        file(folder.path(), "g.tsv", csv(6..7).replace(',', "\t")),
    ];
    let args = [&["--org", "acme"], inputs.each_ref().map(String::as_str).as_slice()].concat();
    assert_eq!(done(archive.path(), &args), counts(7, 7, 0, 0, 7));
    let bare = file(folder.path(), "bare", gzip(lines(7..8).as_bytes()));
    assert_eq!(
        done(archive.path(), &["--org", "acme", "--format", "ndjson", &bare])["accepted"],
        1
    );
    let semicolons = file(folder.path(), "h.csv", csv(8..9).replace(',', ";"));
    let told = ["--org", "acme", "--delimiter", ";", &semicolons];
    assert_eq!(done(archive.path(), &told), counts(1, 1, 0, 0, 1));
    verified(archive.path(), 9);
}

#[test]
fn all_rows_rejected_is_no_success() {
    let (archive, folder) = (tempdir().unwrap(), tempdir().unwrap());
    let input = file(folder.path(), "a.ndjson", "{\"event_id\":\"1\"}\n{}\n");
    for args in [vec!["--org", "acme", &input], vec!["--org", "acme", "--dry-run", &input]] {
        let ran = run(archive.path(), &args);
        assert_eq!((ran.status, summary(&ran)), (1, counts(2, 0, 0, 2, 1)), "{ran:?}");
        assert!(
            ran.stderr.contains("all 2 rows were rejected") && ran.stderr.contains("ts: missing"),
            "{ran:?}"
        );
    }
    // No row at all is nothing bad.
    let empty = file(folder.path(), "b.ndjson", "");
    assert_eq!(done(archive.path(), &["--org", "acme", &empty]), counts(0, 0, 0, 0, 1));
}

#[test]
fn only_files_are_read() {
    let (archive, folder) = (tempdir().unwrap(), tempdir().unwrap());
    let pipe = folder.path().join("pipe.ndjson");
    Command::new("mkfifo").arg(&pipe).status().unwrap();
    let pipe = pipe.to_str().unwrap();
    for given in [pipe, "/dev/zero", "/dev/null"] {
        let ran = run(archive.path(), &["--org", "acme", "--format", "ndjson", given]);
        assert_eq!((ran.status, ran.stdout.as_str()), (1, ""), "{ran:?}");
        assert!(ran.stderr.contains(given) && ran.stderr.contains("only files"), "{ran:?}");
    }
    // Beside it, and below a folder that a link leads back into.
    file(folder.path(), "a.ndjson", line(1, 0));
    symlink(folder.path(), folder.path().join("loop")).unwrap();
    let ran = run(archive.path(), &["--org", "acme", folder.path().to_str().unwrap()]);
    assert_eq!((ran.status, summary(&ran)), (1, counts(1, 1, 0, 0, 1)), "{ran:?}");
}

/// Runs a job that reads this by stdin.
fn piped(archive: &std::path::Path, args: &[&str], bytes: &[u8]) -> Done {
    let mut command = program();
    command.arg("backfill").arg("--archive").arg(archive).args(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let sent = child.stdin.take().unwrap().write_all(bytes);
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let done = Done {
        status: output.status.code().unwrap(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    };
    assert!(sent.is_ok() || done.status != 0, "{done:?}");
    done
}

#[test]
fn stdin_is_an_input_whose_content_tells_what_it_is() {
    let (archive, folder) = (tempdir().unwrap(), tempdir().unwrap());
    let path = folder.path().join("a.parquet");
    parquet(&path, &rows(50..60));
    let inputs: [(Vec<u8>, u64); 6] = [
        (lines(0..10).into_bytes(), 10),
        (gzip(lines(10..20).as_bytes()), 10),
        (format!("[{},\n{}]", line(20, 0), line(21, 0)).into_bytes(), 2),
        (csv(30..40).into_bytes(), 10),
        (csv(40..50).replace(',', "\t").into_bytes(), 10),
        (std::fs::read(path).unwrap(), 10),
    ];
    for (bytes, rows) in &inputs {
        let first = piped(archive.path(), &["--org", "acme", "-"], bytes);
        assert_eq!(first.status, 0, "{first:?}");
        assert_eq!(summary(&first), counts(*rows, *rows, 0, 0, 1));
        let again = piped(archive.path(), &["--org", "acme", "-"], bytes);
        assert_eq!(summary(&again), counts(*rows, 0, *rows, 0, 1));
    }
    let told = piped(archive.path(), &["--org", "acme", "--format", "json", "-"], b"[]");
    assert_eq!((told.status, summary(&told)), (0, counts(0, 0, 0, 0, 1)), "{told:?}");
    let untold = piped(archive.path(), &["--org", "acme", "-"], b"what");
    assert!(untold.status == 1 && untold.stderr.contains("--format"), "{untold:?}");
    verified(archive.path(), 52);
}

#[test]
fn a_signal_ends_a_job_that_waits_for_stdin() {
    let archive = tempdir().unwrap();
    let mut command = program();
    command.args(["backfill", "--org", "acme", "--archive"]).arg(archive.path()).arg("-");
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(lines(0..3).as_bytes()).unwrap();
    // It is listening once the archive is made.
    let made = archive.path().join("events/_delta_log");
    poll(Duration::from_secs(30), "an archive", || made.exists().then_some(()));
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let ended = poll(Duration::from_secs(30), "its end", || child.try_wait().unwrap());
    assert_eq!(ended.code(), Some(130));
    drop(stdin);
}

#[test]
fn addresses_of_files_are_paths() {
    let (archive, folder) = (tempdir().unwrap(), tempdir().unwrap());
    file(folder.path(), "a b/c.ndjson", line(1, 0));
    let url = format!("file://{}/a%20b", folder.path().display());
    for given in [url.clone(), format!("{url}/c.ndjson"), format!("{url}/*.ndjson")] {
        assert_eq!(done(archive.path(), &["--org", "acme", &given])["files"], 1, "{given}");
    }
    let refused = run(archive.path(), &["--org", "acme", "file://elsewhere/a"]);
    assert!(refused.status == 1 && refused.stderr.contains("file:///PATH"), "{refused:?}");
    let web = run(archive.path(), &["--org", "acme", "HTTPS://example.com/a.ndjson"]);
    assert!(web.status == 1 && web.stderr.contains("download it"), "{web:?}");
}

#[test]
fn rejects_are_never_written_over_an_input() {
    let (archive, folder) = (tempdir().unwrap(), tempdir().unwrap());
    let text = format!("{}\nbroken\n", line(1, 0));
    let input = file(folder.path(), "in/a.ndjson", &text);
    let all = folder.path().join("in").display().to_string();
    let other = folder.path().join("other.ndjson").display().to_string();
    std::fs::hard_link(&input, &other).unwrap();
    let link = folder.path().join("link.ndjson").display().to_string();
    symlink(&input, &link).unwrap();
    for (rejects, given) in [(&input, &input), (&other, &input), (&link, &all), (&input, &all)] {
        for dry in [true, false] {
            let mut args = vec!["--org", "acme", "--rejects", rejects, given];
            args.extend(dry.then_some("--dry-run"));
            let ran = run(archive.path(), &args);
            assert_eq!((ran.status, ran.stdout.as_str()), (1, ""), "{ran:?}");
            assert!(ran.stderr.contains("--rejects"), "{ran:?}");
            assert_eq!(std::fs::read_to_string(&input).unwrap(), text);
        }
    }
    // One in the folder that is read is none of its inputs, the first time and the second.
    let rejects = folder.path().join("in/z.ndjson").display().to_string();
    let args = ["--org", "acme", "--rejects", &rejects, &all];
    assert_eq!(done(archive.path(), &args), counts(2, 1, 0, 1, 1));
    assert_eq!(done(archive.path(), &args), counts(2, 0, 1, 1, 1));
    assert_eq!(std::fs::read_to_string(&rejects).unwrap().lines().count(), 1);
    assert_eq!(std::fs::read_dir(&all).unwrap().count(), 2, "nothing is left beside it");
    // What is no file is written to as it is.
    assert_eq!(
        done(archive.path(), &["--org", "acme", "--rejects", "/dev/null", &input])["rejected"],
        1
    );
}
