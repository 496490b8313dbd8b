use logator::grok::Library;
use std::time::Instant;
fn main() {
    let a: Vec<String> = std::env::args().skip(1).collect();
    let data = std::fs::read(&a[0]).unwrap();
    let cut: usize = std::env::var("CUT").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    let mut lib = Library::stock();
    let mut pats = Vec::new();
    for x in &a[1..] {
        if let Some(d) = x.strip_prefix("dir=") {
            lib.add_dir(std::path::Path::new(d)).unwrap();
        } else {
            pats.push(x.clone());
        }
    }
    for p in pats {
        let t = Instant::now();
        let pat = match p.strip_prefix("format=") {
            Some(f) => match lib.format(f).unwrap().rule {
                logator::grok::Rule::Pattern(p) => p,
                _ => panic!(),
            },
            None => lib.compile(&p).unwrap(),
        };
        let compile = t.elapsed();
        let back = if std::env::var("NOPCRE").is_ok() { None } else { pat.backtracking().ok() };
        for (name, q) in [("linear", Some(pat)), ("pcre", back)] {
            let Some(q) = q else { continue };
            let mut m = q.matcher();
            let lines: Vec<&[u8]> = logator::lines::lines(&data)
                .map(|l| l.bytes)
                .filter(|l| matches!(m.captures(l), Ok(Some(_))))
                .collect();
            let bad: Vec<&[u8]> = lines
                .iter()
                .map(|l| &l[..l.len().saturating_sub(cut)])
                .filter(|l| matches!(m.captures(l), Ok(None)))
                .collect();
            for (kind, ls) in [("match", &lines), ("fail", &bad)] {
                if std::env::var("KIND").is_ok_and(|k| k != kind) {
                    continue;
                }
                let mut best = f64::MAX;
                let mut n = 0usize;
                for _ in 0..std::env::var("REPS").ok().and_then(|r| r.parse().ok()).unwrap_or(7) {
                    let t = Instant::now();
                    for l in ls.iter() {
                        if let Ok(Some(c)) = m.captures(l) {
                            for s in 0..q.slots() {
                                n += c.span(s).start as usize & 1;
                            }
                        }
                    }
                    best = best.min(t.elapsed().as_nanos() as f64 / ls.len().max(1) as f64);
                }
                println!(
                    "{:40} {name:7} {kind:6} {:6} lines {best:9.1} ns  (compile {compile:?}) {}",
                    &p[..p.len().min(40)],
                    ls.len(),
                    n & 1
                );
            }
        }
    }
}
