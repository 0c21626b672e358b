//! The reasons for refusing a JWT, for the log only. The client only learns that it is not valid.

/// The first reason found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("{0}")]
    Malformed(&'static str),
    #[error("its algorithm is not one of HS256, RS256, ES256 and EdDSA")]
    Algorithm,
    #[error("it is signed by no known key of its algorithm and kid")]
    UnknownKey,
    #[error("it names no key (kid), and too many keys of its algorithm are known to try them all")]
    TooManyKeys,
    #[error("its signature is wrong")]
    Signature,
    #[error("its claims are not of their types, or org_id or exp is missing")]
    Claims,
    #[error("its org_id is not a valid organisation name")]
    OrgId,
    #[error("its exp has passed")]
    Expired,
    #[error("its nbf is in the future")]
    NotYetValid,
    #[error("its iss is not --jwt-issuer")]
    Issuer,
    #[error("its aud is not --jwt-audience")]
    Audience,
}
