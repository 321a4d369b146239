/* SPDX-License-Identifier: Apache-2.0 */
//! What the two programs of this package share: the protocol of ../README.md, the work of senders
//! and receivers, and the messages. `client` says what a library has to offer for it.

pub mod client;
pub mod json;
pub mod messages;
pub mod receiver;
pub mod request;
pub mod sender;
pub mod server;
