//! Tests of the picture of the dashboard: it is drawn from the shipped files and shows them.

use std::process::Command;

use serde_json::Value;
use tempfile::tempdir;

use super::{content, path, text};
use crate::support::process::installed;

/// The titles of the dashboard's first part.
fn titles() -> Vec<String> {
    let dashboard: Value =
        serde_json::from_str(&text("deploy/grafana/dashboards/tokenlake.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let panels = panels.skip(1).take_while(|panel| panel["type"] != "row");
    panels.map(|panel| panel["title"].as_str().unwrap().to_owned()).collect()
}

fn assert_shows_the_dashboard(picture: &str) {
    for title in titles() {
        assert!(picture.contains(&format!(">{title}</text>")), "{title}");
    }
    assert!(!picture.contains("nan"), "{picture}");
    assert!(picture.contains("gpt-4o") && picture.contains("budget of acme"), "{picture}");
}

#[test]
fn the_picture_shows_the_panels_that_the_dashboard_has() {
    assert_shows_the_dashboard(&text("docs/dashboard.svg"));
}

#[test]
fn the_picture_can_be_drawn_anew() {
    if !["prometheus", "promtool", "python3"].into_iter().all(installed) {
        return;
    }
    let folder = tempdir().unwrap();
    let picture = folder.path().join("picture.svg");
    let mut draw = Command::new("python3");
    draw.arg(path("deploy/grafana/draw.py")).arg(env!("CARGO_BIN_EXE_tokenlake")).arg(&picture);
    content(draw.arg("4"));
    assert_shows_the_dashboard(&std::fs::read_to_string(picture).unwrap());
}
