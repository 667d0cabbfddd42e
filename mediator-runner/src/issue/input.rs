//! The inputs of `issue`: files and standard input, read one event at a time.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::Stream;
use mediator_ddcc::operation_outcome::{Issue, IssueType, OperationOutcome};
use mediator_ddcc::request::{Submission, read_submissions};
use tokio::sync::mpsc;

/// Events that are read ahead of those being issued.
const READ_AHEAD: usize = 64;

/// One event of an input.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The input's name.
    pub(crate) input: String,
    /// Number of the event in its input, from 1.
    pub(crate) number: usize,
    /// Bytes of all inputs that were read so far.
    pub(crate) position: u64,
    submission: Option<Submission>,
}

impl Entry {
    /// The event, or what is wrong with that part of the input. There is one to take.
    pub(crate) fn take_submission(&mut self) -> Submission {
        self.submission.take().unwrap_or_else(|| {
            Err(OperationOutcome::new(
                500,
                Issue::general(IssueType::Exception, "this event was taken already"),
            ))
        })
    }
}

/// Opened inputs.
pub(crate) struct Inputs {
    sources: Vec<Source>,
    length: Option<u64>,
}

struct Source {
    name: String,
    reader: Box<dyn Read + Send>,
}

impl Inputs {
    /// Opens every input, so that a wrong name is found before anything is issued.
    pub(crate) fn open(paths: &[PathBuf]) -> Result<Self, String> {
        let mut length = Some(0);
        let mut sources = Vec::with_capacity(paths.len());
        for path in paths {
            let (source, bytes) = open(path)?;
            length = length
                .zip(bytes)
                .map(|(total, bytes): (u64, u64)| total.saturating_add(bytes));
            sources.push(source);
        }
        Ok(Self { sources, length })
    }

    /// Bytes of all inputs, when that is known.
    pub(crate) fn length(&self) -> Option<u64> {
        self.length
    }

    /// The events, read by a thread of its own.
    pub(crate) fn read(self) -> impl Stream<Item = Entry> + Send {
        let (sender, mut receiver) = mpsc::channel(READ_AHEAD);
        tokio::task::spawn_blocking(move || {
            let position = Arc::new(AtomicU64::new(0));
            for source in self.sources {
                let reader = Counting {
                    inner: source.reader,
                    position: Arc::clone(&position),
                };
                if !send_all(BufReader::new(reader), &source.name, &position, &sender) {
                    return;
                }
            }
        });
        futures::stream::poll_fn(move |context| receiver.poll_recv(context))
    }
}

/// False when nobody receives any more.
fn send_all(
    reader: impl BufRead,
    name: &str,
    position: &AtomicU64,
    sender: &mpsc::Sender<Entry>,
) -> bool {
    for (index, submission) in read_submissions(reader).enumerate() {
        let entry = Entry {
            input: name.to_owned(),
            number: index + 1,
            position: position.load(Ordering::Relaxed),
            submission: Some(submission),
        };
        if sender.blocking_send(entry).is_err() {
            return false;
        }
    }
    true
}

fn open(path: &Path) -> Result<(Source, Option<u64>), String> {
    if path.as_os_str() == "-" {
        let source = Source {
            name: "-".to_owned(),
            reader: Box::new(io::stdin()),
        };
        return Ok((source, None));
    }
    let name = path.display().to_string();
    let error = |error: io::Error| format!("cannot read {name}: {error}");
    let file = File::open(path).map_err(error)?;
    let metadata = file.metadata().map_err(error)?;
    if metadata.is_dir() {
        return Err(format!("cannot read {name}: it is a folder"));
    }
    let length = metadata.is_file().then_some(metadata.len());
    let source = Source {
        name,
        reader: Box::new(file),
    };
    Ok((source, length))
}

/// Counts what is read.
struct Counting {
    inner: Box<dyn Read + Send>,
    position: Arc<AtomicU64>,
}

impl Read for Counting {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.position.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
