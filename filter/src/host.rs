//! What the roles ask of Envoy, whichever way they came into it: [`wasm`](crate::wasm) or [`native`](crate::native).

use std::borrow::Cow;

use weir_core::answer::Answer;
use weir_core::attempt::Connection;
use weir_core::edge::Leased;
use weir_core::role::End;
use weir_core::steward::Call;
use weir_core::time::Instant;

use crate::shared::Store;

/// A header map.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Map {
    Request,
    RequestTrailers,
    Response,
    ResponseTrailers,
}

/// A body.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Buffer {
    Request,
    Response,
}

/// What a role has Envoy do next.
pub(crate) enum Next {
    Continue,
    /// Hold what is there, and ask again when there is more.
    Pause,
    /// Answer from here. Always last: Envoy may end the stream while it is told.
    Answer(Box<Answer>),
}

/// Headers that take the place of others: names and values.
pub(crate) type Headers<'h> = Vec<(&'h str, Cow<'h, str>)>;

/// One stream, in one role; what cannot be had is `None` or empty, never a panic.
pub(crate) trait Host {
    /// Where the workers' cells are.
    type Cells: Store;

    /// The time; 1970 if there is no clock.
    fn now(&self) -> Instant;

    /// Shows all headers of a map in their order, and replaces them by what comes back. One that is not UTF-8 is not shown: no
    /// header that Weir reads or passes on is.
    fn rewrite_headers<T>(
        &mut self,
        map: Map,
        with: impl for<'h> FnOnce(&[(&'h str, &'h str)]) -> (T, Option<Headers<'h>>),
    ) -> T;

    /// Removes the headers that `stays` does not want.
    fn retain_headers(&mut self, map: Map, stays: impl Fn(&str) -> bool);

    /// Removes all headers of a map.
    fn clear(&mut self, map: Map);

    /// Sets one header.
    fn set_header(&mut self, map: Map, name: &str, value: &str);

    /// Removes one header, which is never read.
    fn remove_header(&mut self, map: Map, name: &str);

    /// What has come of a body: its first `size` bytes.
    fn body(&self, buffer: Buffer, size: usize) -> Cow<'_, [u8]>;

    /// At most `max` bytes of a body, from `start`.
    fn slice(&self, buffer: Buffer, start: usize, max: usize) -> Vec<u8>;

    /// Replaces what has come of a body, which is `size` bytes. `false` if that was more than Envoy holds: it has then answered
    /// the caller itself, and the stream is destroyed and may be asked nothing more.
    #[must_use]
    fn replace_body(&mut self, buffer: Buffer, size: usize, with: &[u8]) -> bool;

    /// A filter state that is a text.
    fn state(&self, name: &str) -> Option<String>;

    /// Sets a filter state, whose name begins with `wasm.`.
    fn set_state(&mut self, name: &str, value: &str);

    /// The client's address and port, as the connection manager sees it.
    fn address(&self) -> Option<String>;

    /// The URI in the client's certificate, which Envoy has verified; its first one, if there are several.
    fn certificate(&self) -> Option<String>;

    /// Why the caller got the answer that it got: Envoy's response code details.
    fn details(&self) -> Option<String>;

    /// What is known of the connection to the provider, in the latest try for the edge that is called `request` on this worker.
    fn connection(&self, request: u32) -> Connection;

    /// Whether this stream, which is one to a provider, has a connection.
    fn has_connection(&self) -> bool;

    /// Whether this stream's caller is known not to read what is there for it.
    fn caller_is_paused(&self) -> bool;

    /// Envoy's response flags, as bits.
    fn flags(&self) -> u64;

    /// Ends the answer of the edge that is called `request` on this worker, after what is passed on now; at once or soon, or not
    /// at all where it cannot be done.
    fn end(&mut self, request: u32, end: End);

    /// Lets Envoy choose the route anew, by what the filter state says now.
    fn clear_route_cache(&mut self);

    /// The cells that all workers share.
    fn cells(&self) -> Self::Cells;

    /// Makes a call to control, for all of this worker. Its number in Envoy; `None` if it was not made. The shell is told how it
    /// ended, perhaps before this returns; natively not, if the stream is gone by then.
    fn call_control(&self, call: &Call) -> Option<u64>;

    /// Writes a line to Envoy's log, for the operator.
    fn warn(&self, line: &str);
}

/// One of the filter's roles in one stream. What it is not told of, it lets pass.
pub(crate) trait Role<H: Host> {
    /// The request's headers have come; `end` if no body follows.
    fn request_headers(&mut self, host: &mut H, end: bool) -> Next;

    /// More of the request's body has come: `size` bytes that are held now or came with this.
    fn request_body(&mut self, host: &mut H, size: usize, end: bool) -> Next;

    /// The request has ended with trailers.
    fn request_trailers(&mut self, _: &mut H) -> Next {
        Next::Continue
    }

    /// The answer's headers have come; `end` if no body follows.
    fn response_headers(&mut self, _: &mut H, _end: bool) -> Next {
        Next::Continue
    }

    /// More of the answer's body has come: `size` bytes that are held now or came with this.
    fn response_body(&mut self, _: &mut H, _size: usize, _end: bool) -> Next {
        Next::Continue
    }

    /// The answer has ended with trailers.
    fn response_trailers(&mut self, _: &mut H) -> Next {
        Next::Continue
    }

    /// Control was asked for what the request waits for.
    fn leased(&mut self, _: &mut H, _: Leased) -> Next {
        Next::Continue
    }

    /// All is known; Envoy is about to write its access log.
    fn log(&mut self, _: &mut H) {}

    /// The stream is gone.
    fn done(&mut self, _: &mut H) {}
}
