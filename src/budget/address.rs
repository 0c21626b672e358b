//! Which addresses are on the public internet, whatever form an address is written in.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How near an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// On the public internet.
    Public,
    /// In a private network, or on this machine.
    Private,
    /// Of the link, of no host or of many: metadata services of clouds are among these.
    Never,
}

/// Metadata services of clouds that are not of the link: of Alibaba, Azure and Oracle.
const METADATA_V4: [Ipv4Addr; 3] = [
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(192, 0, 0, 192),
];
/// Those of Amazon and Google.
const METADATA_V6: [Ipv6Addr; 2] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
];

/// How near an address is.
pub fn reach(address: IpAddr) -> Reach {
    match address {
        IpAddr::V4(address) => reach_v4(address),
        IpAddr::V6(address) => match inner(address) {
            Some(inner) => reach_v4(inner).max(reach_v6(address)).max(Reach::Private),
            None => reach_v6(address),
        },
    }
}

fn reach_v4(address: Ipv4Addr) -> Reach {
    let [first, second, third, _] = address.octets();
    let never = address.is_link_local()
        || address.is_multicast()
        || first == 0
        || first >= 240
        || METADATA_V4.contains(&address)
        // What is for documents alone.
        || address.is_documentation();
    let private = address.is_loopback()
        || address.is_private()
        // Carriers' own, networks' tests, protocols' own, and the way to 6to4.
        || first == 100 && (64..128).contains(&second)
        || first == 198 && (18..20).contains(&second)
        || (first, second, third) == (192, 0, 0)
        || (first, second, third) == (192, 88, 99);
    match (never, private) {
        (true, _) => Reach::Never,
        (false, true) => Reach::Private,
        (false, false) => Reach::Public,
    }
}

fn reach_v6(address: Ipv6Addr) -> Reach {
    let [first, second, ..] = address.segments();
    let never = address.is_unspecified()
        || address.is_multicast()
        || first & 0xffc0 == 0xfe80
        // Sites' own, given up long ago; what is thrown away; what is for documents alone.
        || first & 0xffc0 == 0xfec0
        || first == 0x100
        || (first, second) == (0x2001, 0xdb8)
        || first == 0x3fff
        || METADATA_V6.contains(&address);
    // The public internet is 2000::/3, of which 2001::/23 is protocols' own.
    let public = first & 0xe000 == 0x2000 && !(first == 0x2001 && second < 0x200);
    match (never, public) {
        (true, _) => Reach::Never,
        (false, true) => Reach::Public,
        (false, false) => Reach::Private,
    }
}

/// The address of version 4 that one of version 6 leads to.
fn inner(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let v4 = |high: u16, low: u16| Some(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)));
    match [a, b, c, d, e, f] {
        // Compatible with version 4; ::1 and :: are none.
        [0, 0, 0, 0, 0, 0] if g != 0 => v4(g, h),
        // Mapped, and translated.
        [0, 0, 0, 0, 0, 0xffff] | [0, 0, 0, 0, 0xffff, 0] => v4(g, h),
        // NAT64, with the known prefix and with networks' own.
        [0x64, 0xff9b, 0, 0, 0, 0] | [0x64, 0xff9b, 1, ..] => v4(g, h),
        // 6to4.
        [0x2002, high, low, ..] => v4(high, low),
        // Teredo has the client's address with each bit turned.
        [0x2001, 0, ..] => v4(!g, !h),
        // ISATAP.
        [.., 0x5efe] if e & 0xfdff == 0 => v4(g, h),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn all(expected: Reach, addresses: &[&str]) {
        for text in addresses {
            assert_eq!(reach(text.parse().unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn addresses_of_the_internet_are_public() {
        all(
            Reach::Public,
            &[
                "1.1.1.1",
                "8.8.8.8",
                "93.184.216.34",
                "172.15.0.1",
                "172.32.0.1",
                "11.0.0.1",
                "100.63.255.255",
                "100.128.0.0",
                "198.17.0.1",
                "198.20.0.1",
                "223.255.255.255",
                "2606:4700:4700::1111",
                "2a00:1450:4001::1",
                "2001:200::1",
                "2620:fe::fe",
            ],
        );
    }

    #[test]
    fn addresses_of_a_network_of_ones_own_are_private() {
        all(
            Reach::Private,
            &[
                "127.0.0.1",
                "127.255.255.254",
                "10.0.0.1",
                "172.16.0.1",
                "172.31.255.255",
                "192.168.1.1",
                "100.64.0.1",
                "198.18.0.1",
                "192.0.0.1",
                "192.88.99.1",
                "::1",
                "fc00::1",
                "fd12:3456::1",
                "::ffff:127.0.0.1",
                "::ffff:10.0.0.1",
                "::127.0.0.1",
                "64:ff9b::10.0.0.1",
                "64:ff9b:1::127.0.0.1",
                "2002:7f00:1::",
                "2002:a00:1::1",
                "2001:0:1:2:3:4:80ff:fffe",
                "fe7f::1",
                "2001:10::1",
                "::ffff:0:127.0.0.1",
                // Also where what they lead to is public: nobody has such a target.
                "::ffff:8.8.8.8",
                "2002:808:808::",
            ],
        );
    }

    #[test]
    fn addresses_of_the_link_of_none_and_of_many_are_never_reached() {
        all(
            Reach::Never,
            &[
                "169.254.169.254",
                "169.254.0.1",
                "0.0.0.0",
                "0.1.2.3",
                "255.255.255.255",
                "240.0.0.1",
                "224.0.0.1",
                "239.1.1.1",
                "192.0.2.1",
                "203.0.113.7",
                "198.51.100.1",
                "100.100.100.200",
                "168.63.129.16",
                "192.0.0.192",
                "::",
                "fe80::1",
                "febf::1",
                "fec0::1",
                "ff02::1",
                "2001:db8::1",
                "fd00:ec2::254",
                "fd20:ce::254",
                "::ffff:168.63.129.16",
                "64:ff9b::192.0.0.192",
                "::ffff:169.254.169.254",
                "64:ff9b::169.254.169.254",
                "2002:a9fe:a9fe::",
                "::169.254.169.254",
                "fe80::5efe:10.0.0.1",
                "100::1",
            ],
        );
    }
}
