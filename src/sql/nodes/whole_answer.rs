//! Requests to one node, and the guard over its answers: an answer that ends before it is whole is an
//! error, and each error of a connection names the node.
//!
//! In gRPC an answer ends with its status. A client that gets the end of the bytes without it may take
//! that for the end of the rows; here it never does.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use hyper::body::{Body as HttpBody, Frame};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::http::{HeaderMap, Request, Response};
use tonic::codegen::{Bytes, Service};
use tonic::transport::{Channel, Error};

use super::dial::{NodeUrl, in_one_line};
use super::far_error::FarError;
use super::heads::{self, NodeSecret};
use super::heard::silent;
use crate::archive::ArchiveMark;

/// The header in which an answer's status is.
const STATUS: &str = "grpc-status";
/// The message of an error that the engine carries in details of its own.
const ENGINE_ERROR: &str = "DataFusionError";

/// Requests to one node, of a coordinator on one archive.
#[derive(Debug, Clone)]
pub(super) struct NodeRequests {
    pub node: NodeUrl,
    pub channel: Channel,
    pub secret: NodeSecret,
    pub mark: ArchiveMark,
}

impl Service<Request<Body>> for NodeRequests {
    type Response = Response<Body>;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Response<Body>, Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        // A connection that is gone fails the request, in words that name the node.
        match self.channel.poll_ready(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(_) => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        heads::tell(request.headers_mut(), &self.secret, self.mark);
        let answer = self.channel.call(request);
        let node = self.node.clone();
        async move {
            Ok(match answer.await {
                Err(error) => broken(&node, &in_one_line(&error)).into_http(),
                Ok(answer) => checked(answer, node),
            })
        }
        .boxed()
    }
}

/// The error of a connection that broke.
fn broken(node: &NodeUrl, reason: &str) -> Status {
    let words = if reason.contains(&silent()) {
        format!("the node {node} is silent: {}", silent())
    } else {
        format!("the connection to the node {node} broke ({reason})")
    };
    let words = format!("{words}; see whether it runs, and ask again, or ask without --nodes");
    Status::unavailable(FarError::Node(words).to_text())
}

fn checked(answer: Response<Body>, node: NodeUrl) -> Response<Body> {
    if let Some(refusal) = of_status(answer.headers(), &node) {
        return refusal.into_http();
    }
    let ended = answer.headers().contains_key(STATUS);
    answer.map(|inner| Body::new(WholeBody { inner, node, ended }))
}

/// The error in the status of an answer, unless it is one that the engine reads by itself or that is in
/// our words already.
fn of_status(heads: &HeaderMap, node: &NodeUrl) -> Option<Status> {
    let status = Status::from_header_map(heads)?;
    let message = status.message();
    let known = message == ENGINE_ERROR || FarError::found_in(message).is_some();
    if status.code() == tonic::Code::Ok || known {
        return None;
    }
    let words = FarError::Node(format!("the node {node} refuses: {message}"));
    Some(Status::new(status.code(), words.to_text()))
}

/// The bytes of an answer, which end with its status or with an error.
struct WholeBody {
    inner: Body,
    node: NodeUrl,
    ended: bool,
}

impl HttpBody for WholeBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        let frame = match Pin::new(&mut this.inner).poll_frame(context) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(frame) => frame,
        };
        Poll::Ready(match frame {
            None if this.ended => None,
            None => {
                this.ended = true;
                Some(Err(broken(&this.node, "its answer ended before it was whole")))
            }
            Some(Err(error)) => {
                this.ended = true;
                Some(Err(broken(&this.node, &in_one_line(&error))))
            }
            Some(Ok(frame)) => match frame.trailers_ref() {
                None => Some(Ok(frame)),
                Some(trailers) => {
                    this.ended |= trailers.contains_key(STATUS);
                    match of_status(trailers, &this.node) {
                        Some(refusal) => Some(Err(refusal)),
                        None => Some(Ok(frame)),
                    }
                }
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt as _, Full, StreamBody};

    use super::*;

    fn node() -> NodeUrl {
        NodeUrl::parse("http://127.0.0.1:9").unwrap()
    }

    fn whole(body: Body, ended: bool) -> WholeBody {
        WholeBody { inner: body, node: node(), ended }
    }

    fn with_status(code: &str, message: &str) -> HeaderMap {
        let mut heads = HeaderMap::new();
        heads.insert(STATUS, code.parse().unwrap());
        heads.insert("grpc-message", message.parse().unwrap());
        heads
    }

    fn ending(trailers: HeaderMap) -> Body {
        let frames = [Frame::data(Bytes::from_static(b"rows")), Frame::trailers(trailers)];
        let frames = frames.map(Ok::<_, Status>);
        Body::new(StreamBody::new(futures::stream::iter(frames)))
    }

    #[tokio::test]
    async fn an_answer_without_its_end_is_an_error_that_names_the_node() {
        let cut = Body::new(Full::new(Bytes::from_static(b"rows")));
        let error = whole(cut, false).collect().await.unwrap_err();
        let Some(FarError::Node(words)) = FarError::found_in(error.message()) else {
            panic!("{error}")
        };
        assert!(words.contains("http://127.0.0.1:9") && words.contains("whole"), "{words}");
        let all = whole(ending(with_status("0", "")), false).collect().await.unwrap();
        assert_eq!(all.to_bytes(), &b"rows"[..]);
    }

    #[tokio::test]
    async fn a_refusal_names_the_node_and_the_engines_error_is_left_alone() {
        let refused = whole(ending(with_status("16", "no")), false).collect().await.unwrap_err();
        let words = FarError::Node("the node http://127.0.0.1:9 refuses: no".to_owned());
        assert_eq!(FarError::found_in(refused.message()), Some(words));
        let engine = ending(with_status("13", ENGINE_ERROR));
        assert!(whole(engine, false).collect().await.is_ok());
    }
}
