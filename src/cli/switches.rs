//! Flags without a value, as their environment variables switch them on and off.

use std::env;

use clap::builder::BoolishValueParser;
use clap::{Arg, ArgAction, Command};

/// The words that switch a flag off, as the library has them; and no word, which is what a variable
/// holds that a file of settings passes on without a value.
const OFF: [&str; 7] = ["", "n", "no", "f", "false", "off", "0"];

/// The command with flags that a variable switches off as if there were no variable. For the library
/// such a flag is given, whatever the variable says: it would clash with others, and stand in for
/// what is required without it.
pub(super) fn with_switches(command: Command) -> Command {
    command.mut_args(switch).mut_subcommands(with_switches)
}

fn switch(arg: Arg) -> Arg {
    if !matches!(arg.get_action(), ArgAction::SetTrue) {
        return arg;
    }
    let is_off = arg.get_env().and_then(|name| env::var(name).ok()).is_some_and(|value| {
        let value = value.trim().to_ascii_lowercase();
        OFF.contains(&value.as_str())
    });
    let arg = arg.value_parser(BoolishValueParser::new());
    if is_off { arg.env(None::<&'static str>) } else { arg }
}
