//! The cancel flag: the one thing that flows against the current.

use tokio::sync::watch;

/// How urgently the operator wants to stop. Only ever rises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    /// Not at all.
    No,
    /// After the op that is in flight.
    Soon,
    /// Now: what is in flight becomes unknown.
    Now,
}

/// The flag as the engine reads it.
#[derive(Debug, Clone)]
pub struct Cancel {
    flag: watch::Receiver<Stop>,
}

/// The end that raises it.
#[derive(Debug)]
pub struct Canceller {
    flag: watch::Sender<Stop>,
}

/// A flag and the end that raises it.
pub fn pair() -> (Canceller, Cancel) {
    let (sender, receiver) = watch::channel(Stop::No);
    (Canceller { flag: sender }, Cancel { flag: receiver })
}

impl Canceller {
    /// Raises the flag one level; the level it has now.
    pub fn raise(&self) -> Stop {
        self.flag.send_modify(|stop| *stop = if *stop == Stop::No { Stop::Soon } else { Stop::Now });
        *self.flag.borrow()
    }
}

impl Cancel {
    /// Where it stands.
    pub fn level(&self) -> Stop {
        *self.flag.borrow()
    }

    /// Returns once it stands at least this high; never when it will not.
    pub async fn reached(&self, level: Stop) {
        let mut flag = self.flag.clone();
        if flag.wait_for(|stop| *stop >= level).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
