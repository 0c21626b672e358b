//! The bucket that all processes share. It never fails, but the links to it do, and another bucket
//! may take its place for a while.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{
    Error, GetOptions, GetResult, ListResult, ObjectMeta, PutOptions, PutPayload, PutResult, Result,
};
use tokenlake::clock::Micros;
use tokio::sync::RwLock;

use super::place::{Place, version_of};
use super::world::{START, World};
use crate::support::store::log_entry;

/// How long a request may be on its way: what was asked for right before the bucket was exchanged
/// may be answered and lead to another request so much later.
const IN_FLIGHT: Duration = Duration::from_secs(15);

/// What lets a bucket be exchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// The next log entry that is put: it comes to the wrong one.
    LogPut,
    /// The next data file that is put.
    DataPut,
}

impl Trigger {
    fn is(self, path: &Path) -> bool {
        let path = path.as_ref();
        let is_log = path.contains("_delta_log/");
        match self {
            Self::LogPut => is_log && path.ends_with(".json"),
            Self::DataPut => !is_log && path.starts_with("events/"),
        }
    }
}

/// What is where the processes look.
#[derive(Debug)]
struct There {
    place: Arc<Place>,
    /// When another one was put in the place of the right one, by the time that ran and the world's.
    wrong_since: Option<(Duration, Micros)>,
    next: Option<(Trigger, Arc<Place>)>,
    /// True if who looks at the entry that is known cannot tell that it is the wrong one.
    is_alike: bool,
    /// When the last such one went, by the world's time.
    alike_until: Option<Micros>,
    /// What was made or deleted in the wrong one by processes that could know.
    meddling: Vec<String>,
}

/// The objects where all processes look.
#[derive(Debug)]
pub struct Bucket {
    world: Arc<World>,
    right: Arc<Place>,
    there: Mutex<There>,
    /// Held while a process opens the archive, and alone while another one is in its place: who
    /// opens an older copy knows no better.
    pub door: RwLock<()>,
}

/// A request that changes something: when it was made, by the time that ran, and until when its
/// process stood still, by the world's.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    pub at: Duration,
    pub halted_until: Micros,
}

impl Bucket {
    pub fn new(world: Arc<World>) -> Arc<Self> {
        let place = Arc::new(Place::new(world.clone()));
        Self::of(world, place)
    }

    /// The bucket of which a place is the right one.
    pub fn of(world: Arc<World>, right: Arc<Place>) -> Arc<Self> {
        let there = There {
            place: right.clone(),
            wrong_since: None,
            next: None,
            is_alike: false,
            alike_until: None,
            meddling: Vec::new(),
        };
        Arc::new(Self { world, right, there: Mutex::new(there), door: RwLock::new(()) })
    }

    /// The right objects, whatever is in their place.
    pub fn right(&self) -> &Arc<Place> {
        &self.right
    }

    /// Puts another place where the processes look, now or when it is triggered.
    pub fn exchange(&self, wrong: Arc<Place>, trigger: Option<Trigger>, is_alike: bool) {
        let mut there = self.there.lock().unwrap();
        there.is_alike = is_alike;
        match trigger {
            Some(trigger) => there.next = Some((trigger, wrong)),
            None => self.exchange_now(&mut there, wrong),
        }
    }

    fn exchange_now(&self, there: &mut There, wrong: Arc<Place>) {
        self.world.tell(|| format!("another bucket is there, alike: {}", there.is_alike));
        there.place = wrong;
        there.next = None;
        there.wrong_since = Some((self.world.ran(), self.world.elapsed()));
    }

    /// True while another one is there.
    pub fn is_exchanged(&self) -> bool {
        self.there.lock().unwrap().wrong_since.is_some()
    }

    /// Exchanges the bucket although nothing triggered it.
    pub fn exchange_at_last(&self) {
        let mut there = self.there.lock().unwrap();
        if let Some((_, wrong)) = there.next.take() {
            self.exchange_now(&mut there, wrong);
        }
    }

    /// Puts the right one back, and makes sure that nothing was done to the wrong one. Of one that
    /// nobody can tell from it, what was put there is brought along: a file may be put there, and
    /// the entry that names it after the right one is back.
    pub async fn put_back(&self) {
        if let Some((wrong, since)) = self.alike() {
            let is_new = |path: &Path, changed| {
                let path = path.as_ref();
                let is_file = path.starts_with("events/event_date=") || path.starts_with("ledger/");
                is_file && changed >= START + since
            };
            self.right.take_in(&wrong, is_new).await;
        }
        self.world.tell(|| "the right bucket is back".to_owned());
        let mut there = self.there.lock().unwrap();
        (there.wrong_since, there.place) = (None, self.right.clone());
        if std::mem::take(&mut there.is_alike) {
            there.alike_until = Some(self.world.elapsed());
        }
        let meddling = std::mem::take(&mut there.meddling);
        assert_eq!(meddling, Vec::<String>::new(), "done to what is not the archive");
    }

    /// The one that is there, and since when, if nobody can tell it from the right one.
    fn alike(&self) -> Option<(Arc<Place>, Micros)> {
        let there = self.there.lock().unwrap();
        let (_, since) = there.wrong_since.filter(|_| there.is_alike)?;
        Some((there.place.clone(), since))
    }

    /// True if the right one was there at some time from `began` until now.
    pub fn was_right_since(&self, began: Micros) -> bool {
        let there = self.there.lock().unwrap();
        there.wrong_since.is_none_or(|(_, since)| began <= since)
    }

    /// True if one that is told from the right one by its newest entries alone was there at some
    /// time since `began`.
    pub fn was_alike_since(&self, began: Micros) -> bool {
        let there = self.there.lock().unwrap();
        there.is_alike || there.alike_until >= Some(began)
    }

    fn there(&self) -> Arc<Place> {
        self.there.lock().unwrap().place.clone()
    }

    /// What is there for a request that changes something.
    fn touched(&self, doing: &str, path: &Path, asked: Asked) -> Arc<Place> {
        let mut there = self.there.lock().unwrap();
        if let Some((trigger, wrong)) = there.next.clone()
            && doing == "put"
            && trigger.is(path)
        {
            self.exchange_now(&mut there, wrong);
        }
        if let Some((ran, since)) = there.wrong_since
            && asked.at > ran + IN_FLIGHT
            && asked.halted_until < since
            && !there.is_alike
        {
            there.meddling.push(format!("{doing} {path}"));
        }
        there.place.clone()
    }

    pub async fn put(
        &self,
        path: &Path,
        payload: PutPayload,
        options: PutOptions,
        asked: Asked,
    ) -> Result<PutResult> {
        let place = self.touched("put", path, asked);
        if self.is_next_of_copy(&place, path, &payload).await {
            let source = "it got lost on its way".into();
            return Err(Error::Generic { store: "simulated", source });
        }
        place.put(path, payload, options).await
    }

    /// True if an entry that the right one has comes late, to an older copy that ends right before
    /// it. A copy that gets it is the archive, to each process that knows nothing after it: neither
    /// an entry nor what is before it tells them apart.
    async fn is_next_of_copy(&self, place: &Arc<Place>, path: &Path, payload: &PutPayload) -> bool {
        let Some(version) = version_of(path).filter(|_| !Arc::ptr_eq(place, &self.right)) else {
            return false;
        };
        let payload = payload.iter().flatten().copied().collect::<Bytes>();
        let is_late = self.right.read(path.as_ref()).await == Some(payload);
        if !is_late || place.read(path.as_ref()).await.is_some() {
            return false;
        }
        let Some(before) = version.checked_sub(1).map(log_entry) else { return true };
        let there = place.read(&before).await;
        there.is_some() && there == self.right.read(&before).await
    }

    pub async fn get(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.there().get(path, options).await
    }

    pub async fn delete(&self, path: &Path, asked: Asked) -> Result<()> {
        self.touched("delete", path, asked).delete(path).await
    }

    pub async fn list(
        &self,
        prefix: Option<&Path>,
        after: Option<&Path>,
    ) -> Result<Vec<ObjectMeta>> {
        self.there().list(prefix, after).await
    }

    pub async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.there().list_with_delimiter(prefix).await
    }
}
