/* SPDX-License-Identifier: Apache-2.0 */
//! What the protocol asks of a client library. A library that lacks something says so by
//! `Failure::missing`, which the matrix prints as "n/a" with that reason.

use std::sync::Arc;

/// Why something was not done; `code` is the driver's, or 0.
#[derive(Clone, Debug)]
pub struct Failure {
    pub code: i32,
    pub text: String,
    pub missing: bool,
}

impl Failure {
    pub fn new(code: i32, text: impl Into<String>) -> Self {
        Self {
            code,
            text: text.into(),
            missing: false,
        }
    }

    pub fn missing(what: &str) -> Self {
        Self {
            code: 0,
            text: format!("the library has no {what}"),
            missing: true,
        }
    }
}

pub type Outcome<T> = Result<T, Failure>;

pub struct PublicationFacts {
    pub registration_id: i64,
    pub original_registration_id: i64,
    pub session_id: i32,
    pub initial_term_id: i32,
    pub term_length: usize,
    pub payload_length_max: usize,
    pub message_length_max: usize,
}

pub struct ImageFacts {
    pub session_id: i32,
    pub correlation_id: i64,
    pub join_position: i64,
    pub position: i64,
    pub source: String,
    pub end_of_stream: bool,
    /// Absent where a library cannot tell.
    pub revoked: Option<bool>,
    pub transports: Option<i32>,
}

/// What the driver told the client without being asked.
pub struct Report {
    pub kind: &'static str,
    pub registration_id: i64,
    pub code: i32,
    pub text: String,
}

/// The ways to publish; senders take them in turn.
#[derive(Clone, Copy, PartialEq)]
pub enum Way {
    Offer,
    Claim,
    Vector,
}

pub trait Publication: Send + Sync {
    fn facts(&self) -> Outcome<PublicationFacts>;
    /// The position behind the message, or the negative code that all clients share.
    fn offer(&self, way: Way, message: &[u8]) -> i64;
    fn position(&self) -> i64;
    fn limit(&self) -> i64;
    fn is_connected(&self) -> bool;
    fn is_closed(&self) -> bool;
    fn addresses(&self) -> Outcome<Vec<String>> {
        Err(Failure::missing("local addresses of a publication"))
    }
    /// The destination's id, or -1 where the library does not tell.
    fn add_destination(&self, uri: &str) -> Outcome<i64>;
    fn remove_destination(&self, uri: &str) -> Outcome<()>;
    fn remove_destination_by_id(&self, _id: i64) -> Outcome<()> {
        Err(Failure::missing("removal of a destination by id"))
    }
    fn revoke(&self) -> Outcome<()> {
        Err(Failure::missing("revocation"))
    }
    fn close(&self) -> Outcome<()>;
}

pub trait Subscription {
    fn registration_id(&self) -> i64;
    /// Hands out whole messages with their session; returns the fragments consumed.
    fn poll(&mut self, handler: &mut dyn FnMut(i32, &[u8]), limit: usize) -> Outcome<usize>;
    fn images(&mut self) -> Outcome<Vec<ImageFacts>>;
    fn image_count(&mut self) -> usize;
    /// Images that came and went so far.
    fn events(&self) -> (u64, u64);
    fn addresses(&self) -> Outcome<Vec<String>> {
        Err(Failure::missing("local addresses of a subscription"))
    }
    fn add_destination(&self, uri: &str) -> Outcome<i64>;
    fn remove_destination(&self, uri: &str) -> Outcome<()>;
    fn reject(&self, _reason: &str) -> Outcome<()> {
        Err(Failure::missing("rejection of an image"))
    }
    fn close(&mut self) -> Outcome<()>;
}

pub struct CounterFacts {
    pub id: i32,
    pub registration_id: i64,
    pub value: i64,
}

pub trait Counter {
    fn facts(&self) -> Outcome<CounterFacts>;
    fn set(&self, value: i64) -> Outcome<()>;
    fn close(&mut self) -> Outcome<()>;
}

pub trait Client {
    fn id(&self) -> i64;
    /// One for each stream id from `stream` on, all asked for before the first answer is awaited.
    fn add_publications(
        &mut self,
        channel: &str,
        stream: i32,
        count: i32,
        exclusive: bool,
    ) -> Outcome<Vec<Arc<dyn Publication>>>;
    fn add_subscriptions(
        &mut self,
        channel: &str,
        stream: i32,
        count: i32,
    ) -> Outcome<Vec<Box<dyn Subscription>>>;
    /// A static one when `registration_id` is given.
    fn add_counter(
        &mut self,
        type_id: i32,
        label: &str,
        registration_id: Option<i64>,
    ) -> Outcome<Box<dyn Counter>>;
    fn next_session_id(&mut self, _stream: i32) -> Outcome<i32> {
        Err(Failure::missing("reservation of session ids"))
    }
    /// What was reported since the last call.
    fn reports(&mut self) -> Vec<Report>;
    fn close(self: Box<Self>) -> Outcome<()>;
}
