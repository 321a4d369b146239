/* SPDX-License-Identifier: Apache-2.0 */
/* resolve_csv.h - names from a table that whoever watches the driver can switch while it runs.
 *
 *     name,host,other host|name,host,other host|...
 *
 * Made for tests of what happens when the address behind a name changes: each row has a word,
 * shared with clients, which says what the name means now. A name may be the whole text of an
 * `endpoint` or `control`, and then its hosts are `host:port`; or the host in it (driver.md 4).
 *
 * Units      none.
 * Ownership  a copy of the table on the heap; the words are the caller's and outlive the resolver.
 * Thread     the helper's; clients write the words.
 * Errors     open: -EINVAL for a row that has not three columns, -ENOMEM.
 */
#ifndef RJ_NAME_RESOLVE_CSV_H
#define RJ_NAME_RESOLVE_CSV_H

#include "base/atomic.h"
#include "name/resolver.h"

enum { RJ_CSV_ROWS_MAX = 256 };

/* What a row's word says: anything above is the other host, anything below a failure. */
enum {
    RJ_CSV_FAILS = -1,
    RJ_CSV_FIRST = 0,
    RJ_CSV_OTHER = 1,
};

typedef struct rj_csv_row {
    const char *name;
    const char *first;
    const char *other;
    const rj_shared_i64_t *choice; /* NULL: the first */
} rj_csv_row_t;

typedef struct rj_resolver_csv {
    rj_resolver_t base; /* first member */
    rj_resolver_t *fallback;
    char *text;
    rj_csv_row_t *rows;
    int row_count;
} rj_resolver_csv_t;

/* Reads the table; `fallback` knows all other names, and the hosts of the table. */
int rj_resolver_csv_open(rj_resolver_csv_t *csv, const char *table, rj_resolver_t *fallback,
                         rj_err_t *err);

/* Safe on one that is zeroed. */
void rj_resolver_csv_close(rj_resolver_csv_t *csv);

#endif
