//! Whose the programs at the other ends of loopback connections are.
//!
//! Every user of the machine can connect to a port on loopback, and see in `/proc/net/tcp` which are open. Linux says
//! there as well whose each end of a connection is; elsewhere, and where `/proc` is hidden, nothing is known.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The users at the other ends of the connections to one port.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Owners(HashMap<Ends, u32>);

/// A connection as its other end names it: its own address, then ours.
type Ends = (SocketAddr, SocketAddr);

impl Owners {
    /// Reads the kernel's tables; blocks for as long as those are.
    pub(super) fn read(port: u16) -> Self {
        if !cfg!(target_os = "linux") {
            return Self::default();
        }
        // A browser may connect to 127.0.0.1 from a socket of IPv6: both tables have to be looked at for either.
        let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
        let text: String =
            tables.iter().filter_map(|table| std::fs::read_to_string(table).ok()).collect();
        Self::parse(&text, port)
    }

    /// True where a browser's connections are root's: WSL forwards those of Windows by a relay of its own.
    pub(super) fn has_relay_of_root() -> bool {
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease");
        release.is_ok_and(|release| is_wsl(&release))
    }

    fn parse(tables: &str, port: u16) -> Self {
        let rows = tables.lines().filter_map(parse_row);
        Self(rows.filter(|((_, ours), _)| ours.port() == port).collect())
    }

    /// The user at the other end, if it is known.
    pub(super) fn of(&self, peer: SocketAddr, ours: SocketAddr) -> Option<u32> {
        self.0.get(&(peer, ours)).copied()
    }
}

/// `5.15.90.1-microsoft-standard-WSL2`, and `Microsoft` in WSL 1.
fn is_wsl(release: &str) -> bool {
    release.to_ascii_lowercase().contains("microsoft")
}

/// proc_net_tcp.rst of the kernel: slot, local address, remote address, state, queues, timer, retransmits, uid.
fn parse_row(row: &str) -> Option<(Ends, u32)> {
    let mut columns = row.split_ascii_whitespace().skip(1);
    let own = parse_address(columns.next()?)?;
    let remote = parse_address(columns.next()?)?;
    let uid = columns.nth(4)?.parse().ok()?;
    Some(((own, remote), uid))
}

/// `0100007F:1F90`: words of 32 bits in the machine's order whose bytes are in the network's, then the port.
fn parse_address(text: &str) -> Option<SocketAddr> {
    let (words, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |text: &str| u32::from_str_radix(text, 16).map(u32::to_ne_bytes).ok();
    let ip = match words.len() {
        8 => IpAddr::from(Ipv4Addr::from(word(words)?)),
        32 => {
            let mut bytes = [0; 16];
            for (index, bytes) in bytes.chunks_exact_mut(4).enumerate() {
                bytes.copy_from_slice(&word(words.get(index * 8..index * 8 + 8)?)?);
            }
            // ::ffff:127.0.0.1 is how a socket of IPv6 sees what we see as 127.0.0.1.
            Ipv6Addr::from(bytes).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tables of a machine with the words in this machine's order.
    fn tables() -> String {
        let v4 = |ip: [u8; 4]| format!("{:08X}", u32::from_ne_bytes(ip));
        let home = v4([127, 0, 0, 1]);
        let none = v4([0; 4]);
        let one = v4([0, 0, 0, 1]);
        let mapped = format!("{none}{none}{}{home}", v4([0, 0, 0xff, 0xff]));
        let home6 = format!("{none}{none}{none}{one}");
        let rest = "00000000:00000000 00:00000000 00000000";
        format!(
            "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
             \x20  0: {home}:1267 {none}:0000 0A {rest}  1000        0 11 1 0 100 0 0 10 0\n\
             \x20  1: {home}:1267 {home}:C001 01 {rest}  1000        0 12 1 0 20 4 30 10 -1\n\
             \x20  2: {home}:C001 {home}:1267 01 {rest}  1001        0 13 1 0 20 4 30 10 -1\n\
             \x20  3: {home}:C002 {home}:0050 01 {rest}  1002        0 14 1 0 20 4 30 10 -1\n\
             \x20  4: {home}:C003 {home}:1267 01 {rest} 4294967294     0 14\n\
             \x20  5: {home}:C004 {home}:1267 01 {rest}\n\
             \x20  6: {home}:C005 {home}:1267 01 {rest} -1 0 14\n\
             \x20  7: 7F:C006 {home}:1267 01 {rest} 1003 0 14\n\
             \x20  sl  local_address                         remote_address                        st\n\
             \x20  0: {mapped}:C007 {mapped}:1267 01 {rest}  1004        0 15\n\
             \x20  1: {home6}:C008 {home6}:1267 01 {rest}  1005        0 15\n"
        )
    }

    #[test]
    fn the_kernels_tables_say_whose_the_other_end_is() {
        let owners = Owners::parse(&tables(), 0x1267);
        for (peer, ours, expected) in [
            ("127.0.0.1:49153", "127.0.0.1:4711", Some(1001)),
            ("127.0.0.1:49154", "127.0.0.1:80", None),
            ("127.0.0.1:49155", "127.0.0.1:4711", Some(4_294_967_294)),
            ("127.0.0.1:49156", "127.0.0.1:4711", None),
            ("127.0.0.1:49157", "127.0.0.1:4711", None),
            ("127.0.0.1:49158", "127.0.0.1:4711", None),
            ("127.0.0.1:49159", "127.0.0.1:4711", Some(1004)),
            ("[::1]:49160", "[::1]:4711", Some(1005)),
            ("127.0.0.2:49153", "127.0.0.1:4711", None),
            ("127.0.0.1:49153", "127.0.0.2:4711", None),
        ] {
            let found = owners.of(peer.parse().unwrap(), ours.parse().unwrap());
            assert_eq!(found, expected, "{peer} to {ours}");
        }
    }

    #[test]
    fn wsl_is_known_by_its_kernel() {
        for (release, expected) in [
            ("5.15.90.1-microsoft-standard-WSL2", true),
            ("4.4.0-19041-Microsoft", true),
            ("6.8.0-45-generic", false),
        ] {
            assert_eq!(is_wsl(release), expected, "{release}");
        }
    }

    #[test]
    fn what_is_no_table_says_nothing() {
        for text in ["", "\n\n", "a b c d e f g h", "0: : : : : : 1", "0: 0:0 0:0 0 0 0 0 1"] {
            assert_eq!(Owners::parse(text, 0), Owners::default(), "{text:?}");
        }
    }
}
