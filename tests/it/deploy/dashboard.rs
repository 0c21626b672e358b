//! Tests of the dashboard's format, as Grafana requires it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::text;

/// Grafana's grid is so wide.
const COLUMNS: u64 = 24;

fn panels() -> Vec<Value> {
    let dashboard: Value =
        serde_json::from_str(&text("deploy/grafana/dashboards/tokenlake.json")).unwrap();
    dashboard["panels"].as_array().unwrap().clone()
}

#[test]
fn each_panel_has_a_place_of_its_own() {
    let mut taken = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for panel in panels() {
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

#[test]
fn each_query_goes_to_the_chosen_source_and_organisations() {
    for panel in panels() {
        let targets = panel["targets"].as_array().into_iter().flatten();
        let mut references = BTreeSet::new();
        for target in targets {
            assert!(references.insert(target["refId"].as_str().unwrap()));
            assert_eq!(target["datasource"]["uid"], "${datasource}");
            // Telemetry knows no organisations; all else is of those that are chosen.
            let query = target["expr"].as_str().unwrap();
            let (all, chosen) =
                (query.matches("llm_").count(), query.matches("{org_id=~\"$org\"}").count());
            assert_eq!(all, chosen, "{query}");
        }
        assert_eq!(references.is_empty(), panel["type"] == "row", "{}", panel["title"]);
    }
}
