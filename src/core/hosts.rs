//! Hosts in addresses of servers: a name, an IPv4 address or an IPv6 address in brackets, each with an optional port.

/// Returns the host in `text` with its port, which is `default_port` if the text names none; `None` if it is no host.
pub fn host(text: &str, default_port: u16) -> Option<String> {
    let (name, rest) = match text.strip_prefix('[') {
        Some(inside) => {
            let (address, _) = inside.split_once(']')?;
            address.parse::<std::net::Ipv6Addr>().ok()?;
            text.split_at(address.len() + 2)
        }
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    if name.is_empty() || !(name.starts_with('[') || name.chars().all(is_name)) {
        return None;
    }
    let port = match rest.strip_prefix(':') {
        Some(port) => port.parse().ok().filter(|port| *port > 0)?,
        None if rest.is_empty() => default_port,
        None => return None,
    };
    Some(format!("{name}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_gets_the_default_port_and_what_is_no_host_is_refused() {
        for (text, expected) in [
            ("a", Some("a:9092")),
            ("a.b-c_d:1", Some("a.b-c_d:1")),
            ("10.0.0.1", Some("10.0.0.1:9092")),
            ("[::1]", Some("[::1]:9092")),
            ("[::1]:7", Some("[::1]:7")),
            ("", None),
            (":1", None),
            ("a:", None),
            ("a:0", None),
            ("a:65536", None),
            ("a b", None),
            ("[::1", None),
            ("[a]", None),
            ("[::1]x", None),
            ("a/b", None),
        ] {
            assert_eq!(host(text, 9092).as_deref(), expected, "{text}");
        }
    }
}
