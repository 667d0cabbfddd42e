use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};

const NOT_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: 38\r\nconnection: close\r\n\r\nthis port speaks HTTPS, not plain HTTP";

/// A connection of which the first byte is known, and read again.
pub(in super::super) struct Begun<Io> {
    first: Option<u8>,
    io: Io,
}

impl<Io: AsyncRead + AsyncWrite + Unpin> Begun<Io> {
    /// # Errors
    /// When the client speaks plain HTTP, which it is told.
    pub(super) async fn with_tls(mut io: Io) -> io::Result<Self> {
        let first = io.read_u8().await?;
        // A method's first letter; TLS begins with 0x16.
        if !first.is_ascii_uppercase() {
            return Ok(Self {
                first: Some(first),
                io,
            });
        }
        io.write_all(NOT_TLS).await?;
        io.shutdown().await?;
        // Closed with something unread, the connection would break before the answer is read.
        tokio::io::copy(&mut io, &mut tokio::io::sink()).await?;
        Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the client speaks plain HTTP",
        ))
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Begun<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buffer.remaining() > 0
            && let Some(first) = self.first.take()
        {
            buffer.put_slice(&[first]);
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Begun<Io> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}
