/* SPDX-License-Identifier: Apache-2.0 */
/* ping_channels.h - where ping and pong meet unless told otherwise.
 *
 * Units      none.  Ownership none.  Thread any.  Errors none.
 */
#ifndef RJ_CLI_PING_CHANNELS_H
#define RJ_CLI_PING_CHANNELS_H

#define RJ_PING_CHANNEL "aeron:udp?endpoint=localhost:20123"
#define RJ_PONG_CHANNEL "aeron:udp?endpoint=localhost:20124"

enum { RJ_PING_STREAM_ID = 1002, RJ_PONG_STREAM_ID = 1003 };

#endif
