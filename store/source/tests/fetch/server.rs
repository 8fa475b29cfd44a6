//! A server that gives one answer after another, and remembers the requests. It ends with its last answer, or when
//! it is dropped.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// What a client that hangs costs a test at most.
const PATIENCE: Duration = Duration::from_secs(20);

/// How to answer one request.
#[derive(Clone)]
pub enum Answer {
    /// Sends this and closes.
    Raw(Vec<u8>),
    /// Sends this and waits until the client has enough.
    RawThenSilent(Vec<u8>),
    /// A body without end.
    Endless,
    /// Reads the request and sends nothing.
    Silent,
    /// Closes without a word.
    Reset,
}

impl Answer {
    pub fn ok(body: &[u8]) -> Self {
        Self::Raw(response("200 OK", &format!("Content-Length: {}\r\n", body.len()), body))
    }

    pub fn status(status: u16) -> Self {
        Self::Raw(response(&format!("{status} x"), "Content-Length: 0\r\n", b""))
    }

    pub fn redirect(to: &str) -> Self {
        Self::Raw(response("302 Found", &format!("Location: {to}\r\nContent-Length: 0\r\n"), b""))
    }

    /// Promises all of `body`, sends a part and closes.
    pub fn cut(body: &[u8], sent: usize) -> Self {
        Self::Raw(response("200 OK", &format!("Content-Length: {}\r\n", body.len()), &body[..sent]))
    }

    pub fn cut_silent(body: &[u8], sent: usize) -> Self {
        Self::RawThenSilent(response("200 OK", &format!("Content-Length: {}\r\n", body.len()), &body[..sent]))
    }

    /// The rest of `body`.
    pub fn part(body: &[u8], from: usize) -> Self {
        Self::cut_part(body, from, body.len())
    }

    pub fn cut_part(body: &[u8], from: usize, to: usize) -> Self {
        let whole = body.len();
        let headers = format!(
            "Content-Range: bytes {from}-{}/{whole}\r\nContent-Length: {}\r\n",
            whole - 1,
            whole - from
        );
        Self::Raw(response("206 Partial Content", &headers, &body[from..to]))
    }
}

fn response(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 {status}\r\nConnection: close\r\n{headers}\r\n").as_bytes(), body].concat()
}

/// The value of a request's `Range`.
pub fn range(request: &str) -> Option<String> {
    let header = request.lines().find(|line| line.to_ascii_lowercase().starts_with("range:"))?;
    Some(header.split_once(':')?.1.trim().to_owned())
}

pub struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub fn new(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let thread = std::thread::spawn(move || {
            for answer in answers {
                let Ok((stream, _)) = listener.accept() else { return };
                let Some(request) = read_request(&stream) else { return };
                seen.lock().unwrap().push(request);
                give(&answer, stream);
            }
        });
        Self { address, requests, thread: Some(thread) }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A connection without a request ends the thread, should it still wait for one.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn read_request(stream: &TcpStream) -> Option<String> {
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let mut request = String::new();
    let mut reader = BufReader::new(stream);
    while !request.ends_with("\r\n\r\n") {
        if reader.read_line(&mut request).ok()? == 0 {
            return None;
        }
    }
    Some(request)
}

fn give(answer: &Answer, mut stream: TcpStream) {
    // Failures to write are the client's having enough.
    match answer {
        Answer::Raw(bytes) => drop(stream.write_all(bytes)),
        Answer::RawThenSilent(bytes) => {
            drop(stream.write_all(bytes));
            drop(stream.read(&mut [0]));
        }
        Answer::Silent => drop(stream.read(&mut [0])),
        Answer::Reset => {}
        Answer::Endless => {
            let head = response("200 OK", "", b"");
            let piece = vec![b'x'; 64 << 10];
            // Bounded, should nobody stop it.
            let mut sent = stream.write_all(&head).is_ok();
            for _ in 0..1000 {
                sent = sent && stream.write_all(&piece).is_ok();
            }
        }
    }
}
