//! Nodes over TLS.

use super::questions::OF_ROWS;
use super::{Cluster, SPREAD, ask, ask_alone, error, filled, node, rows};
use crate::support::authority::Authority;

#[test]
fn nodes_and_their_coordinator_speak_tls_and_trust_one_authority() {
    let folder = filled();
    let mut cluster = Cluster::start(folder.path(), 0);
    let (ours, theirs) = (Authority::new(), Authority::new());
    let ca = ours.write(cluster.folder.path());
    let [cert, key] = ours.certify().write(cluster.folder.path());
    let [ca, cert, key] = [&ca, &cert, &key].map(|path| path.to_str().unwrap());
    for _ in 0..2 {
        let tls = ["--tls-cert", cert, "--tls-key", key, "--node-ca", ca];
        cluster.nodes.push(node(folder.path(), &cluster.secret, &tls));
    }
    let urls = cluster.urls();
    assert!(urls.starts_with("https://"), "{urls}");
    for question in [OF_ROWS[2], OF_ROWS[8]] {
        let found = ask(folder.path(), question, &urls, &cluster.secret, &["--node-ca", ca]);
        assert!(found.status == 0 && found.stderr.contains(SPREAD), "{found:?}");
        assert_eq!(rows(&found), rows(&ask_alone(folder.path(), question)));
    }
    let other = cluster.folder.path().join("other.pem");
    std::fs::write(&other, theirs.pem()).unwrap();
    let other = ["--node-ca", other.to_str().unwrap()];
    for more in [&other[..], &[]] {
        let done = ask(folder.path(), "SELECT 1", &urls, &cluster.secret, more);
        assert_eq!(done.status, 1, "{done:?}");
        assert!(error(&done).contains("certificate"), "{done:?}");
    }
    let clear = urls.replace("https://", "http://");
    let done = ask(folder.path(), "SELECT 1", &clear, &cluster.secret, &[]);
    assert_eq!(done.status, 1, "{done:?}");
    assert!(error(&done).contains("node"), "{done:?}");
}
