//! Tests of scrapes over TLS, with JWTs of an issuer that changes its keys, and of failures as a
//! scraper sees them.

use std::path::Path;
use std::process::Command;

use tempfile::tempdir;

use super::{SCRAPED_MAX, wait_for_health};
use crate::support::authority::Authority;
use crate::support::issuer::{ISSUER, KeyServer, Reply, Signer, claims, jwks};
use crate::support::poll;
use crate::support::process::{Server, installed, key, run, tokenlake};
use crate::support::prometheus::{Health, Prometheus};

/// A job of one target, over TLS; with an authority, or without.
fn job(name: &str, ca: bool, target: &str) -> String {
    let tls = if ca { "tls_config: {ca_file: ca.pem}" } else { "" };
    format!(
        "  - job_name: {name}\n    scheme: https\n    authorization: {{credentials_file: {name}.jwt}}\n    \
         {tls}\n    static_configs: [{{targets: ['{target}']}}]\n"
    )
}

fn requests(prometheus: &Prometheus, job: &str) -> f64 {
    let series = prometheus.series(job);
    series.iter().filter(|(name, _)| name.starts_with("llm_requests_total")).map(|(_, n)| n).sum()
}

/// Sends events of the machine with a key of the archive, which needs no TLS.
fn backfill(archive: &Path, folder: &Path, ids: std::ops::Range<u32>) {
    let path = folder.join("events.ndjson");
    let line = |id| {
        format!(
            "{{\"event_id\":\"{id}\",\"ts\":1714557600,\"provider\":\"openai\",\"model\":\"m\"}}\n"
        )
    };
    std::fs::write(&path, ids.map(line).collect::<String>()).unwrap();
    let done = tokenlake(archive, &["backfill", "--org", "acme", path.to_str().unwrap()]);
    assert_eq!(done.status, 0, "{done:?}");
}

fn failing(health: Option<&Health>, needle: &str) -> bool {
    health.is_some_and(|health| !health.up && health.last_error.contains(needle))
}

#[test]
fn prometheus_scrapes_over_tls_with_jwts_and_says_what_fails() {
    if !installed("prometheus") {
        return;
    }
    let (folder, authority) = (tempdir().unwrap(), Authority::new());
    let archive = folder.path().join("archive");
    key(&archive, "acme");
    backfill(&archive, folder.path(), 0..5);
    let [cert, key] = authority.certify().write(folder.path());
    let ca = authority.write(folder.path());
    let [cert, key, ca] = [&cert, &key, &ca].map(|path| path.to_str().unwrap());
    let [old, new] = [Signer::rs256("old"), Signer::es256("new")];
    let start = |issuer: &KeyServer| {
        let url = issuer.url();
        let keys = ["--jwt-jwks", &url, "--jwt-jwks-ca", ca, "--jwt-jwks-refresh", "1s"];
        let tls = ["serve", "--tls-cert", cert, "--tls-key", key];
        Server::start_with(&archive, &[&tls[..], &keys, &ISSUER].concat())
    };
    let issuer = KeyServer::start(&authority.certify(), Reply::Keys(jwks(&[&old])));
    let server = start(&issuer);
    let nothing = Reply::Status("503 Service Unavailable", "X: y");
    let keyless = start(&KeyServer::start(&authority.certify(), nothing));

    let write = |job: &str, jwt: String| {
        std::fs::write(folder.path().join(format!("{job}.jwt")), jwt + "\n").unwrap();
    };
    let good = |signer: &Signer| signer.sign(&claims("metrics:read", 3_600));
    write("well", good(&old));
    write("stranger", good(&old));
    write("away", good(&old));
    write("expired", old.sign(&claims("metrics:read", -61)));
    write("scopeless", old.sign(&claims("sql:read", 3_600)));
    let mut config =
        "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n".to_owned();
    for name in ["well", "expired", "scopeless"] {
        config.push_str(&job(name, true, server.address()));
    }
    config.push_str(&job("stranger", false, server.address()));
    config.push_str(&job("away", true, keyless.address()));
    let plain = job("well", false, server.address()).replace("https", "http");
    config.push_str(&plain.replace("job_name: well", "job_name: plain"));
    std::fs::write(folder.path().join("config.yml"), config).unwrap();

    let prometheus = Prometheus::start(folder.path());
    let well = Health { up: true, last_error: String::new() };
    wait_for_health(&prometheus, "well", &well, "1");
    poll(SCRAPED_MAX, "the events show", || (requests(&prometheus, "well") == 5.0).then_some(()));
    for (job, status) in [
        ("expired", "401 Unauthorized"),
        ("scopeless", "403 Forbidden"),
        ("away", "503 Service Unavailable"),
    ] {
        let last_error = format!("server returned HTTP status {status}");
        wait_for_health(&prometheus, job, &Health { up: false, last_error }, "0");
    }
    for (job, needle) in [("stranger", "x509: "), ("plain", "Get \"http://")] {
        poll(SCRAPED_MAX, &format!("{job} says what fails"), || {
            failing(prometheus.health().get(job), needle).then_some(())
        });
    }

    // The issuer goes over to another key, and the scraper to another JWT.
    issuer.set(Reply::Keys(jwks(&[&new])));
    let refused = "server returned HTTP status 401 Unauthorized".to_owned();
    wait_for_health(&prometheus, "well", &Health { up: false, last_error: refused }, "0");
    write("well", good(&new));
    backfill(&archive, folder.path(), 5..12);
    wait_for_health(&prometheus, "well", &well, "1");
    poll(SCRAPED_MAX, "the new events show", || {
        (requests(&prometheus, "well") == 12.0).then_some(())
    });
}

/// The block of shell commands that holds `needle`, of the page about Prometheus.
fn page_block(needle: &str) -> String {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/prometheus.md"))
        .unwrap();
    let mut blocks = page.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.find(|block| block.contains(needle)).unwrap().to_owned()
}

#[test]
fn what_the_page_says_about_tls_and_jwts_works_as_pasted() {
    if !["prometheus", "promtool", "openssl", "python3"].into_iter().all(installed) {
        return;
    }
    let folder = tempdir().unwrap();
    let here = folder.path().to_str().unwrap();
    let bash = |commands: &str| {
        let commands = commands.replace("/tmp/tokenlake-prometheus", here);
        let done = run(Command::new("bash").args(["-euc", &commands]));
        assert_eq!(done.status, 0, "{commands} {done:?}");
    };
    bash(&page_block("openssl req"));
    bash(&page_block("openssl rand"));
    bash(&page_block("hmac.new"));
    let serve = [page_block("--tls-cert"), page_block("--jwt-secret-file")].map(|block| {
        let flags = block.split_whitespace().filter(|word| *word != "\\").skip(2);
        flags.map(|word| word.replace("/tmp/tokenlake-prometheus", here)).collect::<Vec<_>>()
    });
    let flags = serve.concat();
    let mut args = vec!["serve"];
    args.extend(flags.iter().map(String::as_str));
    let server = Server::start_with(&folder.path().join("archive"), &args);
    // All but the last command, which does not end.
    let scrape = page_block("scheme: https");
    let (scrape, _) = scrape.split_once("\nprometheus ").unwrap();
    bash(scrape);
    let config = std::fs::read_to_string(folder.path().join("prometheus-tls.yml")).unwrap();
    let config = config.replace("127.0.0.1:9797", server.address()).replace("15s", "1s");
    std::fs::write(folder.path().join("config.yml"), config).unwrap();
    let prometheus = Prometheus::start(folder.path());
    let well = Health { up: true, last_error: String::new() };
    wait_for_health(&prometheus, "tokenlake-acme", &well, "1");
}
