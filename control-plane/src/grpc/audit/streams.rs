//! The streams: entries as they are sealed, and a whole chain.
//!
//! Both read a page, ask whether the caller still may, and say it; so nobody is shown anything that is newer than their right to see it,
//! but for a moment.

use super::Audits;
use crate::authority::audit_key::key_id;
use crate::grpc::auth::{Caller, Right};
use crate::grpc::convert::audit::{
    checkpoint_to_proto, end_to_proto, entry_to_proto, filter, fits, sealed_to_proto, start_to_proto,
};
use crate::grpc::outlet::{Answers, NotTaken, Outlet, outlet};
use crate::grpc::status;
use crate::listen::places::Place;
use kaliun_proto::fleet::v1 as proto;
use kaliun_proto::fleet::v1::export_audit_chain_response::Piece;
use kaliun_store::{AppStore, AuditFilter, AuditPage, SystemStore};
use kaliun_types::id::OrganizationId;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tonic::{Request, Response, Status};

/// Entries in one message.
const PAGE: usize = 200;
/// Whoever follows is looked for this often, though nothing was sealed here: another replica may have done it. With each look it is asked
/// whether they still may, so a right that ended shows nothing within a second.
const LOOK: Duration = Duration::from_millis(500);
/// A quiet stream says that it lives.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// A right that was seen so recently still counts.
const RIGHT_IS_FRESH: Duration = Duration::from_millis(100);
/// When whoever finds no place shall come back.
const RETRY: Duration = Duration::from_secs(10);

/// A stream that is over: with what is to be told, or because its reader went away or has all of it.
struct Over(Option<Status>);

impl From<NotTaken> for Over {
    fn from(why: NotTaken) -> Self {
        match why {
            NotTaken::Gone => Self(None),
            NotTaken::TooSlow => {
                Self(Some(Status::unavailable("what this stream had to say was not read for too long; open it again")))
            }
        }
    }
}

impl From<Status> for Over {
    fn from(status: Status) -> Self {
        Self(Some(status))
    }
}

/// Who reads, and whether they may.
struct Reader<T> {
    caller: Caller,
    store: AppStore,
    gate: SystemStore,
    authorized_at: Instant,
    outlet: Outlet<T>,
    _place: Place<OrganizationId>,
}

impl<T> Reader<T> {
    /// Whether the reader still may.
    async fn authorize(&mut self) -> Result<(), Status> {
        if self.authorized_at.elapsed() < RIGHT_IS_FRESH {
            return Ok(());
        }
        match self.caller.right_now(&self.gate).await? {
            Right::Same => {
                self.authorized_at = Instant::now();
                Ok(())
            }
            Right::Other => {
                Err(Status::permission_denied("your role has changed; ask again with what you may see now"))
            }
            Right::Ended => Err(Status::unauthenticated("the session or token has ended; sign in again")),
        }
    }

    async fn page(&mut self, after: u64) -> Result<AuditPage, Status> {
        let page = self.store.audit_page(self.caller.scope(), after, PAGE, key_id).await.map_err(status::store)?;
        self.authorize().await?;
        Ok(page)
    }

    async fn say(&self, message: T) -> Result<(), Over> {
        Ok(self.outlet.say(vec![message]).await?)
    }
}

impl Audits {
    fn reader<T>(&self, caller: Caller) -> Result<(Reader<T>, Answers<T>), Status> {
        let place = self.places.take(caller.scope().organization()).ok_or_else(|| status::busy(RETRY))?;
        let (outlet, answers) = outlet();
        let reader = Reader {
            caller,
            store: self.store.clone(),
            gate: self.gate.clone(),
            authorized_at: Instant::now(),
            outlet,
            _place: place,
        };
        Ok((reader, answers))
    }

    /// Runs a stream until it is over.
    fn run<T: Send + 'static>(
        &self,
        name: &'static str,
        mut reader: Reader<T>,
        read: impl AsyncStream<T> + Send + 'static,
    ) {
        let stopping = self.tasks.stopping();
        self.tasks.spawn(name, async move {
            let Over(told) = tokio::select! {
                over = read.run(&mut reader) => over,
                () = stopping.cancelled() => Over(None),
            };
            if let Some(told) = told {
                reader.outlet.end(told);
            }
        });
    }

    pub(super) async fn follow(
        &self,
        request: Request<proto::FollowAuditEntriesRequest>,
    ) -> Result<Response<Answers<proto::FollowAuditEntriesResponse>>, Status> {
        let caller = Caller::of(&request)?.clone();
        let request = request.into_inner();
        let filter = filter(request.filter)?;
        if filter.since_us.is_some() || filter.until_us.is_some() {
            return Err(status::invalid("filter.since_ms", "is not for following; list what was before"));
        }
        let (mut reader, answers) = self.reader(caller)?;
        // Listening begins before the first read, so that nothing falls between.
        let news = self.news.listen();
        let after = match request.after_sequence {
            Some(after) => after,
            None => newest(&mut reader).await?,
        };
        self.run("audit-follow", reader, Follow { filter, after, news });
        Ok(Response::new(answers))
    }

    pub(super) fn export(
        &self,
        request: &Request<proto::ExportAuditChainRequest>,
    ) -> Result<Response<Answers<proto::ExportAuditChainResponse>>, Status> {
        let (reader, answers) = self.reader(Caller::of(request)?.clone())?;
        self.run("audit-export", reader, Export);
        Ok(Response::new(answers))
    }
}

/// The number of the newest entry.
async fn newest<T>(reader: &mut Reader<T>) -> Result<u64, Status> {
    // Beyond all of them there is nothing but the end.
    let page = reader.page(i64::MAX.unsigned_abs()).await?;
    Ok(page.tail.and_then(|tail| tail.head).map_or(0, |(sequence, _hash)| sequence))
}

/// What a stream does.
trait AsyncStream<T> {
    /// Reads and says, until it is over.
    fn run(self, reader: &mut Reader<T>) -> impl Future<Output = Over> + Send;
}

/// Entries as they are sealed.
struct Follow {
    filter: AuditFilter,
    after: u64,
    news: watch::Receiver<u64>,
}

impl AsyncStream<proto::FollowAuditEntriesResponse> for Follow {
    async fn run(mut self, reader: &mut Reader<proto::FollowAuditEntriesResponse>) -> Over {
        // The first word is said at once: that somebody listens.
        let mut said_at = None;
        loop {
            let is_full = match self.look(reader, &mut said_at).await {
                Ok(is_full) => is_full,
                Err(over) => return over,
            };
            if is_full {
                continue;
            }
            tokio::select! {
                heard = self.news.changed() => if heard.is_err() {
                    return Over(None);
                },
                () = tokio::time::sleep(LOOK) => {}
                () = reader.outlet.closed() => return Over(None),
            }
        }
    }
}

impl Follow {
    /// Reads a page and says what fits. Answers whether there may be another at once.
    async fn look(
        &mut self,
        reader: &mut Reader<proto::FollowAuditEntriesResponse>,
        said_at: &mut Option<Instant>,
    ) -> Result<bool, Over> {
        let page = reader.page(self.after).await?;
        let through = page.entries.last().map_or(self.after, |entry| entry.sequence);
        let fitting = page.entries.into_iter().filter(|entry| fits(&self.filter, entry));
        let entries: Vec<_> = fitting.map(entry_to_proto).collect();
        let is_quiet = said_at.is_none_or(|said_at| said_at.elapsed() >= KEEP_ALIVE);
        if !entries.is_empty() || is_quiet {
            reader.say(proto::FollowAuditEntriesResponse { entries, through_sequence: through }).await?;
            *said_at = Some(Instant::now());
        }
        self.after = through;
        Ok(page.tail.is_none())
    }
}

/// A whole chain.
struct Export;

impl AsyncStream<proto::ExportAuditChainResponse> for Export {
    async fn run(self, reader: &mut Reader<proto::ExportAuditChainResponse>) -> Over {
        match export(reader).await {
            Ok(()) => Over(None),
            Err(over) => over,
        }
    }
}

fn piece(piece: Piece) -> proto::ExportAuditChainResponse {
    proto::ExportAuditChainResponse { piece: Some(piece) }
}

async fn export(reader: &mut Reader<proto::ExportAuditChainResponse>) -> Result<(), Over> {
    let scope = reader.caller.scope().clone();
    let start = reader.store.audit_start(&scope, key_id).await.map_err(status::store)?;
    let cut_sequence = start.cut.as_ref().map_or(0, |cut| cut.sequence);
    let mut after = cut_sequence;
    reader.say(piece(Piece::Start(start_to_proto(scope.organization(), start)))).await?;
    loop {
        let page = reader.page(after).await?;
        if page.cut_sequence != cut_sequence {
            // What is missing now is missing with reason, but nobody could tell.
            return Err(Status::aborted("old entries were deleted meanwhile; verify it again").into());
        }
        after = page.entries.last().map_or(after, |entry| entry.sequence);
        let part = proto::AuditChainPart {
            entries: page.entries.into_iter().map(sealed_to_proto).collect(),
            checkpoints: page.checkpoints.into_iter().map(checkpoint_to_proto).collect(),
        };
        reader.say(piece(Piece::Part(part))).await?;
        if let Some(tail) = page.tail {
            return reader.say(piece(Piece::End(end_to_proto(tail)))).await;
        }
    }
}
