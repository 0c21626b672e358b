//! Test that `docs/reference.md` describes each flag as the program's help does.

use std::fmt::Write as _;

use clap::{Arg, Command, CommandFactory as _};

use super::args::Args;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference.md");
const BEGIN: &str = "<!-- flags: begin -->\n";
const END: &str = "<!-- flags: end -->\n";
/// If it is 1, the page is written again.
const WRITE: &str = "TOKENLAKE_TEST_WRITE";

/// Text for a cell of a Markdown table.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

/// `--flag VALUE` with its short form, or the name of a positional argument.
fn name(arg: &Arg) -> String {
    let values = arg.get_value_names().unwrap_or_default();
    let value = values.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(" ");
    let value = if arg.get_action().takes_values() { value } else { String::new() };
    let mut name = String::new();
    if let Some(short) = arg.get_short() {
        let _ = write!(name, "`-{short}`, ");
    }
    let flag = arg.get_long().map_or(value.clone(), |long| format!("--{long} {value}"));
    name + &format!("`{}`", cell(&flag))
}

fn row(arg: &Arg) -> String {
    let variable = arg.get_env().map_or("–".to_owned(), |name| format!("`{}`", name.display()));
    let defaults: Vec<_> = arg.get_default_values().iter().map(|value| value.display()).collect();
    let is_switch = !arg.get_action().takes_values();
    let default = match defaults.first() {
        Some(default) if !is_switch => format!("`{default}`"),
        _ => "–".to_owned(),
    };
    let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
    let mut meaning = cell(&help);
    let values = arg.get_possible_values();
    if !is_switch && !values.is_empty() {
        let names: Vec<_> = values.iter().map(|value| format!("`{}`", value.get_name())).collect();
        let _ = write!(meaning, " ({})", names.join(", "));
    }
    format!("| {} | {variable} | {default} | {meaning} |\n", name(arg))
}

/// The table of a command's own arguments, or of those that all commands share.
fn table(command: &Command, global: bool) -> String {
    let shown = |arg: &&Arg| {
        let by_clap = matches!(arg.get_id().as_str(), "help" | "version");
        arg.is_global_set() == global && !arg.is_hide_set() && !by_clap
    };
    let rows: String = command.get_arguments().filter(shown).map(row).collect();
    if rows.is_empty() {
        return "It has no flags of its own.\n".to_owned();
    }
    format!("| flag | variable | default | meaning |\n|---|---|---|---|\n{rows}")
}

/// Every command that can be run, with the words that name it; a command that only groups others
/// gives way to those.
fn commands<'a>(path: &str, command: &'a Command) -> Vec<(String, &'a Command)> {
    let below = command.get_subcommands().filter(|below| !below.is_hide_set());
    let below: Vec<_> = below.filter(|below| below.get_name() != "help").collect();
    if below.is_empty() {
        return vec![(path.to_owned(), command)];
    }
    let each = below.iter().flat_map(|one| commands(&format!("{path} {}", one.get_name()), one));
    each.collect()
}

/// The part of the page that describes flags.
fn flags() -> String {
    let mut program = Args::command();
    program.build();
    let mut text = format!("\n### Every command\n\n{}", table(&program, true));
    let mut told: Vec<(String, String)> = Vec::new();
    for (path, command) in commands("tokenlake", &program) {
        let about = command.get_long_about().or(command.get_about());
        let about = cell(&about.map(ToString::to_string).unwrap_or_default());
        let _ = write!(text, "\n### `{path}`\n\n{}.\n\n", about.trim_end_matches('.'));
        let own = table(command, false);
        match told.iter().find(|(_, flags)| *flags == own && own.starts_with('|')) {
            Some((first, _)) => {
                let _ = writeln!(text, "It has the flags of `{first}`.");
            }
            None => text.push_str(&own),
        }
        told.push((path, own));
    }
    text + "\n"
}

#[test]
fn the_reference_has_every_flag() {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (shown, after) = rest.split_once(END).unwrap();
    let flags = flags();
    if std::env::var(WRITE).is_ok_and(|value| value == "1") {
        std::fs::write(PAGE, format!("{before}{BEGIN}{flags}{END}{after}")).unwrap();
        return;
    }
    let (shown, flags): (Vec<_>, Vec<_>) = (shown.lines().collect(), flags.lines().collect());
    let differs = shown.iter().zip(&flags).find(|(shown, line)| shown != line);
    assert_eq!(differs, None, "{WRITE}=1 writes docs/reference.md again");
    assert_eq!(shown.len(), flags.len(), "{WRITE}=1 writes docs/reference.md again");
}
