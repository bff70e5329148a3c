//! Blobs as objects of a bucket, under the same names as in the folder.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{
    ClientOptions, GetOptions, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt, PutPayload,
};

use crate::body::Body;
use crate::folder::Filled;
use crate::{BlobError, S3Config, Sha256};

/// What one part of a large upload holds: at the protocol's most of 10,000 parts that is 78 GB.
const PART_BYTES: u64 = 8 * 1024 * 1024;

/// How many names are looked up at once; the protocol lists that many at a time.
const LIST_BATCH: usize = 1000;

/// The bucket.
pub(crate) struct S3 {
    bucket: Arc<AmazonS3>,
    prefix: String,
}

/// An object that was found.
pub(crate) struct Object {
    bucket: Arc<AmazonS3>,
    path: Path,
    size_bytes: u64,
}

impl S3 {
    pub(crate) fn new(config: &S3Config) -> Result<Self, BlobError> {
        let plain = config.endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("http://"));
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&config.bucket)
            .with_region(&config.region)
            .with_virtual_hosted_style_request(!config.path_style)
            .with_client_options(ClientOptions::new().with_allow_http(plain));
        if let Some(endpoint) = &config.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        if let (Some(access), Some(secret)) = (&config.access_key, &config.secret_key) {
            builder = builder.with_access_key_id(access.expose()).with_secret_access_key(secret.expose());
        }
        let bucket = builder.build().map_err(|error| BlobError::Config(error.to_string()))?;
        Ok(Self { bucket: Arc::new(bucket), prefix: config.prefix.trim_matches('/').to_owned() })
    }

    fn path(&self, location: &str) -> Path {
        Path::from(format!("{}/{location}", self.prefix))
    }

    /// Uploads the bytes, unless the same are there.
    pub(crate) async fn keep(
        &self,
        sha256: Sha256,
        size_bytes: u64,
        filled: Filled,
    ) -> Result<(), BlobError> {
        if self.find(sha256).await?.is_some_and(|object| object.size_bytes == size_bytes) {
            return Ok(());
        }
        let path = self.path(&sha256.location());
        match filled {
            Filled::Memory(chunks) => {
                self.bucket.put(&path, chunks.into_iter().collect()).await.map_err(remote)?;
            }
            Filled::File(file) => {
                // The file has no name from here on and goes with its last handle.
                let file = Arc::new(file.into_file());
                let mut upload = self.bucket.put_multipart(&path).await.map_err(remote)?;
                if let Err(error) = upload_parts(&mut *upload, &file, size_bytes).await {
                    // What was uploaded would be billed for; if this fails too, the bucket's own rule removes it.
                    let _ = upload.abort().await;
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    pub(crate) async fn find(&self, sha256: Sha256) -> Result<Option<Object>, BlobError> {
        let path = self.path(&sha256.location());
        match self.bucket.head(&path).await {
            Ok(meta) => Ok(Some(Object { bucket: Arc::clone(&self.bucket), path, size_bytes: meta.size })),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(remote(error)),
        }
    }

    pub(crate) async fn remove(&self, sha256: Sha256) -> Result<(), BlobError> {
        match self.bucket.delete(&self.path(&sha256.location())).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(remote(error)),
        }
    }

    pub(crate) fn list(&self) -> BoxStream<'_, Result<Vec<(Sha256, u64)>, BlobError>> {
        let prefix = Path::from(self.prefix.as_str());
        let named = |meta: ObjectMeta| Some((meta.location.filename()?.parse().ok()?, meta.size));
        let objects = self.bucket.list(Some(&prefix)).map_err(remote);
        let blobs = objects.try_filter_map(move |meta| std::future::ready(Ok(named(meta))));
        blobs.try_chunks(LIST_BATCH).map_err(|stopped| stopped.1).boxed()
    }
}

impl Object {
    pub(crate) const fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    pub(crate) async fn whole(self) -> Result<Bytes, BlobError> {
        self.bucket.get(&self.path).await.map_err(remote)?.bytes().await.map_err(remote)
    }

    pub(crate) async fn stream(self, range: Range<u64>) -> Result<Body, BlobError> {
        if range.is_empty() {
            return Ok(Body::memory(Bytes::new()));
        }
        let size_bytes = range.end - range.start;
        let options = GetOptions { range: Some(range.into()), ..GetOptions::default() };
        let answer = self.bucket.get_opts(&self.path, options).await.map_err(remote)?;
        Ok(Body::remote(answer.into_stream().map_err(io::Error::other).boxed(), size_bytes))
    }
}

/// One part after the other, so that one part is in memory.
async fn upload_parts(
    upload: &mut dyn MultipartUpload,
    file: &Arc<File>,
    size_bytes: u64,
) -> Result<(), BlobError> {
    let mut at = 0;
    while at < size_bytes {
        let length = PART_BYTES.min(size_bytes - at);
        let file = Arc::clone(file);
        let part = tokio::task::spawn_blocking(move || {
            let mut part = vec![0; usize::try_from(length).map_err(io::Error::other)?];
            file.read_exact_at(&mut part, at).map(|()| part)
        });
        let part = part.await.map_err(io::Error::other)??;
        upload.put_part(PutPayload::from(part)).await.map_err(remote)?;
        at += length;
    }
    upload.complete().await.map(|_| ()).map_err(remote)
}

fn remote(error: object_store::Error) -> BlobError {
    BlobError::Remote(error.to_string())
}
