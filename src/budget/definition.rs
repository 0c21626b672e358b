//! What a budget is: how much of what in which period, and who is told when which share is spent.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::amount::BudgetAmount;
use super::error::BudgetError;
use super::kind::WebhookKind;
use super::period::BudgetPeriod;
use super::target::Target;
use crate::access::BoundTo;
use crate::event::excerpt;
use crate::usage::Zone;

/// Thresholds of a budget.
const THRESHOLDS_MAX: usize = 16;
/// The highest threshold, in percent.
const PERCENT_MAX: u32 = 10_000;
/// Bytes of the longest key of PagerDuty.
const ROUTING_KEY_BYTES_MAX: usize = 128;

/// A definition as it is sent; what is absent has a default, or is an error.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskedBudget {
    /// Dollars: decimal text, or a number.
    pub amount: DecimalText,
    /// The period's name.
    pub period: String,
    /// UTC by default.
    #[serde(default)]
    pub timezone: Option<String>,
    /// The part that counts, as `team=core`; all by default.
    #[serde(default)]
    pub dimension: Option<String>,
    /// In percent.
    pub thresholds: Vec<u32>,
    /// Whom to tell.
    pub webhook: String,
    /// In which form; generic by default.
    #[serde(default)]
    pub kind: Option<String>,
    /// PagerDuty's key, if it is not the user of the URL.
    #[serde(default)]
    pub routing_key: Option<String>,
}

/// The text of a number, which no float holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Box<RawValue>")]
pub struct DecimalText(pub String);

impl TryFrom<Box<RawValue>> for DecimalText {
    type Error = serde_json::Error;

    fn try_from(value: Box<RawValue>) -> Result<Self, serde_json::Error> {
        match value.get() {
            text if text.starts_with('"') => serde_json::from_str(text).map(Self),
            text => Ok(Self(text.to_owned())),
        }
    }
}

impl AskedBudget {
    /// Reads the JSON of a definition.
    ///
    /// # Errors
    /// [`BudgetError::Json`].
    pub fn from_json(body: &[u8]) -> Result<Self, BudgetError> {
        // A list of the fields' values would do for the reader.
        if body.trim_ascii_start().first() != Some(&b'{') {
            return Err(BudgetError::Json("it is no JSON object".to_owned()));
        }
        serde_json::from_slice(body).map_err(|error| BudgetError::Json(excerpt(&error.to_string())))
    }
}

/// A budget, checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// How much.
    pub amount: BudgetAmount,
    /// In which time.
    pub period: BudgetPeriod,
    /// On whose clock.
    #[serde(with = "zone_name")]
    pub timezone: Zone,
    /// Of which part of the organisation; `None` for all of it.
    pub dimension: Option<BoundTo>,
    /// In percent, in order, each once.
    pub thresholds: Vec<u32>,
    /// Who is told.
    #[serde(with = "target_url")]
    pub webhook: Target,
    /// In which form.
    pub kind: WebhookKind,
    /// PagerDuty's key.
    pub routing_key: Option<RoutingKey>,
}

impl Definition {
    /// Checks what was sent, but for what the operator allows.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn read(asked: &AskedBudget) -> Result<Self, BudgetError> {
        let kind = asked.kind.as_deref().map(str::parse).transpose()?.unwrap_or_default();
        let (webhook, routing_key) = receiver(asked, kind)?;
        let zone = asked.timezone.as_deref().map(str::parse).transpose();
        let dimension = asked.dimension.as_deref().map(str::parse).transpose()?;
        Ok(Self {
            amount: BudgetAmount::parse(&asked.amount.0)?,
            period: asked.period.parse()?,
            timezone: zone.map_err(BudgetError::Zone)?.unwrap_or_default(),
            dimension,
            thresholds: thresholds(&asked.thresholds)?,
            webhook,
            kind,
            routing_key,
        })
    }

    /// Whether both tell the same receiver.
    pub fn has_receiver_of(&self, other: &Self) -> bool {
        self.webhook == other.webhook && self.routing_key == other.routing_key
    }

    /// Whether both count the same against the same amount, so that what has fired stays fired.
    pub fn counts_as(&self, other: &Self) -> bool {
        let of = |one: &Self| (one.amount, one.period, one.timezone, one.dimension.clone());
        of(self) == of(other)
    }
}

fn receiver(
    asked: &AskedBudget,
    kind: WebhookKind,
) -> Result<(Target, Option<RoutingKey>), BudgetError> {
    let given = asked.routing_key.as_ref();
    if kind != WebhookKind::PagerDuty {
        let target = Target::parse(&asked.webhook)?;
        return if given.is_some() { Err(BudgetError::RoutingKey) } else { Ok((target, None)) };
    }
    let (target, user) = Target::parse_with_user(&asked.webhook)?;
    let key = match (given, user) {
        (Some(key), None) => key.clone(),
        (None, Some(key)) => key,
        (None, None) => return Err(BudgetError::NoRoutingKey),
        (Some(key), Some(user)) if *key == user => user,
        (Some(_), Some(_)) => return Err(BudgetError::RoutingKey),
    };
    Ok((target, Some(RoutingKey::try_from(key)?)))
}

fn thresholds(asked: &[u32]) -> Result<Vec<u32>, BudgetError> {
    let mut thresholds = asked.to_vec();
    thresholds.sort_unstable();
    thresholds.dedup();
    let fits = (1..=THRESHOLDS_MAX).contains(&thresholds.len())
        && thresholds.iter().all(|percent| (1..=PERCENT_MAX).contains(percent));
    fits.then_some(thresholds)
        .ok_or_else(|| BudgetError::Thresholds(excerpt(&format!("{asked:?}"))))
}

/// The key by which PagerDuty knows a service. `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RoutingKey(String);

impl RoutingKey {
    /// The text.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RoutingKey {
    type Error = BudgetError;

    fn try_from(text: String) -> Result<Self, BudgetError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        let fits = (1..=ROUTING_KEY_BYTES_MAX).contains(&text.len()) && text.bytes().all(allowed);
        if fits { Ok(Self(text)) } else { Err(BudgetError::RoutingKey) }
    }
}

impl From<RoutingKey> for String {
    fn from(key: RoutingKey) -> Self {
        key.0
    }
}

impl fmt::Debug for RoutingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RoutingKey(..)")
    }
}

/// Zones are stored by their names.
mod zone_name {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use crate::usage::Zone;

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives references")]
    pub(super) fn serialize<S: Serializer>(zone: &Zone, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(zone.name())
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(input: D) -> Result<Zone, D::Error> {
        String::deserialize(input)?.parse().map_err(D::Error::custom)
    }
}

/// Targets are stored by their URLs.
mod target_url {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use crate::budget::target::Target;

    pub(super) fn serialize<S: Serializer>(target: &Target, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(target.url().as_str())
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(input: D) -> Result<Target, D::Error> {
        Target::parse(&String::deserialize(input)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"amount":"100","period":"month","timezone":"Europe/Berlin",
        "dimension":"team=core","thresholds":[80,50,80],"webhook":"https://hooks.example.com/x","kind":"generic"}"#;

    fn read(body: &str) -> Result<Definition, String> {
        let asked = AskedBudget::from_json(body.as_bytes()).map_err(|error| error.to_string())?;
        Definition::read(&asked).map_err(|error| error.to_string())
    }

    #[test]
    fn a_definition_is_read_with_its_defaults() {
        let budget = read(BODY).unwrap();
        assert_eq!(budget.thresholds, [50, 80]);
        assert_eq!(budget.dimension.unwrap().to_string(), "team=core");
        let least =
            r#"{"amount":99.50,"period":"rolling-24h","thresholds":[100],"webhook":"http://a:1"}"#;
        let budget = read(least).unwrap();
        assert_eq!(
            (budget.amount.to_string(), budget.timezone, budget.kind, budget.dimension),
            ("99.5".to_owned(), Zone::default(), WebhookKind::Generic, None)
        );
    }

    #[test]
    fn each_wrong_definition_has_its_reason() {
        for (from, to, reason) in [
            ("\"100\"", "\"0\"", "no amount"),
            ("\"100\"", "\"1e3\"", "no amount"),
            ("\"100\"", "null", "no amount"),
            ("\"100\"", "{}", "no amount"),
            ("month", "year", "unknown period"),
            ("Europe/Berlin", "Europe/Nowhere", "unknown timezone"),
            ("team=core", "team", "names no part"),
            ("[80,50,80]", "[]", "thresholds"),
            ("[80,50,80]", "[0]", "thresholds"),
            ("[80,50,80]", "[10001]", "thresholds"),
            ("[80,50,80]", "[50.5]", "no budget"),
            ("[80,50,80]", "[-1]", "no budget"),
            ("[80,50,80]", "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]", "thresholds"),
            ("https://hooks.example.com/x", "hooks.example.com", "no URL"),
            ("https://hooks.example.com/x", "https://u@hooks.example.com", "no URL"),
            ("generic", "email", "unknown kind"),
            ("generic", "pagerduty", "needs a routing key"),
            ("\"kind\"", "\"kinds\"", "unknown field"),
            ("\"kind\":\"generic\"", "\"kind\":\"generic\",\"routing_key\":\"x\"", "routing key"),
            ("\"period\":\"month\",", "", "missing field"),
            ("}", "", "no budget"),
        ] {
            let body = BODY.replacen(from, to, 1);
            assert_ne!(body, BODY, "{from}");
            let error = read(&body).unwrap_err();
            assert!(error.contains(reason) && error.lines().count() == 1, "{from} {to}: {error}");
        }
    }

    #[test]
    fn only_an_object_is_a_definition() {
        let list = r#"["100","month","UTC",null,[80],"https://hooks.example.com/x",null,null]"#;
        for body in [list, "", "[]", "null", "\"x\"", "1"] {
            assert!(read(body).unwrap_err().contains("no JSON object"), "{body}");
        }
        assert!(read(&format!(" \n{BODY}")).is_ok());
    }

    #[test]
    fn the_key_of_pagerduty_is_given_apart_or_as_the_user_and_never_shown() {
        let of = |body: &str| read(&body.replace("generic", "pagerduty"));
        let user = of(&BODY.replace("https://", "https://K1@")).unwrap();
        let apart = BODY.replace("\"kind\"", "\"routing_key\":\"K1\",\"kind\"");
        assert_eq!(of(&apart).unwrap(), user);
        assert_eq!(user.routing_key.as_ref().unwrap().reveal(), "K1");
        assert_eq!(user.webhook.url().as_str(), "https://hooks.example.com/x");
        assert!(!format!("{user:?}").contains("K1"));
        assert!(of(&apart.replace("https://", "https://K2@")).is_err());
        assert!(of(&BODY.replace("https://", "https://K1:p@")).is_err());
    }

    #[test]
    fn a_definition_survives_its_stored_form() {
        let budget = read(BODY).unwrap();
        let text = serde_json::to_string(&budget).unwrap();
        assert_eq!(serde_json::from_str::<Definition>(&text).unwrap(), budget);
        assert!(
            serde_json::from_str::<Definition>(&text.replace("\"kind\"", "\"x\":1,\"kind\""))
                .is_err()
        );
    }

    #[test]
    fn who_is_told_is_no_part_of_what_counts() {
        let budget = read(BODY).unwrap();
        let of = |from: &str, to: &str| read(&BODY.replacen(from, to, 1)).unwrap();
        assert!(of("hooks", "other").counts_as(&budget));
        assert!(of("[80,50,80]", "[90]").counts_as(&budget));
        assert!(of("\"100\"", "\"100.0\"").counts_as(&budget));
        for (from, to) in
            [("\"100\"", "\"101\""), ("month", "day"), ("Berlin", "Paris"), ("core", "b")]
        {
            assert!(!of(from, to).counts_as(&budget), "{from}");
        }
    }
}
