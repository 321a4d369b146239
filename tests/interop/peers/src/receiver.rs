/* SPDX-License-Identifier: Apache-2.0 */
//! `recv`: takes `count` messages, each stream's in order and without a gap unless gaps=1 allows
//! them; with eos=1 also awaits the end of all images, so that a message too many is seen.

use crate::client::{Failure, Outcome, Subscription};
use crate::json::Object;
use crate::messages::{digest, header};
use crate::request::Request;
use std::collections::HashMap;
use std::time::Duration;

const FRAGMENT_LIMIT: usize = 64;

/// What came since a subscription was added, by session and seed.
#[derive(Default)]
pub struct Order {
    next: HashMap<(i32, u64), u64>,
}

struct Receiver<'a> {
    order: &'a mut Order,
    allows_gaps: bool,
    count: u64,
    messages: u64,
    bytes: u64,
    digest: u64,
    gaps: u64,
    wrong: Option<String>,
}

impl Receiver<'_> {
    fn take(&mut self, session_id: i32, message: &[u8]) {
        let Some((sequence, length, seed)) = header(message) else {
            self.wrong
                .get_or_insert(format!("a message of {} bytes", message.len()));
            return;
        };
        if length != message.len() as u64 {
            self.wrong.get_or_insert(format!(
                "message {sequence}: {} bytes, not {length}",
                message.len()
            ));
        }
        let next = self
            .order
            .next
            .insert((session_id, seed), sequence + 1)
            .unwrap_or(sequence);
        match sequence {
            _ if sequence < next => {
                self.wrong
                    .get_or_insert(format!("message {sequence} came after {}", next - 1));
            }
            _ if sequence > next && !self.allows_gaps => {
                self.wrong
                    .get_or_insert(format!("message {sequence} came instead of {next}"));
            }
            _ => self.gaps += sequence - next,
        }
        self.messages += 1;
        self.bytes += message.len() as u64;
        self.digest = self.digest.wrapping_add(digest(message));
        if self.messages > self.count {
            self.wrong
                .get_or_insert(format!("message {sequence} is one too many"));
        }
    }
}

fn all_ended(subscriptions: &mut [Box<dyn Subscription>]) -> Outcome<bool> {
    for each in subscriptions {
        if each.images()?.iter().any(|image| !image.end_of_stream) {
            return Ok(false);
        }
    }
    Ok(true)
}

pub fn receive(
    subscriptions: &mut [Box<dyn Subscription>],
    order: &mut Order,
    request: &Request,
) -> Outcome<Object> {
    let rate: f64 = request.number("rate")?.unwrap_or(0.0);
    let awaits_end = request.flag("eos");
    let mut receiver = Receiver {
        order,
        allows_gaps: request.flag("gaps"),
        count: request.required("count")?,
        messages: 0,
        bytes: 0,
        digest: 0,
        gaps: 0,
        wrong: None,
    };
    let mut had_images = receiver.count == 0;
    loop {
        let mut fragments = 0;
        for each in subscriptions.iter_mut() {
            // No further than asked: what comes behind belongs to the next request.
            let left = receiver.count.saturating_sub(receiver.messages) as usize;
            let limit = if awaits_end {
                FRAGMENT_LIMIT
            } else {
                left.min(FRAGMENT_LIMIT)
            };
            let limit = if rate > 0.0 { 1 } else { limit };
            if limit > 0 {
                fragments += each.poll(&mut |session, body| receiver.take(session, body), limit)?;
            }
        }
        if let Some(wrong) = receiver.wrong.take() {
            return Err(Failure::new(0, wrong));
        }
        had_images |= fragments > 0;
        if receiver.messages >= receiver.count
            && (!awaits_end || (had_images && fragments == 0 && all_ended(subscriptions)?))
        {
            break;
        }
        if rate > 0.0 {
            std::thread::sleep(Duration::from_secs_f64(1.0 / rate));
        }
        if fragments == 0 || request.is_late() {
            let (messages, count) = (receiver.messages, receiver.count);
            request.wait(&|| format!("{messages} messages of {count} have come"))?;
        }
    }
    Ok(Object::new()
        .number("messages", receiver.messages)
        .number("bytes", receiver.bytes)
        .string("digest", &format!("{:016x}", receiver.digest))
        .number("gaps", receiver.gaps))
}
