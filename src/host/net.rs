//! An address prefix, the way hosts' packet filters write it.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// A single address or a prefix of addresses, host bits cleared: `10.0.0.0/24`, `fd90::11`. An IPv4 address written as
/// IPv6 counts as IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Net(IpNet);

impl Net {
    /// A prefix of `len` bits; `None` if the family has fewer bits than that.
    pub fn new(addr: IpAddr, len: u8) -> Option<Self> {
        IpNet::new(addr.to_canonical(), len).ok().map(|net| Self(net.trunc()))
    }

    /// Whether this is an IPv6 prefix.
    pub fn is_v6(self) -> bool {
        self.0.addr().is_ipv6()
    }

    /// Whether every address of the family is in it.
    pub fn is_everything(self) -> bool {
        self.0.prefix_len() == 0
    }

    /// Whether an address lies in the prefix.
    pub fn contains(self, addr: IpAddr) -> bool {
        self.0.contains(&addr.to_canonical())
    }
}

impl From<IpAddr> for Net {
    fn from(addr: IpAddr) -> Self {
        Self(addr.to_canonical().into())
    }
}

impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.prefix_len() == self.0.max_prefix_len() { self.0.addr().fmt(f) } else { self.0.fmt(f) }
    }
}

/// The text was neither an address nor a prefix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither an IP address nor a prefix such as 10.0.0.0/24")]
pub struct NotANet(String);

impl FromStr for Net {
    type Err = NotANet;

    fn from_str(text: &str) -> Result<Self, NotANet> {
        let net = match text.split_once('/') {
            None => text.parse::<IpAddr>().ok().map(Self::from),
            Some((addr, len)) => addr.parse().ok().zip(len.parse().ok()).and_then(|(addr, len)| Self::new(addr, len)),
        };
        net.ok_or_else(|| NotANet(text.to_owned()))
    }
}

impl TryFrom<String> for Net {
    type Error = NotANet;

    fn try_from(text: String) -> Result<Self, NotANet> {
        text.parse()
    }
}

impl From<Net> for String {
    fn from(net: Net) -> Self {
        net.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_writes_and_contains() {
        for (text, shown) in [
            ("10.0.0.7/24", "10.0.0.0/24"),
            ("10.0.0.7", "10.0.0.7"),
            ("10.0.0.7/32", "10.0.0.7"),
            ("fd90::11/64", "fd90::/64"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("::ffff:10.0.0.7", "10.0.0.7"),
        ] {
            assert_eq!(text.parse::<Net>().unwrap().to_string(), shown);
        }
        for text in ["", "cp1", "10.0.0.0/33", "10.0.0/24", "fd90::/129", "1.2.3.4/x"] {
            assert!(text.parse::<Net>().is_err(), "{text}");
        }
        let net: Net = "10.0.0.0/24".parse().unwrap();
        assert!(net.contains("10.0.0.255".parse().unwrap()) && net.contains("::ffff:10.0.0.9".parse().unwrap()));
        assert!(!net.contains("10.0.1.0".parse().unwrap()) && !net.contains("fd90::1".parse().unwrap()));
    }
}
