//! The organisations that send synthetic events: few send most of them, and each uses some models.

use super::models::{MODELS, Model};
use super::random::Random;
use crate::event::{InvalidOrgId, OrgId};

/// The weight of the largest organisation; the one of rank `n` has 1/`n` of it (Zipf).
const WEIGHT: u64 = 1 << 32;

/// An organisation and its models.
#[derive(Debug)]
pub(super) struct Org {
    pub(super) id: OrgId,
    /// The models that it uses, the most used first.
    models: Vec<&'static Model>,
    /// The sum of its weight and those of all before it.
    weight_up_to: u64,
}

/// All organisations, the largest first.
#[derive(Debug)]
pub(super) struct Orgs {
    all: Vec<Org>,
    weight: u64,
}

impl Orgs {
    /// `count` organisations that use the first `models` models.
    pub(super) fn new(count: u32, models: usize, seed: u64) -> Result<Self, InvalidOrgId> {
        let mut weight = 0;
        let all = (0..count).map(|rank| {
            weight += WEIGHT / (u64::from(rank) + 1);
            let id = OrgId::parse(&format!("org-{rank:04}"))?;
            Ok(Org { id, models: chosen(models, seed, rank), weight_up_to: weight })
        });
        let all = all.collect::<Result<_, _>>()?;
        Ok(Self { all, weight })
    }

    /// All names.
    pub(super) fn ids(&self) -> impl Iterator<Item = &OrgId> {
        self.all.iter().map(|org| &org.id)
    }

    /// A random organisation, by weight.
    pub(super) fn any(&self, random: &mut Random) -> Option<&Org> {
        let at = random.below(self.weight);
        self.all.get(self.all.partition_point(|org| org.weight_up_to <= at))
    }
}

impl Org {
    /// A random model of the organisation; the first is used most.
    pub(super) fn model(&self, random: &mut Random) -> Option<&'static Model> {
        let count = self.models.len() as u64;
        let place = random.below(count).min(random.below(count));
        self.models.get(usize::try_from(place).ok()?).copied()
    }
}

/// At least 2 models if there are that many, in the organisation's own order.
fn chosen(models: usize, seed: u64, rank: u32) -> Vec<&'static Model> {
    // Organisations use streams from the upper end of numbers, which no event uses.
    let mut random = Random::new(seed, u64::MAX - u64::from(rank));
    let used = 2 + random.below(models.saturating_sub(1) as u64);
    let mut order: Vec<_> = MODELS.iter().take(models).map(|model| (random.any(), model)).collect();
    order.sort_by_key(|(place, _)| *place);
    let used = usize::try_from(used).unwrap_or(models);
    order.into_iter().take(used).map(|(_, model)| model).collect()
}
