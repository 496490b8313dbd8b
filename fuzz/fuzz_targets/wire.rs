//! Parses any bytes as a request or a reply: no panic, and a parsed message is encoded to the bytes it was read from.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use logator::net::wire::{ErrorCode, Reply, Request};

fuzz_target!(|input: &[u8]| {
    if let Ok(request) = Request::decode(input) {
        assert_eq!(request.encode(), input);
    }
    let split = input.first().map_or(0, |&byte| usize::from(byte)).min(input.len());
    let (frame, data) = input.split_at(split);
    if let Ok(reply) = Reply::decode(frame, Some(Bytes::copy_from_slice(data))) {
        // A code of a later version is read as the most similar known code.
        if !matches!(reply, Reply::Error(ErrorCode::Malformed, _)) {
            assert_eq!(reply.encode(), frame);
        }
    }
});
