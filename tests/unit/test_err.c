/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

Test(err, keeps_the_code_and_puts_context_in_front)
{
    rj_err_t err;
    cr_assert_eq(rj_fail(&err, -EINVAL, "mtu %d is odd", 33), -EINVAL);
    cr_assert_eq(rj_err_context(&err, "uri: "), -EINVAL);
    cr_assert_str_eq(err.text, "uri: mtu 33 is odd");
}

Test(err, cuts_a_text_that_is_too_long_and_stays_terminated)
{
    rj_err_t err;
    char big[RJ_ERR_TEXT_MAX * 2];
    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    rj_fail(&err, -EIO, "%s", big);
    cr_assert_eq(strlen(err.text), RJ_ERR_TEXT_MAX - 1);
    rj_err_context(&err, "%s", big);
    cr_assert_eq(strlen(err.text), RJ_ERR_TEXT_MAX - 1);
}

Test(err, accepts_that_nobody_wants_the_text)
{
    cr_assert_eq(rj_fail(NULL, -ENOMEM, "gone"), -ENOMEM);
}
