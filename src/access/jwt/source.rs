//! The keys of one origin, read again and again. The last good keys stay while the origin fails.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::sync::{Notify, watch};
use tokio_util::task::AbortOnDropHandle;

use super::fetch::Fetcher;
use super::key::VerifyingKey;
use super::{JwtError, jwks};
use crate::clock::Clock;
use crate::small_file;
use crate::telemetry::Telemetry;

/// How long a request waits for a read of the keys.
const WAIT: Duration = Duration::from_secs(3);
/// How soon a failed first read is retried, if the usual interval is longer.
const RETRY: Duration = Duration::from_secs(15);

/// Where keys come from.
#[derive(Debug)]
pub(super) enum KeyOrigin {
    /// A file that holds a secret.
    Secret(PathBuf),
    /// A file that holds a set of keys.
    Jwks(PathBuf),
    /// A set of keys behind a URL.
    Url(Fetcher),
}

type Keys = Arc<Vec<VerifyingKey>>;

/// The hash of a text. It is compared so that the secret is not kept a second time.
type Digest = [u8; 32];

/// The result of the reads so far.
#[derive(Debug, Default)]
struct LastRead {
    /// `None` until a read has succeeded.
    keys: Option<Keys>,
    /// The hash of the text with these keys.
    digest: Digest,
    /// How many reads have ended.
    reads: u64,
    /// When the last read ended, by the clock that includes sleep.
    at: Duration,
}

#[derive(Debug)]
struct Shared {
    origin: KeyOrigin,
    interval: Duration,
    spacing: Duration,
    clock: Arc<dyn Clock>,
    telemetry: Telemetry,
    state: watch::Sender<LastRead>,
    wanted: Notify,
}

/// Keys that a task keeps fresh.
#[derive(Debug)]
pub(super) struct KeySource {
    shared: Arc<Shared>,
    _task: AbortOnDropHandle<()>,
}

impl KeySource {
    /// Reads the keys, and reads them again at each `interval`. A JWT with an unknown key causes an
    /// earlier read, but not within `spacing` of the last one.
    ///
    /// # Errors
    /// A file that is invalid or cannot be read. An unreachable URL is not an error.
    pub(super) async fn open(
        origin: KeyOrigin,
        interval: Duration,
        spacing: Duration,
        clock: Arc<dyn Clock>,
        telemetry: Telemetry,
    ) -> Result<Self, JwtError> {
        let (state, wanted) = (watch::Sender::new(LastRead::default()), Notify::new());
        let shared = Shared { origin, interval, spacing, clock, telemetry, state, wanted };
        let failure = match (&shared.origin, shared.read().await) {
            (KeyOrigin::Jwks(path), Ok(_)) if shared.is_empty() => {
                return Err(in_file(path, JwtError::NoUsableKey));
            }
            (KeyOrigin::Url(_), Err(error)) => Some(error),
            (_, first) => first.map(|_| None)?,
        };
        let shared = Arc::new(shared);
        let task = tokio::spawn(keep(shared.clone(), failure));
        Ok(Self { shared, _task: AbortOnDropHandle::new(task) })
    }

    /// The keys, if a read has succeeded.
    pub(super) fn keys(&self) -> Option<Keys> {
        self.shared.state.borrow().keys.clone()
    }

    /// Whether the keys are for HS256.
    pub(super) fn is_of_secret(&self) -> bool {
        matches!(self.shared.origin, KeyOrigin::Secret(_))
    }

    /// Has the keys read again, unless they were read just now, and waits for the read. False if no
    /// keys are known afterwards.
    pub(super) async fn read_soon(&self) -> bool {
        let mut state = self.shared.state.subscribe();
        let reads = state.borrow().reads;
        if self.shared.may_read() {
            self.shared.wanted.notify_one();
            // The read goes on if it takes longer, or if the client disconnects.
            let read = state.wait_for(|state| state.reads > reads);
            let _ = tokio::time::timeout(WAIT, read).await;
        }
        self.keys().is_some()
    }
}

/// Reads again and again; `failure` is the error of the last read.
async fn keep(shared: Arc<Shared>, mut failure: Option<JwtError>) {
    tell(None, failure.as_ref());
    loop {
        let known = shared.state.borrow().keys.is_some();
        let pause = if known { shared.interval } else { shared.interval.min(RETRY) };
        let wanted = async {
            loop {
                shared.wanted.notified().await;
                // The request may have come while the last read was running.
                if shared.may_read() {
                    return;
                }
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = wanted => {}
        }
        let read = shared.read().await;
        if read == Ok(true) && shared.is_empty() {
            tracing::warn!("the JWKS has no usable key any more; its JWTs are refused");
        }
        let before = failure;
        failure = read.err();
        tell(before.as_ref(), failure.as_ref());
    }
}

/// Files are read every other second, so a failure that stays the same is logged only once.
fn tell(before: Option<&JwtError>, failure: Option<&JwtError>) {
    if let Some(error) = failure.filter(|error| before != Some(error)) {
        tracing::warn!(%error, "the keys of JWTs cannot be read; the known ones stay in use");
    }
}

impl Shared {
    fn may_read(&self) -> bool {
        let at = self.state.borrow().at;
        self.clock.elapsed().saturating_sub(at) >= self.spacing
    }

    fn is_empty(&self) -> bool {
        self.state.borrow().keys.as_ref().is_none_or(|keys| keys.is_empty())
    }

    /// Reads the keys once; true if they have changed.
    async fn read(&self) -> Result<bool, JwtError> {
        let (changed, read) = match self.load().await {
            Ok(changed) => (changed, Ok(())),
            Err(error) => (None, Err(error)),
        };
        let is_changed = changed.is_some();
        if is_changed {
            self.telemetry.access.jwt_key_changes.inc();
        }
        if read.is_err() {
            self.telemetry.access.jwt_key_failures.inc();
        }
        self.state.send_modify(|state| {
            state.reads += 1;
            state.at = self.clock.elapsed();
            if let Some((digest, keys)) = changed {
                (state.digest, state.keys) = (digest, Some(Arc::new(keys)));
            }
        });
        read.map(|()| is_changed)
    }

    /// The current keys, if they differ from the known ones.
    async fn load(&self) -> Result<Option<(Digest, Vec<VerifyingKey>)>, JwtError> {
        let text = match &self.origin {
            KeyOrigin::Secret(path) | KeyOrigin::Jwks(path) => small_file::read(path)?,
            KeyOrigin::Url(fetcher) => fetcher.fetch().await?,
        };
        let digest = Sha256::digest(&text).into();
        if self.is_known(digest) {
            return Ok(None);
        }
        let keys = match &self.origin {
            KeyOrigin::Secret(path) => {
                VerifyingKey::of_secret(&text).map(|key| vec![key]).map_err(|e| in_file(path, e))
            }
            KeyOrigin::Jwks(path) => jwks::parse(&text).map_err(|error| in_file(path, error)),
            KeyOrigin::Url(fetcher) => jwks::parse(&text).map_err(|error| fetcher.failed(&error)),
        };
        Ok(Some((digest, keys?)))
    }

    fn is_known(&self, digest: Digest) -> bool {
        let state = self.state.borrow();
        state.keys.is_some() && state.digest == digest
    }
}

fn in_file(path: &Path, error: JwtError) -> JwtError {
    JwtError::In { path: path.to_owned(), error: error.into() }
}
