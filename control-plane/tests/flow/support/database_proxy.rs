//! A database behind something that rewrites what the server asks: what the code checks by itself can be taken out of its statements, to see
//! what the database then still keeps apart.

use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};

/// Longest message that is passed on, bytes. Ours are a few kilobytes.
const MESSAGE_MAX_BYTES: usize = 16 * 1024 * 1024;

/// What is done to each statement.
pub(crate) type Rewriting = fn(&str) -> String;

/// Listens for a server, and speaks to the database for it.
pub(crate) struct DatabaseProxy {
    port: u16,
    rewritten: Arc<AtomicUsize>,
}

impl DatabaseProxy {
    /// Starts before the database whose socket is in this folder.
    #[expect(clippy::disallowed_methods, reason = "the tasks end with the test")]
    pub(crate) async fn start(socket_folder: PathBuf, socket_port: u16, rewriting: Rewriting) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let (port, rewritten) = (listener.local_addr()?.port(), Arc::new(AtomicUsize::new(0)));
        let socket = socket_folder.join(format!(".s.PGSQL.{socket_port}"));
        let counted = Arc::clone(&rewritten);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (socket, counted) = (socket.clone(), Arc::clone(&counted));
                // A connection that breaks breaks for the server, which the test sees.
                tokio::spawn(async move { serve(client, &socket, rewriting, &counted).await });
            }
        });
        Ok(Self { port, rewritten })
    }

    /// Where the server finds it.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Statements that were changed.
    pub(crate) fn rewritten(&self) -> usize {
        self.rewritten.load(Ordering::Relaxed)
    }
}

async fn serve(client: TcpStream, socket: &PathBuf, rewriting: Rewriting, counted: &AtomicUsize) -> Result<()> {
    let database = UnixStream::connect(socket).await.with_context(|| format!("no database at {}", socket.display()))?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_database, mut to_database) = database.into_split();
    let asking = async {
        // The first message has no kind (Postgres documentation, "Message Formats": StartupMessage).
        let first = read_message(&mut from_client).await?;
        to_database.write_all(&first).await?;
        loop {
            let kind = from_client.read_u8().await?;
            let mut message = read_message(&mut from_client).await?;
            if let Some(changed) = rewrite(kind, &message, rewriting)? {
                counted.fetch_add(1, Ordering::Relaxed);
                message = changed;
            }
            to_database.write_u8(kind).await?;
            to_database.write_all(&message).await?;
        }
        #[expect(unreachable_code, reason = "it goes on until the connection ends")]
        anyhow::Ok(())
    };
    tokio::select! {
        ended = asking => ended,
        answered = tokio::io::copy(&mut from_database, &mut to_client) => answered.map(|_| ()).map_err(Into::into),
    }
}

/// A message from its length on, the length included.
async fn read_message(from: &mut (impl AsyncReadExt + Unpin)) -> Result<Vec<u8>> {
    let length = from.read_u32().await?;
    let rest = usize::try_from(length)?.checked_sub(4).context("a message has a length")?;
    if rest > MESSAGE_MAX_BYTES {
        bail!("a message of {rest} bytes");
    }
    let mut message = length.to_be_bytes().to_vec();
    message.resize(4 + rest, 0);
    from.read_exact(message.get_mut(4..).context("it was made that long")?).await?;
    Ok(message)
}

/// The message with another statement, when it has one and the rewriting changes it. `P` is Parse: a name, the statement, types; `Q` is a
/// simple query: the statement.
fn rewrite(kind: u8, message: &[u8], rewriting: Rewriting) -> Result<Option<Vec<u8>>> {
    let body = message.get(4..).context("a length")?;
    let mut texts = body.split(|byte| *byte == 0);
    let before = match kind {
        b'P' => texts.next().context("a name")?.len() + 1,
        b'Q' => 0,
        _ => return Ok(None),
    };
    let statement = std::str::from_utf8(texts.next().context("a statement")?)?;
    let changed = rewriting(statement);
    if changed == statement {
        return Ok(None);
    }
    let (name, rest) = (body.get(..before), body.get(before + statement.len()..));
    let new = [name.context("a name")?, changed.as_bytes(), rest.context("an end")?].concat();
    let length = u32::try_from(new.len() + 4)?;
    Ok(Some([length.to_be_bytes().as_slice(), &new].concat()))
}
