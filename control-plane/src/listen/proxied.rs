//! Where a connection really comes from, behind a load balancer of layer 4: PROXY protocol, version 2.
//!
//! Only listed balancers are believed, and they must say it. From anyone else the same bytes are garbage in place of a handshake.

use ipnet::IpNet;
use ppp::v2::{Addresses, Command, Header};
use std::io;
use std::net::IpAddr;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Signature, version and command, family, and the length of the rest.
const FIXED_BYTES: usize = 16;
/// Longest header that is read: two IPv6 addresses, and what balancers add about themselves.
const HEADER_MAX_BYTES: usize = 536;

/// The source of a connection: what a listed balancer says, or else the other end.
///
/// # Errors
/// A listed balancer said nothing that can be understood.
pub(crate) async fn source(
    stream: &mut (impl AsyncRead + Unpin),
    other_end: IpAddr,
    balancers: &[IpNet],
) -> io::Result<IpAddr> {
    let other_end = other_end.to_canonical();
    if balancers.iter().any(|network| network.contains(&other_end)) {
        return Ok(read(stream).await?.unwrap_or(other_end));
    }
    Ok(other_end)
}

/// Reads the header. None where it names nobody: the balancer's own health check.
async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<IpAddr>> {
    let wrong = |problem: &'static str| io::Error::new(io::ErrorKind::InvalidData, problem);
    let mut bytes = [0; HEADER_MAX_BYTES];
    let fixed = bytes.get_mut(..FIXED_BYTES).ok_or_else(|| wrong("the buffer is too small"))?;
    stream.read_exact(fixed).await?;
    let rest = match fixed {
        [.., high, low] => usize::from(u16::from_be_bytes([*high, *low])),
        _ => return Err(wrong("the header is too short")),
    };
    let rest = bytes.get_mut(FIXED_BYTES..FIXED_BYTES + rest).ok_or_else(|| wrong("the header is too long"))?;
    let length = FIXED_BYTES + rest.len();
    stream.read_exact(rest).await?;
    let header = Header::try_from(bytes.get(..length).unwrap_or_default())
        .map_err(|_| wrong("the balancer sent no PROXY header of version 2"))?;
    match (header.command, header.addresses) {
        // Of the balancer itself, or of an address that it does not know: the other end counts, as the specification says.
        (Command::Local, _) | (Command::Proxy, Addresses::Unspecified) => Ok(None),
        (Command::Proxy, Addresses::IPv4(addresses)) => Ok(Some(addresses.source_address.into())),
        (Command::Proxy, Addresses::IPv6(addresses)) => Ok(Some(IpAddr::from(addresses.source_address).to_canonical())),
        (Command::Proxy, Addresses::Unix(_)) => Err(wrong("the balancer named no address of the internet")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ppp::v2::{Builder, IPv4, IPv6, Protocol, Version};

    const BALANCER: [u8; 4] = [192, 0, 2, 1];

    async fn check(bytes: &[u8], other_end: [u8; 4], expected: Result<&str, io::ErrorKind>) {
        let balancers = ["192.0.2.0/28".parse().unwrap()];
        let mut stream = bytes;
        let found = source(&mut stream, other_end.into(), &balancers).await;
        let found = found.map(|address| address.to_string()).map_err(|error| error.kind());
        assert_eq!(found.as_deref().map_err(|kind| *kind), expected, "{bytes:?}");
    }

    fn header(command: Command, addresses: impl Into<Addresses>) -> Vec<u8> {
        Builder::with_addresses(Version::Two | command, Protocol::Stream, addresses).build().unwrap()
    }

    #[tokio::test]
    async fn a_listed_balancer_is_believed_and_nobody_else() {
        let v4 = header(Command::Proxy, IPv4::new([203, 0, 113, 7], [192, 0, 2, 1], 4711, 8443));
        check(&v4, BALANCER, Ok("203.0.113.7")).await;
        check(&v4, [198, 51, 100, 1], Ok("198.51.100.1")).await;
        let home: std::net::Ipv6Addr = "2001:db8::7".parse().unwrap();
        check(&header(Command::Proxy, IPv6::new(home, home, 1, 2)), BALANCER, Ok("2001:db8::7")).await;
        check(&header(Command::Local, IPv4::new([0; 4], [0; 4], 0, 0)), BALANCER, Ok("192.0.2.1")).await;
    }

    #[tokio::test]
    async fn a_balancer_that_says_nothing_sensible_is_refused() {
        check(b"", BALANCER, Err(io::ErrorKind::UnexpectedEof)).await;
        check(
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS handshake",
            BALANCER,
            Err(io::ErrorKind::InvalidData),
        )
        .await;
        let mut long = header(Command::Proxy, IPv4::new([203, 0, 113, 7], [192, 0, 2, 1], 4711, 8443));
        long[14] = 0xff;
        check(&long, BALANCER, Err(io::ErrorKind::InvalidData)).await;
        let mut version_one = long.clone();
        version_one[12] = 0x11;
        version_one[14] = 0;
        check(&version_one, BALANCER, Err(io::ErrorKind::InvalidData)).await;
    }
}
