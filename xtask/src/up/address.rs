//! Addresses to listen on.

use anyhow::bail;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::str::FromStr;

/// Ports tried after a usual one that is busy.
const TRIES: u16 = 100;

/// An address someone asked for: with a port, or with the usual one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wish {
    ip: IpAddr,
    port: Option<u16>,
}

impl FromStr for Wish {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Self { ip: address.ip(), port: Some(address.port()) });
        }
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        match bare.parse() {
            Ok(ip) => Ok(Self { ip, port: None }),
            Err(_) => {
                Err("expected an address of this machine, such as 192.168.1.20, 192.168.1.20:8080 or 0.0.0.0".into())
            }
        }
    }
}

/// An address, and what there is to say about it.
#[derive(Debug)]
pub(crate) struct Chosen {
    pub(crate) address: SocketAddr,
    pub(crate) note: Option<String>,
}

/// Chooses an address. One with a port that was asked for must be free; a kept or usual one gives way.
pub(crate) fn choose(
    what: &str,
    wish: Option<Wish>,
    kept: Option<SocketAddr>,
    usual: SocketAddr,
    taken: &[u16],
) -> anyhow::Result<Chosen> {
    if let Some(Wish { ip, port: Some(port) }) = wish {
        let address = SocketAddr::new(ip, port);
        if let Err(error) = TcpListener::bind(address) {
            bail!("{what} cannot use {address}: {error}");
        }
        return Ok(Chosen { address, note: None });
    }
    let ip = wish.map(|wish| wish.ip).or(kept.map(|kept| kept.ip())).unwrap_or(usual.ip());
    let first = kept.map_or(usual.port(), |kept| kept.port());
    for port in first..first.saturating_add(TRIES) {
        let address = SocketAddr::new(ip, port);
        match TcpListener::bind(address) {
            Ok(_) if taken.contains(&port) => {}
            Ok(_) => {
                let note = (port != first).then(|| format!("port {first} is busy, so {what} is on {address}"));
                return Ok(Chosen { address, note });
            }
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {}
            Err(error) => bail!("{what} cannot use {address}: {error}"),
        }
    }
    bail!("{what} found no free port from {first} on")
}

/// The address under which something that listens on `address` is reached.
pub(crate) fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() { SocketAddr::new(own_address(), address.port()) } else { address }
}

/// This machine's address on its network. No packet is sent: the kernel only says which address it would use.
fn own_address() -> IpAddr {
    let documentation = (Ipv4Addr::new(192, 0, 2, 1), 9);
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).and_then(|socket| {
        socket.connect(documentation)?;
        socket.local_addr()
    });
    socket.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |address| address.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_with_or_without_a_port() {
        let check = |text: &str, ip: &str, port| {
            assert_eq!(text.parse::<Wish>().unwrap(), Wish { ip: ip.parse().unwrap(), port }, "{text}");
        };
        check("192.0.2.7", "192.0.2.7", None);
        check("192.0.2.7:443", "192.0.2.7", Some(443));
        check("[::]:443", "::", Some(443));
        check("[::1]", "::1", None);
        check("::1", "::1", None);
        assert!("example".parse::<Wish>().is_err());
    }

    #[test]
    fn a_busy_port_gives_way_unless_it_was_asked_for() {
        let busy = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = busy.local_addr().unwrap();
        let chosen = choose("it", None, None, address, &[]).unwrap();
        assert!(chosen.address.port() > address.port());
        assert!(chosen.note.unwrap().contains(&address.port().to_string()));
        let next = choose("it", None, None, address, &[chosen.address.port()]).unwrap();
        assert_ne!(next.address.port(), chosen.address.port());
        let wish = Wish { ip: address.ip(), port: Some(address.port()) };
        assert!(choose("it", Some(wish), None, address, &[]).is_err());
    }
}
