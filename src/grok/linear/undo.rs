//! Finds the captures whose old values need no record for backtracking.
//!
//! When a way fails, its captures must be undone. In general, the machine pushes each old value onto the stack. Most
//! captures do not need that. If a capture is set at one place of the expression, outside of every loop, it is set at
//! most once on any way. Its old value is always "unset". So its instruction becomes a plain store ([`Op::Mark`]). When
//! the machine resumes a choice, it unsets all such captures that lie after the choice. A choice inside a capture lies
//! between the capture's start and its end, so only the end is unset.

use super::op::{At, Code, Op};

/// The most work, as instructions times slots. Beyond it, every capture keeps its record.
const MAX_WORK: usize = 1 << 22;

/// Finds these captures, turns their instructions into [`Op::Mark`], and inserts instructions that unset them where
/// choices are resumed.
pub(super) fn mark(code: &mut Code) {
    let saved =
        code.ops.iter().filter_map(|op| if let Op::Save { slot, .. } = op { Some(*slot as usize + 1) } else { None });
    let slots = saved.max().unwrap_or(0);
    if slots == 0 || code.ops.len() * slots > MAX_WORK {
        return;
    }
    let graph = Graph::new(code);
    let mut set_at: Vec<[Option<bool>; 2]> = vec![[None; 2]; slots.div_ceil(2)];
    for (at, op) in code.ops.iter().enumerate() {
        if let Op::Save { slot, .. } = op {
            let known = &mut set_at[*slot as usize / 2][*slot as usize % 2];
            *known = Some(known.is_none() && !graph.in_loop[at]);
        }
    }
    let once: Vec<bool> = set_at.iter().map(|set| *set == [Some(true); 2]).collect();
    for op in &mut code.ops {
        if let Op::Save { slot, next } = *op
            && once[slot as usize / 2]
        {
            *op = Op::Mark { slot, next };
        }
    }
    let behind = graph.slots_behind(code, slots);
    let clears = |code: &mut Code, from: At| {
        let words = &behind[graph.part_of[from as usize]];
        let start = code.clears.len() as u32;
        code.clears
            .extend((0..slots).filter(|slot| words[slot / 64] & (1 << (slot % 64)) != 0).map(|slot| slot as u32));
        (start, code.clears.len() as u32)
    };
    for run in 0..code.loops.len() {
        let next = code.loops[run].next;
        code.loops[run].clears = clears(code, next);
    }
    for at in 0..code.ops.len() {
        let (first, other) = match code.ops[at] {
            Op::Split { first, other, .. } => (first, other),
            Op::Look { next, otherwise, .. } if otherwise != At::MAX => (next, otherwise),
            _ => continue,
        };
        let (start, end) = clears(code, first);
        if start == end {
            continue;
        }
        code.ops.push(Op::Clear { start, end, next: other });
        let clear = code.ops.len() as At - 1;
        match &mut code.ops[at] {
            Op::Split { other, .. } => *other = clear,
            Op::Look { otherwise, .. } => *otherwise = clear,
            _ => {}
        }
    }
}

/// The graph of instructions in strongly connected components (called parts): the instructions of a loop form one part,
/// every other instruction a part of its own. A part has a higher number than all parts that follow it.
struct Graph {
    part_of: Vec<usize>,
    parts: Vec<Vec<At>>,
    in_loop: Vec<bool>,
}

impl Graph {
    /// Runs Tarjan's algorithm, with a stack in place of recursion.
    fn new(code: &Code) -> Graph {
        const UNSEEN: usize = usize::MAX;
        let count = code.ops.len();
        let next: Vec<Vec<At>> = (0..count).map(|at| code.behind(at as At)).collect();
        let mut graph = Graph { part_of: vec![UNSEEN; count], parts: Vec::new(), in_loop: vec![false; count] };
        let (mut order, mut low) = (vec![UNSEEN; count], vec![0; count]);
        let (mut seen, mut open, mut calls) = (0, Vec::new(), Vec::new());
        for root in 0..count {
            if order[root] != UNSEEN {
                continue;
            }
            calls.push((root, 0));
            while let Some((at, child)) = calls.last_mut() {
                let at = *at;
                if *child == 0 {
                    (order[at], low[at]) = (seen, seen);
                    seen += 1;
                    open.push(at);
                }
                if let Some(&to) = next[at].get(*child) {
                    *child += 1;
                    let to = to as usize;
                    if order[to] == UNSEEN {
                        calls.push((to, 0));
                    } else if graph.part_of[to] == UNSEEN {
                        low[at] = low[at].min(order[to]);
                    }
                    continue;
                }
                // A node without a successor has child number 0 until here, so it must be popped to be entered only
                // once.
                calls.pop();
                if let Some(&(above, _)) = calls.last() {
                    low[above] = low[above].min(low[at]);
                }
                if low[at] == order[at] {
                    let mut part = Vec::new();
                    while let Some(op) = open.pop() {
                        graph.part_of[op] = graph.parts.len();
                        part.push(op as At);
                        if op == at {
                            break;
                        }
                    }
                    let is_loop = part.len() > 1 || next[at].contains(&(at as At));
                    part.iter().for_each(|&op| graph.in_loop[op as usize] = is_loop);
                    graph.parts.push(part);
                }
            }
        }
        graph
    }

    /// Returns, for each part, a bit set of the marked slots that can be set in it or after it.
    fn slots_behind(&self, code: &Code, slots: usize) -> Vec<Vec<u64>> {
        let mut behind: Vec<Vec<u64>> = Vec::with_capacity(self.parts.len());
        // Parts are in reverse topological order: the parts that follow this one are already done.
        for part in &self.parts {
            let mut words = vec![0; slots.div_ceil(64)];
            for &at in part {
                if let Op::Mark { slot, .. } = code.ops[at as usize] {
                    words[slot as usize / 64] |= 1 << (slot % 64);
                }
                for to in code.behind(at) {
                    if let Some(known) = behind.get(self.part_of[to as usize]) {
                        words.iter_mut().zip(known).for_each(|(word, known)| *word |= known);
                    }
                }
            }
            behind.push(words);
        }
        behind
    }
}
