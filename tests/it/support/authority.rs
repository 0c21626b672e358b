//! The tests' own certificate authority, and certificates issued by it.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};

/// Somebody who certifies.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate with its key, as PEM.
#[derive(Debug, Clone)]
pub struct Certified {
    pub certificate: String,
    pub key: String,
}

impl Authority {
    /// A new one that nobody knows yet.
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        // Another name than that of what it certifies, or OpenSSL takes that for self-signed.
        params.distinguished_name.push(DnType::CommonName, "authority of tests");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        Self { issuer: CertifiedIssuer::self_signed(params, key).unwrap() }
    }

    /// Certifies a server or client, valid from a year to another.
    pub fn certify_for(&self, names: &[&str], years: std::ops::Range<i32>) -> Certified {
        let names = names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let mut params = CertificateParams::new(names).unwrap();
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.not_before = rcgen::date_time_ymd(years.start, 1, 1);
        params.not_after = rcgen::date_time_ymd(years.end, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        Certified { certificate, key: key.serialize_pem() }
    }

    /// Certifies a server on this machine.
    pub fn certify(&self) -> Certified {
        self.certify_for(&["127.0.0.1", "localhost"], 2020..2099)
    }

    /// Its own certificate as PEM.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// Writes its own certificate into a folder.
    pub fn write(&self, folder: &Path) -> PathBuf {
        let path = folder.join("ca.pem");
        std::fs::write(&path, self.pem()).unwrap();
        path
    }
}

impl Certified {
    /// Writes `tls.crt` and `tls.key` into a folder.
    pub fn write(&self, folder: &Path) -> [PathBuf; 2] {
        let paths = ["tls.crt", "tls.key"].map(|name| folder.join(name));
        for (path, text) in paths.iter().zip([&self.certificate, &self.key]) {
            std::fs::write(path, text).unwrap();
        }
        paths
    }
}
