//! Refresh tokens, brought over: what Django has revoked stays revoked.

use anyhow::Context as _;
use natter_store::accounts::KnownToken;
use natter_store_django::django::BEFORE_ALL;
use natter_store_django::tables::Part;
use natter_store_django::unfit::Kind;

use super::{Mode, PAGE, Run, failed};

const KIND: Kind = Kind::RefreshToken;

pub(super) async fn bring(run: &mut Run, mode: Mode) -> anyhow::Result<()> {
    if !run.django.layout().has_tokens {
        run.report.print("There are no tables of refresh tokens, so none are brought over.");
        return Ok(());
    }
    let extent = run.django.extent(Part::OutstandingTokens, BEFORE_ALL, i64::MAX).await.map_err(failed)?;
    run.report.begin(KIND, extent.n_rows);
    let mut after = Some(BEFORE_ALL);
    while let Some(at) = after.filter(|_| !run.is_stopped()) {
        let page = run.django.refresh_tokens(at, PAGE).await.map_err(failed)?;
        after = page.next;
        run.report.read(KIND, page.rows.len());
        let mut tokens = Vec::with_capacity(page.rows.len());
        for row in page.rows {
            match row {
                Ok(token) => tokens.push(token),
                Err(unfit) => run.report.left(&unfit),
            }
        }
        let n_changed = match mode {
            Mode::Real => {
                let imported = run.target.accounts.import_refresh_tokens(&tokens).await;
                imported.context("bringing refresh tokens over")?.n_changed
            }
            Mode::Dry => n_changed(run, &tokens).await?,
        };
        run.report.changed(KIND, n_changed);
    }
    run.report.end();
    Ok(())
}

/// Of those that are revoked; the others make no difference.
async fn n_changed(run: &Run, tokens: &[KnownToken]) -> anyhow::Result<u64> {
    let mut n_changed = 0;
    for known in tokens.iter().filter(|known| known.is_revoked) {
        let is_revoked = run.target.accounts.is_refresh_token_revoked(&known.token.jti).await?;
        n_changed += u64::from(!is_revoked);
    }
    Ok(n_changed)
}
