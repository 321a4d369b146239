/* SPDX-License-Identifier: Apache-2.0 */
//! Reads requests from stdin, a line each, and answers each with one line on stdout.

use crate::client::{Client, Counter, Failure, ImageFacts, Outcome, Publication, Subscription};
use crate::json::Object;
use crate::receiver::{receive, Order};
use crate::request::Request;
use crate::sender::send;
use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::sync::Arc;

/// Connects to the driver in a directory, under a name.
pub type Connect = fn(&str, &str) -> Outcome<Box<dyn Client>>;

/// What a handle stands for; publications and subscriptions come in groups of one channel.
enum Resource {
    Publications(Vec<Arc<dyn Publication>>),
    Subscriptions(Vec<Box<dyn Subscription>>, Order),
    Counter(Box<dyn Counter>),
}

struct Server {
    connect: Connect,
    directory: String,
    client: Option<Box<dyn Client>>,
    resources: HashMap<u32, Resource>,
    last_handle: u32,
}

pub fn serve(connect: Connect) {
    let directory = std::env::var("AERON_DIR").expect("AERON_DIR names the driver's directory");
    let mut server = Server {
        connect,
        directory,
        client: None,
        resources: HashMap::new(),
        last_handle: 0,
    };
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        let answer = match Request::parse(&line).and_then(|request| server.answer(&request)) {
            Ok(object) => object.done(),
            Err(failure) => Object::new()
                .string("error", &failure.text)
                .number("code", failure.code)
                .truth("missing", failure.missing)
                .done(),
        };
        let mut out = std::io::stdout().lock();
        if writeln!(out, "{answer}")
            .and_then(|()| out.flush())
            .is_err()
        {
            break;
        }
    }
    let _ = server.disconnect();
}

fn image_object(image: &ImageFacts) -> String {
    let mut object = Object::new()
        .number("session", image.session_id)
        .number("correlation", image.correlation_id)
        .number("join", image.join_position)
        .number("position", image.position)
        .string("source", &image.source)
        .truth("eos", image.end_of_stream);
    if let Some(revoked) = image.revoked {
        object = object.truth("revoked", revoked);
    }
    if let Some(transports) = image.transports {
        object = object.number("transports", transports);
    }
    object.done()
}

fn addresses(object: Object, found: Outcome<Vec<String>>) -> Object {
    match found {
        Ok(found) => object.list(
            "addresses",
            found.iter().map(|each| crate::json::quoted(each)),
        ),
        Err(_) => object,
    }
}

impl Server {
    fn client(&mut self) -> Outcome<&mut Box<dyn Client>> {
        self.client
            .as_mut()
            .ok_or_else(|| Failure::new(0, "not connected"))
    }

    fn keep(&mut self, resource: Resource) -> Object {
        self.last_handle += 1;
        self.resources.insert(self.last_handle, resource);
        Object::new().number("handle", self.last_handle)
    }

    fn resource(&mut self, request: &Request) -> Outcome<&mut Resource> {
        let handle: u32 = request.required("handle")?;
        self.resources
            .get_mut(&handle)
            .ok_or_else(|| Failure::new(0, "no such handle"))
    }

    fn answer(&mut self, request: &Request) -> Outcome<Object> {
        match request.verb.as_str() {
            "connect" => self.open(request),
            "disconnect" => self.disconnect(),
            "pub" => self.publish(request),
            "sub" => self.subscribe(request),
            "counter" => self.count(request),
            "set" => match self.resource(request)? {
                Resource::Counter(counter) => counter
                    .set(request.required("value")?)
                    .map(|()| Object::new()),
                _ => Err(Failure::new(0, "not a counter")),
            },
            "session" => {
                let id = self
                    .client()?
                    .next_session_id(request.required("stream")?)?;
                Ok(Object::new().number("session", id))
            }
            "destination" => self.destination(request),
            "undestination" => self.undestination(request),
            "await" => self.wait(request),
            "send" => match self.resource(request)? {
                Resource::Publications(all) => send(all, request),
                _ => Err(Failure::new(0, "not a publication")),
            },
            "recv" => match self.resource(request)? {
                Resource::Subscriptions(all, order) => receive(all, order, request),
                _ => Err(Failure::new(0, "not a subscription")),
            },
            "info" => self.info(request),
            "reject" => match self.resource(request)? {
                Resource::Subscriptions(all, _) => all
                    .iter()
                    .try_for_each(|each| each.reject(request.text("reason")?))
                    .map(|()| Object::new()),
                _ => Err(Failure::new(0, "not a subscription")),
            },
            "reports" => {
                let found = self.client()?.reports();
                Ok(Object::new().list(
                    "reports",
                    found.iter().map(|each| {
                        Object::new()
                            .string("kind", each.kind)
                            .number("registration", each.registration_id)
                            .number("code", each.code)
                            .string("text", &each.text)
                            .done()
                    }),
                ))
            }
            "revoke" => match self.resource(request)? {
                Resource::Publications(all) => all
                    .iter()
                    .try_for_each(|each| each.revoke())
                    .map(|()| Object::new()),
                _ => Err(Failure::new(0, "not a publication")),
            },
            "close" => self.close(request),
            verb => Err(Failure::new(0, format!("no such verb: {verb}"))),
        }
    }

    fn open(&mut self, request: &Request) -> Outcome<Object> {
        self.disconnect()?;
        let client = (self.connect)(&self.directory, request.optional("name").unwrap_or("peer"))?;
        let id = client.id();
        self.client = Some(client);
        Ok(Object::new().number("client", id))
    }

    fn disconnect(&mut self) -> Outcome<Object> {
        self.resources.clear();
        if let Some(client) = self.client.take() {
            client.close()?;
        }
        Ok(Object::new())
    }

    fn publish(&mut self, request: &Request) -> Outcome<Object> {
        let exclusive = request.optional("kind") == Some("exclusive");
        let count = request.number("n")?.unwrap_or(1);
        let stream = request.required("stream")?;
        let channel = request.text("channel")?;
        let all = self
            .client()?
            .add_publications(channel, stream, count, exclusive)?;
        let facts = all[0].facts()?;
        let position = all[0].position();
        Ok(self
            .keep(Resource::Publications(all))
            .number("registration", facts.registration_id)
            .number("original", facts.original_registration_id)
            .number("session", facts.session_id)
            .number("initial_term", facts.initial_term_id)
            .number("term_length", facts.term_length as i64)
            .number("payload_max", facts.payload_length_max as i64)
            .number("message_max", facts.message_length_max as i64)
            .number("position", position))
    }

    fn subscribe(&mut self, request: &Request) -> Outcome<Object> {
        let count = request.number("n")?.unwrap_or(1);
        let stream = request.required("stream")?;
        let all = self
            .client()?
            .add_subscriptions(request.text("channel")?, stream, count)?;
        let id = all[0].registration_id();
        Ok(self
            .keep(Resource::Subscriptions(all, Order::default()))
            .number("registration", id))
    }

    fn count(&mut self, request: &Request) -> Outcome<Object> {
        let counter = self.client()?.add_counter(
            request.required("type")?,
            request.text("label")?,
            request.number("registration")?,
        )?;
        let facts = counter.facts()?;
        Ok(self
            .keep(Resource::Counter(counter))
            .number("id", facts.id)
            .number("registration", facts.registration_id)
            .number("value", facts.value))
    }

    fn destination(&mut self, request: &Request) -> Outcome<Object> {
        let uri = request.text("uri")?;
        let id = match self.resource(request)? {
            Resource::Publications(all) => all[0].add_destination(uri)?,
            Resource::Subscriptions(all, _) => all[0].add_destination(uri)?,
            Resource::Counter(_) => return Err(Failure::new(0, "a counter")),
        };
        Ok(Object::new().number("registration", id))
    }

    fn undestination(&mut self, request: &Request) -> Outcome<Object> {
        let id = request.number("id")?;
        match (self.resource(request)?, id) {
            (Resource::Publications(all), Some(id)) => all[0].remove_destination_by_id(id)?,
            (Resource::Publications(all), None) => {
                all[0].remove_destination(request.text("uri")?)?
            }
            (Resource::Subscriptions(all, _), _) => {
                all[0].remove_destination(request.text("uri")?)?
            }
            (Resource::Counter(_), _) => return Err(Failure::new(0, "a counter")),
        }
        Ok(Object::new())
    }

    fn wait(&mut self, request: &Request) -> Outcome<Object> {
        let connected: Option<i32> = request.number("connected")?;
        let images: Option<usize> = request.number("images")?;
        let gone: Option<u64> = request.number("gone")?;
        loop {
            let (done, state) = match self.resource(request)? {
                Resource::Publications(all) => {
                    let number = all.iter().filter(|each| each.is_connected()).count();
                    let wanted = if connected == Some(0) { 0 } else { all.len() };
                    (
                        number == wanted,
                        format!("{number} publications connected, not {wanted}"),
                    )
                }
                Resource::Subscriptions(all, _) => {
                    let number: usize = all.iter_mut().map(|each| each.image_count()).sum();
                    let went: u64 = all.iter().map(|each| each.events().1).sum();
                    (
                        images.is_none_or(|wanted| number == wanted)
                            && gone.is_none_or(|wanted| went >= wanted),
                        format!("{number} images, {went} gone"),
                    )
                }
                Resource::Counter(_) => return Err(Failure::new(0, "a counter")),
            };
            if done {
                return Ok(Object::new());
            }
            request.wait(&|| state.clone())?;
        }
    }

    fn info(&mut self, request: &Request) -> Outcome<Object> {
        match self.resource(request)? {
            Resource::Publications(all) => Ok(addresses(
                Object::new()
                    .truth("connected", all[0].is_connected())
                    .truth("closed", all[0].is_closed())
                    .number("position", all[0].position())
                    .number("limit", all[0].limit()),
                all[0].addresses(),
            )),
            Resource::Subscriptions(all, _) => {
                let mut images = Vec::new();
                let (mut available, mut unavailable) = (0, 0);
                for each in all.iter_mut() {
                    images.extend(each.images()?.iter().map(image_object));
                    available += each.events().0;
                    unavailable += each.events().1;
                }
                let object = Object::new()
                    .list("images", images)
                    .number("available", available)
                    .number("unavailable", unavailable);
                Ok(addresses(object, all[0].addresses()))
            }
            Resource::Counter(counter) => {
                let facts = counter.facts()?;
                Ok(Object::new()
                    .number("id", facts.id)
                    .number("value", facts.value))
            }
        }
    }

    fn close(&mut self, request: &Request) -> Outcome<Object> {
        self.resource(request)?;
        match self.resources.remove(&request.required("handle")?) {
            Some(Resource::Publications(all)) => {
                all.iter().try_for_each(|each| each.close())?;
            }
            Some(Resource::Subscriptions(mut all, _)) => {
                all.iter_mut().try_for_each(|each| each.close())?;
            }
            Some(Resource::Counter(mut counter)) => counter.close()?,
            None => (),
        }
        Ok(Object::new())
    }
}
