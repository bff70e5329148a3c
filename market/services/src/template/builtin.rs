//! The templates there are: those in the program, and those in the operator's folder.

use std::path::Path;
use std::sync::Arc;

use rust_embed::RustEmbed;

use super::yaml::MAX_BYTES;
use super::{Flaw, Template};

/// The most files of a folder that are read.
const MAX_FILES: usize = 500;

#[derive(RustEmbed)]
#[folder = "../../templates/services"]
#[include = "*.yaml"]
struct Builtin;

/// A file that is no template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Which.
    pub file: String,
    /// Everything that is wrong with it.
    pub flaws: Vec<Flaw>,
}

/// All services that are offered, in the order of their category and name. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    templates: Arc<[Arc<Template>]>,
    refused: Arc<[Refused]>,
}

impl Catalogue {
    /// Reads the program's own templates and those of `folder`, whose win over those with the same id or slug. What is
    /// no template is left out, and told by [`Catalogue::refused`].
    #[must_use]
    pub fn load(folder: Option<&Path>) -> Self {
        let (mut templates, mut refused) = (Vec::new(), Vec::new());
        let builtin = Builtin::iter().filter_map(|file| {
            let bytes = Builtin::get(&file)?.data;
            Some((
                file.to_string(),
                String::from_utf8(bytes.into_owned()).map_err(|_| "it is no UTF-8".to_owned()),
            ))
        });
        for (file, text) in builtin.chain(folder.map(in_folder).into_iter().flatten()) {
            let parsed =
                text.map_err(|words| vec![Flaw::new(0, words)]).and_then(|text| Template::parse(&text));
            match parsed {
                Ok(template) => {
                    templates.retain(|known: &Arc<Template>| {
                        known.id != template.id && known.slug != template.slug
                    });
                    templates.push(Arc::new(template));
                }
                Err(flaws) => refused.push(Refused { file, flaws }),
            }
        }
        let place = |template: &Template| {
            (
                super::Category::ALL.iter().position(|known| *known == template.category),
                template.name.to_lowercase(),
            )
        };
        templates.sort_by_cached_key(|template| place(template));
        Self { templates: templates.into(), refused: refused.into() }
    }

    /// All of them.
    pub fn templates(&self) -> impl Iterator<Item = &Arc<Template>> {
        self.templates.iter()
    }

    /// The one with this id or slug.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Arc<Template>> {
        self.templates.iter().find(|template| template.slug == name || template.id.as_str() == name)
    }

    /// The one with this very text.
    #[must_use]
    pub fn with_digest(&self, digest: &str) -> Option<&Arc<Template>> {
        self.templates.iter().find(|template| template.digest == digest)
    }

    /// The files that are no templates.
    #[must_use]
    pub fn refused(&self) -> &[Refused] {
        &self.refused
    }
}

/// The files of a folder by name, or one that stands for the folder when it cannot be read.
fn in_folder(folder: &Path) -> Vec<(String, Result<String, String>)> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return vec![(folder.display().to_string(), Err(error.to_string()))],
    };
    let paths = entries.flatten().map(|entry| entry.path());
    let mut paths: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|ext| ext == "yaml" || ext == "yml")).collect();
    paths.sort();
    paths.into_iter().take(MAX_FILES).map(|path| (path.display().to_string(), read(&path))).collect()
}

fn read(path: &Path) -> Result<String, String> {
    use std::io::Read;
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let mut text = String::new();
    let most = MAX_BYTES as u64 + 1;
    file.take(most).read_to_string(&mut text).map_err(|error| error.to_string())?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_programs_own_templates_are_whole() {
        let catalogue = Catalogue::load(None);
        let told: Vec<String> = catalogue
            .refused()
            .iter()
            .flat_map(|refused| refused.flaws.iter().map(move |flaw| format!("{} {flaw}", refused.file)))
            .collect();
        assert!(told.is_empty(), "{told:#?}");
        for slug in ["postgres-managed", "redis-managed", "mysql-managed", "ml-inference", "cdn-edge"] {
            assert!(catalogue.find(slug).is_some(), "{slug}");
        }
        assert_eq!(catalogue.find("svc-postgres").unwrap().slug, "postgres-managed");
    }

    #[test]
    fn the_operators_files_win_and_what_is_wrong_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let own =
            Catalogue::load(None).find("svc-postgres").unwrap().source.replace("PostgreSQL Managed", "Ours");
        std::fs::write(folder.path().join("a.yaml"), own).unwrap();
        std::fs::write(folder.path().join("b.yml"), "id: x\nname: 5").unwrap();
        std::fs::write(folder.path().join("notes.txt"), "no template").unwrap();
        let catalogue = Catalogue::load(Some(folder.path()));
        assert_eq!(catalogue.find("postgres-managed").unwrap().name, "Ours");
        let refused = catalogue.refused();
        assert!(refused.len() == 1 && refused[0].file.ends_with("b.yml"));
        assert!(refused[0].flaws.len() > 5 && refused[0].flaws.iter().any(|flaw| flaw.line == 1));
        assert_eq!(Catalogue::load(Some(Path::new("/nowhere"))).refused().len(), 1);
    }
}
