//! Tests of the catalogs: what they tell agrees with itself and with what queries give.

use super::Lake;

#[test]
fn catalogs_agree_with_the_tables() {
    let lake = Lake::start(&[]);
    let mut client = lake.door.login(&lake.key);
    for table in ["events", "usage_hourly", "usage_by_dimension", "provider_reports"] {
        let rows = client.query(&format!("SELECT * FROM {table} LIMIT 0"));
        let told = client.query(&format!(
            "SELECT attname, atttypid FROM pg_attribute WHERE attrelid = '{table}'::regclass ORDER BY attnum"
        ));
        let told: Vec<_> =
            told.texts().into_iter().map(|row| (row[0].clone(), row[1].parse().unwrap())).collect();
        assert_eq!(rows.columns, told, "{table}");
        let listed = client.query(&format!(
            "SELECT column_name FROM information_schema.columns WHERE table_name = '{table}' ORDER BY ordinal_position"
        ));
        let names: Vec<_> = told.into_iter().map(|(name, _)| name).collect();
        assert_eq!(listed.texts().concat(), names);
    }
    // The sums of both tables of usage are null where no event has a value.
    let differ = client.query(
        "SELECT a.attname FROM pg_attribute a JOIN pg_attribute b ON a.attname = b.attname \
         WHERE a.attrelid = 'usage_hourly'::regclass AND b.attrelid = 'usage_by_dimension'::regclass \
         AND a.attnotnull <> b.attnotnull",
    );
    assert_eq!(differ.texts(), Vec::<Vec<String>>::new());
    let unknown = client.query(
        "SELECT count(*) FROM pg_attribute a LEFT JOIN pg_type t ON t.oid = a.atttypid WHERE t.oid IS NULL",
    );
    assert_eq!(unknown.value(), "0", "each type is known");
}

#[test]
fn settings_are_those_that_show_tells() {
    let lake = Lake::start(&[]);
    let mut client = lake.door.login(&lake.key);
    let all = client.query("SELECT name, setting FROM pg_settings ORDER BY name").texts();
    assert!(all.len() >= 30, "{all:?}");
    for row in all {
        let shown = client.query(&format!("SHOW {}", row[0])).value();
        assert_eq!(shown, row[1], "{}", row[0]);
        let told = client.query(&format!("SELECT current_setting('{}')", row[0])).value();
        assert_eq!(told, row[1], "{}", row[0]);
    }
}

#[test]
fn names_are_looked_up() {
    let lake = Lake::start(&[]);
    let mut client = lake.door.login(&lake.key);
    for (asked, expected) in [
        ("to_regclass('public.events') = 'events'::regclass", "t"),
        ("to_regclass('nothing') IS NULL", "t"),
        ("to_regtype('int4')", "23"),
        ("to_regtype('hstore') IS NULL", "t"),
        ("'int8[]'::regtype::oid", "1016"),
        ("to_regnamespace('public')", "2200"),
        ("current_setting('timezone')", "UTC"),
        ("current_setting('nothing', true) IS NULL", "t"),
        ("(SELECT current_setting(name) FROM pg_settings WHERE name = 'TimeZone')", "UTC"),
        ("count(current_setting(name)) > 20 FROM pg_settings", "t"),
        ("(SELECT count(*) FROM pg_type WHERE typreceive = 'array_recv'::regproc) > 9", "t"),
        ("(SELECT count(*) FROM pg_type t JOIN pg_type p ON p.oid = t.typinput)", "0"),
        (
            "set_config('bytea_output', 'hex', false) FROM pg_show_all_settings() WHERE name = 'jit'",
            "hex",
        ),
        ("usesuper FROM pg_user WHERE usename = current_user", "f"),
        ("count(*) FROM pg_roles WHERE rolname IN (current_user, 'tokenlake')", "2"),
    ] {
        assert_eq!(client.query(&format!("SELECT {asked}")).value(), expected, "{asked}");
    }
    for (asked, state) in [
        ("current_setting('nothing')", "42704"),
        ("'nothing'::regtype", "42704"),
        ("'nothing'::regnamespace", "3F000"),
        ("to_regclass(relname) FROM pg_class", "0A000"),
    ] {
        assert_eq!(client.query(&format!("SELECT {asked}")).state(), state, "{asked}");
    }
}

#[test]
fn own_tables_come_before_those_of_the_catalog() {
    let lake = Lake::start(&[]);
    let mut client = lake.door.login(&lake.key);
    let own = "WITH pg_index AS (SELECT 7 AS n), views AS (SELECT 8 AS n) \
               SELECT (SELECT max(n) FROM pg_index), (SELECT max(n) FROM views)";
    assert_eq!(client.query(own).texts(), [["7", "8"]]);
    assert_eq!(client.query("SELECT count(*) FROM views").state(), "42P01");
    assert_eq!(client.query("SELECT count(*) FROM information_schema.views").value(), "0");
}
