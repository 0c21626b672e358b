//! The setup of logging to stderr.

use std::io::{IsTerminal as _, Result, Write, stderr};

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

use crate::printable::printable;

/// Our messages from info up; errors only from libraries. The library that reads tables' logs is
/// silenced, because it reports each error twice and we report it once more.
const DEFAULT_FILTER: &str = "tokenlake=info,buoyant_kernel=off,error";

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Starts logging.
///
/// # Errors
/// If `RUST_LOG` is not a filter.
pub(super) fn start(format: LogFormat) -> anyhow::Result<()> {
    let filter = std::env::var("RUST_LOG").unwrap_or_else(|_| DEFAULT_FILTER.to_owned());
    let filter: EnvFilter = filter
        .parse()
        .map_err(|error| anyhow::anyhow!("RUST_LOG={filter} is not a log filter: {error}"))?;
    let colours = format == LogFormat::Text && stderr().is_terminal();
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(move || LogLines { to: stderr(), colours });
    let started = match format {
        LogFormat::Text => lines.with_ansi(colours).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("cannot start logging: {error}"))
}

/// Writes one line for each event, whatever characters its text has.
struct LogLines<W> {
    to: W,
    /// Whether to keep the escape sequences of the library's colours. It lets escape characters of
    /// no other text through.
    colours: bool,
}

impl<W: Write> Write for LogLines<W> {
    /// Each call passes one whole event with its line end.
    fn write(&mut self, event: &[u8]) -> Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let line = match self.colours {
            true => line.split('\u{1b}').map(printable).collect::<Vec<_>>().join("\u{1b}").into(),
            false => printable(line),
        };
        // The library tells of an error by a macro that panics, which would end the request that logs
        // if the reader of the log has left or its disk is full.
        let _ = self.to.write_all(format!("{line}\n").as_bytes());
        Ok(event.len())
    }

    fn flush(&mut self) -> Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_of_the_log() {
        for (colours, shown) in
            [(false, "a\\u000ab \\u001b[31mc\n"), (true, "a\\u000ab \u{1b}[31mc\n")]
        {
            let mut lines = LogLines { to: Vec::new(), colours };
            lines.write_all(b"a\nb \x1b[31mc\n").unwrap();
            assert_eq!(String::from_utf8(lines.to).unwrap(), shown);
        }
    }
}
