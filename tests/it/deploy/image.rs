//! Tests of the image's root, made as the Dockerfile makes it, with nothing else around the
//! program.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::tempdir;

use super::{content, path, text};
use crate::support::process::{Done, Server, passed_over, run};
use crate::support::{client, events};

const USER: &str = "65532:65532";

/// The program in that root, as that user, with the variables of the Dockerfile but free ports.
fn inside(root: &Path) -> Command {
    let mut command = Command::new("chroot");
    command.arg(format!("--userspec={USER}")).arg(root).arg("/usr/bin/tokenlake");
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    command.env("TOKENLAKE_ARCHIVE", "/data/archive");
    command
}

/// All that lies below a folder and is no folder.
fn all_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() { all_files(&path, found) } else { found.push(path) }
    }
}

#[test]
fn the_image_has_all_that_the_program_needs_and_little_else() {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        passed_over("only root can change the root folder");
        return;
    }
    let dockerfile = text("Dockerfile");
    assert!(dockerfile.contains("sh deploy/image/rootfs.sh target/dist/tokenlake /rootfs\n"));
    assert!(dockerfile.contains(&format!("\nUSER {USER}\n")));
    let folder = tempdir().unwrap();
    let root = folder.path().join("root");
    let script = path("deploy/image/rootfs.sh");
    content(Command::new("sh").arg(script).arg(env!("CARGO_BIN_EXE_tokenlake")).arg(&root));
    // As `COPY --chown` does; all else is root's, and so the user can write nowhere else.
    content(Command::new("chown").arg(USER).arg(root.join("data")));
    content(Command::new("chmod").arg("755").arg(folder.path()));
    let mut contents = Vec::new();
    all_files(&root, &mut contents);
    assert!(contents.len() < 15, "{contents:?}");
    let key = content(inside(&root).args(["key", "create", "--org", "acme"])).stdout;
    let mut serve = inside(&root);
    serve.env("TOKENLAKE_LISTEN", "127.0.0.1:0").arg("serve");
    let mut server = Server::start_command(serve);
    events::send(&server, key.trim(), 0..3);
    assert_eq!(client::get(&server.url("/metrics"), key.trim()).status, 200);
    let asked = |server: &Server| -> Done {
        run(inside(&root).env("TOKENLAKE_LISTEN", server.address()).arg("healthcheck"))
    };
    assert_eq!(asked(&server).status, 0);
    server.terminate();
    assert_eq!(server.wait().code(), Some(0));
    assert_eq!(asked(&server).status, 1);
}

#[test]
fn what_the_image_is_made_from_can_be_built() {
    let folder = tempdir().unwrap();
    let ignored = text(".dockerignore");
    let kept: Vec<_> = ignored.lines().filter_map(|line| line.strip_prefix('!')).collect();
    assert!(ignored.lines().any(|line| line == "*") && kept.contains(&"deploy/image"), "{kept:?}");
    for name in kept {
        let link = folder.path().join(name);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(path(name), link).unwrap();
    }
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let metadata = ["metadata", "--offline", "--locked", "--no-deps", "--format-version=1"];
    content(Command::new(cargo).args(metadata).current_dir(folder.path()));
    // What the sources take in besides themselves.
    for file in ["queries/partial.sql", "assets/index.html", "assets/vendor/uplot-1.6.32.min.js"] {
        assert!(folder.path().join(file).is_file(), "{file}");
    }
}
