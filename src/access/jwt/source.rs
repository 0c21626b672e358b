//! Keys of one origin, read again and again; what was last good stays while the origin is away.

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

/// How long a request waits for keys that are being read.
const WAIT: Duration = Duration::from_secs(3);
/// After this long what failed is tried again, if not sooner.
const RETRY: Duration = Duration::from_secs(15);

/// Where keys come from.
#[derive(Debug)]
pub(super) enum Origin {
    /// A file that holds a secret.
    Secret(PathBuf),
    /// A file that holds a set of keys.
    Jwks(PathBuf),
    /// A set of keys behind a URL.
    Url(Fetcher),
}

type Keys = Arc<Vec<VerifyingKey>>;

/// What stands for a text, so that a secret is not kept twice.
type Digest = [u8; 32];

/// What the last read has left.
#[derive(Debug, Default)]
struct State {
    /// `None` while there was no good one.
    keys: Option<Keys>,
    /// Of the text that they were read from.
    digest: Digest,
    /// How many reads there were.
    reads: u64,
    /// When the last one ended, by the clock that counts sleep.
    at: Duration,
}

#[derive(Debug)]
struct Shared {
    origin: Origin,
    interval: Duration,
    spacing: Duration,
    clock: Arc<dyn Clock>,
    telemetry: Telemetry,
    state: watch::Sender<State>,
    wanted: Notify,
}

/// Keys that a task keeps fresh.
#[derive(Debug)]
pub(super) struct KeySource {
    shared: Arc<Shared>,
    _task: AbortOnDropHandle<()>,
}

impl KeySource {
    /// Reads the keys, and then each `interval`; sooner where a JWT has an unknown key, but not
    /// within `spacing` of the last read.
    ///
    /// # Errors
    /// What is wrong with a file. A URL may be away.
    pub(super) async fn open(
        origin: Origin,
        interval: Duration,
        spacing: Duration,
        clock: Arc<dyn Clock>,
        telemetry: Telemetry,
    ) -> Result<Self, JwtError> {
        let (state, wanted) = (watch::Sender::new(State::default()), Notify::new());
        let shared = Shared { origin, interval, spacing, clock, telemetry, state, wanted };
        let failure = match (&shared.origin, shared.read().await) {
            (Origin::Jwks(path), Ok(_)) if shared.is_empty() => {
                return Err(in_file(path, JwtError::NoUsableKey));
            }
            (Origin::Url(_), Err(error)) => Some(error),
            (_, first) => first.map(|_| None)?,
        };
        let shared = Arc::new(shared);
        let task = tokio::spawn(keep(shared.clone(), failure));
        Ok(Self { shared, _task: AbortOnDropHandle::new(task) })
    }

    /// The keys, if they are known.
    pub(super) fn keys(&self) -> Option<Keys> {
        self.shared.state.borrow().keys.clone()
    }

    /// Whether the keys are of HS256.
    pub(super) fn is_of_secret(&self) -> bool {
        matches!(self.shared.origin, Origin::Secret(_))
    }

    /// Has the keys read again, unless they just were, and waits for that. False while none are
    /// known.
    pub(super) async fn read_soon(&self) -> bool {
        let mut state = self.shared.state.subscribe();
        let reads = state.borrow().reads;
        if self.shared.may_read() {
            self.shared.wanted.notify_one();
            // The read goes on if it takes longer, or if the client leaves.
            let read = state.wait_for(|state| state.reads > reads);
            let _ = tokio::time::timeout(WAIT, read).await;
        }
        self.keys().is_some()
    }
}

/// Reads again and again; `failure` is what the last read failed of.
async fn keep(shared: Arc<Shared>, mut failure: Option<JwtError>) {
    tell(None, failure.as_ref());
    loop {
        let known = shared.state.borrow().keys.is_some();
        let pause = if known { shared.interval } else { shared.interval.min(RETRY) };
        let wanted = async {
            loop {
                shared.wanted.notified().await;
                // It may have been asked for while the last read was under way.
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
            tracing::warn!("there is no usable key in the JWKS any more: no JWT of it is taken");
        }
        let before = failure;
        failure = read.err();
        tell(before.as_ref(), failure.as_ref());
    }
}

/// Files are read every other second: what stays as it is, is told once.
fn tell(before: Option<&JwtError>, failure: Option<&JwtError>) {
    if let Some(error) = failure.filter(|error| before != Some(error)) {
        tracing::warn!(%error, "the keys of JWTs cannot be read; those known stay in use");
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

    /// Reads the keys once; true if they are others than before.
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

    /// What is there now, if it is not what is known.
    async fn load(&self) -> Result<Option<(Digest, Vec<VerifyingKey>)>, JwtError> {
        let text = match &self.origin {
            Origin::Secret(path) | Origin::Jwks(path) => small_file::read(path)?,
            Origin::Url(fetcher) => fetcher.fetch().await?,
        };
        let digest = Sha256::digest(&text).into();
        if self.is_known(digest) {
            return Ok(None);
        }
        let keys = match &self.origin {
            Origin::Secret(path) => {
                VerifyingKey::of_secret(&text).map(|key| vec![key]).map_err(|e| in_file(path, e))
            }
            Origin::Jwks(path) => jwks::parse(&text).map_err(|error| in_file(path, error)),
            Origin::Url(fetcher) => jwks::parse(&text).map_err(|error| fetcher.failed(&error)),
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
