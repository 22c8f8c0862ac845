//! A whole answer, and the events of one that was streamed.

use bytes::Bytes;
use hyper::HeaderMap;
use serde_json::Value;

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) trailers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) ended: Ended,
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// As an HTTP message ends.
    Cleanly,
    /// The connection or the stream broke; SDKs raise an error.
    Broken,
}

/// One event of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The event's name, empty where it has none.
    pub name: String,
    /// Its data.
    pub data: String,
}

impl Event {
    pub(crate) fn read(text: &str) -> Option<Self> {
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim_start);
        let data = field("data:")?.to_owned();
        Some(Self { name: field("event:").unwrap_or_default().to_owned(), data })
    }

    /// Its data as JSON; null if it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_default()
    }
}

impl Answer {
    /// The status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// A header, empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("a header that is text"))
    }

    /// How many headers came behind the body.
    pub fn trailers(&self) -> usize {
        self.trailers.len()
    }

    /// The names of all headers, in order.
    pub fn header_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.headers.keys().map(hyper::header::HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    /// `x-request-id`, by which the record is found.
    pub fn id(&self) -> &str {
        self.header("x-request-id")
    }

    /// The body.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {}: {}", self.status, self.text()))
    }

    /// The error's code, from a whole answer or from the last event of a stream. Fails if it does not have the shape of OpenAI's
    /// errors.
    pub fn code(&self) -> String {
        let body = self.events().last().map_or_else(|| self.json(), Event::json);
        let error = &body["error"];
        for field in ["message", "type", "code"] {
            assert!(error[field].is_string(), "no error of OpenAI's: {}", self.text());
        }
        assert!(error.as_object().is_some_and(|error| error.contains_key("param")), "no param: {}", self.text());
        error["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The error's message.
    pub fn message(&self) -> String {
        let body = self.events().last().map_or_else(|| self.json(), Event::json);
        body["error"]["message"].as_str().unwrap_or_default().to_owned()
    }

    /// The events of a stream.
    pub fn events(&self) -> Vec<Event> {
        // Google's events have carriage returns, and a relay does not change them.
        self.text().replace("\r\n", "\n").split("\n\n").filter_map(Event::read).collect()
    }

    /// Whether a stream says that it is complete.
    pub fn is_done(&self) -> bool {
        self.events().last().is_some_and(|event| event.data == "[DONE]")
    }

    /// What was said: the first choice's content, put together from its pieces where it was streamed.
    pub fn said(&self) -> String {
        let content = |choice: &Value, field: &str| choice[field]["content"].as_str().unwrap_or_default().to_owned();
        let events = self.events();
        if events.is_empty() {
            return content(&self.json()["choices"][0], "message");
        }
        events.iter().map(|event| content(&event.json()["choices"][0], "delta")).collect()
    }

    /// The model that says it has answered.
    pub fn model(&self) -> String {
        let body = self.events().first().map_or_else(|| self.json(), Event::json);
        body["model"].as_str().unwrap_or_default().to_owned()
    }

    /// How it ended.
    pub fn ended(&self) -> Ended {
        self.ended
    }
}
