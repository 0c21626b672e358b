//! Tests that run every fenced block of the documents as a reader would: pasted into one shell, in
//! a checkout, block after block and page after page. The output is what the page shows below the
//! block.

pub(super) mod document;
mod shell;

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::tempdir;

use self::document::{Block, blocks};
use self::shell::Shell;
use super::{content, documents, path, text};
use crate::support::process::{installed, optional, passed_over};
use crate::support::tools::tool;
use crate::support::{client, poll};

const START_MAX: Duration = Duration::from_secs(60);

/// The pages that go on from each other, in the order of a reader who does all that they say. The
/// other pages follow, by their names.
const IN_ORDER: [&str; 7] = [
    "docs/start.md",
    "README.md",
    "docs/send.md",
    "docs/prometheus.md",
    "docs/sql.md",
    "docs/storage.md",
    "docs/operate.md",
];
/// It has a shell of its own.
const DEPLOY: &str = "deploy/README.md";

/// What is done with a block that is not simply run.
enum How {
    /// Its last command is one that serves: it goes on in the background, once this is answered.
    Serves(&'static str),
    /// It is read by the shell, and not run, for this reason.
    NotRun(&'static str),
    /// It is run where this is there.
    Needs(Need),
}

/// What not every machine has.
enum Need {
    Program(&'static str),
    Python(&'static [&'static str]),
}

/// Blocks by a piece of their text. One that is not named here is run, and must succeed.
const HOW: [(&str, How); 39] = [
    ("cargo run --release -- demo", How::NotRun("a build takes long; cli::demo tries the demo")),
    ("bash tests/run", How::NotRun("these are the tests")),
    ("source tests/environment", How::NotRun("these are tests")),
    ("bash .ci/run", How::NotRun("these are the tests")),
    ("cargo bench --bench fleet", How::NotRun("a bench takes long")),
    ("TOKENLAKE_FUZZ_SECONDS=", How::NotRun("these are tests")),
    ("TOKENLAKE_TEST_WRITE=1", How::NotRun("cli::reference_tests compares what it writes")),
    ("cargo nextest run sim::", How::NotRun("these are tests")),
    ("tests/archives/make", How::NotRun("what is made is kept, and tests read it")),
    ("TOKENLAKE_TEST_OLD_BIN=", How::NotRun("these are tests")),
    ("bash tests/planted-bugs/run", How::NotRun("each bug is a build")),
    ("python3 deploy/grafana/draw.py", How::NotRun("picture draws a shorter history")),
    ("tokenlake serve --admin-listen 127.0.0.1:9798", How::Serves("http://127.0.0.1:9797/healthz")),
    (
        "prometheus --config.file=/tmp/tokenlake-prometheus/prometheus.yml",
        How::Serves("http://127.0.0.1:9091/-/ready"),
    ),
    ("tokenlake serve --pg-listen", How::NotRun("pg serves with it")),
    ("psql -h 127.0.0.1 -p 5433", How::NotRun("pg::psql asks so")),
    ("tokenlake sql-node --listen", How::Serves("http://127.0.0.1:9799/healthz")),
    ("tokenlake sql-node --archive s3", How::NotRun("there is no bucket; nodes::equal has one")),
    ("tokenlake serve --tls-cert", How::NotRun("prometheus::secured serves with it")),
    ("tokenlake serve --jwt-secret-file", How::NotRun("prometheus::secured serves with it")),
    (
        "prometheus --config.file=/tmp/tokenlake-prometheus/prometheus-tls.yml",
        How::NotRun("prometheus::secured scrapes with it"),
    ),
    ("import polars", How::Needs(Need::Python(&["polars", "deltalake"]))),
    ("deltalake.QueryBuilder", How::Needs(Need::Python(&["deltalake", "pyarrow"]))),
    ("import deltalake, duckdb", How::Needs(Need::Python(&["deltalake", "duckdb"]))),
    ("pyarrow.compute", How::Needs(Need::Python(&["deltalake", "pyarrow"]))),
    ("write_to_dataset", How::Needs(Need::Python(&["pyarrow"]))),
    ("deltalake.write_deltalake", How::Needs(Need::Python(&["deltalake", "pyarrow"]))),
    ("import chdb", How::NotRun("engines runs it, with a Python that has chDB")),
    ("pyiceberg", How::NotRun("moving runs it, over a table that is there")),
    (
        "tokenlake serve --archive s3://my-bucket",
        How::NotRun("there is no bucket; s3 tries a server"),
    ),
    (
        "tokenlake serve --archive az://my-container",
        How::NotRun("there is no such cloud; archive::cloud tests the settings"),
    ),
    ("export AWS_ENDPOINT_URL=", How::NotRun("there is no MinIO; s3 tries a server")),
    ("docker compose", How::NotRun("there is no engine; files validates compose.yaml")),
    ("docker build", How::NotRun("there is no engine; image makes and runs the image's root")),
    ("kubectl apply", How::NotRun("there is no cluster; files validates the objects")),
    ("systemctl", How::NotRun("there is no init system; files verifies the unit")),
    ("helm install", How::NotRun("there is no cluster; helm renders the chart")),
    ("nfpm package", How::NotRun("a build takes long; package packs a debug build")),
    ("kubectl kustomize", How::Needs(Need::Program("kubectl"))),
];
/// What a reader puts in place of an example. The examples of later pages have dates, which must not come
/// to be before the floor of what expires, whenever the tests run.
const FILLED_IN: [(&str, &str); 2] = [
    ("1f2e3d4c5b6a7980", "\"$(tokenlake key list | awk '/ prometheus( |$)/ {print $1}')\""),
    ("expire --older-than 400d", "expire --older-than 4000d"),
];

/// A place like a checkout, and a shell in it whose servers listen on free ports.
fn shell_in(folder: &Path) -> Shell {
    let checkout = folder.join("checkout");
    std::fs::create_dir_all(checkout.join("data")).unwrap();
    std::fs::create_dir_all(folder.join("bin")).unwrap();
    std::fs::copy(path("data/sample.ndjson"), checkout.join("data/sample.ndjson")).unwrap();
    for name in ["queries", "deploy", "compose.yaml", "Dockerfile"] {
        symlink(path(name), checkout.join(name)).unwrap();
    }
    symlink(env!("CARGO_BIN_EXE_tokenlake"), folder.join("bin/tokenlake")).unwrap();
    offer_python(&folder.join("bin"));
    Shell::start(folder, &checkout)
}

fn how(block: &Block) -> Option<&'static How> {
    let found: Vec<_> = HOW.iter().filter(|(piece, _)| block.text.contains(piece)).collect();
    assert!(found.len() < 2, "line {}: several of HOW fit", block.line);
    found.first().map(|(_, how)| how)
}

/// Runs the blocks of pages in one shell, in their order.
fn try_pages(names: &[String]) {
    let folder = tempdir().unwrap();
    let mut shell = shell_in(folder.path());
    let mut run = 0;
    let pages = names.iter().map(|name| (name, blocks(&text(name))));
    for (name, block) in pages.flat_map(|(name, found)| found.into_iter().map(move |it| (name, it)))
    {
        let place = format!("{name}, line {}", block.line);
        match block.language.as_str() {
            "yaml" => check_scrape_config(folder.path(), &block.text),
            "mermaid" => check_map(&place, &block.text),
            // `spend` compares what it gives.
            "promql" => {}
            "sh" => run += usize::from(try_block(&mut shell, folder.path(), &place, &block)),
            _ => panic!("{place}: a block that nothing tries"),
        }
    }
    assert!(run > 0, "{names:?} have no block that is run");
}

/// Tells whether it was run.
fn try_block(shell: &mut Shell, folder: &Path, place: &str, block: &Block) -> bool {
    shell.check_syntax(place, &block.text);
    let commands =
        FILLED_IN.iter().fold(block.text.clone(), |text, (from, to)| text.replace(from, to));
    match how(block) {
        Some(How::NotRun(why)) => {
            passed_over(format_args!("{place}: {why}"));
            return false;
        }
        Some(How::Needs(need)) if !is_there(need, folder) => return false,
        Some(How::Serves(url)) => serve(shell, place, &commands, url),
        _ => {
            let said = shell.run(place, &commands);
            assert_shown(place, &block.shown, &said);
        }
    }
    true
}

/// The queries of Prometheus in all documents.
pub(super) fn queries() -> Vec<String> {
    let found = documents::names().into_iter().flat_map(|name| blocks(&text(&name)));
    found.filter(|block| block.language == "promql").map(|block| block.text).collect()
}

/// A picture of modules: each box is one of them, or has a form that says that it is none.
fn check_map(place: &str, picture: &str) {
    let (head, arrows) = picture.split_once('\n').unwrap();
    assert!(head.starts_with("flowchart "), "{place}: {head}");
    let others = ["producers", "files", "prometheus", "table"];
    for line in arrows.lines() {
        let (from, to) = line.trim().split_once(" --").unwrap();
        let (_, to) = to.rsplit_once("> ").unwrap();
        for name in [from, to].iter().flat_map(|side| side.split(" & ")) {
            let name = name.split(|char| "([".contains(char)).next().unwrap();
            let module = path(&format!("src/{name}.rs")).is_file()
                || path(&format!("src/{name}/mod.rs")).is_file();
            assert!(module || others.contains(&name), "{place}: {name} is no module");
        }
    }
}

fn serve(shell: &mut Shell, place: &str, commands: &str, url: &str) {
    shell.run(place, &format!("{} &", commands.trim_end()));
    let url = shell.with_ports(url);
    poll(START_MAX, place, || {
        let answer = client::try_send("GET", &url, &[], Vec::new());
        answer.is_ok_and(|answer| answer.status == 200).then_some(())
    });
}

/// A program, or modules of the Python that the shell finds.
fn is_there(need: &Need, folder: &Path) -> bool {
    match need {
        Need::Program(name) => optional(name),
        Need::Python(modules) => {
            let own = folder.join("bin/python3");
            let python = if own.exists() { own } else { "python3".into() };
            let import = format!("import {}", modules.join(", "));
            let done = Command::new(python).args(["-c", &import]).output();
            done.is_ok_and(|done| done.status.success())
                || passed_over(format_args!("Python has no {}", modules.join(" or ")))
        }
    }
}

/// Where tests have made a Python with readers of Delta tables, it is the shell's.
fn offer_python(bin: &Path) {
    if let Some(python) = tool("readers/bin/python3").filter(|python| python.exists()) {
        // A link would not find its modules.
        let script = format!("#!/bin/sh\nexec '{}' \"$@\"\n", python.display());
        let own = bin.join("python3");
        std::fs::write(&own, script).unwrap();
        content(Command::new("chmod").arg("755").arg(own));
    }
}

/// A job for Prometheus's configuration.
fn check_scrape_config(folder: &Path, job: &str) {
    let config = folder.join("job.yml");
    std::fs::write(&config, format!("scrape_configs:\n{job}")).unwrap();
    content(Command::new("promtool").args(["check", "config", "--syntax-only"]).arg(config));
}

/// Each line that a document shows comes; numbers, dates and ids are others each time.
fn assert_shown(place: &str, shown: &[String], said: &str) {
    let form = |line: &str| {
        let mut form = String::new();
        for char in line.trim().chars() {
            match char {
                '0'..='9' if form.ends_with('0') => {}
                '0'..='9' => form.push('0'),
                _ => form.push(char),
            }
        }
        form
    };
    let said_forms: Vec<_> = said.lines().map(form).collect();
    for line in shown {
        assert!(said_forms.contains(&form(line)), "{place} shows {line:?} and not:\n{said}");
    }
}

#[test]
fn the_documents_work_as_pasted() {
    if installed("curl") && installed("prometheus") {
        let mut pages = IN_ORDER.map(str::to_owned).to_vec();
        let others = documents::names().into_iter().filter(|name| name != DEPLOY);
        let others: Vec<_> = others.filter(|name| !pages.contains(name)).collect();
        pages.extend(others);
        try_pages(&pages);
    }
}

#[test]
fn the_readme_of_deploy_works_as_pasted() {
    if installed("promtool") && installed("amtool") {
        try_pages(&[DEPLOY.to_owned()]);
    }
}

#[test]
fn each_exception_is_for_a_block() {
    let blocks: Vec<_> = documents::names().iter().flat_map(|name| blocks(&text(name))).collect();
    let pieces = HOW.iter().map(|(piece, _)| *piece).chain(FILLED_IN.map(|(piece, _)| piece));
    for piece in pieces {
        assert!(blocks.iter().any(|block| block.text.contains(piece)), "{piece} is in no block");
    }
}
