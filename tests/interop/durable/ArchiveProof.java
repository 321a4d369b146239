// SPDX-License-Identifier: Apache-2.0

import io.aeron.Aeron;
import io.aeron.ExclusivePublication;
import io.aeron.FragmentAssembler;
import io.aeron.Image;
import io.aeron.ChannelUriStringBuilder;
import io.aeron.Publication;
import io.aeron.Subscription;
import io.aeron.archive.client.AeronArchive;
import io.aeron.archive.client.ReplayMerge;
import io.aeron.archive.client.ReplicationParams;
import io.aeron.archive.codecs.SourceLocation;
import java.util.function.BooleanSupplier;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * An application of the official Archive: it records, replays, extends, replicates and merges, and compares every
 * byte.
 *
 * <pre>ArchiveProof DIRECTORY CONTROL DIRECTORY CONTROL PORT [NAME...]</pre>
 *
 * The two directories are those of the drivers on which two archives run; CONTROL is where each is asked; the
 * ports from PORT on are free. Prints `ok NAME` or `not ok NAME` for each proof, or for those that were named.
 */
public final class ArchiveProof
{
    private static final int STREAM_ID = 4001;
    private static final int REPLAY_STREAM_ID = 4101;
    private static final long PATIENCE_MS = 30_000;
    private static final int MESSAGES = 2_000;

    private interface Proof
    {
        void run() throws Exception;
    }

    private final Aeron[] aerons = new Aeron[2];
    private final AeronArchive[] archives = new AeronArchive[2];
    private final String[] controls = new String[2];
    private final java.util.List<String> wanted;
    private int nextPort;
    private boolean hasFailed;

    private ArchiveProof(final String[] arguments)
    {
        nextPort = Integer.parseInt(arguments[4]);
        wanted = java.util.Arrays.asList(arguments).subList(5, arguments.length);
        for (int i = 0; i < 2; i++)
        {
            controls[i] = arguments[2 * i + 1];
            aerons[i] = Aeron.connect(new Aeron.Context().aeronDirectoryName(arguments[2 * i]));
            archives[i] = AeronArchive.connect(control(i)
                .controlRequestChannel("aeron:udp?endpoint=" + controls[i])
                .controlResponseChannel("aeron:udp?endpoint=127.0.0.1:0"));
        }
    }

    private AeronArchive.Context control(final int index)
    {
        return new AeronArchive.Context().aeron(aerons[index]).ownsAeronClient(false);
    }

    public static void main(final String[] arguments)
    {
        System.exit(new ArchiveProof(arguments).prove() ? 0 : 1);
    }

    private boolean prove()
    {
        proof("a spy of a UDP publication", () -> recordAndReplay(
            udp() + "|ssc=true", SourceLocation.LOCAL, 0, 0, udp()));
        proof("IPC", () -> recordAndReplay("aeron:ipc", SourceLocation.LOCAL, 0, 0, "aeron:ipc"));
        proof("a publication of another driver", () -> recordAndReplay(
            udp(), SourceLocation.REMOTE, 1, 0, udp()));
        proof("replay to another driver", () -> recordAndReplay(
            "aeron:ipc", SourceLocation.LOCAL, 0, 1, udp()));
        proof("a recording that is extended", this::extend);
        proof("a bounded part", this::replayPart);
        proof("replication of a recording that has ended", () -> replicate(false));
        proof("replication that merges with the live stream", () -> replicate(true));
        proof("replay merge", this::merge);
        proof("control over IPC", () -> controlBy(
            control(0).controlRequestChannel("aeron:ipc").controlResponseChannel("aeron:ipc")));
        proof("control over response channels", () -> controlBy(
            control(0).controlRequestChannel("aeron:udp?endpoint=" + controls[0])
                .controlResponseChannel("aeron:udp?control-mode=response|control=127.0.0.1:" + nextPort++)));
        for (int i = 0; i < 2; i++)
        {
            archives[i].close();
            aerons[i].close();
        }
        return !hasFailed;
    }

    private void proof(final String name, final Proof proof)
    {
        if (!wanted.isEmpty() && !wanted.contains(name))
        {
            return;
        }
        try
        {
            proof.run();
            System.out.println("ok " + name);
        }
        catch (final Throwable reason)
        {
            hasFailed = true;
            System.out.println("not ok " + name);
            for (Throwable each = reason; each != null; each = each.getCause())
            {
                System.out.println("    | " + each);
            }
            for (final StackTraceElement each : reason.getStackTrace())
            {
                if (each.getClassName().startsWith("ArchiveProof"))
                {
                    System.out.println("    | " + each);
                }
            }
        }
        System.out.flush();
    }

    // --- the parts of a proof ---

    private String udp()
    {
        return "aeron:udp?endpoint=127.0.0.1:" + nextPort++;
    }

    private static void await(final String what, final BooleanSupplier condition)
    {
        final long deadline_ms = System.currentTimeMillis() + PATIENCE_MS;
        while (!condition.getAsBoolean())
        {
            if (System.currentTimeMillis() > deadline_ms)
            {
                throw new IllegalStateException("in vain: " + what);
            }
            java.util.concurrent.locks.LockSupport.parkNanos(200_000);
        }
    }

    /** Publishes messages `from` to `until`; returns the position behind the last. */
    private static long publish(final Publication publication, final long from, final long until)
    {
        final UnsafeBuffer buffer = new UnsafeBuffer(new byte[Content.LENGTH_MAX]);
        for (long number = from; number < until; number++)
        {
            final int length = Content.write(buffer, number);
            await("offering message " + number, () -> publication.offer(buffer, 0, length) > 0);
        }
        return publication.position();
    }

    /** Reads messages `from` to `until` and nothing else. */
    private static void read(final Subscription subscription, final long from, final long until)
    {
        final long[] next = {from};
        final FragmentAssembler assembler = new FragmentAssembler(
            (buffer, offset, length, header) -> Content.check(buffer, offset, length, next[0]++));
        await("an image to read", subscription::isConnected);
        await("message " + until, () ->
        {
            while (subscription.poll(assembler, 20) > 0)
            {
            }
            return next[0] >= until;
        });
        if (next[0] != until)
        {
            throw new IllegalStateException(next[0] + " messages, not " + until);
        }
    }

    /** `fragment` is a part of the recorded channel. */
    private long recordingOf(final int archive, final String fragment, final int sessionId)
    {
        final long[] id = {-1};
        await("the recording", () ->
            (id[0] = archives[archive].findLastMatchingRecording(0, fragment, STREAM_ID, sessionId)) >= 0);
        return id[0];
    }

    private static String endpointOf(final String channel)
    {
        return channel.startsWith("aeron:ipc") ? "aeron:ipc" : channel.replaceAll(".*(endpoint=[^|]*).*", "$1");
    }

    /** Records `count` messages; returns the recording, which has ended. */
    private long record(
        final String channel, final SourceLocation where, final int publisher, final int archive, final int count)
    {
        final long subscription = archives[archive].startRecording(channel, STREAM_ID, where);
        try (ExclusivePublication publication =
            aerons[publisher].addExclusivePublication(channel, STREAM_ID))
        {
            await("the recording's image", publication::isConnected);
            final long recording = recordingOf(archive, endpointOf(channel), publication.sessionId());
            final long end = publish(publication, 0, count);
            await("all is recorded", () -> archives[archive].getRecordingPosition(recording) == end);
            archives[archive].stopRecording(subscription);
            await("the recording has ended", () -> archives[archive].getStopPosition(recording) == end);
            return recording;
        }
    }

    private void replay(
        final int archive, final long recording, final int reader, final String channel, final long until)
    {
        final AeronArchive from = archives[archive];
        final long length = from.getStopPosition(recording) - from.getStartPosition(recording);
        if (reader == archive)
        {
            try (Subscription subscription =
                from.replay(recording, from.getStartPosition(recording), length, channel, REPLAY_STREAM_ID))
            {
                read(subscription, 0, until);
            }
            return;
        }
        try (Subscription subscription = aerons[reader].addSubscription(channel, REPLAY_STREAM_ID))
        {
            from.startReplay(recording, from.getStartPosition(recording), length, channel, REPLAY_STREAM_ID);
            read(subscription, 0, until);
        }
    }

    // --- proofs ---

    private void recordAndReplay(
        final String channel,
        final SourceLocation where,
        final int publisher,
        final int reader,
        final String replayChannel)
    {
        final long recording = record(channel, where, publisher, 0, MESSAGES);
        replay(0, recording, reader, replayChannel, MESSAGES);
    }

    private void extend()
    {
        final String channel = udp() + "|ssc=true|term-length=64k";
        final long recording = record(channel, SourceLocation.LOCAL, 0, 0, MESSAGES);
        final long[] details = new long[4];
        archives[0].listRecording(recording,
            (session, correlation, id, startTime, stopTime, start, stop, initialTerm, segment, term, mtu,
                sessionId, streamId, stripped, original, source) ->
            {
                details[0] = stop;
                details[1] = initialTerm;
                details[2] = term;
                details[3] = mtu;
            });
        final String extended = new ChannelUriStringBuilder(channel)
            .initialPosition(details[0], (int)details[1], (int)details[2]).mtu((int)details[3]).build();
        try (ExclusivePublication publication = aerons[0].addExclusivePublication(extended, STREAM_ID))
        {
            final long subscription =
                archives[0].extendRecording(recording, channel, STREAM_ID, SourceLocation.LOCAL);
            await("the recording's image", publication::isConnected);
            final long end = publish(publication, MESSAGES, 2 * MESSAGES);
            await("all is recorded", () -> archives[0].getRecordingPosition(recording) == end);
            archives[0].stopRecording(subscription);
            await("the recording has ended", () -> archives[0].getStopPosition(recording) == end);
        }
        replay(0, recording, 0, "aeron:ipc", 2 * MESSAGES);
    }

    /** From the middle of a live recording up to a bound, while it goes on. */
    private void replayPart()
    {
        final String channel = udp() + "|ssc=true";
        final long subscription = archives[0].startRecording(channel, STREAM_ID, SourceLocation.LOCAL);
        try (ExclusivePublication publication = aerons[0].addExclusivePublication(channel, STREAM_ID))
        {
            await("the recording's image", publication::isConnected);
            final long recording = recordingOf(0, endpointOf(channel), publication.sessionId());
            final long from = publish(publication, 0, 500);
            final long until = publish(publication, 500, 1500);
            publish(publication, 1500, 2000);
            await("enough is recorded", () -> archives[0].getRecordingPosition(recording) >= until);
            try (Subscription replayed =
                archives[0].replay(recording, from, until - from, udp(), REPLAY_STREAM_ID))
            {
                read(replayed, 500, 1500);
                await("the end of the replay", () ->
                {
                    replayed.poll((buffer, offset, length, header) ->
                    {
                        throw new IllegalStateException("more than was asked for");
                    }, 1);
                    return !replayed.isConnected();
                });
            }
            archives[0].stopRecording(subscription);
        }
    }

    private void replicate(final boolean isLive)
    {
        final String control = "control=127.0.0.1:" + nextPort++;
        final String channel = isLive ? "aeron:udp?" + control + "|control-mode=dynamic|fc=max|ssc=true" :
            udp() + "|ssc=true";
        final String destination = udp() + "|" + control + "|control-mode=dynamic";
        final long subscription = archives[0].startRecording(channel, STREAM_ID, SourceLocation.LOCAL);
        final long copy;
        try (ExclusivePublication publication = aerons[0].addExclusivePublication(channel, STREAM_ID))
        {
            await("the recording's image", publication::isConnected);
            final long original =
                recordingOf(0, isLive ? control : endpointOf(channel), publication.sessionId());
            final long end = publish(publication, 0, MESSAGES);
            await("all is recorded", () -> archives[0].getRecordingPosition(original) == end);
            if (!isLive)
            {
                archives[0].stopRecording(subscription);
            }
            final ReplicationParams params = new ReplicationParams()
                .replicationChannel("aeron:udp?endpoint=127.0.0.1:0");
            final long before = lastRecording(1);
            archives[1].replicate(original, AeronArchive.Configuration.controlStreamId(),
                "aeron:udp?endpoint=" + controls[0], isLive ? params.liveDestination(destination) : params);
            await("a new recording", () -> lastRecording(1) > before);
            copy = lastRecording(1);
            await("all is copied", () -> recordedUpTo(1, copy) >= end);
            if (isLive)
            {
                final long later = publish(publication, MESSAGES, 2 * MESSAGES);
                await("what is live is copied too", () -> recordedUpTo(1, copy) >= later);
                archives[0].stopRecording(subscription);
            }
        }
        await("the copy has ended", () -> archives[1].getStopPosition(copy) >= 0);
        replay(1, copy, 1, udp(), isLive ? 2 * MESSAGES : MESSAGES);
    }

    private long lastRecording(final int archive)
    {
        final long[] last = {-1};
        archives[archive].listRecordings(0, 1000,
            (session, correlation, id, startTime, stopTime, start, stop, initialTerm, segment, term, mtu,
                sessionId, streamId, stripped, original, source) -> last[0] = id);
        return last[0];
    }

    private long recordedUpTo(final int archive, final long recording)
    {
        final long live = archives[archive].getRecordingPosition(recording);
        return live >= 0 ? live : archives[archive].getStopPosition(recording);
    }

    /** A late subscriber reads the past from the archive and goes on with the live stream. */
    private void merge()
    {
        final String control = "control=127.0.0.1:" + nextPort++;
        final String channel = "aeron:udp?" + control + "|control-mode=dynamic|fc=max|ssc=true|term-length=64k";
        final long recorded = archives[0].startRecording(channel, STREAM_ID, SourceLocation.LOCAL);
        try (ExclusivePublication publication = aerons[0].addExclusivePublication(channel, STREAM_ID))
        {
            await("the recording's image", publication::isConnected);
            final int session = publication.sessionId();
            final long recording = recordingOf(0, control, session);
            final long before = publish(publication, 0, MESSAGES);
            await("all is recorded", () -> archives[0].getRecordingPosition(recording) == before);

            final String merged = "aeron:udp?control-mode=manual|session-id=" + session;
            try (Subscription subscription = aerons[0].addSubscription(merged, STREAM_ID);
                ReplayMerge merge = new ReplayMerge(
                    subscription,
                    archives[0],
                    "aeron:udp?session-id=" + session,
                    "aeron:udp?endpoint=127.0.0.1:0",
                    udp() + "|" + control,
                    recording,
                    0))
            {
                final long[] next = {0};
                final FragmentAssembler assembler = new FragmentAssembler(
                    (buffer, offset, length, header) -> Content.check(buffer, offset, length, next[0]++));
                final UnsafeBuffer buffer = new UnsafeBuffer(new byte[Content.LENGTH_MAX]);
                final long[] sent = {MESSAGES};
                final BooleanSupplier goOn = () ->
                {
                    if (publication.offer(buffer, 0, Content.write(buffer, sent[0])) > 0)
                    {
                        sent[0]++;
                    }
                    merge.poll(assembler, 20);
                    if (merge.hasFailed())
                    {
                        throw new IllegalStateException("the merge failed: " + merge);
                    }
                    return false;
                };
                await("the merge", () -> goOn.getAsBoolean() || merge.isMerged());
                final long until = sent[0] + MESSAGES;
                await("the rest of the live stream", () -> goOn.getAsBoolean() || sent[0] == until);
                final Image image = merge.image();
                await("its end", () -> image.poll(assembler, 20) == 0 && image.position() == publication.position());
                if (next[0] != until)
                {
                    throw new IllegalStateException(next[0] + " messages, not " + until);
                }
            }
            archives[0].stopRecording(recorded);
        }
    }

    private void controlBy(final AeronArchive.Context context)
    {
        try (AeronArchive archive = AeronArchive.connect(context))
        {
            if (archive.archiveId() != archives[0].archiveId())
            {
                throw new IllegalStateException("that is another archive");
            }
        }
    }
}
