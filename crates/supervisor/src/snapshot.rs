//! Telling what is known: where there are many services, a few at a time, for looks do not wait.

use hinoban_scheduler::ServiceView;
use tokio::sync::oneshot;

use crate::handle::Status;
use crate::run::Loop;

/// So many services are told of at a time: about a millisecond's work.
const PORTION: usize = 256;

/// A status that somebody waits for.
pub(crate) struct Snapshot {
    views: Vec<ServiceView>,
    /// Up to which position it is complete.
    to: usize,
    answer: oneshot::Sender<Status>,
}

impl Loop {
    /// Begins to tell what is known; few services are told of at once.
    pub(crate) fn begin_snapshot(&mut self, answer: oneshot::Sender<Status>) {
        match self.scheduler.positions() <= PORTION {
            true => drop(answer.send(self.status(self.scheduler.view()))),
            false => self.snapshots.push_back(Snapshot { views: Vec::new(), to: 0, answer }),
        }
    }

    /// Tells of the next few services whoever has waited longest.
    pub(crate) fn go_on_with_snapshot(&mut self) {
        let Some(snapshot) = self.snapshots.front_mut() else { return };
        let all = self.scheduler.positions();
        if !snapshot.answer.is_closed() {
            let end = (snapshot.to + PORTION).min(all);
            snapshot.views.reserve_exact(if snapshot.to == 0 { all } else { 0 });
            snapshot.views.extend(self.scheduler.view_of(snapshot.to..end));
            snapshot.to = end;
            if end < all {
                return;
            }
        }
        if let Some(Snapshot { views, answer, .. }) = self.snapshots.pop_front()
            && !answer.is_closed()
        {
            let _ = answer.send(self.status(views));
        }
    }

    /// Services have come, gone or moved: what was told of them is told anew.
    pub(crate) fn begin_snapshots_anew(&mut self) {
        for snapshot in &mut self.snapshots {
            snapshot.views.clear();
            snapshot.to = 0;
        }
    }

    /// Finishes what was begun: what comes now is the end.
    pub(crate) fn finish_snapshots(&mut self) {
        while !self.snapshots.is_empty() {
            self.go_on_with_snapshot();
        }
    }
}
