//! Tests that `docs/memory.md` shows the program's bounds for the defaults, and that each shipped
//! limit has room for the sum of the bounds of the settings next to it.

use tokenlake::cli::memory::Bounds;
use tokenlake::cli::units::parse_bytes;

use super::text;

/// The commands of which the document tells, besides `serve`, as they may be given.
const COMMANDS: [&[&str]; 6] = [
    &["backfill", "--org", "acme", "-"],
    &["reprice"],
    &["compact"],
    &["expire", "--older-than", "400d"],
    &["verify"],
    &["sql-node", "--token-file", "token"],
];

#[test]
fn the_document_shows_the_bounds_of_the_defaults() {
    let document = text("docs/memory.md");
    let sum = |bounds: &Bounds| bounds.bytes().div_ceil(1 << 20);
    let serve = Bounds::of_line(&["serve"]).unwrap();
    assert!(document.contains(&serve.to_string()), "it should show\n{serve}");
    for command in COMMANDS {
        let bounds = Bounds::of_line(command).unwrap();
        assert!(document.contains(&bounds.to_string()), "{command:?} should show\n{bounds}");
    }
    let verify = Bounds::of_line(&["verify"]).unwrap();
    assert_eq!(verify, Bounds::of_line(&["repair"]).unwrap(), "it tells of both at once");
    assert!(document.contains(&format!("{} MiB by default", sum(&serve))), "{}", sum(&serve));
    for name in ["README.md", "deploy/README.md"] {
        assert!(text(name).contains("docs/memory.md"), "{name}");
    }
}

/// The settings of a file, as flags, by their variables.
pub(super) fn flags(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let settings = lines.filter_map(|line| {
        let (_, setting) = line.split_once("TOKENLAKE_")?;
        let is_of_name = |char: char| char.is_ascii_uppercase() || char == '_';
        let end = setting.find(|char| !is_of_name(char))?;
        let (name, value) = setting.split_at(end);
        let value = [", value: ", ": ", "="].iter().find_map(|sign| value.strip_prefix(sign))?;
        let value = value.trim_end_matches('}').trim_matches('"');
        Some(format!("--{}={value}", name.to_lowercase().replace('_', "-")))
    });
    settings.collect()
}

/// What a file says after these words, as bytes: `6Gi`, `6G` and `6g` are the same.
pub(super) fn bytes(text: &str, words: &str) -> u64 {
    let (_, rest) = text.split_once(words).unwrap_or_else(|| panic!("no {words} in {text}"));
    let value = rest.split(['}', '\n']).next().unwrap();
    let number = value.trim_end_matches(|char: char| char.is_ascii_alphabetic());
    let unit = match value.strip_prefix(number).unwrap() {
        "Gi" | "G" | "g" => "GiB",
        "Mi" | "M" | "m" => "MiB",
        other => panic!("{other}"),
    };
    parse_bytes(&format!("{number}{unit}")).unwrap()
}

/// Holds a limit against the sum for a command with settings.
pub(super) fn holds(limit: u64, command: &[&str], settings: &[String]) {
    let settings = settings.iter().map(String::as_str);
    let line: Vec<_> = command.iter().copied().chain(settings).collect();
    let bounds = Bounds::of_line(&line).unwrap();
    let (limit, sum) = (limit >> 20, bounds.bytes().div_ceil(1 << 20));
    assert!(limit >= sum, "{limit} MiB for {line:?}, which may take {sum}:\n{bounds}");
}

#[test]
fn the_limit_of_the_service_has_room_for_what_it_may_take() {
    let unit = text("deploy/systemd/tokenlake.service");
    let settings = flags(&unit);
    assert!(settings.len() >= 2, "{settings:?}");
    holds(bytes(&unit, "\nMemoryMax="), &["serve"], &settings);
}

#[test]
fn the_limits_of_kubernetes_have_room_for_what_is_run() {
    let common = flags(&text("deploy/kubernetes/configmap.yaml"));
    assert!(common.len() >= 2, "{common:?}");
    let deployment = text("deploy/kubernetes/deployment.yaml");
    let settings = [common.clone(), flags(&deployment)].concat();
    assert!(settings.iter().any(|flag| flag == "--compact-interval=0s"), "{settings:?}");
    let limit = bytes(&deployment, "limits: {memory: ");
    holds(limit, &["serve"], &settings);
    assert!(bytes(&deployment, "requests: {cpu: 250m, memory: ") <= limit);
    let jobs = text("deploy/kubernetes/cronjobs.yaml");
    let mut seen = 0;
    for job in jobs.split("\n---\n") {
        let (_, args) = job.split_once("args: [").unwrap();
        let (args, _) = args.split_once(']').unwrap();
        holds(bytes(job, "limits: {memory: "), &args.split(", ").collect::<Vec<_>>(), &common);
        seen += 1;
    }
    assert_eq!(seen, 3);
}

#[test]
fn the_limits_of_nodes_have_room_for_what_they_may_take() {
    for (name, words) in [
        ("deploy/nodes/compose.yaml", "mem_limit: "),
        ("deploy/kubernetes/nodes/statefulset.yaml", "limits: {memory: "),
    ] {
        let text = text(name);
        let mut settings = flags(&text);
        assert!(settings.iter().any(|flag| flag.starts_with("--token-file=")), "{settings:?}");
        // It has no value on a command line.
        settings.retain(|flag| !flag.starts_with("--node-insecure"));
        holds(bytes(&text, words), &["sql-node"], &settings);
    }
}

#[test]
fn the_limit_of_the_compose_file_has_room_for_what_it_may_take() {
    let compose = text("compose.yaml");
    let (_, service) = compose.split_once("\n  tokenlake:\n").unwrap();
    let (service, _) = service.split_once("\n  prometheus:\n").unwrap();
    holds(bytes(service, "mem_limit: "), &["serve"], &flags(service));
}
