/* SPDX-License-Identifier: Apache-2.0 */
//! The official C client under the protocol of ../../../README.md, by its C functions.

use interop_peers::client::{
    Client, Counter, CounterFacts, Failure, ImageFacts, Outcome, Publication, PublicationFacts,
    Report, Subscription, Way,
};
use interop_peers::server::serve;
use rusteron_client::bindings::*;
use std::ffi::{c_char, c_int, c_void, CStr, CString};
use std::mem::{size_of, zeroed};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(15);
const ADDRESS_LENGTH_MAX: usize = 128;

/// The library's last error of this thread; the driver's codes are negative there.
fn failure(what: &str) -> Failure {
    unsafe {
        let text = CStr::from_ptr(aeron_errmsg())
            .to_string_lossy()
            .replace('\n', " ");
        Failure::new((-aeron_errcode()).max(0), format!("{what}: {text}"))
    }
}

fn check(result: c_int, what: &str) -> Outcome<c_int> {
    if result < 0 {
        Err(failure(what))
    } else {
        Ok(result)
    }
}

fn text(value: &str) -> Outcome<CString> {
    CString::new(value).map_err(|_| Failure::new(0, "a zero byte"))
}

/// Asks until the driver has answered.
fn answered(what: &str, mut poll: impl FnMut() -> c_int) -> Outcome<()> {
    let deadline = Instant::now() + PATIENCE;
    while check(poll(), what)? == 0 {
        if Instant::now() > deadline {
            return Err(Failure::new(0, format!("{what}: no answer")));
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    Ok(())
}

fn addresses(look: impl FnOnce(*mut aeron_iovec_t, usize) -> c_int) -> Outcome<Vec<String>> {
    let mut room = vec![[0u8; ADDRESS_LENGTH_MAX]; 16];
    let mut vectors: Vec<aeron_iovec_t> = room
        .iter_mut()
        .map(|each| aeron_iovec_t {
            iov_base: each.as_mut_ptr(),
            iov_len: each.len(),
        })
        .collect();
    let count = check(look(vectors.as_mut_ptr(), vectors.len()), "addresses")? as usize;
    Ok(room[..count.min(room.len())]
        .iter()
        .map(|each| {
            let end = each
                .iter()
                .position(|&byte| byte == 0)
                .unwrap_or(each.len());
            String::from_utf8_lossy(&each[..end]).into_owned()
        })
        .collect())
}

/// Both kinds have functions of their own; this is the pair of them.
#[derive(Clone, Copy)]
enum Handle {
    Shared(*mut aeron_publication_t),
    Exclusive(*mut aeron_exclusive_publication_t),
}

/// Calls the function of the kind at hand with the same arguments.
macro_rules! of_kind {
    ($handle:expr, $shared:ident, $exclusive:ident $(, $argument:expr)*) => {
        unsafe {
            match $handle {
                Handle::Shared(p) => $shared(p $(, $argument)*),
                Handle::Exclusive(p) => $exclusive(p $(, $argument)*),
            }
        }
    };
}

struct CPublication {
    client: *mut aeron_t,
    handle: Handle,
    facts: aeron_publication_constants_t,
}

/* The library lets any thread offer to a shared publication; of an exclusive one only one of the
 * sender's threads makes use. */
unsafe impl Send for CPublication {}
unsafe impl Sync for CPublication {}

impl CPublication {
    fn new(client: *mut aeron_t, handle: Handle) -> Outcome<Self> {
        let mut facts: aeron_publication_constants_t = unsafe { zeroed() };
        let result = of_kind!(
            handle,
            aeron_publication_constants,
            aeron_exclusive_publication_constants,
            &mut facts
        );
        check(result, "constants")?;
        Ok(Self {
            client,
            handle,
            facts,
        })
    }

    fn claim(&self, message: &[u8]) -> i64 {
        let mut claim: aeron_buffer_claim_t = unsafe { zeroed() };
        let result = of_kind!(
            self.handle,
            aeron_publication_try_claim,
            aeron_exclusive_publication_try_claim,
            message.len(),
            &mut claim
        );
        if result > 0 {
            unsafe {
                std::ptr::copy_nonoverlapping(message.as_ptr(), claim.data, message.len());
                aeron_buffer_claim_commit(&mut claim);
            }
        }
        result
    }

    fn offer_vector(&self, message: &[u8]) -> i64 {
        let (first, second) = message.split_at(message.len() / 3);
        let mut parts = [first, second].map(|part| aeron_iovec_t {
            iov_base: part.as_ptr() as *mut u8,
            iov_len: part.len(),
        });
        of_kind!(
            self.handle,
            aeron_publication_offerv,
            aeron_exclusive_publication_offerv,
            parts.as_mut_ptr(),
            parts.len(),
            None,
            null_mut()
        )
    }

    fn change_destination(
        &self,
        what: &str,
        ask: impl FnOnce(*mut *mut aeron_async_destination_t) -> c_int,
    ) -> Outcome<i64> {
        let mut pending = null_mut();
        check(ask(&mut pending), what)?;
        let id = unsafe { aeron_async_destination_get_registration_id(pending) };
        answered(what, || unsafe {
            match self.handle {
                Handle::Shared(_) => aeron_publication_async_destination_poll(pending),
                Handle::Exclusive(_) => aeron_exclusive_publication_async_destination_poll(pending),
            }
        })?;
        Ok(id)
    }
}

impl Publication for CPublication {
    fn facts(&self) -> Outcome<PublicationFacts> {
        Ok(PublicationFacts {
            registration_id: self.facts.registration_id,
            original_registration_id: self.facts.original_registration_id,
            session_id: self.facts.session_id,
            initial_term_id: self.facts.initial_term_id,
            term_length: self.facts.term_buffer_length,
            payload_length_max: self.facts.max_payload_length,
            message_length_max: self.facts.max_message_length,
        })
    }

    fn offer(&self, way: Way, message: &[u8]) -> i64 {
        match way {
            Way::Claim => self.claim(message),
            Way::Vector => self.offer_vector(message),
            Way::Offer => of_kind!(
                self.handle,
                aeron_publication_offer,
                aeron_exclusive_publication_offer,
                message.as_ptr(),
                message.len(),
                None,
                null_mut()
            ),
        }
    }

    fn position(&self) -> i64 {
        of_kind!(
            self.handle,
            aeron_publication_position,
            aeron_exclusive_publication_position
        )
    }

    fn limit(&self) -> i64 {
        of_kind!(
            self.handle,
            aeron_publication_position_limit,
            aeron_exclusive_publication_position_limit
        )
    }

    fn is_connected(&self) -> bool {
        of_kind!(
            self.handle,
            aeron_publication_is_connected,
            aeron_exclusive_publication_is_connected
        )
    }

    fn is_closed(&self) -> bool {
        of_kind!(
            self.handle,
            aeron_publication_is_closed,
            aeron_exclusive_publication_is_closed
        )
    }

    fn addresses(&self) -> Outcome<Vec<String>> {
        addresses(|vectors, count| {
            of_kind!(
                self.handle,
                aeron_publication_local_sockaddrs,
                aeron_exclusive_publication_local_sockaddrs,
                vectors,
                count
            )
        })
    }

    fn add_destination(&self, uri: &str) -> Outcome<i64> {
        let uri = text(uri)?;
        self.change_destination("add destination", |pending| unsafe {
            match self.handle {
                Handle::Shared(p) => {
                    aeron_publication_async_add_destination(pending, self.client, p, uri.as_ptr())
                }
                Handle::Exclusive(p) => aeron_exclusive_publication_async_add_destination(
                    pending,
                    self.client,
                    p,
                    uri.as_ptr(),
                ),
            }
        })
    }

    fn remove_destination(&self, uri: &str) -> Outcome<()> {
        let uri = text(uri)?;
        self.change_destination("remove destination", |pending| unsafe {
            match self.handle {
                Handle::Shared(p) => aeron_publication_async_remove_destination(
                    pending,
                    self.client,
                    p,
                    uri.as_ptr(),
                ),
                Handle::Exclusive(p) => aeron_exclusive_publication_async_remove_destination(
                    pending,
                    self.client,
                    p,
                    uri.as_ptr(),
                ),
            }
        })
        .map(|_| ())
    }

    fn remove_destination_by_id(&self, id: i64) -> Outcome<()> {
        self.change_destination("remove destination", |pending| unsafe {
            match self.handle {
                Handle::Shared(p) => {
                    aeron_publication_async_remove_destination_by_id(pending, self.client, p, id)
                }
                Handle::Exclusive(p) => aeron_exclusive_publication_async_remove_destination_by_id(
                    pending,
                    self.client,
                    p,
                    id,
                ),
            }
        })
        .map(|_| ())
    }

    fn revoke(&self) -> Outcome<()> {
        match self.handle {
            Handle::Shared(_) => Err(Failure::missing("revocation of a shared publication")),
            Handle::Exclusive(p) => unsafe {
                check(
                    aeron_exclusive_publication_revoke(p, None, null_mut()),
                    "revoke",
                )
                .map(|_| ())
            },
        }
    }

    fn close(&self) -> Outcome<()> {
        let result = of_kind!(
            self.handle,
            aeron_publication_close,
            aeron_exclusive_publication_close,
            None,
            null_mut()
        );
        check(result, "close").map(|_| ())
    }
}

#[derive(Default)]
struct Events {
    available: AtomicU64,
    unavailable: AtomicU64,
}

unsafe extern "C" fn on_available(
    events: *mut c_void,
    _: *mut aeron_subscription_t,
    _: *mut aeron_image_t,
) {
    (*(events as *const Events))
        .available
        .fetch_add(1, Ordering::Relaxed);
}

unsafe extern "C" fn on_unavailable(
    events: *mut c_void,
    _: *mut aeron_subscription_t,
    _: *mut aeron_image_t,
) {
    (*(events as *const Events))
        .unavailable
        .fetch_add(1, Ordering::Relaxed);
}

/// Where messages of the poll at hand go.
struct Sink {
    handler: *mut (dyn FnMut(i32, &[u8]) + 'static),
}

unsafe extern "C-unwind" fn on_message(
    sink: *mut c_void,
    body: *const u8,
    length: usize,
    header: *mut aeron_header_t,
) {
    let mut values: aeron_header_values_t = zeroed();
    aeron_header_values(header, &mut values);
    let handler = &mut *(*(sink as *mut Sink)).handler;
    let session_id = values.frame.session_id;
    handler(session_id, std::slice::from_raw_parts(body, length));
}

/// The library's assembler, as the kind of function that a poll takes.
unsafe extern "C-unwind" fn assemble(
    assembler: *mut c_void,
    body: *const u8,
    length: usize,
    header: *mut aeron_header_t,
) {
    aeron_fragment_assembler_handler(assembler, body, length, header);
}

struct CSubscription {
    client: *mut aeron_t,
    handle: *mut aeron_subscription_t,
    registration_id: i64,
    /// Never given back: the conductor may call until the client is closed.
    events: &'static Events,
    sink: *mut Sink,
    assembler: *mut aeron_fragment_assembler_t,
}

fn nowhere(_: i32, _: &[u8]) {}

impl CSubscription {
    fn new(
        client: *mut aeron_t,
        handle: *mut aeron_subscription_t,
        events: &'static Events,
    ) -> Outcome<Self> {
        let mut facts: aeron_subscription_constants_t = unsafe { zeroed() };
        let handler: *mut (dyn FnMut(i32, &[u8]) + 'static) =
            Box::into_raw(Box::new(nowhere as fn(i32, &[u8])));
        let sink = Box::into_raw(Box::new(Sink { handler }));
        let mut assembler = null_mut();
        unsafe {
            check(
                aeron_subscription_constants(handle, &mut facts),
                "constants",
            )?;
            check(
                aeron_fragment_assembler_create(&mut assembler, Some(on_message), sink.cast()),
                "assembler",
            )?;
        }
        let registration_id = facts.registration_id;
        Ok(Self {
            client,
            handle,
            registration_id,
            events,
            sink,
            assembler,
        })
    }

    fn each_image<T>(
        &self,
        mut look: impl FnMut(*mut aeron_image_t) -> Outcome<T>,
    ) -> Outcome<Vec<T>> {
        let mut found = Vec::new();
        unsafe {
            for i in 0..aeron_subscription_image_count(self.handle).max(0) as usize {
                let image = aeron_subscription_image_at_index(self.handle, i);
                if !image.is_null() {
                    let result = look(image);
                    aeron_subscription_image_release(self.handle, image);
                    found.push(result?);
                }
            }
        }
        Ok(found)
    }

    fn change_destination(
        &self,
        what: &str,
        ask: impl FnOnce(*mut *mut aeron_async_destination_t) -> c_int,
    ) -> Outcome<i64> {
        let mut pending = null_mut();
        check(ask(&mut pending), what)?;
        let id = unsafe { aeron_async_destination_get_registration_id(pending) };
        answered(what, || unsafe {
            aeron_subscription_async_destination_poll(pending)
        })?;
        Ok(id)
    }
}

impl Subscription for CSubscription {
    fn registration_id(&self) -> i64 {
        self.registration_id
    }

    fn poll(&mut self, handler: &mut dyn FnMut(i32, &[u8]), limit: usize) -> Outcome<usize> {
        /* The sink is used inside of this poll only, so the handler outlives it. */
        unsafe {
            (*self.sink).handler = std::mem::transmute::<
                &mut dyn FnMut(i32, &[u8]),
                *mut (dyn FnMut(i32, &[u8]) + 'static),
            >(handler);
            let result =
                aeron_subscription_poll(self.handle, Some(assemble), self.assembler.cast(), limit);
            check(result, "poll").map(|fragments| fragments as usize)
        }
    }

    fn images(&mut self) -> Outcome<Vec<ImageFacts>> {
        self.each_image(|image| unsafe {
            let mut facts: aeron_image_constants_t = zeroed();
            check(aeron_image_constants(image, &mut facts), "image")?;
            Ok(ImageFacts {
                session_id: facts.session_id,
                correlation_id: facts.correlation_id,
                join_position: facts.join_position,
                position: aeron_image_position(image),
                source: CStr::from_ptr(facts.source_identity)
                    .to_string_lossy()
                    .into_owned(),
                end_of_stream: aeron_image_is_end_of_stream(image),
                revoked: Some(aeron_image_is_publication_revoked(image)),
                transports: Some(aeron_image_active_transport_count(image)),
            })
        })
    }

    fn image_count(&mut self) -> usize {
        unsafe { aeron_subscription_image_count(self.handle).max(0) as usize }
    }

    fn events(&self) -> (u64, u64) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (read(&self.events.available), read(&self.events.unavailable))
    }

    fn addresses(&self) -> Outcome<Vec<String>> {
        addresses(|vectors, count| unsafe {
            aeron_subscription_local_sockaddrs(self.handle, vectors, count)
        })
    }

    fn add_destination(&self, uri: &str) -> Outcome<i64> {
        let uri = text(uri)?;
        self.change_destination("add destination", |pending| unsafe {
            aeron_subscription_async_add_destination(
                pending,
                self.client,
                self.handle,
                uri.as_ptr(),
            )
        })
    }

    fn remove_destination(&self, uri: &str) -> Outcome<()> {
        let uri = text(uri)?;
        self.change_destination("remove destination", |pending| unsafe {
            aeron_subscription_async_remove_destination(
                pending,
                self.client,
                self.handle,
                uri.as_ptr(),
            )
        })
        .map(|_| ())
    }

    fn reject(&self, reason: &str) -> Outcome<()> {
        let reason = text(reason)?;
        self.each_image(|image| unsafe {
            check(aeron_image_reject(image, reason.as_ptr()), "reject")
        })
        .map(|_| ())
    }

    fn close(&mut self) -> Outcome<()> {
        unsafe {
            check(
                aeron_subscription_close(self.handle, None, null_mut()),
                "close",
            )
        }
        .map(|_| ())
    }
}

impl Drop for CSubscription {
    fn drop(&mut self) {
        unsafe { aeron_fragment_assembler_delete(self.assembler) };
    }
}

struct CCounter {
    handle: *mut aeron_counter_t,
}

impl Counter for CCounter {
    fn facts(&self) -> Outcome<CounterFacts> {
        let mut facts: aeron_counter_constants_t = unsafe { zeroed() };
        unsafe {
            check(aeron_counter_constants(self.handle, &mut facts), "counter")?;
            Ok(CounterFacts {
                id: facts.counter_id,
                registration_id: facts.registration_id,
                value: aeron_counter_addr(self.handle).read_volatile(),
            })
        }
    }

    fn set(&self, value: i64) -> Outcome<()> {
        unsafe { aeron_counter_addr(self.handle).write_volatile(value) };
        Ok(())
    }

    fn close(&mut self) -> Outcome<()> {
        unsafe { check(aeron_counter_close(self.handle, None, null_mut()), "close").map(|_| ()) }
    }
}

type Reports = Mutex<Vec<Report>>;

unsafe extern "C" fn on_error(reports: *mut c_void, code: c_int, message: *const c_char) {
    let text = CStr::from_ptr(message).to_string_lossy().into_owned();
    let report = Report {
        kind: "error",
        registration_id: -1,
        code: code.abs(),
        text,
    };
    (*(reports as *const Reports))
        .lock()
        .expect("no panic holds it")
        .push(report);
}

unsafe extern "C" fn on_publication_error(
    reports: *mut c_void,
    values: *mut aeron_publication_error_values_t,
) {
    let length = std::ptr::addr_of!((*values).error_message_length).read_unaligned() as usize;
    let message = std::ptr::addr_of!((*values).error_message) as *const u8;
    let message = std::slice::from_raw_parts(message, length);
    let report = Report {
        kind: "publication",
        registration_id: std::ptr::addr_of!((*values).registration_id).read_unaligned(),
        code: std::ptr::addr_of!((*values).error_code).read_unaligned(),
        text: String::from_utf8_lossy(message)
            .trim_end_matches('\0')
            .to_string(),
    };
    (*(reports as *const Reports))
        .lock()
        .expect("no panic holds it")
        .push(report);
}

struct CClient {
    context: *mut aeron_context_t,
    client: *mut aeron_t,
    reports: Arc<Reports>,
}

fn connect(directory: &str, name: &str) -> Outcome<Box<dyn Client>> {
    let (directory, name) = (text(directory)?, text(name)?);
    let reports = Arc::new(Reports::default());
    let (mut context, mut client) = (null_mut(), null_mut());
    unsafe {
        check(aeron_context_init(&mut context), "context")?;
        aeron_context_set_dir(context, directory.as_ptr());
        aeron_context_set_client_name(context, name.as_ptr());
        aeron_context_set_idle_sleep_duration_ns(context, 1_000_000);
        let told = Arc::as_ptr(&reports) as *mut c_void;
        aeron_context_set_error_handler(context, Some(on_error), told);
        aeron_context_set_publication_error_frame_handler(
            context,
            Some(on_publication_error),
            told,
        );
        if aeron_init(&mut client, context) < 0 || aeron_start(client) < 0 {
            let failure = failure("connect");
            aeron_close(client);
            aeron_context_close(context);
            return Err(failure);
        }
    }
    Ok(Box::new(CClient {
        context,
        client,
        reports,
    }))
}

impl CClient {
    fn add_exclusive(&self, channel: &CStr, streams: std::ops::Range<i32>) -> Outcome<Vec<Handle>> {
        let mut waiting = Vec::new();
        for stream in streams {
            let mut pending = null_mut();
            let result = unsafe {
                aeron_async_add_exclusive_publication(
                    &mut pending,
                    self.client,
                    channel.as_ptr(),
                    stream,
                )
            };
            check(result, "add publication")?;
            waiting.push(pending);
        }
        waiting
            .into_iter()
            .map(|pending| {
                let mut handle = null_mut();
                answered("add publication", || unsafe {
                    aeron_async_add_exclusive_publication_poll(&mut handle, pending)
                })?;
                Ok(Handle::Exclusive(handle))
            })
            .collect()
    }

    fn add_shared(&self, channel: &CStr, streams: std::ops::Range<i32>) -> Outcome<Vec<Handle>> {
        let mut waiting = Vec::new();
        for stream in streams {
            let mut pending = null_mut();
            let result = unsafe {
                aeron_async_add_publication(&mut pending, self.client, channel.as_ptr(), stream)
            };
            check(result, "add publication")?;
            waiting.push(pending);
        }
        waiting
            .into_iter()
            .map(|pending| {
                let mut handle = null_mut();
                answered("add publication", || unsafe {
                    aeron_async_add_publication_poll(&mut handle, pending)
                })?;
                Ok(Handle::Shared(handle))
            })
            .collect()
    }
}

impl Client for CClient {
    fn id(&self) -> i64 {
        unsafe { aeron_client_id(self.client) }
    }

    fn add_publications(
        &mut self,
        channel: &str,
        stream: i32,
        count: i32,
        exclusive: bool,
    ) -> Outcome<Vec<Arc<dyn Publication>>> {
        let channel = text(channel)?;
        let streams = stream..stream + count;
        let handles = if exclusive {
            self.add_exclusive(&channel, streams)?
        } else {
            self.add_shared(&channel, streams)?
        };
        handles
            .into_iter()
            .map(|handle| {
                let publication = CPublication::new(self.client, handle)?;
                Ok(Arc::new(publication) as Arc<dyn Publication>)
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
            let events: &'static Events = Box::leak(Box::default());
            let told = std::ptr::from_ref(events) as *mut c_void;
            let mut pending = null_mut();
            let result = unsafe {
                aeron_async_add_subscription(
                    &mut pending,
                    self.client,
                    channel.as_ptr(),
                    each,
                    Some(on_available),
                    told,
                    Some(on_unavailable),
                    told,
                )
            };
            check(result, "add subscription")?;
            waiting.push((pending, events));
        }
        waiting
            .into_iter()
            .map(|(pending, events)| {
                let mut handle = null_mut();
                answered("add subscription", || unsafe {
                    aeron_async_add_subscription_poll(&mut handle, pending)
                })?;
                let subscription = CSubscription::new(self.client, handle, events)?;
                Ok(Box::new(subscription) as Box<dyn Subscription>)
            })
            .collect()
    }

    fn add_counter(
        &mut self,
        type_id: i32,
        label: &str,
        registration_id: Option<i64>,
    ) -> Outcome<Box<dyn Counter>> {
        let key = type_id.to_le_bytes();
        let (mut pending, mut handle) = (null_mut(), null_mut());
        let (words, length) = (label.as_ptr().cast::<c_char>(), label.len());
        let result = unsafe {
            match registration_id {
                None => aeron_async_add_counter(
                    &mut pending,
                    self.client,
                    type_id,
                    key.as_ptr(),
                    size_of::<i32>(),
                    words,
                    length,
                ),
                Some(id) => aeron_async_add_static_counter(
                    &mut pending,
                    self.client,
                    type_id,
                    key.as_ptr(),
                    size_of::<i32>(),
                    words,
                    length,
                    id,
                ),
            }
        };
        check(result, "add counter")?;
        answered("add counter", || unsafe {
            aeron_async_add_counter_poll(&mut handle, pending)
        })?;
        Ok(Box::new(CCounter { handle }))
    }

    fn next_session_id(&mut self, stream: i32) -> Outcome<i32> {
        let (mut pending, mut id) = (null_mut(), 0);
        unsafe {
            check(
                aeron_async_next_session_id(&mut pending, self.client, stream),
                "session id",
            )?;
            answered("session id", || {
                aeron_async_next_session_id_poll(&mut id, pending)
            })?;
        }
        Ok(id)
    }

    fn reports(&mut self) -> Vec<Report> {
        std::mem::take(&mut *self.reports.lock().expect("no panic holds it"))
    }

    fn close(self: Box<Self>) -> Outcome<()> {
        unsafe {
            check(aeron_close(self.client), "close")?;
            check(aeron_context_close(self.context), "close")?;
        }
        Ok(())
    }
}

fn main() {
    serve(connect);
}
