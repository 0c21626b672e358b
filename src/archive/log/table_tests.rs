//! Tests of the table's description.

use super::*;
use crate::event::Dimension;

fn created(event_schema: &Schema) -> TableInfo {
    let actions = creation(event_schema).unwrap();
    let [Action::Protocol(protocol), Action::Metadata(metadata)] = &actions[..] else {
        panic!("{actions:?}")
    };
    TableInfo::new(protocol, metadata).unwrap()
}

fn columns(table: &TableInfo) -> Vec<String> {
    let schema = schema_of(&table.metadata).unwrap();
    fields(&schema).iter().map(|column| name_of(column).to_owned()).collect()
}

/// The schema without its last columns.
fn older(left_out: usize) -> Schema {
    let all = crate::event::schema();
    let kept = all.fields().len() - left_out;
    Schema::new(all.fields().iter().take(kept).cloned().collect::<Vec<_>>())
}

#[test]
fn a_table_gets_the_columns_that_it_lacks_and_keeps_its_own() {
    let new = created(&crate::event::schema());
    assert!(new.readied(FORMAT).unwrap().is_none());
    for left_out in 1..3 {
        let old = created(&older(left_out));
        let action = old.readied(FORMAT).unwrap();
        let Some(Action::Metadata(metadata)) = action else { panic!("{action:?}") };
        let ready = old.changed(None, Some(&metadata)).unwrap();
        assert_eq!(columns(&ready), columns(&new));
        assert!(ready.readied(FORMAT).unwrap().is_none());
        let mut expected = old.metadata.clone();
        expected["schemaString"] = ready.metadata["schemaString"].clone();
        assert_eq!(ready.metadata, expected);
    }
    let mut other = older(1).fields().to_vec();
    other.push(Field::new("Team", DataType::Utf8, true).into());
    let other = created(&Schema::new(other)).with_all_columns().unwrap();
    let names = columns(&other);
    assert_eq!(names[names.len() - 3..], ["Team", "cost_source", "event_date"]);
    let mut same = older(1).fields().to_vec();
    same.push(Field::new("Cost_Source", DataType::Utf8, true).into());
    assert!(created(&Schema::new(same)).readied(FORMAT).unwrap().is_none());
}

#[test]
fn a_layout_is_raised_once_and_one_that_is_not_known_is_refused() {
    let table = created(&crate::event::schema());
    let action = table.readied(FORMAT_MAX).unwrap();
    let Some(Action::Metadata(metadata)) = action else { panic!("{action:?}") };
    let raised = table.changed(None, Some(&metadata)).unwrap();
    assert_eq!(
        (raised.format, raised.metadata["configuration"][FORMAT_KEY].as_str()),
        (2, Some("2"))
    );
    assert!(raised.readied(FORMAT_MAX).unwrap().is_none());
    assert!(raised.readied(FORMAT).unwrap().is_none());
    let later = raised.clone().raised_to(FORMAT_MAX + 1);
    let error = TableInfo::check(later.protocol, later.metadata).unwrap_err();
    assert!(matches!(error, ArchiveError::Newer { .. }), "{error}");
    assert!(error.to_string().contains("upgrade"), "{error}");
}

#[test]
fn dimensions_are_read_as_declared_and_no_other_text_passes() {
    let table = created(&crate::event::schema());
    let team = Dimension::new("team", Some("user.team"), "1").unwrap();
    let dimensions = table.dimensions.with(team).unwrap().unwrap();
    let Action::Metadata(declared) = table.with_dimensions(&dimensions).unwrap() else {
        panic!("no description")
    };
    let text = to_value(&declared).unwrap();
    assert_eq!(text["configuration"][FORMAT_KEY], "2");
    let read = table.changed(None, Some(&declared)).unwrap();
    assert_eq!(*read.dimensions, dimensions);
    assert!(read.may_hold_corrections() && !table.may_hold_corrections());
    for (old, new) in [("user.team", "user.name"), (DIMENSIONS_SEAL, "x"), ("team", "team2")] {
        let other: Metadata =
            serde_json::from_str(&text.to_string().replacen(old, new, 1)).unwrap();
        let error = table.changed(None, Some(&other)).unwrap_err();
        assert!(matches!(error, ArchiveError::Corrupt { .. }), "{error}");
    }
}

#[test]
fn a_key_that_is_not_the_one_that_was_written_is_damage() {
    let actions = creation(&crate::event::schema()).unwrap();
    let [Action::Protocol(protocol), Action::Metadata(metadata)] = &actions[..] else {
        panic!("{actions:?}")
    };
    TableInfo::new(protocol, metadata).unwrap();
    let text = to_value(metadata).unwrap();
    let key = text["configuration"][HASH_KEY].as_str().unwrap();
    for (old, new) in [(key, "0".repeat(32)), (text["id"].as_str().unwrap(), "t".to_owned())] {
        let other = text.to_string().replace(old, &new);
        let other: Metadata = serde_json::from_str(&other).unwrap();
        let error = TableInfo::new(protocol, &other).unwrap_err();
        assert!(matches!(error, ArchiveError::Corrupt { .. }), "{error}");
    }
}
