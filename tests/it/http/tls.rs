//! Tests of TLS: certificates that change, clients with certificates, and slow clients.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use reqwest::tls::Version as TlsVersion;
use reqwest::{Identity, Version};
use tempfile::{TempDir, tempdir};

use crate::support::authority::{Authority, Certified};
use crate::support::client::{self, OwnClient};
use crate::support::poll;
use crate::support::process::{Server, key, program, run, tokenlake};

/// Files are read every other second; a busy machine.
const READ_MAX: Duration = Duration::from_secs(15);

/// A server with TLS, and a key of its archive.
struct Secured {
    folder: TempDir,
    authority: Authority,
    server: Server,
    key: String,
}

impl Secured {
    fn start(more: &[&str]) -> Self {
        let (folder, authority) = (tempdir().unwrap(), Authority::new());
        let paths = authority.certify().write(folder.path());
        let [cert, key_path] = paths.each_ref().map(|path| path.to_str().unwrap());
        let archive = folder.path().join("archive");
        let key = key(&archive, "acme");
        let args = [&["serve", "--tls-cert", cert, "--tls-key", key_path], more].concat();
        let server = Server::start_with(&archive, &args);
        Self { folder, authority, server, key }
    }

    fn client(&self) -> OwnClient {
        OwnClient::trusting(&self.authority.pem(), |builder| builder)
    }

    fn get(&self, client: &OwnClient) -> Result<(u16, Version), reqwest::Error> {
        client.get(&self.server.url("/metrics"), &self.key)
    }

    fn status(&self, client: &OwnClient) -> Option<u16> {
        self.get(client).ok().map(|(status, _)| status)
    }
}

#[test]
fn each_version_of_http_and_tls_is_spoken() {
    let secured = Secured::start(&[]);
    assert!(secured.server.url("").starts_with("https://127.0.0.1:"), "{}", secured.server.url(""));
    let both = secured.client();
    for _ in 0..3 {
        assert_eq!(secured.get(&both).unwrap(), (200, Version::HTTP_2));
    }
    let ca = secured.authority.pem();
    let old = OwnClient::trusting(&ca, |builder| builder.http1_only());
    assert_eq!(secured.get(&old).unwrap(), (200, Version::HTTP_11));
    for version in [TlsVersion::TLS_1_2, TlsVersion::TLS_1_3] {
        let one = OwnClient::trusting(&ca, |builder| {
            builder.min_tls_version(version).max_tls_version(version)
        });
        assert_eq!(secured.status(&one), Some(200), "{version:?}");
    }
    let wrong = client::OwnClient::trusting(&ca, |builder| builder);
    assert_eq!(wrong.get(&secured.server.url("/metrics"), "td_live_no").unwrap().0, 401);
}

#[test]
fn who_does_not_speak_tls_or_trusts_another_gets_nothing_and_harms_nobody() {
    let secured = Secured::start(&[]);
    let plain = secured.server.url("/metrics").replace("https://", "http://");
    let auth = client::bearer(&secured.key);
    assert!(client::try_send("GET", &plain, &[("authorization", &auth)], Vec::new()).is_err());
    let stranger = OwnClient::trusting(&Authority::new().pem(), |builder| builder);
    assert!(secured.get(&stranger).is_err());
    let mut junk = TcpStream::connect(secured.server.address()).unwrap();
    junk.write_all(&[0x16, 3, 1, 255, 255, 1, 2, 3]).unwrap();
    assert_eq!(secured.status(&secured.client()), Some(200));
    let open = Server::start(&secured.folder.path().join("archive"));
    let url = open.url("/metrics").replace("http://", "https://");
    assert!(secured.client().get(&url, &secured.key).is_err());
    assert_eq!(client::get(&open.url("/metrics"), &secured.key).status, 200);
}

#[test]
fn handshakes_that_take_their_time_keep_nobody_out() {
    let secured = Secured::start(&["--max-connections", "20"]);
    let slow: Vec<_> = (0..60)
        .map(|number| {
            let mut stream = TcpStream::connect(secured.server.address()).unwrap();
            // A record that never ends.
            if number % 2 == 0 {
                stream.write_all(&[0x16, 3, 1]).unwrap();
            }
            stream
        })
        .collect();
    let (client, started) = (secured.client(), Instant::now());
    for _ in 0..10 {
        assert_eq!(secured.status(&client), Some(200));
    }
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    // They end by themselves.
    let mut last = slow.into_iter().last().unwrap();
    last.set_read_timeout(Some(READ_MAX)).unwrap();
    assert_eq!(last.read(&mut [0; 64]).unwrap(), 0);
}

#[test]
fn a_certificate_that_changes_is_used_and_a_bad_one_is_not() {
    let secured = Secured::start(&[]);
    let kept = secured.client();
    assert_eq!(secured.status(&kept), Some(200));
    let next = Authority::new();
    let new = next.certify();
    let folder = secured.folder.path();
    std::fs::write(folder.join("tls.crt"), &new.certificate).unwrap();
    poll(READ_MAX, "one that does not fit the key is told", || {
        secured.server.stderr().contains("cannot be used").then_some(())
    });
    assert_eq!(secured.status(&secured.client()), Some(200));
    std::fs::write(folder.join("tls.key"), &new.key).unwrap();
    let follows = || secured.status(&OwnClient::trusting(&next.pem(), |builder| builder));
    poll(READ_MAX, "the new one is used", || (follows() == Some(200)).then_some(()));
    assert!(secured.get(&secured.client()).is_err(), "the old one is used for nobody new");
    assert_eq!(secured.status(&kept), Some(200), "connections stay");
    std::fs::remove_file(folder.join("tls.crt")).unwrap();
    poll(READ_MAX, "a missing one is told", || {
        secured.server.stderr().contains("tls.crt: No such file").then_some(())
    });
    assert_eq!(follows(), Some(200));
    assert!(!secured.server.stderr().contains("PRIVATE"), "a key is in the log");
}

fn identity(certified: &Certified) -> Identity {
    Identity::from_pem(format!("{}{}", certified.certificate, certified.key).as_bytes()).unwrap()
}

#[test]
fn clients_show_a_certificate_where_they_must() {
    let (folder, clients) = (tempdir().unwrap(), Authority::new());
    let ca = clients.write(folder.path());
    let secured = Secured::start(&["--tls-client-ca", ca.to_str().unwrap()]);
    let showing = |certified: &Certified| {
        let identity = identity(certified);
        OwnClient::trusting(&secured.authority.pem(), |builder| builder.identity(identity))
    };
    let names = &["scraper"];
    let good = showing(&clients.certify_for(names, 2020..2099));
    assert_eq!(secured.get(&good).unwrap(), (200, Version::HTTP_2));
    let url = secured.server.url("/metrics");
    assert_eq!(good.get(&url, "td_live_no").unwrap().0, 401, "a certificate is no access key");
    assert!(secured.get(&secured.client()).is_err(), "none");
    let expired = clients.certify_for(names, 2020..2021);
    let other = Authority::new().certify_for(names, 2020..2099);
    for certified in [expired, other, secured.authority.certify()] {
        assert!(secured.get(&showing(&certified)).is_err());
    }
    assert_eq!(secured.status(&good), Some(200));
}

#[test]
fn a_stop_ends_idle_connections_of_http2_at_once() {
    let mut secured = Secured::start(&[]);
    let client = secured.client();
    assert_eq!(secured.get(&client).unwrap(), (200, Version::HTTP_2));
    let started = Instant::now();
    secured.server.terminate();
    assert!(secured.server.wait().success());
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

#[test]
fn half_of_the_settings_and_files_that_are_none_are_refused() {
    let folder = tempdir().unwrap();
    let [cert, key] = Authority::new().certify().write(folder.path());
    let other = folder.path().join("other.key");
    std::fs::write(&other, Authority::new().certify().key).unwrap();
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let [cert, key, other] = [&cert, &key, &other].map(|path| text(path));
    for args in [vec!["--tls-cert", &cert], vec!["--tls-key", &key], vec!["--tls-client-ca", &cert]]
    {
        let done = run(program().arg("serve").args(&args));
        assert_eq!((done.status, done.stderr.lines().count()), (2, 1), "{args:?} {done:?}");
    }
    let nowhere = text(&folder.path().join("nowhere"));
    for [cert, key] in [[&cert, &other], [&key, &key], [&cert, &cert], [&nowhere, &key]] {
        let listen = ["serve", "--listen", "127.0.0.1:0", "--tls-cert", cert, "--tls-key", key];
        let done = tokenlake(&folder.path().join("archive"), &listen);
        assert_eq!((done.status, done.stderr.lines().count()), (1, 1), "{cert} {key} {done:?}");
    }
    assert!(!folder.path().join("archive").exists(), "nothing was opened");
}

#[test]
fn a_file_that_is_encrypted_or_another_is_called_so() {
    let (folder, authority) = (tempdir().unwrap(), Authority::new());
    let [cert, key] = authority.certify().write(folder.path());
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let pkcs8 =
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIF\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let encrypted = write("encrypted.key", pkcs8);
    let old = b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n";
    let old = write("old.key", old);
    let der = write("cert.der", &[0x30, 0x82, 1, 2]);
    let vault = write("vault.key", b"$ANSIBLE_VAULT;1.1;AES256\n");
    for (cert, key, words) in [
        (&cert, &encrypted, "encrypted.key: it is encrypted; decrypt it"),
        (&cert, &old, "old.key: it is encrypted; decrypt it"),
        (&cert, &vault, "vault.key: it is encrypted; decrypt it"),
        (&der, &key, "DER or PKCS #12; convert it"),
        (&key, &key, "but a private key; it is for --tls-key"),
        (&cert, &cert, "but a certificate; it is for --tls-cert"),
    ] {
        let [cert, key] = [cert, key].map(|path| path.to_str().unwrap());
        let listen = ["serve", "--listen", "127.0.0.1:0", "--tls-cert", cert, "--tls-key", key];
        let done = tokenlake(&folder.path().join("archive"), &listen);
        assert_eq!((done.status, done.stderr.lines().count()), (1, 1), "{done:?}");
        assert!(done.stderr.contains(words), "{words}: {done:?}");
    }
}
