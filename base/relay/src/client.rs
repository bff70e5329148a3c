//! The server's end: says what there is to be, and keeps a relay alive that makes it so.

use std::time::Duration;

use tokio::io::{BufReader, ReadHalf, WriteHalf, split};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout};

use crate::error::RelayError;
use crate::place::Place;
use crate::protocol::{About, Answer, PROTOCOL, Request, read, write};
use crate::route::{State, Table, Unbound};
use crate::start::{Embedded, Mode, Settings, detached};

/// How long a relay may take to answer one request: to open the largest table takes well under a second.
const ANSWER: Duration = Duration::from_secs(10);
/// How long a new relay may take until it answers.
const START: Duration = Duration::from_secs(5);
/// How long to wait before a lost relay is tried once more.
const PAUSE: Duration = Duration::from_millis(500);

type Reply = oneshot::Sender<Result<Answer, RelayError>>;

/// Speaks to the relay of one data folder. Cheap to clone. Behind it a task watches over the relay: when that ends,
/// another is started and told the last table at once, without being asked.
#[derive(Clone, Debug)]
pub struct Client {
    requests: mpsc::Sender<(Request, Reply)>,
}

impl Client {
    /// Finds the relay that runs, or starts one. One that speaks another protocol, listens elsewhere or is of the
    /// other [`Mode`] is told to leave first; the connections it has go on to their end.
    ///
    /// # Errors
    /// [`RelayError::Silent`] when none answers after five seconds, [`RelayError::Folder`] when none can be started.
    pub async fn connect_or_start(settings: Settings, mode: Mode) -> Result<Self, RelayError> {
        let mut keeper = Keeper { settings, mode, embedded: None, link: None, table: None };
        keeper.ensure().await?;
        let (requests, inbox) = mpsc::channel(16);
        tokio::spawn(keeper.keep(inbox));
        Ok(Self { requests })
    }

    /// This is what there is to be: ports that are not in `table` close, those that are new open, those that are
    /// in both keep their connections. Gives the ports that could not be opened; all others are open.
    ///
    /// # Errors
    /// [`RelayError::Refused`] for a table that is none; [`RelayError::Silent`] when there is no relay. The table is
    /// then remembered, and said as soon as there is one.
    pub async fn set(&self, table: Table) -> Result<Vec<Unbound>, RelayError> {
        match self.ask(Request::Set(table)).await? {
            Answer::Set { unbound } => Ok(unbound),
            _ => Err(RelayError::Confused),
        }
    }

    /// What went through each port.
    ///
    /// # Errors
    /// [`RelayError::Silent`] when there is no relay.
    pub async fn state(&self) -> Result<State, RelayError> {
        match self.ask(Request::State {}).await? {
            Answer::State(state) => Ok(state),
            _ => Err(RelayError::Confused),
        }
    }

    /// Who the relay is.
    ///
    /// # Errors
    /// [`RelayError::Silent`] when there is no relay.
    pub async fn about(&self) -> Result<About, RelayError> {
        match self.ask(Request::Hello {}).await? {
            Answer::Hello(about) => Ok(about),
            _ => Err(RelayError::Confused),
        }
    }

    /// Tells the relay that runs to close its ports and to end once its connections have; `false` where none runs.
    ///
    /// # Errors
    /// [`RelayError::Silent`] when it does not answer.
    pub async fn leave(settings: &Settings) -> Result<bool, RelayError> {
        let Some(mut link) = Link::open(&Place::of(&settings.data_dir)).await else { return Ok(false) };
        link.ask(&Request::Leave {}).await.map(|_| true)
    }

    /// What the relay that runs has done, without starting one.
    ///
    /// # Errors
    /// [`RelayError::Silent`] when it does not answer.
    pub async fn look(settings: &Settings) -> Result<Option<(About, State)>, RelayError> {
        let Some(mut link) = Link::open(&Place::of(&settings.data_dir)).await else { return Ok(None) };
        match (link.ask(&Request::Hello {}).await?, link.ask(&Request::State {}).await?) {
            (Answer::Hello(about), Answer::State(state)) => Ok(Some((about, state))),
            _ => Err(RelayError::Confused),
        }
    }

    async fn ask(&self, request: Request) -> Result<Answer, RelayError> {
        let (reply, answer) = oneshot::channel();
        let ended = |_| RelayError::Silent("nobody watches over it any more".to_owned());
        self.requests.send((request, reply)).await.map_err(|_| ended(()))?;
        answer.await.map_err(|_| ended(()))?
    }
}

/// The connection to one relay.
struct Link {
    from: BufReader<ReadHalf<UnixStream>>,
    to: WriteHalf<UnixStream>,
}

impl Link {
    async fn open(place: &Place) -> Option<Self> {
        let (from, to) = split(place.connect().await.ok()?);
        Some(Self { from: BufReader::new(from), to })
    }

    async fn ask(&mut self, request: &Request) -> Result<Answer, RelayError> {
        let silent = |error: String| RelayError::Silent(error);
        let exchange = async {
            write(&mut self.to, request).await?;
            read::<Answer>(&mut self.from).await
        };
        match timeout(ANSWER, exchange).await {
            Err(_) => Err(silent(format!("nothing was heard of it for {} s", ANSWER.as_secs()))),
            Ok(Err(error)) => Err(silent(error.to_string())),
            Ok(Ok(None)) => Err(silent("it ended".to_owned())),
            Ok(Ok(Some(Answer::Error { reason }))) => Err(RelayError::Refused(reason)),
            Ok(Ok(Some(answer))) => Ok(answer),
        }
    }

    /// Waits until the relay has ended: it says nothing unasked.
    async fn lost(&mut self) {
        let _ = read::<Answer>(&mut self.from).await;
    }
}

/// Watches over one relay.
struct Keeper {
    settings: Settings,
    mode: Mode,
    embedded: Option<Embedded>,
    link: Option<Link>,
    /// The last table that was asked for, for a relay that comes after this one.
    table: Option<Table>,
}

impl Keeper {
    async fn keep(mut self, mut inbox: mpsc::Receiver<(Request, Reply)>) {
        loop {
            let heard = match &mut self.link {
                Some(link) => tokio::select! {
                    heard = inbox.recv() => heard,
                    () = link.lost() => {
                        tracing::warn!("the relay ended; another one is started");
                        self.link = None;
                        self.mend().await;
                        continue;
                    }
                },
                None => tokio::select! {
                    heard = inbox.recv() => heard,
                    () = sleep(PAUSE) => {
                        self.mend().await;
                        continue;
                    }
                },
            };
            let Some((request, reply)) = heard else { return self.part().await };
            let _ = reply.send(self.answer(request).await);
        }
    }

    /// Nobody needs the keeper any more. A relay that serves something goes on; one that serves nothing is told to end.
    async fn part(mut self) {
        if self.table.as_ref().is_some_and(Vec::is_empty)
            && let Some(link) = &mut self.link
        {
            let _ = link.ask(&Request::Leave {}).await;
        }
    }

    /// Brings a relay back where there is none, and tells it what it is to do.
    async fn mend(&mut self) {
        if let Err(error) = self.ensure().await {
            tracing::error!(%error, "there is no relay");
        }
    }

    async fn answer(&mut self, request: Request) -> Result<Answer, RelayError> {
        if let Request::Set(table) = &request {
            crate::route::check(table).map_err(RelayError::Refused)?;
            self.table = Some(table.clone());
        }
        match self.try_once(&request).await {
            // It ended just now: another one is told the same.
            Err(RelayError::Silent(_)) => self.try_once(&request).await,
            answer => answer,
        }
    }

    async fn try_once(&mut self, request: &Request) -> Result<Answer, RelayError> {
        self.ensure().await?;
        let Some(link) = &mut self.link else { return Err(RelayError::Confused) };
        let answer = link.ask(request).await;
        if matches!(answer, Err(RelayError::Silent(_))) {
            self.link = None;
        }
        answer
    }

    /// Finds or starts a relay that is as it should be, and tells it the table.
    async fn ensure(&mut self) -> Result<(), RelayError> {
        if self.link.is_some() {
            return Ok(());
        }
        let until = Instant::now() + START;
        let place = Place::of(&self.settings.data_dir);
        let mut is_started = false;
        let mut last = "no relay answers".to_owned();
        while Instant::now() < until {
            if let Some(mut link) = Link::open(&place).await {
                match link.ask(&Request::Hello {}).await {
                    Ok(Answer::Hello(about)) if self.suits(&about) => return self.greet(link).await,
                    Ok(_) | Err(RelayError::Refused(_)) => {
                        let _ = link.ask(&Request::Leave {}).await;
                        is_started = false;
                    }
                    Err(error) => last = error.to_string(),
                }
            } else if !is_started || self.embedded.as_ref().is_some_and(Embedded::has_ended) {
                self.start()?;
                is_started = true;
            }
            sleep(Duration::from_millis(5)).await;
        }
        Err(RelayError::Silent(last))
    }

    fn suits(&self, about: &About) -> bool {
        let is_ours = about.pid == std::process::id();
        about.protocol == PROTOCOL
            && about.listen == self.settings.listen
            && is_ours == (self.mode == Mode::Embedded)
    }

    async fn greet(&mut self, mut link: Link) -> Result<(), RelayError> {
        if let Some(table) = &self.table {
            link.ask(&Request::Set(table.clone())).await?;
        }
        self.link = Some(link);
        Ok(())
    }

    fn start(&mut self) -> Result<(), RelayError> {
        match &self.mode {
            Mode::Detached { program } => detached(&self.settings, program),
            Mode::Embedded => {
                self.embedded = Some(Embedded::start(self.settings.clone()));
                Ok(())
            }
        }
    }
}
