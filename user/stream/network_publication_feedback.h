/* SPDX-License-Identifier: Apache-2.0 */
/* network_publication_feedback.h - what the two engine-side sources of a publication share.
 *
 * Units      as in publication.h.
 * Ownership  none.
 * Thread     the publication's engine.
 * Errors     none.
 */
#ifndef RJ_STREAM_NETWORK_PUBLICATION_FEEDBACK_H
#define RJ_STREAM_NETWORK_PUBLICATION_FEEDBACK_H

#include "stream/network_publication.h"

/* Stores a new sender limit, here and in the counter, when it differs. */
void rj_network_publication_set_limit(rj_network_publication_t *publication, int64_t snd_lmt);

/* Forgets receivers that have been silent for the connection timeout, and tells the conductor
 * whether any are left and whether flow control is content. */
void rj_network_publication_expire_receivers(rj_network_publication_t *publication, int64_t now_ns);

#endif
