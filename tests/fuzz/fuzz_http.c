/* SPDX-License-Identifier: Apache-2.0 */
/* What a server may answer to who asks it for a property file, and where it may send him. */
#include <assert.h>

#include "cli/http_get.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_url(const char *text)
{
    url_t url;
    rj_err_t err = {.text = ""};
    if (parse_url(&url, text, &err) < 0) {
        assert(err.text[0] != '\0');
        return;
    }
    assert(url.host[0] != '\0' && url.port[0] != '\0' && url.path[0] == '/');
    assert(is_clean(url.host) && is_clean(url.path));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    url_t url = {.host = "host", .port = "80", .path = "/"};
    rj_err_t err = {.text = ""};
    answer_t answer = {.bytes = malloc(size + 1), .length = size};
    memcpy(answer.bytes, data, size);
    answer.bytes[size] = '\0';
    check_url(answer.bytes);
    if (parse_head(&answer, &err) == 0) {
        assert(answer.body <= size);
        if (!is_redirect(answer.status))
            (void)check_body(&answer, &err);
        else if (follow(&url, &answer, &err) == 0)
            assert(url.path[0] == '/' && is_clean(url.path) && is_clean(url.host));
    }
    free(answer.bytes);
    return 0;
}
