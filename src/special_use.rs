//! Addresses that are no public host: the special-purpose registries of IANA (RFC 6890 and its updates)
//! for IPv4 and IPv6. A client may name none of them in its metadata ([`is_special_use`]), and nothing is
//! fetched from one at a stranger's request ([`is_public`]).
//!
//! An IPv6 address that carries an IPv4 address is special whatever it carries: nobody writes one in good
//! faith. A resolver does where a network reaches IPv4 through NAT64, and there it is what it carries.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Network, prefix length.
const IPV4: &[(Ipv4Addr, u32)] = &[
    (Ipv4Addr::UNSPECIFIED, 8),           // this network
    (Ipv4Addr::new(10, 0, 0, 0), 8),      // private (RFC 1918)
    (Ipv4Addr::new(100, 64, 0, 0), 10),   // carrier-grade NAT (RFC 6598)
    (Ipv4Addr::new(127, 0, 0, 0), 8),     // loopback
    (Ipv4Addr::new(169, 254, 0, 0), 16),  // link-local; cloud metadata
    (Ipv4Addr::new(172, 16, 0, 0), 12),   // private (RFC 1918)
    (Ipv4Addr::new(192, 0, 0, 0), 24),    // protocol assignments
    (Ipv4Addr::new(192, 0, 2, 0), 24),    // documentation
    (Ipv4Addr::new(192, 88, 99, 0), 24),  // 6to4 relay, deprecated
    (Ipv4Addr::new(192, 168, 0, 0), 16),  // private (RFC 1918)
    (Ipv4Addr::new(198, 18, 0, 0), 15),   // benchmarking
    (Ipv4Addr::new(198, 51, 100, 0), 24), // documentation
    (Ipv4Addr::new(203, 0, 113, 0), 24),  // documentation
    (Ipv4Addr::new(224, 0, 0, 0), 4),     // multicast
    (Ipv4Addr::new(240, 0, 0, 0), 4),     // reserved; broadcast
];

/// Network, prefix length.
const IPV6: &[(Ipv6Addr, u32)] = &[
    (Ipv6Addr::UNSPECIFIED, 96), // unspecified, loopback, IPv4-compatible
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96), // IPv4-mapped
    (Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, 0, 0), 96), // IPv4-translated (RFC 2765)
    (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96), // NAT64 (RFC 6052)
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48), // local NAT64 (RFC 8215)
    (Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0), 64), // discard
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // protocol assignments; Teredo
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), // 6to4
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation
    (Ipv6Addr::new(0x5f00, 0, 0, 0, 0, 0, 0, 0), 16), // segment routing
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7), // unique local
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10), // link-local
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10), // site-local, deprecated
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8), // multicast
];

/// What the IPv6 internet is made of so far.
const GLOBAL_UNICAST: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
/// Addresses of NAT64 that lead to the IPv4 internet (RFC 6052 §2.1).
const NAT64: (Ipv6Addr, u32) = (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);
/// The first half of an interface identifier of ISATAP, which an IPv4 address follows (RFC 5214 §6.1), but
/// for the bit that says whether that is a global one.
const ISATAP: u32 = 0x0000_5efe;
const ISATAP_GLOBAL: u32 = 0x0200_0000;

/// Whether `address` lies in a special-use range.
pub(crate) fn is_special_use(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => IPV4
            .iter()
            .any(|(network, prefix)| (address.to_bits() ^ network.to_bits()) >> (32 - prefix) == 0),
        IpAddr::V6(address) => IPV6.iter().any(|network| is_within(address, *network)),
    }
}

fn is_within(address: Ipv6Addr, (network, prefix): (Ipv6Addr, u32)) -> bool {
    (address.to_bits() ^ network.to_bits()) >> (128 - prefix) == 0
}

/// Whether a host of the public internet can have `address`.
pub(crate) fn is_public(address: IpAddr) -> bool {
    let IpAddr::V6(v6) = address else { return !is_special_use(address) };
    let [.., a, b, c, d] = v6.octets();
    if is_within(v6, NAT64) {
        return !is_special_use(Ipv4Addr::new(a, b, c, d).into());
    }
    let [.., high, low, _, _] = v6.segments();
    let is_isatap = (u32::from(high) << 16 | u32::from(low)) & !ISATAP_GLOBAL == ISATAP;
    is_within(v6, GLOBAL_UNICAST) && !is_special_use(address) && !is_isatap
}

/// Whether `address` is one of a private network: RFC 1918, or unique local IPv6.
pub(crate) fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private(),
        IpAddr::V6(address) => address.is_unique_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_use_addresses_are_told_from_public_ones() {
        for special in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.31.0.1",
            "192.168.1.1",
            "198.19.0.1",
            "203.0.113.9",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2001::1",
            "2001:db8::1",
            "2002:808:808::1",
            "fd00::1",
            "fe80::1",
            "ff02::1",
        ] {
            assert!(is_special_use(special.parse().unwrap()), "{special}");
        }
        for public in [
            "1.1.1.1",
            "8.8.8.8",
            "100.128.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "2606:4700::1111",
            "2a00::1",
        ] {
            assert!(!is_special_use(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn every_range_is_special_from_its_first_address_to_its_last() {
        let mut bounds: Vec<IpAddr> = Vec::new();
        for (network, prefix) in IPV4 {
            let last = network.to_bits() | u32::MAX >> prefix;
            bounds.extend([IpAddr::V4(*network), Ipv4Addr::from_bits(last).into()]);
        }
        for (network, prefix) in IPV6 {
            let last = network.to_bits() | u128::MAX >> prefix;
            bounds.extend([IpAddr::V6(*network), Ipv6Addr::from_bits(last).into()]);
        }
        for address in bounds {
            assert!(is_special_use(address), "{address}");
            // The last addresses of NAT64 lead to the last of IPv4, the first to the first.
            assert!(!is_public(address), "{address}");
        }
    }

    #[test]
    fn the_neighbours_of_special_ranges_are_public() {
        for public in [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "191.255.255.255",
            "192.0.1.0",
            "192.0.3.0",
            "192.88.98.255",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "203.0.112.255",
            "203.0.114.0",
            "223.255.255.255",
            "2001:200::",
            "2001:db7::",
            "2001:db9::",
            "2003::",
            "3ffe::",
            "64:ff9b::808:808",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for special in [
            "4000::1",
            "8000::1",
            "64:ff9b:1::808:808",
            "64:ff9b::1:808:808",
            "2a00::5efe:808:808",
            "2a00::200:5efe:808:808",
            "2001:0:808:808::1",
        ] {
            assert!(!is_public(special.parse().unwrap()), "{special}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_ipv6_form_hides_a_special_ipv4_address(at in 0..IPV4.len(), low: u32, prefix: u64) {
            let (network, length) = IPV4[at];
            let v4 = u128::from(network.to_bits() | low & (u32::MAX >> length));
            let prefix = u128::from(prefix) << 64;
            for bits in [
                v4,
                0xffff << 32 | v4,
                0xffff_0000 << 32 | v4,
                0x64_ff9b << 96 | v4,
                0x64_ff9b_0001 << 80 | v4,
                0x2002 << 112 | v4 << 80 | u128::from(low),
                0x2001_0000 << 96 | v4 << 64 | u128::from(low),
                0x2001_0000 << 96 | (!v4 & 0xffff_ffff),
                prefix | 0x5efe << 32 | v4,
                prefix | 0x0200_5efe << 32 | v4,
            ] {
                let address = Ipv6Addr::from_bits(bits);
                proptest::prop_assert!(!is_public(address.into()), "{address}");
            }
        }
    }
}
