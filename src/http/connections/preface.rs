//! How a connection in the clear begins: with HTTP/1.1, or with HTTP/2 that its client knows is
//! spoken here.

use std::io;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::sleep;

/// The first bytes of every client of HTTP/2 (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Looking does not wait for more than there is.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Whether HTTP/2 is spoken. Nothing is taken from the stream, and its end is left for its reader.
pub(super) async fn is_http2(stream: &TcpStream) -> io::Result<bool> {
    let mut bytes = [0; PREFACE.len()];
    loop {
        let length = stream.peek(&mut bytes).await?;
        let begin = bytes.get(..length).unwrap_or_default();
        if begin.is_empty() || !PREFACE.starts_with(begin) {
            return Ok(false);
        }
        if begin.len() == PREFACE.len() {
            return Ok(true);
        }
        sleep(LOOK_AGAIN).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn the_first_bytes_tell_and_stay() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        for (pieces, expected) in [
            (&[&b"GET / HTTP/1.1\r\n"[..]][..], false),
            (&[b"P", b"OST / HTTP/1.1\r\n"], false),
            (&[b"PRI", b" * HTTP/2.0\r\n", b"\r\nSM\r\n\r\n", b"more"], true),
            (&[b"PRI * HTTP/1.1\r\n\r\n"], false),
            (&[], false),
        ] {
            let client = async {
                let mut stream = TcpStream::connect(address).await.unwrap();
                for piece in pieces {
                    stream.write_all(piece).await.unwrap();
                    sleep(LOOK_AGAIN * 3).await;
                }
            };
            let server = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                let is_http2 = is_http2(&stream).await.unwrap();
                let mut read = Vec::new();
                stream.read_to_end(&mut read).await.unwrap();
                (is_http2, read)
            };
            let ((), (is_http2, read)) = tokio::join!(client, server);
            assert_eq!((is_http2, read), (expected, pieces.concat()), "{pieces:?}");
        }
    }
}
