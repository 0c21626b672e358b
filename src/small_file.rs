//! The reader of small files that an operator supplies: secrets, certificates, keys.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// The largest size read; no such file is as large.
const BYTES_MAX: usize = 512 * 1024;

/// The first bytes of files that are encrypted as a whole, and marks within files that are
/// encrypted in part: PEM, gpg, age, openssl, ansible-vault and sops.
const ENCRYPTED_STARTS: [&[u8]; 6] = [
    b"-----BEGIN PGP MESSAGE",
    b"-----BEGIN AGE ENCRYPTED FILE",
    b"age-encryption.org/",
    b"$ANSIBLE_VAULT;",
    b"Salted__",
    b"U2FsdGVkX1",
];
const ENCRYPTED_PARTS: [&[u8]; 3] =
    [b"-----BEGIN ENCRYPTED PRIVATE KEY", b"Proc-Type: 4,ENCRYPTED", b"ENC[AES256_GCM,"];

/// Why a file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot read {path}: {reason}", path = .path.display())]
pub struct SmallFileError {
    path: PathBuf,
    reason: String,
}

/// Reads a file. A large one is refused without being read whole.
///
/// # Errors
/// [`SmallFileError`].
pub fn read(path: &Path) -> Result<Vec<u8>, SmallFileError> {
    let failed = |reason: String| SmallFileError { path: path.to_owned(), reason };
    let text = read_up_to(path, BYTES_MAX + 1).map_err(|error| failed(error.to_string()))?;
    if text.len() > BYTES_MAX {
        return Err(failed(format!("it is larger than {BYTES_MAX} bytes")));
    }
    if is_encrypted(&text) {
        return Err(failed(
            "it is encrypted; decrypt it (a key with: openssl pkey -in FILE -out DECRYPTED)"
                .to_owned(),
        ));
    }
    Ok(text)
}

/// Whether a file is encrypted. A server has nobody to ask for a password.
fn is_encrypted(text: &[u8]) -> bool {
    let start = text.trim_ascii_start();
    let holds = |part: &&[u8]| memchr::memmem::find(text, part).is_some();
    ENCRYPTED_STARTS.iter().any(|mark| start.starts_with(mark)) || ENCRYPTED_PARTS.iter().any(holds)
}

fn read_up_to(path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let bytes_max = u64::try_from(bytes_max).unwrap_or(u64::MAX);
    File::open(path)?.take(bytes_max).read_to_end(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encrypted_file_is_called_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for text in [
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIF\n-----END ENCRYPTED PRIVATE KEY-----\n",
            "# mine\n-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,0\n",
            "-----BEGIN PGP MESSAGE-----\n",
            "$ANSIBLE_VAULT;1.1;AES256\n6338",
            "\nage-encryption.org/v1\n",
            "Salted__\u{1}",
            "{\"keys\": \"ENC[AES256_GCM,data:x]\"}",
        ] {
            std::fs::write(&path, text).unwrap();
            let error = read(&path).unwrap_err().to_string();
            assert!(error.contains("it is encrypted; decrypt it"), "{text}: {error}");
        }
        std::fs::write(&path, "-----BEGIN PRIVATE KEY-----\nMIIF\n").unwrap();
        assert!(read(&path).is_ok());
    }
}
