// SPDX-License-Identifier: Apache-2.0

import io.aeron.ExclusivePublication;
import io.aeron.Image;
import io.aeron.archive.Archive;
import io.aeron.archive.ArchiveThreadingMode;
import io.aeron.archive.client.AeronArchive;
import io.aeron.cluster.ConsensusModule;
import io.aeron.cluster.codecs.CloseReason;
import io.aeron.cluster.service.ClientSession;
import io.aeron.cluster.service.Cluster;
import io.aeron.cluster.service.ClusteredService;
import io.aeron.cluster.service.ClusteredServiceContainer;
import io.aeron.logbuffer.Header;
import java.io.File;
import org.agrona.DirectBuffer;
import org.agrona.ErrorHandler;
import org.agrona.collections.Long2LongHashMap;
import org.agrona.concurrent.IdleStrategy;
import org.agrona.concurrent.ShutdownSignalBarrier;
import org.agrona.concurrent.SleepingMillisIdleStrategy;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * A member of an official Cluster of three: archive, consensus module and a service, on a driver that runs
 * elsewhere.
 *
 * <pre>ClusterNode MEMBER DIRECTORY DRIVER-DIRECTORY</pre>
 *
 * The service counts: each message is a client's number and that client's running number. A number that was
 * counted before (a client that heard nothing asks again) is not counted again; every message is answered with its
 * two numbers and the count.
 */
public final class ClusterNode
{
    static final int MESSAGE_LENGTH = 16;
    static final int ANSWER_LENGTH = 24;
    private static final int MEMBERS = 3;

    private ClusterNode()
    {
    }

    private static String address(final int member, final int index)
    {
        return "127.0.0.1:" + (9000 + 100 * member + index);
    }

    static String ingressEndpoints()
    {
        final StringBuilder endpoints = new StringBuilder();
        for (int member = 0; member < MEMBERS; member++)
        {
            endpoints.append(member == 0 ? "" : ",").append(member).append('=').append(address(member, 2));
        }
        return endpoints.toString();
    }

    private static String members()
    {
        final StringBuilder members = new StringBuilder();
        for (int member = 0; member < MEMBERS; member++)
        {
            members.append(member);
            for (int index = 2; index < 6; index++) // ingress, consensus, log, catch-up
            {
                members.append(',').append(address(member, index));
            }
            members.append(',').append(address(member, 1)).append('|');
        }
        return members.toString();
    }

    // The compiler misses a use of what is only there to be closed.
    @SuppressWarnings("try")
    public static void main(final String[] arguments)
    {
        final int member = Integer.parseInt(arguments[0]);
        final File directory = new File(arguments[1]);
        final String driver = arguments[2];
        final ErrorHandler errors = error -> System.err.println("member " + member + ": " + error);
        final AeronArchive.Context local = new AeronArchive.Context()
            .aeronDirectoryName(driver)
            .controlRequestChannel("aeron:ipc?term-length=64k")
            .controlResponseChannel("aeron:ipc?term-length=64k");
        try (ShutdownSignalBarrier barrier = new ShutdownSignalBarrier();
            Archive archive = Archive.launch(new Archive.Context()
                .aeronDirectoryName(driver)
                .archiveDir(new File(directory, "archive"))
                .controlChannel("aeron:udp?endpoint=" + address(member, 1))
                .localControlChannel("aeron:ipc?term-length=64k")
                .replicationChannel("aeron:udp?endpoint=127.0.0.1:0")
                .recordingEventsEnabled(false)
                .threadingMode(ArchiveThreadingMode.SHARED)
                .idleStrategySupplier(ClusterNode::idle)
                .segmentFileLength(1 << 20)
                .errorHandler(errors));
            ConsensusModule module = ConsensusModule.launch(new ConsensusModule.Context()
                .clusterMemberId(member)
                .clusterMembers(members())
                .clusterDir(new File(directory, "cluster"))
                .aeronDirectoryName(driver)
                .archiveContext(local.clone())
                .ingressChannel("aeron:udp?term-length=64k")
                .logChannel("aeron:udp?term-length=256k|control-mode=manual|control=" + address(member, 6))
                .replicationChannel("aeron:udp?endpoint=127.0.0.1:0")
                .idleStrategySupplier(ClusterNode::idle)
                .errorHandler(errors));
            ClusteredServiceContainer container = ClusteredServiceContainer.launch(
                new ClusteredServiceContainer.Context()
                    .clusteredService(new Counting(member))
                    .clusterDir(new File(directory, "cluster"))
                    .aeronDirectoryName(driver)
                    .archiveContext(local.clone())
                    .idleStrategySupplier(ClusterNode::idle)
                    .errorHandler(errors)))
        {
            System.out.println("launched");
            barrier.await();
        }
    }

    private static IdleStrategy idle()
    {
        return new SleepingMillisIdleStrategy(1);
    }

    private static final class Counting implements ClusteredService
    {
        private final int member;
        private final Long2LongHashMap lastOf = new Long2LongHashMap(0);
        private final UnsafeBuffer answer = new UnsafeBuffer(new byte[ANSWER_LENGTH]);
        private long count;
        private Cluster cluster;

        Counting(final int member)
        {
            this.member = member;
        }

        @Override
        public void onStart(final Cluster cluster, final Image snapshot)
        {
            this.cluster = cluster;
            if (snapshot == null)
            {
                return;
            }
            while (!snapshot.isEndOfStream())
            {
                snapshot.poll((buffer, offset, length, header) ->
                {
                    count = buffer.getLong(offset);
                    for (int at = 8; at < length; at += 16)
                    {
                        lastOf.put(buffer.getLong(offset + at), buffer.getLong(offset + at + 8));
                    }
                }, 1);
                cluster.idleStrategy().idle();
            }
            System.out.println("snapshot " + count);
        }

        @Override
        public void onTakeSnapshot(final ExclusivePublication publication)
        {
            final UnsafeBuffer state = new UnsafeBuffer(new byte[8 + 16 * lastOf.size()]);
            final int[] at = {8};
            state.putLong(0, count);
            lastOf.forEachLong((client, last) ->
            {
                state.putLong(at[0], client);
                state.putLong(at[0] + 8, last);
                at[0] += 16;
            });
            while (publication.offer(state) < 0)
            {
                cluster.idleStrategy().idle();
            }
            System.out.println("snapshot taken " + count);
        }

        @Override
        public void onSessionMessage(
            final ClientSession session,
            final long timestamp,
            final DirectBuffer buffer,
            final int offset,
            final int length,
            final Header header)
        {
            final long client = buffer.getLong(offset);
            final long number = buffer.getLong(offset + 8);
            if (number == lastOf.get(client) + 1)
            {
                lastOf.put(client, number);
                count++;
            }
            answer.putLong(0, client);
            answer.putLong(8, number);
            answer.putLong(16, count);
            for (int tries = 0; session != null && tries < 100 && session.offer(answer, 0, ANSWER_LENGTH) < 0; tries++)
            {
                cluster.idleStrategy().idle();
            }
        }

        @Override
        public void onRoleChange(final Cluster.Role role)
        {
            System.out.println("role " + role + " of member " + member);
        }

        @Override
        public void onSessionOpen(final ClientSession session, final long timestamp)
        {
        }

        @Override
        public void onSessionClose(final ClientSession session, final long timestamp, final CloseReason reason)
        {
        }

        @Override
        public void onTimerEvent(final long correlationId, final long timestamp)
        {
        }

        @Override
        public void onTerminate(final Cluster cluster)
        {
        }
    }
}
