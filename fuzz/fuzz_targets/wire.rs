//! Parses any bytes as a request or a reply: no panic, and a parsed message arrives unchanged when it is sent again.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use logator::net::wire::{Reply, Request};

fuzz_target!(|input: &[u8]| {
    if let Ok(request) = Request::decode(input) {
        assert_eq!(Request::decode(&request.encode()), Ok(request));
    }
    let split = input.first().map_or(0, |&byte| usize::from(byte)).min(input.len());
    let (frame, data) = input.split_at(split);
    let data = Some(Bytes::copy_from_slice(data));
    if let Ok(reply) = Reply::decode(frame, data.clone()) {
        assert_eq!(Reply::decode(&reply.encode(), data), Ok(reply));
    }
});
