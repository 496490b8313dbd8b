//! The rules for the stack traces of languages.
//!
//! A trace has lines of its own kind, and they continue the record before them. What begins a trace, such as the name of an
//! exception, continues a record of one line that is no trace yet, because programs log an exception after their message.

use crate::source::joiner::Joiner;

/// A rule: returns whether a line continues the record before it.
type Continues = fn(&mut State, &[u8]) -> bool;

/// The place in a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In a record of one line that is no part of a trace, or before the first line.
    Message,
    /// After the line that begins a trace.
    Head,
    /// In the lines of a trace.
    Trace,
    /// After the last line of a trace, to which another trace may be chained.
    After,
    /// In a trace of Ruby whose first line comes last.
    Reversed,
}

/// The joiner of a language.
#[derive(Debug)]
pub struct Language {
    /// Whether no line was read.
    is_first: bool,
    state: State,
    continues: Continues,
}

/// Returns the joiner with the name `name`; `None` if there is none.
pub fn language(name: &str) -> Option<Language> {
    let continues: Continues = match name {
        "java" => java,
        "python" => python,
        "go" => go,
        "ruby" => ruby,
        "dotnet" => dotnet,
        "php" => php,
        "indent" => |_, line| is_indented(line),
        _ => return None,
    };
    Some(Language { is_first: true, state: State::Message, continues })
}

impl Joiner for Language {
    fn begins_record(&mut self, beginning: &[u8]) -> bool {
        let is_first = std::mem::take(&mut self.is_first);
        !(self.continues)(&mut self.state, beginning) || is_first
    }
}

fn is_indented(line: &[u8]) -> bool {
    matches!(line.first(), Some(b' ' | b'\t'))
}

fn starts(line: &[u8], words: &[&str]) -> bool {
    words.iter().any(|word| line.starts_with(word.as_bytes()))
}

fn is_blank(line: &[u8]) -> bool {
    line.trim_ascii().is_empty()
}

/// Whether the line begins with the full name of an exception: words with dots between them, of which the last ends with one
/// of `endings`, and then a colon or the end.
fn names_exception(line: &[u8], endings: &[&str]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'.' | b'`' | b'+');
    let length = line.iter().take_while(|byte| is_part(byte)).count();
    let (name, rest) = line.split_at(length);
    let has_end = matches!(rest.first(), None | Some(b':' | b' ')) && name.contains(&b'.');
    has_end && endings.iter().any(|ending| name.ends_with(ending.as_bytes()))
}

/// A line that begins a trace. It continues a message.
fn head(state: &mut State) -> bool {
    let continues = *state == State::Message;
    *state = State::Head;
    continues
}

/// A line of a trace.
fn part(state: &mut State) -> bool {
    *state = State::Trace;
    true
}

/// A line that is no part of a trace.
fn other(state: &mut State) -> bool {
    *state = State::Message;
    false
}

fn java(state: &mut State, line: &[u8]) -> bool {
    let text = line.trim_ascii_start();
    let in_trace = matches!(state, State::Head | State::Trace);
    match is_indented(line) {
        true if in_trace || starts(text, &["at ", "... ", "Suppressed: ", "Caused by: "]) => part(state),
        false if starts(line, &["Caused by: ", "Suppressed: ", "... "]) => part(state),
        false if starts(line, &["Exception in thread "]) => {
            *state = State::Head;
            false
        }
        false if names_exception(line, &["Exception", "Error", "Throwable"]) => head(state),
        _ => other(state),
    }
}

fn dotnet(state: &mut State, line: &[u8]) -> bool {
    let text = line.trim_ascii_start();
    match is_indented(line) {
        true => part(state),
        false if starts(text, &["---> ", "--- End of "]) => part(state),
        false
            if starts(line, &["Unhandled exception", "Unhandled Exception"])
                || names_exception(line, &["Exception"]) =>
        {
            head(state)
        }
        _ => other(state),
    }
}

fn python(state: &mut State, line: &[u8]) -> bool {
    const CHAINS: [&str; 2] = ["During handling of the above exception", "The above exception was the direct cause"];
    let is_head =
        starts(line.trim_ascii_start(), &["Traceback (most recent call last)", "+ Exception Group Traceback"]);
    match *state {
        State::Trace if is_head => true,
        _ if is_head => head(state),
        // Between the chained traces stand empty lines.
        State::After if starts(line, &CHAINS) => part(state),
        State::After if is_blank(line) => true,
        State::Head | State::Trace if is_indented(line) || is_blank(line) => true,
        State::After if is_indented(line) => true,
        // The name of the exception stands after its trace.
        State::Head | State::Trace => {
            *state = State::After;
            true
        }
        _ => other(state),
    }
}

fn go(state: &mut State, line: &[u8]) -> bool {
    if starts(line, &["goroutine "]) && memchr::memchr(b'[', line).is_some() {
        return part(state);
    }
    match *state {
        _ if starts(line, &["panic: ", "fatal error: ", "unexpected fault address "]) => {
            *state = State::Head;
            false
        }
        State::Head if is_blank(line) || is_indented(line) || starts(line, &["[signal ", "[recovered]"]) => true,
        State::Trace if is_go_frame(line) => true,
        _ => other(state),
    }
}

/// Whether a line stands in a trace of Go: a call, its place, a blank line, a register, or what ends the trace.
fn is_go_frame(line: &[u8]) -> bool {
    let call = memchr::memchr(b'(', line).unwrap_or_default();
    let is_call = memchr::memchr(b' ', &line[..call]).is_none() && memchr::memchr(b'.', &line[..call]).is_some();
    let is_register = || {
        let word = line.iter().take_while(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()).count();
        word > 0 && line[word..].trim_ascii_start().starts_with(b"0x")
    };
    let ends = ["created by ", "exit status ", "...additional frames elided...", "[originating from "];
    is_blank(line) || is_indented(line) || is_call || starts(line, &ends) || is_register()
}

fn ruby(state: &mut State, line: &[u8]) -> bool {
    let text = line.trim_ascii_start();
    let number = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let is_from = starts(text, &["from "]) || (number > 0 && text[number..].starts_with(b": from "));
    match *state {
        _ if starts(line, &["Traceback (most recent call last)"]) => {
            *state = State::Reversed;
            false
        }
        State::Reversed if is_indented(line) => true,
        // The first line of the trace comes last.
        State::Reversed => part(state),
        _ if is_indented(line) && is_from => part(state),
        _ => match ruby_frame(text) {
            Some(true) => part(state),
            Some(false) => {
                *state = State::Head;
                false
            }
            None => other(state),
        },
    }
}

/// Whether a line is the place of a call: `app/a.rb:12:in 'name'`. `Some(false)`: a message follows the place, so the line begins
/// a trace.
fn ruby_frame(line: &[u8]) -> Option<bool> {
    let at = memchr::memmem::find(line, b":in ")?;
    let digits = line[..at].iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let is_place = digits > 0 && line[..at - digits].ends_with(b":") && !line[..at].contains(&b' ');
    let name = line.get(at + 5..).filter(|_| is_place && matches!(line.get(at + 4), Some(b'`' | b'\'')))?;
    // The name may be longer than what is seen of the line.
    Some(memchr::memchr(b'\'', name).is_none_or(|end| !name[end + 1..].starts_with(b":")))
}

fn php(state: &mut State, line: &[u8]) -> bool {
    let digits = line.get(1..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_digit()).count();
    let is_frame = line.starts_with(b"#") && digits > 0 && line.get(1 + digits) == Some(&b' ');
    let in_trace = *state == State::Trace;
    match is_frame || starts(line, &["Stack trace:", "[stacktrace]", "[previous exception]", "  thrown in "]) {
        true => part(state),
        false if in_trace && (is_blank(line) || is_indented(line) || starts(line, &["Next ", "\"}", "{main}"])) => true,
        false => other(state),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each record begins with `> `, and each line that continues it with two blanks.
    fn check(name: &str, text: &str) {
        let mut joiner = language(name).unwrap();
        let mut shown = String::new();
        for line in text.lines() {
            let begins = joiner.begins_record(&line.as_bytes()[2..]);
            shown += &format!("{} {}\n", if begins { '>' } else { ' ' }, &line[2..]);
        }
        assert_eq!(shown, format!("{}\n", text.trim_end_matches('\n')), "{name}");
    }

    #[test]
    fn traces_of_java_continue_the_message_before_them() {
        check(
            "java",
            "> 10:11:12 ERROR order failed\n  java.lang.IllegalStateException: no stock\n  \tat shop.Order.pay(Order.java:12)\n  \
             \t... 3 more\n  Caused by: java.io.IOException: closed\n  \tat shop.Db.read(Db.java:7)\n  \tSuppressed: x.Y: z\n\
             > 10:11:13 INFO next\n> Exception in thread \"main\" java.lang.Error: x\n  \tat a.B.c(B.java:1)\n\
             > java.lang.OutOfMemoryError\n  \tat a.B.c(B.java:1)\n> done\n> \tindented\n",
        );
    }

    #[test]
    fn traces_of_python_end_with_the_exception_and_may_be_chained() {
        check(
            "python",
            "> ERROR:root:failed\n  Traceback (most recent call last):\n    File \"a.py\", line 1, in f\n      g()\n  ValueError: x\n  \
             \n  During handling of the above exception, another exception occurred:\n  \n  \
             Traceback (most recent call last):\n    File \"a.py\", line 3, in f\n  KeyError: 'y'\n> INFO:root:next\n\
             \x20 Traceback (most recent call last):\n  SystemExit: 1\n> end\n",
        );
    }

    #[test]
    fn traces_of_go_have_goroutines() {
        check(
            "go",
            "> starting\n> panic: runtime error: index out of range [3]\n  [signal SIGSEGV]\n  \n  goroutine 1 [running]:\n  \
             main.(*T).run(0x0, 0x1)\n  \t/src/a.go:7 +0x1d\n  created by main.main in goroutine 1\n  \t/src/a.go:3 +0x2\n  \n  \
             goroutine 5 [select]:\n  net/http.(*conn).serve()\n  exit status 2\n> next\n\
             > 2024/02/03 04:05:06 http: panic serving 192.0.2.1:5: x\n  goroutine 9 [running]:\n  main.f()\n> after\n",
        );
    }

    #[test]
    fn traces_of_ruby_begin_with_their_message_or_end_with_it() {
        check(
            "ruby",
            "> a.rb:3:in `f': no such thing (RuntimeError)\n  \tfrom a.rb:7:in `g'\n  \tfrom a.rb:9:in `<main>'\n> next\n\
             > Traceback (most recent call last):\n  \t1: from a.rb:9:in `<main>'\n  a.rb:3:in `f': x (RuntimeError)\n> next\n\
             > ERROR -- : boom (RuntimeError)\n  app/a.rb:3:in 'A#f'\n  app/b.rb:4:in 'block in B#g'\n> next\n",
        );
    }

    #[test]
    fn traces_of_dotnet_are_indented() {
        check(
            "dotnet",
            "> fail: Shop[0]\n        order failed\n        System.Exception: x\n           at Shop.Order.Pay()\n> info: Shop[0]\n  \
             \x20 ok\n> Unhandled exception. System.InvalidOperationException: x\n   ---> System.Exception: y\n     at A.B()\n  \
             \x20 --- End of inner exception stack trace ---\n> next\n  System.ArgumentException: z\n     at A.C()\n",
        );
    }

    #[test]
    fn traces_of_php_have_numbered_frames() {
        check(
            "php",
            "> PHP Fatal error:  Uncaught Exception: boom in /srv/a.php:3\n  Stack trace:\n  #0 /srv/a.php(5): f()\n  #1 {main}\n  \
             \n  Next RuntimeException: x in /srv/a.php:9\n  Stack trace:\n  #0 {main}\n    thrown in /srv/a.php on line 3\n\
             > PHP Notice:  x\n> #hash\n> local.ERROR: x {\"exception\":\"[object]\n  [stacktrace]\n  #0 /srv/a.php(5): f()\n  \"}\n\
             > next\n",
        );
    }

    #[test]
    fn indented_lines_continue_the_record_before_them() {
        check("indent", "> a\n    b\n  \tc\n> \n> d\n");
        assert!(language("perl").is_none());
    }

    #[test]
    fn no_bytes_make_a_rule_panic() {
        let mut random = fastrand::Rng::with_seed(1);
        let alphabet = b"#0123 :in `'.[]()\tat from TracebackNext\"}";
        for name in ["java", "python", "go", "ruby", "dotnet", "php", "indent"] {
            let mut joiner = language(name).unwrap();
            for _ in 0..20_000 {
                let length = random.usize(..24);
                let line: Vec<u8> = (0..length).map(|_| alphabet[random.usize(..alphabet.len())]).collect();
                joiner.begins_record(&line);
            }
        }
    }
}
