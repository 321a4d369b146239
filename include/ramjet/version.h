/* SPDX-License-Identifier: Apache-2.0 */
/* version.h - which release this is, as `ramjet --version` prints it.
 *
 * Units      three plain numbers; a change of the first may break callers.
 * Ownership  none.  Thread any.  Errors none.
 */
#ifndef RAMJET_VERSION_H
#define RAMJET_VERSION_H

#define RJ_VERSION_MAJOR 0
#define RJ_VERSION_MINOR 1
#define RJ_VERSION_PATCH 0
#define RJ_VERSION_TEXT  "0.1.0"

/* The release of the reference whose behaviour this one keeps. */
#define RJ_AERON_VERSION_MAJOR 1
#define RJ_AERON_VERSION_MINOR 53
#define RJ_AERON_VERSION_PATCH 0
#define RJ_AERON_VERSION_TEXT  "1.53.0"

#endif
