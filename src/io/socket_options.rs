//! Options of the kernel's socket, remembered so that a replaced connection gets them again.

use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

use super::stream::Stream;

/// `SO_KEEPALIVE` with its times; `None` leaves the system's own.
#[derive(Clone, Copy, Default)]
pub struct KeepAlive {
    pub enable: bool,
    pub delay: Option<u32>,
    pub interval: Option<u32>,
    pub count: Option<u32>,
}

/// What JavaScript asked for; `None` where it did not.
#[derive(Clone, Copy, Default)]
pub struct SocketOptions {
    pub no_delay: Option<bool>,
    pub keep_alive: Option<KeepAlive>,
    pub type_of_service: Option<u32>,
}

impl SocketOptions {
    /// Sets everything that was asked for. As in Node, a kernel that refuses one is not an error.
    pub fn apply(&self, stream: &Stream) {
        if stream.is_unix() {
            return;
        }
        let socket = SockRef::from(stream);
        if let Some(enable) = self.no_delay {
            let _ = socket.set_tcp_nodelay(enable);
        }
        if let Some(keep_alive) = &self.keep_alive {
            apply_keep_alive(&socket, keep_alive);
        }
        if let Some(value) = self.type_of_service {
            let _ = socket.set_tos_v4(value);
            let _ = socket.set_tclass_v6(value);
        }
    }
}

fn apply_keep_alive(socket: &SockRef<'_>, options: &KeepAlive) {
    if !options.enable {
        let _ = socket.set_keepalive(false);
        return;
    }
    let seconds = |value: u32| Duration::from_secs(value.into());
    let mut parameters = TcpKeepalive::new();
    // Where no delay is given libuv asks for probes with the system's times.
    // With one, its default is a probe each second, ten times:
    // https://docs.libuv.org/en/v1.x/tcp.html#c.uv_tcp_keepalive
    if let Some(delay) = options.delay {
        parameters = parameters
            .with_time(seconds(delay))
            .with_interval(seconds(options.interval.unwrap_or(1)))
            .with_retries(options.count.unwrap_or(10));
    }
    let _ = socket.set_tcp_keepalive(&parameters);
}
