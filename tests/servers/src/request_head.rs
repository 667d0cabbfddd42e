use tokio::io::{AsyncRead, AsyncReadExt as _};

/// The head of a request, changed so that it is the connection's last, and what came with it. None
/// when the connection ends before.
pub(crate) async fn read(
    client: &mut (impl AsyncRead + Unpin),
) -> std::io::Result<Option<Vec<u8>>> {
    let mut read = Vec::new();
    let mut buffer = [0; 8192];
    let end = loop {
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        match client.read(&mut buffer).await? {
            0 => return Ok(None),
            count => read.extend_from_slice(&buffer[..count]),
        }
    };
    let head = String::from_utf8_lossy(&read[..end]).into_owned();
    let mut changed = Vec::with_capacity(read.len() + 32);
    for line in head.split("\r\n") {
        if !line.to_ascii_lowercase().starts_with("connection:") {
            changed.extend_from_slice(line.as_bytes());
            changed.extend_from_slice(b"\r\n");
        }
    }
    changed.extend_from_slice(b"Connection: close\r\n");
    changed.extend_from_slice(&read[end + 2..]);
    Ok(Some(changed))
}
