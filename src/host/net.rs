//! An address prefix, the way hosts' packet filters write it.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A single address or a prefix of addresses, host bits cleared: `10.0.0.0/24`, `fd90::11`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Net {
    addr: IpAddr,
    len: u8,
}

impl Net {
    /// A prefix of `len` bits; `None` if the family has fewer bits than that.
    pub fn new(addr: IpAddr, len: u8) -> Option<Self> {
        let addr = addr.to_canonical();
        match addr {
            IpAddr::V4(v4) if len <= 32 => {
                let mask = u32::MAX.checked_shl(32 - u32::from(len)).unwrap_or(0);
                Some(Self { addr: IpAddr::V4((u32::from(v4) & mask).into()), len })
            }
            IpAddr::V6(v6) if len <= 128 => {
                let mask = u128::MAX.checked_shl(128 - u32::from(len)).unwrap_or(0);
                Some(Self { addr: IpAddr::V6((u128::from(v6) & mask).into()), len })
            }
            _ => None,
        }
    }

    /// Whether this is an IPv6 prefix.
    pub fn is_v6(self) -> bool {
        self.addr.is_ipv6()
    }

    /// Whether every address of the family is in it.
    pub fn is_everything(self) -> bool {
        self.len == 0
    }

    /// How many leading bits are fixed.
    pub fn len_bits(self) -> u8 {
        self.len
    }

    /// Whether an address lies in the prefix; an IPv4 address written as IPv6 counts as IPv4.
    pub fn contains(self, addr: IpAddr) -> bool {
        let addr = addr.to_canonical();
        addr.is_ipv6() == self.is_v6() && Self::new(addr, self.len).is_some_and(|net| net.addr == self.addr)
    }
}

impl From<IpAddr> for Net {
    fn from(addr: IpAddr) -> Self {
        let addr = addr.to_canonical();
        Self { addr, len: if addr.is_ipv6() { 128 } else { 32 } }
    }
}

impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = if self.is_v6() { 128 } else { 32 };
        if self.len == whole { write!(f, "{}", self.addr) } else { write!(f, "{}/{}", self.addr, self.len) }
    }
}

/// The text was neither an address nor a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotANet(String);

impl fmt::Display for NotANet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is neither an IP address nor a prefix such as 10.0.0.0/24", self.0)
    }
}

impl std::error::Error for NotANet {}

impl FromStr for Net {
    type Err = NotANet;

    fn from_str(text: &str) -> Result<Self, NotANet> {
        let wrong = || NotANet(text.to_owned());
        match text.split_once('/') {
            None => text.parse::<IpAddr>().map(Self::from).map_err(|_| wrong()),
            Some((addr, len)) => {
                let addr = addr.parse::<IpAddr>().map_err(|_| wrong())?;
                let len = len.parse::<u8>().map_err(|_| wrong())?;
                Self::new(addr, len).ok_or_else(wrong)
            }
        }
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
