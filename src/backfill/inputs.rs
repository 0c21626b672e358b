//! The search for the files and objects that a job reads: their order and their names.

pub(super) mod found;
mod hive;
mod local;
mod patterns;
mod remote;
mod tables;

use std::collections::HashSet;
use std::os::fd::AsFd as _;
use std::path::Path;

use self::found::{FoundBy, FoundFile, Input, InputPlace, STDIN, Search, whole};
use super::BackfillError;
use super::format::{Compression, InputFormat};
use super::rejects::is_of_rejects;
use crate::archive::Objects;
use crate::new_file::{FileId, file_id, stream_about};

/// The scheme of addresses of files on this machine.
const FILE_SCHEME: &str = "file:";
/// Those of addresses that are not read.
const WEB: [&str; 2] = ["http://", "https://"];

/// All inputs of a job.
#[derive(Debug, Default)]
pub struct Inputs {
    /// The inputs in the order given; those of a folder or pattern are sorted by name.
    pub files: Vec<Input>,
    /// Files in folders whose format is unknown.
    passed_over: Vec<String>,
    /// Why some inputs cannot be used; the others are read all the same.
    pub failed: Vec<BackfillError>,
    seen: HashSet<String>,
    format: Option<InputFormat>,
}

/// Finds the inputs that one of the given names leads to.
async fn search(text: &str, format: Option<InputFormat>) -> Result<Search, BackfillError> {
    if text == STDIN {
        return Ok(Search { found: vec![FoundFile::stdin()], failed: Vec::new() });
    }
    let begins =
        |start: &str| text.get(..start.len()).is_some_and(|it| it.eq_ignore_ascii_case(start));
    if WEB.into_iter().any(begins) {
        let reason = "is not read from the web: download it, or send it to stdin and name -";
        return Err(BackfillError::unusable(text, reason));
    }
    let search = if Objects::are_at(text) {
        remote::find(text, format).await?
    } else if begins(FILE_SCHEME) {
        local::find(&path_of_url(text)?, format).await?
    } else {
        local::find(text, format).await?
    };
    if search.found.is_empty() && search.failed.is_empty() {
        let reason = if Path::new(text).is_dir() {
            "holds no file that is read: names that begin with . or _ are passed over; name those"
        } else {
            "there is no such file; check the name"
        };
        return Err(BackfillError::unusable(text, reason));
    }
    Ok(search)
}

fn path_of_url(text: &str) -> Result<String, BackfillError> {
    let path = url::Url::parse(text).ok().filter(|url| url.query().is_none());
    let path = path.filter(|url| url.fragment().is_none()).and_then(|url| url.to_file_path().ok());
    let path = path.and_then(|path| path.to_str().map(str::to_owned));
    path.ok_or_else(|| {
        let reason =
            "is not a file on this machine; write file:///PATH, with %3F and %23 for ? and #";
        BackfillError::unusable(text, reason)
    })
}

impl Inputs {
    /// Finds files, folders (with all their files), patterns, addresses of object storage, and
    /// stdin (`-`). `format` applies to all of them, if it is given.
    ///
    /// # Errors
    /// Unusable, if no input can be read. If only some cannot, they are in `failed`.
    pub async fn find(
        given: &[String],
        format: Option<InputFormat>,
    ) -> Result<Self, BackfillError> {
        let mut inputs = Self { format, ..Self::default() };
        for text in given {
            match search(text, format).await {
                Ok(search) => {
                    inputs.failed.extend(search.failed);
                    search.found.into_iter().for_each(|found| inputs.add(found));
                }
                Err(error) => inputs.failed.push(error),
            }
        }
        inputs.check(given)?;
        Ok(inputs)
    }

    fn check(&mut self, given: &[String]) -> Result<(), BackfillError> {
        if !self.files.is_empty() {
            return Ok(());
        }
        if self.failed.len() == 1 {
            return self.failed.pop().map_or(Ok(()), Err);
        }
        let reasons: Vec<_> = self.failed.iter().map(ToString::to_string).collect();
        let reason = match reasons.as_slice() {
            [] if matches!(self.format, Some(InputFormat::History(_))) => {
                "no file in that folder ends in .json, .jsonl or .ndjson, also with .gz or .zst, as \
                    histories do; name the files, or give a pattern such as '*'"
                    .to_owned()
            }
            [] => "no file there has an ending that shows its format; give --format".to_owned(),
            reasons => format!("nothing can be read: {}", reasons.join("; ")),
        };
        Err(BackfillError::unusable(given.join(" "), reason))
    }

    /// What to know of files that are passed over.
    pub fn note(&self) -> Option<String> {
        let (first, count) = (self.passed_over.first()?, self.passed_over.len());
        let (why, what) = match self.format {
            Some(_) => ("are not those of histories", "name them, or give a pattern"),
            None => ("show no format", "give --format for them"),
        };
        Some(format!("{count} files passed over, whose endings {why}, like {first}; {what}"))
    }

    /// The bytes of all inputs.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|input| input.bytes).sum()
    }

    /// Whether all inputs can be read again.
    pub(super) fn come_again(&self) -> bool {
        self.files.iter().all(|input| !matches!(input.place, InputPlace::Stdin))
    }

    /// Leaves out the file for rejected rows if a folder has it from an earlier run.
    ///
    /// # Errors
    /// Unusable, if it is an input, which would be overwritten.
    pub(super) fn leave_out(&mut self, rejects: &Path) -> Result<(), BackfillError> {
        let about = rejects.metadata().ok().filter(|about| about.is_file());
        let Some(file) = about.map(|about| file_id(&about)) else { return Ok(()) };
        self.leave_out_file(file, is_of_rejects(rejects), |_| {
            let reason = "is an input, and --rejects would write over it; choose another --rejects";
            BackfillError::unusable(rejects.display().to_string(), reason)
        })
    }

    /// Leaves out the files that stdout or stderr go to if a folder has them: they would grow while
    /// they are read.
    ///
    /// # Errors
    /// Unusable, if such a file is an input by its own name.
    pub(super) fn leave_out_streams(&mut self) -> Result<(), BackfillError> {
        let (stdout, stderr) = (std::io::stdout(), std::io::stderr());
        for stream in [stdout.as_fd(), stderr.as_fd()] {
            let about = stream_about(stream).filter(std::fs::Metadata::is_file);
            let Some(file) = about.map(|about| file_id(&about)) else { continue };
            self.leave_out_file(file, true, |name| {
                let reason =
                    "is an input, and this command's output goes to it; redirect the output";
                BackfillError::unusable(name, reason)
            })?;
        }
        Ok(())
    }

    fn leave_out_file(
        &mut self,
        file: FileId,
        may_be_left: bool,
        refusal: impl FnOnce(&str) -> BackfillError,
    ) -> Result<(), BackfillError> {
        let is_it = |input: &Input| input.file_id == Some(file);
        let Some(input) = self.files.iter().find(|input| is_it(input)) else { return Ok(()) };
        let name = input.name.clone();
        if !may_be_left || self.files.iter().any(|input| is_it(input) && input.by == FoundBy::Name)
        {
            return Err(refusal(&name));
        }
        self.files.retain(|input| !is_it(input));
        self.check(&[name])
    }

    fn add(&mut self, found: FoundFile) {
        let format = self.format;
        let (_, plain) = Compression::split(&found.name);
        let format = match format {
            _ if found.of_table => Some(InputFormat::Parquet),
            // Programs keep other files beside their history.
            Some(InputFormat::History(_)) if found.by == FoundBy::Folder => {
                let shown = InputFormat::of(plain);
                format.filter(|_| matches!(shown, Some(InputFormat::Json | InputFormat::Ndjson)))
            }
            _ => format.or_else(|| InputFormat::of(plain)),
        };
        if found.irregular && (format.is_some() || found.by == FoundBy::Name) {
            let reason = "is a pipe, a device or a socket, and only files are read; to read \
                it, name - and send it to stdin";
            self.failed.push(BackfillError::unusable(found.name, reason));
            return;
        }
        if format.is_none() && !matches!(found.place, InputPlace::Stdin) {
            if found.by == FoundBy::Name {
                let reason =
                    "its ending shows no format; give --format ndjson, json, csv, tsv or parquet";
                self.failed.push(BackfillError::unusable(found.name, reason));
            } else {
                self.passed_over.push(found.name);
            }
            return;
        }
        // A file that is given twice, or also by its folder, is read once.
        let once = match &found.place {
            InputPlace::File(path) => whole(path),
            InputPlace::Object(..) | InputPlace::Stdin => found.name.clone(),
        };
        if self.seen.insert(once) {
            self.files.push(Input::new(found, format));
        }
    }
}
