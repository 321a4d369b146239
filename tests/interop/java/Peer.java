/* SPDX-License-Identifier: Apache-2.0 */

import io.aeron.Aeron;
import io.aeron.Counter;
import io.aeron.ExclusivePublication;
import io.aeron.Image;
import io.aeron.Publication;
import io.aeron.Subscription;
import io.aeron.exceptions.RegistrationException;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.LongFunction;

import org.agrona.ExpandableArrayBuffer;
import org.agrona.concurrent.SleepingIdleStrategy;

/**
 * The official Java client under the protocol of ../README.md: a request a line on stdin, an answer
 * a line on stdout, for the driver in -Daeron.dir.
 */
public final class Peer {
    private final Map<Long, Object> resources = new HashMap<>();
    private final List<Json> reports = Collections.synchronizedList(new ArrayList<>());
    private Aeron aeron;
    private long lastHandle;

    private Peer() {
    }

    /** Publications of one channel. */
    private static final class Publications {
        private final List<Publication> all = new ArrayList<>();
    }

    public static void main(final String[] args) throws Exception {
        final Peer peer = new Peer();
        final BufferedReader in =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            System.out.println(peer.answerOrFailure(line));
        }
        peer.disconnect();
    }

    private Json answerOrFailure(final String line) {
        try {
            return answer(new Request(line));
        } catch (final RegistrationException refusal) {
            return failure(refusal.errorCodeValue(), refusal.getMessage());
        } catch (final ExecutionException failure) {
            return failure(0, failure.getCause().getMessage());
        } catch (final InterruptedException | RuntimeException failure) {
            return failure(0, failure.toString());
        }
    }

    private static Json failure(final int code, final String text) {
        return new Json().put("error", text).put("code", code).put("missing", false);
    }

    private Json answer(final Request request) throws InterruptedException, ExecutionException {
        switch (request.verb()) {
            case "connect":
                return connect(request);
            case "disconnect":
                return disconnect();
            case "pub":
                return publish(request);
            case "sub":
                return subscribe(request);
            case "counter":
                return count(request);
            case "set":
                find(request, Counter.class).setRelease(request.number("value"));
                return new Json();
            case "session":
                return new Json().put(
                    "session", aeron.nextSessionId(request.integer("stream", 0)));
            case "destination":
                return addDestination(request);
            case "undestination":
                return removeDestination(request);
            case "await":
                return await(request);
            case "send":
                return PeerSender.send(find(request, Publications.class).all, request);
            case "recv":
                return find(request, PeerReceiver.class).receive(request);
            case "info":
                return info(request);
            case "reject":
                find(request, PeerReceiver.class).subscriptions.forEach((each) ->
                    each.forEachImage((image) -> image.reject(request.text("reason"))));
                return new Json();
            case "reports":
                return takeReports();
            case "revoke":
                find(request, Publications.class).all.forEach(Peer::revoke);
                return new Json();
            case "close":
                return close(request);
            default:
                throw new IllegalArgumentException("no such verb: " + request.verb());
        }
    }

    private <T> T find(final Request request, final Class<T> kind) {
        final Object found = resources.get(request.number("handle"));
        if (!kind.isInstance(found)) {
            throw new IllegalArgumentException("no such handle");
        }
        return kind.cast(found);
    }

    private Json keep(final Object resource) {
        resources.put(++lastHandle, resource);
        return new Json().put("handle", lastHandle);
    }

    private void report(final String kind, final long id, final int code, final String text) {
        reports.add(new Json().put("kind", kind).put("registration", id).put("code", code)
            .put("text", text));
    }

    private Json takeReports() {
        synchronized (reports) {
            final Json answer = new Json().objects("reports", reports);
            reports.clear();
            return answer;
        }
    }

    private Json connect(final Request request) {
        disconnect();
        aeron = Aeron.connect(new Aeron.Context()
            .clientName(request.text("name", "peer"))
            .idleStrategy(new SleepingIdleStrategy(TimeUnit.MILLISECONDS.toNanos(1)))
            .awaitingIdleStrategy(new SleepingIdleStrategy(TimeUnit.MICROSECONDS.toNanos(200)))
            .errorHandler((error) -> report("error", -1, error instanceof RegistrationException ?
                ((RegistrationException)error).errorCodeValue() : 0, error.toString()))
            .publicationErrorFrameHandler((frame) -> report(
                "publication", frame.registrationId(), frame.errorCode(), frame.errorMessage())));
        return new Json().put("client", aeron.clientId());
    }

    private Json disconnect() {
        resources.clear();
        reports.clear();
        if (aeron != null) {
            aeron.close();
            aeron = null;
        }
        return new Json();
    }

    /** Waits for what was asked for; until then the library answers null. */
    private static <T> T awaitAnswer(
        final Request request, final long id, final LongFunction<T> look) {
        T found = look.apply(id);
        while (found == null) {
            request.await(() -> "an answer");
            found = look.apply(id);
        }
        return found;
    }

    private Json publish(final Request request) {
        final boolean exclusive = request.text("kind", "shared").equals("exclusive");
        final String channel = request.text("channel");
        final int stream = request.integer("stream", 0);
        final List<Long> ids = new ArrayList<>();
        for (int i = 0; i < request.integer("n", 1); i++) {
            ids.add(exclusive ? aeron.asyncAddExclusivePublication(channel, stream + i) :
                aeron.asyncAddPublication(channel, stream + i));
        }
        final Publications publications = new Publications();
        for (final long id : ids) {
            publications.all.add(exclusive ?
                awaitAnswer(request, id, aeron::getExclusivePublication) :
                awaitAnswer(request, id, aeron::getPublication));
        }
        final Publication first = publications.all.get(0);
        return keep(publications).put("registration", first.registrationId())
            .put("original", first.originalRegistrationId()).put("session", first.sessionId())
            .put("initial_term", first.initialTermId())
            .put("term_length", first.termBufferLength())
            .put("payload_max", first.maxPayloadLength())
            .put("message_max", first.maxMessageLength()).put("position", first.position());
    }

    private Json subscribe(final Request request) {
        final PeerReceiver receiver = new PeerReceiver();
        final List<Long> ids = new ArrayList<>();
        for (int i = 0; i < request.integer("n", 1); i++) {
            ids.add(aeron.asyncAddSubscription(
                request.text("channel"), request.integer("stream", 0) + i,
                (image) -> receiver.available.incrementAndGet(),
                (image) -> receiver.unavailable.incrementAndGet()));
        }
        for (final long id : ids) {
            receiver.subscriptions.add(awaitAnswer(request, id, aeron::getSubscription));
        }
        return keep(receiver).put(
            "registration", receiver.subscriptions.get(0).registrationId());
    }

    private Json count(final Request request) {
        final int typeId = request.integer("type", 0);
        final String label = request.text("label");
        final ExpandableArrayBuffer key = new ExpandableArrayBuffer();
        key.putInt(0, typeId, ByteOrder.LITTLE_ENDIAN);
        final ExpandableArrayBuffer text = new ExpandableArrayBuffer();
        final int length = text.putStringWithoutLengthAscii(0, label);
        final Counter counter = request.has("registration") ?
            aeron.addStaticCounter(typeId, key, 0, Integer.BYTES, text, 0, length,
                request.number("registration")) :
            aeron.addCounter(typeId, key, 0, Integer.BYTES, text, 0, length);
        return keep(counter).put("id", counter.id())
            .put("registration", counter.registrationId()).put("value", counter.get());
    }

    private Json addDestination(final Request request) {
        final String uri = request.text("uri");
        final Object resource = find(request, Object.class);
        final long id = resource instanceof PeerReceiver ?
            ((PeerReceiver)resource).subscriptions.get(0).asyncAddDestination(uri) :
            find(request, Publications.class).all.get(0).asyncAddDestination(uri);
        awaitCommand(request, id);
        return new Json().put("registration", id);
    }

    private Json removeDestination(final Request request) {
        final Object resource = find(request, Object.class);
        if (resource instanceof PeerReceiver) {
            ((PeerReceiver)resource).subscriptions.get(0)
                .removeDestination(request.text("uri"));
        } else if (request.has("id")) {
            find(request, Publications.class).all.get(0)
                .removeDestination(request.number("id"));
        } else {
            find(request, Publications.class).all.get(0)
                .removeDestination(request.text("uri"));
        }
        return new Json();
    }

    /** A refusal of an asynchronous command only reaches the error handler. */
    private void awaitCommand(final Request request, final long id) {
        final int known = reports.size();
        while (aeron.isCommandActive(id)) {
            request.await(() -> "an answer");
        }
        if (reports.size() > known) {
            throw new IllegalStateException(reports.get(known).toString());
        }
    }

    private Json await(final Request request) {
        final Object resource = find(request, Object.class);
        final boolean wanted = request.integer("connected", 1) == 1;
        while (true) {
            if (resource instanceof PeerReceiver) {
                final PeerReceiver receiver = (PeerReceiver)resource;
                final long images =
                    receiver.subscriptions.stream().mapToLong(Subscription::imageCount).sum();
                final long gone = receiver.unavailable.get();
                if ((!request.has("images") || images == request.number("images")) &&
                    gone >= request.number("gone", 0)) {
                    return new Json();
                }
                request.await(() -> images + " images, " + gone + " gone");
            } else {
                final List<Publication> all = find(request, Publications.class).all;
                final long connected = all.stream().filter(Publication::isConnected).count();
                if (connected == (wanted ? all.size() : 0)) {
                    return new Json();
                }
                request.await(() -> connected + " publications connected");
            }
        }
    }

    private Json info(final Request request) {
        final Object resource = find(request, Object.class);
        if (resource instanceof Counter) {
            final Counter counter = (Counter)resource;
            return new Json().put("id", counter.id()).put("value", counter.get());
        }
        if (resource instanceof PeerReceiver) {
            final PeerReceiver receiver = (PeerReceiver)resource;
            final List<Json> images = new ArrayList<>();
            receiver.subscriptions.forEach((each) ->
                each.forEachImage((image) -> images.add(describe(image))));
            return new Json().objects("images", images)
                .put("available", receiver.available.get())
                .put("unavailable", receiver.unavailable.get())
                .strings("addresses", receiver.subscriptions.get(0).localSocketAddresses());
        }
        final Publication first = find(request, Publications.class).all.get(0);
        return new Json().put("connected", first.isConnected()).put("closed", first.isClosed())
            .put("position", first.position()).put("limit", first.positionLimit())
            .strings("addresses", first.localSocketAddresses());
    }

    private static Json describe(final Image image) {
        return new Json().put("session", image.sessionId())
            .put("correlation", image.correlationId()).put("join", image.joinPosition())
            .put("position", image.position()).put("source", image.sourceIdentity())
            .put("eos", image.isEndOfStream()).put("revoked", image.isPublicationRevoked())
            .put("transports", image.activeTransportCount());
    }

    private static void revoke(final Publication publication) {
        if (!(publication instanceof ExclusivePublication)) {
            throw new IllegalArgumentException("not an exclusive publication");
        }
        ((ExclusivePublication)publication).revoke();
    }

    private Json close(final Request request) {
        final Object resource = find(request, Object.class);
        if (resource instanceof Counter) {
            ((Counter)resource).close();
        } else if (resource instanceof PeerReceiver) {
            ((PeerReceiver)resource).subscriptions.forEach(Subscription::close);
        } else {
            find(request, Publications.class).all.forEach(Publication::close);
        }
        resources.remove(request.number("handle"));
        return new Json();
    }
}
