//! A network of client addresses, in CIDR notation: `10.0.0.0/8`, `2001:db8::/32`, or one address.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use core::fmt;
use core::net::IpAddr;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The addresses whose first bits are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// Its first address: all bits after the prefix are 0.
    first: IpAddr,
    /// How many bits its addresses have in common.
    prefix: u8,
}

/// Why a text is no network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoNetwork {
    /// The network that was probably meant, if the text has bits set after its prefix.
    pub meant: Option<String>,
}

impl Network {
    /// Reads `ADDRESS/PREFIX`, or an address alone.
    pub fn parse(text: &str) -> Result<Self, NoNetwork> {
        let none = || NoNetwork { meant: None };
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().map_err(|_| none())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let plain = |prefix: &&str| prefix.bytes().all(|byte| byte.is_ascii_digit());
        let prefix = match prefix {
            None => most,
            Some(prefix) => Some(prefix).filter(plain).and_then(|prefix| prefix.parse().ok()).ok_or_else(none)?,
        };
        if prefix > most {
            return Err(none());
        }
        let first = masked(address, prefix);
        let network = Self { first, prefix };
        if first == address { Ok(network) } else { Err(NoNetwork { meant: Some(format!("{network}")) }) }
    }

    /// Whether `address` is in it. An IPv4 address in IPv6 notation (`::ffff:10.0.0.1`) is an IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.first.is_ipv4() && masked(address, self.prefix) == self.first
    }
}

/// The address with all bits after the first `prefix` set to 0.
fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or_default();
            IpAddr::V4((address.to_bits() & mask).into())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix.min(128))).unwrap_or_default();
            IpAddr::V6((address.to_bits() & mask).into())
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text).map_err(|_| D::Error::custom("no network: ".to_owned() + &text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(network: &str, address: &str) -> bool {
        Network::parse(network).unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn a_network_has_the_addresses_that_begin_as_it_does() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("192.168.7.128/25", "192.168.7.255", "192.168.7.127"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("10.0.0.0/8", "::ffff:10.1.2.3", "::ffff:11.0.0.0"),
            ("2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1"),
            ("::1", "::1", "::2"),
            ("0.0.0.0/0", "203.0.113.7", "2001:db8::1"),
            ("::/0", "2001:db8::1", "203.0.113.7"),
        ] {
            assert!(has(network, inside), "{inside} in {network}");
            assert!(!has(network, outside), "{outside} in {network}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused_and_a_slip_is_named() {
        for text in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "10.0.0.0/", "10.0.0.0/+8", "office", "10.0.0.0/8/8"] {
            assert_eq!(Network::parse(text), Err(NoNetwork { meant: None }), "{text}");
        }
        assert_eq!(Network::parse("10.1.2.3/8"), Err(NoNetwork { meant: Some("10.0.0.0/8".to_owned()) }));
        let network = Network::parse("2001:db8::/32").unwrap();
        let text = serde_json::to_string(&network).unwrap();
        assert_eq!((text.as_str(), serde_json::from_str::<Network>(&text).unwrap()), ("\"2001:db8::/32\"", network));
    }
}
