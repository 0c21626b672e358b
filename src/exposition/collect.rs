//! `collect[]`: which groups of families a scrape asks for.

use super::format::MetricsFormat;
use crate::error::Kind;

/// A group of families that is requested by one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FamilyGroup {
    Core = 1,
    Tokens = 2,
    Pricing = 4,
    Freshness = 8,
    Dimensions = 16,
}

impl FamilyGroup {
    fn named(name: &str) -> Option<Self> {
        match name {
            "core" => Some(Self::Core),
            "tokens" => Some(Self::Tokens),
            "pricing" => Some(Self::Pricing),
            "freshness" => Some(Self::Freshness),
            "dimensions" => Some(Self::Dimensions),
            _ => None,
        }
    }
}

/// The name that asks for start times. It is of no group: it adds to the families that are shown.
const CREATED: &str = "created";
/// Its place in a set, beside the groups.
const CREATED_BIT: u8 = 32;
/// The groups whose counters are of series.
const OF_SERIES: u8 =
    FamilyGroup::Core as u8 | FamilyGroup::Tokens as u8 | FamilyGroup::Pricing as u8;

/// A set of groups. Equal requests have equal sets, whatever their order and repetitions, so a set
/// can be part of a cache key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Collect(u8);

/// A value of `collect[]` that names no group.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown collector {0:?}: collect[] takes core, tokens, pricing, freshness, dimensions and created"
)]
pub struct UnknownCollector(pub String);

impl UnknownCollector {
    /// The caller has to ask for something else.
    pub fn kind(&self) -> Kind {
        Kind::Invalid
    }
}

impl Collect {
    /// The set that the values of `collect[]` name: `core` if they name no group, otherwise exactly
    /// the named groups. This is the convention of `node_exporter` and `mysqld_exporter`.
    ///
    /// # Errors
    /// The first value that names no group. Names are case-sensitive.
    pub fn parse<'a>(values: impl Iterator<Item = &'a str>) -> Result<Self, UnknownCollector> {
        let (mut groups, mut created) = (0, 0);
        for name in values {
            match FamilyGroup::named(name) {
                Some(group) => groups |= group as u8,
                None if name == CREATED => created = CREATED_BIT,
                None => return Err(UnknownCollector(name.to_owned())),
            }
        }
        let groups = if groups == 0 { FamilyGroup::Core as u8 } else { groups };
        Ok(Self(groups | created))
    }

    /// What of it an answer in `format` can show. Equal answers get equal sets.
    pub fn shown_in(self, format: MetricsFormat) -> Self {
        match format {
            MetricsFormat::OpenMetrics100 => self,
            // Text has no start times, and protobuf always has those that are known.
            MetricsFormat::Text004 | MetricsFormat::Text100 | MetricsFormat::Protobuf => {
                Self(self.0 & !CREATED_BIT)
            }
        }
    }

    /// True if start times are asked for.
    pub fn has_created(self) -> bool {
        self.0 & CREATED_BIT != 0
    }

    /// True if there are counters of series among the families.
    pub fn has_series(self) -> bool {
        self.0 & OF_SERIES != 0
    }

    /// True if prices are asked for.
    pub fn has_pricing(self) -> bool {
        self.includes(FamilyGroup::Pricing)
    }

    /// True if dimensions are asked for.
    pub fn has_dimensions(self) -> bool {
        self.includes(FamilyGroup::Dimensions)
    }

    pub(super) fn includes(self, group: FamilyGroup) -> bool {
        self.0 & group as u8 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(names: &[&str]) -> Vec<FamilyGroup> {
        let collect = Collect::parse(names.iter().copied()).unwrap();
        [FamilyGroup::Core, FamilyGroup::Tokens, FamilyGroup::Pricing, FamilyGroup::Freshness]
            .into_iter()
            .filter(|group| collect.includes(*group))
            .collect()
    }

    #[test]
    fn nothing_named_is_core() {
        assert_eq!(groups(&[]), [FamilyGroup::Core]);
    }

    #[test]
    fn only_what_is_named_appears() {
        assert_eq!(groups(&["tokens"]), [FamilyGroup::Tokens]);
        assert_eq!(groups(&["freshness", "core"]), [FamilyGroup::Core, FamilyGroup::Freshness]);
        assert_eq!(groups(&["core", "tokens", "pricing", "freshness"]).len(), 4);
    }

    #[test]
    fn order_and_repetition_make_no_difference() {
        let one = Collect::parse(["core", "pricing"].into_iter());
        assert_eq!(one, Collect::parse(["pricing", "core", "pricing"].into_iter()));
    }

    #[test]
    fn created_adds_to_the_groups_in_openmetrics_alone() {
        let collect = |names: &[&str]| Collect::parse(names.iter().copied()).unwrap();
        assert_eq!(groups(&["created"]), [FamilyGroup::Core]);
        assert_eq!(groups(&["created", "tokens"]), [FamilyGroup::Tokens]);
        let asked = collect(&["created", "core"]);
        assert!(asked.has_created() && !collect(&["core"]).has_created());
        assert_eq!(asked, collect(&["created"]));
        assert_eq!(asked.shown_in(MetricsFormat::OpenMetrics100), asked);
        for format in [MetricsFormat::Text004, MetricsFormat::Text100, MetricsFormat::Protobuf] {
            assert_eq!(asked.shown_in(format), collect(&["core"]));
        }
        assert!(asked.has_series() && !collect(&["dimensions", "freshness"]).has_series());
    }

    #[test]
    fn an_unknown_name_is_refused_and_shown() {
        for name in ["Core", "", "all", "core,tokens", " core", "Created"] {
            let error = Collect::parse(["core", name].into_iter()).unwrap_err();
            assert_eq!(error, UnknownCollector(name.to_owned()));
            assert_eq!(error.kind(), Kind::Invalid);
        }
        insta::assert_snapshot!(
            UnknownCollector("a\nb".to_owned()),
            @r#"unknown collector "a\nb": collect[] takes core, tokens, pricing, freshness, dimensions and created"#
        );
    }
}
