//! Options of the kernel's socket. A connection remembers them, so that a replacement gets them too.

use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

use super::stream::Stream;

/// Setting of `SO_KEEPALIVE`. The times are in seconds; `None` leaves the system's own.
#[derive(Clone, Copy, Default)]
pub struct KeepAlive {
    pub enable: bool,
    pub delay: Option<u32>,
    pub interval: Option<u32>,
    pub count: Option<u32>,
}

/// Options that JavaScript has asked for; `None` where it has not.
#[derive(Clone, Copy, Default)]
pub struct SocketOptions {
    pub no_delay: Option<bool>,
    pub keep_alive: Option<KeepAlive>,
    pub type_of_service: Option<u32>,
}

impl SocketOptions {
    /// Reads the options of a stream that other code has set up.
    pub fn of(stream: &Stream) -> Self {
        if stream.is_unix() {
            return Self::default();
        }
        let socket = SockRef::from(stream);
        let seconds = |time: std::io::Result<Duration>| {
            time.ok()
                .and_then(|time| u32::try_from(time.as_secs()).ok())
        };
        let keep_alive = socket.keepalive().unwrap_or(false).then(|| KeepAlive {
            enable: true,
            delay: seconds(socket.tcp_keepalive_time()),
            interval: seconds(socket.tcp_keepalive_interval()),
            count: socket.tcp_keepalive_retries().ok(),
        });
        let type_of_service = socket.tos_v4().or_else(|_| socket.tclass_v6());
        Self {
            no_delay: socket.tcp_nodelay().ok(),
            keep_alive,
            type_of_service: type_of_service.ok().filter(|value| *value != 0),
        }
    }

    /// Sets every option that JavaScript has asked for. As in Node, it is no error if the kernel refuses one.
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
    // Without a delay libuv asks for probes with the system's times. With one, its default is a probe
    // each second, ten times:
    // https://docs.libuv.org/en/v1.x/tcp.html#c.uv_tcp_keepalive
    if let Some(delay) = options.delay {
        parameters = parameters
            .with_time(seconds(delay))
            .with_interval(seconds(options.interval.unwrap_or(1)))
            .with_retries(options.count.unwrap_or(10));
    }
    let _ = socket.set_tcp_keepalive(&parameters);
}
