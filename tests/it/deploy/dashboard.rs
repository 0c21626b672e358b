//! Tests of the dashboard's format, as Grafana requires it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::text;

/// All that are shipped, and those among them whose source is Prometheus.
const DASHBOARDS: [&str; 3] = ["tokenlake", "dimensions", "usage"];
pub(super) const OF_PROMETHEUS: [&str; 2] = ["tokenlake", "dimensions"];

/// Grafana's grid is so wide.
const COLUMNS: u64 = 24;

pub(super) fn dashboard(name: &str) -> Value {
    serde_json::from_str(&text(&format!("deploy/grafana/dashboards/{name}.json"))).unwrap()
}

pub(super) fn panels(name: &str) -> Vec<Value> {
    dashboard(name)["panels"].as_array().unwrap().clone()
}

#[test]
fn each_panel_has_a_place_of_its_own() {
    for name in DASHBOARDS {
        let (mut taken, mut ids) = (BTreeSet::new(), BTreeSet::new());
        for panel in panels(name) {
            let side = |name: &str| panel["gridPos"][name].as_u64().unwrap();
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{}", panel["title"]);
            assert!(side("x") + side("w") <= COLUMNS, "{}", panel["title"]);
            for x in side("x")..side("x") + side("w") {
                for y in side("y")..side("y") + side("h") {
                    assert!(taken.insert((x, y)), "{} covers another", panel["title"]);
                }
            }
        }
    }
    let ids: BTreeSet<_> = DASHBOARDS.map(|name| dashboard(name)["uid"].to_string()).into();
    assert_eq!(ids.len(), DASHBOARDS.len());
}

#[test]
fn each_query_goes_to_the_chosen_source_and_organisations() {
    for panel in OF_PROMETHEUS.into_iter().flat_map(panels) {
        let targets = panel["targets"].as_array().into_iter().flatten();
        let mut references = BTreeSet::new();
        for target in targets {
            assert!(references.insert(target["refId"].as_str().unwrap()));
            assert_eq!(target["datasource"]["uid"], "${datasource}");
            // Telemetry knows no organisations; all else is of those that are chosen.
            let query = target["expr"].as_str().unwrap();
            let (all, chosen) =
                (query.matches("llm_").count(), query.matches("{org_id=~\"$org\"").count());
            assert_eq!(all, chosen, "{query}");
            let of_dimension = query.matches("llm_dimension_").count();
            let chosen = query.matches("{org_id=~\"$org\", dimension=\"$dimension\"}").count();
            assert_eq!(of_dimension, chosen, "{query}");
        }
        assert_eq!(references.is_empty(), panel["type"] == "row", "{}", panel["title"]);
    }
}
