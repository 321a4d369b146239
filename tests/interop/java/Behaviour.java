/* SPDX-License-Identifier: Apache-2.0 */

import io.aeron.Aeron;
import io.aeron.Counter;
import io.aeron.ExclusivePublication;
import io.aeron.Image;
import io.aeron.Publication;
import io.aeron.Subscription;
import io.aeron.ErrorCode;
import io.aeron.exceptions.RegistrationException;

import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.SocketException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;

import org.agrona.concurrent.SleepingIdleStrategy;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * Does what applications do through the driver in -Daeron.dir and prints what comes of it, one line
 * for each answer, with nothing in it that differs from run to run. behaviour.txt is what the
 * official C driver answers. port= is a free UDP port.
 */
public final class Behaviour {
    private static final long PATIENCE_NS = TimeUnit.SECONDS.toNanos(20);
    private static final int CLIENT_HEARTBEAT_TYPE_ID = 11;

    private final String udp;
    private final UnsafeBuffer message = new UnsafeBuffer(new byte[1024 * 1024]);
    private final List<String> events = Collections.synchronizedList(new ArrayList<>());
    private Aeron aeron;
    private Aeron other;

    private Behaviour(final int port) {
        udp = "aeron:udp?endpoint=127.0.0.1:" + port;
    }

    public static void main(final String[] args) throws Exception {
        final Options options = new Options(args);
        final Behaviour behaviour = new Behaviour((int)options.number("port", 24999));
        options.finish();
        try (Aeron aeron = connect(); Aeron other = connect()) {
            behaviour.aeron = aeron;
            behaviour.other = other;
            behaviour.run();
        }
    }

    private static Aeron connect() {
        return Aeron.connect(new Aeron.Context().idleStrategy(new SleepingIdleStrategy(200_000)));
    }

    private void run() {
        for (final String channel : new String[]{"aeron:ipc", udp}) {
            final String kind = channel.equals(udp) ? "udp" : "ipc";
            limits(kind, channel);
            sharing(kind, channel);
            window(kind, channel);
            images(kind, channel);
            startPosition(kind, channel);
            endOfStream(kind, channel);
            sessions(kind, channel);
            revocation(kind, channel);
            cancellation(kind, channel);
            departure(kind, channel);
        }
        wildcardPort();
        portInUse();
        refusals();
        counters();
        staticCounters();
        nothingLeft();
    }

    private static void say(final String format, final Object... values) {
        System.out.printf(format + "%n", values);
    }

    private static void await(final String what, final BooleanSupplier condition) {
        final long deadlineNs = System.nanoTime() + PATIENCE_NS;
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() - deadlineNs > 0) {
                throw new IllegalStateException("waited in vain: " + what);
            }
            LockSupport.parkNanos(100_000);
        }
    }

    private static String with(final String channel, final String parameters) {
        return channel + (channel.indexOf('?') < 0 ? "?" : "|") + parameters;
    }

    private Subscription subscribe(final Aeron client, final String channel, final int streamId) {
        return patiently(() -> client.addSubscription(channel, streamId,
            (image) -> events.add("available"), (image) -> events.add("unavailable")));
    }

    /** The C driver asks to come again while the last user's socket is being closed. */
    private static <T> T patiently(final Supplier<T> action) {
        final long deadlineNs = System.nanoTime() + PATIENCE_NS;
        while (true) {
            try {
                return action.get();
            } catch (final RegistrationException refusal) {
                if (refusal.errorCode() != ErrorCode.RESOURCE_TEMPORARILY_UNAVAILABLE ||
                    System.nanoTime() - deadlineNs > 0) {
                    throw refusal;
                }
                LockSupport.parkNanos(1_000_000);
            }
        }
    }

    private static Publication publish(
        final Aeron client, final String channel, final int streamId) {
        return patiently(() -> client.addPublication(channel, streamId));
    }

    private static ExclusivePublication publishAlone(
        final Aeron client, final String channel, final int streamId) {
        return patiently(() -> client.addExclusivePublication(channel, streamId));
    }

    private void sayEvents(final String where, final int count) {
        await(where + ": " + count + " events, has " + events, () -> events.size() >= count);
        say("%s: events %s", where, events);
        events.clear();
    }

    private void limits(final String kind, final String channel) {
        try (Publication plain = publish(aeron, channel, 100);
            Publication small = publishAlone(aeron,
                with(channel, "term-length=64k|mtu=1376|session-id=4711"), 101)) {
            say("%s plain: payload %d message %d shift %d channel status %d connected %b offer %d",
                kind, plain.maxPayloadLength(), plain.maxMessageLength(),
                plain.positionBitsToShift(), kind.equals("udp") ? plain.channelStatus() : 0,
                plain.isConnected(), plain.offer(message, 0, 8));
            say("%s small: session %d term %d payload %d message %d last position %d limit %d",
                kind, small.sessionId(), small.termBufferLength(), small.maxPayloadLength(),
                small.maxMessageLength(), small.maxPossiblePosition(), small.positionLimit());
        }
    }

    private void sharing(final String kind, final String channel) {
        final Publication first = publish(aeron, channel, 110);
        try (Publication second = publish(other, channel, 110);
            Publication exclusive = publishAlone(other, channel, 110)) {
            say("%s sharing: same session %b same log %b original %b %b exclusive apart %b", kind,
                first.sessionId() == second.sessionId(),
                first.registrationId() == second.originalRegistrationId(),
                first.isOriginal(), second.isOriginal(),
                exclusive.sessionId() != first.sessionId());
            final int session = first.sessionId();
            refused(kind + " sharing, other session", () -> other.addPublication(
                with(channel, "session-id=" + (session + 1)), 110));
            refused(kind + " sharing, other term length", () -> other.addPublication(
                with(channel, "term-length=64k"), 110));
            refused(kind + " sharing, other mtu", () -> other.addPublication(
                with(channel, "mtu=512"), 110));
            refused(kind + " sharing, session taken", () -> aeron.addExclusivePublication(
                with(channel, "session-id=" + session), 110));
            first.close();
            say("%s sharing: second open %b, offer %d", kind, !second.isClosed(),
                second.offer(message, 0, 8));
        }
    }

    private void window(final String kind, final String channel) {
        final String small = with(channel, "term-length=64k");
        try (Subscription subscription = subscribe(other, channel, 120);
            ExclusivePublication publication = publishAlone(aeron, small, 120)) {
            sayEvents(kind + " window", 1);
            await("connection", publication::isConnected);
            say("%s window: filled to %d, then %d", kind, fill(publication),
                publication.offer(message, 0, 480));
            final AtomicInteger fragments = new AtomicInteger();
            await("a poll", () ->
                subscription.poll((b, o, l, h) -> fragments.incrementAndGet(), 1) > 0);
            say("%s window: polled %d", kind, fragments.get());
        }
        sayEvents(kind + " window", 1);
    }

    /** Offers until nothing was taken for a while. */
    private long fill(final Publication publication) {
        long quietSinceNs = System.nanoTime();
        while (System.nanoTime() - quietSinceNs < TimeUnit.MILLISECONDS.toNanos(700)) {
            if (publication.offer(message, 0, 480) > 0) {
                quietSinceNs = System.nanoTime();
            } else {
                LockSupport.parkNanos(100_000);
            }
        }
        return publication.position();
    }

    private void images(final String kind, final String channel) {
        final Subscription first = subscribe(aeron, channel, 130);
        final Publication publication = publish(other, channel, 130);
        sayEvents(kind + " images, first subscription", 1);
        await("connection", publication::isConnected);
        await("an offer", () -> publication.offer(message, 0, 100) > 0);
        await("a poll", () -> first.poll((b, o, l, h) -> { }, 10) > 0);

        // An IPC stream's join position follows its subscribers once in a turn of the conductor.
        LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(200));
        final Subscription second = subscribe(other, channel, 130);
        sayEvents(kind + " images, second subscription", 1);
        final Image early = first.imageAtIndex(0);
        final Image late = second.imageAtIndex(0);
        say("%s images: same image %b session %b joins %d %d at %d mtu %d term %d source %s", kind,
            early.correlationId() == late.correlationId(),
            late.sessionId() == publication.sessionId(), early.joinPosition(), late.joinPosition(),
            early.position(), late.mtuLength(), late.termBufferLength(),
            late.sourceIdentity().replaceAll(":[0-9]+$", ":PORT"));
        first.close();
        sayEvents(kind + " images, first closed", 1);
        await("an offer", () -> publication.offer(message, 0, 100) > 0);
        await("a poll", () -> second.poll((b, o, l, h) -> { }, 10) > 0);
        say("%s images: second still connected %b at %d", kind, second.isConnected(),
            late.position());
        publication.close();
        sayEvents(kind + " images, publication closed", 1);
        say("%s images: connected %b images %d", kind, second.isConnected(), second.imageCount());
        second.close();
    }

    private void startPosition(final String kind, final String channel) {
        try (Subscription subscription = subscribe(aeron, channel, 140);
            Publication publication = publishAlone(aeron,
                with(channel, "term-length=64k|init-term-id=7|term-id=9|term-offset=128"), 140)) {
            sayEvents(kind + " start position", 1);
            say("%s start position: initial term %d position %d joined at %d", kind,
                publication.initialTermId(), publication.position(),
                subscription.imageAtIndex(0).joinPosition());
        }
        sayEvents(kind + " start position", 1);
        refused(kind + " start position, offset odd", () -> aeron.addExclusivePublication(
            with(channel, "init-term-id=7|term-id=9|term-offset=100"), 141));
        refused(kind + " start position, offset too large", () -> aeron.addExclusivePublication(
            with(channel, "term-length=64k|init-term-id=7|term-id=9|term-offset=65568"), 141));
        refused(kind + " start position, term before", () -> aeron.addExclusivePublication(
            with(channel, "init-term-id=9|term-id=7|term-offset=0"), 141));
        refused(kind + " start position, two of three", () -> aeron.addExclusivePublication(
            with(channel, "init-term-id=9|term-id=9"), 141));
    }

    private void endOfStream(final String kind, final String channel) {
        try (Subscription subscription = subscribe(aeron, channel, 150)) {
            final ExclusivePublication publication = publishAlone(aeron, channel, 150);
            sayEvents(kind + " end of stream", 1);
            await("connection", publication::isConnected);
            await("an offer", () -> publication.offer(message, 0, 5000) > 0);
            await("padding", () -> publication.appendPadding(64) > 0);
            await("an offer", () -> publication.offer(message, 0, 10) > 0);
            final long end = publication.position();
            publication.close();
            final Image image = subscription.imageAtIndex(0);
            final List<Integer> lengths = new ArrayList<>();
            await("the end", () -> {
                subscription.poll((b, o, l, h) -> lengths.add(l), 10);
                return image.isEndOfStream();
            });
            say("%s end of stream: fragments %s, end is position %b, known %b", kind, lengths,
                image.position() == end, image.endOfStreamPosition() == end);
            sayEvents(kind + " end of stream", 1);
        }
    }

    private void sessions(final String kind, final String channel) {
        try (Subscription one = subscribe(aeron, with(channel, "session-id=77"), 160);
            Subscription all = patiently(() -> aeron.addSubscription(channel, 160));
            Publication wanted = publishAlone(other, with(channel, "session-id=77"), 160);
            Publication unwanted = publishAlone(other,
                with(channel, "session-id=78"), 160)) {
            await("two images", () -> all.imageCount() == 2);
            await("connections", () -> wanted.isConnected() && unwanted.isConnected());
            sayEvents(kind + " sessions", 1);
            say("%s sessions: %d and %d images, session %d", kind, one.imageCount(),
                all.imageCount(), one.imageAtIndex(0).sessionId());
        }
        sayEvents(kind + " sessions", 1);
    }

    private void revocation(final String kind, final String channel) {
        try (Subscription subscription = subscribe(aeron, channel, 170)) {
            final ExclusivePublication publication = publishAlone(other, channel, 170);
            sayEvents(kind + " revocation", 1);
            await("connection", publication::isConnected);
            final Image image = subscription.imageAtIndex(0);
            await("an offer", () -> publication.offer(message, 0, 100) > 0);
            publication.revoke();
            sayEvents(kind + " revocation", 1);
            say("%s revocation: publication closed %b image closed %b revoked %b", kind,
                publication.isClosed(), image.isClosed(), image.isPublicationRevoked());
        }
    }

    /** What is removed before the driver has answered must be gone afterwards. */
    private void cancellation(final String kind, final String channel) {
        final long publication = aeron.asyncAddExclusivePublication(
            with(channel, "session-id=91"), 180);
        aeron.asyncRemovePublication(publication);
        final long subscription = aeron.asyncAddSubscription(channel, 180);
        aeron.asyncRemoveSubscription(subscription);
        await("the commands", () -> !aeron.hasActiveCommands());
        try (Publication lonely = publishAlone(aeron, channel, 180)) {
            say("%s cancellation: connected %b", kind, lonely.isConnected());
        }
    }

    private void departure(final String kind, final String channel) {
        try (Subscription subscription = subscribe(aeron, channel, 190)) {
            final Aeron guest = connect();
            final Publication publication = publish(guest, channel, 190);
            sayEvents(kind + " departure", 1);
            await("connection", publication::isConnected);
            await("an offer", () -> publication.offer(message, 0, 100) > 0);
            guest.close();
            await("a poll", () -> subscription.poll((b, o, l, h) -> { }, 10) > 0);
            sayEvents(kind + " departure", 1);
        }
    }

    private void wildcardPort() {
        try (Subscription subscription = subscribe(
            aeron, "aeron:udp?endpoint=127.0.0.1:0", 210)) {
            await("a port", () -> subscription.resolvedEndpoint() != null);
            final String endpoint = subscription.resolvedEndpoint();
            try (Publication publication = publish(other,
                "aeron:udp?endpoint=" + endpoint, 210)) {
                await("connection", publication::isConnected);
                sayEvents("wildcard port", 1);
                say("wildcard port: %s local %s", endpoint.replaceAll("[0-9]+$", "PORT"),
                    subscription.localSocketAddresses().get(0).equals(endpoint));
            }
            sayEvents("wildcard port", 1);
        }
    }

    private void portInUse() {
        try (DatagramSocket socket = new DatagramSocket(0, InetAddress.getLoopbackAddress())) {
            refused("port in use", () -> aeron.addSubscription(
                "aeron:udp?endpoint=127.0.0.1:" + socket.getLocalPort(), 220));
        } catch (final SocketException failure) {
            throw new IllegalStateException(failure);
        }
    }

    /** Streams, channels and their counters live only as long as somebody uses them. */
    private void nothingLeft() {
        final List<Integer> left = new ArrayList<>();
        await("counters to go: " + left, () -> {
            left.clear();
            aeron.countersReader().forEach((id, typeId, key, label) -> {
                if (typeId > 0 && typeId != CLIENT_HEARTBEAT_TYPE_ID && typeId < 100) {
                    left.add(typeId);
                }
            });
            return left.isEmpty();
        });
        say("nothing left");
    }

    private void refusals() {
        final String[] publications = {
            "bogus", "aeron:", "aeron:tcp?endpoint=127.0.0.1:1", "aeron:udp", "aeron:udp?endpoint=",
            "aeron:udp?endpoint=127.0.0.1", "aeron:udp?endpoint=127.0.0.1:70000",
            "aeron:udp?nothing=1",
            with(udp, "mtu=33"), with(udp, "mtu=70000"), with(udp, "mtu=1000"), with(udp, "mtu=x"),
            with(udp, "term-length=1000"), with(udp, "term-length=96k"),
            with(udp, "term-length=2g"), with(udp, "session-id=x"), with(udp, "linger=x"),
            with(udp, "sparse=maybe"), with(udp, "eos=maybe"),
            "aeron:ipc?term-length=1000", "aeron:ipc?mtu=33", "aeron:ipc?session-id=x",
        };
        for (final String channel : publications) {
            refused("publish " + channel.replace(udp, "UDP"),
                () -> aeron.addPublication(channel, 200));
        }
        final String[] subscriptions = {
            "bogus", "aeron:udp", "aeron:udp?endpoint=127.0.0.1",
            "aeron:udp?endpoint=nowhere.invalid:24000",
            "aeron:udp?endpoint=192.0.2.1:24000", with(udp, "rcv-wnd=1g"),
            with(udp, "reliable=maybe"), with(udp, "session-id=x"), "aeron:ipc?session-id=x",
        };
        for (final String channel : subscriptions) {
            refused("subscribe " + channel.replace(udp, "UDP"),
                () -> aeron.addSubscription(channel, 200));
        }
    }

    private void counters() {
        final AtomicInteger watched = new AtomicInteger(-1);
        other.addAvailableCounterHandler((reader, registrationId, id) -> {
            if (reader.getCounterTypeId(id) == 1234) {
                watched.set(id);
                events.add("counter available");
            }
        });
        other.addUnavailableCounterHandler((reader, registrationId, id) -> {
            if (id == watched.get()) {
                events.add("counter unavailable");
            }
        });
        final UnsafeBuffer key = new UnsafeBuffer(new byte[112]);
        key.setMemory(0, 112, (byte)7);
        final UnsafeBuffer label = new UnsafeBuffer(new byte[380]);
        label.setMemory(0, 380, (byte)'l');
        try (Counter counter = aeron.addCounter(1234, key, 0, 112, label, 0, 380)) {
            sayEvents("counter", 1);
            counter.setRelease(42);
            say("counter: value %d label %d registered %b owner %b",
                other.countersReader().getCounterValue(counter.id()),
                other.countersReader().getCounterLabel(counter.id()).length(),
                other.countersReader().getCounterRegistrationId(counter.id()) ==
                    counter.registrationId(),
                other.countersReader().getCounterOwnerId(counter.id()) == aeron.clientId());
        }
        sayEvents("counter", 1);
    }

    private void staticCounters() {
        final Counter first = aeron.addStaticCounter(1235, "static", 99);
        final Counter second = other.addStaticCounter(1235, "another label", 99);
        first.setRelease(5);
        say("static counter: same %b value %d label %s", first.id() == second.id(), second.get(),
            other.countersReader().getCounterLabel(second.id()));
        first.close();
        second.close();
        final Counter third = aeron.addStaticCounter(1235, "third", 99);
        say("static counter: stays %b value %d", first.id() == third.id(), third.get());
        final Counter plain = aeron.addCounter(1236, "plain");
        refused("static counter where a plain one is",
            () -> aeron.addStaticCounter(1236, "static", plain.registrationId()));
        plain.close();
    }

    private static void refused(final String what, final Supplier<? extends AutoCloseable> action) {
        try {
            patiently(action).close();
            say("%s: accepted", what);
        } catch (final RegistrationException refusal) {
            say("%s: refused, %s", what, refusal.errorCode());
        } catch (final Exception failure) {
            throw new IllegalStateException(what, failure);
        }
    }
}
