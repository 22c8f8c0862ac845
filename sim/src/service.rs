//! One request: read, decide, answer.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::{
    HeaderMap, Request, Response, StatusCode, Version,
    body::{Frame, Incoming},
    header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, VARY},
    http::request::Parts,
};

use crate::{
    Compression, Fault, admin,
    coding::Coding,
    dialect::{Failure, failure},
    play::{Broken, Connection, Play, internal_error, refused_stream},
    replay::unavailable,
    reply::{Decision, Length, Reply},
    route,
    script::Step,
    seen::{Arrival, Ticket},
    socket::Switch,
    state::State,
};

/// A request larger than this is refused, as by the real ones: a file of 64 MiB, and the form around it.
const LARGEST_REQUEST: usize = 65 << 20;

/// Serves one request.
pub(crate) async fn serve(
    state: Arc<State>,
    switch: Switch,
    request: Request<Incoming>,
) -> Result<Response<Play>, Broken> {
    let (mut head, incoming) = request.into_parts();
    let connection = if head.version == Version::HTTP_2 { Connection::Http2 } else { Connection::Http1(switch) };
    let body = match read(incoming).await {
        Ok((body, trailers)) => {
            head.headers.extend(trailers);
            body
        }
        Err(Unread::TooLarge) => {
            let reply = failure(route::dialect(&head), &Failure::TooLarge, &state.id());
            return respond(reply, connection, state.log.open(&head, &Bytes::new(), Arrival::Whole));
        }
        Err(Unread::Broken(part, error)) => {
            drop(state.log.open(&head, &part, Arrival::Partial));
            return Err(error.into());
        }
    };
    if let Some(path) = head.uri.path().strip_prefix("/_sim/") {
        return respond(admin::answer(&state, &head, path, &body), connection, Ticket::none());
    }
    let ticket = state.log.open(&head, &body, Arrival::Whole);
    match decide(&state, &head, &body, &ticket) {
        Decision::Answer { after, mut reply, fault } => {
            if !after.is_zero() {
                tokio::time::sleep(after).await;
            }
            ticket.made();
            let accepted = accepts_gzip(&head.headers);
            if fault == Some(Fault::Brotli) {
                compress(&mut reply, Coding::Brotli);
            } else if fault == Some(Fault::Gzip) || wants_gzip(state.options.compression, accepted) {
                compress(&mut reply, Coding::Gzip);
            }
            if fault == Some(Fault::Trailers) {
                let trailers = [(HeaderName::from_static("x-checksum"), HeaderValue::from_static("simulated"))];
                reply.script.push(Step::Trailers(trailers.into_iter().collect()));
            }
            respond(reply, connection, ticket)
        }
        Decision::Verbatim(reply) => respond(reply, connection, ticket),
        Decision::Hang => {
            // Holds the ticket: when the peer hangs up, this is dropped, and the request noted as aborted.
            std::future::pending::<()>().await;
            drop(ticket);
            Err(internal_error())
        }
        Decision::Refuse => broken(connection, refused_stream()).await,
        Decision::Reset => broken(connection, internal_error()).await,
    }
}

async fn broken(connection: Connection, error: Broken) -> Result<Response<Play>, Broken> {
    if let Connection::Http1(switch) = connection {
        switch.reset();
        // The connection, and this with it, is dropped before anything else happens.
        std::future::pending::<()>().await;
    }
    Err(error)
}

enum Unread {
    TooLarge,
    Broken(Bytes, hyper::Error),
}

/// The body, and what follows it.
async fn read(mut incoming: Incoming) -> Result<(Bytes, HeaderMap), Unread> {
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    let mut trailers = HeaderMap::new();
    while let Some(frame) = incoming.frame().await {
        let data = match frame.map(Frame::into_data) {
            Ok(Ok(data)) => data,
            Ok(Err(frame)) => {
                trailers.extend(frame.into_trailers().unwrap_or_default());
                continue;
            }
            Err(error) => {
                rest.extend_from_slice(&first);
                return Err(Unread::Broken(rest.freeze(), error));
            }
        };
        // Most bodies come in one frame, which need not be copied.
        if first.is_empty() && rest.is_empty() {
            first = data;
            continue;
        }
        if rest.is_empty() {
            rest.extend_from_slice(&std::mem::take(&mut first));
        }
        rest.extend_from_slice(&data);
        if rest.len() > LARGEST_REQUEST {
            return Err(Unread::TooLarge);
        }
    }
    Ok((if rest.is_empty() { first } else { rest.freeze() }, trailers))
}

fn decide(state: &State, head: &Parts, body: &Bytes, ticket: &Ticket) -> Decision {
    if let Some(case) = state.replaying() {
        return Decision::Verbatim(case.reply(state.options.chunk).unwrap_or_else(|error| unavailable(&error)));
    }
    route::answer(state, head, body, ticket)
}

fn wants_gzip(compression: Compression, accepted: bool) -> bool {
    match compression {
        Compression::Always => true,
        Compression::WhenAccepted => accepted,
        Compression::Never => false,
    }
}

/// Whether `accept-encoding` names gzip, or anything, without a weight of zero.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    headers
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|coding| {
            let mut parts = coding.split(';').map(str::trim);
            let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip") || name == "*");
            let never = |weight: &str| weight.strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0_f32));
            named && !parts.any(never)
        })
}

fn compress(reply: &mut Reply, coding: Coding) {
    let sound = reply.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"audio/"));
    if sound || reply.script.is_empty() || reply.headers.contains_key(CONTENT_ENCODING) {
        return;
    }
    reply.script = coding.compress(std::mem::take(&mut reply.script));
    reply.headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
    reply.headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
    if let Length::Claimed(_) = reply.length {
        // Still more than is sent, which is all a claim is for.
        reply.length = Length::Claimed(sent(&reply.script) + 1);
    }
}

fn sent(script: &[Step]) -> usize {
    script.iter().map(|step| if let Step::Send(bytes) = step { bytes.len() } else { 0 }).sum()
}

fn respond(reply: Reply, connection: Connection, ticket: Ticket) -> Result<Response<Play>, Broken> {
    let Reply { status, headers, script, length } = reply;
    ticket.status(status);
    let length = match length {
        Length::Known => Some(sent(&script)),
        Length::Claimed(length) => Some(length),
        Length::Chunked => None,
    };
    let mut response = Response::new(Play::new(script, connection, ticket));
    *response.status_mut() = StatusCode::from_u16(status)?;
    *response.headers_mut() = headers;
    if let Some(length) = length {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_accepted_where_it_is_named() {
        let check = |value: &'static str, expect: bool| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(value));
            assert_eq!(accepts_gzip(&headers), expect, "{value}");
        };
        check("gzip, deflate, br", true);
        check("br;q=1.0, GZIP;q=0.5", true);
        check("*", true);
        check("identity", false);
        check("gzip;q=0, identity", false);
        check("gzip;q=0.00", false);
        check("", false);
    }
}
