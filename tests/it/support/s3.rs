//! A real S3 server over HTTP that checks signatures: SeaweedFS.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use super::process::{installed, set_environment};
use super::{client, poll};

const START_MAX: Duration = Duration::from_secs(90);
const BUCKET: &str = "lake";
const ACCESS_KEY: &str = "lake-key";
const SECRET_KEY: &str = "lake-secret";
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

/// Halts the server, as a network that is away does, or lets it go on.
pub fn halt(halted: bool) {
    let signal = if halted { "-STOP" } else { "-CONT" };
    let parent = SERVER.shell.id().to_string();
    assert!(
        Command::new("pkill").args([signal, "-P", &parent, "weed"]).status().unwrap().success()
    );
}

impl S3 {
    fn start() -> Self {
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
                "weed server -dir=. -ip=127.0.0.1 -ip.bind=127.0.0.1 -filer -s3 \
                 -s3.config=s3.json -s3.port={s3} -s3.port.iceberg={iceberg} \
                 -master.port={master} -volume.port={volume} -filer.port={filer} \
                 -master.volumeSizeLimitMB=64 >log 2>&1 & pid=$!; cat >/dev/null; \
                 kill -CONT $pid; kill -9 $pid"
            ))
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let input = shell.stdin.take().unwrap();
        set_environment(vec![
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{s3}")),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
        ]);
        make_bucket(folder.path(), filer, s3);
        Self { shell, _input: input, _folder: folder, port: s3 }
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

/// A folder of the filer is a bucket.
fn make_bucket(folder: &Path, filer: u16, s3: u16) {
    let url = format!("http://127.0.0.1:{filer}/buckets/{BUCKET}/");
    let log = || std::fs::read_to_string(folder.join("log")).unwrap_or_default();
    poll(START_MAX, "the S3 server starts", || {
        let made = client::try_send("POST", &url, &[], Vec::new());
        assert!(!log().contains("address already in use"), "{}", log());
        made.is_ok_and(|answer| answer.status == 201).then_some(())
    });
    let listed = format!("http://127.0.0.1:{s3}/{BUCKET}");
    poll(START_MAX, "the S3 server answers", || {
        let answer = client::try_send("GET", &listed, &[], Vec::new());
        answer.is_ok_and(|answer| answer.status == 403).then_some(())
    });
}
