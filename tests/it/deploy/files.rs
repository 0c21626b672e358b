//! Tests of files that only a cluster, a container engine or an init system can run: they are
//! validated against their schemas, and all settings in them are passed to the real program.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use tempfile::tempdir;

use super::{content, files, path, text};
use crate::support::process::{Server, installed, optional, program, run, tokenlake};

/// The newest and the oldest Kubernetes that are supported there as this is written.
pub(super) const KUBERNETES: [&str; 2] = ["1.31.0", "1.37.0"];
/// How much of the system the service could reach, of 10, by systemd's own measure.
const EXPOSURE_MAX: f64 = 2.0;

#[test]
fn the_image_and_the_compose_file_are_valid() {
    if !(installed("hadolint") && installed("check-jsonschema")) {
        return;
    }
    content(Command::new("hadolint").arg(path("Dockerfile")));
    let schema = ["--builtin-schema", "vendor.compose-spec"];
    let files = ["compose.yaml", "deploy/nodes/compose.yaml"].map(path);
    content(Command::new("check-jsonschema").args(schema).args(files));
}

#[test]
fn what_the_compose_file_mounts_is_there() {
    let compose = text("compose.yaml");
    let mounts: Vec<_> =
        compose.lines().filter_map(|line| line.trim().strip_prefix("- ./")).collect();
    assert!(mounts.len() > 3, "{mounts:?}");
    for mount in mounts {
        let (host, _) = mount.split_once(':').unwrap();
        assert!(path(host).is_dir(), "{host}");
    }
    let provider = text("deploy/grafana/provisioning/dashboards/tokenlake.yml");
    let (_, folder) = provider.split_once("path: ").unwrap();
    assert!(compose.contains(&format!("./deploy/grafana/dashboards:{}:ro", folder.trim())));
}

#[test]
fn the_compose_file_has_no_password_and_starts_with_none() {
    let compose = text("compose.yaml");
    let mut passwords = BTreeSet::new();
    for line in compose.lines() {
        let Some((name, value)) = line.trim().split_once(": ") else { continue };
        if !["PASSWORD", "SECRET", "_TOKEN"].iter().any(|word| name.contains(word)) {
            continue;
        }
        // `${NAME:?words}` is refused where NAME is unset or empty.
        let variable = value.strip_prefix("${").and_then(|value| value.split_once(":?"));
        let (variable, words) = variable.unwrap_or_else(|| panic!("{line}"));
        assert!(words.contains("deploy/README.md"), "{line}");
        passwords.insert(variable);
    }
    assert_eq!(passwords, BTreeSet::from(["GRAFANA_ADMIN_PASSWORD", "MINIO_ROOT_PASSWORD"]));
    // What the document says to do sets each of them.
    let readme = text("deploy/README.md");
    let (_, made) = readme.split_once("test -e .env").unwrap();
    let (made, _) = made.split_once("done > .env").unwrap();
    assert!(passwords.iter().all(|name| made.contains(name)), "{made}");
    assert!(text(".gitignore").lines().any(|line| line == ".env"));
}

#[test]
fn the_kubernetes_objects_are_valid() {
    if !(installed("kubernetes-validate") && installed("check-jsonschema")) {
        return;
    }
    let mut objects = files("deploy/kubernetes", ".yaml");
    objects.extend(files("deploy/kubernetes/nodes", ".yaml"));
    objects.retain(|file| !file.ends_with("kustomization.yaml"));
    for version in KUBERNETES {
        let strict = ["--strict", "--quiet", "-k", version];
        content(Command::new("kubernetes-validate").args(strict).args(&objects));
    }
    // The schemas of the operator's objects come with its operator alone: ours has what we use.
    let schema = path("tests/it/deploy/operator.schema.json");
    let monitoring = path("deploy/kubernetes/monitoring");
    let objects = ["servicemonitor.yaml", "prometheusrule.yaml"].map(|name| monitoring.join(name));
    content(Command::new("check-jsonschema").arg("--schemafile").arg(schema).args(objects));
}

#[test]
fn each_kubernetes_file_is_part_of_a_kustomization() {
    for (folder, apart) in [
        ("deploy/kubernetes", 2),
        ("deploy/kubernetes/monitoring", 1),
        ("deploy/kubernetes/nodes", 1),
    ] {
        let kustomization = text(&format!("{folder}/kustomization.yaml"));
        let named: BTreeSet<_> = kustomization
            .lines()
            .filter_map(|line| line.trim().strip_prefix("- ")?.strip_suffix(".yaml"))
            .collect();
        for name in &named {
            assert!(path(&format!("{folder}/{name}.yaml")).is_file(), "{name}");
        }
        // The kustomization itself, and the secrets, which are an example.
        assert_eq!(files(folder, ".yaml").len(), named.len() + apart, "{named:?}");
    }
}

#[test]
fn kubectl_builds_the_kustomizations() {
    if !optional("kubectl") {
        return;
    }
    for (folder, kinds) in [
        ("deploy/kubernetes", vec!["Deployment", "CronJob", "PodDisruptionBudget"]),
        ("deploy/kubernetes/monitoring", vec!["ServiceMonitor", "PrometheusRule"]),
        ("deploy/kubernetes/nodes", vec!["StatefulSet", "CronJob", "NetworkPolicy"]),
    ] {
        let done = content(Command::new("kubectl").arg("kustomize").arg(path(folder)));
        for kind in kinds {
            assert!(done.stdout.contains(&format!("kind: {kind}\n")), "{kind}");
        }
        assert!(!done.stdout.contains("image: tokenlake\n"), "an image without a tag");
    }
}

#[test]
fn the_service_is_valid_and_reaches_little() {
    if !optional("systemd-analyze") {
        return;
    }
    let folder = tempdir().unwrap();
    let unit = folder.path().join("tokenlake.service");
    let binary = env!("CARGO_BIN_EXE_tokenlake");
    let service = text("deploy/systemd/tokenlake.service");
    assert!(service.contains("ExecStart=/usr/local/bin/tokenlake serve\n"));
    let service = service.replace("/usr/local/bin/tokenlake", binary);
    std::fs::write(&unit, service).unwrap();
    let done = content(Command::new("systemd-analyze").arg("verify").arg(&unit));
    let ours = done.stderr.lines().filter(|line| line.contains("tokenlake")).collect::<Vec<_>>();
    assert_eq!(ours, Vec::<&str>::new());
    let done =
        content(Command::new("systemd-analyze").args(["security", "--offline=true"]).arg(&unit));
    let (_, level) =
        done.stdout.split_once("Overall exposure level for tokenlake.service: ").unwrap();
    let level: f64 = level.split_whitespace().next().unwrap().parse().unwrap();
    assert!(level <= EXPOSURE_MAX, "{level}\n{}", done.stdout);
}

/// All that is shipped for deployment, but for prose.
fn shipped() -> Vec<String> {
    let mut names: Vec<_> = [
        "Dockerfile",
        "compose.yaml",
        "deploy/systemd/tokenlake.service",
        "deploy/package/tokenlake.env",
    ]
    .map(str::to_owned)
    .into();
    for folder in ["deploy/kubernetes", "deploy/kubernetes/monitoring"] {
        for file in files(folder, ".yaml") {
            names.push(file.strip_prefix(path("")).unwrap().to_str().unwrap().to_owned());
        }
    }
    names
}

/// Each variable that a text names is a setting of a command.
pub(super) fn assert_known_settings(text: &str, command: &str) {
    let help = run(program().args([command, "--help"])).stdout;
    let words = text.split(|char: char| !char.is_ascii_alphanumeric() && char != '_');
    let found: BTreeSet<_> = words.filter(|word| word.starts_with("TOKENLAKE_")).collect();
    assert!(found.contains("TOKENLAKE_ARCHIVE") && found.contains("TOKENLAKE_LISTEN"), "{found:?}");
    for name in found {
        assert!(help.contains(&format!("[env: {name}=")), "{name} is no setting of {command}");
    }
}

#[test]
fn each_variable_is_one_that_its_command_takes() {
    let all = |names: &[String]| names.iter().map(|name| text(name)).collect::<String>();
    assert_known_settings(&all(&shipped()), "serve");
    let nodes = ["deploy/nodes/compose.yaml", "deploy/kubernetes/nodes/statefulset.yaml"];
    assert_known_settings(&all(&nodes.map(str::to_owned)), "sql-node");
}

/// A node over the events of the sample.
fn node_over_sample(archive: &Path, secret: &Path) -> Server {
    std::fs::write(secret, "0123456789abcdef").unwrap();
    let sample = path("data/sample.ndjson");
    let done = tokenlake(archive, &["backfill", "--org", "acme", sample.to_str().unwrap()]);
    assert_eq!(done.status, 0, "{done:?}");
    Server::start_with(archive, &["sql-node", "--token-file", secret.to_str().unwrap()])
}

#[test]
fn a_node_of_the_compose_file_is_found_healthy() {
    let (archive, secret) = (tempdir().unwrap(), tempdir().unwrap());
    let node = node_over_sample(archive.path(), &secret.path().join("token"));
    let compose = text("deploy/nodes/compose.yaml");
    let (_, test) = compose.split_once("test: [\"CMD\", \"/usr/bin/tokenlake\", ").unwrap();
    let (args, _) = test.split_once(']').unwrap();
    let args = args.replace("127.0.0.1:9799", node.address());
    let args = args.split(", ").map(|arg| arg.trim_matches('"'));
    // The image has the settings of a server.
    let done = run(program().env("TOKENLAKE_ADMIN_LISTEN", "127.0.0.1:1").args(args));
    assert_eq!(done.status, 0, "{done:?}");
}

#[test]
fn the_question_to_nodes_is_asked_as_it_is_written() {
    let (archive, secret) = (tempdir().unwrap(), tempdir().unwrap());
    let secret = secret.path().join("token");
    let node = node_over_sample(archive.path(), &secret);
    let job = text("deploy/kubernetes/nodes/ask.yaml");
    let (_, args) = job.split_once("args:\n").unwrap();
    let args = args.lines().map_while(|line| line.trim().strip_prefix("- "));
    let args =
        args.filter(|arg| !arg.starts_with("--node-ca=")).map(|arg| match arg.split_once('=') {
            Some(("--nodes", nodes)) => {
                assert_eq!(nodes.matches("https://tokenlake-node-").count(), 3, "{nodes}");
                format!("--nodes={}", node.url(""))
            }
            Some(("--node-token-file", _)) => format!("--node-token-file={}", secret.display()),
            _ => arg.to_owned(),
        });
    let args: Vec<_> = args.collect();
    assert!(args.len() > 3, "{args:?}");
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    let done = tokenlake(archive.path(), &args);
    assert!(done.status == 0 && done.stdout.starts_with("source,calls\n"), "{done:?}");
}

#[test]
fn each_job_runs_as_it_is_written() {
    let archive = tempdir().unwrap();
    let jobs = text("deploy/kubernetes/cronjobs.yaml");
    let written =
        jobs.lines().filter_map(|line| line.trim().strip_prefix("args: [")?.strip_suffix(']'));
    let mut jobs: Vec<_> = written.collect();
    assert_eq!(jobs.len(), 3);
    // Compaction and expiry want an archive that is there.
    jobs.sort_by_key(|job| !job.starts_with("backfill"));
    let sample = path("data/sample.ndjson");
    for job in jobs {
        let job = job.replace("s3://my-bucket/history", sample.to_str().unwrap());
        let args: Vec<_> = job.split(", ").collect();
        let done = tokenlake(archive.path(), &args);
        assert_eq!(done.status, 0, "{args:?} {done:?}");
    }
}
