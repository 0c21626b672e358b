//! The identity of a job: two runs are the same job if they read the same unchanged inputs in the
//! same way.

use sha2::{Digest as _, Sha256};

use super::FieldPair;
use super::inputs::Inputs;
use super::shape::Shape;
use crate::event::OrgRule;

/// Change this if rows are to be counted in another way.
const MEANING: &str = "tokenlake backfill 2";
/// Bytes of the hash that distinguishes jobs.
const HASH_BYTES: usize = 16;

/// The name by which the table knows the job; none if another run may read other bytes under the
/// same names.
pub(super) fn of(inputs: &Inputs, shape: &Shape, delimiter: Option<u8>) -> Option<String> {
    inputs.come_again().then(|| hash_of(inputs, shape, delimiter))
}

fn hash_of(inputs: &Inputs, shape: &Shape, delimiter: Option<u8>) -> String {
    let mut hash = Sha256::new();
    let mut part = |text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    };
    part(MEANING);
    part(match &shape.org_rule {
        OrgRule::Only(org) => org.as_str(),
        OrgRule::Own => "*",
    });
    for (what, pairs) in [("map", &shape.maps), ("default", &shape.defaults)] {
        let mut pairs: Vec<_> = pairs.iter().map(FieldPair::to_string).collect();
        pairs.sort_unstable();
        part(what);
        part(&pairs.len().to_string());
        pairs.iter().for_each(|pair| part(pair));
    }
    part(&format!("{delimiter:?}"));
    for input in &inputs.files {
        part(&input.whole_name());
        part(&format!("{:?} {:?} {} {}", input.format, input.coding, input.bytes, input.changed));
        part(&input.identity);
        input.folders.iter().for_each(|field| part(&format!("{field:?}")));
    }
    let digits = hex::encode(hash.finalize());
    let digits = digits.get(..2 * HASH_BYTES).unwrap_or(&digits);
    format!("tokenlake-backfill-{digits}")
}
