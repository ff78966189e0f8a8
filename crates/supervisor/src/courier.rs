//! Who carries messages to people.

use async_trait::async_trait;
use hinoban_action::Message;
use hinoban_reading::Stamp;
use tokio::sync::mpsc;

/// Says that something about the messages themselves went wrong: one sentence, for the log.
pub type Trouble = Box<dyn Fn(String) + Send + Sync>;

/// Takes messages and sees to it that they arrive: queues, retries, gives up aloud.
#[async_trait]
pub trait Courier: Send {
    /// Carries messages, each with the time of what it tells, until the channel closes; then tries once more what is left, in a few seconds at most, and
    /// keeps the rest for its next life.
    async fn carry(self: Box<Self>, messages: mpsc::UnboundedReceiver<(Stamp, Message)>, trouble: Trouble);
}
