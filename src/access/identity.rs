//! Who holds a valid credential, and until when it is valid.

use std::sync::Arc;

use super::{AccessError, Caller, Scope, Scopes};
use crate::clock::Micros;
use crate::event::OrgId;

/// What a valid credential says of its holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Who it is.
    pub holder: Holder,
    /// From when on the credential is no longer valid, in microseconds since 1970; `None` for never.
    pub expires_at_us: Option<Micros>,
}

/// Who holds a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// One who speaks for an organisation, or for a part of it.
    Caller(Arc<Caller>),
    /// An operator, who speaks for none and reads metrics and usage of any that is named.
    Operator,
}

impl Identity {
    /// The caller, where a request can only be about the caller's own organisation.
    ///
    /// # Errors
    /// [`AccessError::Operator`].
    pub fn caller(self) -> Result<Arc<Caller>, AccessError> {
        match self.holder {
            Holder::Caller(caller) => Ok(caller),
            Holder::Operator => Err(AccessError::Operator),
        }
    }

    /// The caller, where a request may name organisations; an operator must name one, and nobody else
    /// may name any.
    ///
    /// # Errors
    /// Forbidden, with the same words for every name; Invalid, if an operator does not name one.
    pub fn caller_naming(self, named: &[String]) -> Result<Arc<Caller>, AccessError> {
        let caller = match self.holder {
            Holder::Caller(caller) => {
                return if named.is_empty() { Ok(caller) } else { Err(AccessError::NoOperator) };
            }
            Holder::Operator => {
                let [name] = named else { return Err(AccessError::OrgNeeded) };
                let org_id = OrgId::parse(name).map_err(|_| AccessError::OrgNeeded)?;
                Caller { org_id, scopes: operator_scopes(), bound: None }
            }
        };
        Ok(Arc::new(caller))
    }
}

/// What an operator may do.
pub fn operator_scopes() -> Scopes {
    Scopes::of(vec![Scope::MetricsRead])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn of(holder: Holder, named: &[&str]) -> Result<String, Kind> {
        let named: Vec<_> = named.iter().map(ToString::to_string).collect();
        let identity = Identity { holder, expires_at_us: None };
        let caller = identity.caller_naming(&named).map_err(|error| error.kind())?;
        assert_eq!(caller.bound, None);
        Ok(caller.org_id.as_str().to_owned())
    }

    #[test]
    fn an_operator_names_one_organisation_and_nobody_else_names_any() {
        let org_id = OrgId::parse("acme").unwrap();
        let acme = Arc::new(Caller { org_id, scopes: operator_scopes(), bound: None });
        let acme = Holder::Caller(acme);
        assert_eq!(of(acme.clone(), &[]), Ok("acme".to_owned()));
        for named in [&["acme"][..], &["globex"], &[""], &["a", "b"]] {
            assert_eq!(of(acme.clone(), named), Err(Kind::Forbidden), "{named:?}");
        }
        assert_eq!(of(Holder::Operator, &["globex"]), Ok("globex".to_owned()));
        for named in [&[][..], &[""], &["a b"], &["a", "b"], &["a", "a"]] {
            assert_eq!(of(Holder::Operator, named), Err(Kind::Invalid), "{named:?}");
        }
        let operator = Identity { holder: Holder::Operator, expires_at_us: None };
        assert_eq!(operator.caller().unwrap_err().kind(), Kind::Forbidden);
    }
}
