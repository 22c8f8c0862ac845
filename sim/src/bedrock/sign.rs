//! Checks a signature of version 4: its form always, and where the secret is known, itself.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>. How long ago it was
//! signed is not looked at.

use std::fmt::Write;

use hmac::{Hmac, Mac};
use hyper::http::request::Parts;
use sha2::{Digest, Sha256};

use crate::{
    AwsKey,
    dialect::{Call, Failure},
};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// The service that a credential is for.
const SERVICE: &str = "bedrock";

/// Checks the value of `authorization`.
pub(super) fn check(call: &Call<'_>, authorization: &str) -> Result<(), Failure> {
    let signed = Signed::read(authorization)?;
    let head = call.head;
    let date = call.header("x-amz-date").ok_or_else(|| {
        incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    })?;
    if date.len() != 16 || !date.starts_with(signed.day) {
        return Err(invalid(format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{}' != '{date}', from '{date}'.",
            signed.day
        )));
    }
    if !signed.headers.contains(&"host") {
        return Err(invalid("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."));
    }
    let Some(key) = &call.options().aws else { return Ok(()) };
    if key.access != signed.access {
        return Err(Failure::WrongKey(String::new()));
    }
    if signature(&signed, key, date, head, call.body) == signed.signature {
        return Ok(());
    }
    Err(invalid(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.",
    ))
}

fn incomplete(message: impl Into<String>) -> Failure {
    Failure::invalid(message, None, Some("IncompleteSignatureException"))
}

fn invalid(message: impl Into<String>) -> Failure {
    Failure::invalid(message, None, Some("InvalidSignatureException"))
}

/// What `authorization` says.
struct Signed<'a> {
    access: &'a str,
    day: &'a str,
    region: &'a str,
    headers: Vec<&'a str>,
    signature: &'a str,
}

impl<'a> Signed<'a> {
    fn read(authorization: &'a str) -> Result<Self, Failure> {
        let rest = authorization.strip_prefix(ALGORITHM).ok_or_else(|| {
            Failure::invalid("Missing Authentication Token", None, Some("MissingAuthenticationTokenException"))
        })?;
        let part = |name: &str| {
            let found = rest.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
            found.ok_or_else(|| {
                incomplete(format!("Authorization header requires '{name}' parameter. Authorization={ALGORITHM}"))
            })
        };
        let (credential, headers, signature) = (part("Credential")?, part("SignedHeaders")?, part("Signature")?);
        let mut scope = credential.split('/');
        let (Some(access), Some(day), Some(region), Some(service), Some("aws4_request"), None) =
            (scope.next(), scope.next(), scope.next(), scope.next(), scope.next(), scope.next())
        else {
            return Err(incomplete(format!(
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{credential}'"
            )));
        };
        if service != SERVICE {
            return Err(invalid(format!("Credential should be scoped to correct service: '{SERVICE}'.")));
        }
        if signature.len() != 64 || !signature.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(incomplete("The signature is not 64 hexadecimal digits."));
        }
        Ok(Self { access, day, region, headers: headers.split(';').collect(), signature })
    }
}

/// The signature as it should be.
fn signature(signed: &Signed<'_>, key: &AwsKey, date: &str, head: &Parts, body: &[u8]) -> String {
    let payload = match head.headers.get("x-amz-content-sha256").and_then(|hash| hash.to_str().ok()) {
        Some("UNSIGNED-PAYLOAD") => "UNSIGNED-PAYLOAD".to_owned(),
        // What is said about the body must be true of it.
        _ => hex(&Sha256::digest(body)),
    };
    let mut canonical = format!("{}\n{}\n{}\n", head.method, encoded(head.uri.path()), query(head));
    for name in &signed.headers {
        canonical.extend([*name, ":", &value(head, name), "\n"]);
    }
    canonical.extend(["\n", &signed.headers.join(";"), "\n", &payload]);
    let scope = format!("{}/{}/{SERVICE}/aws4_request", signed.day, signed.region);
    let text = format!("{ALGORITHM}\n{date}\n{scope}\n{}", hex(&Sha256::digest(canonical)));
    let secret = format!("AWS4{}", key.secret);
    let derived = [signed.day, signed.region, SERVICE, "aws4_request"]
        .iter()
        .fold(secret.into_bytes(), |key, part| mac(&key, part.as_bytes()));
    hex(&mac(&derived, text.as_bytes()))
}

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    // Any length of key will do.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        // Writing to a String does not fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The path as received, encoded once more: every service except S3 signs a path that is encoded twice.
fn encoded(path: &str) -> String {
    path.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

fn query(head: &Parts) -> String {
    let mut pairs: Vec<&str> =
        head.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()).collect();
    pairs.sort_unstable();
    pairs.join("&")
}

/// The values of a header, with single spaces. HTTP/2 has the host elsewhere.
fn value(head: &Parts, name: &str) -> String {
    let plain = |value: &str| value.split_whitespace().collect::<Vec<_>>().join(" ");
    let values: Vec<String> =
        head.headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).map(plain).collect();
    match head.uri.authority() {
        Some(authority) if name == "host" && values.is_empty() => authority.to_string(),
        _ => values.join(","),
    }
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    #[test]
    fn a_signature_is_that_of_another_implementation() {
        // By botocore 1.43 (SigV4Auth), for these values.
        let (head, ()) = Request::post("/model/a.b%3A0/converse")
            .header("host", "sim.test")
            .header("x-amz-date", "20150830T123600Z")
            .body(())
            .unwrap()
            .into_parts();
        let signed = Signed {
            access: "AKIDEXAMPLE",
            day: "20150830",
            region: "us-east-1",
            headers: vec!["host", "x-amz-date"],
            signature: "",
        };
        let key = AwsKey { access: "AKIDEXAMPLE".into(), secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into() };
        assert_eq!(
            signature(&signed, &key, "20150830T123600Z", &head, b"{}"),
            "d4896a0c3feb54ded2c2b3e488ef60aaeda7ae618158e50833510e82c2a26b7a"
        );
    }
}
