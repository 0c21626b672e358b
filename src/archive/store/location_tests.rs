use object_store::ObjectStoreExt;

use super::*;
use crate::error::Kind;

fn parsed(text: &str) -> String {
    match ArchiveLocation::parse(text) {
        Ok(location) => format!("{location:?}"),
        Err(error) => format!("{:?}: {error}", error.kind()),
    }
}

fn s3_location(bucket: &str, prefix: &str) -> String {
    in_cloud(Cloud::S3, bucket, prefix)
}

fn in_cloud(cloud: Cloud, bucket: &str, prefix: &str) -> String {
    let (bucket, prefix) = (bucket.into(), Path::from(prefix));
    format!("{:?}", ArchiveLocation::Bucket { cloud, bucket, prefix })
}

#[test]
fn known_addresses_parse() {
    for path in ["./data/archive", "/var/lib/tokenlake", "a", "./x:y", "/x:y", "über?#"] {
        assert_eq!(ArchiveLocation::parse(path).unwrap(), ArchiveLocation::Local(path.into()));
    }
    let file = ArchiveLocation::parse("file:///var/my%20lake").unwrap();
    assert_eq!(file, ArchiveLocation::Local("/var/my lake".into()));
    assert_eq!(parsed("s3://bucket/some/prefix/"), s3_location("bucket", "some/prefix"));
    assert_eq!(parsed("s3://bucket"), s3_location("bucket", ""));
    assert_eq!(parsed("s3://my_bucket.x/a%20b"), s3_location("my_bucket.x", "a b"));
    assert_eq!(parsed("az://container/a/b"), in_cloud(Cloud::Azure, "container", "a/b"));
    assert_eq!(parsed("GS://bucket/a"), in_cloud(Cloud::Google, "bucket", "a"));
    assert_eq!(parsed("memory:"), "Memory");
}

#[test]
fn other_addresses_say_what_to_write() {
    for (text, part) in [
        ("", "empty"),
        ("https://bucket/x", "unknown scheme `https:`"),
        ("x:y", "./PATH"),
        ("memory://name", "unknown scheme `memory:`"),
        ("file://host/x", "file:///DIR"),
        ("s3:///prefix", "names no bucket"),
        ("s3:bucket/prefix", "names no bucket"),
        ("s3://bucket:9000/prefix", "AWS_ENDPOINT_URL"),
        ("az://container:1/x", "AZURE_STORAGE_ENDPOINT"),
        ("gs:///x", "write gs://BUCKET/PREFIX"),
        ("s3://bucket/a//b", "not usable"),
        ("s3://bucket/a?x=y", "%3F"),
        ("s3://bucket/a#b", "%23"),
    ] {
        let answer = parsed(text);
        assert!(answer.starts_with("Invalid: ") && answer.contains(part), "{text}: {answer}");
        assert!(!answer.contains('\n'), "{answer}");
    }
}

#[test]
fn credentials_are_refused_and_never_repeated() {
    for text in ["s3://me:secret@bucket/x", "S3://secret@bucket"] {
        assert!(parsed(text).contains("AWS_SECRET_ACCESS_KEY"), "{}", parsed(text));
    }
    assert!(parsed("az://me:secret@c/x").contains("AZURE_STORAGE_ACCOUNT_KEY"));
    assert!(parsed("gs://secret@b/x").contains("GOOGLE_APPLICATION_CREDENTIALS"));
    for text in [
        "s3://me:secret@bucket/x",
        "s3://me:secret@b ucket",
        "file://me:secret@h/x",
        "az://me:secret@c/x",
        "gs://me:secret@b/x",
    ] {
        assert!(!parsed(text).contains("secret"), "{}", parsed(text));
    }
}

#[test]
fn display_parses_back() {
    for text in ["./a", "/b", "s3://bucket/x/y", "az://c/x", "gs://b/x", "memory:"] {
        assert_eq!(ArchiveLocation::parse(text).unwrap().to_string(), text);
    }
}

#[test]
fn only_object_storage_is_remote() {
    assert!(ArchiveLocation::parse("./a").unwrap().is_local());
    assert!(ArchiveLocation::parse("memory:").unwrap().is_local());
    for text in ["s3://b/p", "az://c/p", "gs://b/p"] {
        assert!(!ArchiveLocation::parse(text).unwrap().is_local(), "{text}");
    }
}

#[tokio::test]
async fn a_local_archive_is_created_and_reopened() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a/b");
    let location = ArchiveLocation::parse(path.to_str().unwrap()).unwrap();
    let key = Path::from("x/y");
    location.create().unwrap().put(&key, "z".into()).await.unwrap();
    let bytes = location.create().unwrap().get(&key).await.unwrap().bytes().await.unwrap();
    assert_eq!(bytes, "z");
    std::fs::write(directory.path().join("file"), "").unwrap();
    let taken = ArchiveLocation::Local(directory.path().join("file/archive"));
    let error = taken.create().unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(error.to_string().contains("file/archive"), "{error}");
}
