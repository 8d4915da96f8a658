//! Mail: letters are queued in the transaction that causes them, and sent after it until they arrive.

pub mod brand;
mod compose;
mod letter;
mod names;
pub mod outbox;
pub mod tallies;
pub mod transport;
pub mod worker;

pub use brand::Brand;
pub use compose::{Envelope, compose};
pub use letter::{Letter, Message, Words};
pub use names::clean;
pub use outbox::queue;
