//! Who carries messages to people.

use async_trait::async_trait;
use hinoban_action::Message;
use hinoban_reading::Stamp;
use tokio::sync::mpsc;

/// Says that something about the messages themselves went wrong: one sentence, for the log.
pub type Trouble = Box<dyn Fn(String) + Send + Sync>;

/// Says that the message of this id cannot be lost by a crash of ours any more: it is on disk, or has arrived, or is given
/// up.
pub type Receipts = Box<dyn Fn(&str) + Send + Sync>;

/// Takes messages and sees to it that they arrive: queues, retries, gives up aloud.
#[async_trait]
pub trait Courier: Send {
    /// Offers to be told when a message is in safe hands. A courier that answers true calls `safe` for each message; until
    /// then the supervisor keeps it in its journal, and after a crash of its own gives it again, with the same id. One
    /// that does not is given each message once.
    fn receipts(&mut self, _safe: Receipts) -> bool {
        false
    }

    /// Carries messages, each with the time of what it tells, until the channel closes; then tries once more what is left, in a few seconds at most, and
    /// keeps the rest for its next life.
    async fn carry(self: Box<Self>, messages: mpsc::UnboundedReceiver<(Stamp, Message)>, trouble: Trouble);
}
