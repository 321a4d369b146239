/* SPDX-License-Identifier: Apache-2.0 */
//! `send`: job j publishes the stream seed + j through publication j modulo their number; threads
//! share the jobs out, and each takes turns between its own.

use crate::client::{Failure, Outcome, Publication, Way};
use crate::json::Object;
use crate::messages::{digest, make, Lengths};
use crate::request::Request;
use std::sync::Arc;
use std::time::{Duration, Instant};

const BACK_PRESSURED: i64 = -2;
const ADMIN_ACTION: i64 = -3;

#[derive(Default)]
struct Sum {
    messages: u64,
    bytes: u64,
    digest: u64,
    waits: u64,
}

struct Job {
    publication: Arc<dyn Publication>,
    payload_length_max: usize,
    seed: u64,
}

struct Plan<'a> {
    request: &'a Request,
    from: u64,
    count: u64,
    lengths: Lengths,
    rate: f64,
}

impl Plan<'_> {
    /// The ways take turns; a claim only where it fits.
    fn way(&self, job: &Job, sequence: u64, length: usize) -> Way {
        match sequence % 4 {
            1 if length <= job.payload_length_max => Way::Claim,
            2 => Way::Vector,
            _ => Way::Offer,
        }
    }

    fn publish(&self, job: &Job, sequence: u64, message: &[u8]) -> Outcome<u64> {
        let way = self.way(job, sequence, message.len());
        let mut waits = 0;
        loop {
            let result = job.publication.offer(way, message);
            if result > 0 {
                return Ok(waits);
            }
            let what = || format!("room for message {sequence}, last answer {result}");
            match result {
                ADMIN_ACTION if !self.request.is_late() => continue,
                BACK_PRESSURED => {
                    waits += 1;
                    self.request.wait(&what)?;
                }
                _ => return Err(Failure::new(0, format!("message {sequence}: {result}"))),
            }
        }
    }

    fn run(&self, jobs: Vec<Job>) -> Outcome<Sum> {
        let mut sum = Sum::default();
        let mut message = Vec::new();
        let start = Instant::now();
        for i in 0..self.count {
            for job in &jobs {
                if self.rate > 0.0 {
                    let due = start + Duration::from_secs_f64(sum.messages as f64 / self.rate);
                    std::thread::sleep(due.saturating_duration_since(Instant::now()));
                }
                make(&mut message, job.seed, self.from + i, self.lengths);
                sum.waits += self.publish(job, self.from + i, &message)?;
                sum.messages += 1;
                sum.bytes += message.len() as u64;
                sum.digest = sum.digest.wrapping_add(digest(&message));
            }
        }
        Ok(sum)
    }
}

pub fn send(publications: &[Arc<dyn Publication>], request: &Request) -> Outcome<Object> {
    let lengths = Lengths::parse(request.optional("size").unwrap_or("mix"))
        .ok_or_else(|| Failure::new(0, "size= is mix, N or N-M"))?;
    let seed: u64 = request.number("seed")?.unwrap_or(1);
    let threads = request.number("threads")?.unwrap_or(1usize).max(1);
    let plan = Plan {
        request,
        from: request.number("from")?.unwrap_or(0),
        count: request.required("count")?,
        lengths,
        rate: request.number("rate")?.unwrap_or(0.0),
    };
    let mut shares: Vec<Vec<Job>> = (0..threads).map(|_| Vec::new()).collect();
    for j in 0..threads.max(publications.len()) {
        let publication = publications[j % publications.len()].clone();
        let payload_length_max = publication.facts()?.payload_length_max;
        shares[j % threads].push(Job {
            publication,
            payload_length_max,
            seed: seed + j as u64,
        });
    }
    let sums: Vec<Outcome<Sum>> = std::thread::scope(|scope| {
        let running: Vec<_> = shares
            .into_iter()
            .map(|jobs| scope.spawn(|| plan.run(jobs)))
            .collect();
        running
            .into_iter()
            .map(|each| each.join().expect("a sender panicked"))
            .collect()
    });
    let mut total = Sum::default();
    for sum in sums {
        let sum = sum?;
        total.messages += sum.messages;
        total.bytes += sum.bytes;
        total.digest = total.digest.wrapping_add(sum.digest);
        total.waits += sum.waits;
    }
    Ok(Object::new()
        .number("messages", total.messages)
        .number("bytes", total.bytes)
        .string("digest", &format!("{:016x}", total.digest))
        .number("waits", total.waits)
        .number("position", publications[0].position()))
}
