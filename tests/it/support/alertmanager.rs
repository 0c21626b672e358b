//! A real Alertmanager.

use std::path::Path;
use std::process::Command;

use super::listening::Listening;

/// Debian's name, so that `apt-get install` is enough.
pub const PROGRAM: &str = "prometheus-alertmanager";

/// Starts it with `alertmanager.yml` in `folder`, where it also keeps its data.
pub fn start(folder: &Path) -> Listening {
    Listening::start(
        Command::new(PROGRAM)
            .arg(format!("--config.file={}", folder.join("alertmanager.yml").display()))
            .arg(format!("--storage.path={}", folder.join("alertmanager").display()))
            .args(["--web.listen-address=127.0.0.1:0", "--cluster.listen-address="]),
    )
}
