//! The `Host` header: a page of another origin cannot forge it, and a rebound name shows in it.

use std::net::{Ipv4Addr, Ipv6Addr};

use hyper::HeaderMap;
use hyper::header::HOST;

/// True for exactly one `Host`, which is this very port by one of loopback's three names.
pub(super) fn is_loopback(headers: &HeaderMap, port: u16) -> bool {
    let mut values = headers.get_all(HOST).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let Some((host, given_port)) = value.to_str().ok().and_then(|text| text.rsplit_once(':'))
    else {
        return false;
    };
    let is_name = host.eq_ignore_ascii_case("localhost")
        || host == Ipv4Addr::LOCALHOST.to_string()
        || host == format!("[{}]", Ipv6Addr::LOCALHOST);
    is_name && given_port == port.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_port_of_loopback_is_meant() {
        for (hosts, expected) in [
            (&["127.0.0.1:4711"][..], true),
            (&["[::1]:4711"], true),
            (&["LocalHost:4711"], true),
            (&[], false),
            (&["127.0.0.1"], false),
            (&["127.0.0.1:80"], false),
            (&["127.0.0.1:04711"], false),
            (&["127.0.0.2:4711"], false),
            (&["::1:4711"], false),
            (&["localhost.evil.example:4711"], false),
            (&["evil.example:4711"], false),
            (&["localhost:4711", "localhost:4711"], false),
        ] {
            let mut headers = HeaderMap::new();
            for host in hosts {
                headers.append(HOST, host.parse().unwrap());
            }
            assert_eq!(is_loopback(&headers, 4711), expected, "{hosts:?}");
        }
    }
}
