use std::error::Error;

/// What is wrong with a server's certificate, if that is why there is no connection.
pub(crate) fn certificate_fault(error: &(dyn Error + 'static)) -> Option<String> {
    chain(error).find_map(|cause| match cause.downcast_ref::<rustls::Error>() {
        Some(rustls::Error::InvalidCertificate(fault)) => Some(fault.to_string()),
        _ => None,
    })
}

/// What TLS said, if that is why there is no connection.
pub(crate) fn tls_fault(error: &(dyn Error + 'static)) -> Option<String> {
    let fault = chain(error).find_map(|cause| cause.downcast_ref::<rustls::Error>());
    fault.map(ToString::to_string)
}

pub(crate) fn innermost<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    chain(error).last().unwrap_or(error)
}

/// An error and its causes. `io::Error` hides the error it wraps from `source`.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(
        Some(error),
        |&error: &&'a (dyn Error + 'static)| match error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref)
        {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => error.source(),
        },
    )
}
