//! Refresh tokens that Django has revoked, looked for.

use natter_store_django::django::BEFORE_ALL;
use natter_store_django::tables::Part;
use natter_store_django::unfit::Kind;

use super::super::{PAGE, Run, failed};

const KIND: Kind = Kind::RefreshToken;

pub(super) async fn compare(run: &mut Run) -> anyhow::Result<()> {
    if !run.django.layout().has_tokens {
        return Ok(());
    }
    let extent = run.django.extent(Part::OutstandingTokens, BEFORE_ALL, i64::MAX).await.map_err(failed)?;
    run.report.begin(KIND, extent.n_rows);
    let mut after = Some(BEFORE_ALL);
    while let Some(at) = after.filter(|_| !run.is_stopped()) {
        let page = run.django.refresh_tokens(at, PAGE).await.map_err(failed)?;
        after = page.next;
        let n_rows = page.rows.len();
        for row in page.rows {
            match row {
                Err(unfit) => run.report.left(&unfit),
                Ok(known) => {
                    let is_revoked = run.target.accounts.is_refresh_token_revoked(&known.token.jti).await?;
                    match (known.is_revoked, is_revoked) {
                        (true, false) => {
                            run.report.differs(KIND, &known.token.jti, "is revoked at Django, but not here")
                        }
                        (false, true) => run.report.since(KIND),
                        _ => run.report.same(KIND),
                    }
                }
            }
        }
        run.report.read(KIND, n_rows);
    }
    run.report.end();
    Ok(())
}
