//! The categories of the market, which operators keep: each function is a use case within its caller's transaction.

use identity::audit::{self, Outcome};
use identity::{Action, Caller, Subject};
use serde_json::json;
use store::{StoreError, Tx, args};
use web::Expected;

use crate::browse::Category;
use crate::error::CatalogError;
use crate::listing::CategorySlug;
use crate::sql;

/// The most categories there may be: pages show all of them at once.
const MOST: u64 = 200;

/// Adds a category.
///
/// # Errors
/// [`CatalogError::Exists`], [`CatalogError::Invalid`]; [`CatalogError::Identity`] for who may not.
pub async fn add(
    tx: &mut Tx,
    by: &Caller,
    slug: &CategorySlug,
    name: &str,
    position: u32,
) -> Result<Category, CatalogError> {
    by.may(Action::OperateMarket, &Subject::Market)?;
    let (count,): (u64,) = tx.one(&sql::COUNT_CATEGORIES, args![]).await?;
    if count >= MOST {
        return Err(CatalogError::field("/slug", format!("There are at most {MOST} categories.")));
    }
    let category = Category { slug: slug.clone(), name: checked(name)?, position, version: 1 };
    match tx.execute(&sql::INSERT_CATEGORY, args![slug, category.name, position]).await {
        Err(StoreError::Unique(_)) => return Err(CatalogError::Exists("category")),
        inserted => inserted?,
    };
    note(tx, by, "category.added", &category).await?;
    Ok(category)
}

/// Changes how a category is called and where it stands; what is `None` stays. Its name in addresses never changes.
///
/// # Errors
/// [`CatalogError::NotFound`], [`CatalogError::Stale`], [`CatalogError::Invalid`]; [`CatalogError::Identity`] for who
/// may not.
pub async fn change(
    tx: &mut Tx,
    by: &Caller,
    slug: &CategorySlug,
    name: Option<&str>,
    position: Option<u32>,
    expected: &Expected,
) -> Result<Category, CatalogError> {
    by.may(Action::OperateMarket, &Subject::Market)?;
    let before = find(tx, slug).await?;
    expected.check(before.version)?;
    let name = name.map_or_else(|| Ok(before.name.clone()), checked)?;
    let position = position.unwrap_or(before.position);
    let after = Category { slug: slug.clone(), name, position, version: before.version + 1 };
    tx.execute(&sql::SET_CATEGORY, args![slug, after.name, position, after.version]).await?;
    note(tx, by, "category.changed", &after).await?;
    Ok(after)
}

/// Removes a category that no listing stands in.
///
/// # Errors
/// [`CatalogError::NotFound`], [`CatalogError::Stale`]; [`CatalogError::CategoryUsed`], also by drafts;
/// [`CatalogError::Identity`] for who may not.
pub async fn remove(
    tx: &mut Tx,
    by: &Caller,
    slug: &CategorySlug,
    expected: &Expected,
) -> Result<(), CatalogError> {
    by.may(Action::OperateMarket, &Subject::Market)?;
    let category = find(tx, slug).await?;
    expected.check(category.version)?;
    let (count,): (u64,) = tx.one(&sql::COUNT_IN_CATEGORY, args![slug]).await?;
    if count > 0 {
        return Err(CatalogError::CategoryUsed { count });
    }
    tx.execute(&sql::DELETE_CATEGORY, args![slug]).await?;
    note(tx, by, "category.removed", &category).await
}

/// The category of this name.
///
/// # Errors
/// [`CatalogError::NotFound`].
pub async fn find(tx: &mut Tx, slug: &CategorySlug) -> Result<Category, CatalogError> {
    tx.first(&sql::FIND_WHOLE_CATEGORY, args![slug]).await?.ok_or(CatalogError::NotFound("category"))
}

/// All categories in their order, with how many listings each has, drafts too.
///
/// # Errors
/// [`CatalogError::Identity`] for who may not.
pub(crate) async fn counted(tx: &mut Tx, by: &Caller) -> Result<Vec<(Category, u64)>, CatalogError> {
    by.may(Action::OperateMarket, &Subject::Market)?;
    let all: Vec<Category> = tx.all(&sql::LIST_CATEGORIES, args![]).await?;
    let counts: Vec<(CategorySlug, u64)> = tx.all(&sql::COUNT_BY_CATEGORY, args![]).await?;
    let of = |slug: &CategorySlug| counts.iter().find(|(of, _)| of == slug).map_or(0, |(_, count)| *count);
    Ok(all.into_iter().map(|category| (category.clone(), of(&category.slug))).collect())
}

fn checked(name: &str) -> Result<String, CatalogError> {
    let name = name.trim();
    if (1..=60).contains(&name.chars().count()) {
        Ok(name.to_owned())
    } else {
        Err(CatalogError::field("/name", "Write 1 to 60 characters."))
    }
}

async fn note(tx: &mut Tx, by: &Caller, action: &str, category: &Category) -> Result<(), CatalogError> {
    let details = json!({"name": category.name, "position": category.position});
    audit::record(tx, by, action, category.slug.as_str(), Outcome::Done, &details).await?;
    Ok(())
}
