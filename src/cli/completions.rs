//! The command `tokenlake completions`.

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Args as ClapArgs, Command};
use clap_complete::Shell;

use super::print::written;

/// The shell.
#[derive(Debug, ClapArgs)]
pub struct CompletionsArgs {
    /// The shell that reads the script.
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

/// Prints the script that completes `program`.
pub(super) fn run(args: &CompletionsArgs, program: &Command) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut for_people(program), "tokenlake", &mut script);
    written(std::io::stdout().write_all(&script))?;
    Ok(ExitCode::SUCCESS)
}

/// The command without what is hidden, which the scripts would offer too.
fn for_people(command: &Command) -> Command {
    let shown = command.get_subcommands().filter(|below| !below.is_hide_set()).map(for_people);
    let about = command.get_about().cloned().unwrap_or_default();
    let mut copy = Command::new(command.get_name().to_owned()).about(about);
    if let Some(version) = command.get_version() {
        copy = copy.version(version.to_owned());
    }
    // Arguments name groups.
    copy.args(command.get_arguments().cloned())
        .groups(command.get_groups().cloned())
        .subcommands(shown)
}
