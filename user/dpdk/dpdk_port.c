/* SPDX-License-Identifier: Apache-2.0 */
#include "dpdk/dpdk_port.h"

#include <errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <stdio.h>
#include <string.h>

#include "base/bits.h"

enum {
    DESCRIPTORS = 1024, /* of a queue, in each direction */
    BUFFERS_PER_QUEUE = 2 * DESCRIPTORS + RJ_DPDK_HELD_MAX + RJ_DPDK_WAITING_MAX,
    CACHE_PER_THREAD = 256,
    LINK_BYTES = 18, /* Ethernet header and one VLAN tag */
    BUFFER_BYTES_MAX = UINT16_MAX,
};

static int fail(const rj_dpdk_port_t *port, int code, const char *what, rj_err_t *err)
{
    return rj_fail(err, code, "DPDK port %s: %s: %s", port->name, what, strerror(-code));
}

/* --- what it is --- */

/* Drivers whose frames are copies: the kernel gets each as well. */
static bool is_copied_to_the_kernel(const struct rte_eth_dev_info *info)
{
    return info->if_index != 0 && strcmp(info->driver_name, "net_af_packet") == 0;
}

static int identify(rj_dpdk_port_t *port, const rj_dpdk_port_params_t *params,
                    struct rte_eth_dev_info *ret_info, rj_err_t *err)
{
    char name[RTE_ETH_NAME_MAX_LEN] = "";
    struct rte_ether_addr mac;
    uint16_t mtu = 0;
    (void)rte_eth_dev_get_name_by_port(params->id, name);
    snprintf(port->name, sizeof(port->name), "%.*s", RJ_DPDK_NAME_MAX - 1, name);
    int result = rte_eth_dev_info_get(params->id, ret_info);
    if (result == 0)
        result = rte_eth_macaddr_get(params->id, &mac);
    if (result == 0)
        result = rte_eth_dev_get_mtu(params->id, &mtu);
    if (result < 0)
        return fail(port, result, "what it is", err);
    /* Ports of memory alone may have none. */
    if (!rte_is_valid_assigned_ether_addr(&mac))
        rte_eth_random_addr(mac.addr_bytes);
    memcpy(port->mac, mac.addr_bytes, sizeof(port->mac));
    port->mtu_bytes = mtu;
    const uint32_t queues = (uint32_t)rj_min_i64(ret_info->max_rx_queues, ret_info->max_tx_queues);
    port->queue_count = (uint32_t)rj_min_i64(params->queue_count, queues);
    return 0;
}

/* --- queues --- */

static int take_buffers(rj_dpdk_port_t *port, rj_err_t *err)
{
    char name[RTE_MEMPOOL_NAMESIZE];
    const int64_t bytes =
        rj_align_up(RTE_PKTMBUF_HEADROOM + (int64_t)port->mtu_bytes + LINK_BYTES, 64);
    const int64_t room = rj_max_i64(bytes, RTE_MBUF_DEFAULT_BUF_SIZE);
    snprintf(name, sizeof(name), "rj_port%u", port->id);
    port->buffers = rte_pktmbuf_pool_create(
        name, port->queue_count * BUFFERS_PER_QUEUE, CACHE_PER_THREAD, 0,
        (uint16_t)rj_min_i64(room, BUFFER_BYTES_MAX), rte_eth_dev_socket_id(port->id));
    if (port->buffers == NULL)
        return rj_fail(err, -ENOMEM,
                       "DPDK port %s: %u buffers of %lld bytes do not fit into DPDK's memory: more "
                       "huge pages, or -m with more MiB",
                       port->name, port->queue_count * BUFFERS_PER_QUEUE, (long long)room);
    return 0;
}

static int set_up(rj_dpdk_port_t *port, const struct rte_eth_dev_info *info)
{
    const uint64_t sums = RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
    struct rte_eth_conf conf = {.rxmode = {.mq_mode = RTE_ETH_MQ_RX_NONE}};
    port->has_sums = (info->tx_offload_capa & sums) == sums;
    conf.txmode.offloads = port->has_sums ? sums : 0;
    conf.rxmode.offloads = info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
    if (port->queue_count > 1 && info->flow_type_rss_offloads != 0) {
        conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
        conf.rx_adv_conf.rss_conf.rss_hf =
            info->flow_type_rss_offloads & (RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP);
    }
    const uint16_t queues = (uint16_t)port->queue_count;
    uint16_t rx_descriptors = DESCRIPTORS;
    uint16_t tx_descriptors = DESCRIPTORS;
    int result = rte_eth_dev_configure(port->id, queues, queues, &conf);
    if (result == 0)
        result = rte_eth_dev_adjust_nb_rx_tx_desc(port->id, &rx_descriptors, &tx_descriptors);
    for (uint16_t queue = 0; result == 0 && queue < queues; queue++) {
        const unsigned int node = (unsigned int)rte_eth_dev_socket_id(port->id);
        result = rte_eth_rx_queue_setup(port->id, queue, rx_descriptors, node, NULL, port->buffers);
        if (result == 0)
            result = rte_eth_tx_queue_setup(port->id, queue, tx_descriptors, node, NULL);
    }
    return result;
}

static int on_removed(uint16_t id, enum rte_eth_event_type type, void *state, void *unused)
{
    rj_dpdk_port_t *port = state;
    (void)id;
    (void)type;
    (void)unused;
    /* Relaxed: a word by itself, pairs with the loads of rings and `look`. */
    __atomic_store_n(&port->is_removed, true, __ATOMIC_RELAXED);
    return 0;
}

/* Groups are sorted out by whoever has joined them, here or in the kernel. What does not filter has
 * nothing to switch, so that a refusal says nothing. */
static int start(rj_dpdk_port_t *port)
{
    int result = rte_eth_dev_start(port->id);
    if (result < 0)
        return result;
    port->is_started = true;
    (void)rte_eth_allmulticast_enable(port->id);
    (void)rte_eth_dev_callback_register(port->id, RTE_ETH_EVENT_INTR_RMV, on_removed, port);
    return 0;
}

/* --- the kernel's side --- */

static int join_kernel(rj_dpdk_port_t *port, const rj_dpdk_port_params_t *params,
                       const struct rte_eth_dev_info *info, rj_err_t *err)
{
    if (is_copied_to_the_kernel(info)) {
        port->interface_index = info->if_index;
        if (if_indextoname(info->if_index, port->interface_name) == NULL)
            return fail(port, -errno, "its interface", err);
        return 0;
    }
    const int result = rj_tap_open(&port->tap, params->tap_name, port->mac, port->mtu_bytes, err);
    if (result < 0)
        return rj_err_context(err, "DPDK port %s: ", port->name);
    port->interface_index = port->tap.interface_index;
    snprintf(port->interface_name, sizeof(port->interface_name), "%s", port->tap.name);
    return 0;
}

/* --- open, close --- */

int rj_dpdk_port_open(rj_dpdk_port_t *port, const rj_dpdk_port_params_t *params, rj_err_t *err)
{
    struct rte_eth_dev_info info;
    *port = (rj_dpdk_port_t){.id = params->id, .tap.fd = -1};
    int result = identify(port, params, &info, err);
    if (result == 0)
        result = rj_steer_table_open(&port->steering, port->mac, err);
    if (result == 0)
        result = take_buffers(port, err);
    if (result == 0 && (result = set_up(port, &info)) < 0)
        result = fail(port, result, "its queues", err);
    if (result == 0 && (result = start(port)) < 0)
        result = fail(port, result, "start", err);
    if (result == 0)
        result = join_kernel(port, params, &info, err);
    if (result < 0)
        rj_dpdk_port_close(port);
    return result;
}

void rj_dpdk_port_close(rj_dpdk_port_t *port)
{
    rj_tap_close(&port->tap);
    if (port->is_started) {
        (void)rte_eth_dev_callback_unregister(port->id, RTE_ETH_EVENT_INTR_RMV, on_removed, port);
        (void)rte_eth_dev_stop(port->id);
        (void)rte_eth_dev_close(port->id);
    }
    port->is_started = false;
    rte_mempool_free(port->buffers);
    port->buffers = NULL;
    rj_steer_table_close(&port->steering);
}

void rj_dpdk_port_look(rj_dpdk_port_t *port, rj_dpdk_port_look_t *ret_look)
{
    struct rte_eth_link link = {0};
    struct rte_eth_stats stats = {0};
    (void)rte_eth_link_get_nowait(port->id, &link);
    (void)rte_eth_stats_get(port->id, &stats);
    if (port->tap.fd >= 0)
        rj_tap_set_carrier(&port->tap, link.link_status == RTE_ETH_LINK_UP);
    *ret_look =
        (rj_dpdk_port_look_t){.is_there = !__atomic_load_n(&port->is_removed, __ATOMIC_RELAXED),
                              .has_link = link.link_status == RTE_ETH_LINK_UP,
                              .lost_full = stats.imissed,
                              .lost_other = stats.ierrors + stats.rx_nombuf};
}
