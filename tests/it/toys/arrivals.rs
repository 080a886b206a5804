//! What arrives at a real-time machine, and the threads that wait for it: at its ports, and at the far ends of its sessions.

use std::io::{Error, ErrorKind};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use regsim::protocol::{
    Address, Answer, CallError, CallId, DiskInput, EndReason, LinkId, LinkInput, Operation, Protocol,
};

use super::sockets::{DATA, LIMIT, LINK, receive_frame, send_frame, status};
use super::tape::Config;
use super::wire::Codec;

/// What a protocol must be to run on threads and sockets.
pub trait Real:
    Protocol<
        Config: Send + Sync,
        Request: Codec + Send,
        Response: Codec + Send,
        Message: Codec + Send,
        Record: Codec + Send,
        Tag: Send,
    > + Send
    + 'static
{
}

impl<P> Real for P where
    P: Protocol<
            Config: Send + Sync,
            Request: Codec + Send,
            Response: Codec + Send,
            Message: Codec + Send,
            Record: Codec + Send,
            Tag: Send,
        > + Send
        + 'static
{
}

/// What the threads around a machine tell it.
pub enum Arrival<P: Protocol> {
    Request { from: Address, request: P::Request, reply: Sender<P::Response> },
    Outcome { call: CallId, tag: P::Tag, result: Result<P::Response, CallError> },
    Accepted { from: Address, port: u16, stream: TcpStream },
    Opened { link: LinkId, stream: TcpStream },
    Link { link: LinkId, input: LinkInput<P::Message> },
    Datagram { from: Address, message: P::Message },
    Disk(DiskInput<P::Tag>),
    Ask { operation: Operation, reply: Sender<Answer> },
    Reconfigure(Arc<Config<P>>),
    Stop,
    Kill,
}

/// Does something on a thread of its own.
#[expect(clippy::disallowed_methods, reason = "this is a driver: it owns threads")]
pub fn spawn<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    std::thread::spawn(body)
}

/// Takes connections until the process is over.
pub fn accept<P: Real>(listener: &TcpListener, sink: &Sender<Arrival<P>>, over: &AtomicBool) {
    while let Ok((stream, _)) = listener.accept() {
        if over.load(Ordering::Acquire) {
            break;
        }
        let sink = sink.clone();
        // A caller that breaks off is its own business.
        spawn(move || serve::<P>(stream, &sink).ok());
    }
}

/// One connection: a call from its request to its answer, or a session, which is handed over.
fn serve<P: Real>(stream: TcpStream, sink: &Sender<Arrival<P>>) -> std::io::Result<()> {
    stream.set_read_timeout(Some(LIMIT))?;
    let frame = receive_frame(&stream)?;
    let mut rest = frame.as_slice();
    let head = (u8::take(&mut rest), u32::take(&mut rest), u16::take(&mut rest));
    let (Some(kind), Some(from), Some(port)) = head else { return Err(ErrorKind::InvalidData.into()) };
    let from = Address(from);
    if kind == LINK {
        sink.send(Arrival::Accepted { from, port, stream }).ok();
        return Ok(());
    }
    let Some(request) = P::Request::take(&mut receive_frame(&stream)?.as_slice()) else {
        return send_frame(&stream, &status(400));
    };
    let (reply, response) = channel();
    if sink.send(Arrival::Request { from, request, reply }).is_err() {
        return send_frame(&stream, &status(503));
    }
    // The process may end first; then the connection just ends.
    let response: P::Response = response.recv_timeout(LIMIT).map_err(Error::other)?;
    let mut frame = vec![DATA];
    response.put(&mut frame);
    send_frame(&stream, &frame)
}

/// Takes packets until the process is over.
pub fn receive<P: Real>(socket: &UdpSocket, sink: &Sender<Arrival<P>>, over: &AtomicBool) {
    let mut packet = [0; 2048];
    while !over.load(Ordering::Acquire) {
        let Ok((len, _)) = socket.recv_from(&mut packet) else { continue };
        let mut rest = &packet[..len];
        if let (Some(from), Some(message)) = (u32::take(&mut rest), P::Message::take(&mut rest)) {
            sink.send(Arrival::Datagram { from: Address(from), message }).ok();
        }
    }
}

/// Reads from a session until it ends.
pub fn listen<P: Real>(link: LinkId, stream: TcpStream, sink: Sender<Arrival<P>>) {
    spawn(move || {
        loop {
            let input = match receive_frame(&stream) {
                Ok(frame) => match frame.split_first() {
                    Some((&DATA, mut rest)) => P::Message::take(&mut rest).map(LinkInput::Received),
                    _ => None,
                }
                .unwrap_or(LinkInput::Ended(EndReason::Reset)),
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => LinkInput::Ended(EndReason::Closed),
                Err(_) => LinkInput::Ended(EndReason::Reset),
            };
            let over = matches!(input, LinkInput::Ended(_));
            if sink.send(Arrival::Link { link, input }).is_err() || over {
                break;
            }
        }
    });
}
