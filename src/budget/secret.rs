//! Secrets of webhooks, and what they sign by the rules of Standard Webhooks.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::RngExt as _;
use ring::hmac;
use serde::{Deserialize, Serialize};

/// The start of a secret's text.
const PREFIX: &str = "whsec_";
/// Bytes of a new secret.
const BYTES: usize = 32;

/// A secret of a webhook: `whsec_` and base64. `Debug` hides it; only [`WebhookSecret::reveal`] returns
/// the text.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WebhookSecret {
    text: String,
    bytes: Vec<u8>,
}

/// A text that is no secret. The message does not have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a secret of a webhook is whsec_ and base64 of 24 to 64 bytes")]
pub struct InvalidSecret;

impl WebhookSecret {
    /// A new secret.
    pub fn generate() -> Self {
        let bytes: [u8; BYTES] = rand::rng().random();
        Self { text: format!("{PREFIX}{}", STANDARD.encode(bytes)), bytes: bytes.to_vec() }
    }

    /// The text, to be shown to its owner once.
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// The signature of a message: `v1,` and base64.
    pub fn sign(&self, id: &str, timestamp_seconds: i64, body: &[u8]) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.bytes);
        let mut context = hmac::Context::with_key(&key);
        context.update(format!("{id}.{timestamp_seconds}.").as_bytes());
        context.update(body);
        format!("v1,{}", STANDARD.encode(context.sign()))
    }
}

impl TryFrom<String> for WebhookSecret {
    type Error = InvalidSecret;

    fn try_from(text: String) -> Result<Self, InvalidSecret> {
        let encoded = text.strip_prefix(PREFIX).ok_or(InvalidSecret)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| InvalidSecret)?;
        if !(24..=64).contains(&bytes.len()) {
            return Err(InvalidSecret);
        }
        Ok(Self { text, bytes })
    }
}

impl From<WebhookSecret> for String {
    fn from(secret: WebhookSecret) -> Self {
        secret.text
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification of Standard Webhooks.
    #[test]
    fn the_signature_is_that_of_standard_webhooks() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned();
        let secret = WebhookSecret::try_from(secret).unwrap();
        let signed =
            secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_new_secret_is_read_back_and_hidden() {
        let secret = WebhookSecret::generate();
        assert_eq!(WebhookSecret::try_from(secret.reveal().to_owned()), Ok(secret.clone()));
        assert_ne!(secret, WebhookSecret::generate());
        assert_eq!(format!("{secret:?}"), "WebhookSecret(..)");
        for text in ["", "whsec_", "whsec_AAAA", "whsec_!", &secret.reveal()[6..]] {
            assert_eq!(WebhookSecret::try_from(text.to_owned()), Err(InvalidSecret), "{text}");
        }
    }
}
