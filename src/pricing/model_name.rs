//! The names under which a model is looked up: as the event has it, and without what gateways and
//! clouds put around it.
//!
//! A region as `us.` of Amazon Bedrock stays, since it has prices of its own, and so does `ft:`.

use super::provider::Provider;

/// Parts before a name that are taken off. Any sender writes names, and each part makes one more to look up.
const PARTS_MAX: usize = 6;

/// The names of a model, as sent first, each shorter than or as long as the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ModelNames {
    /// In lower case.
    pub(super) names: Vec<String>,
    /// The first of them that lacks its own end, so that no rule for ends of names is for it.
    pub(super) cut: usize,
    /// The provider that the model's prefix tells, if the event tells none.
    pub(super) provider: Option<Provider<'static>>,
    /// Whether it is somebody's own: no name of its base model is for it.
    pub(super) is_tuned: bool,
}

impl ModelNames {
    /// The names of a model; `provider` is the event's, if it tells one.
    pub(super) fn of(model: &str, provider: Option<Provider<'_>>) -> Self {
        let mut names = vec![model.trim().to_lowercase()];
        let mut told = None;
        keep(&mut names, |name| without_path(name).map(str::to_owned));
        for _ in 0..PARTS_MAX {
            if !keep(&mut names, |name| {
                without_provider(name, provider, &mut told).map(str::to_owned)
            }) {
                break;
            }
        }
        keep(&mut names, |name| without_path(name).map(str::to_owned));
        let whole = names.len();
        keep(&mut names, |name| name.split_once('@').map(|(name, _)| name.to_owned()));
        keep(&mut names, |name| without_version(name).map(str::to_owned));
        let cut = if names.len() > whole { whole } else { usize::MAX };
        keep(&mut names, with_dashes);
        let is_tuned = names.iter().any(|name| is_tuned(name));
        Self { names, cut, provider: told, is_tuned }
    }
}

/// Adds what is made of the last name; false if nothing is.
fn keep(names: &mut Vec<String>, made: impl FnOnce(&str) -> Option<String>) -> bool {
    let made = names.last().and_then(|name| made(name)).filter(|made| !made.is_empty());
    names.extend(made.clone());
    made.is_some()
}

/// The last part of a resource's path: of `models/…`, `publishers/…/models/…`, or an ARN.
fn without_path(name: &str) -> Option<&str> {
    if name.starts_with("arn:") {
        return name.rsplit_once('/').map(|(_, name)| name);
    }
    if let Some(name) = name.strip_prefix("models/") {
        return Some(name);
    }
    let (_, resource) = name.split_once("publishers/")?;
    resource.split_once("/models/").map(|(_, name)| name)
}

/// Without a first part that names the event's provider, or one that is known if the event has none.
fn without_provider<'n>(
    name: &'n str,
    provider: Option<Provider<'_>>,
    told: &mut Option<Provider<'static>>,
) -> Option<&'n str> {
    let (first, rest) = name.split_once('/').filter(|(first, _)| !first.is_empty())?;
    let wanted = provider.or(*told);
    // The ways that LiteLLM calls Amazon Bedrock.
    if matches!(first, "converse" | "invoke") && wanted.is_some_and(|one| one.family == "aws") {
        return Some(rest);
    }
    let named = Provider::of(first);
    match wanted {
        _ if named.is_none() => Some(rest),
        Some(wanted) => named.filter(|named| named.family == wanted.family).map(|_| rest),
        None => {
            *told = Some(Provider::known(first)?);
            Some(rest)
        }
    }
}

/// Without `-v1:0` at the end.
fn without_version(name: &str) -> Option<&str> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (name, revision) = name.rsplit_once(':')?;
    let (name, version) = name.rsplit_once("-v")?;
    (digits(revision) && digits(version)).then_some(name)
}

/// With dashes in a date at the end: `-20251211` is the `-2025-12-11` of others.
fn with_dashes(name: &str) -> Option<String> {
    let (name, date) = name.rsplit_once('-')?;
    let plain = date.len() == 8 && date.starts_with("20");
    if !plain || !date.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (year, rest) = date.split_at_checked(4)?;
    let (month, day) = rest.split_at_checked(2)?;
    let exists = ("01"..="12").contains(&month) && ("01"..="31").contains(&day);
    exists.then(|| format!("{name}-{year}-{month}-{day}"))
}

/// Whether the name is of a model that somebody tuned.
pub(super) fn is_tuned(name: &str) -> bool {
    name.starts_with("ft:") || name.contains(":ft-") || name.contains(".ft-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_many_parts_makes_few_names() {
        for part in ["/", "aws/", "litellm/", "openrouter/", "bedrock/converse/"] {
            let names = ModelNames::of(&format!("{}gpt-4o", part.repeat(80)), Provider::of("aws"));
            assert!(names.names.len() <= PARTS_MAX + 6, "{part}: {}", names.names.len());
        }
    }

    fn last(model: &str, provider: &str) -> String {
        let names = ModelNames::of(model, Provider::of(provider));
        names.names.last().unwrap().clone()
    }

    #[test]
    fn what_is_around_a_name_is_taken_off() {
        let cases = [
            ("GPT-4o ", "openai", "gpt-4o"),
            ("openai/gpt-4o", "openai", "gpt-4o"),
            ("azure/gpt-4o", "azure.ai.openai", "gpt-4o"),
            ("models/gemini-2.5-pro", "gemini", "gemini-2.5-pro"),
            ("gemini/models/gemini-2.5-pro", "gemini", "gemini-2.5-pro"),
            (
                "projects/p/locations/us/publishers/google/models/gemini-2.5-pro",
                "vertex_ai",
                "gemini-2.5-pro",
            ),
            ("publishers/anthropic/models/claude-opus-4@20250514", "vertex_ai", "claude-opus-4"),
            (
                "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-x-v1:0",
                "bedrock",
                "us.anthropic.claude-x",
            ),
            ("bedrock/converse/eu.amazon.nova-v1:0", "bedrock", "eu.amazon.nova"),
            ("arn:aws:bedrock:us-east-1:1:application-inference-profile/x1", "aws", "x1"),
            ("gpt-5.2-20251211", "openai", "gpt-5.2-2025-12-11"),
            ("litellm_proxy/openai/gpt-4o", "", "gpt-4o"),
            // Another's prefix is part of the name.
            ("openai/gpt-oss-120b", "groq", "openai/gpt-oss-120b"),
            ("bedrock/us-east-1/anthropic.claude", "bedrock", "us-east-1/anthropic.claude"),
            (
                "ft:gpt-4o-mini-2024-07-18:acme::abc",
                "openai",
                "ft:gpt-4o-mini-2024-07-18:acme::abc",
            ),
            ("x-20251311", "openai", "x-20251311"),
            ("/", "openai", "/"),
        ];
        for (model, provider, name) in cases {
            assert_eq!(last(model, provider), name, "{model}");
        }
    }

    #[test]
    fn a_prefix_tells_the_provider_if_nothing_else_does() {
        let names = ModelNames::of("gemini/gemini-2.5-pro", None);
        assert_eq!(names.provider.unwrap().family, "google");
        assert_eq!(names.names, ["gemini/gemini-2.5-pro", "gemini-2.5-pro"]);
        let names = ModelNames::of("meta-llama/llama-3", None);
        assert_eq!((names.provider, names.names.len()), (None, 1));
    }

    #[test]
    fn a_tuned_model_is_seen_in_every_spelling() {
        for name in ["ft:gpt-4o", "openai/ft:gpt-4o", "davinci:ft-acme-2023", "gpt-4o.ft-12"] {
            assert!(ModelNames::of(name, Provider::of("openai")).is_tuned, "{name}");
        }
        assert!(!ModelNames::of("gpt-4o-left", None).is_tuned);
    }
}
