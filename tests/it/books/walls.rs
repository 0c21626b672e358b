//! Who sees which reports: an organisation its own, a key that is bound to a part of it none, operators all.

use serde_json::json;

use super::{DAY, HOUR, Priced, asked, import, openai, rows, used};
use crate::support::process::{key, key_with};

const COUNT: &str = "SELECT org_id, model FROM provider_reports ORDER BY 1, 2";

#[test]
fn an_organisation_sees_its_own_reports_and_a_part_of_one_sees_none() {
    let acme = Priced::start(&[]);
    let page = |model: &str| openai(&[(DAY, DAY + HOUR, json!([used(&json!(model), 1, 1, 1)]))]);
    import(&acme, "openai-usage", &page("ours"));
    let globex = key(acme.archive.path(), "globex");
    let file = acme.file("globex.json", &page("theirs").to_string());
    let args = ["report", "import", "--format", "openai-usage", "--org", "globex", &file];
    assert_eq!(acme.run(&args).status, 0);
    assert_eq!(acme.run(&["dimension", "add", "team"]).status, 0);
    let bound = key_with(acme.archive.path(), "acme", &["--dimension", "team=core"]);
    std::thread::sleep(std::time::Duration::from_secs(5));

    let own = |org: &str, model: &str| json!([{ "org_id": org, "model": model }]);
    assert_eq!(asked(&acme, &acme.key, COUNT), (200, own("acme", "ours")));
    assert_eq!(asked(&acme, &globex, COUNT), (200, own("globex", "theirs")));
    let others = "SELECT count(*) AS n FROM provider_reports WHERE org_id <> 'acme'";
    assert_eq!(asked(&acme, &acme.key, others), (200, json!([{ "n": 0 }])));
    // An expression that fails on another's row does not, since there is none.
    let fails =
        "SELECT 1 / (CASE WHEN model = 'theirs' THEN 0 ELSE 1 END) AS x FROM provider_reports";
    assert_eq!(asked(&acme, &acme.key, fails), (200, json!([{ "x": 1 }])));
    assert_eq!(rows(&acme, COUNT).as_array().unwrap().len(), 2);
    let done = acme.run(&["sql", "--org", "globex", "--format", "json", "-c", COUNT]);
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&done.stdout).unwrap(),
        own("globex", "theirs")
    );

    let (status, told) = asked(&acme, &bound, COUNT);
    assert_eq!(status, 400, "{told}");
    let told = told.to_string();
    assert!(told.contains("the tables are events, usage_hourly and usage_by_dimension"), "{told}");
    assert_eq!(asked(&acme, &bound, "SELECT count(*) AS n FROM events").0, 200);
    let (status, told) = asked(&acme, &acme.key, "SELECT * FROM tenants");
    let named = "the tables are events, usage_hourly, usage_by_dimension and provider_reports";
    assert!(status == 400 && told.to_string().contains(named), "{told}");
}
