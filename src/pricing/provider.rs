//! The names of providers: those of OpenTelemetry, LiteLLM, OpenLLMetry and genai-prices are one each.

/// A provider: the company whose prices apply, and which of its doors the name is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Provider<'n> {
    /// One name for all names of the provider.
    pub(super) family: &'n str,
    /// The door, as `vertex`; empty if the name is of all of them.
    pub(super) door: &'static str,
}

/// Names that say nothing of who sells the model, so that the model's own prefix tells it.
const GATEWAYS: [&str; 6] = ["", "litellm", "litellm_proxy", "_other", "unknown", "null"];

impl<'n> Provider<'n> {
    /// The provider of a name in lower case; `None` for those of gateways.
    pub(super) fn of(name: &'n str) -> Option<Self> {
        if GATEWAYS.contains(&name) {
            return None;
        }
        let (family, door) = known(name).unwrap_or((name, ""));
        Some(Self { family, door })
    }

    /// As [`Provider::of`], if the name is one of those that are known here.
    pub(super) fn known(name: &str) -> Option<Provider<'static>> {
        let (family, door) = known(name)?;
        Some(Provider { family, door })
    }
}

/// The provider and the door of a name in lower case.
fn known(name: &str) -> Option<(&'static str, &'static str)> {
    Some(match name {
        "openai" | "open_ai" | "text-completion-openai" => ("openai", ""),
        "azure" => ("azure", ""),
        "azure.ai.openai" | "az.ai.openai" | "azure_openai" | "azure-openai" => ("azure", "openai"),
        "azure.ai.inference" | "az.ai.inference" | "azure_ai" | "azure_text" => {
            ("azure", "inference")
        }
        "anthropic" => ("anthropic", ""),
        "google" | "gcp" | "gcp.gen_ai" | "google_genai" | "google-genai" => ("google", ""),
        "gemini" | "gcp.gemini" | "google-gla" | "google_ai_studio" => ("google", "gemini"),
        "vertex" | "vertexai" | "vertex_ai" | "vertex-ai" | "vertex_ai_beta" | "gcp.vertex_ai"
        | "google-vertex" => ("google", "vertex"),
        "aws" | "amazon" | "aws.bedrock" | "bedrock" | "bedrock_converse" | "amazon-bedrock"
        | "amazon_bedrock" => ("aws", ""),
        "mistral" | "mistralai" | "mistral_ai" => ("mistral", ""),
        "deepseek" | "deepseek_ai" => ("deepseek", ""),
        "xai" | "x_ai" | "x-ai" | "grok" => ("x-ai", ""),
        "groq" => ("groq", ""),
        "together" | "together_ai" | "togetherai" | "together-ai" | "together ai" => {
            ("together", "")
        }
        "cohere" | "cohere_chat" => ("cohere", ""),
        "perplexity" => ("perplexity", ""),
        "fireworks" | "fireworks_ai" | "fireworks-ai" => ("fireworks", ""),
        "openrouter" => ("openrouter", ""),
        "moonshotai" | "moonshot" | "moonshot_ai" => ("moonshotai", ""),
        "cerebras" => ("cerebras", ""),
        "databricks" => ("databricks", ""),
        "voyageai" | "voyage" => ("voyageai", ""),
        "watsonx" | "ibm.watsonx.ai" => ("watsonx", ""),
        // LiteLLM has a name for each kind of model there.
        vertex if vertex.starts_with("vertex_ai-") => ("google", "vertex"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_one_provider_are_one() {
        let family = |name| Provider::of(name).map(|provider| provider.family);
        for name in ["gcp.gemini", "gemini", "vertex_ai", "google", "vertex_ai-language-models"] {
            assert_eq!(family(name), Some("google"), "{name}");
        }
        for name in ["aws.bedrock", "bedrock", "aws", "bedrock_converse"] {
            assert_eq!(family(name), Some("aws"), "{name}");
        }
        for name in ["xai", "x_ai", "x-ai"] {
            assert_eq!(family(name), Some("x-ai"), "{name}");
        }
        assert_eq!(family("acme-llm"), Some("acme-llm"));
        assert_eq!((family("litellm"), family("unknown")), (None, None));
    }

    #[test]
    fn a_family_is_a_name_of_itself() {
        for name in ["vertex_ai", "gcp.gemini", "azure_ai", "bedrock", "x_ai", "mistral_ai"] {
            let family = known(name).unwrap().0;
            assert_eq!(known(family).unwrap(), (family, ""));
        }
    }
}
