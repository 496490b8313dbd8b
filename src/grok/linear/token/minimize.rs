//! Minimizes a DFA: states that behave alike become one. A smaller table stays in the processor's fastest cache.

use std::collections::HashMap;

use super::explore::Edge;

/// Returns the rows of the minimal DFA, and for each old state its new number. All rows have the same length.
///
/// This is Hopcroft's algorithm. It splits classes of states until, in each class, every symbol leads to one class.
/// When it splits a class, it must look again only at the smaller half.
pub(super) fn minimize(rows: &[Vec<Edge>]) -> (Vec<Vec<Edge>>, Vec<u32>) {
    let symbols = rows.first().map_or(0, Vec::len);
    let dead = rows.len();
    let target = |state: usize, symbol: usize| {
        rows.get(state).and_then(|row| row[symbol].next).map_or(dead, |next| next as usize)
    };
    let mut from: Vec<Vec<u32>> = vec![Vec::new(); (dead + 1) * symbols];
    for state in 0..=dead {
        for symbol in 0..symbols {
            from[target(state, symbol) * symbols + symbol].push(state as u32);
        }
    }
    // At first, states with the same ending symbols form a class. The dead state has a class of its own.
    let mut numbers: HashMap<Vec<bool>, usize> = HashMap::new();
    let mut members: Vec<Vec<u32>> = Vec::new();
    let mut class_of = vec![0usize; dead + 1];
    for (state, class) in class_of.iter_mut().enumerate() {
        let ends: Vec<bool> = rows.get(state).map_or(Vec::new(), |row| row.iter().map(|edge| edge.ends).collect());
        *class = *numbers.entry(ends).or_insert_with(|| {
            members.push(Vec::new());
            members.len() - 1
        });
        members[*class].push(state as u32);
    }
    let mut open: Vec<(usize, usize)> =
        (0..members.len()).flat_map(|class| (0..symbols).map(move |symbol| (class, symbol))).collect();
    let mut is_open = vec![true; members.len() * symbols];
    while let Some((splitter, symbol)) = open.pop() {
        is_open[splitter * symbols + symbol] = false;
        let mut leading: HashMap<usize, Vec<u32>> = HashMap::new();
        for &state in &members[splitter] {
            for &before in &from[state as usize * symbols + symbol] {
                leading.entry(class_of[before as usize]).or_default().push(before);
            }
        }
        for (class, some) in leading {
            if some.len() == members[class].len() {
                continue;
            }
            let new = members.len();
            for &state in &some {
                class_of[state as usize] = new;
            }
            members[class].retain(|&state| class_of[state as usize] == class);
            members.push(some);
            is_open.resize(members.len() * symbols, false);
            for symbol in 0..symbols {
                let smaller = if members[class].len() < members[new].len() { class } else { new };
                let again = if is_open[class * symbols + symbol] { new } else { smaller };
                if !std::mem::replace(&mut is_open[again * symbols + symbol], true) {
                    open.push((again, symbol));
                }
            }
        }
    }
    // The class of the dead state has no row. The other classes keep the order of their first states.
    let mut number: HashMap<usize, u32> = HashMap::new();
    let mut order: Vec<usize> = Vec::new();
    for (state, &class) in class_of[..dead].iter().enumerate() {
        number.entry(class).or_insert_with(|| {
            order.push(state);
            order.len() as u32 - 1
        });
    }
    let renamed = |edge: &Edge| Edge {
        ends: edge.ends,
        next: edge.next.and_then(|next| number.get(&class_of[next as usize]).copied()),
    };
    let small = order.iter().map(|&state| rows[state].iter().map(renamed).collect()).collect();
    (small, class_of[..dead].iter().map(|class| number[class]).collect())
}
