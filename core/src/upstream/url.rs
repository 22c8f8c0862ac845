//! Where an upstream is, and where its credential comes from.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;

/// The scheme of a URL: http or https.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Plain text.
    Http,
    /// TLS; the certificate is verified.
    Https,
}

impl Scheme {
    /// Its name in a URL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// An upstream's URL: `https://api.openai.com/v1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// The scheme.
    pub scheme: Scheme,
    /// Name or address; an IPv6 address without its brackets.
    pub host: String,
    /// The port; the scheme's default if the URL has none.
    pub port: u16,
    /// Path prefix without a trailing slash; empty for none: `/v1`.
    pub prefix: String,
}

impl Url {
    /// Reads an absolute http or https URL without query, fragment or user.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (scheme, rest) = match text.split_once("://") {
            Some(("http", rest)) => (Scheme::Http, rest),
            Some(("https", rest)) => (Scheme::Https, rest),
            _ => return Err(format!("\"{text}\" is no http:// or https:// URL")),
        };
        if let Some(odd) = rest.chars().find(|c| "?#@".contains(*c) || c.is_whitespace() || c.is_control()) {
            return Err(format!("a provider's URL cannot contain {odd:?}"));
        }
        let (authority, prefix) = rest.find('/').and_then(|at| rest.split_at_checked(at)).unwrap_or((rest, ""));
        let (host, port) = match authority.strip_prefix('[').and_then(|v6| v6.split_once(']')) {
            Some((host, port)) => (host, port.strip_prefix(':')),
            None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
        };
        if host.is_empty() {
            return Err(format!("\"{text}\" names no host"));
        }
        let port = match (port, scheme) {
            (Some(port), _) => {
                port.parse().ok().filter(|port| *port > 0).ok_or_else(|| format!("\"{port}\" is no port"))?
            }
            (None, Scheme::Http) => 80,
            (None, Scheme::Https) => 443,
        };
        Ok(Self { scheme, host: host.to_owned(), port, prefix: prefix.trim_end_matches('/').to_owned() })
    }

    /// The same URL with another path.
    #[must_use]
    pub fn at(&self, prefix: &str) -> Self {
        Self { prefix: prefix.to_owned(), ..self.clone() }
    }

    /// The value of the `Host` header: it has the port only if that is not the scheme's default.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match (self.scheme, self.port) {
            (Scheme::Http, 80) | (Scheme::Https, 443) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }
}

/// Where a credential is read from. Never the credential itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Credential {
    /// An environment variable of the Envoy process.
    Env(String),
    /// A file that the Envoy process can read, watched for changes.
    File(String),
}

impl Credential {
    /// Reads `env:NAME` or `file:PATH`.
    pub fn parse(text: &str) -> Result<Self, String> {
        // The message does not repeat the text, which may be a key that was pasted here by mistake.
        match text.split_once(':') {
            Some(("env", name)) if !name.is_empty() => Ok(Self::Env(name.to_owned())),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.to_owned())),
            _ => Err("this is no reference to a credential".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let url = Url::parse("https://api.example.com/v1/").unwrap();
        assert_eq!((url.port, url.prefix.as_str(), url.authority().as_str()), (443, "/v1", "api.example.com"));
        let url = Url::parse("http://[::1]:8080").unwrap();
        assert_eq!((url.host.as_str(), url.port, url.authority().as_str()), ("::1", 8080, "[::1]:8080"));
        for wrong in ["api.example.com", "ftp://x", "https://", "http://a:b", "https://u@h", "https://h/?q"] {
            assert!(Url::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_pasted_key_is_not_repeated_in_the_error() {
        assert!(!Credential::parse("sk-secret").unwrap_err().contains("secret"));
    }
}
