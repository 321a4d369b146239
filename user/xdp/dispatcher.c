/* SPDX-License-Identifier: Apache-2.0 */
#include "xdp/dispatcher.h"

#include "xdp/libbpf_log.h"

#include <slot.skel.h>

#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <xdp/libxdp.h>

/* One object, opened twice: the guest can only be loaded when its host has been. */
static int try_replacing(struct slot *host, struct slot *guest)
{
    bpf_program__set_autoload(host->progs.rj_slot_guest, false);
    bpf_program__set_autoload(guest->progs.rj_slot_host, false);
    int code = slot__load(host);
    if (code == 0)
        code = bpf_program__set_attach_target(guest->progs.rj_slot_guest,
                                              bpf_program__fd(host->progs.rj_slot_host), "rj_slot");
    return code == 0 ? slot__load(guest) : code;
}

int rj_dispatcher_probe(rj_err_t *err)
{
    rj_libbpf_log_init();
    struct slot *host = slot__open();
    struct slot *guest = slot__open();
    int code = host == NULL || guest == NULL ? -ENOMEM : try_replacing(host, guest);
    slot__destroy(host);
    slot__destroy(guest);
    if (code == 0)
        return 0;
    return rj_fail(err, -EOPNOTSUPP,
                   "libxdp's dispatcher cannot run here, the kernel refuses its kind of programs "
                   "(%s): leave --dispatcher out",
                   strerror(-code));
}

static enum xdp_attach_mode to_libxdp(enum rj_xdp_mode mode)
{
    return mode == RJ_XDP_MODE_GENERIC ? XDP_MODE_SKB : XDP_MODE_NATIVE;
}

/* The program of that number in the interface's dispatcher, or NULL; it belongs to `multi`. */
static struct xdp_program *find(struct xdp_multiprog *multi, uint32_t program_id)
{
    struct xdp_program *program = NULL;
    if (xdp_multiprog__is_legacy(multi))
        return NULL;
    while ((program = xdp_multiprog__next_prog(program, multi)) != NULL)
        if (xdp_program__id(program) == program_id)
            return program;
    return NULL;
}

bool rj_dispatcher_has(uint32_t interface_index, uint32_t program_id)
{
    rj_libbpf_log_init();
    struct xdp_multiprog *multi = xdp_multiprog__get_from_ifindex((int)interface_index);
    if (libxdp_get_error(multi) != 0)
        return false;
    bool has = find(multi, program_id) != NULL;
    xdp_multiprog__close(multi);
    return has;
}

static int attach(struct xdp_program *program, uint32_t interface_index, enum rj_xdp_mode mode,
                  rj_err_t *err)
{
    int code = xdp_program__attach(program, (int)interface_index, to_libxdp(mode), 0);
    if (code != 0)
        return rj_fail(err, code, "libxdp cannot attach in %s mode: %s",
                       mode == RJ_XDP_MODE_GENERIC ? "generic" : "native", strerror(-code));
    if (rj_dispatcher_has(interface_index, xdp_program__id(program)))
        return fcntl(xdp_program__fd(program), F_DUPFD_CLOEXEC, 0);
    xdp_program__detach(program, (int)interface_index, to_libxdp(mode), 0);
    return rj_fail(err, -EOPNOTSUPP,
                   "libxdp attached without its dispatcher, which was taken back: leave "
                   "--dispatcher out");
}

int rj_dispatcher_attach(struct bpf_object *object, const char *section, uint32_t interface_index,
                         enum rj_xdp_mode mode, rj_err_t *err)
{
    rj_libbpf_log_init();
    struct xdp_program *program = xdp_program__from_bpf_obj(object, section);
    int code = (int)libxdp_get_error(program);
    if (code != 0)
        return rj_fail(err, code, "libxdp cannot take the steering program: %s", strerror(-code));
    code = attach(program, interface_index, mode, err);
    xdp_program__close(program);
    return code;
}

int rj_dispatcher_detach(uint32_t interface_index, uint32_t program_id, rj_err_t *err)
{
    rj_libbpf_log_init();
    struct xdp_multiprog *multi = xdp_multiprog__get_from_ifindex((int)interface_index);
    if (libxdp_get_error(multi) != 0)
        return 0;
    struct xdp_program *program = find(multi, program_id);
    int code = program == NULL ? 0
                               : xdp_program__detach(program, (int)interface_index,
                                                     xdp_multiprog__attach_mode(multi), 0);
    xdp_multiprog__close(multi);
    if (code != 0)
        return rj_fail(err, code, "libxdp cannot detach: %s", strerror(-code));
    return 0;
}
