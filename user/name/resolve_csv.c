/* SPDX-License-Identifier: Apache-2.0 */
#include "name/resolve_csv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ramjet/command.h>

/* --- answers --- */

static const rj_csv_row_t *find(const rj_resolver_csv_t *csv, const char *name)
{
    for (int i = 0; i < csv->row_count; i++) {
        if (strcmp(csv->rows[i].name, name) == 0)
            return &csv->rows[i];
    }
    return NULL;
}

/* What the row's name means now. Acquire: pairs with the release of the client that switched it. */
static int choose(const rj_csv_row_t *row, const char **ret_host, rj_err_t *err)
{
    const int64_t choice = row->choice == NULL ? RJ_CSV_FIRST : rj_load_acquire_i64(row->choice);
    if (choice < RJ_CSV_FIRST)
        return rj_fail_aeron(err, -EINVAL, RJ_ERROR_UNKNOWN_HOST,
                             "Unable to resolve host=(%s): (forced)", row->name);
    *ret_host = choice == RJ_CSV_FIRST ? row->first : row->other;
    return 0;
}

static int look_up(rj_resolver_t *resolver, const char *text, rj_resolve_reason_t reason,
                   char ret[static RJ_RESOLVER_TEXT_BYTES], rj_err_t *err)
{
    const rj_csv_row_t *row = find((const rj_resolver_csv_t *)resolver, text);
    const char *host;
    (void)reason; /* the word alone decides */
    if (row == NULL)
        return 0;
    const int result = choose(row, &host, err);
    if (result < 0)
        return result;
    snprintf(ret, RJ_RESOLVER_TEXT_BYTES, "%s", host);
    return 1;
}

/* A host of the table may be an address, which nobody needs to be asked for. */
static int resolve_host(const rj_resolver_csv_t *csv, const char *text, uint16_t family,
                        rj_resolve_reason_t reason, rj_address_t *ret, rj_err_t *err)
{
    rj_host_t host;
    const int result = rj_host_split(&host, text, strlen(text), err);
    if (result < 0)
        return result;
    const size_t length = strlen(host.name);
    if ((family != AF_INET6 && rj_address_parse_literal(ret, AF_INET, host.name, length)) ||
        (family != AF_INET && rj_address_parse_literal(ret, AF_INET6, host.name, length)))
        return 0;
    return csv->fallback->ops->resolve(csv->fallback, host.name, family, reason, ret, err);
}

static int resolve(rj_resolver_t *resolver, const char *host, uint16_t family,
                   rj_resolve_reason_t reason, rj_address_t *ret, rj_err_t *err)
{
    const rj_resolver_csv_t *csv = (const rj_resolver_csv_t *)resolver;
    const rj_csv_row_t *row = find(csv, host);
    if (row == NULL)
        return csv->fallback->ops->resolve(csv->fallback, host, family, reason, ret, err);
    const char *meant;
    const int result = choose(row, &meant, err);
    return result < 0 ? result : resolve_host(csv, meant, family, reason, ret, err);
}

static const rj_resolver_ops_t csv_ops = {
    .name = "csv_table",
    .lookup = look_up,
    .resolve = resolve,
};

/* --- the table --- */

/* Cuts the columns of one row; each has to be there. */
static int read_row(rj_csv_row_t *row, char *text, int number, rj_err_t *err)
{
    char *columns[3];
    for (int i = 0; i < 3; i++) {
        columns[i] = strsep(&text, ",");
        if (columns[i] == NULL || columns[i][0] == '\0' ||
            strlen(columns[i]) >= RJ_RESOLVER_TEXT_BYTES)
            return rj_fail(err, -EINVAL,
                           "row %d of the table of names: write it as name,host,other host",
                           number);
    }
    if (text != NULL)
        return rj_fail(err, -EINVAL, "row %d of the table of names has more than three columns",
                       number);
    *row = (rj_csv_row_t){.name = columns[0], .first = columns[1], .other = columns[2]};
    return 0;
}

static int read_rows(rj_resolver_csv_t *csv, rj_err_t *err)
{
    char *rest = csv->text;
    for (char *text; (text = strsep(&rest, "|")) != NULL;) {
        if (text[0] == '\0')
            continue; /* behind the last bar */
        if (csv->row_count == RJ_CSV_ROWS_MAX)
            return rj_fail(err, -EINVAL, "the table of names has more than %d rows",
                           RJ_CSV_ROWS_MAX);
        const int result = read_row(&csv->rows[csv->row_count], text, csv->row_count + 1, err);
        if (result < 0)
            return result;
        csv->row_count++;
    }
    return 0;
}

int rj_resolver_csv_open(rj_resolver_csv_t *csv, const char *table, rj_resolver_t *fallback,
                         rj_err_t *err)
{
    *csv = (rj_resolver_csv_t){.base.ops = &csv_ops, .fallback = fallback};
    csv->text = strdup(table);
    csv->rows = calloc(RJ_CSV_ROWS_MAX, sizeof(csv->rows[0]));
    int result = csv->text == NULL || csv->rows == NULL
                     ? rj_fail(err, -ENOMEM, "out of memory for a table of names")
                     : read_rows(csv, err);
    if (result < 0)
        rj_resolver_csv_close(csv);
    return result;
}

void rj_resolver_csv_close(rj_resolver_csv_t *csv)
{
    free(csv->text);
    free(csv->rows);
    *csv = (rj_resolver_csv_t){.base.ops = &csv_ops};
}
