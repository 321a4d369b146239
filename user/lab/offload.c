/* SPDX-License-Identifier: Apache-2.0 */
#include "lab/offload.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FEATURES_MAX = 256, BLOCK_BITS = 32 };

/* Each of these ends in an array without a length, which the kernel fills as far as it is told. */
typedef union counts {
    struct ethtool_sset_info head;
    uint8_t room[sizeof(struct ethtool_sset_info) + sizeof(uint32_t)];
} counts_t;

typedef union names {
    struct ethtool_gstrings head;
    uint8_t room[sizeof(struct ethtool_gstrings) + (size_t)FEATURES_MAX * ETH_GSTRING_LEN];
} names_t;

typedef union feature_state {
    struct ethtool_gfeatures head;
    uint8_t room[sizeof(struct ethtool_gfeatures) +
                 FEATURES_MAX / BLOCK_BITS * sizeof(struct ethtool_get_features_block)];
} feature_state_t;

typedef union feature_wish {
    struct ethtool_sfeatures head;
    uint8_t room[sizeof(struct ethtool_sfeatures) +
                 FEATURES_MAX / BLOCK_BITS * sizeof(struct ethtool_set_features_block)];
} feature_wish_t;

static int call(int fd, const char *interface, void *command)
{
    struct ifreq request = {.ifr_data = command};
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
    return ioctl(fd, SIOCETHTOOL, &request) < 0 ? -errno : 0;
}

static int read_count(int fd, const char *interface, uint32_t *ret_count)
{
    counts_t counts = {.head = {.cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ULL << ETH_SS_FEATURES}};
    uint32_t count = 0;
    int code = call(fd, interface, &counts);
    memcpy(&count, counts.room + sizeof(counts.head), sizeof(count));
    if (code == 0)
        *ret_count = count < FEATURES_MAX ? count : FEATURES_MAX;
    return code;
}

typedef bool (*feature_test_t)(const char *feature);

static bool is_gro(const char *feature)
{
    return strcmp(feature, "rx-gro") == 0;
}

static bool is_offload(const char *feature)
{
    return strncmp(feature, "tx-checksum-", strlen("tx-checksum-")) == 0 ||
           strncmp(feature, "tx-gso-", strlen("tx-gso-")) == 0 ||
           (strncmp(feature, "tx-", strlen("tx-")) == 0 && strstr(feature, "segmentation") != NULL);
}

static void wish(feature_wish_t *wishes, const feature_state_t *state, const names_t *names,
                 uint32_t count, feature_test_t is_wanted, rj_lab_offload_t offload)
{
    for (uint32_t i = 0; i < count; i++) {
        char name[ETH_GSTRING_LEN + 1] = "";
        uint32_t bit = 1u << i % BLOCK_BITS;
        const struct ethtool_get_features_block *have = &state->head.features[i / BLOCK_BITS];
        struct ethtool_set_features_block *want = &wishes->head.features[i / BLOCK_BITS];
        memcpy(name, names->room + sizeof(names->head) + (size_t)i * ETH_GSTRING_LEN,
               ETH_GSTRING_LEN);
        if (!is_wanted(name) || (have->available & bit) == 0 || (have->never_changed & bit) != 0)
            continue;
        want->valid |= bit;
        if (offload == RJ_LAB_OFFLOAD_ON)
            want->requested |= bit;
    }
}

/* What the kernel calls its features, and which of them are on. */
static int read_features(int fd, const char *interface, names_t *names, feature_state_t *state,
                         uint32_t *ret_count)
{
    *names = (names_t){.head = {.cmd = ETHTOOL_GSTRINGS, .string_set = ETH_SS_FEATURES}};
    *state = (feature_state_t){.head = {.cmd = ETHTOOL_GFEATURES}};
    int code = read_count(fd, interface, ret_count);
    if (code != 0)
        return code;
    names->head.len = *ret_count;
    state->head.size = (*ret_count + BLOCK_BITS - 1) / BLOCK_BITS;
    code = call(fd, interface, names);
    return code == 0 ? call(fd, interface, state) : code;
}

static int set_features(int fd, const char *interface, feature_test_t is_wanted,
                        rj_lab_offload_t offload)
{
    names_t names;
    feature_state_t state;
    feature_wish_t wishes = {.head = {.cmd = ETHTOOL_SFEATURES}};
    uint32_t count = 0;
    int code = read_features(fd, interface, &names, &state, &count);
    if (code != 0)
        return code;
    wishes.head.size = state.head.size;
    wish(&wishes, &state, &names, count, is_wanted, offload);
    return call(fd, interface, &wishes);
}

int rj_lab_offload_look(const char *interface, const char *feature, bool *ret_is_on)
{
    names_t names;
    feature_state_t state;
    uint32_t count = 0;
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    const int code = read_features(fd, interface, &names, &state, &count);
    close(fd);
    for (uint32_t i = 0; code == 0 && i < count; i++) {
        if (strncmp((const char *)names.room + sizeof(names.head) + (size_t)i * ETH_GSTRING_LEN,
                    feature, ETH_GSTRING_LEN) != 0)
            continue;
        *ret_is_on = (state.head.features[i / BLOCK_BITS].active & 1u << i % BLOCK_BITS) != 0;
        return 0;
    }
    return code < 0 ? code : -ENOENT;
}

static int set(const char *interface, feature_test_t is_wanted, rj_lab_offload_t offload,
               rj_err_t *err)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int code = fd < 0 ? -errno : set_features(fd, interface, is_wanted, offload);
    if (fd >= 0)
        close(fd);
    if (code != 0)
        return rj_fail(err, code, "cannot switch the offloads of %s: %s", interface,
                       strerror(-code));
    return 0;
}

int rj_lab_offload_set(const char *interface, rj_lab_offload_t offload, rj_err_t *err)
{
    return set(interface, is_offload, offload, err);
}

int rj_lab_gro_enable(const char *interface, rj_err_t *err)
{
    return set(interface, is_gro, RJ_LAB_OFFLOAD_ON, err);
}
