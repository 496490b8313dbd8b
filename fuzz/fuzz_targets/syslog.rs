//! Parses any bytes as a stream of syslog messages, read in pieces of any size, and unwraps each message. There must be
//! no panic. The messages must not depend on the pieces, and an opened message must be the end of its frame.
#![no_main]

use libfuzzer_sys::fuzz_target;
use logator::envelope::{Envelope, Opener};
use logator::source::syslog::frame::{Broken, Frame, Framer, Garbage};

fn told<'a>(max_line: usize, reads: impl Iterator<Item = &'a [u8]>) -> (Vec<(Vec<u8>, u64)>, Option<Garbage>) {
    let mut framer = Framer::new(max_line);
    let mut messages = Vec::new();
    let mut take = |frame: Frame<'_>| {
        messages.push(match frame {
            Frame::Message(message) => (message.to_vec(), message.len() as u64),
            Frame::Long(long) => (long.beginning, long.length),
        });
        Ok::<(), ()>(())
    };
    for read in reads {
        match framer.push(read, &mut take) {
            Ok(()) => {}
            Err(Broken::Garbage(garbage)) => return (messages, Some(garbage)),
            Err(Broken::Taker(())) => panic!("it takes all"),
        }
    }
    framer.finish(&mut take).expect("it takes all");
    (messages, None)
}

fuzz_target!(|input: &[u8]| {
    let [max_line, piece, stream @ ..] = input else { return };
    let (max_line, piece) = (usize::from(*max_line) + 1, usize::from(*piece) + 1);
    let whole = told(max_line, std::iter::once(stream));
    assert_eq!(told(max_line, stream.chunks(piece)), whole);
    for ecs in [false, true] {
        let mut opener = Opener::new(ecs).expect("its date formats are right");
        for (message, _) in &whole.0 {
            for envelope in [Envelope::None, Envelope::Json, Envelope::Syslog] {
                let opened = opener.open(envelope, message, 1_700_000_000_000);
                assert!(opened.is_enveloped || opened.message == message);
                assert!(envelope == Envelope::Json || message.ends_with(opened.message));
            }
        }
    }
});
