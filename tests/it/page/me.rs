//! `GET /v1/me`: what a credential is told of itself.

use serde_json::{Value, json};
use tempfile::tempdir;
use tokenlake::clock::{Clock as _, SECOND, SystemClock};

use crate::support::client;
use crate::support::issuer::Signer;
use crate::support::process::{Server, key, key_with, tokenlake};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

#[test]
fn each_credential_is_told_whose_it_is_and_what_it_may() {
    let folder = tempdir().unwrap();
    let (archive, secret) = (folder.path().join("archive"), folder.path().join("secret"));
    std::fs::write(&secret, SECRET).unwrap();
    let all = key(&archive, "acme");
    let secret = secret.to_str().unwrap();
    let server = Server::start_with(&archive, &["serve", "--jwt-secret-file", secret]);
    assert_eq!(tokenlake(&archive, &["dimension", "add", "team"]).status, 0);
    let few = ["--scope", "events:write", "--expires", "90d", "--dimension", "team=b \"c\""];
    let few = key_with(&archive, "Acme.2", &few);
    let me = |credential: &str| {
        let answer = client::get(&server.url("/v1/me"), credential);
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        answer.json()
    };
    let scopes = ["metrics:read", "events:write", "sql:read"];
    let told = json!({ "org_id": "acme", "scopes": scopes, "dimension": null, "expires": null });
    assert_eq!(me(&all), told);
    let told = me(&few);
    let expires = told["expires"].as_str().unwrap();
    assert!(expires.ends_with('Z') && expires.len() > 19, "{expires}");
    assert_eq!((&told["org_id"], &told["scopes"]), (&json!("Acme.2"), &json!(["events:write"])));
    assert_eq!(told["dimension"], json!({ "name": "team", "value": "b \"c\"" }));
    let now = SystemClock.now() / SECOND;
    for (scope, scopes) in [
        (Value::Null, json!(["metrics:read"])),
        (json!("openid sql:read"), json!(["sql:read"])),
        (json!(""), json!([])),
    ] {
        let claims = json!({ "org_id": "acme", "exp": now + 300, "scope": scope });
        let told = me(&Signer::hs256(SECRET.as_bytes()).sign(&claims));
        assert_eq!((&told["org_id"], &told["scopes"]), (&json!("acme"), &scopes));
        assert!(told["expires"].is_string() && told["dimension"].is_null(), "{told}");
    }
}

#[test]
fn nobody_is_told_nothing() {
    let folder = tempdir().unwrap();
    let own = key(folder.path(), "acme");
    let expired = key_with(folder.path(), "acme", &["--expires", "1ms"]);
    let server = Server::start(folder.path());
    let (url, slash) = (server.url("/v1/me"), server.url("/v1/me/"));
    for credential in [&expired, &own[..own.len() - 1], "td_live_", "eyJ", ""] {
        for method in ["GET", "HEAD"] {
            let headers = [("authorization", &*client::bearer(credential))];
            let answer = client::send(method, &url, &headers, "");
            assert_eq!(answer.status, 401, "{method} {credential}");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        }
    }
    assert_eq!(client::send("GET", &url, &[], "").status, 401);
    let headers = [("authorization", &*client::bearer(&own))];
    let head = client::send("HEAD", &url, &headers, "");
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(client::send("GET", &slash, &headers, "").status, 200);
    assert_eq!(client::send("POST", &url, &headers, "").status, 405);
}
