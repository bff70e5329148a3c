//! Every statement about what uplinks said and gave.

use kernel::Timestamp;
use store::{StoreError, Tx, args, sql};

use crate::{Ecosystem, NpmName};

sql! {
    COUNT_LOCAL = "select count(*) from package where ecosystem = $1 and normalized_name = $2";
    pub(crate) FIND_DOCUMENT = "select uplink, address, sha256, etag, last_modified, checked_at from uplink_document
        where uplink = $1 and name = $2";
    pub(crate) LIST_DOCUMENTS = "select uplink, address, sha256, etag, last_modified, checked_at from uplink_document
        where name = $1";
    pub(crate) SAVE_DOCUMENT = "insert into uplink_document
        (uplink, name, address, sha256, size_bytes, etag, last_modified, checked_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8)
        on conflict (uplink, name) do update set address = excluded.address, sha256 = excluded.sha256,
        size_bytes = excluded.size_bytes, etag = excluded.etag, last_modified = excluded.last_modified,
        checked_at = excluded.checked_at";
    pub(crate) CONFIRM_DOCUMENT = "update uplink_document set checked_at = $4
        where uplink = $1 and name = $2 and sha256 = $3 and checked_at < $4";
    pub(crate) DELETE_DOCUMENT = "delete from uplink_document where uplink = $1 and name = $2 returning sha256";
    pub(crate) LIST_FILES = "select uplink, address, sha256, size_bytes, published_at from uplink_file
        where name = $1 and version = $2";
    pub(crate) INSERT_FILE = "insert into uplink_file
        (uplink, name, version, address, sha256, size_bytes, published_at, stored_at, used_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    pub(crate) DELETE_FILE = "delete from uplink_file where uplink = $1 and name = $2 and version = $3 returning sha256";
    pub(crate) COUNT_DOWNLOADS = "insert into uplink_download (name, version, day, count) values ($1, $2, $3, $4)
        on conflict (name, version, day) do update set count = uplink_download.count + excluded.count";
    pub(crate) USE_FILE = "update uplink_file set used_at = $3 where name = $1 and version = $2 and used_at < $3";
    pub(crate) SUM_FILES = "select cast(coalesce(sum(size_bytes), 0) as bigint) from uplink_file";
    pub(crate) LIST_UNUSED = "select uplink, name, version, size_bytes, used_at from uplink_file
        order by used_at, uplink, name, version limit $1";
    pub(crate) EVICT_FILE = "delete from uplink_file
        where uplink = $1 and name = $2 and version = $3 and used_at = $4 returning sha256";
    pub(crate) SUM_DOWNLOADS = "select cast(coalesce(sum(count), 0) as bigint) from uplink_download
        where name = $1 and day >= $2";
}

/// What an uplink said of a package.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) uplink: String,
    pub(crate) address: String,
    /// `None`: it has no such package.
    pub(crate) sha256: Option<blobs::Sha256>,
    pub(crate) etag: Option<String>,
    pub(crate) last_modified: Option<String>,
    pub(crate) checked_at: Timestamp,
}

store::row!(Said { uplink, address, sha256, etag, last_modified, checked_at });

/// A tarball that is kept.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) uplink: String,
    pub(crate) address: String,
    pub(crate) sha256: blobs::Sha256,
    pub(crate) size_bytes: u64,
    pub(crate) published_at: Option<Timestamp>,
}

store::row!(Kept { uplink, address, sha256, size_bytes, published_at });

/// Whether a name is ours: a package of that name is or was here, whoever may see it, or its scope belongs to an
/// account here.
pub(crate) async fn is_local(tx: &mut Tx, name: &NpmName) -> Result<bool, StoreError> {
    let (count,): (i64,) = tx.one(&COUNT_LOCAL, args![Ecosystem::Npm, name]).await?;
    if count > 0 {
        return Ok(true);
    }
    let Some(scope) = name.scope() else { return Ok(false) };
    // Names of accounts have no capitals; old scopes may.
    let scope = scope.to_ascii_lowercase();
    Ok(identity::orgs::exists(tx, &scope).await? || identity::user_named(tx, &scope).await?.is_some())
}
