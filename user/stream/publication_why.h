/* SPDX-License-Identifier: Apache-2.0 */
/* publication_why.h - why a publication is not connected, or its publisher has to wait.
 *
 * Pure functions of what conductor and engine know of it at this moment.
 *
 * Units      none.
 * Ownership  none.
 * Thread     the conductor's.
 * Errors     none.
 */
#ifndef RJ_STREAM_PUBLICATION_WHY_H
#define RJ_STREAM_PUBLICATION_WHY_H

#include "shm/why.h"
#include "stream/ipc_publication.h"
#include "stream/network_publication.h"

rj_why_t rj_network_publication_why(const rj_network_publication_t *publication);
rj_why_t rj_ipc_publication_why(const rj_ipc_publication_t *publication);

#endif
