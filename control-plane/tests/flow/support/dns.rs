//! A server of names, for tests: it knows some TXT records, and that there are no others.

use anyhow::Result;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

type Records = Arc<Mutex<BTreeMap<String, Vec<String>>>>;

pub(crate) struct TestDns {
    address: SocketAddr,
    records: Records,
    task: JoinHandle<()>,
}

impl TestDns {
    #[expect(clippy::disallowed_methods, reason = "the task ends with the server, and with the test")]
    pub(crate) async fn start() -> Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0").await?;
        let (address, records) = (socket.local_addr()?, Records::default());
        let known = Arc::clone(&records);
        let task = tokio::spawn(async move {
            let mut question = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut question).await {
                let answer = question.get(..length).and_then(|question| answer(question, &known));
                if let Some(answer) = answer {
                    let _gone = socket.send_to(&answer, from).await;
                }
            }
        });
        Ok(Self { address, records, task })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Says from now on that these are the texts of a name.
    pub(crate) fn set(&self, name: &str, texts: &[&str]) {
        let texts = texts.iter().map(|text| (*text).to_owned()).collect();
        self.records.lock().expect("nobody panicked").insert(name.to_owned(), texts);
    }
}

impl Drop for TestDns {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The answer to one question (RFC 1035, section 4): what is known of its name, or that there is nothing.
fn answer(question: &[u8], records: &Records) -> Option<Vec<u8>> {
    const HEAD: usize = 12;
    let mut labels = Vec::new();
    let mut at = HEAD;
    loop {
        let length = usize::from(*question.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        labels.push(String::from_utf8_lossy(question.get(at..at + length)?).to_ascii_lowercase());
        at += length;
    }
    let end = at + 4;
    let texts = records.lock().expect("nobody panicked").get(&labels.join(".")).cloned();
    // An answer to a recursive question, with one question in it; 3 says that there is no such name.
    let code = if texts.is_some() { 0x80 } else { 0x83 };
    let count = u16::try_from(texts.as_ref().map_or(0, Vec::len)).ok()?;
    let mut answer = question.get(..2)?.to_vec();
    answer.extend([0x81, code, 0, 1]);
    answer.extend(count.to_be_bytes());
    answer.extend([0, 0, 0, 0]);
    answer.extend(question.get(HEAD..end)?);
    for text in texts.unwrap_or_default() {
        // Its name is that of the question; TXT, of the Internet, for no time.
        answer.extend([0xc0, 0x0c, 0, 16, 0, 1, 0, 0, 0, 0]);
        // Long texts come in parts.
        let parts: Vec<&[u8]> = text.as_bytes().chunks(100).collect();
        let length: usize = parts.iter().map(|part| part.len() + 1).sum();
        answer.extend(u16::try_from(length).ok()?.to_be_bytes());
        for part in parts {
            answer.push(u8::try_from(part.len()).ok()?);
            answer.extend(part);
        }
    }
    Some(answer)
}
