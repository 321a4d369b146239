// SPDX-License-Identifier: Apache-2.0

import io.aeron.cluster.client.AeronCluster;
import io.aeron.cluster.client.EgressListener;
import io.aeron.logbuffer.Header;
import java.util.concurrent.locks.LockSupport;
import org.agrona.DirectBuffer;
import org.agrona.concurrent.SleepingMillisIdleStrategy;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * A client of the cluster: has so many messages counted, one after another, and asks again when nothing is heard,
 * so that each counts once whatever dies meanwhile.
 *
 * <pre>ClusterClient DRIVER-DIRECTORY CLIENT FROM UNTIL PAUSE_MS</pre>
 *
 * Prints `at NUMBER` when it has come so far in steps of 100, `leader MEMBER` for each that it hears of, and at the
 * end `count COUNT`.
 */
public final class ClusterClient implements EgressListener
{
    private static final long ANSWER_NS = 2_000_000_000L;
    private static final long PATIENCE_NS = 60_000_000_000L;

    private final String driver;
    private final long client;
    private AeronCluster cluster;
    private long answered;
    private long count;

    private ClusterClient(final String driver, final long client, final long from)
    {
        this.driver = driver;
        this.client = client;
        answered = from - 1;
    }

    public static void main(final String[] arguments)
    {
        final long from = Long.parseLong(arguments[2]);
        final ClusterClient client = new ClusterClient(arguments[0], Long.parseLong(arguments[1]), from);
        client.send(from, Long.parseLong(arguments[3]), Long.parseLong(arguments[4]));
        System.out.println("count " + client.count);
        client.cluster.close();
    }

    private void connect()
    {
        final long deadline_ns = System.nanoTime() + PATIENCE_NS;
        while (true)
        {
            try
            {
                cluster = AeronCluster.connect(new AeronCluster.Context()
                    .aeronDirectoryName(driver)
                    .egressListener(this)
                    .idleStrategy(new SleepingMillisIdleStrategy(1))
                    .ingressChannel("aeron:udp?term-length=64k")
                    .ingressEndpoints(ClusterNode.ingressEndpoints())
                    .egressChannel("aeron:udp?endpoint=127.0.0.1:0"));
                System.out.println("leader " + cluster.leaderMemberId());
                return;
            }
            catch (final RuntimeException reason)
            {
                if (System.nanoTime() > deadline_ns)
                {
                    throw reason;
                }
                System.out.println("again: " + reason.getMessage());
            }
        }
    }

    private void send(final long from, final long until, final long pauseMs)
    {
        final UnsafeBuffer message = new UnsafeBuffer(new byte[ClusterNode.MESSAGE_LENGTH]);
        connect();
        for (long number = from; number < until; number++)
        {
            message.putLong(0, client);
            message.putLong(8, number);
            final long deadline_ns = System.nanoTime() + PATIENCE_NS;
            while (answered < number)
            {
                if (System.nanoTime() > deadline_ns)
                {
                    throw new IllegalStateException("no answer to " + number);
                }
                if (cluster.isClosed())
                {
                    connect();
                }
                ask(message, number);
            }
            if (number % 100 == 0)
            {
                System.out.println("at " + number);
            }
            LockSupport.parkNanos(pauseMs * 1_000_000);
        }
    }

    private void ask(final UnsafeBuffer message, final long number)
    {
        final long again_ns = System.nanoTime() + ANSWER_NS;
        boolean isSent = false;
        while (answered < number && System.nanoTime() < again_ns && !cluster.isClosed())
        {
            isSent = isSent || cluster.offer(message, 0, ClusterNode.MESSAGE_LENGTH) > 0;
            if (cluster.pollEgress() == 0)
            {
                cluster.pollStateChanges();
                LockSupport.parkNanos(200_000);
            }
        }
    }

    @Override
    public void onMessage(
        final long sessionId,
        final long timestamp,
        final DirectBuffer buffer,
        final int offset,
        final int length,
        final Header header)
    {
        final long number = buffer.getLong(offset + 8);
        if (length != ClusterNode.ANSWER_LENGTH || buffer.getLong(offset) != client || number > answered + 1)
        {
            throw new IllegalStateException("an answer to nothing: " + number + " after " + answered);
        }
        answered = Math.max(answered, number);
        count = buffer.getLong(offset + 16);
    }

    @Override
    public void onNewLeader(
        final long sessionId, final long leadershipTermId, final int leaderMemberId, final String endpoints)
    {
        System.out.println("leader " + leaderMemberId);
    }
}
