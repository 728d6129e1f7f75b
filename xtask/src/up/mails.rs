//! `cargo xtask mails`: what the fleet would have sent.

use crate::talk::say;
use crate::up::Place;
use crate::up::folder::StateFolder;
use anyhow::{Context as _, bail};
use kaliun_mail_sink::mailbox::{Kept, Mailbox};
use kaliun_mail_sink::reading::Mail;
use std::fmt::Write as _;

/// Mails that are listed: a screen.
const LISTED: usize = 20;

/// Which mails.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// Print the text of the mail with this number.
    #[arg(long, value_name = "N")]
    open: Option<u64>,
}

/// Lists the newest mails, or prints one.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mailbox = StateFolder::choose(arguments.place.state_dir.as_deref())?.mailbox();
    say(&match arguments.open {
        Some(number) => opened(&mailbox, number)?,
        None => listed(&mailbox)?,
    });
    Ok(())
}

fn read(kept: &Kept) -> anyhow::Result<Mail> {
    let bytes = std::fs::read(&kept.path).with_context(|| format!("cannot read {}", kept.path.display()))?;
    Ok(Mail::read(&bytes))
}

fn kept(mailbox: &Mailbox) -> anyhow::Result<Vec<Kept>> {
    mailbox.list().with_context(|| format!("cannot read {}", mailbox.folder().display()))
}

/// The newest mails, the newest first, each with its link.
fn listed(mailbox: &Mailbox) -> anyhow::Result<String> {
    let kept = kept(mailbox)?;
    let mut text = String::new();
    for one in kept.iter().rev().take(LISTED) {
        let mail = read(one)?;
        // Writing to a String cannot fail.
        let _infallible = writeln!(text, "{:>5}  {}  {}", one.number, mail.to, mail.subject);
        if let Some(link) = mail.link() {
            let _infallible = writeln!(text, "       {link}");
        }
    }
    if kept.is_empty() {
        return Ok(format!("No mail was sent yet. They come to {}.", mailbox.folder().display()));
    }
    if kept.len() > LISTED {
        let _infallible = writeln!(text, "       and {} older ones", kept.len() - LISTED);
    }
    text.push_str("\n`cargo xtask mails --open N` prints the text of one; the files are in ");
    let _infallible = write!(text, "{}.", mailbox.folder().display());
    Ok(text)
}

/// The text of one mail, below its headers.
fn opened(mailbox: &Mailbox, number: u64) -> anyhow::Result<String> {
    let kept = kept(mailbox)?;
    let Some(one) = kept.iter().find(|one| one.number == number) else {
        bail!("there is no mail {number}; `cargo xtask mails` lists those there are");
    };
    let mail = read(one)?;
    Ok(format!("To: {}\nSubject: {}\n\n{}", mail.to, mail.subject, mail.text.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mails_are_listed_and_opened() {
        let folder = std::env::temp_dir().join(format!("kaliun-xtask-mails-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mailbox = Mailbox::new(folder.clone());
        let empty = listed(&mailbox).unwrap();
        for number in 1..=22 {
            let mail = format!("To: {number}@example.org\r\nSubject: Hello\r\n\r\nGo:\r\nhttps://a/b#{number}\r\n");
            mailbox.put(mail.as_bytes()).unwrap();
        }
        let (list, mail, missing) = (listed(&mailbox).unwrap(), opened(&mailbox, 3).unwrap(), opened(&mailbox, 30));
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(empty.contains("No mail was sent yet"), "{empty}");
        assert!(list.starts_with("   22  22@example.org  Hello\n       https://a/b#22\n"), "{list}");
        assert!(list.contains("and 2 older ones") && !list.contains("#2\n"), "{list}");
        assert_eq!(mail, "To: 3@example.org\nSubject: Hello\n\nGo:\nhttps://a/b#3");
        assert!(missing.is_err());
    }
}
