//! Statements of one transaction that are sent together, without waiting for an answer in between.

use std::{
    collections::HashSet,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
};

use tokio_postgres::Row;

use super::{
    connect::{Borrowed, Connections, typed, types, untyped},
    fault::Fault,
    group::Run,
    rows::{columns_of, parameters},
};
use crate::store::column::Row as _;

/// How long a transaction waits for rows that another one has locked.
#[derive(Clone, Copy, Debug)]
pub(super) enum Patience {
    /// A moment: the callers of the whole group wait.
    Short,
    /// As long as a statement may take.
    Long,
}

impl Patience {
    /// A plan outlives the tables for which it was made. Made while they are empty, it would read all of them ever after, so
    /// the planner has to use an index.
    pub(super) fn begin(self) -> &'static str {
        match self {
            Self::Short => {
                "BEGIN; SET LOCAL enable_seqscan = off; SET LOCAL lock_timeout = '100ms'"
            }
            Self::Long => "BEGIN; SET LOCAL enable_seqscan = off",
        }
    }
}

/// The rows that a statement returns.
type Answer = Result<Vec<Row>, tokio_postgres::Error>;

type Sending<'a> = Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

/// A statement on its way.
enum Sent<'a> {
    Waiting(Sending<'a>),
    Answered(Answer),
}

impl<'a> Sent<'a> {
    /// Sends a statement: the driver does so when it is first polled.
    fn now(mut sending: Sending<'a>, context: &mut Context<'_>) -> Self {
        match sending.as_mut().poll(context) {
            Poll::Ready(answer) => Self::Answered(answer),
            Poll::Pending => Self::Waiting(sending),
        }
    }

    async fn answer(self) -> Answer {
        match self {
            Self::Waiting(sending) => sending.await,
            Self::Answered(answer) => answer,
        }
    }
}

/// See [`Connections::exchange`].
pub(super) async fn exchange_on(
    connections: &Connections,
    borrowed: &Borrowed<'_>,
    runs: &[Run<'_>],
    patience: Patience,
) -> Result<Vec<HashSet<[u8; 16]>>, Fault> {
    let client = borrowed.client();
    let columns: Vec<_> = runs
        .iter()
        .map(|run| columns_of(run.exchanges.iter().map(|exchange| exchange.values.as_slice())))
        .collect();
    let all: Vec<_> = columns.iter().map(|columns| parameters(columns)).collect();
    let answered = connections.in_time(async {
        let mut statements: Vec<Sending<'_>> = Vec::with_capacity(runs.len() + 2);
        let control = |command| -> Sending<'_> {
            Box::pin(async move { client.batch_execute(command).await.map(|()| Vec::new()) })
        };
        statements.push(control(patience.begin()));
        for (run, parameters) in runs.iter().zip(&all) {
            let text = run.statement.postgres;
            statements.push(if connections.has_prepared_statements {
                let prepared = client.prepare_typed_cached(text, &types(parameters)).await?;
                Box::pin(async move { client.query(&prepared, &untyped(parameters)).await })
            } else {
                Box::pin(async move { client.query_typed(text, &typed(parameters)).await })
            });
        }
        statements.push(control("COMMIT"));
        Ok(answers(statements).await)
    });
    let mut answers = committed(answered.await?)?;
    // Neither COMMIT nor BEGIN returns a row.
    answers.pop();
    let made = |rows: Vec<Row>| rows.iter().filter_map(|row| row.id(0).ok().flatten()).collect();
    Ok(answers.into_iter().skip(1).map(made).collect())
}

/// Sends all statements in their order, then waits for all answers.
async fn answers(statements: Vec<Sending<'_>>) -> Vec<Answer> {
    let mut statements = Some(statements);
    let sent: Vec<Sent<'_>> = poll_fn(|context| {
        let statements = statements.take().unwrap_or_default().into_iter();
        Poll::Ready(statements.map(|sending| Sent::now(sending, context)).collect())
    })
    .await;
    let mut answers = Vec::with_capacity(sent.len());
    for sent in sent {
        answers.push(sent.answer().await);
    }
    answers
}

/// What the statements of a transaction returned, COMMIT being the last of them. After an error, the database rejects the
/// statements that follow, and COMMIT rolls back: anything else leaves unknown what was stored.
fn committed(answers: Vec<Answer>) -> Result<Vec<Vec<Row>>, Fault> {
    let Some(at) = answers.iter().position(Result::is_err) else {
        return Ok(answers.into_iter().filter_map(Result::ok).collect());
    };
    let count = answers.len();
    let mut answers = answers.into_iter().skip(at);
    let error = answers.find_map(Result::err);
    let later_one_succeeded = answers.take((count - at).saturating_sub(2)).any(|it| it.is_ok());
    let Some(error) = error else { return Ok(Vec::new()) };
    let is_of_database = error.as_db_error().is_some();
    let fault = Fault::Failed(error);
    if is_of_database && !later_one_succeeded {
        return Err(fault);
    }
    Err(Fault::Unsettled(Box::new(fault)))
}
