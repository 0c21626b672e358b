//! The page's files as clients meet them: their headers, their tags, their sizes, and that each is there.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use sha2::{Digest as _, Sha256};
use tempfile::{TempDir, tempdir};

use super::browser::modules;
use crate::support::client::{self, Answer};
use crate::support::process::Server;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";
/// All files, compressed.
const BYTES_MAX: usize = 120_000;

struct Site {
    _archive: TempDir,
    server: Server,
}

impl Site {
    fn start() -> Self {
        let archive = tempdir().unwrap();
        let server = Server::start(archive.path());
        Self { _archive: archive, server }
    }

    fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        client::send("GET", &self.server.url(path), headers, "")
    }

    /// The page, and all files that it or one of its files names.
    fn paths(&self) -> BTreeSet<String> {
        let (mut paths, mut left) = (BTreeSet::new(), vec!["/".to_owned()]);
        while let Some(path) = left.pop() {
            let answer = self.get(&path, &[]);
            assert_eq!(answer.status, 200, "{path}");
            let text = answer.text();
            let parts = text.split(['"', '\'']);
            left.extend(parts.filter(|part| part.starts_with("/assets/")).map(str::to_owned));
            let imports = text.split(" from \"./").skip(1).filter_map(|rest| rest.split_once('"'));
            left.extend(imports.map(|(name, _)| format!("/assets/{name}")));
            paths.insert(path);
            left.retain(|path| !paths.contains(path));
        }
        paths
    }
}

fn assets() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets")
}

/// The files in `assets/`, by their paths on the server; those that are no part of the page are left
/// out.
fn in_the_folder() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (folder, prefix) in [(assets(), "/assets/"), (assets().join("vendor"), "/assets/vendor/")] {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            let is_served = entry.path().is_file() && name != "SHA256SUMS";
            found.extend(is_served.then(|| match name.as_str() {
                "index.html" => "/".to_owned(),
                name => format!("{prefix}{name}"),
            }));
        }
    }
    found
}

#[test]
fn every_file_is_there_for_anybody_with_a_strict_policy() {
    let site = Site::start();
    let licence = "/assets/vendor/uplot-1.6.32.license.txt".to_owned();
    let mut paths = site.paths();
    assert!(paths.insert(licence), "nothing on the page leads to the licence");
    assert_eq!(paths, in_the_folder());
    let mut bytes = 0;
    for path in &paths {
        let plain = site.get(path, &[]);
        let kind = match path.rsplit_once('.').map_or("html", |(_, ending)| ending) {
            "js" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "svg" => "image/svg+xml",
            "txt" => "text/plain; charset=utf-8",
            _ => "text/html; charset=utf-8",
        };
        assert_eq!((plain.status, plain.header("content-type")), (200, Some(kind)), "{path}");
        let cached = if path.contains("1.6.32") { "max-age=86400" } else { "no-cache" };
        for (name, value) in [
            ("content-security-policy", POLICY),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cache-control", cached),
            ("vary", "Accept-Encoding"),
        ] {
            assert_eq!(plain.header(name), Some(value), "{path}");
        }
        let gzip = site.get(path, &[("accept-encoding", "gzip, deflate, br, zstd")]);
        assert_eq!(gzip.header("content-encoding"), Some("gzip"), "{path}");
        let mut unpacked = Vec::new();
        GzDecoder::new(&*gzip.body).read_to_end(&mut unpacked).unwrap();
        assert_eq!(unpacked, plain.body, "{path}");
        bytes += gzip.body.len();
        let head = client::send("HEAD", &site.server.url(path), &[], "");
        let length = plain.body.len().to_string();
        assert_eq!((head.status, head.header("content-length")), (200, Some(&*length)), "{path}");
        assert!(head.body.is_empty());
    }
    assert!(bytes <= BYTES_MAX, "{bytes} bytes");
    eprintln!("{} files, {bytes} bytes in gzip", paths.len());
}

#[test]
fn a_file_that_a_client_has_is_not_sent_again() {
    let site = Site::start();
    for path in ["/", "/assets/page.js", "/assets/vendor/uplot-1.6.32.min.js"] {
        let tag = site.get(path, &[]).header("etag").unwrap().to_owned();
        let gzip = site.get(path, &[("accept-encoding", "gzip")]);
        assert_eq!(gzip.header("etag"), Some(&*tag));
        let strong = tag.trim_start_matches("W/");
        for known in [&*tag, strong, "*", &format!("\"other\", {tag}")] {
            let answer = site.get(path, &[("if-none-match", known)]);
            assert_eq!((answer.status, answer.body.len()), (304, 0), "{known}");
            assert_eq!(answer.header("etag"), Some(&*tag));
            assert_eq!(answer.header("content-security-policy"), Some(POLICY));
            // The only length to be told is that of the file (RFC 9110, 8.6).
            let headers = [("if-none-match", known)];
            let head = client::send("HEAD", &site.server.url(path), &headers, "");
            for answer in [answer, head] {
                assert_eq!(
                    (answer.status, answer.header("content-length")),
                    (304, None),
                    "{known}"
                );
                assert_eq!(answer.header("transfer-encoding"), None);
            }
        }
        for other in ["\"other\"", "", "W/\"\"", &tag[..tag.len() - 2]] {
            assert_eq!(site.get(path, &[("if-none-match", other)]).status, 200, "{other}");
        }
    }
}

#[test]
fn nothing_else_is_below_assets() {
    let site = Site::start();
    for path in [
        "/assets",
        "/assets/",
        "/assets/SHA256SUMS",
        "/assets/vendor/SHA256SUMS",
        "/assets/index.html",
        "/assets/../Cargo.toml",
        "/assets/%2e%2e/Cargo.toml",
        "/assets/page.js/x",
        "/index.html",
    ] {
        assert_eq!(site.get(path, &[]).status, 404, "{path}");
    }
    for path in ["/", "/assets/page.js"] {
        assert_eq!(client::send("POST", &site.server.url(path), &[], "").status, 405, "{path}");
    }
}

#[test]
fn what_others_made_is_what_they_published() {
    let vendor = assets().join("vendor");
    let sums = fs::read_to_string(vendor.join("SHA256SUMS")).unwrap();
    let sums: Vec<_> = sums.lines().map(|line| line.split_once("  ").unwrap()).collect();
    assert_eq!(sums.len(), 3);
    let read = |path: PathBuf| fs::read(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    for (sum, name) in &sums {
        assert_eq!(hex::encode(Sha256::digest(read(vendor.join(name)))), *sum, "{name}");
    }
    let Some(modules) = modules() else { return };
    let package = modules.join("uplot");
    let manifest = String::from_utf8(read(package.join("package.json"))).unwrap();
    assert!(manifest.contains("\"version\": \"1.6.32\""), "{manifest}");
    for (ours, theirs) in [
        ("uplot-1.6.32.min.js", "dist/uPlot.iife.min.js"),
        ("uplot-1.6.32.min.css", "dist/uPlot.min.css"),
        ("uplot-1.6.32.license.txt", "LICENSE"),
    ] {
        assert_eq!(read(vendor.join(ours)), read(package.join(theirs)), "{ours}");
    }
}
