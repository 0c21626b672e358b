//! Which JWTs are accepted. The keys and JWTs from the RFCs are independent of this code.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use ring::hmac;
use serde_json::{Value, json};

use super::claims::{JwtRules, identity};
use super::compact::Jwt;
use super::key::VerifyingKey;
use super::refusal::Refusal;
use super::{JwksLocation, JwtError, jwks};
use crate::access::{Scope, Scopes};
use crate::clock::{Micros, SECOND};

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
const NOW: i64 = 1_800_000_000;

/// RFC 7515, A.2.1; A.3.1; RFC 8037, A.2.
const RFC_KEYS: &str = r#"{"keys":[
 {"kty":"RSA","kid":"a2","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"},
 {"kty":"EC","kid":"a3","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},
 {"kty":"OKP","kid":"ed","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
const RFC_CLAIMS: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
/// Header and signature of RFC 7515, A.2.1 and A.3.1.
const RFC_SIGNED: [(&str, &str); 2] = [
    (
        "eyJhbGciOiJSUzI1NiJ9",
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
    ),
    (
        "eyJhbGciOiJFUzI1NiJ9",
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    ),
];
/// RFC 8037, A.4: the signed payload is text, not claims.
const RFC_ED25519: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

fn rfc_keys() -> Vec<VerifyingKey> {
    jwks::parse(RFC_KEYS.as_bytes()).unwrap()
}

fn secret() -> Vec<VerifyingKey> {
    vec![VerifyingKey::of_secret(SECRET).unwrap()]
}

/// A JWT with any header, signed as HS256 is.
fn signed(secret: &[u8], header: &Value, claims: &Value) -> String {
    let part = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let signature = hmac::sign(&key, message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn verified(text: &str, keys: &[VerifyingKey]) -> Result<Vec<u8>, Refusal> {
    Jwt::parse(text)?.verified(keys.iter())
}

/// The caller of claims with one claim replaced; `null` removes it.
fn spoken(name: &str, value: Value, rules: &JwtRules) -> Result<(String, Scopes), Refusal> {
    let mut claims = json!({"org_id": "acme", "exp": NOW + 300, "iss": "us", "aud": "tokenlake"});
    let fields = claims.as_object_mut().unwrap();
    if value.is_null() {
        fields.remove(name)
    } else {
        fields.insert(name.to_owned(), value)
    };
    let identity = identity(claims.to_string().as_bytes(), rules, NOW * SECOND)?;
    let caller = identity.caller().unwrap();
    Ok((caller.org_id.as_str().to_owned(), caller.scopes.clone()))
}

fn refused(name: &str, value: Value) -> Option<Refusal> {
    spoken(name, value, &JwtRules::default()).err()
}

#[test]
fn jwts_of_the_rfcs_are_verified() {
    let keys = rfc_keys();
    for (header, signature) in RFC_SIGNED {
        let claims = verified(&format!("{header}.{RFC_CLAIMS}.{signature}"), &keys).unwrap();
        assert_eq!(identity(&claims, &JwtRules::default(), 0), Err(Refusal::Claims), "no org_id");
        let other = URL_SAFE_NO_PAD.encode(r#"{"org_id":"acme"}"#);
        let changed = verified(&format!("{header}.{other}.{signature}"), &keys);
        assert_eq!(changed, Err(Refusal::UnknownKey));
    }
    assert_eq!(verified(RFC_ED25519, &keys).unwrap(), b"Example of Ed25519 signing");
}

#[test]
fn each_key_has_one_algorithm_whatever_a_jwt_says() {
    let claims = json!({"org_id": "acme", "exp": NOW + 300});
    let public = jwks_field("n");
    for secret in
        [RFC_KEYS.as_bytes(), public.as_bytes(), &URL_SAFE_NO_PAD.decode(&public).unwrap()]
    {
        for kid in ["a2", "a3", "ed"] {
            for algorithm in ["HS256", "RS256", "ES256", "EdDSA"] {
                let text = signed(secret, &json!({"alg": algorithm, "kid": kid}), &claims);
                assert!(verified(&text, &rfc_keys()).is_err(), "{algorithm} {kid}");
            }
        }
    }
    for algorithm in
        ["none", "None", "NONE", "", "HS384", "HS512", "RS512", "PS256", "ES384", "hs256"]
    {
        let text = signed(SECRET, &json!({"alg": algorithm}), &claims);
        assert_eq!(verified(&text, &secret()), Err(Refusal::Algorithm), "{algorithm}");
        let (unsigned, _) = text.rsplit_once('.').unwrap();
        assert_eq!(verified(&format!("{unsigned}."), &secret()), Err(Refusal::Algorithm));
    }
    let unsigned = signed(SECRET, &json!({"alg": "HS256"}), &claims);
    let (unsigned, _) = unsigned.rsplit_once('.').unwrap();
    assert_eq!(verified(&format!("{unsigned}."), &secret()), Err(Refusal::UnknownKey));
    assert!(verified(unsigned, &secret()).is_err());
}

fn jwks_field(name: &str) -> String {
    let keys: Value = serde_json::from_str(RFC_KEYS).unwrap();
    keys["keys"][0][name].as_str().unwrap().to_owned()
}

fn jwks_key(number: usize) -> Value {
    let keys: Value = serde_json::from_str(RFC_KEYS).unwrap();
    keys["keys"][number].clone()
}

#[test]
fn keys_that_a_jwt_brings_along_are_not_looked_at_and_extensions_are_refused() {
    let claims = json!({"org_id": "acme", "exp": NOW + 300});
    let own = json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode([7; 32])});
    for header in [
        json!({"alg": "HS256", "jwk": own, "jku": "https://127.0.0.1:1/", "x5u": "https://127.0.0.1:1/"}),
        json!({"alg": "HS256", "jwk": "odd", "x5c": 7, "cnf": {"a": [1]}, "typ": "at+jwt"}),
    ] {
        assert!(verified(&signed(SECRET, &header, &claims), &secret()).is_ok());
        assert!(verified(&signed(&[7; 32], &header, &claims), &secret()).is_err());
    }
    for (name, value) in
        [("crit", json!(["exp"])), ("crit", json!([])), ("crit", json!(null)), ("kid", json!(1))]
    {
        let mut header = json!({"alg": "HS256"});
        header[name] = value;
        let text = signed(SECRET, &header, &claims);
        assert!(matches!(verified(&text, &secret()), Err(Refusal::Malformed(_))), "{header}");
    }
}

#[test]
fn a_kid_chooses_among_keys_that_have_one() {
    let (header, signature) = RFC_SIGNED[1];
    let text = format!("{header}.{RFC_CLAIMS}.{signature}");
    let (nameless, renamed) = (RFC_KEYS.replace(r#""kid":"a3","#, ""), RFC_KEYS.replace("a3", "z"));
    for keys in [&nameless, &renamed] {
        assert!(verified(&text, &jwks::parse(keys.as_bytes()).unwrap()).is_ok());
    }
    let named = |kid: &str| signed(SECRET, &json!({"alg": "ES256", "kid": kid}), &json!({}));
    assert_eq!(verified(&named("a3"), &rfc_keys()), Err(Refusal::Signature));
    assert_eq!(verified(&named("a2"), &rfc_keys()), Err(Refusal::UnknownKey));
    assert_eq!(verified(&named("new"), &rfc_keys()), Err(Refusal::UnknownKey));
}

#[test]
fn an_organisation_and_an_end_are_needed() {
    assert_eq!(spoken("x", json!(1), &JwtRules::default()).unwrap().0, "acme");
    for (name, value) in [
        ("org_id", json!(null)),
        ("org_id", json!(7)),
        ("org_id", json!(["acme"])),
        ("exp", json!(null)),
        ("exp", json!("1900000000")),
        ("exp", json!(-1e300)),
        ("nbf", json!("0")),
        ("scope", json!(7)),
        ("scope", json!({"metrics:read": true})),
        ("scope", json!(["metrics:read", 7])),
        ("scp", json!(true)),
        ("iss", json!(7)),
        ("aud", json!({})),
        ("aud", json!(["a", 7])),
    ] {
        assert_eq!(refused(name, value.clone()), Some(Refusal::Claims), "{name} {value}");
    }
    for org_id in ["", "a b", "acme/..", "ä", &"a".repeat(129)] {
        assert_eq!(refused("org_id", json!(org_id)), Some(Refusal::OrgId), "{org_id}");
    }
    let now: Micros = NOW * SECOND;
    for text in [
        "",
        "null",
        "[]",
        r#"{"org_id":"acme","exp":null}"#,
        r#"{"org_id":"acme","exp":1e999}"#,
        r#"["acme",1900000000]"#,
        r#" ["acme",1900000000,null,null,null,"sql:read"]"#,
        r#"{"org_id":"acme","org_id":"globex","exp":1900000000}"#,
        r#"{"org_id":"acme","exp":1,"exp":1900000000}"#,
        r#"{"org_id":"acme","exp":1900000000} {}"#,
    ] {
        let found = identity(text.as_bytes(), &JwtRules::default(), now);
        assert_eq!(found, Err(Refusal::Claims), "{text}");
    }
}

#[test]
fn clocks_may_differ_by_a_minute() {
    for (name, seconds, expected) in [
        ("exp", json!(NOW - 59), None),
        ("exp", json!(NOW - 60), Some(Refusal::Expired)),
        ("exp", json!(NOW as f64 - 59.5), None),
        ("exp", json!(NOW as f64 - 60.5), Some(Refusal::Expired)),
        ("exp", json!(0), Some(Refusal::Expired)),
        ("exp", json!(-1), Some(Refusal::Expired)),
        ("exp", json!(i64::MIN), Some(Refusal::Expired)),
        ("exp", json!(i64::MAX), None),
        ("exp", json!(u64::MAX), Some(Refusal::Claims)),
        ("nbf", json!(NOW + 60), None),
        ("nbf", json!(NOW + 61), Some(Refusal::NotYetValid)),
        ("nbf", json!(NOW as f64 + 60.5), Some(Refusal::NotYetValid)),
        ("nbf", json!(i64::MAX), Some(Refusal::NotYetValid)),
        ("nbf", json!(i64::MIN), None),
        ("iat", json!(NOW + 9_999), None),
    ] {
        assert_eq!(refused(name, seconds.clone()), expected, "{name} {seconds}");
    }
}

#[test]
fn issuer_and_audience_are_exact_where_they_are_asked_for() {
    let rules = |issuer: Option<&str>, audience: Option<&str>| JwtRules {
        issuer: issuer.map(str::to_owned),
        audience: audience.map(str::to_owned),
    };
    let ours = rules(Some("us"), Some("tokenlake"));
    for issuer in [json!(null), json!("Us"), json!("us/"), json!("")] {
        assert_eq!(spoken("iss", issuer.clone(), &ours).err(), Some(Refusal::Issuer), "{issuer}");
        assert!(spoken("iss", issuer, &rules(None, Some("tokenlake"))).is_ok());
    }
    for audience in [json!(null), json!("token"), json!([]), json!(["tokenlake/", "x"]), json!("")]
    {
        let found = spoken("aud", audience.clone(), &ours).err();
        assert_eq!(found, Some(Refusal::Audience), "{audience}");
        assert!(spoken("aud", audience, &rules(Some("us"), None)).is_ok());
    }
    for audience in [json!("tokenlake"), json!(["x", "tokenlake"])] {
        assert!(spoken("aud", audience, &ours).is_ok());
    }
}

#[test]
fn scopes_are_those_that_are_named_and_known() {
    for (scope, expected) in [
        (json!(null), vec![Scope::MetricsRead]),
        (json!(""), vec![]),
        (json!("  "), vec![]),
        (json!("openid profile"), vec![]),
        (json!("Metrics:Read"), vec![]),
        (json!("metrics:read,sql:read"), vec![]),
        (json!("sql:read"), vec![Scope::SqlRead]),
        (
            json!("openid events:write  metrics:read events:write"),
            vec![Scope::MetricsRead, Scope::EventsWrite],
        ),
        (json!([]), vec![]),
        (json!([""]), vec![]),
        (json!(["sql:read", "openid"]), vec![Scope::SqlRead]),
        (json!(["sql:read events:write"]), vec![Scope::EventsWrite, Scope::SqlRead]),
    ] {
        for name in ["scope", "scp"] {
            let (_, scopes) = spoken(name, scope.clone(), &JwtRules::default()).unwrap();
            assert_eq!(scopes, Scopes::of(expected.clone()), "{name} {scope}");
        }
    }
}

#[test]
fn a_claim_that_is_null_is_absent_and_scope_comes_before_scp() {
    let of = |claims: &str| {
        let claims = format!(r#"{{"org_id":"acme","exp":1900000000,{claims}}}"#);
        let identity = identity(claims.as_bytes(), &JwtRules::default(), NOW * SECOND);
        identity.unwrap().caller().unwrap().scopes.clone()
    };
    let only = |scope| Scopes::of(vec![scope]);
    assert_eq!(of(r#""scope":null,"nbf":null,"iss":null,"aud":null"#), only(Scope::MetricsRead));
    assert_eq!(of(r#""scope":null,"scp":["sql:read"]"#), only(Scope::SqlRead));
    assert_eq!(of(r#""scope":"events:write","scp":["sql:read"]"#), only(Scope::EventsWrite));
    assert_eq!(of(r#""scope":"","scp":["sql:read"]"#), Scopes::of(vec![]));
    let rules = JwtRules { issuer: Some("us".to_owned()), audience: None };
    assert_eq!(spoken("iss", json!(null), &rules).err(), Some(Refusal::Issuer));
}

#[test]
fn of_many_keys_without_a_name_the_right_one_is_found_within_bounds() {
    let (header, signature) = RFC_SIGNED[1];
    let text = format!("{header}.{RFC_CLAIMS}.{signature}");
    let right = jwks_key(1);
    let wrong = |count: usize| {
        (0..count).map(|n| {
            let coordinate = |more: usize| {
                let mut bytes = [0; 32];
                bytes[..8].copy_from_slice(&(n * 2 + more).to_le_bytes());
                URL_SAFE_NO_PAD.encode(bytes)
            };
            json!({"kty": "EC", "kid": format!("k{n}"), "crv": "P-256", "x": coordinate(0), "y": coordinate(1)})
        })
    };
    let after = |count: usize| {
        let keys: Vec<_> = wrong(count).chain([right.clone()]).collect();
        verified(&text, &jwks::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap())
    };
    for count in [0, 8, 20, 63] {
        assert!(after(count).is_ok(), "{count}");
    }
    assert_eq!(after(64), Err(Refusal::TooManyKeys));
    // Keys of other algorithms do not count.
    let keys: Vec<_> = std::iter::repeat_n(jwks_key(2), 100).chain([right.clone()]).collect();
    let keys = jwks::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap();
    assert!(verified(&text, &keys).is_ok());
}

#[test]
fn a_list_in_place_of_an_object_is_no_jwt_and_no_set_of_keys() {
    let header = URL_SAFE_NO_PAD.encode(r#"["HS256",null]"#);
    let text = signed(SECRET, &json!({"alg": "HS256"}), &json!({}));
    let (_, rest) = text.split_once('.').unwrap();
    assert!(matches!(Jwt::parse(&format!("{header}.{rest}")), Err(Refusal::Malformed(_))));
    let set = format!("[[{}]]", jwks_key(1));
    assert!(matches!(jwks::parse(set.as_bytes()), Err(JwtError::NoJwks(_))));
    let listed = r#"{"keys":[["OKP",null,null,null,null,"Ed25519",null,null,"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",null]]}"#;
    assert_eq!(jwks::parse(listed.as_bytes()).unwrap().len(), 0);
}

#[test]
fn a_secret_is_long_enough_and_ends_before_the_newline() {
    let claims = json!({"org_id": "acme", "exp": NOW});
    let text = signed(SECRET, &json!({"alg": "HS256"}), &claims);
    for end in [&b""[..], b"\n", b"\r\n"] {
        let key = VerifyingKey::of_secret(&[SECRET, end].concat()).unwrap();
        assert!(verified(&text, &[key]).is_ok());
    }
    for longer in [&b" "[..], b"\n\n", b"0"] {
        let key = VerifyingKey::of_secret(&[SECRET, longer].concat()).unwrap();
        assert!(verified(&text, &[key]).is_err());
    }
    let short = VerifyingKey::of_secret(&[&SECRET[1..], b"\n"].concat());
    assert!(matches!(short, Err(JwtError::ShortSecret { bytes: 31, .. })));
}

#[test]
fn keys_come_from_a_file_or_over_https_alone() {
    assert!(matches!(JwksLocation::parse("keys.json"), Ok(JwksLocation::File(_))));
    assert!(matches!(JwksLocation::parse("https://x.test/jwks?a=b"), Ok(JwksLocation::Url(_))));
    for plain in ["http://x.test/jwks", "HTTP://127.0.0.1/", "ftp://x.test/", "file:///etc/jwks"] {
        assert_eq!(JwksLocation::parse(plain), Err(JwtError::NotHttps), "{plain}");
    }
    assert_eq!(JwksLocation::parse("https://me:secret@x.test/"), Err(JwtError::Credentials));
    assert!(matches!(JwksLocation::parse("https://"), Err(JwtError::Url(_))));
}

#[test]
fn nothing_secret_is_printed() {
    let text = format!("{:?} {:?}", secret(), VerifyingKey::of_secret(b"short").unwrap_err());
    assert!(!text.contains("0123456789") && !text.contains("48, 49"), "{text}");
}

#[test]
fn a_long_text_is_refused_before_it_is_read() {
    let claims = json!({"org_id": "acme", "exp": NOW, "pad": "x".repeat(16 * 1024)});
    let text = signed(SECRET, &json!({"alg": "HS256"}), &claims);
    assert_eq!(verified(&text, &secret()), Err(Refusal::Malformed("it is too long")));
}

proptest! {
    #[test]
    fn a_changed_character_is_noticed(at in 0usize..10_000, to in "[0-9A-Za-z_.-]") {
        let claims = json!({"org_id": "acme", "exp": NOW});
        let text = signed(SECRET, &json!({"alg": "HS256"}), &claims);
        let at = at % text.len();
        let mut changed = text.clone();
        changed.replace_range(at..at + 1, &to);
        prop_assert_eq!(verified(&changed, &secret()).is_ok(), changed == text);
    }

    #[test]
    fn no_text_panics(text in "eyJ\\PC{0,80}|[eyJ0.-_]{0,80}|\\PC*", claims in "\\PC*|\\{[\"a-z_:0-9,e]*\\}") {
        prop_assert!(verified(&text, &secret()).is_err());
        let _ = identity(claims.as_bytes(), &JwtRules::default(), 0);
        let _ = jwks::parse(claims.as_bytes());
    }
}
