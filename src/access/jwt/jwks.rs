//! A set of keys as issuers publish it (RFC 7517). Keys that are unusable here are skipped.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

use super::JwtError;
use super::key::{Algorithm, VerifyingKey};

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

/// The fields of a key that are used; private parts are ignored.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// The keys of a set that can verify. There may be none, because an issuer can withdraw them all.
///
/// # Errors
/// [`JwtError::NoJwks`] if the text is not a JWKS.
pub(super) fn parse(text: &[u8]) -> Result<Vec<VerifyingKey>, JwtError> {
    // serde would accept a list of the same values in field order; it is not an object.
    if text.trim_ascii_start().starts_with(b"[") {
        return Err(JwtError::NoJwks("it is a list".to_owned()));
    }
    let set: Set =
        serde_json::from_slice(text).map_err(|error| JwtError::NoJwks(error.to_string()))?;
    let keys = set.keys.into_iter().filter(Value::is_object);
    let keys = keys.filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
    Ok(keys.filter_map(verifying).collect())
}

fn verifying(jwk: Jwk) -> Option<VerifyingKey> {
    let signs = jwk.purpose.as_ref().is_none_or(|purpose| purpose == "sig");
    let verifies = jwk.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
    if !signs || !verifies {
        return None;
    }
    let bytes = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_ref()?).ok();
    // A shared secret (`oct`) is skipped: anyone who can read the set could sign with it.
    let key = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", _) => VerifyingKey::of_rsa(jwk.kid, &bytes(&jwk.n)?, &bytes(&jwk.e)?),
        ("EC", Some("P-256")) => VerifyingKey::of_p256(jwk.kid, &bytes(&jwk.x)?, &bytes(&jwk.y)?),
        ("OKP", Some("Ed25519")) => VerifyingKey::of_ed25519(jwk.kid, &bytes(&jwk.x)?),
        _ => None,
    }?;
    let named = |name: &String| Algorithm::of_name(name) == Some(key.algorithm());
    jwk.alg.as_ref().is_none_or(named).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn point() -> Value {
        let (x, y) = (URL_SAFE_NO_PAD.encode([1; 32]), URL_SAFE_NO_PAD.encode([2; 32]));
        json!({"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": "good"})
    }

    fn with(name: &str, value: Value) -> Value {
        let mut key = point();
        key[name] = value;
        key
    }

    fn kids(keys: &[Value]) -> Vec<Option<String>> {
        let text = json!({ "keys": keys, "more": 1 }).to_string();
        parse(text.as_bytes()).unwrap().into_iter().map(|key| key.kid).collect()
    }

    #[test]
    fn what_is_of_no_use_is_passed_over_and_its_neighbours_stay() {
        let rsa = |n: usize, e: &str| {
            let n = URL_SAFE_NO_PAD.encode(vec![0xc1; n]);
            json!({"kty": "RSA", "n": n, "e": e})
        };
        for odd in [
            json!(null),
            json!("key"),
            json!({}),
            json!({"kty": "oct", "k": "AAAA", "alg": "HS256"}),
            json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA"}),
            json!({"kty": "OKP", "crv": "X25519", "x": URL_SAFE_NO_PAD.encode([1; 32])}),
            json!({"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}),
            with("crv", json!("P-384")),
            with("use", json!("enc")),
            with("key_ops", json!(["sign"])),
            with("alg", json!("ES512")),
            with("alg", json!("HS256")),
            with("alg", json!("RS256")),
            with("x", json!("AAAA")),
            with("x", json!("not base64!")),
            with("kid", json!(7)),
            rsa(255, "AQAB"),
            rsa(1_025, "AQAB"),
            rsa(256, ""),
        ] {
            assert_eq!(kids(&[odd.clone(), point()]), [Some("good".to_owned())], "{odd}");
        }
        assert_eq!(kids(&[]).len(), 0);
        for fine in [
            rsa(256, "AQAB"),
            with("alg", json!("ES256")),
            with("use", json!("sig")),
            with("key_ops", json!(["verify"])),
            with("x5c", json!(["AAAA"])),
            with("d", json!("AAAA")),
        ] {
            assert_eq!(kids(&[fine]).len(), 1);
        }
    }

    #[test]
    fn what_is_no_set_is_refused() {
        for text in ["", "[]", "{}", r#"{"keys":{}}"#, "<html>", r#"{"keys":[]} more"#] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
