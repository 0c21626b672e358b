//! The providers of object storage, with their schemes and environment variables.

/// A provider of object storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cloud {
    /// S3, and servers that speak its protocol.
    S3,
    /// Azure Blob Storage, where a bucket is a container.
    Azure,
    /// Google Cloud Storage.
    Google,
}

impl Cloud {
    /// The provider with this scheme, which is given in lower case.
    pub fn of_scheme(scheme: &str) -> Option<Self> {
        [Self::S3, Self::Azure, Self::Google].into_iter().find(|cloud| cloud.scheme() == scheme)
    }

    /// The scheme of its addresses.
    pub fn scheme(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Azure => "az",
            Self::Google => "gs",
        }
    }

    /// The prefix of the environment variables that configure its client.
    pub fn variables(self) -> &'static str {
        match self {
            Self::S3 => "AWS_",
            Self::Azure => "AZURE_",
            Self::Google => "GOOGLE_",
        }
    }

    /// The variable that names a server other than the provider's own.
    pub(in crate::archive) fn endpoint(self) -> &'static str {
        match self {
            Self::S3 => "AWS_ENDPOINT_URL",
            Self::Azure => "AZURE_STORAGE_ENDPOINT",
            Self::Google => "GOOGLE_BASE_URL",
        }
    }

    /// The variables that hold credentials.
    pub(in crate::archive) fn credentials(self) -> &'static str {
        match self {
            Self::S3 => "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            Self::Azure => "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
            Self::Google => "GOOGLE_APPLICATION_CREDENTIALS",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scheme_names_its_cloud() {
        for cloud in [Cloud::S3, Cloud::Azure, Cloud::Google] {
            assert_eq!(Cloud::of_scheme(cloud.scheme()), Some(cloud));
        }
        assert_eq!(Cloud::of_scheme("https"), None);
    }
}
