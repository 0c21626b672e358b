//! The client of a bucket, configured by environment variables.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::{BackoffConfig, ClientConfigKey, ObjectStore, Result, RetryConfig};
use url::Url;

use super::cloud::Cloud;
use super::location_error::LocationError;

/// The store's retries end before a request's own deadline (a scrape has less than 10 s).
const RETRIES_MAX: usize = 4;
const RETRY_TIMEOUT: Duration = Duration::from_secs(5);
const BACKOFF_FIRST: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(1);

/// Client settings that apply unless the environment sets them: the end of the variable's name, the
/// key, the value.
const CLIENT_DEFAULTS: [(&str, ClientConfigKey, &str); 2] = [
    ("TIMEOUT", ClientConfigKey::Timeout, "8s"),
    ("CONNECT_TIMEOUT", ClientConfigKey::ConnectTimeout, "2s"),
];

impl Cloud {
    /// A client of a bucket. Does not contact the store yet.
    pub(in crate::archive) fn open(
        self,
        bucket: &str,
    ) -> Result<Arc<dyn ObjectStore>, LocationError> {
        let is_set = |name: &str| std::env::var_os(name).is_some();
        let built: Result<Arc<dyn ObjectStore>> = match self {
            Self::S3 => s3(AmazonS3Builder::from_env(), bucket, is_set)?
                .build()
                .map(|store| Arc::new(store) as _),
            Self::Azure => azure(MicrosoftAzureBuilder::from_env(), bucket, is_set)?
                .build()
                .map(|store| Arc::new(store) as _),
            Self::Google => google(GoogleCloudStorageBuilder::from_env(), bucket, is_set)
                .build()
                .map(|store| Arc::new(store) as _),
        };
        let bucket = bucket.to_owned();
        built.map_err(|source| LocationError::Settings { cloud: self, bucket, source })
    }

    /// Our client settings, without those that the environment sets. `is_set` says whether a
    /// variable is set.
    fn defaults(
        self,
        is_set: impl Fn(&str) -> bool,
    ) -> impl Iterator<Item = (ClientConfigKey, &'static str)> {
        let unset = move |name: &str| !is_set(&format!("{}{name}", self.variables()));
        let defaults = CLIENT_DEFAULTS.into_iter().filter(move |(name, ..)| unset(name));
        defaults.map(|(_, key, value)| (key, value))
    }

    /// Refuses plain http unless it is allowed. Otherwise the client would fail at its first
    /// request, with an error that names no remedy.
    fn refuse_plain_http(
        self,
        endpoint: Option<String>,
        allowed: Option<String>,
    ) -> Result<(), LocationError> {
        let Some(endpoint) = endpoint.filter(|endpoint| endpoint.starts_with("http://")) else {
            return Ok(());
        };
        if allowed.is_some_and(|text| is_true(&text)) {
            return Ok(());
        }
        Err(LocationError::PlainHttp { cloud: self, endpoint: without_userinfo(&endpoint) })
    }
}

fn retry() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig { init_backoff: BACKOFF_FIRST, max_backoff: BACKOFF_MAX, base: 2.0 },
        max_retries: RETRIES_MAX,
        retry_timeout: RETRY_TIMEOUT,
    }
}

/// The conditional put (`If-None-Match: *`) makes a commit atomic, so no variable turns it off.
fn s3(
    builder: AmazonS3Builder,
    bucket: &str,
    is_set: impl Fn(&str) -> bool,
) -> Result<AmazonS3Builder, LocationError> {
    let setting = |key| builder.get_config_value(&key);
    let endpoint =
        setting(AmazonS3ConfigKey::S3Endpoint).or_else(|| setting(AmazonS3ConfigKey::Endpoint));
    let allowed = setting(AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp));
    Cloud::S3.refuse_plain_http(endpoint, allowed)?;
    let builder = Cloud::S3.defaults(is_set).fold(builder, |builder, (key, value)| {
        builder.with_config(AmazonS3ConfigKey::Client(key), value)
    });
    Ok(builder
        .with_bucket_name(bucket)
        .with_retry(retry())
        .with_conditional_put(S3ConditionalPut::ETagMatch))
}

/// Azure's conditional put is `If-None-Match: *` too, and is always on.
fn azure(
    builder: MicrosoftAzureBuilder,
    container: &str,
    is_set: impl Fn(&str) -> bool,
) -> Result<MicrosoftAzureBuilder, LocationError> {
    let setting = |key| builder.get_config_value(&key);
    let emulated = setting(AzureConfigKey::UseEmulator).is_some_and(|text| is_true(&text));
    if !emulated {
        let allowed = setting(AzureConfigKey::Client(ClientConfigKey::AllowHttp));
        Cloud::Azure.refuse_plain_http(setting(AzureConfigKey::Endpoint), allowed)?;
    }
    let builder = Cloud::Azure.defaults(is_set).fold(builder, |builder, (key, value)| {
        builder.with_config(AzureConfigKey::Client(key), value)
    });
    Ok(builder.with_container_name(container).with_retry(retry()))
}

/// Google's conditional put is `x-goog-if-generation-match: 0`, and is always on. Its client allows
/// plain http already, because it reaches the machine's metadata server that way.
fn google(
    builder: GoogleCloudStorageBuilder,
    bucket: &str,
    is_set: impl Fn(&str) -> bool,
) -> GoogleCloudStorageBuilder {
    let builder = Cloud::Google.defaults(is_set).fold(builder, |builder, (key, value)| {
        builder.with_config(GoogleConfigKey::Client(key), value)
    });
    builder.with_bucket_name(bucket).with_retry(retry())
}

/// True for the spellings that `object_store` accepts as true.
fn is_true(text: &str) -> bool {
    matches!(text.to_ascii_lowercase().as_str(), "1" | "true" | "on" | "yes" | "y")
}

/// The scheme and host of an endpoint, without credentials, for a message.
fn without_userinfo(endpoint: &str) -> String {
    Url::parse(endpoint)
        .map_or_else(|_| "http://…".to_owned(), |url| url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: ClientConfigKey = ClientConfigKey::Timeout;
    const CONNECT: ClientConfigKey = ClientConfigKey::ConnectTimeout;

    #[test]
    fn our_client_settings_of_s3_yield_to_the_environment() {
        let [timeout, connect] = [TIMEOUT, CONNECT].map(AmazonS3ConfigKey::Client);
        let environment = AmazonS3Builder::new().with_config(timeout, "1s");
        let builder = s3(environment, "b", |name| name == "AWS_TIMEOUT").unwrap();
        assert_eq!(builder.get_config_value(&timeout).unwrap(), "1s");
        assert_eq!(builder.get_config_value(&connect).unwrap(), "2s");
        assert_eq!(builder.get_config_value(&AmazonS3ConfigKey::Bucket).unwrap(), "b");
        builder.build().unwrap();
    }

    #[test]
    fn our_client_settings_of_azure_yield_to_the_environment() {
        let [timeout, connect] = [TIMEOUT, CONNECT].map(AzureConfigKey::Client);
        let environment = MicrosoftAzureBuilder::new()
            .with_account("account")
            .with_access_key("a2V5")
            .with_config(timeout, "1s");
        let builder = azure(environment, "c", |name| name == "AZURE_TIMEOUT").unwrap();
        assert_eq!(builder.get_config_value(&timeout).unwrap(), "1s");
        assert_eq!(builder.get_config_value(&connect).unwrap(), "2s");
        assert_eq!(builder.get_config_value(&AzureConfigKey::ContainerName).unwrap(), "c");
        builder.build().unwrap();
    }

    #[test]
    fn our_client_settings_of_google_yield_to_the_environment() {
        let [timeout, connect] = [TIMEOUT, CONNECT].map(GoogleConfigKey::Client);
        let environment =
            GoogleCloudStorageBuilder::new().with_skip_signature(true).with_config(timeout, "1s");
        let builder = google(environment, "b", |name| name == "GOOGLE_TIMEOUT");
        assert_eq!(builder.get_config_value(&timeout).unwrap(), "1s");
        assert_eq!(builder.get_config_value(&connect).unwrap(), "2s");
        assert_eq!(builder.get_config_value(&GoogleConfigKey::Bucket).unwrap(), "b");
        builder.build().unwrap();
    }

    #[test]
    fn plain_http_needs_leave() {
        let endpoint = "http://me:secret@localhost:9000";
        let of_s3 = || AmazonS3Builder::new().with_endpoint(endpoint);
        let error = s3(of_s3(), "b", |_| false).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the endpoint http://localhost:9000 is plain http; set AWS_ALLOW_HTTP=true to allow plain http"
        );
        let allow = AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp);
        s3(of_s3().with_config(allow, "TRUE"), "b", |_| false).unwrap();
        s3(AmazonS3Builder::new().with_endpoint("https://x"), "b", |_| false).unwrap();
        let of_azure = || MicrosoftAzureBuilder::new().with_endpoint(endpoint.to_owned());
        let error = azure(of_azure(), "c", |_| false).unwrap_err();
        assert!(error.to_string().contains("AZURE_ALLOW_HTTP=true"), "{error}");
        let allow = AzureConfigKey::Client(ClientConfigKey::AllowHttp);
        azure(of_azure().with_config(allow, "true"), "c", |_| false).unwrap();
        azure(of_azure().with_use_emulator(true), "c", |_| false).unwrap();
    }
}
