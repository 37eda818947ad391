//! Staff do one deed to many accounts: it is looked at first, then ordered, done batch by batch, and
//! can be taken back for a day.
//!
//! Each batch is one transaction: the accounts, their events, and how far it has come. A server that
//! stops goes on where it was; two nodes take turns. The rights of whoever ordered it are asked again
//! for each account.
//!
//! Each account has a part of the transaction of its own: one that the database refuses is reported and
//! passed over, and the rest of its batch is done.

use serde_json::json;
use thiserror::Error;
use time::OffsetDateTime;

use crate::accounts;
use crate::accounts::Before;
use crate::accounts::search;
use crate::accounts::search::{Bounds, Count, Filter, Place, Sort};
use crate::admin;
use crate::admin::bulk_job;
use crate::admin::bulk_job::{Bulk, Kind, Orders, Progress, State, Which, Whom};
use crate::admin::{ActError, Acting, Deed, Done, Newcomer};
use crate::audit::Action;
use crate::context::Ctx;
use crate::db::{DbError, Transaction};
use crate::types::{BulkId, Permission, SessionId, UserId};

/// Accounts of a batch: some ten milliseconds of SQLite's one writer.
const BATCH: u64 = 50;

/// People of a list in a batch. The whole list is unsealed for each, so they are more.
const IMPORTED: usize = 200;

/// How often a batch looks on where nobody matches, ten thousand accounts at a time.
const LOOKS: usize = 20;

/// Addresses that are shown before something is done to them.
const SHOWN: u64 = 10;

/// To whom something is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// To these.
    These(Vec<UserId>),
    /// To everybody who is like this.
    Matching(Filter),
}

/// What would come of it.
#[derive(Debug, Clone)]
pub struct Preview {
    /// How many accounts it would be done to, as far as they were counted.
    pub count: Count,
    /// The addresses of some of them.
    pub some: Vec<String>,
    /// How many of those who were chosen one by one would be left as they are.
    pub left_out: u64,
}

/// Looks at what would come of a deed; changes nothing.
///
/// # Errors
/// [`DbError`] when the database cannot say.
pub async fn preview(
    ctx: &Ctx,
    acting: Acting<'_>,
    deed: &Deed,
    wanted: &Wanted,
) -> Result<Preview, DbError> {
    match wanted {
        Wanted::These(ids) => {
            let now = ctx.clock.now();
            let mut accounts = Vec::new();
            for account in accounts::list_by_ids(&ctx.db, ids).await? {
                let person = &account.person;
                let is_oneself = person.id == acting.by.id && deed.is_dangerous();
                let is_above = person.is_superuser && !acting.by.is_superuser;
                if is_oneself || is_above || deed.is_moot(&account, now) {
                    continue;
                }
                if !deed.is_dangerous() || !admin::is_beyond(&ctx.db, person, acting.by).await? {
                    accounts.push(account);
                }
            }
            let count = accounts.len() as u64;
            let some = accounts.iter().map(|account| account.person.email.as_typed().to_owned());
            Ok(Preview {
                count: Count::Exactly(count),
                some: some.take(usize::try_from(SHOWN).unwrap_or_default()).collect(),
                left_out: (ids.len() as u64).saturating_sub(count),
            })
        }
        Wanted::Matching(filter) => {
            let (sort, bounds) = (Sort::default(), Bounds::default());
            let found = search::page(&ctx.db, filter, sort, &Place::First, bounds, SHOWN).await?;
            let some = found.people.into_iter().map(|row| row.email).collect();
            Ok(Preview { count: found.count, some, left_out: 0 })
        }
    }
}

/// Orders a deed, and does the first batch of it.
///
/// # Errors
/// [`ActError`] says why not.
pub async fn order(
    ctx: &Ctx,
    acting: Acting<'_>,
    deed: Deed,
    wanted: Wanted,
) -> Result<BulkId, ActError> {
    let needed = deed.permission();
    let (whom, total) = match wanted {
        Wanted::These(mut ids) => {
            ids.sort_unstable();
            ids.dedup();
            let total = ids.len() as u64;
            (Whom::These(ids), Some(total))
        }
        Wanted::Matching(filter) => {
            let (count, _) = search::count(&ctx.db, &filter, Bounds::default()).await?;
            let total = if let Count::Exactly(total) = count { Some(total) } else { None };
            (Whom::Matching { filter, last: accounts::find_last(&ctx.db).await? }, total)
        }
    };
    let now = ctx.clock.now();
    let transaction = ctx.db.begin().await?;
    if !admin::actor(&transaction, acting.by.id).await?.may(needed) {
        return Err(ActError::AboveOneself);
    }
    let orders = Orders::Do { deed, whom };
    let id = bulk_job::order(&transaction, &ctx.keys, acting, (&orders, total), now).await?;
    transaction.commit().await?;
    begin(ctx, acting, id).await;
    Ok(id)
}

/// Why something that was done to many was not taken back or stopped.
#[derive(Debug, Error)]
pub enum UndoError {
    /// There is no such thing.
    #[error("no such bulk deed")]
    Unknown,
    /// Whoever asks may not.
    #[error("whoever asks may not")]
    Forbidden,
    /// It is too late, or it was done already.
    #[error("it is too late, or it was done already")]
    TooLate,
    /// The database failed.
    #[error(transparent)]
    Broken(#[from] DbError),
}

impl From<ActError> for UndoError {
    fn from(error: ActError) -> Self {
        match error {
            ActError::Broken(error) => Self::Broken(error),
            _ => Self::Forbidden,
        }
    }
}

/// Takes back what was done to many, and does the first batch of that. Who has been saved by somebody
/// else since stays as they are.
///
/// # Errors
/// [`UndoError`] says why not.
pub async fn undo(ctx: &Ctx, acting: Acting<'_>, of: BulkId) -> Result<BulkId, UndoError> {
    let now = ctx.clock.now();
    let bulk = bulk_job::find(&ctx.db, of).await?.ok_or(UndoError::Unknown)?;
    let needed = bulk.kind.and_then(Kind::undone_with).ok_or(UndoError::TooLate)?;
    let transaction = ctx.db.begin().await?;
    if !admin::actor(&transaction, acting.by.id).await?.may(needed) {
        return Err(UndoError::Forbidden);
    }
    let orders = (&Orders::Undo { of }, Some(bulk.done));
    let id = bulk_job::order(&transaction, &ctx.keys, acting, orders, now).await?;
    if !bulk_job::set_undone(&transaction, of, id, now).await? {
        return Err(UndoError::TooLate);
    }
    transaction.commit().await?;
    begin(ctx, acting, id).await;
    Ok(id)
}

/// Ends what is being done, after the batch that it is at.
///
/// # Errors
/// [`UndoError`] says why not.
pub async fn stop(ctx: &Ctx, acting: Acting<'_>, id: BulkId) -> Result<(), UndoError> {
    let bulk = bulk_job::find(&ctx.db, id).await?.ok_or(UndoError::Unknown)?;
    let transaction = ctx.db.begin().await?;
    let actor = admin::actor(&transaction, acting.by.id).await?;
    if actor.id != bulk.actor && !actor.is_superuser {
        return Err(UndoError::Forbidden);
    }
    if !bulk_job::stop(&transaction, id, ctx.clock.now()).await? {
        return Err(UndoError::TooLate);
    }
    transaction.commit().await?;
    Ok(())
}

/// What is done to a handful is done when its page is shown. What fails here is done by the worker.
async fn begin(ctx: &Ctx, acting: Acting<'_>, id: BulkId) {
    tracing::info!(
        bulk.id = id.0,
        staff.id = acting.by.id.0,
        request.id = acting.caller.request_id,
        "staff ordered something to be done to many accounts"
    );
    if let Err(Failed { error, .. }) = batch_of(ctx, Which::This(id)).await {
        tracing::warn!(%error, bulk.id = id.0, "a first batch failed; it is done again");
    }
}

/// A batch that failed, and has not happened.
#[derive(Debug, Error)]
#[error("a batch failed: {error}")]
pub struct Failed {
    /// Of what it was a batch; `None` when the database failed before that was known.
    pub of: Option<BulkId>,
    /// What the database said.
    pub error: DbError,
}

impl From<DbError> for Failed {
    fn from(error: DbError) -> Self {
        Self { of: None, error }
    }
}

/// Does one batch of the oldest that is to be done and is none of `others`; tells whether there was
/// anything. The caller names those that have failed as `others`, so that they block nothing.
///
/// # Errors
/// [`Failed`] when the database cannot; the batch has not happened then.
pub async fn step(ctx: &Ctx, others: &[BulkId]) -> Result<bool, Failed> {
    if !bulk_job::is_any_running(&ctx.db).await? {
        return Ok(false);
    }
    batch_of(ctx, Which::NextBut(others)).await
}

async fn batch_of(ctx: &Ctx, which: Which<'_>) -> Result<bool, Failed> {
    let transaction = ctx.db.begin().await?;
    let held = bulk_job::hold_next(&transaction, &ctx.keys, which).await?;
    let Some((bulk, orders)) = held else { return Ok(false) };
    let of = Some(bulk.id);
    let done = do_next(ctx, transaction, (bulk, orders)).await;
    done.map(|()| true).map_err(|error| Failed { of, error })
}

async fn do_next(
    ctx: &Ctx,
    transaction: Transaction,
    (bulk, orders): (Bulk, Option<Orders>),
) -> Result<(), DbError> {
    let now = ctx.clock.now();
    // Nobody takes a superuser's rights away meanwhile, and whoever locks accounts too takes turns.
    accounts::lock_to_remove(&transaction).await?;
    let actor = match admin::actor(&transaction, bulk.actor).await {
        Ok(actor) => Some(actor),
        Err(ActError::Broken(error)) => return Err(error),
        Err(_) => None,
    };
    let is_import = bulk.kind == Some(Kind::Import);
    let actor = actor.filter(|actor| !is_import || actor.may(Permission::UsersAdd));
    let (Some(actor), Some(orders)) = (actor, orders) else {
        let (place, state) = (bulk.place, State::Stopped);
        let progress = Progress { place, done: 0, left_out: 0, state };
        bulk_job::advance(&transaction, bulk.id, progress, now).await?;
        transaction.commit().await?;
        tracing::warn!(bulk.id = bulk.id.0, "a bulk deed was stopped: nobody may do it any more");
        return Ok(());
    };
    let acting = Acting { by: &actor, caller: &bulk.caller };
    let batch = match orders {
        Orders::Do { deed, whom } => {
            do_batch(ctx, &transaction, (acting, &bulk), (&deed, &whom)).await?
        }
        Orders::Import { people, invite } => {
            import_batch(ctx, &transaction, (acting, &bulk), (&people, invite)).await?
        }
        Orders::Undo { of } => undo_batch(ctx, &transaction, (acting, &bulk), of).await?,
    };
    bulk_job::advance(&transaction, bulk.id, batch.progress, now).await?;
    transaction.commit().await?;
    for (whom, action, over) in batch.changed {
        admin::done(ctx, acting, (whom, action), over);
    }
    Ok(())
}

/// What came of a batch.
struct Batch {
    progress: Progress,
    changed: Vec<(UserId, Action, Vec<SessionId>)>,
}

impl Batch {
    fn from(place: i64) -> Self {
        let progress = Progress { place, done: 0, left_out: 0, state: State::Running };
        Self { progress, changed: Vec::new() }
    }

    fn changes(&mut self, whom: UserId, action: Action, over: Vec<SessionId>) {
        self.progress.done += 1;
        self.changed.push((whom, action, over));
    }

    /// Reports a row that the database refuses, and goes on; any other failure ends the batch. What a
    /// database says of a row can hold its values in the details, which are not told.
    fn passes_over(&mut self, bulk: &Bulk, row: i64, error: DbError) -> Result<(), DbError> {
        if !error.is_about_data() {
            return Err(error);
        }
        tracing::error!(%error, bulk.id = bulk.id.0, row, "a row of a bulk deed was passed over");
        self.progress.left_out += 1;
        Ok(())
    }

    fn reaches(&mut self, place: i64, is_over: bool) {
        self.progress.place = place;
        self.progress.state = if is_over { State::Done } else { State::Running };
    }
}

async fn do_batch(
    ctx: &Ctx,
    transaction: &Transaction,
    (acting, bulk): (Acting<'_>, &Bulk),
    (deed, whom): (&Deed, &Whom),
) -> Result<Batch, DbError> {
    let (mut batch, now) = (Batch::from(bulk.place), ctx.clock.now());
    let (ids, place, is_over) = next(ctx, whom, UserId(bulk.place)).await?;
    for id in ids {
        let part = transaction.begin_part().await?;
        match do_one(&part, (acting, bulk), id, deed, now).await {
            Ok(Some(done)) => {
                part.commit().await?;
                batch.changes(id, done.action, done.over);
            }
            Ok(None) => {
                part.commit().await?;
                batch.progress.left_out += 1;
            }
            Err(ActError::Broken(error)) => {
                part.roll_back().await?;
                batch.passes_over(bulk, id.0, error)?;
            }
            Err(_) => {
                part.roll_back().await?;
                batch.progress.left_out += 1;
            }
        }
    }
    batch.reaches(place.0, is_over);
    Ok(batch)
}

async fn do_one(
    part: &Transaction,
    (acting, bulk): (Acting<'_>, &Bulk),
    id: UserId,
    deed: &Deed,
    now: OffsetDateTime,
) -> Result<Option<Done>, ActError> {
    let facts = json!({ "bulk": bulk.id });
    let done = admin::carry_out(part, acting, id, (deed, facts), now).await?;
    if let Some(done) = &done
        && bulk.kind.is_some_and(|kind| kind.undone_with().is_some())
    {
        bulk_job::remember(part, bulk.id, &done.before).await?;
    }
    Ok(done)
}

/// Whose turn it is, up to where everybody has been looked at, and whether that is the end.
async fn next(
    ctx: &Ctx,
    whom: &Whom,
    mut place: UserId,
) -> Result<(Vec<UserId>, UserId, bool), DbError> {
    match whom {
        Whom::These(all) => {
            let rest = all.iter().copied().filter(|id| *id > place);
            let ids: Vec<UserId> = rest.take(usize::try_from(BATCH).unwrap_or(1)).collect();
            let place = ids.last().copied().unwrap_or(place);
            Ok((ids, place, all.last().is_none_or(|last| *last <= place)))
        }
        Whom::Matching { filter, last } => {
            let mut ids = Vec::new();
            for _ in 0..LOOKS {
                (ids, place) = search::ids(&ctx.db, filter, (place, *last), BATCH).await?;
                if !ids.is_empty() || place >= *last {
                    break;
                }
            }
            Ok((ids, place, place >= *last))
        }
    }
}

async fn import_batch(
    ctx: &Ctx,
    transaction: &Transaction,
    (acting, bulk): (Acting<'_>, &Bulk),
    (people, is_invited): (&[Newcomer], bool),
) -> Result<Batch, DbError> {
    let (mut batch, now) = (Batch::from(bulk.place), ctx.clock.now());
    let begin = usize::try_from(bulk.place).unwrap_or(usize::MAX).min(people.len());
    let end = people.len().min(begin + IMPORTED);
    for (place, person) in people[begin..end].iter().enumerate() {
        let person = (bulk.id, person, is_invited);
        match admin::let_in(ctx, transaction, acting, person, now).await {
            Ok(Some(user)) => batch.changes(user, Action::AddedByStaff, Vec::new()),
            Ok(None) => batch.progress.left_out += 1,
            Err(error) => {
                let row = i64::try_from(begin + place + 1).unwrap_or(i64::MAX);
                batch.passes_over(bulk, row, error)?;
            }
        }
    }
    batch.reaches(i64::try_from(end).unwrap_or(i64::MAX), end == people.len());
    Ok(batch)
}

async fn undo_batch(
    ctx: &Ctx,
    transaction: &Transaction,
    (acting, bulk): (Acting<'_>, &Bulk),
    of: BulkId,
) -> Result<Batch, DbError> {
    let mut batch = Batch::from(bulk.place);
    let befores = bulk_job::list_befores(transaction, of, bulk.place, BATCH).await?;
    let place = befores.last().map_or(bulk.place, |(id, _)| id.0);
    let is_over = (befores.len() as u64) < BATCH;
    for (id, before) in befores {
        let facts = json!({
            "changes": { "is_active": [false, before.is_active] },
            "bulk": bulk.id,
            "undone": of,
        });
        let part = transaction.begin_part().await?;
        match put_back(ctx, &part, acting, (id, &before), facts).await {
            Ok(true) => {
                part.commit().await?;
                batch.changes(id, Action::UndoneByStaff, Vec::new());
            }
            Err(ActError::Broken(error)) => {
                part.roll_back().await?;
                batch.passes_over(bulk, id.0, error)?;
            }
            Ok(false) | Err(_) => {
                part.roll_back().await?;
                batch.progress.left_out += 1;
            }
        }
    }
    batch.reaches(place, is_over);
    Ok(batch)
}

async fn put_back(
    ctx: &Ctx,
    transaction: &Transaction,
    acting: Acting<'_>,
    (id, before): (UserId, &Before),
    facts: serde_json::Value,
) -> Result<bool, ActError> {
    let now = ctx.clock.now();
    admin::hold(transaction, acting, id).await?;
    if !accounts::restore(transaction, id, before, now).await? {
        return Ok(false);
    }
    admin::record(transaction, acting, id, (Action::UndoneByStaff, facts), now).await?;
    Ok(true)
}
