//! Tests of what a release is packed into: the staged folder, shell completions, manual pages, the
//! Debian and RPM packages, and the Homebrew formula.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::tempdir;

use super::{content, files, path, text};
use crate::support::process::{Done, installed, optional, program, run};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The folder that a release is packed from. The program in it is a line that runs the real one:
/// packing a debug build would take long.
fn staged(folder: &Path) -> PathBuf {
    let wrapper = folder.join("program");
    let binary = env!("CARGO_BIN_EXE_tokenlake");
    fs::write(&wrapper, format!("#!/bin/sh\nexec '{binary}' \"$@\"\n")).unwrap();
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).unwrap();
    let stage = folder.join("stage");
    let script = Command::new("sh")
        .arg("deploy/package/stage.sh")
        .args([&wrapper, &stage])
        .current_dir(path(""))
        .output()
        .unwrap();
    assert!(script.status.success(), "{script:?}");
    stage
}

/// Packs it; the package's path.
fn packed(stage: &Path, packager: &str) -> PathBuf {
    let target = stage.with_file_name(format!("tokenlake.{packager}"));
    let mut nfpm = Command::new("nfpm");
    nfpm.args(["package", "--config", "deploy/package/nfpm.yaml", "--packager", packager]);
    nfpm.arg("--target").arg(&target).current_dir(path(""));
    content(nfpm.env("STAGE", stage).env("VERSION", VERSION).env("ARCH", "amd64"));
    target
}

#[test]
fn bash_completes_commands_flags_and_values() {
    let folder = tempdir().unwrap();
    let script = folder.path().join("completions");
    let done = content(program().args(["completions", "bash"]));
    fs::write(&script, &done.stdout).unwrap();
    let completed = |words: &str| {
        let ask = format!(
            "source '{}'; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             _tokenlake tokenlake \"${{COMP_WORDS[-1]}}\" \"${{COMP_WORDS[-2]}}\"; \
             printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            script.display()
        );
        let done = content(Command::new("bash").args(["-c", &ask]));
        done.stdout.lines().map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let of = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(completed("tokenlake serv"), of(&["serve"]));
    assert_eq!(completed("tokenlake key cr"), of(&["create"]));
    assert_eq!(completed("tokenlake serve --webhook"), of(&["--webhook-allow"]));
    assert_eq!(completed("tokenlake serve --prices ''"), of(&["archive", "builtin", "none"]));
    assert_eq!(completed("tokenlake completions fi"), of(&["fish"]));
    // What is hidden in help is hidden here.
    let all = completed("tokenlake ''");
    assert!(all.contains("backfill") && all.contains("man"), "{all:?}");
    assert!(!all.contains("sql-worker") && !all.contains("generate"), "{all:?}");
}

#[test]
fn each_shell_reads_its_completions() {
    let folder = tempdir().unwrap();
    for (shell, check) in [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")] {
        let script = content(program().args(["completions", shell])).stdout;
        assert!(script.contains("backfill") && !script.contains("sql-worker"), "{script}");
        let file = folder.path().join(shell);
        fs::write(&file, script).unwrap();
        if optional(shell) {
            content(Command::new(shell).arg(check).arg(&file));
        }
    }
    let refused = run(program().args(["completions", "csh"]));
    assert_eq!(refused.status, 2, "{refused:?}");
    assert!(refused.stderr.contains("fish"), "{refused:?}");
}

#[test]
fn each_command_has_a_manual_page_that_formats_without_a_warning() {
    let folder = tempdir().unwrap();
    let pages = folder.path().join("a/man1");
    content(program().arg("man").arg("--output").arg(&pages));
    let names: BTreeSet<_> = fs::read_dir(&pages)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    // The pages are those of the commands in the reference, and of the words that group them.
    let reference = text("docs/reference.md");
    let commands = reference.lines().filter_map(|line| line.strip_prefix("### `tokenlake "));
    for command in commands.map(|name| name.trim_end_matches('`').replace(' ', "-")) {
        assert!(names.contains(&format!("tokenlake-{command}.1")), "no {command} in {names:?}");
    }
    assert!(names.contains("tokenlake.1") && !names.contains("tokenlake-sql-worker.1"));
    let main = fs::read_to_string(pages.join("tokenlake.1")).unwrap();
    assert_eq!(content(program().arg("man")).stdout, main);
    let serve = fs::read_to_string(pages.join("tokenlake-serve.1")).unwrap();
    assert!(serve.contains("TOKENLAKE_DEDUPE_MEMORY"), "{serve}");
    if optional("man") {
        for page in files_of(&pages) {
            let mut man = Command::new("man");
            man.args(["--warnings", "--encoding=UTF-8", "--local-file"]).arg(&page);
            let done = content(man.env("MANPAGER", "cat").env("MANWIDTH", "200"));
            assert_eq!(done.stderr, "", "{}", page.display());
        }
    }
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let refused = run(program().arg("man").arg("--output").arg(file.join("below")));
    assert_eq!(refused.status, 1, "{refused:?}");
    assert!(refused.stderr.contains("--output"), "{refused:?}");
}

/// What lies in a folder.
fn files_of(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_debian_package_has_all_that_an_installation_needs() {
    if !(installed("nfpm") && optional("dpkg-deb")) {
        return;
    }
    let folder = tempdir().unwrap();
    let package = packed(&staged(folder.path()), "deb");
    let field = |name: &str| {
        content(Command::new("dpkg-deb").arg("--field").arg(&package).arg(name)).stdout
    };
    assert_eq!(field("Package").trim(), "tokenlake");
    assert_eq!(field("Version").trim(), VERSION);
    assert_eq!(field("Architecture").trim(), "amd64");
    let root = folder.path().join("root");
    let parts = folder.path().join("parts");
    content(Command::new("dpkg-deb").arg("--extract").args([&package, &root]));
    content(Command::new("dpkg-deb").arg("--control").args([&package, &parts]));
    let tokenlake = root.join("usr/bin/tokenlake");
    assert_eq!(tokenlake.metadata().unwrap().permissions().mode() & 0o777, 0o755);
    let done = content(Command::new(&tokenlake).arg("--version"));
    assert_eq!(done.stdout.trim(), format!("tokenlake {VERSION}"));
    for name in [
        "usr/share/bash-completion/completions/tokenlake",
        "usr/share/fish/vendor_completions.d/tokenlake.fish",
        "usr/share/zsh/vendor-completions/_tokenlake",
        "usr/share/man/man1/tokenlake-key-create.1.gz",
        "usr/share/doc/tokenlake/copyright",
    ] {
        assert!(root.join(name).is_file(), "{name}");
    }
    // An upgrade keeps what the operator has written there.
    assert_eq!(
        fs::read_to_string(parts.join("conffiles")).unwrap().trim(),
        "/etc/tokenlake/tokenlake.env"
    );
    let unit = root.join("usr/lib/systemd/system/tokenlake.service");
    let unit = fs::read_to_string(unit).unwrap();
    assert!(unit.contains("\nExecStart=/usr/bin/tokenlake serve\n"), "{unit}");
    assert!(unit.contains("\nEnvironmentFile=-/etc/tokenlake/tokenlake.env\n"), "{unit}");
    assert!(!unit.contains("/usr/local/"), "{unit}");
}

#[test]
fn an_rpm_is_packed_from_the_same_files() {
    if !installed("nfpm") {
        return;
    }
    let folder = tempdir().unwrap();
    let package = fs::read(packed(&staged(folder.path()), "rpm")).unwrap();
    assert_eq!(package[..4], [0xed, 0xab, 0xee, 0xdb], "the lead of an RPM");
}

/// A maintainer's script, with a systemctl that tells what it is told.
fn maintain(script: &str, word: &str, systemd: bool) -> String {
    let folder = tempdir().unwrap();
    let run_folder = folder.path().join("system");
    if systemd {
        fs::create_dir(&run_folder).unwrap();
    }
    let text = text(&format!("deploy/package/{script}.sh"));
    assert!(text.contains("/run/systemd/system"), "{script} asks whether systemd runs");
    let text = text.replace("/run/systemd/system", run_folder.to_str().unwrap());
    let text = format!("systemctl() {{ echo \"$*\"; }}\n{text}");
    let done: Done = content(Command::new("sh").args(["-c", &text, script, word]));
    done.stdout
}

#[test]
fn a_package_restarts_a_running_server_and_stops_it_only_where_it_goes_for_good() {
    let reloaded = "daemon-reload\n";
    assert_eq!(
        maintain("postinstall", "configure", true),
        format!("{reloaded}try-restart tokenlake.service\n")
    );
    for (word, said) in [
        ("remove", "disable --now tokenlake.service\n"),
        ("0", "disable --now tokenlake.service\n"),
        ("upgrade", ""),
        ("1", ""),
    ] {
        assert_eq!(maintain("preremove", word, true), said, "{word}");
    }
    assert_eq!(maintain("postremove", "purge", true), reloaded);
    for script in ["postinstall", "preremove", "postremove"] {
        assert_eq!(maintain(script, "remove", false), "", "{script}");
    }
    let config = text("deploy/package/nfpm.yaml");
    for script in files("deploy/package", ".sh") {
        let name = script.file_name().unwrap().to_str().unwrap();
        assert!(name == "stage.sh" || config.contains(name), "{name}");
    }
}

#[test]
fn the_formula_installs_what_a_release_has() {
    if !installed("ruby") {
        return;
    }
    let folder = tempdir().unwrap();
    let sums = folder.path().join("SHA256SUMS");
    let [intel, arm] = ["x86_64", "aarch64"]
        .map(|arch| format!("tokenlake-{VERSION}-{arch}-unknown-linux-musl.tar.gz"));
    fs::write(&sums, format!("{}  {intel}\n{}  {arm}\n", "1".repeat(64), "2".repeat(64))).unwrap();
    let script = path("deploy/homebrew/formula.sh");
    let from = "https://example.com/tokenlake";
    let printed =
        |sums: &Path| run(Command::new("sh").arg(&script).args([VERSION, from]).arg(sums));
    let done = printed(&sums);
    assert_eq!(done.status, 0, "{done:?}");
    let formula = folder.path().join("tokenlake.rb");
    fs::write(&formula, &done.stdout).unwrap();
    let prefix = folder.path().join("prefix");
    let stage = staged(folder.path());
    let mut ruby = Command::new("ruby");
    ruby.arg("-w").arg(path("tests/formula.rb")).args([&formula, &stage, &prefix]);
    let told = content(&mut ruby);
    assert_eq!(told.stderr, "");
    let url = |name: &str| format!("{from}/releases/download/v{VERSION}/{name}");
    for line in [
        format!("intel {} {}", url(&intel), "1".repeat(64)),
        format!("arm {} {}", url(&arm), "2".repeat(64)),
    ] {
        assert!(told.stdout.lines().any(|one| one == line), "{told:?}");
    }
    for name in ["bin/tokenlake", "share/man/man1/tokenlake-serve.1.gz", "completions/fish"] {
        assert!(prefix.join(name).is_file(), "{name}");
    }
    // A release without one of the two makes no formula.
    fs::write(&sums, format!("{}  {intel}\n", "1".repeat(64))).unwrap();
    assert_ne!(printed(&sums).status, 0);
}
