/* SPDX-License-Identifier: Apache-2.0 */
//! One request: a verb, then name=value words separated by blanks.

use crate::client::{Failure, Outcome};
use std::collections::HashMap;
use std::time::{Duration, Instant};

pub struct Request {
    pub verb: String,
    values: HashMap<String, String>,
    deadline: Instant,
}

impl Request {
    pub fn parse(line: &str) -> Outcome<Self> {
        let mut words = line.split_whitespace();
        let verb = words.next().unwrap_or("").to_string();
        let mut values = HashMap::new();
        for word in words {
            let (name, value) = word
                .split_once('=')
                .ok_or_else(|| Failure::new(0, format!("no value: {word}")))?;
            values.insert(name.to_string(), value.to_string());
        }
        let mut request = Self {
            verb,
            values,
            deadline: Instant::now(),
        };
        let patience: f64 = request.number("timeout")?.unwrap_or(20.0);
        request.deadline += Duration::from_secs_f64(patience);
        Ok(request)
    }

    pub fn text(&self, name: &str) -> Outcome<&str> {
        self.optional(name)
            .ok_or_else(|| Failure::new(0, format!("{name}= is missing")))
    }

    pub fn optional(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    pub fn number<T: std::str::FromStr>(&self, name: &str) -> Outcome<Option<T>> {
        match self.optional(name) {
            None => Ok(None),
            Some(text) => text
                .parse()
                .map(Some)
                .map_err(|_| Failure::new(0, format!("{name}={text} is no number"))),
        }
    }

    pub fn required<T: std::str::FromStr>(&self, name: &str) -> Outcome<T> {
        self.number(name)?
            .ok_or_else(|| Failure::new(0, format!("{name}= is missing")))
    }

    pub fn flag(&self, name: &str) -> bool {
        self.optional(name) == Some("1")
    }

    pub fn is_late(&self) -> bool {
        Instant::now() > self.deadline
    }

    /// Sleeps for a moment: a client that spins on a small machine measures its scheduler.
    pub fn wait(&self, what: &dyn Fn() -> String) -> Outcome<()> {
        if self.is_late() {
            return Err(Failure::new(0, format!("timeout: {}", what())));
        }
        std::thread::sleep(Duration::from_micros(100));
        Ok(())
    }
}
