//! The claims of a JWT, once its signature is verified.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Number;

use super::compact::object;
use super::refusal::Refusal;
use crate::access::{Caller, Holder, Identity, Scope, Scopes};
use crate::clock::{Micros, SECOND};
use crate::event::OrgId;

/// The largest accepted difference between the clocks of issuer and server.
const LEEWAY: Micros = 60 * SECOND;

/// Which JWTs are accepted. A rule that is not set is not checked.
#[derive(Debug, Clone, Default)]
pub struct JwtRules {
    /// The required `iss`.
    pub issuer: Option<String>,
    /// The audience that `aud` must be or contain.
    pub audience: Option<String>,
}

/// A claim that is null counts as absent.
#[derive(Deserialize)]
struct Claims {
    org_id: String,
    exp: Number,
    nbf: Option<Number>,
    iss: Option<String>,
    aud: Option<Audience>,
    /// As in RFC 8693, or as a list, as some issuers send it.
    scope: Option<OneOrMany>,
    /// The same claim under the name that other issuers use.
    scp: Option<OneOrMany>,
}

/// Names in one text, or as a list.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    Text(String),
    List(Vec<String>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    fn holds(&self, name: &str) -> bool {
        match self {
            Self::One(one) => one == name,
            Self::Several(several) => several.iter().any(|one| one == name),
        }
    }
}

/// Whom the claims describe, if they are valid at `now`.
pub(super) fn identity(claims: &[u8], rules: &JwtRules, now: Micros) -> Result<Identity, Refusal> {
    let claims: Claims = object(claims).ok_or(Refusal::Claims)?;
    let expires = micros(&claims.exp).ok_or(Refusal::Claims)?;
    if now >= expires.saturating_add(LEEWAY) {
        return Err(Refusal::Expired);
    }
    if let Some(nbf) = &claims.nbf {
        let begins = micros(nbf).ok_or(Refusal::Claims)?;
        if now < begins.saturating_sub(LEEWAY) {
            return Err(Refusal::NotYetValid);
        }
    }
    if rules.issuer.is_some() && claims.iss != rules.issuer {
        return Err(Refusal::Issuer);
    }
    if let Some(audience) = &rules.audience {
        let held = claims.aud.as_ref().is_some_and(|aud| aud.holds(audience));
        held.then_some(()).ok_or(Refusal::Audience)?;
    }
    let org_id = OrgId::parse(&claims.org_id).map_err(|_| Refusal::OrgId)?;
    let caller = Caller { org_id, scopes: scopes(claims.scope.or(claims.scp)), bound: None };
    Ok(Identity { holder: Holder::Caller(Arc::new(caller)), expires_at_us: Some(expires) })
}

/// The scopes in the claim that exist here. Without the claim, the right to scrape.
fn scopes(claim: Option<OneOrMany>) -> Scopes {
    let texts = match claim {
        None => return Scopes::of(vec![Scope::MetricsRead]),
        Some(OneOrMany::Text(text)) => vec![text],
        Some(OneOrMany::List(list)) => list,
    };
    let names = texts.iter().flat_map(|text| text.split_ascii_whitespace());
    Scopes::of(names.filter_map(|name| name.parse().ok()).collect())
}

/// A `NumericDate` (RFC 7519, section 2): seconds since 1970, possibly with a fraction.
fn micros(seconds: &Number) -> Option<Micros> {
    if let Some(seconds) = seconds.as_i64() {
        return Some(seconds.saturating_mul(SECOND));
    }
    let since_1970 = Duration::try_from_secs_f64(seconds.as_f64()?).ok()?;
    Some(Micros::try_from(since_1970.as_micros()).unwrap_or(Micros::MAX))
}
