//! As much of MQTT 3.1.1 as an idle client needs: CONNECT, CONNACK, PINGREQ, PINGRESP.

use anyhow::{Context as _, bail};
use std::convert::Infallible;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Interval;
use tokio_rustls::client::TlsStream;

/// Seconds of silence after which the server may end the session: three heartbeats, as on our link.
const KEEP_ALIVE_S: u16 = 90;
const CONNACK_ACCEPTED: [u8; 4] = [0x20, 2, 0, 0];
const PINGREQ: [u8; 2] = [0xC0, 0];
const PINGRESP: [u8; 2] = [0xD0, 0];

/// A connection to the broker.
pub(crate) struct Session {
    stream: TlsStream<TcpStream>,
}

impl Session {
    /// Sends CONNECT and waits for CONNACK.
    pub(super) async fn begin(mut stream: TlsStream<TcpStream>, number: usize) -> anyhow::Result<Self> {
        stream.write_all(&connect(&format!("bench-{number}"))?).await?;
        stream.flush().await?;
        let mut answer = [0; CONNACK_ACCEPTED.len()];
        stream.read_exact(&mut answer).await.context("the broker closed the connection")?;
        if answer != CONNACK_ACCEPTED {
            bail!("the broker refused the session: {answer:?}");
        }
        Ok(Self { stream })
    }

    /// Sends pings and reads their answers.
    pub(super) async fn hold(mut self, mut heartbeats: Interval) -> anyhow::Result<Infallible> {
        loop {
            let mut answer = [0; PINGRESP.len()];
            tokio::select! {
                read = self.stream.read_exact(&mut answer) => {
                    read.context("the broker closed the connection")?;
                    if answer != PINGRESP {
                        bail!("the broker sent something else than a ping's answer: {answer:?}");
                    }
                }
                _ = heartbeats.tick() => {
                    self.stream.write_all(&PINGREQ).await?;
                    self.stream.flush().await?;
                }
            }
        }
    }
}

fn connect(client: &str) -> anyhow::Result<Vec<u8>> {
    let mut body = vec![0, 4];
    body.extend(b"MQTT");
    // Protocol level 4 is MQTT 3.1.1; flag 2 asks for a clean session.
    body.extend([4, 2]);
    body.extend(KEEP_ALIVE_S.to_be_bytes());
    body.extend(u16::try_from(client.len())?.to_be_bytes());
    body.extend(client.as_bytes());
    let mut packet =
        vec![0x10, u8::try_from(body.len()).ok().filter(|length| *length < 128).context("too long a name")?];
    packet.extend(body);
    Ok(packet)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_connect_packet_has_the_standards_form() {
        let packet = super::connect("ab").unwrap();
        assert_eq!(packet, [0x10, 14, 0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 90, 0, 2, b'a', b'b']);
        assert!(super::connect(&"x".repeat(200)).is_err());
    }
}
