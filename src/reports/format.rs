//! The forms of reports: whose they are, and of what.

use crate::archive::ReportName;

/// The form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportFormat {
    /// `GET /v1/organization/usage/…` of OpenAI.
    OpenaiUsage,
    /// `GET /v1/organization/costs` of OpenAI.
    OpenaiCosts,
    /// `GET /v1/organizations/usage_report/messages` of Anthropic.
    AnthropicUsage,
    /// `GET /v1/organizations/cost_report` of Anthropic.
    AnthropicCosts,
}

impl ReportFormat {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::OpenaiUsage, Self::OpenaiCosts, Self::AnthropicUsage, Self::AnthropicCosts];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenaiUsage => "openai-usage",
            Self::OpenaiCosts => "openai-costs",
            Self::AnthropicUsage => "anthropic-usage",
            Self::AnthropicCosts => "anthropic-costs",
        }
    }

    /// Under which name its rows are kept.
    pub fn report(self) -> ReportName {
        let (provider, report) = match self {
            Self::OpenaiUsage => ("openai", "usage"),
            Self::OpenaiCosts => ("openai", "costs"),
            Self::AnthropicUsage => ("anthropic", "usage"),
            Self::AnthropicCosts => ("anthropic", "costs"),
        };
        ReportName { provider: provider.to_owned(), report: report.to_owned() }
    }
}
