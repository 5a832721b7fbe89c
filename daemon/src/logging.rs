//! Where the log goes: to journald through stderr when systemd has connected the two, else to stderr for a person.

use std::fmt;
use std::io::IsTerminal;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{EnvFilter, LevelFilter};
use tracing_subscriber::fmt::format::{self, FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use crate::paths::Lookup;

/// `VALETKEY_LOG` is no filter.
#[derive(Debug, thiserror::Error)]
#[error(
    "read VALETKEY_LOG={text:?}: {reason}; a filter reads like `info` or `warn,valetkey_engine=debug`"
)]
pub struct InvalidFilter {
    text: String,
    reason: String,
}

/// Starts logging for the whole process.
///
/// # Errors
/// When `VALETKEY_LOG` is no filter.
pub fn start(lookup: Lookup<'_>) -> Result<(), InvalidFilter> {
    let text = lookup("VALETKEY_LOG").map(|value| value.to_string_lossy().into_owned());
    let filter = parse_filter(text.as_deref())?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A line that cannot be written would be told of on stderr, which is what cannot be written to, and that would be fatal.
    let builder = builder.log_internal_errors(false);
    // An error means that a test has started logging already; its subscriber is as good.
    let _ = if is_journal(lookup) {
        builder.with_ansi(false).event_format(Journal).try_init()
    } else {
        builder.compact().with_ansi(std::io::stderr().is_terminal()).try_init()
    };
    Ok(())
}

/// Without a word from the user: what an operator wants to know, and nobody else's chatter.
fn parse_filter(text: Option<&str>) -> Result<EnvFilter, InvalidFilter> {
    let text = text.unwrap_or(DEFAULT_FILTER);
    let invalid = |reason: String| InvalidFilter { text: text.to_owned(), reason };
    // Any other word is taken for the name of what logs, of which there would be none.
    if let Some(word) = text.split(',').map(str::trim).find(|word| is_no_level(word)) {
        return Err(invalid(format!("{word:?} is no level")));
    }
    EnvFilter::try_new(text).map_err(|error| invalid(error.to_string()))
}

fn is_no_level(word: &str) -> bool {
    let is_word = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_word && word.parse::<LevelFilter>().is_err()
}

const DEFAULT_FILTER: &str = "info";

/// systemd names the device and inode of the stream that it connected to the journal (systemd.exec(5)); a redirection
/// inherits the variable but not the stream.
#[cfg(unix)]
fn is_journal(lookup: Lookup<'_>) -> bool {
    let Some(stream) = lookup("JOURNAL_STREAM") else { return false };
    rustix::fs::fstat(std::io::stderr())
        .is_ok_and(|stat| stream.to_str() == Some(&format!("{}:{}", stat.st_dev, stat.st_ino)))
}

#[cfg(not(unix))]
fn is_journal(_lookup: Lookup<'_>) -> bool {
    false
}

/// One line without a time, which the journal knows, and with the priority in front (sd-daemon(3)).
struct Journal;

impl<S, N> FormatEvent<S, N> for Journal
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        write!(writer, "<{}>{}: ", priority(*metadata.level()), metadata.target())?;
        for span in context.event_scope().into_iter().flat_map(|scope| scope.from_root()) {
            write!(writer, "{}", span.name())?;
            if let Some(fields) = span.extensions().get::<FormattedFields<N>>()
                && !fields.is_empty()
            {
                write!(writer, "{{{fields}}}")?;
            }
            writer.write_str(": ")?;
        }
        format::DefaultFields::new().format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}

/// syslog(3)'s numbers.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_for_the_journal_has_a_priority_and_no_time() {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .event_format(Journal)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!("flight", app = "mail");
            span.in_scope(|| tracing::warn!(target: "valetkey", attempt = 2, "slow provider"));
        });
        let written = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert_eq!(written, "<4>valetkey: flight{app=\"mail\"}: slow provider attempt=2\n");
    }

    #[test]
    fn a_filter_that_is_none_is_refused_with_an_example() {
        assert!(parse_filter(None).is_ok());
        assert!(parse_filter(Some("warn,valetkey_engine=debug")).is_ok());
        for level in ["debug", "WARN", "off", "info,valetkey_engine=debug", "valetkey_engine"] {
            assert!(parse_filter(Some(level)).is_ok(), "{level}");
        }
        let message = parse_filter(Some("loud")).unwrap_err().to_string();
        assert!(message.contains("\"loud\" is no level"), "{message}");
        let message = parse_filter(Some("valetkey=loud")).unwrap_err().to_string();
        assert!(
            message.contains("valetkey=loud") && message.contains("a filter reads like"),
            "{message}"
        );
    }
}
