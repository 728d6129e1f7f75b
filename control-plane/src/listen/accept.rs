//! The accept loop that all listeners share.

use crate::tasks::Tasks;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Pause after the operating system refused a connection, for want of descriptors mostly.
const RETRY: Duration = Duration::from_millis(50);

/// A place in the room of a listener, given back when it is dropped.
pub(crate) type InRoom = OwnedSemaphorePermit;

/// Accepts connections until the process stops, each with a place in a room of so many. Waiting for a place comes first: the
/// rest queue in the kernel, where it costs least.
pub(crate) async fn accept<F>(
    listener: TcpListener,
    tasks: Tasks,
    room: usize,
    serve: impl Fn(TcpStream, SocketAddr, InRoom) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let room = Arc::new(Semaphore::new(room));
    let stopping = tasks.stopping();
    loop {
        let accepted = tokio::select! {
            accepted = accept_one(&listener, &room) => accepted,
            () = stopping.cancelled() => return,
        };
        match accepted {
            Ok((stream, source, place)) => {
                // Small messages must not wait for each other.
                let _best_effort = stream.set_nodelay(true);
                tasks.spawn_small(serve(stream, source, place));
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "connection could not be accepted");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

async fn accept_one(listener: &TcpListener, room: &Arc<Semaphore>) -> io::Result<(TcpStream, SocketAddr, InRoom)> {
    let place = Arc::clone(room).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, source) = listener.accept().await?;
    Ok((stream, source, place))
}

/// Opens a listener with a queue that takes a whole fleet coming back.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { tokio::net::TcpSocket::new_v4()? } else { tokio::net::TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    /// Connections that wait in the kernel; it takes less where net.core.somaxconn says so.
    const BACKLOG: u32 = 4096;
    socket.listen(BACKLOG)
}
