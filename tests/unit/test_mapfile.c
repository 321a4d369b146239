/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mapfile.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[64];
static char path[128];

static void make_directory(void)
{
    strcpy(directory, "/tmp/rj-mapfile-XXXXXX");
    cr_assert_not_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/file", directory);
}

static void remove_directory(void)
{
    unlink(path);
    rmdir(directory);
}

TestSuite(mapfile, .init = make_directory, .fini = remove_directory);

Test(mapfile, shows_one_mapping_what_another_wrote)
{
    rj_mapfile_t writer, reader;
    cr_assert_eq(rj_mapfile_create(&writer, path, 8192, RJ_MAPFILE_SPARSE, NULL), 0);
    for (int i = 0; i < 8192; i++)
        cr_assert_eq(writer.bytes[i], 0);
    cr_assert_eq(rj_mapfile_open(&reader, path, 8192, RJ_MAPFILE_READ_ONLY, NULL), 0);
    cr_assert_eq(reader.length_bytes, 8192);
    writer.bytes[8191] = 7;
    cr_assert_eq(reader.bytes[8191], 7);
    cr_assert_eq(rj_mapfile_sync(&writer), 0);
    rj_mapfile_close(&writer);
    rj_mapfile_close(&writer);
    rj_mapfile_close(&reader);
}

Test(mapfile, never_takes_over_a_file_that_exists)
{
    rj_mapfile_t first, second;
    rj_err_t err;
    cr_assert_eq(rj_mapfile_create(&first, path, 4096, RJ_MAPFILE_SPARSE, NULL), 0);
    cr_assert_eq(rj_mapfile_create(&second, path, 4096, RJ_MAPFILE_SPARSE, &err), -EEXIST);
    cr_assert_not_null(strstr(err.text, path));
    cr_assert_eq(access(path, F_OK), 0, "the other's file must stay");
    rj_mapfile_close(&first);
}

Test(mapfile, reserves_space_when_asked_to_and_not_before)
{
    rj_mapfile_t file;
    struct stat status;
    cr_assert_eq(rj_mapfile_create(&file, path, 1 << 20, RJ_MAPFILE_SPARSE, NULL), 0);
    cr_assert_eq(stat(path, &status), 0);
    cr_assert_lt(status.st_blocks * 512, 1 << 20);
    rj_mapfile_close(&file);
    unlink(path);
    cr_assert_eq(rj_mapfile_create(&file, path, 1 << 20, RJ_MAPFILE_ALLOCATED, NULL), 0);
    cr_assert_eq(stat(path, &status), 0);
    cr_assert_geq(status.st_blocks * 512, 1 << 20);
    rj_mapfile_close(&file);
}

Test(mapfile, leaves_nothing_behind_when_it_fails)
{
    rj_mapfile_t file;
    rj_err_t err;
    cr_assert_lt(rj_mapfile_create(&file, path, INT64_MAX, RJ_MAPFILE_ALLOCATED, &err), 0);
    cr_assert_null(file.bytes);
    cr_assert_neq(access(path, F_OK), 0);
    cr_assert_eq(rj_mapfile_create(&file, path, 0, RJ_MAPFILE_SPARSE, &err), -EINVAL);
    cr_assert_neq(access(path, F_OK), 0);
}

Test(mapfile, says_what_is_wrong_with_a_file)
{
    rj_mapfile_t file;
    rj_err_t err;
    cr_assert_eq(rj_mapfile_open(&file, path, 1, RJ_MAPFILE_READ_ONLY, &err), -ENOENT);
    cr_assert_eq(rj_mapfile_open(&file, directory, 1, RJ_MAPFILE_READ_ONLY, &err), -EINVAL);
    cr_assert_eq(mkfifo(path, 0600), 0);
    cr_assert_eq(rj_mapfile_open(&file, path, 1, RJ_MAPFILE_READ_ONLY, &err), -EINVAL);
    unlink(path);
    cr_assert_eq(rj_mapfile_create(&file, path, 4096, RJ_MAPFILE_SPARSE, NULL), 0);
    rj_mapfile_close(&file);
    cr_assert_eq(rj_mapfile_open(&file, path, 4097, RJ_MAPFILE_READ_WRITE, &err), -ENODATA);
    cr_assert_eq(truncate(path, 0), 0);
    cr_assert_eq(rj_mapfile_open(&file, path, 0, RJ_MAPFILE_READ_WRITE, &err), -ENODATA);
    cr_assert_null(file.bytes);
}
