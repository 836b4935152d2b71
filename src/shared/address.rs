//! Numeric addresses and their text, in the form in which Node writes it. Pure; both threads use it.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};

/// Parses a numeric address, with an IPv6 zone by name or number (RFC 4007, section 11).
pub fn parse_address(host: &str, port: u16) -> Option<SocketAddr> {
    let (address, zone) = host
        .split_once('%')
        .map_or((host, None), |(address, zone)| (address, Some(zone)));
    match address.parse().ok()? {
        IpAddr::V4(address) => Some((address, port).into()),
        IpAddr::V6(address) => {
            Some(SocketAddrV6::new(address, port, 0, zone.map_or(0, scope_id)).into())
        }
    }
}

/// Gives the number of a zone, 0 for one that is unknown.
fn scope_id(zone: &str) -> u32 {
    zone.parse().unwrap_or_else(|_| {
        std::ffi::CString::new(zone).map_or(0, |name| {
            // SAFETY: `name` is a NUL-terminated string that outlives the call.
            unsafe { libc::if_nametoindex(name.as_ptr()) }
        })
    })
}

/// Gives an address without its port, in the form in which Node prints it.
pub fn host_text(address: &SocketAddr) -> String {
    match address {
        SocketAddr::V6(address) if address.scope_id() != 0 => {
            format!("{}%{}", address.ip(), zone_name(address.scope_id()))
        }
        _ => address.ip().to_string(),
    }
}

/// Gives the name of a zone, or its number if it has no name.
fn zone_name(scope: u32) -> String {
    let mut name = [0; libc::IF_NAMESIZE];
    // SAFETY: the buffer has the IF_NAMESIZE bytes that the call may write.
    let found = unsafe { libc::if_indextoname(scope, name.as_mut_ptr().cast()) };
    if found.is_null() {
        return scope.to_string();
    }
    std::ffi::CStr::from_bytes_until_nul(&name).map_or_else(
        |_| scope.to_string(),
        |name| name.to_string_lossy().into_owned(),
    )
}
