//! TLS to a store, and to control: the certificate is always verified.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// The part of a URL's query that names a file of authorities, as PostgreSQL's own clients call it.
const AUTHORITIES: &str = "sslrootcert";

/// Takes one part out of a URL's query. The URL without it, and its value.
pub(super) fn without<'u>(url: &'u str, name: &str) -> (String, Option<&'u str>) {
    let Some((before, query)) = url.split_once('?') else { return (url.to_owned(), None) };
    let value = |part: &'u str| part.split_once('=').filter(|(of, _)| *of == name).map(|(_, value)| value);
    let found = query.split('&').find_map(value);
    let rest: Vec<&str> = query.split('&').filter(|part| value(part).is_none()).collect();
    let rest = if rest.is_empty() { before.to_owned() } else { format!("{before}?{}", rest.join("&")) };
    (rest, found)
}

/// The URL without the file of authorities that it names, and what is in the file, as PEM.
pub(super) fn authorities(url: &str) -> Result<(String, Option<Vec<u8>>), String> {
    let (url, path) = without(url, AUTHORITIES);
    let read = |path: &str| std::fs::read(path).map_err(|error| format!("{path}: {error}"));
    Ok((url, path.map(read).transpose()?))
}

/// What a connection trusts: these authorities, in PEM, or else the system's.
pub(super) fn client(authorities: Option<&[u8]>) -> Result<ClientConfig, String> {
    let away = |error: &dyn std::fmt::Display| format!("TLS: {error}");
    let mut roots = RootCertStore::empty();
    match authorities {
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                roots.add(certificate.map_err(|error| away(&error))?).map_err(|error| away(&error))?;
            }
        }
        None => drop(roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(builder.map_err(|error| away(&error))?.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::without;

    #[test]
    fn one_part_of_a_query_is_taken_out() {
        for (url, rest, value) in [
            ("redis://h:1", "redis://h:1", None),
            ("redis://h:1?ca=/a", "redis://h:1", Some("/a")),
            ("postgres://h/d?x=1&ca=/a&y=2", "postgres://h/d?x=1&y=2", Some("/a")),
            ("postgres://h/d?cab=1", "postgres://h/d?cab=1", None),
        ] {
            assert_eq!(without(url, "ca"), (rest.to_owned(), value), "{url}");
        }
    }
}
