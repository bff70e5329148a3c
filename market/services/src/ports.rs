//! Which port a new deployment gets: the next one behind the newest, so that a port that was just given back, to which
//! somebody may still connect, is the last to be used again.

use store::{Tx, args};

use crate::error::ServiceError;
use crate::sql;

/// A port of the range that no deployment has.
pub(crate) async fn free(tx: &mut Tx, (first, last): (u16, u16)) -> Result<u16, ServiceError> {
    let newest: Option<(u16,)> = tx.first(&sql::LAST_PORT, &[]).await?;
    let next = newest.map_or(first, |(port,)| port.saturating_add(1));
    let next = if (first..=last).contains(&next) { next } else { first };
    for from in [next, first] {
        let (taken,): (u32,) = tx.one(&sql::HAS_PORT, args![from]).await?;
        if taken == 0 {
            return Ok(from);
        }
        let found: Option<(u16,)> = tx.first(&sql::FREE_PORT, args![from, last]).await?;
        if let Some((port,)) = found {
            return Ok(port);
        }
    }
    Err(ServiceError::NoPort)
}
