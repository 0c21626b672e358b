//! Fields in the names of folders, such as `org_id=acme/model=gpt-4o/part-0.parquet`, as Hive,
//! Spark, DuckDB and others write them.

use std::sync::Arc;

use percent_encoding::percent_decode_str;

/// The value that means null in a folder's name.
const NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// Names and values of the fields; a value is none for null.
pub(in crate::backfill) type Folders = Arc<[(String, Option<String>)]>;

/// The fields of the folders in a file's path.
pub(super) fn fields_of(path: &str) -> Folders {
    let folders = path.rsplit_once('/').map_or("", |(folders, _)| folders);
    fields_of_folder(folders)
}

/// The fields of a folder and of its parents. If a name occurs twice, the inner one counts.
pub(super) fn fields_of_folder(path: &str) -> Folders {
    let mut fields: Vec<(String, Option<String>)> = Vec::new();
    for (name, value) in path.split('/').filter_map(|folder| folder.split_once('=')) {
        // A name that does not decode to UTF-8 was never encoded.
        let decoded = |text: &str| {
            percent_decode_str(text).decode_utf8().map_or(text.to_owned(), |text| text.into_owned())
        };
        let (name, value) = (decoded(name), decoded(value));
        if name.is_empty() {
            continue;
        }
        fields.retain(|(known, _)| *known != name);
        fields.push((name, Some(value).filter(|value| value != NULL && !value.is_empty())));
    }
    fields.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Field = (&'static str, Option<&'static str>);

    #[test]
    fn folders_are_fields() {
        let cases: [(&str, &[Field]); 6] = [
            ("a.parquet", &[]),
            ("/data/x/a=b.parquet", &[]),
            (
                "org_id=acme/model=gpt-4o/a.parquet",
                &[("org_id", Some("acme")), ("model", Some("gpt-4o"))],
            ),
            ("a%20b=c%2Fd%3D/x.csv", &[("a b", Some("c/d="))]),
            ("m=__HIVE_DEFAULT_PARTITION__/n=/x.csv", &[("m", None), ("n", None)]),
            ("m=1/m=2=3/=4/100%/x.csv", &[("m", Some("2=3"))]),
        ];
        for (path, expected) in cases {
            let fields = fields_of(path);
            let fields: Vec<_> =
                fields.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect();
            assert_eq!(fields, expected, "{path}");
        }
    }
}
