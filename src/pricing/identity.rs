//! Which model a name is of, whoever wrote the name.

use super::model_name::ModelNames;
use super::provider::Provider;

/// A model under one name for all spellings of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelIdentity {
    /// One name for all names of the provider; that of the model's prefix, if no provider is told.
    pub provider: Option<String>,
    /// The model's name without what gateways and clouds put around it.
    pub model: Option<String>,
}

impl ModelIdentity {
    /// The identity of a model, as an event or a report names it.
    pub fn of(provider: Option<&str>, model: Option<&str>) -> Self {
        let provider = provider.map(|provider| provider.trim().to_lowercase());
        let provider = provider.as_deref().and_then(Provider::of);
        let names = model.map(|model| ModelNames::of(model, provider));
        let provider = provider.or(names.as_ref().and_then(|names| names.provider));
        Self {
            provider: provider.map(|provider| provider.family.to_owned()),
            model: names.and_then(|names| names.names.into_iter().last()),
        }
    }

    /// The family of a provider's name; the name itself, if it is not one of those that are known.
    pub fn family(provider: &str) -> Option<String> {
        Self::of(Some(provider), None).provider
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_model_have_one_identity() {
        let of = |provider, model| {
            let identity = ModelIdentity::of(provider, Some(model));
            (identity.provider.unwrap_or_default(), identity.model.unwrap_or_default())
        };
        let sonnet = ("anthropic".to_owned(), "claude-sonnet-4-5-2025-09-29".to_owned());
        for (provider, model) in [
            (Some("anthropic"), "claude-sonnet-4-5-20250929"),
            (Some("Anthropic "), "anthropic/claude-sonnet-4-5-2025-09-29"),
            (None, "anthropic/claude-sonnet-4-5-20250929"),
        ] {
            assert_eq!(of(provider, model), sonnet, "{model}");
        }
        assert_eq!(ModelIdentity::family("open_ai").as_deref(), Some("openai"));
        assert_eq!(ModelIdentity::family("unknown"), None);
    }
}
