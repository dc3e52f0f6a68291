//! The share of sources for iptables, which has no hash match of its own: a classic BPF program (`-m bpf`).
//!
//! The same arithmetic stands here in Rust, so that the share can be counted without a packet.

#[cfg(test)]
use std::net::IpAddr;

/// Multipliers and shifts of the murmur3 finaliser, whose output bits each depend on every input bit.
const MIX: [(u32, u32); 2] = [(16, 0x85eb_ca6b), (13, 0xc2b2_ae35)];
const LAST_SHIFT: u32 = 16;

/// Which end of a packet is hashed: offsets of the address in the IPv4 and the IPv6 header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Source,
    Destination,
}

/// Bucket 0 to 99 of an address. The program of [`bytecode`] computes the same.
#[cfg(test)]
pub(super) fn bucket(addr: IpAddr, seed: u32) -> u32 {
    let words: Vec<u32> = match addr {
        IpAddr::V4(v4) => vec![u32::from(v4)],
        IpAddr::V6(v6) => v6.octets().chunks(4).map(|c| c.iter().fold(0, |w, b| w << 8 | u32::from(*b))).collect(),
    };
    let mut a = seed;
    for word in words {
        a ^= word;
        for (shift, factor) in MIX {
            a ^= a >> shift;
            a = a.wrapping_mul(factor);
        }
        a ^= a >> LAST_SHIFT;
    }
    a % 100
}

/// The argument of `-m bpf --bytecode`: matches packets whose address falls into the first `percent` buckets.
pub(super) fn bytecode(v6: bool, end: End, seed: u32, percent: u8) -> String {
    let (first, words) = match (v6, end) {
        (false, End::Source) => (12, 1),
        (false, End::Destination) => (16, 1),
        (true, End::Source) => (8, 4),
        (true, End::Destination) => (24, 4),
    };
    let (load, load_imm, to_x) = (0x20, 0x00, 0x07);
    let (xor_x, mul, shr, modulo) = (0xac, 0x24, 0x74, 0x94);
    let (jge, ret) = (0x35, 0x06);
    let plain = |code: u32, k: u32| format!("{code} 0 0 {k}");
    let fold = |p: &mut Vec<String>, shift| {
        p.extend([plain(to_x, 0), plain(shr, shift), plain(xor_x, 0)]);
    };
    let mut program = vec![plain(load_imm, seed)];
    for word in 0..words {
        program.extend([plain(to_x, 0), plain(load, first + 4 * word), plain(xor_x, 0)]);
        for (shift, factor) in MIX {
            fold(&mut program, shift);
            program.push(plain(mul, factor));
        }
        fold(&mut program, LAST_SHIFT);
    }
    program.push(plain(modulo, 100));
    program.push(format!("{jge} 1 0 {percent}"));
    program.push(plain(ret, 65535));
    program.push(plain(ret, 0));
    format!("{},{}", program.len(), program.join(","))
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    /// Real pools are runs of addresses, or one address in each of many small networks: both must come out even.
    #[test]
    fn shares_are_right_within_two_points_for_ten_thousand_sources() {
        let consecutive = (0..10_000u32).map(|i| IpAddr::V4(Ipv4Addr::from(0x0a5a_0000 + i)));
        let strided = (0..10_000u32).map(|i| IpAddr::V4(Ipv4Addr::from(0x0a00_000a + i * 256)));
        let v6 = (0..10_000u128).map(|i| IpAddr::V6(Ipv6Addr::from(0xfd90_u128 << 112 | i << 64 | 1)));
        for pool in [consecutive.collect::<Vec<_>>(), strided.collect(), v6.collect()] {
            for percent in [1u32, 5, 25, 50] {
                let inside = pool.iter().filter(|a| bucket(**a, 0xbeef) < percent).count();
                let off = i64::try_from(inside).unwrap() - i64::from(percent) * 100;
                assert!(off.abs() < 200, "{percent} % came out {off} too many of 10000");
            }
        }
    }

    #[test]
    fn a_program_fits_the_kernel() {
        for (v6, end) in
            [(false, End::Source), (true, End::Source), (false, End::Destination), (true, End::Destination)]
        {
            let program = bytecode(v6, end, u32::MAX, 25);
            let (count, rest) = program.split_once(',').unwrap();
            assert_eq!(count.parse::<usize>().unwrap(), rest.split(',').count());
            assert!(rest.split(',').count() <= 64, "xt_bpf takes 64 instructions");
        }
    }
}
