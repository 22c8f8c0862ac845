//! A closed loop of callers over plain sockets. It is no HTTP client, so that its own cost does not show in what is measured.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A request, and its address.
#[derive(Clone)]
pub(crate) struct Call {
    /// Where to connect.
    pub(crate) address: SocketAddr,
    /// The whole request, as bytes.
    pub(crate) request: Arc<[u8]>,
}

impl Call {
    /// A POST of `body` to `path` with a bearer key.
    pub(crate) fn post(address: SocketAddr, path: &str, key: &str, body: &str) -> Self {
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        Self { address, request: request.into_bytes().into() }
    }
}

/// What a run saw.
#[derive(Default)]
pub(crate) struct Run {
    /// Answers with status 200, complete.
    pub(crate) answers: u64,
    /// From the request's last byte to the answer's last, for each answer.
    pub(crate) latencies: Vec<Duration>,
    /// From the request's last byte to the first token, for each streamed answer.
    pub(crate) first_tokens: Vec<Duration>,
    /// Bytes of answers.
    pub(crate) bytes: u64,
    /// How long it ran.
    pub(crate) took: Duration,
}

impl Run {
    /// Answers a second.
    pub(crate) fn rate(&self) -> f64 {
        precise(self.answers) / self.took.as_secs_f64()
    }

    /// The median latency in microseconds.
    pub(crate) fn p50_us(&self) -> f64 {
        median_us(&self.latencies)
    }

    /// The median time to the first token in microseconds.
    pub(crate) fn first_token_us(&self) -> f64 {
        median_us(&self.first_tokens)
    }
}

#[allow(clippy::cast_precision_loss, reason = "a benchmark counts far below 2^52")]
pub(crate) fn precise(count: u64) -> f64 {
    count as f64
}

fn median_us(times: &[Duration]) -> f64 {
    median(times.iter().map(|time| time.as_secs_f64() * 1e6).collect())
}

/// The median, 0 of nothing.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// When a caller stops asking.
#[derive(Clone, Copy)]
enum Until {
    Time(Instant),
    Answers(u64),
}

/// Lets `callers` ask again and again for as long as `long`.
pub(crate) async fn run(call: &Call, callers: usize, long: Duration) -> io::Result<Run> {
    all(call, callers, Until::Time(Instant::now() + long)).await
}

/// Lets `callers` ask `times` each.
pub(crate) async fn times(call: &Call, callers: usize, times: u64) -> io::Result<Run> {
    all(call, callers, Until::Answers(times)).await
}

async fn all(call: &Call, callers: usize, until: Until) -> io::Result<Run> {
    let start = Instant::now();
    let tasks: Vec<_> = (0..callers).map(|_| tokio::spawn(caller(call.clone(), until))).collect();
    let mut all = Run::default();
    for task in tasks {
        let one = task.await.map_err(io::Error::other)??;
        all.answers += one.answers;
        all.bytes += one.bytes;
        all.latencies.extend(one.latencies);
        all.first_tokens.extend(one.first_tokens);
    }
    all.took = start.elapsed();
    Ok(all)
}

async fn caller(call: Call, until: Until) -> io::Result<Run> {
    let mut stream = TcpStream::connect(call.address).await?;
    stream.set_nodelay(true)?;
    let mut run = Run::default();
    let mut buffer = Vec::with_capacity(64 << 10);
    while match until {
        Until::Time(end) => Instant::now() < end,
        Until::Answers(most) => run.answers < most,
    } {
        stream.write_all(&call.request).await?;
        let sent = Instant::now();
        let mut first = None;
        buffer.clear();
        loop {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Err(io::Error::other("the connection was closed in the middle of an answer"));
            }
            if first.is_none() && has_token(&buffer) {
                first = Some(sent.elapsed());
            }
            if is_complete(&buffer)? {
                break;
            }
        }
        run.latencies.push(sent.elapsed());
        run.first_tokens.extend(first);
        run.answers += 1;
        run.bytes += buffer.len() as u64;
    }
    Ok(run)
}

/// Whether an OpenAI stream's first non-empty content is there.
fn has_token(buffer: &[u8]) -> bool {
    const CONTENT: &[u8] = b"\"content\":\"";
    memmem::find_iter(buffer, CONTENT).any(|at| buffer.get(at + CONTENT.len()).is_some_and(|byte| *byte != b'"'))
}

fn is_complete(buffer: &[u8]) -> io::Result<bool> {
    let Some(end) = memmem::find(buffer, b"\r\n\r\n") else { return Ok(false) };
    let head = String::from_utf8_lossy(buffer.get(..end).unwrap_or_default()).to_ascii_lowercase();
    if !head.starts_with("http/1.1 200") {
        let text = String::from_utf8_lossy(buffer);
        return Err(io::Error::other(format!("no answer but {text:.600}")));
    }
    let length = head.split("\r\n").find_map(|line| line.strip_prefix("content-length:"));
    match length {
        Some(length) => {
            let length: usize = length.trim().parse().map_err(io::Error::other)?;
            Ok(buffer.len() >= end + 4 + length)
        }
        // The callers wait for each answer, so the last chunk ends what is in the buffer.
        None => Ok(buffer.ends_with(b"0\r\n\r\n")),
    }
}
