/* SPDX-License-Identifier: Apache-2.0 */
//! aeron-rs under the protocol of ../../../README.md.

use aeron_rs::aeron::Aeron;
use aeron_rs::concurrent::atomic_buffer::AtomicBuffer;
use aeron_rs::concurrent::logbuffer::buffer_claim::BufferClaim;
use aeron_rs::concurrent::logbuffer::header::Header;
use aeron_rs::context::Context;
use aeron_rs::counter::Counter as RsCounterHandle;
use aeron_rs::exclusive_publication::ExclusivePublication;
use aeron_rs::fragment_assembler::FragmentAssembler;
use aeron_rs::image::Image;
use aeron_rs::publication::Publication as SharedPublication;
use aeron_rs::subscription::Subscription as RsSubscriptionHandle;
use aeron_rs::utils::errors::{AeronError, DriverInteractionError};
use aeron_rs::utils::types::Index;
use interop_peers::client::{
    Client, Counter, CounterFacts, Failure, ImageFacts, Outcome, Publication, PublicationFacts,
    Report, Subscription, Way,
};
use interop_peers::server::serve;
use std::cell::RefCell;
use std::ffi::CString;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(15);

fn failure(error: AeronError) -> Failure {
    match error {
        AeronError::RegistrationException(code, text) => Failure::new(code, text),
        other => Failure::new(0, format!("{other:?}")),
    }
}

/// The codes that other clients answer an offer with.
fn code(error: &AeronError) -> i64 {
    match error {
        AeronError::NotConnected => -1,
        AeronError::BackPressured => -2,
        AeronError::AdminAction => -3,
        AeronError::PublicationClosed => -4,
        AeronError::MaxPositionExceeded => -5,
        AeronError::UnknownCode(code) => *code,
        _ => -6,
    }
}

fn text(value: &str) -> Outcome<CString> {
    CString::new(value).map_err(|_| Failure::new(0, "a zero byte"))
}

fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no panic holds it")
}

/// Asks until the driver has answered; what is not ready is no error to this library.
fn answered<T>(mut ask: impl FnMut() -> Result<T, AeronError>) -> Outcome<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match ask() {
            Ok(found) => return Ok(found),
            Err(error @ AeronError::RegistrationException(..)) => return Err(failure(error)),
            Err(error) if Instant::now() > deadline => return Err(failure(error)),
            Err(_) => std::thread::sleep(Duration::from_micros(200)),
        }
    }
}

/// A destination's command is not answered as long as the library says false.
fn done(mut ask: impl FnMut() -> Result<bool, AeronError>) -> Outcome<()> {
    answered(|| match ask() {
        Ok(false) => Err(AeronError::DriverTimeout(
            DriverInteractionError::NoResponse(0),
        )),
        other => other,
    })
    .map(|_| ())
}

/// The buffer of a message, for the time of one call.
fn lend(message: &[u8]) -> AtomicBuffer {
    AtomicBuffer::wrap_raw_slice(std::ptr::slice_from_raw_parts_mut(
        message.as_ptr().cast_mut(),
        message.len(),
    ))
}

fn fill_claim(mut claim: BufferClaim, message: &[u8]) {
    claim.buffer().put_bytes(claim.offset(), message);
    claim.commit();
}

struct Shared(Arc<Mutex<SharedPublication>>);

impl Publication for Shared {
    fn facts(&self) -> Outcome<PublicationFacts> {
        let publication = hold(&self.0);
        Ok(PublicationFacts {
            registration_id: publication.registration_id(),
            original_registration_id: publication.original_registration_id(),
            session_id: publication.session_id(),
            initial_term_id: publication.initial_term_id(),
            term_length: publication.term_buffer_length() as usize,
            payload_length_max: publication.max_payload_length() as usize,
            message_length_max: publication.max_message_length() as usize,
        })
    }

    fn offer(&self, way: Way, message: &[u8]) -> i64 {
        let mut publication = hold(&self.0);
        let result = match way {
            Way::Claim => {
                let mut claim = BufferClaim::default();
                let result = publication.try_claim(message.len() as Index, &mut claim);
                if result.is_ok() {
                    fill_claim(claim, message);
                }
                result
            }
            /* Its offer of several parts writes none of their bytes, on any driver. */
            Way::Vector | Way::Offer => publication.offer(lend(message)),
        };
        result.map_or_else(|error| code(&error), |position| position as i64)
    }

    fn position(&self) -> i64 {
        hold(&self.0).position().unwrap_or(-1)
    }

    fn limit(&self) -> i64 {
        hold(&self.0).publication_limit().unwrap_or(-1)
    }

    fn is_connected(&self) -> bool {
        hold(&self.0).is_connected()
    }

    fn is_closed(&self) -> bool {
        hold(&self.0).is_closed()
    }

    fn add_destination(&self, uri: &str) -> Outcome<i64> {
        let id = hold(&self.0).add_destination(text(uri)?).map_err(failure)?;
        done(|| hold(&self.0).find_destination_response(id)).map(|()| id)
    }

    fn remove_destination(&self, uri: &str) -> Outcome<()> {
        let id = hold(&self.0)
            .remove_destination(text(uri)?)
            .map_err(failure)?;
        done(|| hold(&self.0).find_destination_response(id))
    }

    fn close(&self) -> Outcome<()> {
        hold(&self.0).release();
        Ok(())
    }
}

struct Exclusive(Arc<Mutex<ExclusivePublication>>);

/* The mutex is all that keeps threads apart; the library's pointers into the log say nothing. */
unsafe impl Send for Exclusive {}
unsafe impl Sync for Exclusive {}

impl Publication for Exclusive {
    fn facts(&self) -> Outcome<PublicationFacts> {
        let publication = hold(&self.0);
        Ok(PublicationFacts {
            registration_id: publication.registration_id(),
            original_registration_id: publication.original_registration_id(),
            session_id: publication.session_id(),
            initial_term_id: publication.initial_term_id(),
            term_length: publication.term_buffer_length() as usize,
            payload_length_max: publication.max_payload_length() as usize,
            message_length_max: publication.max_message_length() as usize,
        })
    }

    /// There are no vectors here; an offer stands in for them.
    fn offer(&self, way: Way, message: &[u8]) -> i64 {
        let mut publication = hold(&self.0);
        let result = if way == Way::Claim {
            let mut claim = BufferClaim::default();
            let result = publication.try_claim(message.len() as Index, &mut claim);
            if result.is_ok() {
                fill_claim(claim, message);
            }
            result
        } else {
            publication.offer(lend(message))
        };
        result.unwrap_or_else(|error| code(&error))
    }

    fn position(&self) -> i64 {
        hold(&self.0).position().unwrap_or(-1)
    }

    fn limit(&self) -> i64 {
        hold(&self.0).publication_limit().unwrap_or(-1)
    }

    fn is_connected(&self) -> bool {
        hold(&self.0).is_connected()
    }

    fn is_closed(&self) -> bool {
        hold(&self.0).is_closed()
    }

    fn add_destination(&self, uri: &str) -> Outcome<i64> {
        hold(&self.0).add_destination(text(uri)?).map_err(failure)
    }

    fn remove_destination(&self, uri: &str) -> Outcome<()> {
        hold(&self.0)
            .remove_destination(text(uri)?)
            .map(|_| ())
            .map_err(failure)
    }

    fn close(&self) -> Outcome<()> {
        hold(&self.0).close();
        Ok(())
    }
}

#[derive(Default)]
struct Events {
    available: AtomicU64,
    unavailable: AtomicU64,
}

type Collected = Rc<RefCell<Vec<(i32, Vec<u8>)>>>;
type Assembled = Box<dyn FnMut(&AtomicBuffer, Index, Index, &Header)>;

struct RsSubscription {
    handle: Arc<Mutex<RsSubscriptionHandle>>,
    events: Arc<Events>,
    collected: Collected,
    assembled: Assembled,
}

/// The assembler's handler borrows it for good, so both live as long as the process.
fn assembler(collected: Collected) -> Assembled {
    let delegate = move |buffer: &AtomicBuffer, offset: Index, length: Index, header: &Header| {
        let body = buffer.as_sub_slice(offset, length).to_vec();
        collected.borrow_mut().push((header.session_id(), body));
    };
    let assembler = FragmentAssembler::new(Box::leak(Box::new(delegate)), None);
    Box::new(Box::leak(Box::new(assembler)).handler())
}

impl Subscription for RsSubscription {
    fn registration_id(&self) -> i64 {
        hold(&self.handle).registration_id()
    }

    fn poll(&mut self, handler: &mut dyn FnMut(i32, &[u8]), limit: usize) -> Outcome<usize> {
        let fragments = hold(&self.handle).poll(&mut self.assembled, limit as i32);
        for (session_id, body) in self.collected.borrow_mut().drain(..) {
            handler(session_id, &body);
        }
        Ok(fragments.max(0) as usize)
    }

    fn images(&mut self) -> Outcome<Vec<ImageFacts>> {
        let subscription = hold(&self.handle);
        Ok(subscription
            .images()
            .iter()
            .map(|image| ImageFacts {
                session_id: image.session_id(),
                correlation_id: image.correlation_id(),
                join_position: image.join_position(),
                position: image.position(),
                source: image.source_identity().to_string_lossy().into_owned(),
                end_of_stream: image.is_end_of_stream(),
                revoked: None,
                transports: None,
            })
            .collect())
    }

    fn image_count(&mut self) -> usize {
        hold(&self.handle).image_count()
    }

    fn events(&self) -> (u64, u64) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (read(&self.events.available), read(&self.events.unavailable))
    }

    fn add_destination(&self, uri: &str) -> Outcome<i64> {
        let id = hold(&self.handle)
            .add_destination(uri.to_string())
            .map_err(failure)?;
        done(|| hold(&self.handle).find_destination_response(id)).map(|()| id)
    }

    fn remove_destination(&self, uri: &str) -> Outcome<()> {
        let id = hold(&self.handle)
            .remove_destination(uri.to_string())
            .map_err(failure)?;
        done(|| hold(&self.handle).find_destination_response(id))
    }

    fn close(&mut self) -> Outcome<()> {
        /* The library gives a subscription back when its last reference goes. */
        Ok(())
    }
}

struct RsCounter {
    handle: Arc<RsCounterHandle>,
    client: Arc<Mutex<Aeron>>,
}

impl Counter for RsCounter {
    fn facts(&self) -> Outcome<CounterFacts> {
        let counters = hold(&self.client).counters_reader().map_err(failure)?;
        Ok(CounterFacts {
            id: self.handle.id(),
            registration_id: self.handle.registration_id(),
            value: counters.counter_value(self.handle.id()).map_err(failure)? as i64,
        })
    }

    fn set(&self, _value: i64) -> Outcome<()> {
        Err(Failure::missing("way to write a counter"))
    }

    fn close(&mut self) -> Outcome<()> {
        self.handle.close();
        Ok(())
    }
}

struct RsClient {
    client: Arc<Mutex<Aeron>>,
    reports: Arc<Mutex<Vec<Report>>>,
}

fn connect(directory: &str, name: &str) -> Outcome<Box<dyn Client>> {
    let reports: Arc<Mutex<Vec<Report>>> = Arc::default();
    let told = reports.clone();
    let mut context = Context::new();
    context.set_aeron_dir(directory.to_string());
    context.set_agent_name(name);
    context.set_error_handler(move |error: AeronError| {
        let Failure { code, text, .. } = failure(error);
        hold(&told).push(Report {
            kind: "error",
            registration_id: -1,
            code,
            text,
        });
    });
    let client = Aeron::new(context).map_err(failure)?;
    Ok(Box::new(RsClient {
        client: Arc::new(Mutex::new(client)),
        reports,
    }))
}

impl Client for RsClient {
    fn id(&self) -> i64 {
        hold(&self.client).client_id()
    }

    fn add_publications(
        &mut self,
        channel: &str,
        stream: i32,
        count: i32,
        exclusive: bool,
    ) -> Outcome<Vec<Arc<dyn Publication>>> {
        let channel = text(channel)?;
        let mut waiting = Vec::new();
        for each in stream..stream + count {
            let mut client = hold(&self.client);
            let id = if exclusive {
                client.add_exclusive_publication(channel.clone(), each)
            } else {
                client.add_publication(channel.clone(), each)
            };
            waiting.push(id.map_err(failure)?);
        }
        waiting
            .into_iter()
            .map(|id| {
                Ok(if exclusive {
                    let found = answered(|| hold(&self.client).find_exclusive_publication(id))?;
                    Arc::new(Exclusive(found)) as Arc<dyn Publication>
                } else {
                    Arc::new(Shared(answered(|| {
                        hold(&self.client).find_publication(id)
                    })?))
                })
            })
            .collect()
    }

    fn add_subscriptions(
        &mut self,
        channel: &str,
        stream: i32,
        count: i32,
    ) -> Outcome<Vec<Box<dyn Subscription>>> {
        let channel = text(channel)?;
        let mut waiting = Vec::new();
        for each in stream..stream + count {
            let events: Arc<Events> = Arc::default();
            let (came, went) = (events.clone(), events.clone());
            let available = move |_: &Image| {
                came.available.fetch_add(1, Ordering::Relaxed);
            };
            let unavailable = move |_: &Image| {
                went.unavailable.fetch_add(1, Ordering::Relaxed);
            };
            let id = hold(&self.client)
                .add_subscription_opt(
                    channel.clone(),
                    each,
                    Box::new(available),
                    Box::new(unavailable),
                )
                .map_err(failure)?;
            waiting.push((id, events));
        }
        waiting
            .into_iter()
            .map(|(id, events)| {
                let handle = answered(|| hold(&self.client).find_subscription(id))?;
                let collected = Collected::default();
                let assembled = assembler(collected.clone());
                Ok(Box::new(RsSubscription {
                    handle,
                    events,
                    collected,
                    assembled,
                }) as Box<dyn Subscription>)
            })
            .collect()
    }

    fn add_counter(
        &mut self,
        type_id: i32,
        label: &str,
        registration_id: Option<i64>,
    ) -> Outcome<Box<dyn Counter>> {
        if registration_id.is_some() {
            return Err(Failure::missing("static counters"));
        }
        let id = hold(&self.client)
            .add_counter(type_id, &type_id.to_le_bytes(), label)
            .map_err(failure)?;
        let handle = answered(|| hold(&self.client).find_counter(id))?;
        Ok(Box::new(RsCounter {
            handle,
            client: self.client.clone(),
        }))
    }

    fn reports(&mut self) -> Vec<Report> {
        std::mem::take(&mut *hold(&self.reports))
    }

    fn close(self: Box<Self>) -> Outcome<()> {
        Ok(())
    }
}

fn main() {
    serve(connect);
}
