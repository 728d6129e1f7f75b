//! One conversation with somebody who brings mails (RFC 5321), as far as programs speak it that hand mails over.

use data_encoding::BASE64;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};

/// Longest line, in bytes: RFC 5321 allows 1,000 for texts, and some for addresses and secrets.
const LINE_MAX_BYTES: u64 = 4_096;
/// Largest mail, in bytes: ours have some ten thousand.
const MAIL_MAX_BYTES: usize = 1 << 20;
/// Recipients of one mail.
const RECIPIENTS_MAX: usize = 20;
/// Commands in one conversation.
const COMMANDS_MAX: usize = 1_000;
/// Longest time without a line.
const IDLE_MAX: Duration = Duration::from_secs(120);

/// A mail that was brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Who sends it, as the envelope says.
    pub from: String,
    /// To whom it goes, as the envelope says.
    pub to: Vec<String>,
    /// The message, with its headers.
    pub bytes: Vec<u8>,
}

/// What was said last, and is to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'a> {
    /// Somebody connected.
    Connected,
    /// Whom the mail comes from.
    Sender(&'a str),
    /// To whom it goes.
    Recipient(&'a str),
    /// The mail itself.
    Message(&'a Received),
}

/// How it is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// As by a server in good health.
    Accept,
    /// With a code of one's own, such as "451 4.7.1 try again later".
    Say(&'static str),
    /// By hanging up.
    HangUp,
    /// Not at all, until the other side goes.
    Silence,
}

/// What a server offers and asks for.
#[derive(Debug, Clone, Default)]
pub struct Offer {
    /// Whether STARTTLS is offered. The caller puts TLS below when [`End::StartTls`] is answered.
    pub starttls: bool,
    /// The user and the password that are asked for; none for nobody's.
    pub login: Option<(String, String)>,
}

/// How a conversation ended.
#[derive(Debug)]
pub enum End<S> {
    /// It is over.
    Over,
    /// TLS is to begin on this stream, and then another conversation.
    StartTls(S),
}

/// What is known in the middle of a conversation.
#[derive(Default)]
struct State {
    is_signed_in: bool,
    from: Option<String>,
    to: Vec<String>,
}

/// Speaks with one client until it goes. `is_continued` after STARTTLS: nothing is said as a greeting then, and STARTTLS is not offered
/// again. `answer` is asked at each step, and keeps the mails.
///
/// # Errors
/// The connection failed, or the client said something that no mail client says.
pub async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    offer: &Offer,
    is_continued: bool,
    answer: &mut (impl FnMut(Step<'_>) -> Answer + Send),
) -> io::Result<End<S>> {
    let mut stream = BufReader::new(stream);
    let mut state = State::default();
    if !is_continued && !reply(&mut stream, answer(Step::Connected), "220 mail sink").await? {
        return Ok(End::Over);
    }
    for _ in 0..COMMANDS_MAX {
        let Some(line) = line(&mut stream).await? else { return Ok(End::Over) };
        let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
        let goes_on = match verb.to_ascii_uppercase().as_str() {
            "EHLO" => {
                let mut text = "250-mail sink\r\n".to_owned();
                if offer.starttls && !is_continued {
                    text.push_str("250-STARTTLS\r\n");
                }
                if offer.login.is_some() {
                    text.push_str("250-AUTH PLAIN\r\n");
                }
                text.push_str("250 8BITMIME");
                say(&mut stream, &text).await?
            }
            "HELO" | "NOOP" => say(&mut stream, "250 yes").await?,
            "RSET" => {
                state = State { is_signed_in: state.is_signed_in, ..State::default() };
                say(&mut stream, "250 forgotten").await?
            }
            "STARTTLS" if offer.starttls && !is_continued => {
                say(&mut stream, "220 go on").await?;
                // What came already was said in the clear, by anybody.
                if !stream.buffer().is_empty() {
                    return Err(io::Error::other("something was said between STARTTLS and TLS"));
                }
                return Ok(End::StartTls(stream.into_inner()));
            }
            "AUTH" => {
                state.is_signed_in = is_login(rest, offer);
                let said = if state.is_signed_in { "235 signed in" } else { "535 5.7.8 user or password is wrong" };
                say(&mut stream, said).await?
            }
            "QUIT" => {
                say(&mut stream, "221 bye").await?;
                return Ok(End::Over);
            }
            "MAIL" | "RCPT" | "DATA" if offer.login.is_some() && !state.is_signed_in => {
                say(&mut stream, "530 5.7.0 sign in first").await?
            }
            "MAIL" => {
                let from = address(rest).unwrap_or_default();
                let goes_on = reply(&mut stream, answer(Step::Sender(&from)), "250 yes").await?;
                state.from = Some(from);
                goes_on
            }
            "RCPT" => recipient(&mut stream, &mut state, rest, answer).await?,
            "DATA" => data(&mut stream, &mut state, answer).await?,
            _ => say(&mut stream, "502 5.5.1 this is not known here").await?,
        };
        if !goes_on {
            return Ok(End::Over);
        }
    }
    Err(io::Error::other("the conversation does not end"))
}

async fn recipient<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    state: &mut State,
    rest: &str,
    answer: &mut (impl FnMut(Step<'_>) -> Answer + Send),
) -> io::Result<bool> {
    let Some(to) = address(rest).filter(|to| !to.is_empty()) else {
        return say(stream, "501 5.1.3 this is no address").await;
    };
    if state.from.is_none() {
        return say(stream, "503 5.5.1 say MAIL first").await;
    }
    if state.to.len() >= RECIPIENTS_MAX {
        return say(stream, "452 4.5.3 too many recipients").await;
    }
    let answered = answer(Step::Recipient(&to));
    if answered == Answer::Accept {
        state.to.push(to);
    }
    reply(stream, answered, "250 yes").await
}

async fn data<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    state: &mut State,
    answer: &mut (impl FnMut(Step<'_>) -> Answer + Send),
) -> io::Result<bool> {
    let Some(from) = state.from.take().filter(|_| !state.to.is_empty()) else {
        return say(stream, "503 5.5.1 say MAIL and RCPT first").await;
    };
    say(stream, "354 go on").await?;
    let mut bytes = Vec::new();
    loop {
        let Some(line) = raw_line(stream).await? else { return Ok(false) };
        if line == b".\r\n" {
            break;
        }
        bytes.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
        if bytes.len() > MAIL_MAX_BYTES {
            say(stream, "552 5.3.4 this mail is too large").await?;
            return Ok(false);
        }
    }
    let received = Received { from, to: std::mem::take(&mut state.to), bytes };
    reply(stream, answer(Step::Message(&received)), "250 2.0.0 kept").await
}

/// Whether the words after AUTH are those that are asked for: the mechanism PLAIN, with all in one line (RFC 4616).
fn is_login(words: &str, offer: &Offer) -> bool {
    let Some((user, password)) = &offer.login else { return false };
    let expected = BASE64.encode(format!("\0{user}\0{password}").as_bytes());
    words.split_once(' ').is_some_and(|(mechanism, given)| mechanism.eq_ignore_ascii_case("PLAIN") && given == expected)
}

/// The address in "FROM:<ada@example.org> …" or "TO:<…>".
fn address(words: &str) -> Option<String> {
    let (_, rest) = words.split_once('<')?;
    rest.split_once('>').map(|(address, _)| address.to_owned())
}

/// Gives an answer. False when the conversation is over.
async fn reply<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    answer: Answer,
    usual: &str,
) -> io::Result<bool> {
    match answer {
        Answer::Accept => say(stream, usual).await,
        Answer::Say(text) => say(stream, text).await,
        Answer::HangUp => Ok(false),
        Answer::Silence => {
            // Until the other side has enough of it.
            while raw_line(stream).await?.is_some() {}
            Ok(false)
        }
    }
}

async fn say<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufReader<S>, text: &str) -> io::Result<bool> {
    stream.write_all(format!("{text}\r\n").as_bytes()).await?;
    stream.flush().await?;
    Ok(true)
}

/// A command, without its end; none when the client is gone.
async fn line<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> io::Result<Option<String>> {
    let Some(bytes) = raw_line(stream).await? else { return Ok(None) };
    let text = String::from_utf8(bytes).map_err(|_| io::Error::other("a command is no text"))?;
    Ok(Some(text.trim_end().to_owned()))
}

/// A line with its end; none when the client is gone.
async fn raw_line<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let mut bounded = stream.take(LINE_MAX_BYTES);
    let read = tokio::time::timeout(IDLE_MAX, bounded.read_until(b'\n', &mut line)).await;
    read.map_err(|_elapsed| io::Error::from(io::ErrorKind::TimedOut))??;
    if line.is_empty() {
        return Ok(None);
    }
    if !line.ends_with(b"\n") {
        return Err(io::Error::other("a line is too long, or was cut off"));
    }
    Ok(Some(line))
}
