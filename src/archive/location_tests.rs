use object_store::ObjectStoreExt;

use super::*;

fn parsed(text: &str) -> String {
    match ArchiveLocation::parse(text) {
        Ok(location) => format!("{location:?}"),
        Err(error) => format!("{:?}: {error}", error.kind()),
    }
}

fn s3_location(bucket: &str, prefix: &str) -> String {
    let location = ArchiveLocation::S3 { bucket: bucket.into(), prefix: Path::from(prefix) };
    format!("{location:?}")
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
    assert_eq!(parsed("memory:"), "Memory");
}

#[test]
fn other_addresses_say_what_to_write() {
    for (text, part) in [
        ("", "empty"),
        ("gs://bucket/x", "unknown scheme `gs:`"),
        ("x:y", "./PATH"),
        ("memory://name", "unknown scheme `memory:`"),
        ("file://host/x", "file:///DIR"),
        ("s3:///prefix", "names no bucket"),
        ("s3:bucket/prefix", "names no bucket"),
        ("s3://bucket:9000/prefix", "AWS_ENDPOINT_URL"),
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
    for text in ["s3://me:secret@bucket/x", "s3://me:secret@b ucket", "file://me:secret@h/x"] {
        assert!(!parsed(text).contains("secret"), "{}", parsed(text));
    }
}

#[test]
fn display_parses_back() {
    for text in ["./a", "/b", "s3://bucket/x/y", "memory:"] {
        assert_eq!(ArchiveLocation::parse(text).unwrap().to_string(), text);
    }
}

#[test]
fn only_s3_is_remote() {
    assert!(ArchiveLocation::parse("./a").unwrap().is_local());
    assert!(ArchiveLocation::parse("memory:").unwrap().is_local());
    assert!(!ArchiveLocation::parse("s3://b/p").unwrap().is_local());
}

#[test]
fn our_client_settings_yield_to_the_environment() {
    let timeout = AmazonS3ConfigKey::Client(ClientConfigKey::Timeout);
    let connect = AmazonS3ConfigKey::Client(ClientConfigKey::ConnectTimeout);
    let environment = AmazonS3Builder::new().with_config(timeout, "1s");
    let builder = configure(environment, "b", |name| name == "AWS_TIMEOUT").unwrap();
    assert_eq!(builder.get_config_value(&timeout).unwrap(), "1s");
    assert_eq!(builder.get_config_value(&connect).unwrap(), "2s");
    assert_eq!(builder.get_config_value(&AmazonS3ConfigKey::Bucket).unwrap(), "b");
    builder.build().unwrap();
}

#[test]
fn plain_http_needs_leave() {
    let endpoint = "http://me:secret@localhost:9000";
    let builder = || AmazonS3Builder::new().with_endpoint(endpoint);
    let error = configure(builder(), "b", |_| false).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the S3 endpoint http://localhost:9000 is plain http; set AWS_ALLOW_HTTP=true to allow plain http"
    );
    let allow = AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp);
    configure(builder().with_config(allow, "TRUE"), "b", |_| false).unwrap();
    configure(AmazonS3Builder::new().with_endpoint("https://x"), "b", |_| false).unwrap();
}

#[tokio::test]
async fn a_local_archive_is_created_and_reopened() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a/b");
    let location = ArchiveLocation::parse(path.to_str().unwrap()).unwrap();
    let key = Path::from("x/y");
    location.open().unwrap().put(&key, "z".into()).await.unwrap();
    let bytes = location.open().unwrap().get(&key).await.unwrap().bytes().await.unwrap();
    assert_eq!(bytes, "z");
    std::fs::write(directory.path().join("file"), "").unwrap();
    let taken = ArchiveLocation::Local(directory.path().join("file/archive"));
    let error = taken.open().unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(error.to_string().contains("file/archive"), "{error}");
}
