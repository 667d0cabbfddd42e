use std::fmt::Display;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use tokio::time::timeout;

use super::finding::Finding;

/// Something to look at.
pub(super) struct Check {
    name: String,
    work: BoxFuture<'static, Vec<Finding>>,
}

impl Check {
    pub(super) fn new(
        name: impl Into<String>,
        work: impl Future<Output = Vec<Finding>> + Send + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            work: work.boxed(),
        }
    }

    /// With work that may block.
    pub(super) fn blocking(
        name: impl Into<String>,
        work: impl FnOnce() -> Vec<Finding> + Send + 'static,
    ) -> Self {
        let name = name.into();
        let told = name.clone();
        Self::new(name, async move {
            tokio::task::spawn_blocking(work)
                .await
                .unwrap_or_else(|error| vec![Finding::error(told, &error)])
        })
    }

    /// That cannot be made.
    pub(super) fn impossible(name: impl Into<String>, error: &dyn Display) -> Self {
        let name = name.into();
        let finding = Finding::error(name.clone(), error);
        Self::new(name, async { vec![finding] })
    }
}

/// Makes all checks at once, each within `limit`.
pub(super) async fn run_all(checks: Vec<Check>, limit: Duration) -> Vec<Finding> {
    let all = checks.into_iter().map(|check| async move {
        match timeout(limit, check.work).await {
            Ok(findings) => findings,
            Err(_) => vec![Finding::failed(
                check.name,
                format!("not known after {} s", limit.as_secs()),
                "is it overloaded? Give more time with --timeout",
            )],
        }
    });
    join_all(all).await.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_hangs_keeps_nothing_else_from_being_told() {
        let checks = vec![
            Check::new("stuck", std::future::pending()),
            Check::new("well", async { vec![Finding::ok("well", "")] }),
            Check::blocking("broken", || panic!("a check that is wrong itself")),
        ];
        let findings = run_all(checks, Duration::from_millis(200)).await;
        let failed: Vec<_> = findings
            .iter()
            .map(|finding| (&*finding.name, finding.is_failure()))
            .collect();
        assert_eq!(failed, [("stuck", true), ("well", false), ("broken", true)]);
    }
}
