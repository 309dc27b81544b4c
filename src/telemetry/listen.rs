//! Listens on an address: on those of both families where it is `[::]`, whatever the machine's settings are.
//!
//! It knows nothing of what is said over connections.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
};

use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket};

/// How many connections may wait in the kernel's queue.
const WAITING: u32 = 1024;

/// Listens on this address. `[::]` stands for all addresses, of IPv6 and of IPv4; where there is no IPv6, for those of IPv4.
pub(super) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    listen_over(TcpSocket::new_v6, address)
}

fn listen_over(new_v6: impl Fn() -> io::Result<TcpSocket>, address: SocketAddr) -> io::Result<TcpListener> {
    if address.is_ipv4() {
        return bound(&TcpSocket::new_v4, address);
    }
    if address.ip() != Ipv6Addr::UNSPECIFIED {
        return bound(&new_v6, address);
    }
    let of_both = || {
        let socket = new_v6()?;
        SockRef::from(&socket).set_only_v6(false)?;
        Ok(socket)
    };
    match bound(&of_both, address) {
        // That there is no IPv6 is said in several ways. Whatever else it is, IPv4 has it too.
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
            let of_v4 = (Ipv4Addr::UNSPECIFIED, address.port()).into();
            bound(&TcpSocket::new_v4, of_v4).map_err(|_| error)
        }
        done => done,
    }
}

fn bound(new: &dyn Fn() -> io::Result<TcpSocket>, address: SocketAddr) -> io::Result<TcpListener> {
    let socket = new()?;
    // Who is started again must not wait for the connections of who was before.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(WAITING)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpStream;

    use super::*;

    const ALL: &str = "[::]:0";

    async fn answers(listener: &TcpListener, ip: &str) -> bool {
        let port = listener.local_addr().unwrap().port();
        TcpStream::connect(SocketAddr::new(ip.parse().unwrap(), port)).await.is_ok()
    }

    #[tokio::test]
    async fn all_addresses_are_those_of_both_families() {
        let listener = listen(ALL.parse().unwrap()).unwrap();
        assert!(answers(&listener, "127.0.0.1").await && answers(&listener, "::1").await);
    }

    #[tokio::test]
    async fn where_the_kernel_has_no_ipv6_they_are_those_of_ipv4() {
        // What socket(2) says there: EAFNOSUPPORT, of Linux.
        let without = || Err(io::Error::from_raw_os_error(97));
        let listener = listen_over(without, ALL.parse().unwrap()).unwrap();
        assert!(answers(&listener, "127.0.0.1").await && !answers(&listener, "::1").await);
        let error = listen_over(without, "[::1]:0".parse().unwrap()).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(97), "an address that was asked for is not replaced by another");
    }

    #[tokio::test]
    async fn an_address_is_that_one_alone_and_one_that_is_taken_is_an_error() {
        for (address, other) in [("127.0.0.1:0", "::1"), ("[::1]:0", "127.0.0.1"), ("0.0.0.0:0", "::1")] {
            let listener = listen(address.parse().unwrap()).unwrap();
            assert!(!answers(&listener, other).await, "{address}");
            let taken = listen(listener.local_addr().unwrap()).unwrap_err();
            assert_eq!(taken.kind(), io::ErrorKind::AddrInUse, "{address}");
        }
        let all = listen(ALL.parse().unwrap()).unwrap();
        assert_eq!(listen(all.local_addr().unwrap()).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }
}
