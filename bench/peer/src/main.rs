/* SPDX-License-Identifier: Apache-2.0 */
//! Round trips with the official C driver embedded in its C client: one thread that spins, driver
//! and client invoked in turn, as `ramjet ping --embedded` does it with ours.
//!
//!     embedded_c pong DIR CHANNEL REPLY_CHANNEL CPU                           until it is killed
//!     embedded_c ping DIR CHANNEL REPLY_CHANNEL CPU BYTES WARMUP ROUND_TRIPS  prints one JSON object
//!
//! Settings are those of the environment; the threading mode is INVOKER whatever it says.

use rusteron_client::bindings as client;
use rusteron_media_driver::bindings as media;
use std::ffi::{c_int, c_void, CStr, CString};
use std::mem::size_of;
use std::ptr::null_mut;
use std::time::{Duration, Instant};

const PING_STREAM: i32 = 1002;
const PONG_STREAM: i32 = 1003;
const FRAGMENT_LIMIT: usize = 64;
/// Client housekeeping comes as seldom as in `ramjet ping`.
const CONDUCTOR_INTERVAL: Duration = Duration::from_millis(2);
const PATIENCE: Duration = Duration::from_secs(15);

/// Begins every message; pong sends it back as it is.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Stamp {
    sent_ns: i64,
    sequence: i64,
}

fn die(what: &str) -> ! {
    let why = unsafe { CStr::from_ptr(client::aeron_errmsg()) };
    eprintln!("embedded_c: {what}: {}", why.to_string_lossy().replace('\n', " "));
    std::process::exit(1);
}

fn check(result: c_int, what: &str) -> c_int {
    if result < 0 {
        die(what);
    }
    result
}

fn text(value: &str) -> CString {
    CString::new(value).unwrap_or_else(|_| die("a zero byte"))
}

fn now_ns() -> i64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

fn pin(cpu: usize) {
    unsafe {
        let mut cpus: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut cpus);
        check(
            libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &cpus),
            "cannot stay on that CPU",
        );
    }
}

/// Driver and client, worked in one thread.
struct Embedded {
    driver: *mut media::aeron_driver_t,
    client: *mut client::aeron_t,
    conductor_due: Instant,
}

impl Embedded {
    fn open(directory: &str) -> Self {
        let directory = text(directory);
        let (mut settings, mut driver) = (null_mut(), null_mut());
        let (mut context, mut connected) = (null_mut(), null_mut());
        unsafe {
            check(media::aeron_driver_context_init(&mut settings), "driver context");
            media::aeron_driver_context_set_dir(settings, directory.as_ptr());
            media::aeron_driver_context_set_threading_mode(
                settings,
                media::aeron_threading_mode_enum::AERON_THREADING_MODE_INVOKER,
            );
            check(media::aeron_driver_init(&mut driver, settings), "driver");
            check(media::aeron_driver_start(driver, true), "start the driver");
            check(client::aeron_context_init(&mut context), "client context");
            client::aeron_context_set_dir(context, directory.as_ptr());
            client::aeron_context_set_use_conductor_agent_invoker(context, true);
            check(client::aeron_init(&mut connected, context), "connect");
            check(client::aeron_start(connected), "start the client");
        }
        Self {
            driver,
            client: connected,
            conductor_due: Instant::now(),
        }
    }

    fn turn(&mut self) {
        unsafe { media::aeron_driver_main_do_work(self.driver) };
        let now = Instant::now();
        if now >= self.conductor_due {
            self.conductor_due = now + CONDUCTOR_INTERVAL;
            unsafe { client::aeron_main_do_work(self.client) };
        }
    }

    /// Works until `is_there` says so.
    fn await_that(&mut self, what: &str, patience: Duration, mut is_there: impl FnMut() -> bool) {
        let begin = Instant::now();
        while !is_there() {
            self.conductor_due = Instant::now();
            self.turn();
            if begin.elapsed() > patience {
                die(what);
            }
        }
    }

    fn add_publication(
        &mut self,
        channel: &str,
        stream: i32,
    ) -> *mut client::aeron_exclusive_publication_t {
        let channel = text(channel);
        let (mut pending, mut handle) = (null_mut(), null_mut());
        unsafe {
            check(
                client::aeron_async_add_exclusive_publication(
                    &mut pending,
                    self.client,
                    channel.as_ptr(),
                    stream,
                ),
                "add publication",
            );
        }
        self.await_that("add publication", PATIENCE, || unsafe {
            let answer = client::aeron_async_add_exclusive_publication_poll(&mut handle, pending);
            check(answer, "add publication") > 0
        });
        handle
    }

    fn add_subscription(
        &mut self,
        channel: &str,
        stream: i32,
    ) -> *mut client::aeron_subscription_t {
        let channel = text(channel);
        let (mut pending, mut handle) = (null_mut(), null_mut());
        unsafe {
            check(
                client::aeron_async_add_subscription(
                    &mut pending,
                    self.client,
                    channel.as_ptr(),
                    stream,
                    None,
                    null_mut(),
                    None,
                    null_mut(),
                ),
                "add subscription",
            );
        }
        self.await_that("add subscription", PATIENCE, || unsafe {
            let answer = client::aeron_async_add_subscription_poll(&mut handle, pending);
            check(answer, "add subscription") > 0
        });
        handle
    }
}

/// What pong does with a ping: it goes back as it came, or comes again after back pressure.
unsafe extern "C-unwind" fn on_ping(
    publication: *mut c_void,
    buffer: *const u8,
    length: usize,
    _header: *mut client::aeron_header_t,
) -> client::aeron_controlled_fragment_handler_action_t {
    use client::aeron_controlled_fragment_handler_action_en::*;
    let publication = publication.cast::<client::aeron_exclusive_publication_t>();
    let position =
        client::aeron_exclusive_publication_offer(publication, buffer, length, None, null_mut());
    if position < 0 {
        AERON_ACTION_ABORT
    } else {
        AERON_ACTION_COMMIT
    }
}

/* The library says of its own functions that they never unwind, and of ours that they may. */
unsafe extern "C-unwind" fn reassemble_ping(
    assembler: *mut c_void,
    buffer: *const u8,
    length: usize,
    header: *mut client::aeron_header_t,
) -> client::aeron_controlled_fragment_handler_action_t {
    client::aeron_controlled_fragment_assembler_handler(assembler, buffer, length, header)
}

unsafe extern "C-unwind" fn reassemble_reply(
    assembler: *mut c_void,
    buffer: *const u8,
    length: usize,
    header: *mut client::aeron_header_t,
) {
    client::aeron_fragment_assembler_handler(assembler, buffer, length, header)
}

fn pong(directory: &str, channel: &str, reply_channel: &str) -> ! {
    let mut embedded = Embedded::open(directory);
    let publication = embedded.add_publication(reply_channel, PONG_STREAM);
    let subscription = embedded.add_subscription(channel, PING_STREAM);
    let mut assembler = null_mut();
    unsafe {
        check(
            client::aeron_controlled_fragment_assembler_create(
                &mut assembler,
                Some(on_ping),
                publication.cast(),
            ),
            "assembler",
        );
        loop {
            let fragments = client::aeron_subscription_controlled_poll(
                subscription,
                Some(reassemble_ping),
                assembler.cast(),
                FRAGMENT_LIMIT,
            );
            check(fragments, "poll");
            embedded.turn();
        }
    }
}

/// What ping waits for, and what it has measured.
struct Trips {
    awaited: i64,
    is_answered: bool,
    warmup: i64,
    times_ns: Vec<i64>,
}

unsafe extern "C-unwind" fn on_reply(
    trips: *mut c_void,
    buffer: *const u8,
    length: usize,
    _header: *mut client::aeron_header_t,
) {
    let trips = &mut *trips.cast::<Trips>();
    if length < size_of::<Stamp>() {
        return;
    }
    let stamp = buffer.cast::<Stamp>().read_unaligned();
    if stamp.sequence != trips.awaited {
        return;
    }
    trips.is_answered = true;
    if stamp.sequence >= trips.warmup {
        trips.times_ns.push(now_ns() - stamp.sent_ns);
    }
}

fn send(
    embedded: &mut Embedded,
    publication: *mut client::aeron_exclusive_publication_t,
    message: &mut [u8],
    sequence: i64,
) {
    embedded.await_that("offer", PATIENCE, || unsafe {
        let stamp = Stamp {
            sent_ns: now_ns(),
            sequence,
        };
        message.as_mut_ptr().cast::<Stamp>().write_unaligned(stamp);
        client::aeron_exclusive_publication_offer(
            publication,
            message.as_ptr(),
            message.len(),
            None,
            null_mut(),
        ) > 0
    });
}

fn ping(directory: &str, channel: &str, reply_channel: &str, length: usize, warmup: i64, count: i64) {
    let mut embedded = Embedded::open(directory);
    let subscription = embedded.add_subscription(reply_channel, PONG_STREAM);
    let publication = embedded.add_publication(channel, PING_STREAM);
    let mut trips = Trips {
        awaited: 0,
        is_answered: false,
        warmup,
        times_ns: Vec::with_capacity(count as usize),
    };
    let mut message = vec![0u8; length.max(size_of::<Stamp>())];
    let mut assembler = null_mut();
    unsafe {
        check(
            client::aeron_fragment_assembler_create(
                &mut assembler,
                Some(on_reply),
                (&raw mut trips).cast(),
            ),
            "assembler",
        );
    }
    embedded.await_that("nobody answers", PATIENCE, || unsafe {
        client::aeron_exclusive_publication_is_connected(publication)
            && client::aeron_subscription_is_connected(subscription)
    });
    for sequence in 0..warmup + count {
        trips.awaited = sequence;
        trips.is_answered = false;
        send(&mut embedded, publication, &mut message, sequence);
        while !unsafe { (&raw const trips.is_answered).read_volatile() } {
            let fragments = unsafe {
                client::aeron_subscription_poll(
                    subscription,
                    Some(reassemble_reply),
                    assembler.cast(),
                    FRAGMENT_LIMIT,
                )
            };
            if check(fragments, "poll") == 0 {
                embedded.turn();
            }
        }
    }
    report(trips.times_ns);
}

fn report(mut times_ns: Vec<i64>) {
    times_ns.sort_unstable();
    let us = |percentile: f64| {
        let rank = (percentile / 100.0 * times_ns.len() as f64).ceil() as usize;
        times_ns[rank.clamp(1, times_ns.len()) - 1] as f64 / 1000.0
    };
    println!(
        "{{\"count\":{},\"min_us\":{:.3},\"p50_us\":{:.3},\"p90_us\":{:.3},\"p99_us\":{:.3},\
         \"p99_9_us\":{:.3},\"p99_99_us\":{:.3},\"max_us\":{:.3}}}",
        times_ns.len(),
        us(0.0),
        us(50.0),
        us(90.0),
        us(99.0),
        us(99.9),
        us(99.99),
        us(100.0)
    );
}

fn number<T: std::str::FromStr>(word: &str) -> T {
    word.parse().unwrap_or_else(|_| die(&format!("{word}: not a number")))
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["pong", directory, channel, reply_channel, cpu] => {
            pin(number(cpu));
            pong(directory, channel, reply_channel)
        }
        ["ping", directory, channel, reply_channel, cpu, length, warmup, count] => {
            pin(number(cpu));
            let count: i64 = number(count);
            ping(
                directory,
                channel,
                reply_channel,
                number(length),
                number(warmup),
                count.max(1),
            );
        }
        _ => {
            eprintln!(
                "usage: embedded_c pong DIR CHANNEL REPLY_CHANNEL CPU\n       \
                 embedded_c ping DIR CHANNEL REPLY_CHANNEL CPU BYTES WARMUP ROUND_TRIPS"
            );
            std::process::exit(2);
        }
    }
}
