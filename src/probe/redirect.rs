//! Redirects: whether and how an answer leads to another request.

use std::collections::HashSet;

use super::outcome::{ErrorClass, Fault};
use super::request::{Method, Target};

/// The way of one request through its redirects.
#[derive(Debug)]
pub struct Trail {
    /// How many redirects may still be followed.
    left: u32,
    allowed: u32,
    seen: HashSet<(Method, Target)>,
}

/// What follows on an answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing: the answer is the result.
    End,
    /// Another request.
    Follow(Method, Target),
    /// Nothing, because the redirect cannot be followed.
    Refused(Fault),
}

impl Trail {
    /// Creates the way of a request that follows at most `allowed` redirects. With 0, a redirect is an answer like any
    /// other.
    pub fn new(allowed: u32) -> Self {
        Trail { left: allowed, allowed, seen: HashSet::new() }
    }

    /// Decides what follows on the answer `status` with the header `location` to the request `method target`.
    pub fn next(&mut self, method: &Method, target: &Target, status: u16, location: Option<&[u8]>) -> Next {
        let (true, true, Some(location)) = (self.allowed > 0, leads_on(status), location) else { return Next::End };
        let refused = |why: String| Next::Refused(Fault { class: ErrorClass::Redirect, text: why });
        if self.left == 0 {
            return refused(format!("more than {} redirects (--redirects)", self.allowed));
        }
        self.left -= 1;
        self.seen.insert((method.clone(), target.clone()));
        // Browsers take bytes that are not UTF-8 as Latin-1.
        let location = match std::str::from_utf8(location) {
            Ok(text) => text.to_owned(),
            Err(_) => location.iter().map(|byte| char::from(*byte)).collect(),
        };
        let to = match target.join(&location) {
            Ok(to) => to,
            Err(why) => return refused(format!("the redirect cannot be followed: {why}")),
        };
        let hop = (method_after(status, method), to);
        if self.seen.contains(&hop) {
            return refused(format!("the redirects go in a circle: {} {} comes again", hop.0, hop.1));
        }
        Next::Follow(hop.0, hop.1)
    }
}

/// Returns whether an answer with this status and a `Location` is a redirect.
fn leads_on(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

/// Returns the method of the next request. 301 and 302 turn a POST into a GET, as all browsers do; 303 turns everything
/// into a GET, except HEAD. 307 and 308 keep the method.
fn method_after(status: u16, method: &Method) -> Method {
    match (status, method.as_str()) {
        (301 | 302, "POST") => Method::GET,
        (303, "GET" | "HEAD") => method.clone(),
        (303, _) => Method::GET,
        _ => method.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn method(text: &str) -> Method {
        Method::parse(text).unwrap()
    }

    fn target(path: &str) -> Target {
        Target::parse(&format!("http://example.com{path}")).unwrap()
    }

    #[test]
    fn a_redirect_decides_the_next_method() {
        for (status, before, after) in [
            (301, "GET", "GET"),
            (301, "POST", "GET"),
            (302, "POST", "GET"),
            (302, "PUT", "PUT"),
            (303, "PUT", "GET"),
            (303, "HEAD", "HEAD"),
            (307, "POST", "POST"),
            (308, "DELETE", "DELETE"),
        ] {
            let next = Trail::new(5).next(&method(before), &target("/a"), status, Some(b"/b"));
            assert_eq!(next, Next::Follow(method(after), target("/b")), "{status} {before}");
        }
    }

    #[test]
    fn other_answers_are_the_end() {
        for (allowed, status, location) in
            [(0, 302, Some(&b"/b"[..])), (5, 302, None), (5, 200, Some(b"/b")), (5, 304, Some(b"/b")), (5, 404, None)]
        {
            assert_eq!(Trail::new(allowed).next(&Method::GET, &target("/a"), status, location), Next::End, "{status}");
        }
    }

    #[test]
    fn too_many_redirects_circles_and_other_protocols_are_refused() {
        let refusal = |next| match next {
            Next::Refused(fault) => fault.text,
            other => panic!("{other:?}"),
        };
        let mut trail = Trail::new(2);
        assert!(matches!(trail.next(&Method::GET, &target("/1"), 302, Some(b"/2")), Next::Follow(..)));
        assert!(matches!(trail.next(&Method::GET, &target("/2"), 302, Some(b"/3")), Next::Follow(..)));
        assert!(refusal(trail.next(&Method::GET, &target("/3"), 302, Some(b"/4"))).contains("more than 2 redirects"));
        let mut trail = Trail::new(9);
        assert!(matches!(trail.next(&Method::GET, &target("/1"), 302, Some(b"/2")), Next::Follow(..)));
        assert!(refusal(trail.next(&Method::GET, &target("/2"), 302, Some(b"/1"))).contains("circle"));
        assert!(refusal(Trail::new(9).next(&Method::GET, &target("/1"), 302, Some(b"/1"))).contains("circle"));
        let file = Trail::new(9).next(&Method::GET, &target("/1"), 302, Some(b"file:///etc/passwd"));
        assert!(refusal(file).contains("neither http nor https"));
    }

    #[test]
    fn a_post_that_becomes_a_get_of_the_same_address_is_no_circle() {
        let next = Trail::new(9).next(&method("POST"), &target("/form"), 303, Some(b"/form"));
        assert_eq!(next, Next::Follow(Method::GET, target("/form")));
    }
}
