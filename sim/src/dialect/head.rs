//! How a dialect's answers begin: their headers, and a failure, which has little more.

use bytes::Bytes;
use hyper::HeaderMap;

use super::{Dialect, Failure, set};
use crate::{
    answer::Delivery,
    reply::{Reply, json},
};

/// A failure in the words of `dialect`.
pub(crate) fn failure(dialect: &dyn Dialect, failure: &Failure, id: &str) -> Reply {
    let mut headers = HeaderMap::new();
    dialect.headers(&mut headers, id);
    let (status, body) = dialect.failure(failure, id);
    dialect.failure_headers(&mut headers, failure, status);
    set(&mut headers, "content-type", dialect.whole_type());
    json(headers, status, Bytes::from(body))
}

/// The headers of a successful answer.
pub(crate) fn headers(dialect: &dyn Dialect, id: &str, delivery: Delivery) -> HeaderMap {
    let mut headers = HeaderMap::new();
    dialect.headers(&mut headers, id);
    match delivery {
        Delivery::Whole => set(&mut headers, "content-type", dialect.whole_type()),
        Delivery::Streamed => {
            set(&mut headers, "content-type", dialect.stream_type());
            set(&mut headers, "cache-control", "no-cache");
        }
    }
    headers
}
