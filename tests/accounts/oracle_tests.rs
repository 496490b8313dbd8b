//! Tests that the oracle finds lost, doubled and miscounted lines, and that it finds nothing in a correct account.

use std::time::Duration;

use logator::core::record::RecordId;
use logator::observe::counters::{READ, Snapshot};
use logator::observe::receipt::{Receipt, StoppedInput, Tally};

use super::oracle::{Account, Attempt, Content, Cuts, Dues, Fate, Found, Store, add, judge, lines_of, parts_of};

fn receipt(tally: Tally) -> Receipt {
    let mut counts = Snapshot::default().with(&READ, tally.total());
    counts.add_tally(tally);
    Receipt::new(&counts, Duration::ZERO, Vec::new())
}

/// Ten lines in a file and a database. One of them is a letter, and one is dropped.
fn good() -> Account {
    let mut account = Account::default();
    for number in 0..10 {
        let fate = match number {
            3 => Fate::Letter,
            5 => Fate::Filtered,
            _ => Fate::Stored,
        };
        add(&mut account.dues, number.to_string(), fate, 1);
    }
    let found: Found = [0, 1, 2, 4, 6, 7, 8, 9].map(|number: u32| (number.to_string(), 1)).into();
    for (name, knows) in [("file", false), ("database", true)] {
        account.stores.push(Store { name: name.to_owned(), knows, refuses: false, found: found.clone() });
    }
    account.letters = [("3".to_owned(), 1)].into();
    let tally = Tally { stored: 8, dead_lettered: 1, filtered: 1, ..Tally::default() };
    let attempt = Attempt {
        code: Some(1),
        receipt: Some(receipt(tally)),
        documents: vec![8, 8],
        places: vec![found.clone(), found, account.letters.clone()],
        letters: 1,
        ..Attempt::default()
    };
    account.attempts = vec![attempt];
    account
}

/// Returns the faults that are found after `change`, in one text.
fn found(change: impl FnOnce(&mut Account)) -> String {
    let mut account = good();
    change(&mut account);
    judge(&account).join("\n")
}

#[test]
fn a_true_account_is_true() {
    assert_eq!(found(|_| {}), "");
}

#[test]
fn what_is_lost_in_any_place_is_found() {
    for index in 0..2 {
        let words = found(|account| _ = account.stores[index].found.remove("7"));
        assert!(words.contains("lost: 1 of 10 lines, as 7 (0 of 1)"), "{words}");
    }
    let words = found(|account| account.letters.clear());
    assert!(words.contains("letters: lost: 1"), "{words}");
}

#[test]
fn what_is_doubled_in_any_place_is_found() {
    for index in 0..2 {
        let words = found(|account| *account.stores[index].found.get_mut("7").unwrap() += 1);
        assert!(words.contains("doubled: 1 of 10 lines, as 7 (2 of 1)"), "{words}");
    }
    let words = found(|account| *account.letters.get_mut("3").unwrap() += 1);
    assert!(words.contains("letters: doubled"), "{words}");
}

#[test]
fn what_is_in_the_wrong_place_is_found() {
    let both = found(|account| _ = account.letters.insert("2".to_owned(), 1));
    assert!(both.contains("letters: doubled: 1 of 10 lines, as 2"), "{both}");
    let dropped = found(|account| _ = account.stores[0].found.insert("5".to_owned(), 1));
    assert!(dropped.contains("file: doubled: 1 of 10 lines, as 5 (1 of 0)"), "{dropped}");
    let strange = found(|account| _ = account.stores[1].found.insert("from elsewhere".to_owned(), 1));
    assert!(strange.contains("database: of no line: 1"), "{strange}");
}

#[test]
fn a_file_may_hold_lines_twice_only_when_something_was_killed() {
    let twice = |account: &mut Account| *account.stores[0].found.get_mut("7").unwrap() = 2;
    let words = found(|account| {
        twice(account);
        account.may_double = true;
    });
    assert_eq!(words, "");
    let words = found(|account| {
        account.may_double = true;
        *account.stores[1].found.get_mut("7").unwrap() = 2;
    });
    assert!(words.contains("database: doubled"), "{words}");
}

#[test]
fn a_receipt_that_counts_otherwise_is_found() {
    let changes: [fn(&mut Receipt); 7] = [
        |receipt| receipt.read += 1,
        |receipt| receipt.agrees = false,
        |receipt| receipt.finished = false,
        |receipt| receipt.tally.dead_lettered = 0,
        |receipt| {
            receipt.tally.stored += 1;
            receipt.tally.filtered -= 1;
        },
        |receipt| {
            receipt.tally.stored -= 1;
            receipt.tally.duplicate += 1;
            receipt.tally.filtered -= 1;
            receipt.read -= 1;
        },
        |receipt| receipt.stopped.push(StoppedInput { name: "a".to_owned(), offset: None }),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let words = found(|account| {
            let receipt = account.attempts[0].receipt.as_mut().unwrap();
            change(receipt);
            *receipt = receipt.clone().with_rest(receipt.stopped.clone(), Vec::new());
        });
        assert_ne!(words, "", "change {number}");
    }
}

#[test]
fn an_exit_code_that_is_not_true_is_found() {
    for code in [Some(0), Some(2), Some(3), Some(101), None] {
        let words = found(|account| account.attempts[0].code = code);
        assert_ne!(words, "", "{code:?}");
    }
    assert_ne!(found(|account| account.attempts[0].hung = true), "");
    assert_ne!(found(|account| account.attempts[0].receipt = None), "");
}

#[test]
fn a_run_that_writes_a_document_again_is_found_also_when_the_next_may() {
    for nth in 0..3 {
        let words = found(|account| {
            account.may_double = true;
            let key = if nth == 2 { "3" } else { "7" };
            *account.attempts[0].places[nth].get_mut(key).unwrap() = 2;
        });
        assert!(words.contains("attempt 1: ") && words.contains("1 documents were written again"), "{nth}: {words}");
    }
}

/// A signal ended the run: fewer documents may be there, but never other ones than the receipt says.
#[test]
fn a_run_that_was_stopped_has_stored_what_it_counts() {
    let stop = |account: &mut Account| {
        for store in &mut account.stores {
            store.found.retain(|key, _| key.as_str() < "4");
        }
        account.letters.clear();
        let tally = Tally { stored: 3, ..Tally::default() };
        let receipt =
            receipt(tally).with_rest(vec![StoppedInput { name: "a".to_owned(), offset: Some(40) }], Vec::new());
        let attempt = &mut account.attempts[0];
        *attempt = Attempt { code: Some(3), receipt: Some(receipt), documents: vec![3, 3], ..Attempt::default() };
    };
    assert_eq!(found(stop), "");
    let zero = found(|account| {
        stop(account);
        account.attempts[0].code = Some(0);
        account.attempts[0].receipt.as_mut().unwrap().finished = true;
    });
    assert!(zero.contains("file: lost: 5 of 10 lines"), "{zero}");
    let missing = found(|account| {
        stop(account);
        account.attempts[0].documents[0] = 2;
    });
    assert!(missing.contains("3 are stored, and 2 documents are new"), "{missing}");
    let disturbed = found(|account| {
        stop(account);
        account.attempts[0].undisturbed = true;
    });
    assert!(disturbed.contains("nothing disturbed it"), "{disturbed}");
}

fn id(origin: u64, offset: u64, line: &[u8]) -> String {
    RecordId::at(origin, offset, line).to_string()
}

fn dues(content: &Content, seen: &[String]) -> Vec<String> {
    let mut dues = Dues::new();
    lines_of(content, |id| seen.iter().any(|seen| seen == id), |_| Fate::Stored, &mut dues);
    dues.into_keys().collect()
}

fn content(bytes: &[u8]) -> Content {
    Content { origin: 7, bytes: bytes.to_vec(), required: bytes.len(), cuts: Cuts::default(), times: 1 }
}

#[test]
fn every_line_of_a_content_is_due_whatever_its_end_is() {
    let all = [id(7, 0, b"a"), id(7, 2, b""), id(7, 3, b"b"), id(7, 6, b"c")];
    assert_eq!(dues(&content(b"a\n\nb\r\nc"), &[]), all);
    assert_eq!(dues(&content(b""), &[]), [""; 0]);
}

#[test]
fn a_line_in_parts_is_due_in_these_parts_only_where_it_may_be() {
    let mut cut = content(b"one\ntwo and more\nthree\n");
    let parts = [id(7, 0, b"one"), id(7, 4, b"two"), id(7, 7, b" and more"), id(7, 17, b"three")];
    assert_ne!(dues(&cut, &parts), parts);
    cut.cuts = Cuts::At(vec![7]);
    assert_eq!(dues(&cut, &parts), parts);
    assert_eq!(parts_of(&cut)[..2], parts[1..3]);
    cut.cuts = Cuts::Beyond(6);
    assert_eq!(dues(&cut, &parts), parts);
    // Only the newline came later.
    let whole = [id(7, 0, b"one"), id(7, 4, b"two and more"), id(7, 17, b"three")];
    assert_eq!(dues(&cut, &whole), whole);
}

#[test]
fn what_was_left_unread_is_not_due_and_what_is_beyond_it_neither() {
    let mut left = content(b"one\ntwo\nthree\n");
    left.required = 4;
    assert_eq!(dues(&left, &[]), [id(7, 0, b"one")]);
    assert_eq!(dues(&left, &[id(7, 4, b"two")]), [id(7, 0, b"one"), id(7, 4, b"two")]);
    // There is a gap before this line, so it does not belong to the lines that were read.
    assert_eq!(dues(&left, &[id(7, 8, b"three")]), [id(7, 0, b"one")]);
}
