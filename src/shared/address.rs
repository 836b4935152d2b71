//! Numeric addresses and their text, in the form in which Node writes it. Pure; both threads use it.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};

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

/// Gives a link-local address that names no zone the zone of the first interface that has one, as libuv does
/// since 1.50. Gives any other address as it is.
pub fn with_zone(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V6(mut v6) if v6.scope_id() == 0 && is_link_local(v6.ip()) => {
            v6.set_scope_id(first_link_local_zone());
            v6.into()
        }
        other => other,
    }
}

/// Tells whether an address is link-local, as libuv tells it.
fn is_link_local(address: &Ipv6Addr) -> bool {
    address.octets().starts_with(&[0xfe, 0x80])
}

/// Gives the zone of the first interface with a link-local address, 0 if there is none.
fn first_link_local_zone() -> u32 {
    let mut first = std::ptr::null_mut();
    // SAFETY: the call writes the head of a list, which is freed below.
    if unsafe { libc::getifaddrs(&raw mut first) } != 0 {
        return 0;
    }
    let mut zone = 0;
    let mut next = first;
    // SAFETY: `next` is null, or an entry of the list, which lives until it is freed.
    while let Some(entry) = unsafe { next.as_ref() } {
        next = entry.ifa_next;
        // SAFETY: the address is null, or one of the family that it says.
        let found = unsafe { entry.ifa_addr.as_ref() }
            .filter(|address| i32::from(address.sa_family) == libc::AF_INET6)
            .map(|_| unsafe { entry.ifa_addr.cast::<libc::sockaddr_in6>().read_unaligned() });
        if let Some(found) = found
            && is_link_local(&found.sin6_addr.s6_addr.into())
        {
            zone = found.sin6_scope_id;
            break;
        }
    }
    // SAFETY: the list is not used any more.
    unsafe { libc::freeifaddrs(first) };
    zone
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
