/* SPDX-License-Identifier: Apache-2.0 */
/* Every parameter of a channel (commands.md 13.4): what it does, or how it is refused, or that it
 * is ignored where it has nothing to say. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/fixtures/rig_stream.h"

#define UDP        "aeron:udp?endpoint=127.0.0.1:24461"
#define GROUP      "aeron:udp?endpoint=239.255.48.61:24461|interface=127.0.0.1"
#define IPC        "aeron:ipc?alias=log"
#define SECONDS(n) ((n)*INT64_C(1000000000))

enum { CLIENT = 7000, STREAM = 1001, KIB = 1024 };

static driver_rig_t rig;

static void open_rig(void)
{
    driver_rig_open(&rig, NULL);
    (void)driver_rig_add_subscription(&rig, CLIENT, "aeron:ipc", 99);
    (void)driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
    (void)driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
}

static void close_rig(void)
{
    driver_rig_close(&rig);
}

TestSuite(conductor_parameters, .init = open_rig, .fini = close_rig);

static rig_event_t publish(const char *channel)
{
    driver_rig_add_publication(&rig, CLIENT, true, channel, STREAM);
    return driver_rig_expect(&rig, RJ_EVENT_EXCLUSIVE_PUBLICATION_READY);
}

static rig_event_t subscribe(const char *channel)
{
    driver_rig_add_subscription(&rig, CLIENT, channel, STREAM);
    return driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
}

static void drop(int32_t type, int64_t id)
{
    driver_rig_remove(&rig, type, CLIENT, id);
    (void)driver_rig_expect(&rig, RJ_EVENT_OPERATION_SUCCESS);
}

static void expect_error(const char *channel, int32_t code, const char *words)
{
    rig_event_t event = driver_rig_next(&rig);
    cr_assert_eq(event.type, RJ_EVENT_ERROR, "%s: 0x%x", channel, (unsigned)event.type);
    cr_expect_eq(event.error.error_code, code, "%s: %s", channel, driver_rig_text(&event));
    cr_expect_not_null(strstr(driver_rig_text(&event), words), "%s: %s", channel,
                       driver_rig_text(&event));
}

/* --- what logs say --- */

typedef int64_t (*read_t)(const rj_log_metadata_t *metadata);

static int64_t mtu(const rj_log_metadata_t *metadata)
{
    return metadata->mtu_length;
}

static int64_t term_length(const rj_log_metadata_t *metadata)
{
    return metadata->term_length;
}

static int64_t publication_window(const rj_log_metadata_t *metadata)
{
    return metadata->publication_window_length;
}

static int64_t receiver_window(const rj_log_metadata_t *metadata)
{
    return metadata->receiver_window_length;
}

static int64_t linger(const rj_log_metadata_t *metadata)
{
    return metadata->linger_timeout_ns;
}

static int64_t max_resend(const rj_log_metadata_t *metadata)
{
    return metadata->max_resend;
}

static int64_t sndbuf(const rj_log_metadata_t *metadata)
{
    return metadata->socket_sndbuf_length;
}

static int64_t rcvbuf(const rj_log_metadata_t *metadata)
{
    return metadata->socket_rcvbuf_length;
}

static int64_t entity_tag(const rj_log_metadata_t *metadata)
{
    return metadata->entity_tag;
}

static int64_t response_id(const rj_log_metadata_t *metadata)
{
    return metadata->response_correlation_id;
}

static int64_t window_limit(const rj_log_metadata_t *metadata)
{
    return metadata->untethered_window_limit_timeout_ns;
}

static int64_t untethered_linger(const rj_log_metadata_t *metadata)
{
    return metadata->untethered_linger_timeout_ns;
}

static int64_t resting(const rj_log_metadata_t *metadata)
{
    return metadata->untethered_resting_timeout_ns;
}

static int64_t initial_term(const rj_log_metadata_t *metadata)
{
    return metadata->initial_term_id;
}

static int64_t session(const rj_log_metadata_t *metadata)
{
    rj_wire_data_t header;
    memcpy(&header, metadata->default_header, sizeof(header));
    return header.session_id;
}

#define FLAG(name)                                                                                 \
    static int64_t name##_flag(const rj_log_metadata_t *metadata)                                  \
    {                                                                                              \
        return metadata->name;                                                                     \
    }
FLAG(group)
FLAG(sparse)
FLAG(signal_eos)
FLAG(spies_simulate_connection)
FLAG(reliable)
FLAG(rejoin)
FLAG(tether)

/* --- publications --- */

typedef struct effect_row {
    const char *params;
    read_t read;
    int64_t value;
} effect_row_t;

/* On either media. */
static const effect_row_t publication_rows[] = {
    {"", mtu, 1408},
    {"mtu=1344", mtu, 1344},
    {"mtu=2k", mtu, 2048},
    {"mtu=65504|pub-wnd=64K|term-length=128k", mtu, 65504},
    {"mtu=64", mtu, 64},
    {"", term_length, 64 * KIB},
    {"term-length=128k", term_length, 128 * KIB},
    {"term-length=1M", term_length, 1024 * KIB},
    {"term-length=1g", term_length, 1024 * 1024 * KIB},
    {"", publication_window, 32 * KIB},
    {"pub-wnd=2k", publication_window, 2 * KIB},
    {"pub-wnd=32k", publication_window, 32 * KIB},
    {"init-term-id=-5|term-id=-5|term-offset=64", initial_term, -5},
    {"init-term-id=2147483647|term-id=-2147483648|term-offset=0", initial_term, 2147483647},
    {"init-term-id=7|term-id=9|term-offset=65536", initial_term, 7},
    {"session-id=7", session, 7},
    {"session-id=-7", session, -7},
    {"session-id=2147483647", session, 2147483647},
    {"", linger, SECONDS(5)},
    {"linger=0s", linger, 0},
    {"linger=1500ms", linger, 1500000000},
    {"linger=17us", linger, 17000},
    {"linger=33", linger, 33},
    {"linger=99999999999s", linger, INT64_MAX},
    {"", sparse_flag, 1},
    {"sparse=false", sparse_flag, 0},
    {"", signal_eos_flag, 1},
    {"eos=false", signal_eos_flag, 0},
    {"", spies_simulate_connection_flag, 0},
    {"ssc=true", spies_simulate_connection_flag, 1},
    {"tags=,9", entity_tag, 9},
    {"tags=8", entity_tag, -1},
    {"", entity_tag, -1},
    {"response-correlation-id=-1", response_id, -1},
    {"stream-id=1001", mtu, 1408},
    {"", window_limit, SECONDS(5)},
    {"untethered-window-limit-timeout=3s", window_limit, SECONDS(3)},
    {"", untethered_linger, SECONDS(5)},
    {"untethered-window-limit-timeout=3s", untethered_linger, SECONDS(3)},
    {"untethered-linger-timeout=4s", untethered_linger, SECONDS(4)},
    {"", resting, SECONDS(10)},
    {"untethered-resting-timeout=6s", resting, SECONDS(6)},
    {"ats=false", mtu, 1408},
    {"alias=any text, of any kind = really", mtu, 1408},
    {"unknown-key=whatever", mtu, 1408},
    {"mtu-of-mine=7|mtuX=9", mtu, 1408},
    /* What only subscriptions have does not matter, whatever it says. */
    {"reliable=perhaps|rejoin=perhaps|tether=perhaps|group=perhaps|gtag=x|cc=x|rcv-wnd=x|"
     "nak-delay=x|media-rcv-ts-offset=x|channel-rcv-ts-offset=x|response-endpoint=x",
     mtu, 1408},
};

/* On the network alone; on IPC they say nothing, whatever they say. */
static const effect_row_t network_rows[] = {
    {"", max_resend, 0},
    {"max-resend=1", max_resend, 1},
    {"max-resend=256", max_resend, 256},
    {"so-sndbuf=64k", sndbuf, 64 * KIB},
    {"so-rcvbuf=96k", rcvbuf, 96 * KIB},
    {"ttl=0", mtu, 1408},
    {"ttl=999", mtu, 1408},
    {"control=127.0.0.1:24462", group_flag, 0},
    {"interface=127.0.0.1", group_flag, 0},
    {"interface=localhost", group_flag, 0},
    {"interface={lo}", group_flag, 0},
    {"interface=127.0.0.1/8", group_flag, 0},
    {"fc=nonsense", group_flag, 0}, /* of one receiver there is nothing to choose */
};

static void check_publication(const char *base, const effect_row_t *row)
{
    char channel[512];
    snprintf(channel, sizeof(channel), "%s%s%s", base, row->params[0] != '\0' ? "|" : "",
             row->params);
    rig_event_t ready = publish(channel);
    rig_writer_t writer;
    rig_writer_open(&writer, &rig, &ready);
    cr_expect_eq(row->read(writer.log.metadata), row->value, "%s: %" PRId64, channel,
                 row->read(writer.log.metadata));
    rig_writer_close(&writer);
    drop(RJ_COMMAND_REMOVE_PUBLICATION, ready.publication.correlation_id);
    driver_rig_live(&rig, CLIENT, SECONDS(2)); /* IPC has gone by then, and its session with it */
}

Test(conductor_parameters, of_a_publication_are_in_its_log)
{
    for (size_t i = 0; i < sizeof(publication_rows) / sizeof(publication_rows[0]); i++) {
        check_publication(UDP, &publication_rows[i]);
        check_publication(IPC, &publication_rows[i]);
    }
}

Test(conductor_parameters, of_a_network_publication_are_in_its_log)
{
    for (size_t i = 0; i < sizeof(network_rows) / sizeof(network_rows[0]); i++) {
        char channel[512];
        check_publication(UDP, &network_rows[i]);
        driver_rig_live(&rig, CLIENT, SECONDS(9)); /* nobody else has the endpoint */
        snprintf(channel, sizeof(channel), IPC "|%s",
                 network_rows[i].params[0] != '\0' ? network_rows[i].params : "alias=x");
        rig_event_t ready = publish(channel);
        drop(RJ_COMMAND_REMOVE_PUBLICATION, ready.publication.correlation_id);
    }
}

Test(conductor_parameters, that_make_no_sense_of_a_publication_are_refused)
{
    static const struct {
        const char *params;
        int32_t code;
        const char *words;
    } rows[] = {
        {"mtu=32", 11, "mtu"},
        {"mtu=1400", 11, "mtu"},
        {"mtu=65536", 11, "mtu"},
        {"mtu=-64", 11, "mtu"},
        {"mtu=big", 11, "mtu"},
        {"mtu=99999999999999999999", 11, "mtu"},
        {"term-length=32k", 11, "term-length"},
        {"term-length=2g", 11, "term-length"},
        {"term-length=100000", 11, "term-length"},
        {"term-length=64q", 11, "term-length"},
        {"pub-wnd=1376", 11, "pub-wnd"},
        {"pub-wnd=33k", 11, "pub-wnd"},
        {"pub-wnd=x", 11, "pub-wnd"},
        {"init-term-id=1", 11, "must be used as a complete set"},
        {"term-id=1", 11, "must be used as a complete set"},
        {"term-offset=32", 11, "must be used as a complete set"},
        {"init-term-id=1|term-id=2", 11, "must be used as a complete set"},
        {"init-term-id=2|term-id=1|term-offset=0", 11, "term-id"},
        {"init-term-id=1|term-id=1|term-offset=31", 11, "term-offset"},
        {"init-term-id=1|term-id=1|term-offset=-32", 11, "term-offset"},
        {"init-term-id=1|term-id=1|term-offset=65568", 11, "term-offset"},
        {"init-term-id=1|term-id=2147483648|term-offset=0", 11, "term-id"},
        {"init-term-id=x|term-id=1|term-offset=0", 11, "init-term-id"},
        {"session-id=2147483648", 11, "session-id"},
        {"session-id=seven", 11, "session-id"},
        {"session-id=tag:x", 11, "session-id"},
        {"session-id=tag:123456", 11, "must reference a network publication"},
        {"linger=never", 11, "linger"},
        {"linger=-1s", 11, "linger"},
        {"linger=5m", 11, "linger"},
        {"sparse=maybe", 11, "sparse"},
        {"eos=maybe", 11, "eos"},
        {"ssc=maybe", 11, "ssc"},
        {"response-correlation-id=-2", 11, "invalid response-correlation-id"},
        {"response-correlation-id=x", 11, "invalid response-correlation-id"},
        {"stream-id=1002", 1, "stream-id"},
        {"stream-id=x", 11, "stream-id"},
        {"tags=1,x", 11, "tags"},
        {"untethered-window-limit-timeout=x", 11, "untethered-window-limit-timeout"},
        {"untethered-linger-timeout=x", 11, "untethered-linger-timeout"},
        {"untethered-resting-timeout=x", 11, "untethered-resting-timeout"},
        {"=x", 1, "empty key"},
        {"mtu=|alias=x", 1, "empty value"},
        {"mtu", 1, ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        static const char *const bases[] = {UDP, IPC};
        for (int media = 0; media < 2; media++) {
            char channel[512];
            snprintf(channel, sizeof(channel), "%s|%s", bases[media], rows[i].params);
            driver_rig_add_publication(&rig, CLIENT, true, channel, STREAM);
            expect_error(channel, rows[i].code, rows[i].words);
        }
    }
    cr_expect_eq(driver_rig_log_count(&rig), 0);
}

Test(conductor_parameters, that_make_no_sense_of_a_network_publication_are_refused)
{
    static const struct {
        const char *channel;
        int32_t code;
        const char *words;
    } rows[] = {
        {UDP "|max-resend=0", 11, "max-resend"},
        {UDP "|max-resend=257", 11, "max-resend"},
        {UDP "|max-resend=many", 11, "max-resend"},
        {UDP "|so-sndbuf=x", 11, "so-sndbuf"},
        {UDP "|so-rcvbuf=3g", 11, "so-rcvbuf"},
        {UDP "|so-sndbuf=4k|mtu=16k", 11, "MTU greater than SO_SNDBUF"},
        {UDP "|ttl=x", 11, "ttl"},
        {UDP "|ttl=-1", 11, "ttl"},
        {UDP "|ats=true", 11, "ATS"},
        {UDP "|ats=perhaps", 11, "ats"},
        {UDP "|channel-snd-ts-offset=x", 11, "channel-snd-ts-offset"},
        {UDP "|channel-snd-ts-offset=-2", 11, "channel-snd-ts-offset"},
        {UDP "|response-correlation-id=123456", 11, "unable to find response subscription"},
        {UDP "|control-mode=dynamic", 1, "control-mode=dynamic needs a control address"},
        {UDP "|control-mode=response", 11, "no response-correlation-id set"},
        {UDP "|interface=203.0.113.7", 11, "could not find matching interface"},
        {UDP "|interface={nosuch0}", 11, "unknown interface nosuch0"},
        {UDP "|interface=x/33", 11, ""},
        {GROUP "|fc=x", 11, "fc"},
        {GROUP "|fc=min,t:x", 11, "fc"},
        {GROUP "|fc=tagged,g:/x", 11, "fc"},
        {"aeron:udp?endpoint=127.0.0.1:0", 11, "port"},
        {"aeron:udp?endpoint=127.0.0.1", 11, "port"},
        {"aeron:udp?endpoint=127.0.0.1:65536", 11, "port"},
        {"aeron:udp?endpoint=127.0.0.1:x", 11, "port"},
        {"aeron:udp?control=127.0.0.1:24463", 11, "control-mode"},
        {UDP "|tags=x", 1, "tags"},
        {UDP "|tags=-1", 1, "tags"},
        {"aeron:udp?alias=x", 1, "endpoint"},
        {"aeron:udp?tags=77", 11, "URI must have explicit control"},
        {"aeron:udp?endpoint=no-such-host.invalid:24461", 9, "endpoint=no-such-host.invalid:24461"},
        {"aeron:udp", 1, ""},
        {"aeron:tcp?endpoint=127.0.0.1:24461", 1, ""},
        {"udp?endpoint=127.0.0.1:24461", 1, ""},
        {"aeron-spy:" UDP, 1, "spies are invalid"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        driver_rig_add_publication(&rig, CLIENT, true, rows[i].channel, STREAM);
        expect_error(rows[i].channel, rows[i].code, rows[i].words);
    }
    cr_expect_eq(driver_rig_log_count(&rig), 0);
    cr_expect_eq(driver_rig_counter_count(&rig), 1);
}

/* --- subscriptions --- */

/* What an image's log says of who reads it. */
static const effect_row_t image_rows[] = {
    {"", receiver_window, 32 * KIB}, /* 128 KiB, of which half a term is used */
    {"rcv-wnd=16k", receiver_window, 16 * KIB},
    {"so-rcvbuf=256k|rcv-wnd=20k", rcvbuf, 256 * KIB},
    {"so-sndbuf=64k", sndbuf, 64 * KIB},
    {"", reliable_flag, 1},
    {"reliable=false", reliable_flag, 0},
    {"", rejoin_flag, 1},
    {"rejoin=false", rejoin_flag, 0},
    {"", tether_flag, 1},
    {"tether=false", tether_flag, 0},
    {"", group_flag, 0},
    {"group=true", group_flag, 1},
    {"group=false", group_flag, 0},
    {"group=infer", group_flag, 0},
    {"group=anything-else", group_flag, 0},
    {"", sparse_flag, 1},
    {"sparse=false", sparse_flag, 0},
    {"", window_limit, SECONDS(5)},
    {"untethered-window-limit-timeout=3s", window_limit, SECONDS(3)},
    {"untethered-window-limit-timeout=3s", untethered_linger, SECONDS(3)},
    {"untethered-linger-timeout=4s", untethered_linger, SECONDS(4)},
    {"untethered-resting-timeout=6s", resting, SECONDS(6)},
    {"cc=static", mtu, 1408},
    {"cc=cubic", mtu, 1408},
    {"nak-delay=2ms", mtu, 1408},
    {"gtag=-9", mtu, 1408},
    {"session-id=55", session, 55},
    {"stream-id=9999", mtu, 1408},
    {"interface=127.0.0.1|ttl=3|alias=x|response-endpoint=x|ats=false", mtu, 1408},
    /* What only publications have does not matter, whatever it says. */
    {"mtu=33|term-length=1|pub-wnd=x|init-term-id=1|linger=never|eos=maybe|ssc=maybe|"
     "max-resend=999|fc=x|response-correlation-id=x|channel-snd-ts-offset=x",
     mtu, 1408},
};

static void check_image(const char *base, const char *publication, const char *params, read_t read,
                        int64_t value)
{
    char channel[512];
    snprintf(channel, sizeof(channel), "%s%s%s", base, params[0] != '\0' ? "|" : "", params);
    int64_t subscription = subscribe(channel).subscription.correlation_id;
    rig_event_t ready = publish(publication);
    rig_event_t event = driver_rig_next(&rig);
    cr_assert_eq(event.type, RJ_EVENT_AVAILABLE_IMAGE, "%s: 0x%x", channel, (unsigned)event.type);
    rig_reader_t reader;
    rig_reader_open(&reader, &rig, &event);
    cr_expect_eq(read(reader.log.metadata), value, "%s: %" PRId64, channel,
                 read(reader.log.metadata));
    rig_reader_close(&reader);
    drop(RJ_COMMAND_REMOVE_SUBSCRIPTION, subscription);
    drop(RJ_COMMAND_REMOVE_PUBLICATION, ready.publication.correlation_id);
    driver_rig_live(&rig, CLIENT, SECONDS(16));
    cr_expect_eq(driver_rig_counter_count(&rig), 1, "%s", channel);
}

Test(conductor_parameters, of_a_subscription_are_in_the_logs_of_its_images)
{
    for (size_t i = 0; i < sizeof(image_rows) / sizeof(image_rows[0]); i++)
        check_image(UDP, UDP "|session-id=55|linger=0s", image_rows[i].params, image_rows[i].read,
                    image_rows[i].value);
}

Test(conductor_parameters, a_group_is_one_unless_the_subscription_says_otherwise)
{
    static const effect_row_t rows[] = {{"", group_flag, 1},
                                        {"group=infer", group_flag, 1},
                                        {"group=true", group_flag, 1},
                                        {"group=false", group_flag, 0}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check_image(GROUP, GROUP "|linger=0s", rows[i].params, rows[i].read, rows[i].value);
}

Test(conductor_parameters, that_make_no_sense_of_a_subscription_are_refused)
{
    static const struct {
        const char *params;
        const char *words;
        bool is_local; /* refused on IPC and to spies too */
    } rows[] = {
        {"session-id=x", "session-id", true},
        {"session-id=tag:5", "session-id", true},
        {"rejoin=perhaps", "rejoin", true},
        {"tether=perhaps", "tether", true},
        {"sparse=perhaps", "sparse", true},
        {"untethered-window-limit-timeout=x", "untethered-window-limit-timeout", true},
        {"untethered-linger-timeout=x", "untethered-linger-timeout", true},
        {"untethered-resting-timeout=x", "untethered-resting-timeout", true},
        {"reliable=perhaps", "reliable", false},
        {"gtag=x", "gtag", false},
        {"rcv-wnd=x", "rcv-wnd", false},
        {"rcv-wnd=1m|so-rcvbuf=64k", "Initial window greater than SO_RCVBUF", false},
        {"so-rcvbuf=x", "so-rcvbuf", false},
        {"so-sndbuf=x", "so-sndbuf", false},
        {"ttl=x", "ttl", false},
        {"ats=true", "ATS", false},
        {"media-rcv-ts-offset=x", "media-rcv-ts-offset", false},
        {"channel-rcv-ts-offset=x", "channel-rcv-ts-offset", false},
        {"media-rcv-ts-offset=4|channel-rcv-ts-offset=11", "overlap", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        static const char *const bases[] = {UDP, ("aeron-spy:" UDP), IPC};
        for (int kind = 0; kind < (rows[i].is_local ? 3 : 1); kind++) {
            char channel[512];
            snprintf(channel, sizeof(channel), "%s|%s", bases[kind], rows[i].params);
            driver_rig_add_subscription(&rig, CLIENT, channel, STREAM);
            expect_error(channel, 11, rows[i].words);
        }
    }
}

/* As Aeron: these come up when there is an image to be made. */
Test(conductor_parameters, of_images_are_refused_with_the_image)
{
    static const struct {
        const char *params;
        const char *words;
    } rows[] = {{"cc=own", "unknown congestion control"}, {"nak-delay=soon", "nak-delay"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char channel[512];
        snprintf(channel, sizeof(channel), UDP "|%s", rows[i].params);
        int64_t subscription = subscribe(channel).subscription.correlation_id;
        rig_event_t ready = publish(UDP "|linger=0s");
        driver_rig_expect_nothing(&rig);
        cr_expect(driver_rig_has_error(&rig, rows[i].words), "%s", rows[i].params);
        drop(RJ_COMMAND_REMOVE_SUBSCRIPTION, subscription);
        drop(RJ_COMMAND_REMOVE_PUBLICATION, ready.publication.correlation_id);
        driver_rig_live(&rig, CLIENT, SECONDS(4));
    }
}

/* --- what shows in what they do --- */

static bool is_whole(const char *directory, int64_t id)
{
    char path[256];
    struct stat info;
    snprintf(path, sizeof(path), "%s/%s/%" PRId64 ".logbuffer", rig.dir, directory, id);
    cr_assert_eq(stat(path, &info), 0, "%s", path);
    return info.st_blocks * 512 >= info.st_size;
}

Test(conductor_parameters, sparse_is_what_becomes_of_the_file)
{
    int64_t id = publish(UDP "|sparse=false").publication.registration_id;
    cr_expect(is_whole("publications", id));
    id = publish("aeron:ipc?sparse=true").publication.registration_id;
    cr_expect_not(is_whole("publications", id));
    /* Of images the oldest subscription decides. */
    subscribe(GROUP "|sparse=false");
    subscribe(GROUP "|sparse=true");
    publish(GROUP);
    cr_expect(
        is_whole("images", driver_rig_expect(&rig, RJ_EVENT_AVAILABLE_IMAGE).image.correlation_id));
}

Test(conductor_parameters, eos_is_how_readers_hear_of_the_end)
{
    static const struct {
        const char *publication;
        int seconds; /* until the image is gone */
    } rows[] = {{UDP, 3}, {UDP "|eos=false", 13}};
    for (int i = 0; i < 2; i++) {
        int64_t subscription = subscribe(UDP).subscription.correlation_id;
        rig_event_t ready = publish(rows[i].publication);
        (void)driver_rig_expect(&rig, RJ_EVENT_AVAILABLE_IMAGE);
        driver_rig_live(&rig, CLIENT, SECONDS(1));
        drop(RJ_COMMAND_REMOVE_PUBLICATION, ready.publication.correlation_id);
        int seconds = 0;
        while (driver_rig_next(&rig).type != RJ_EVENT_UNAVAILABLE_IMAGE && seconds++ < 30)
            driver_rig_live(&rig, CLIENT, SECONDS(1));
        if (i == 0)
            cr_expect_leq(seconds, rows[i].seconds);
        else
            cr_expect_geq(seconds, rows[i].seconds, "%d", seconds);
        drop(RJ_COMMAND_REMOVE_SUBSCRIPTION, subscription);
        driver_rig_live(&rig, CLIENT, SECONDS(16));
    }
}

Test(conductor_parameters, linger_is_how_long_a_publication_can_still_be_asked)
{
    static const struct {
        const char *channel;
        int seconds_min, seconds_max;
    } rows[] = {{UDP "|linger=0s", 0, 3}, {UDP "|linger=9s", 9, 13}, {"aeron:ipc?linger=9s", 0, 3}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        rig_event_t ready = publish(rows[i].channel);
        drop(RJ_COMMAND_REMOVE_PUBLICATION, ready.publication.correlation_id);
        int seconds = 0;
        for (; driver_rig_log_count(&rig) > 0 && seconds < 30; seconds++)
            driver_rig_live(&rig, CLIENT, SECONDS(1));
        cr_expect_geq(seconds, rows[i].seconds_min, "%s", rows[i].channel);
        cr_expect_leq(seconds, rows[i].seconds_max, "%s", rows[i].channel);
    }
}

Test(conductor_parameters, a_start_position_is_where_everybody_begins)
{
    static const struct {
        const char *triple;
        int64_t position;
    } rows[] = {
        {"|init-term-id=7|term-id=7|term-offset=0", 0},
        {"|init-term-id=7|term-id=9|term-offset=4096", 2 * 64 * KIB + 4096},
        {"|init-term-id=7|term-id=9|term-offset=65536", 3 * 64 * KIB},
        {"|init-term-id=2147483647|term-id=-2147483647|term-offset=32", 2 * 64 * KIB + 32},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char channel[256];
        int64_t subscription = subscribe(UDP).subscription.correlation_id;
        snprintf(channel, sizeof(channel), UDP "|linger=0s%s", rows[i].triple);
        rig_event_t ready = publish(channel);
        rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_AVAILABLE_IMAGE);
        static const int32_t counters[] = {RJ_COUNTER_TYPE_PUBLISHER_POSITION,
                                           RJ_COUNTER_TYPE_SENDER_POSITION};
        for (int n = 0; n < 2; n++)
            cr_expect_eq(
                driver_rig_counter(&rig, counters[n], ready.publication.registration_id).value,
                rows[i].position, "%s", channel);
        rig_reader_t reader;
        rig_writer_t writer;
        rig_reader_open(&reader, &rig, &event);
        rig_writer_open(&writer, &rig, &ready);
        cr_expect_eq(*reader.position, rows[i].position, "%s", channel);
        driver_rig_live(&rig, CLIENT, SECONDS(1));
        for (int turn = 0; turn < 8; turn++) { /* through every term */
            (void)rig_writer_fill(&writer);
            driver_rig_live(&rig, CLIENT, SECONDS(1));
            (void)rig_reader_drain(&reader);
            driver_rig_live(&rig, CLIENT, SECONDS(1));
        }
        cr_expect_geq(*reader.position, rows[i].position + 3 * 64 * KIB, "%s", channel);
        rig_reader_close(&reader);
        rig_writer_close(&writer);
        drop(RJ_COMMAND_REMOVE_PUBLICATION, ready.publication.correlation_id);
        drop(RJ_COMMAND_REMOVE_SUBSCRIPTION, subscription);
        driver_rig_live(&rig, CLIENT, SECONDS(16));
    }
}
