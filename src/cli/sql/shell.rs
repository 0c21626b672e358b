//! The shell, for people at a terminal.

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use clap::ValueEnum as _;

use super::editor::{Editor, TypedInput};
use super::format::OutputFormat;
use super::help::{describe, help};
use super::session::Session;
use crate::cli::print::{print_error, print_note, print_result};
use crate::cli::signals;

/// Reads input and answers it until the input ends.
pub(super) async fn run(mut session: Session) -> anyhow::Result<ExitCode> {
    let mut editor = Editor::new(session.names().await?)?;
    print_note(concat!("tokenlake ", env!("CARGO_PKG_VERSION"), ". \\? for help, \\q to leave."));
    let mut timing = false;
    while !session.is_closed() {
        let text = match tokio::task::block_in_place(|| editor.read())? {
            TypedInput::Text(text) => text,
            TypedInput::Nothing => continue,
            TypedInput::End => break,
        };
        let text = text.trim();
        match text.to_lowercase().as_str() {
            "quit" | "exit" | "\\q" => break,
            "help" => print_result(&help()),
            _ if text.starts_with('\\') => {
                if let Err(error) = command(text, &mut session, &mut timing) {
                    print_error(&error);
                }
            }
            _ => ask(text, &mut session, timing).await?,
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs statements; Ctrl-C ends them, not the shell.
async fn ask(text: &str, session: &mut Session, timing: bool) -> anyhow::Result<()> {
    let began = Instant::now();
    let done = tokio::select! {
        done = session.run_all(text) => Some(done),
        () = signals::query_interrupted() => None,
    };
    let kept = session.keep();
    match done {
        None => print_note("cancelled"),
        Some(Err(error)) => print_error(&error),
        Some(Ok(())) if timing => print_note(&format!("{} ms", began.elapsed().as_millis())),
        Some(Ok(())) => {}
    }
    if let Err(error) = kept {
        print_error(&error);
    }
    Ok(())
}

fn command(text: &str, session: &mut Session, timing: &mut bool) -> anyhow::Result<()> {
    let (name, value) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let value = value.trim().trim_end_matches(';');
    match name.trim_end_matches(';') {
        "\\?" | "\\h" | "\\help" => print_result(&help()),
        "\\d" | "\\dt" => match describe(value) {
            Some(text) => print_result(&text),
            None => anyhow::bail!("there is no table {value}; \\d lists them"),
        },
        "\\timing" => {
            *timing = match value {
                "on" => true,
                "off" => false,
                _ => !*timing,
            };
            print_note(if *timing { "timing is on" } else { "timing is off" });
        }
        "\\format" => {
            session.format = OutputFormat::from_str(value, true).map_err(|_| {
                anyhow::anyhow!("there is no format {value:?}; use table, csv, tsv, json or ndjson")
            })?;
        }
        "\\o" => session.write_to(Some(Path::new(value)).filter(|_| !value.is_empty()))?,
        name => anyhow::bail!("there is no command {name}; \\? lists them"),
    }
    Ok(())
}
