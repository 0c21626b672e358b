//! The command `tokenlake man`.

use std::fs::create_dir_all;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args as ClapArgs, Command};
use clap_mangen::Man;

use super::print::written;

/// Where manual pages go.
#[derive(Debug, ClapArgs)]
pub struct ManArgs {
    /// Write the page of the program and one of each command (tokenlake-serve.1, …) to this folder, which
    /// is made if it is missing. Default: print the page of the program.
    #[arg(short = 'o', long, env = "TOKENLAKE_OUTPUT", value_name = "FOLDER")]
    pub output: Option<PathBuf>,
}

/// Prints the page of `program`, or writes all pages.
pub(super) fn run(args: &ManArgs, program: Command) -> anyhow::Result<ExitCode> {
    let program = program.disable_help_subcommand(true);
    let Some(folder) = &args.output else {
        let mut page = Vec::new();
        Man::new(program).render(&mut page)?;
        written(std::io::stdout().write_all(&page))?;
        return Ok(ExitCode::SUCCESS);
    };
    create_dir_all(folder).and_then(|()| clap_mangen::generate_to(program, folder)).map_err(
        |error| {
            let folder = folder.display();
            anyhow::anyhow!(
                "cannot write manual pages to {folder}: {error}; choose another --output"
            )
        },
    )?;
    Ok(ExitCode::SUCCESS)
}
