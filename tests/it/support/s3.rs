//! A real S3 server over HTTP that checks signatures: SeaweedFS.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use object_store::ObjectStore;
use object_store::aws::{AmazonS3Builder, S3ConditionalPut};
use object_store::prefix::PrefixStore;
use tempfile::TempDir;

use super::process::{self, Environment, installed, set_environment};
use super::proxy::Proxy;
use super::{client, poll};

const START_MAX: Duration = Duration::from_secs(90);
const STARTS_MAX: usize = 5;
const BUCKET: &str = "lake";
const ACCESS_KEY: &str = "lake-key";
const SECRET_KEY: &str = "lake-secret";
const REGION: &str = "us-east-1";
/// What its own gRPC ports are above the others, when it chooses them.
const GRPC: u16 = 10_000;

static SERVER: LazyLock<S3> = LazyLock::new(S3::start);
static ARCHIVES: AtomicU32 = AtomicU32::new(0);

/// The server of this test process. It ends when its standard input does: with the process.
#[derive(Debug)]
pub struct S3 {
    shell: Child,
    _input: ChildStdin,
    _folder: TempDir,
    port: u16,
}

/// The address of an archive of its own, where the server is to be had.
pub fn archive() -> Option<PathBuf> {
    installed("weed").then(|| {
        let port = SERVER.port;
        assert!(port > 0);
        let number = ARCHIVES.fetch_add(1, Ordering::SeqCst);
        PathBuf::from(format!("s3://{BUCKET}/archive-{number}"))
    })
}

/// A proxy in front of the server, and the settings of a program that goes through it.
pub fn proxy(seed: u64) -> (Proxy, Environment) {
    let proxy = Proxy::start(SERVER.port, seed);
    let environment = vec![("AWS_ENDPOINT_URL", proxy.url())];
    (proxy, environment)
}

/// The store of an archive, as this process sees it.
pub fn store(archive: &Path) -> Arc<dyn ObjectStore> {
    let prefix = archive.to_str().unwrap().strip_prefix("s3://lake/").unwrap();
    let bucket = AmazonS3Builder::new()
        .with_endpoint(format!("http://127.0.0.1:{}", SERVER.port))
        .with_allow_http(true)
        .with_region(REGION)
        .with_bucket_name(BUCKET)
        .with_access_key_id(ACCESS_KEY)
        .with_secret_access_key(SECRET_KEY)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .build()
        .unwrap();
    Arc::new(PrefixStore::new(bucket, prefix))
}

/// Halts the server, as a network that is away does, or lets it go on.
pub fn halt(halted: bool) {
    let parent = SERVER.shell.id().to_string();
    let found = Command::new("pgrep").args(["-P", &parent, "weed"]).output().unwrap();
    let pid = String::from_utf8(found.stdout).unwrap();
    process::halt(pid.trim().parse().unwrap(), halted);
}

impl S3 {
    fn start() -> Self {
        // Whoever else takes one of its ports in between ends it.
        (0..STARTS_MAX).find_map(|_| Self::try_start()).expect("the S3 server starts")
    }

    fn try_start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let identities = serde_json::json!({"identities": [{
            "name": "lake",
            "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }]});
        std::fs::write(folder.path().join("s3.json"), identities.to_string()).unwrap();
        let [s3, iceberg, master, volume, filer] = [(); 5].map(|()| free_port());
        let mut shell = Command::new("sh")
            .arg("-c")
            .arg(format!(
                "exec 3<&0; weed server -dir=. -ip=127.0.0.1 -ip.bind=127.0.0.1 -filer -s3 \
                 -s3.config=s3.json -s3.port={s3} -s3.port.iceberg={iceberg} \
                 -master.port={master} -volume.port={volume} -filer.port={filer} \
                 -master.volumeSizeLimitMB=64 >log 2>&1 & pid=$!; \
                 (cat <&3 >/dev/null; kill -CONT $pid; kill -9 $pid) & wait $pid"
            ))
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let input = shell.stdin.take().unwrap();
        if !is_ready(&mut shell, filer, s3) {
            return None;
        }
        set_environment(vec![
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{s3}")),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
        ]);
        Some(Self { shell, _input: input, _folder: folder, port: s3 })
    }
}

/// A port that is free, as is the one that its gRPC side takes.
fn free_port() -> u16 {
    loop {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let above = port.checked_add(GRPC);
        if above.is_some_and(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return port;
        }
    }
}

/// Makes the bucket, which is a folder of the filer, and waits until the server refuses whoever has
/// no signature. False if it ends.
fn is_ready(shell: &mut Child, filer: u16, s3: u16) -> bool {
    let folder = format!("http://127.0.0.1:{filer}/buckets/{BUCKET}/");
    let bucket = format!("http://127.0.0.1:{s3}/{BUCKET}");
    let mut made = false;
    poll(START_MAX, "the S3 server starts", || {
        if shell.try_wait().unwrap().is_some() {
            return Some(false);
        }
        let asked = |method, url: &str| client::try_send(method, url, &[], Vec::new());
        made |= asked("POST", &folder).is_ok_and(|answer| answer.status == 201);
        let refused = asked("GET", &bucket).is_ok_and(|answer| answer.status == 403);
        (made && refused).then_some(true)
    })
}
