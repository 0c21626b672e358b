//! Tests of JWTs in addition to access keys, on every endpoint.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use crate::support::authority::Authority;
use crate::support::client::{self, Answer};
use crate::support::events;
use crate::support::issuer::{KeyServer, Reply, Signer, jwks};
use crate::support::poll;
use crate::support::process::{Server, key, program, run, tokenlake};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const ISSUER: [&str; 4] = ["--jwt-issuer", "https://issuer.test/", "--jwt-audience", "tokenlake"];
/// Files are read every other second; a busy machine.
const READ_MAX: Duration = Duration::from_secs(15);

/// Claims that are taken, with `more` over them.
#[allow(clippy::disallowed_methods, reason = "the program under test goes by the machine's clock")]
fn claims(more: &Value) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let mut claims = json!({
        "org_id": "acme", "exp": now + 3_600, "iss": "https://issuer.test/",
        "aud": ["others", "tokenlake"], "scope": "openid metrics:read events:write sql:read",
    });
    for (name, value) in more.as_object().unwrap() {
        claims[name] = match value.as_str().and_then(|text| text.strip_prefix("now")) {
            Some(offset) => json!(now as i64 + offset.parse::<i64>().unwrap()),
            None => value.clone(),
        };
    }
    claims
}

fn start(archive: &Path, args: &[&str]) -> Server {
    Server::start_with(archive, &[&["serve"], args].concat())
}

/// A server that takes JWTs of HS256.
fn start_with_secret(folder: &TempDir, more: &[&str]) -> (Server, PathBuf) {
    let path = folder.path().join("secret");
    std::fs::write(&path, format!("{SECRET}\n")).unwrap();
    let args = [&["--jwt-secret-file", path.to_str().unwrap()], more].concat();
    (start(&folder.path().join("archive"), &args), path)
}

fn scrape(server: &Server, jwt: &str) -> Answer {
    client::get(&server.url("/metrics"), jwt)
}

fn status(server: &Server, jwt: &str) -> u16 {
    scrape(server, jwt).status
}

#[test]
fn a_jwt_is_taken_on_every_endpoint_as_far_as_its_scope_goes() {
    let folder = tempdir().unwrap();
    let (server, _) = start_with_secret(&folder, &[]);
    let signer = Signer::hs256(SECRET.as_bytes());
    let ask = |scope: &Value| {
        let jwt = signer.sign(&claims(&json!({ "scope": scope })));
        let events =
            client::post(&server.url("/v1/events"), &jwt, "application/json", events::event("a"));
        let sql = "SELECT count(*) AS n FROM events";
        let sql = client::post(&server.url("/v1/sql"), &jwt, "text/plain", sql);
        [scrape(&server, &jwt), events, sql].map(|answer| answer.status)
    };
    assert_eq!(ask(&json!("metrics:read events:write sql:read")), [200, 200, 200]);
    assert_eq!(ask(&json!("metrics:read")), [200, 403, 403]);
    assert_eq!(ask(&json!("events:write")), [403, 200, 403]);
    assert_eq!(ask(&json!("sql:read")), [403, 403, 200]);
    assert_eq!(ask(&json!("")), [403, 403, 403]);
    assert_eq!(ask(&json!("openid email")), [403, 403, 403]);
    let mut without = claims(&json!({}));
    without.as_object_mut().unwrap().remove("scope");
    let jwt = signer.sign(&without);
    assert_eq!(status(&server, &jwt), 200);
    let refused = client::post(&server.url("/v1/events"), &jwt, "application/json", "[]");
    assert_eq!(refused.status, 403);
    assert!(scrape(&server, &jwt).text().contains(r#"org_id="acme"} 1"#));
    let other = signer.sign(&claims(&json!({"org_id": "globex"})));
    assert!(!scrape(&server, &other).text().contains("acme"));
    let key = key(&folder.path().join("archive"), "acme");
    assert_eq!(status(&server, &key), 200, "access keys are taken too");
}

#[test]
fn what_is_not_valid_is_the_same_401_everywhere() {
    let folder = tempdir().unwrap();
    let (server, _) = start_with_secret(&folder, &ISSUER);
    let signer = Signer::hs256(SECRET.as_bytes());
    let good = signer.sign(&claims(&json!({})));
    let with = |more: Value| signer.sign(&claims(&more));
    let (message, signature) = good.rsplit_once('.').unwrap();
    let none = signer.sign_as(&json!({"alg": "none", "typ": "JWT"}), &claims(&json!({})));
    let (unsigned, _) = none.rsplit_once('.').unwrap();
    let mut other_claims = signer.sign(&claims(&json!({"org_id": "globex"})));
    other_claims.truncate(other_claims.rfind('.').unwrap());
    let answer = client::send("GET", &server.url("/metrics"), &[], "");
    for (what, jwt) in [
        ("none", format!("{unsigned}.")),
        ("none with two parts", unsigned.to_owned()),
        ("none with a signature", none.clone()),
        ("no signature", format!("{message}.")),
        ("another's claims", format!("{other_claims}.{signature}")),
        ("another key", Signer::hs256(&[b'x'; 32]).sign(&claims(&json!({})))),
        ("an RSA key", Signer::rs256("a").sign(&claims(&json!({})))),
        ("expired", with(json!({"exp": "now-61"}))),
        ("not yet valid", with(json!({"nbf": "now+90"}))),
        ("nbf of a wrong type", with(json!({"nbf": "1"}))),
        ("no organisation", with(json!({"org_id": null}))),
        ("no organisation's name", with(json!({"org_id": "a/b"}))),
        ("no end", with(json!({"exp": null}))),
        ("another issuer", with(json!({"iss": "https://issuer.test"}))),
        ("another audience", with(json!({"aud": "others"}))),
        (
            "an extension",
            signer.sign_as(&json!({"alg": "HS256", "crit": ["exp"]}), &claims(&json!({}))),
        ),
        ("long", with(json!({"pad": "x".repeat(20_000)}))),
        ("cut", good[..good.len() - 1].to_owned()),
        ("more", format!("{good}=")),
        ("five parts", format!("{good}.a.b")),
        ("junk", "eyJ".to_owned()),
    ] {
        for (method, path) in [("GET", "/metrics"), ("POST", "/v1/events"), ("POST", "/v1/sql")] {
            let auth = client::bearer(&jwt);
            let refused = client::send(method, &server.url(path), &[("authorization", &auth)], "");
            assert_eq!(refused.status, 401, "{what}");
            assert_eq!(refused.header("www-authenticate"), Some("Bearer"), "{what}");
            assert_eq!(refused.body, answer.body, "{what}");
        }
    }
    for more in
        [json!({}), json!({"exp": "now-50"}), json!({"nbf": "now+50"}), json!({"aud": "tokenlake"})]
    {
        assert_eq!(status(&server, &with(more.clone())), 200, "{more}");
    }
    let own = json!({"alg": "HS256", "jku": "https://127.0.0.1:1/", "jwk": {"kty": "oct"}});
    assert_eq!(status(&server, &signer.sign_as(&own, &claims(&json!({})))), 200);
}

#[test]
fn a_server_without_keys_for_them_takes_no_jwt() {
    let folder = tempdir().unwrap();
    let server = start(folder.path(), &[]);
    let jwt = Signer::hs256(SECRET.as_bytes()).sign(&claims(&json!({})));
    assert_eq!(status(&server, &jwt), 401);
}

#[test]
fn a_secret_that_changes_is_read_again_and_a_bad_one_is_not_taken() {
    let folder = tempdir().unwrap();
    let (server, path) = start_with_secret(&folder, &[]);
    let [old, new] = [SECRET, "fedcba9876543210fedcba9876543210"]
        .map(|secret| Signer::hs256(secret.as_bytes()).sign(&claims(&json!({}))));
    assert_eq!((status(&server, &old), status(&server, &new)), (200, 401));
    std::fs::write(&path, "short\n").unwrap();
    poll(READ_MAX, "it says so", || {
        server.stderr().contains("the secret has 5 bytes").then_some(())
    });
    assert_eq!(status(&server, &old), 200);
    std::fs::write(&path, "fedcba9876543210fedcba9876543210").unwrap();
    poll(READ_MAX, "the new one is taken", || (status(&server, &new) == 200).then_some(()));
    assert_eq!(status(&server, &old), 401);
    assert!(!server.stderr().contains("fedcba98"), "a secret is in the log");
}

#[test]
fn keys_of_a_file_are_of_one_algorithm_each_and_follow_the_file() {
    let folder = tempdir().unwrap();
    let signers = [Signer::rs256("r"), Signer::es256("e"), Signer::eddsa("d")];
    let path = folder.path().join("jwks.json");
    let published: Vec<_> = signers.iter().collect();
    std::fs::write(&path, jwks(&published)).unwrap();
    let args = [&["--jwt-jwks", path.to_str().unwrap()], &ISSUER[..]].concat();
    let server = start(&folder.path().join("archive"), &args);
    for signer in &signers {
        assert_eq!(status(&server, &signer.sign(&claims(&json!({})))), 200);
        assert_eq!(status(&server, &signer.sign(&claims(&json!({"iss": "x"})))), 401);
        assert_eq!(status(&server, &signer.sign(&claims(&json!({"aud": "x"})))), 401);
        let nameless = json!({"alg": "RS256"});
        let taken = if std::ptr::eq(signer, &signers[0]) { 200 } else { 401 };
        assert_eq!(status(&server, &signer.sign_as(&nameless, &claims(&json!({})))), taken);
        // The public key as a secret.
        let jwk = signer.jwk();
        for field in ["n", "x"].into_iter().filter_map(|name| jwk[name].as_str()) {
            let header = json!({"alg": "HS256", "kid": jwk["kid"]});
            let jwt = Signer::hs256(field.as_bytes()).sign_as(&header, &claims(&json!({})));
            assert_eq!(status(&server, &jwt), 401);
        }
    }
    let new = Signer::es256("n");
    std::fs::write(&path, jwks(&[&new])).unwrap();
    let jwt = new.sign(&claims(&json!({})));
    poll(READ_MAX, "the new key is taken", || (status(&server, &jwt) == 200).then_some(()));
    assert_eq!(status(&server, &signers[0].sign(&claims(&json!({})))), 401);
}

/// A server whose keys are at a URL.
fn start_with_url(folder: &TempDir, authority: &Authority, url: &str, more: &[&str]) -> Server {
    let ca = authority.write(folder.path());
    let args = [&["--jwt-jwks", url, "--jwt-jwks-ca", ca.to_str().unwrap()], &ISSUER[..], more];
    start(&folder.path().join("archive"), &args.concat())
}

#[test]
fn keys_of_a_url_are_rotated_while_unknown_ones_cannot_make_it_ask_often() {
    let (folder, authority) = (tempdir().unwrap(), Authority::new());
    let [old, new] = [Signer::rs256("old"), Signer::eddsa("new")];
    let issuer = KeyServer::start(&authority.certify(), Reply::Keys(jwks(&[&old])));
    let server = start_with_url(&folder, &authority, &issuer.url(), &["--jwt-jwks-refresh", "1s"]);
    let [of_old, of_new] = [&old, &new].map(|signer| signer.sign(&claims(&json!({}))));
    assert_eq!((status(&server, &of_old), status(&server, &of_new)), (200, 401));
    issuer.set(Reply::Keys(jwks(&[&old, &new])));
    poll(READ_MAX, "the new key is taken", || (status(&server, &of_new) == 200).then_some(()));
    assert_eq!(status(&server, &of_old), 200, "both are taken for a while");
    issuer.set(Reply::Keys(jwks(&[&new])));
    poll(READ_MAX, "the old key is not", || (status(&server, &of_old) == 401).then_some(()));
    for away in [
        Reply::Status("500 Internal Server Error", "X: y"),
        Reply::Status("302 Found", "Location: http://127.0.0.1:1/keys"),
        Reply::Keys("<html>".to_owned()),
        Reply::Endless,
    ] {
        let before = issuer.requests();
        issuer.set(away);
        poll(READ_MAX, "it asks again", || (issuer.requests() >= before + 2).then_some(()));
        assert_eq!(status(&server, &of_new), 200, "the last good keys stay");
    }
    for said in
        ["500 Internal Server Error", "302 Found; give the URL", "is not a JWKS", "larger than"]
    {
        poll(READ_MAX, said, || server.stderr().contains(said).then_some(()));
    }
}

#[test]
fn an_unknown_key_has_the_url_asked_once_and_not_for_each_request() {
    let (folder, authority) = (tempdir().unwrap(), Authority::new());
    let [old, new] = [Signer::es256("old"), Signer::es256("new")];
    let issuer = KeyServer::start(&authority.certify(), Reply::Keys(jwks(&[&old])));
    let server = start_with_url(&folder, &authority, &issuer.url(), &[]);
    let strangers: Vec<_> = (0..50).map(|number| Signer::es256(&format!("x{number}"))).collect();
    let send = || {
        let started = Instant::now();
        for stranger in &strangers {
            assert_eq!(status(&server, &stranger.sign(&claims(&json!({})))), 401);
        }
        started.elapsed()
    };
    let before = issuer.requests();
    let elapsed = send();
    let (asked, most) = (issuer.requests() - before, elapsed.as_secs() / 10 + 1);
    assert!(asked <= most, "{asked} requests to the issuer in {elapsed:?}");
    issuer.set(Reply::Keys(jwks(&[&old, &new])));
    let jwt = new.sign(&claims(&json!({})));
    poll(READ_MAX, "the new key is asked for", || (status(&server, &jwt) == 200).then_some(()));
    assert!(issuer.requests() - before <= most + 2);
    issuer.set(Reply::Silence);
    let started = Instant::now();
    assert_eq!(status(&server, &jwt), 200);
    assert!(started.elapsed() < Duration::from_secs(2), "a known key does not wait");
}

#[test]
fn a_url_that_is_away_at_the_start_is_503_until_it_answers() {
    let (folder, authority) = (tempdir().unwrap(), Authority::new());
    let signer = Signer::es256("a");
    let away = Reply::Status("503 Service Unavailable", "Retry-After: 1");
    let issuer = KeyServer::start(&authority.certify(), away);
    let server = start_with_url(&folder, &authority, &issuer.url(), &["--jwt-jwks-refresh", "1s"]);
    let jwt = signer.sign(&claims(&json!({})));
    let answer = scrape(&server, &jwt);
    assert_eq!(
        (answer.status, answer.header("retry-after")),
        (503, Some("1")),
        "{}",
        answer.text()
    );
    let key = key(&folder.path().join("archive"), "acme");
    assert_eq!(status(&server, &key), 200, "access keys do not need it");
    issuer.set(Reply::Keys(jwks(&[&signer])));
    poll(READ_MAX, "the key is taken", || (status(&server, &jwt) == 200).then_some(()));
    // Somebody whom nobody trusts.
    let stranger = KeyServer::start(&Authority::new().certify(), Reply::Keys(jwks(&[&signer])));
    let server = start_with_url(&folder, &authority, &stranger.url(), &[]);
    assert_eq!((status(&server, &jwt), stranger.requests()), (503, 0));
    poll(READ_MAX, "it says why", || {
        server.stderr().contains("invalid peer certificate").then_some(())
    });
}

#[test]
fn the_system_s_own_authorities_are_trusted_where_no_other_is_named() {
    let (folder, authority) = (tempdir().unwrap(), Authority::new());
    let signer = Signer::es256("a");
    let issuer = KeyServer::start(&authority.certify(), Reply::Keys(jwks(&[&signer])));
    let mut command = program();
    command
        .env("SSL_CERT_FILE", authority.write(folder.path()))
        .env("TOKENLAKE_JWT_JWKS", issuer.url())
        .env("TOKENLAKE_JWT_ISSUER", ISSUER[1])
        .env("TOKENLAKE_JWT_AUDIENCE", ISSUER[3])
        .arg("--archive")
        .arg(folder.path().join("archive"))
        .args(["serve", "--listen", "127.0.0.1:0"]);
    let server = Server::start_command(command);
    assert_eq!(status(&server, &signer.sign(&claims(&json!({})))), 200);
}

#[test]
fn settings_that_would_let_anybody_in_are_refused() {
    let folder = tempdir().unwrap();
    let path = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let [issuer, audience] = [&ISSUER[..2], &ISSUER[2..]];
    let jwks_file = path("jwks", &jwks(&[&Signer::es256("a")]));
    for args in [
        [&["--jwt-jwks", &jwks_file][..]].concat(),
        [&["--jwt-jwks", &jwks_file], issuer].concat(),
        [&["--jwt-jwks", &jwks_file], audience].concat(),
        [&["--jwt-jwks", "http://127.0.0.1/keys"], &ISSUER[..]].concat(),
        [&["--jwt-jwks", &jwks_file, "--jwt-issuer", ""], audience].concat(),
        [&["--jwt-jwks", &jwks_file, "--jwt-jwks-refresh", "0s"], &ISSUER[..]].concat(),
        issuer.to_vec(),
    ] {
        let done = run(program().arg("serve").args(&args));
        assert_eq!((done.status, done.stderr.lines().count()), (2, 1), "{args:?} {done:?}");
    }
    for (name, text) in [("short", "secret\n"), ("empty", "")] {
        let done = tokenlake(folder.path(), &["serve", "--jwt-secret-file", &path(name, text)]);
        assert_eq!((done.status, done.stderr.lines().count()), (1, 1), "{done:?}");
    }
    for (name, text) in [("odd", "<html>"), ("none", r#"{"keys":[]}"#)] {
        let path = path(name, text);
        let args = [&["serve", "--jwt-jwks", &path], &ISSUER[..]].concat();
        let done = tokenlake(folder.path(), &args);
        assert_eq!((done.status, done.stderr.lines().count()), (1, 1), "{done:?}");
    }
    let nowhere = folder.path().join("nowhere");
    let done = tokenlake(folder.path(), &["serve", "--jwt-secret-file", nowhere.to_str().unwrap()]);
    assert_eq!(done.status, 1);
    assert!(done.stderr.contains("nowhere"), "{done:?}");
}
