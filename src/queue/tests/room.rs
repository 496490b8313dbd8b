//! The descriptor of [`SharedQueue`](super::super::shared::SharedQueue) that tells whether there is room.

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use proptest::prelude::*;

use super::super::shared::SharedQueue;
use super::*;
use crate::core::offered::Offered;

#[derive(Debug, Clone)]
enum Operation {
    Offer(usize),
    Reserve,
    ReserveLine,
    Ack,
    Release,
    Stop,
}

fn operation() -> impl Strategy<Value = Operation> {
    use Operation::*;
    prop_oneof![
        8 => (1usize..9).prop_map(Offer),
        4 => Just(Reserve),
        2 => Just(ReserveLine),
        2 => Just(Ack),
        2 => Just(Release),
        1 => Just(Stop),
    ]
}

const READY: usize = 20;

proptest! {
    #![proptest_config(same_cases_each_time(300))]

    #[test]
    fn a_reader_that_waits_for_room_is_woken_when_there_is_room_and_never_in_vain(
        operations in prop::collection::vec(operation(), 1..120)
    ) {
        let limits = Limits { lease: None, ready_bytes: READY, leased_bytes: 1 << 10, ..Limits::default() };
        let queue = SharedQueue::new(limits, None).unwrap();
        let is_readable = || poll(&mut [PollFd::new(queue.room(), PollFlags::POLLIN)], PollTimeout::ZERO) == Ok(1);
        let (mut stopped, mut leases, mut offset) = (false, Vec::new(), 0);
        for operation in operations {
            match operation {
                Operation::Offer(length) => {
                    let offered = batch(offset, &[&vec![b'x'; length][..], b"\n"].concat());
                    offset += offered.data.len() as u64;
                    let ready = queue.held_bytes().0;
                    let told = is_readable();
                    let answer = queue.offer(offered.clone());
                    let expected = match (stopped, ready < READY) {
                        (true, _) => Offered::Stopped,
                        (false, true) => Offered::Taken,
                        (false, false) => Offered::Full(offered),
                    };
                    prop_assert_eq!(&answer, &expected);
                    prop_assert!(!told || !matches!(answer, Offered::Full(_)), "a reader was woken in vain");
                }
                Operation::Reserve | Operation::ReserveLine => {
                    let reserved = match operation {
                        Operation::Reserve => queue.reserve(1),
                        _ => queue.reserve_line(1, is_not_empty),
                    };
                    if let Reserved::Batch(lease, _) = reserved {
                        leases.push(lease);
                    }
                }
                Operation::Ack => {
                    let lease = leases.pop();
                    lease.map(|lease| queue.ack(&[Ack { lease, tally: Tally::default() }]));
                }
                Operation::Release => drop(leases.pop().map(|lease| queue.release(&[lease]))),
                Operation::Stop => {
                    stopped = true;
                    queue.stop();
                }
            }
            if stopped || queue.held_bytes().0 <= READY * 3 / 4 {
                prop_assert!(is_readable(), "a reader that waits for room would wait for ever");
            }
        }
    }
}
