//! Input that is read whole: a file, or stdin for `-`.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// What errors call an input.
pub(super) fn shown(file: &Path) -> String {
    if file == Path::new("-") { "stdin".to_owned() } else { file.display().to_string() }
}

/// Reads an input of up to `bytes_max` bytes.
///
/// # Errors
/// It cannot be read, or is larger; `advice` follows the words that say so.
pub(super) fn read(file: &Path, bytes_max: u64, advice: &str) -> anyhow::Result<Vec<u8>> {
    let from: Box<dyn Read> = match file == Path::new("-") {
        true => Box::new(io::stdin().lock()),
        false => Box::new(File::open(file)?),
    };
    let mut bytes = Vec::new();
    from.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes)?;
    anyhow::ensure!(
        u64::try_from(bytes.len()).is_ok_and(|length| length <= bytes_max),
        "it is larger than {bytes_max} bytes{advice}"
    );
    Ok(bytes)
}
