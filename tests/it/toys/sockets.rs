//! What the real-time driver says over TCP: frames, and a call from the connection to the answer.

use std::io::{Error, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use regsim::protocol::CallError;

use super::wire::Codec;

/// No process runs longer, and nobody waits longer for one.
pub const LIMIT: Duration = Duration::from_secs(20);

/// First byte of a connection's first frame.
pub const CALL: u8 = 1;
pub const LINK: u8 = 2;
/// First byte of later frames: a value, an HTTP status, or the end by a reset.
pub const DATA: u8 = 3;
pub const STATUS: u8 = 4;
pub const RESET: u8 = 5;

/// What a connection begins with: its kind, who opens it, and to which port of a session.
pub fn preamble(kind: u8, from: u32, port: u16) -> Vec<u8> {
    let mut frame = vec![kind];
    from.put(&mut frame);
    port.put(&mut frame);
    frame
}

/// The answer of the driver in the machine's stead.
pub fn status(code: u16) -> Vec<u8> {
    let mut frame = vec![STATUS];
    code.put(&mut frame);
    frame
}

/// Sends bytes so that they can be told from the next.
pub fn send_frame(mut stream: &TcpStream, frame: &[u8]) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    frame.to_vec().put(&mut bytes);
    stream.write_all(&bytes)
}

/// The next frame. `UnexpectedEof` if the other side has closed.
pub fn receive_frame(mut stream: &TcpStream) -> std::io::Result<Vec<u8>> {
    let mut len = [0; 4];
    stream.read_exact(&mut len)?;
    let mut frame = vec![0; usize::try_from(u32::from_le_bytes(len)).map_err(Error::other)?.min(1 << 20)];
    stream.read_exact(&mut frame)?;
    Ok(frame)
}

/// Ends a session: after what was sent, or at once.
pub fn end(stream: &TcpStream, reset: bool) {
    if reset {
        send_frame(stream, &[RESET]).ok();
    }
    stream.shutdown(if reset { Shutdown::Both } else { Shutdown::Write }).ok();
}

/// Connects, or says why not in the words of the seam.
pub fn connect(there: SocketAddr, timeout: Duration) -> Result<TcpStream, CallError> {
    let stream = TcpStream::connect_timeout(&there, timeout).map_err(|error| match error.kind() {
        ErrorKind::ConnectionRefused => CallError::Refused,
        ErrorKind::TimedOut | ErrorKind::WouldBlock => CallError::ConnectTimeout,
        _ => CallError::Reset,
    })?;
    stream.set_nodelay(true).map_err(|_| CallError::Reset)?;
    stream.set_write_timeout(Some(LIMIT)).map_err(|_| CallError::Reset)?;
    Ok(stream)
}

/// A call, from the connection to the answer.
pub fn exchange<T: Codec>(
    there: SocketAddr,
    from: u32,
    request: &[u8],
    connect_timeout: Duration,
    read_timeout: Duration,
) -> Result<T, CallError> {
    let failed = |error: Error| match error.kind() {
        ErrorKind::TimedOut | ErrorKind::WouldBlock => CallError::ReadTimeout,
        ErrorKind::UnexpectedEof => CallError::Broken,
        _ => CallError::Reset,
    };
    let stream = connect(there, connect_timeout)?;
    stream.set_read_timeout(Some(read_timeout)).map_err(failed)?;
    send_frame(&stream, &preamble(CALL, from, 0)).map_err(failed)?;
    send_frame(&stream, request).map_err(failed)?;
    let frame = receive_frame(&stream).map_err(failed)?;
    match frame.split_first() {
        Some((&DATA, mut rest)) => T::take(&mut rest).ok_or(CallError::Broken),
        Some((&STATUS, mut rest)) => {
            let code = u16::take(&mut rest).ok_or(CallError::Broken)?;
            Err(CallError::Status { code, body: None, location: None })
        }
        _ => Err(CallError::Broken),
    }
}
