//! Certificates made for one test.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use time::{Duration, OffsetDateTime};
use weir_sim::Tls;

/// A certificate authority of a test's own.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    /// A new one, which nobody trusts yet.
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "An authority for a test");
        Self(CertifiedIssuer::self_signed(params, key()).expect("a certificate"))
    }

    /// Its certificate as PEM text.
    pub fn bundle(&self) -> String {
        self.0.pem()
    }

    /// A certificate for `name`.
    pub fn certify(&self, name: &str) -> Tls {
        self.sign(&params(name))
    }

    /// A certificate for `name` that has expired.
    pub fn certify_in_the_past(&self, name: &str) -> Tls {
        let mut params = params(name);
        params.not_before = OffsetDateTime::now_utc() - Duration::days(3);
        params.not_after = OffsetDateTime::now_utc() - Duration::days(1);
        self.sign(&params)
    }

    /// A client's certificate with this URI, such as a SPIFFE name, and nothing else.
    pub fn certify_uri(&self, uri: &str) -> Tls {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.subject_alt_names.push(SanType::URI(uri.try_into().expect("ASCII")));
        self.sign(&params)
    }

    fn sign(&self, params: &CertificateParams) -> Tls {
        let key = key();
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        Tls { certificate: certificate.pem().into_bytes(), key: key.serialize_pem().into_bytes() }
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

/// A certificate for `name` that nobody but itself has signed.
pub fn self_signed(name: &str) -> Tls {
    let key = key();
    let certificate = params(name).self_signed(&key).expect("a certificate");
    Tls { certificate: certificate.pem().into_bytes(), key: key.serialize_pem().into_bytes() }
}

fn params(name: &str) -> CertificateParams {
    CertificateParams::new([name.to_owned()]).expect("a name")
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}
